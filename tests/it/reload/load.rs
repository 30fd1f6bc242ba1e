//! Callers that never pause for long, and that take no answer for granted.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::{Value, json};

use super::world;
use crate::client::{Connection, JSON, Reply};

const CALLERS: usize = 3;

/// Rounds that every caller makes at least, of one question of each shape.
const FEWEST_ROUNDS: usize = 3;

/// What replies say and answer while one set is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) revision: String,
    pub(super) answers: Vec<bool>,
}

/// Callers that ask until they are told to stop.
pub(super) struct Load {
    shared: Arc<Shared>,
    callers: Vec<JoinHandle<usize>>,
}

struct Shared {
    history: Mutex<History>,
    bodies: Bodies,
    think: Duration,
    stop: AtomicBool,
}

/// The sets that were or may be in force, in the order in which they may be.
#[derive(Default)]
struct History {
    sets: Vec<Arc<Expected>>,
    places: HashMap<String, Vec<usize>>,
}

/// The same questions in each shape.
struct Bodies {
    single: Vec<String>,
    batch: String,
    cedar: String,
    asks_properties: Vec<bool>,
}

impl Load {
    /// Starts to ask; a caller thinks this long between two questions.
    pub(super) fn start(address: &str, first: Expected, think: Duration) -> Self {
        let shared = Arc::new(Shared {
            history: Mutex::default(),
            bodies: Bodies::new(),
            think,
            stop: AtomicBool::new(false),
        });
        shared.history.lock().unwrap().push(first);
        let call = |_| {
            let caller = Caller {
                connection: Connection::to(address),
                place: 0,
                shared: Arc::clone(&shared),
            };
            thread::spawn(move || caller.run())
        };
        let callers = (0..CALLERS).map(call).collect();
        Self { shared, callers }
    }

    /// From now on replies may also be of this set, and never again of an earlier one after that.
    pub(super) fn expect(&self, set: Expected) {
        self.shared.history.lock().unwrap().push(set);
    }

    /// Stops, and says how many replies there were: none failed, and the last ones were of the set
    /// that was expected last.
    pub(super) fn finish(mut self) -> usize {
        self.shared.stop.store(true, Ordering::Release);
        let callers = std::mem::take(&mut self.callers);
        let replies = callers.into_iter().map(|caller| match caller.join() {
            Ok(replies) => replies,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        replies.sum()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        for caller in self.callers.drain(..) {
            // The case has failed already, or nobody is left.
            let _ = caller.join();
        }
    }
}

impl History {
    fn push(&mut self, set: Expected) {
        let places = self.places.entry(set.revision.clone()).or_default();
        places.push(self.sets.len());
        self.sets.push(Arc::new(set));
    }

    /// Where a revision stands, not before a place.
    fn find(&self, revision: &str, from: usize) -> Option<(usize, Arc<Expected>)> {
        let places = self.places.get(revision)?;
        let place = *places.iter().find(|place| **place >= from)?;
        Some((place, Arc::clone(&self.sets[place])))
    }
}

impl Bodies {
    fn new() -> Self {
        let (subject, resources) = (world::subject(), world::resources());
        let action = json!({"name": "read"});
        let resource = |id: &String| json!({"type": "Doc", "id": id});
        let single = |id| {
            json!({"subject": subject, "action": action, "resource": resource(id)}).to_string()
        };
        let item = |id| json!({"resource": resource(id)});
        let evaluations: Vec<Value> = resources.iter().map(item).collect();
        let cedar = |id: &String| {
            json!({
                "principal": "User::\"ann\"",
                "action": "Action::\"read\"",
                "resource": format!("Doc::\"{id}\""),
                "context": {},
            })
        };
        let requests: Vec<Value> = resources.iter().map(cedar).collect();
        Self {
            single: resources.iter().map(single).collect(),
            batch: json!({"subject": subject, "action": action, "evaluations": evaluations})
                .to_string(),
            cedar: json!({"requests": requests}).to_string(),
            asks_properties: resources
                .iter()
                .map(|id| world::needs_properties(id))
                .collect(),
        }
    }
}

/// One connection, kept alive for the whole case.
struct Caller {
    connection: Connection,
    /// Of the set that the last reply was of.
    place: usize,
    shared: Arc<Shared>,
}

impl Caller {
    fn run(mut self) -> usize {
        let mut rounds = 0;
        let mut stopped = false;
        while !stopped || rounds < FEWEST_ROUNDS {
            // Read before asking: the last round is asked after the end of the case.
            stopped = self.shared.stop.load(Ordering::Acquire);
            self.single(rounds);
            self.batch();
            self.cedar();
            rounds += 1;
        }
        let last = self.shared.history.lock().unwrap().sets.len() - 1;
        let is_last = self.known(last).revision == self.known(self.place).revision;
        assert!(is_last, "the last reply was not of the last set");
        3 * rounds
    }

    fn single(&mut self, round: usize) {
        let shared = Arc::clone(&self.shared);
        let number = round % shared.bodies.single.len();
        let (reply, set) = self.ask("/access/v1/evaluation", &shared.bodies.single[number]);
        let answer = reply.json()["decision"] == true;
        assert_eq!(answer, set.answers[number], "{number}: {set:?}");
    }

    fn batch(&mut self) {
        let shared = Arc::clone(&self.shared);
        let (reply, set) = self.ask("/access/v1/evaluations", &shared.bodies.batch);
        let answers = answers(&reply, "evaluations", &true.into());
        assert_eq!(answers, set.answers, "a mixture: {}", set.revision);
    }

    fn cedar(&mut self) {
        let shared = Arc::clone(&self.shared);
        let (reply, set) = self.ask("/v1/batch_is_authorized", &shared.bodies.cedar);
        let answers = answers(&reply, "responses", &"Allow".into());
        // This shape has no properties.
        let without = set.answers.iter().zip(&shared.bodies.asks_properties);
        let expected: Vec<bool> = without.map(|(answer, asks)| *answer && !asks).collect();
        assert_eq!(answers, expected, "a mixture: {}", set.revision);
    }

    fn ask(&mut self, path: &str, body: &str) -> (Reply, Arc<Expected>) {
        let reply = self.connection.send("POST", path, &[JSON], body.as_bytes());
        assert_eq!(reply.status, 200, "{}", reply.body);
        let revision = reply.header("x-palisade-revision").unwrap();
        let found = self
            .shared
            .history
            .lock()
            .unwrap()
            .find(revision, self.place);
        let Some((place, set)) = found else {
            panic!(
                "a set that was never whole, or an older one: {revision}: {}",
                reply.body
            );
        };
        self.place = place;
        thread::park_timeout(self.shared.think);
        (reply, set)
    }

    fn known(&self, place: usize) -> Arc<Expected> {
        Arc::clone(&self.shared.history.lock().unwrap().sets[place])
    }
}

fn answers(reply: &Reply, list: &str, yes: &Value) -> Vec<bool> {
    let body = reply.json();
    let items = body[list].as_array().unwrap().iter();
    items.map(|item| item["decision"] == *yes).collect()
}
