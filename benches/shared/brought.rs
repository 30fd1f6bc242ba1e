//! Questions about a note, where it and all around it are stored, and where they come with the
//! question.

use crate::ask::Ask;

use super::{as_value, entity, reference, team};

/// How many different notes there are.
const NOTES: usize = 16;

/// Questions whose ten entities are stored.
pub(crate) fn stored() -> Vec<Ask> {
    all().map(Brought::ask_stored).collect()
}

/// The same, but the ten come with the question.
pub(crate) fn inline() -> Vec<Ask> {
    all().map(Brought::ask_inline).collect()
}

/// What is to be stored for the first kind.
pub(super) fn entities() -> impl Iterator<Item = String> {
    all().flat_map(Brought::entities)
}

fn all() -> impl Iterator<Item = Brought> {
    (0..NOTES).map(|number| Brought { number })
}

/// Ten entities around one note, that can come with a question: the note, its task, the project of
/// that, and seven people.
#[derive(Clone, Copy)]
struct Brought {
    number: usize,
}

/// Annotators that are nothing else.
const WORKERS: [&str; 3] = ["first", "second", "third"];

impl Brought {
    /// The subject is an annotator of the task, or not; by turns.
    fn allowed(self) -> bool {
        self.number.is_multiple_of(2)
    }

    fn id(self, name: &str) -> String {
        format!("brought-{}/{name}", self.number)
    }

    fn entities(self) -> Vec<String> {
        let refer = |type_name, name: &str| as_value(&reference(type_name, &self.id(name)));
        let user = |name: &str| refer("User", name);
        let team = as_value(&reference("Team", &team(0)));
        let person = format!(r#"{{"level":5,"team":{team}}}"#);
        let people = ["subject", "author", "lead", "reviewer"]
            .iter()
            .chain(&WORKERS);
        let mut all: Vec<String> = people
            .map(|name| entity(("User", &self.id(name)), &person, ""))
            .collect();
        let attributes = format!(
            r#"{{"task":{},"author":{}}}"#,
            refer("Task", "task"),
            user("author")
        );
        all.push(entity(("Note", &self.id("note")), &attributes, ""));
        let subject = self.allowed().then_some(&"subject");
        let annotators: Vec<String> = WORKERS.iter().chain(subject).map(|it| user(it)).collect();
        let attributes = format!(
            r#"{{"project":{},"annotators":[{}],"reviewers":[{}]}}"#,
            refer("Project", "project"),
            annotators.join(","),
            user("reviewer")
        );
        all.push(entity(("Task", &self.id("task")), &attributes, ""));
        let attributes = format!(r#"{{"lead":{},"level":2}}"#, user("lead"));
        all.push(entity(("Project", &self.id("project")), &attributes, ""));
        all
    }

    fn ask_stored(self) -> Ask {
        let (subject, note) = (self.id("subject"), self.id("note"));
        Ask::new(("User", &subject), "view", ("Note", &note), self.allowed())
    }

    fn ask_inline(self) -> Ask {
        // Under ids that are not stored.
        let id = |name: &str| self.id(name).replace("brought", "carried");
        let given = |type_name, name: &str, properties: &str| {
            let id = id(name);
            format!(r#"{{"type":"{type_name}","id":"{id}","properties":{properties}}}"#)
        };
        let person = format!(r#"{{"level":5,"team":"{}"}}"#, team(0));
        let user = |name: &str| given("User", name, &person);
        // Its properties stand where it is the subject.
        let subject = format!("\"{}\"", id("subject"));
        let annotators = WORKERS.iter().map(|it| user(it));
        let annotators = annotators.chain(self.allowed().then_some(subject));
        let properties = format!(r#"{{"lead":{},"level":2}}"#, user("lead"));
        let properties = format!(
            r#"{{"project":{},"annotators":[{}],"reviewers":[{}]}}"#,
            given("Project", "project", &properties),
            annotators.collect::<Vec<_>>().join(","),
            user("reviewer")
        );
        let properties = format!(
            r#"{{"task":{},"author":{}}}"#,
            given("Task", "task", &properties),
            user("author")
        );
        let (subject, note) = (user("subject"), given("Note", "note", &properties));
        Ask {
            body: format!(
                r#"{{"subject":{subject},"action":{{"name":"view"}},"resource":{note}}}"#
            ),
            allowed: self.allowed(),
        }
    }
}
