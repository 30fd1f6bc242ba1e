//! Cedar's own integration tests, asked of one server whose policies change under it: what Cedar
//! decides is what is answered.
//!
//! Every set is served by a swap of a link, as git-sync does it, and every question is put three
//! times: against the store, with the entities in the body, and in one batch.

#![expect(clippy::print_stdout, reason = "`--nocapture` shows the counts")]

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::client::{Connection, JSON};

mod served;
mod sets;

use served::Served;
use sets::{Question, Set};

const ONE: &str = "/v1/is_authorized";
const MANY: &str = "/v1/batch_is_authorized";

/// Cedar's plain rule on errors, and any set may follow any other.
const FAITHFUL: [&str; 3] = ["--on-policy-error=cedar", "--shrink=off", "--canary=off"];

/// Equal answers and questions asked, by the decision that Cedar takes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Score(BTreeMap<String, (usize, usize)>);

impl Score {
    fn add(&mut self, question: &Question, equal: bool) {
        let (equals, all) = self.0.entry(question.decision.clone()).or_default();
        *equals += usize::from(equal);
        *all += 1;
    }

    fn told(&self) -> String {
        let told = |(decision, (equal, all)): (&String, &(usize, usize))| {
            format!("{decision} {equal}/{all}")
        };
        self.0.iter().map(told).collect::<Vec<_>>().join(", ")
    }

    #[track_caller]
    fn assert(&self, allow: usize, deny: usize) {
        let all = |count| (count, count);
        let expected = [("allow", all(allow)), ("deny", all(deny))];
        let expected = expected.map(|(decision, count)| (decision.to_owned(), count));
        assert_eq!(self.0, BTreeMap::from(expected));
    }
}

/// A corpus as it was served.
#[derive(Default)]
struct Walked {
    taken: usize,
    refused: usize,
    score: Score,
}

#[test]
fn every_set_is_decided_as_cedar_decides_it_or_refused_and_the_last_stays() {
    let hand = sets::corpus("hand");
    let cases = sets::corpus("cases");
    let mut served = Served::start(&hand[0], &FAITHFUL);
    let hand = walk(&mut served, &hand);
    let cases = walk(&mut served, &cases);
    println!("cedar-hand: sets {}/22, {}", hand.taken, hand.score.told());
    println!(
        "cedar-cases: sets {}/220, refused {}/80, {}",
        cases.taken,
        cases.refused,
        cases.score.told()
    );
    assert_eq!((hand.taken, hand.refused), (22, 0));
    hand.score.assert(38, 36);
    assert_eq!((cases.taken, cases.refused), (220, 80));
    cases.score.assert(489, 411);
}

#[test]
fn sets_that_strict_validation_refuses_are_decided_as_cedar_decides_without_it() {
    let cases = sets::corpus("cases");
    let lax: Vec<Set> = cases.into_iter().filter(|set| !set.is_valid).collect();
    let flags = [&FAITHFUL[..], &["--no-validate"]].concat();
    let mut served = Served::start(&lax[0], &flags);
    let mut score = Score::default();
    for set in &lax {
        served.publish(set);
        ask(&mut served.process.connect(), set, &mut score);
    }
    println!(
        "cedar-cases without validation: sets {}/80, {}",
        lax.len(),
        score.told()
    );
    score.assert(52, 214);
}

fn walk(served: &mut Served, sets: &[Set]) -> Walked {
    let mut walked = Walked::default();
    let mut last: Option<&Set> = None;
    for set in sets {
        if set.is_valid {
            served.publish(set);
            let mut connection = served.process.connect();
            ask(&mut connection, set, &mut walked.score);
            ask_the_undeclared(&mut connection, set);
            last = Some(set);
            walked.taken += 1;
        } else {
            served.refuse(set);
            if let Some(last) = last {
                // What was in force still is, and still decides the same.
                ask(&mut served.process.connect(), last, &mut Score::default());
            }
            walked.refused += 1;
        }
    }
    walked
}

/// Puts a question that the schema does not know, which is refused and not decided.
fn ask_the_undeclared(connection: &mut Connection, set: &Set) {
    let mut body = set.questions[0].in_json();
    body["action"]["id"] = json!("undeclared");
    let body = body.to_string();
    let reply = connection.send("POST", ONE, &[JSON], body.as_bytes());
    assert_eq!(reply.status, 400, "{}: {}", set.name, reply.body);
}

/// Puts every question of a set, over one connection, in the three ways.
fn ask(connection: &mut Connection, set: &Set, score: &mut Score) {
    let mut post = |path, body: &Value| {
        let body = body.to_string();
        let reply = connection.send("POST", path, &[JSON], body.as_bytes());
        assert_eq!(reply.status, 200, "{}: {} for {body}", set.name, reply.body);
        let revision = reply.header("x-palisade-revision").unwrap();
        assert_eq!(
            Some(revision),
            set.revision.get().map(String::as_str),
            "{}",
            set.name
        );
        reply.json()
    };
    let requests: Vec<Value> = set.questions.iter().map(Question::in_json).collect();
    let batch = json!({"entities": set.entities, "requests": requests});
    let batch = post(MANY, &batch)["responses"].take();
    let batch = batch.as_array().unwrap();
    assert_eq!(batch.len(), set.questions.len(), "{}", set.name);
    for (question, in_batch) in set.questions.iter().zip(batch) {
        let stored = post(ONE, &question.in_cedar());
        let mut inline = question.in_json();
        inline["entities"] = set.entities.clone();
        let inline = post(ONE, &inline);
        let answers = [
            ("stored", &stored),
            ("inline", &inline),
            ("batch", in_batch),
        ];
        let mut equal = true;
        for (way, answer) in answers {
            let differs = question.differs(answer);
            if let Some(how) = &differs {
                println!("{} {way}: {how}", question.id);
            }
            equal &= differs.is_none();
        }
        score.add(question, equal);
    }
}
