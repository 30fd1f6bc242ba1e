//! Canaries: known queries with their answers, put to a snapshot before it is published.
//!
//! A file of them is one of the Cedar CLI's `run-tests`: a JSON array of cases. As there, the
//! policies a case names must be among those that decide, and Cedar's plain rule on errors holds:
//! a case counts them itself. A case without `entities` is asked of those that are stored.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::{
    Answer, CedarQuery, Finding, Json, Kind, Object, Snapshot, SourceFile, stored::StoredEntities,
    text,
};

/// How deep a case may nest, its entities included.
const MAX_DEPTH: usize = 64;

/// The keys of a case.
const KEYS: [&str; 6] = [
    "name",
    "request",
    "entities",
    "decision",
    "reason",
    "num_errors",
];

/// The keys of a case's request.
const REQUEST_KEYS: [&str; 4] = ["principal", "action", "resource", "context"];

const FORMAT: &str = "a file of canaries is a JSON array of {\"name\"?, \"request\": {\"principal\", \
     \"action\", \"resource\", \"context\"?}, \"entities\"?, \"decision\": \"allow\" or \"deny\", \
     \"reason\": [ids], \"num_errors\"}";

const WAY_OUT: &str = "if the new answer is meant, change the canary in the same edit";

/// What came of putting the canaries to a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rehearsal {
    /// How many canaries there are.
    pub cases: usize,
    /// One for each that is not answered as it says, or cannot be asked.
    pub findings: Vec<Finding>,
}

/// A case as its file has it.
struct Case<'t> {
    file: &'t SourceFile,
    text: &'t str,
    raw: &'t RawValue,
    values: HashMap<String, &'t RawValue>,
    /// Where it stands in its file, counted from 1.
    number: usize,
}

/// What a case says the answer is.
struct Expected<'j> {
    decision: &'j str,
    reason: Vec<&'j str>,
    num_errors: usize,
}

/// Puts every case of every file to the snapshot.
pub(super) fn rehearse(snapshot: &Snapshot, files: &[SourceFile]) -> Rehearsal {
    let mut rehearsal = Rehearsal::default();
    for file in files {
        match cases(file) {
            Ok(cases) => {
                rehearsal.cases += cases.len();
                let failed = cases.iter().filter_map(|case| case.ask(snapshot).err());
                rehearsal.findings.extend(failed);
            }
            Err(found) => rehearsal.findings.extend(found),
        }
    }
    rehearsal
}

fn cases(file: &SourceFile) -> Result<Vec<Case<'_>>, Vec<Finding>> {
    let text = text::utf8(file)?;
    let raw: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| {
        let finding = Finding::error(Kind::Parse, &file.name, error.to_string());
        let finding = finding.at_line(text, error.line(), error.column());
        vec![finding.help(FORMAT)]
    })?;
    let cases = raw.into_iter().zip(1..).map(|(raw, number)| Case {
        file,
        text,
        raw,
        // What is no object has no values; it is refused as such when it is asked.
        values: serde_json::from_str(raw.get()).unwrap_or_default(),
        number,
    });
    Ok(cases.collect())
}

impl Case<'_> {
    /// Asks, and compares. What is wrong is said where it stands.
    fn ask(&self, snapshot: &Snapshot) -> Result<(), Finding> {
        let json = Json::parse(self.raw.get().as_bytes(), MAX_DEPTH);
        let json = json.map_err(|error| self.malformed("", error.message))?;
        let not_an_object = || self.malformed("", "a canary must be an object");
        let object = json.as_object().ok_or_else(not_an_object)?;
        self.only(object, &KEYS)?;
        let expected = self.expected(object)?;
        let request = self.request(object)?;
        let own = match object.get("entities") {
            Some(_) => Some(self.entities(snapshot)?),
            None => None,
        };
        let answer = snapshot
            .answer_canary(&request, own.as_ref())
            .map_err(|bad| self.finding(object, "request", bad))?;
        expected
            .compare(&answer)
            .map_err(|(key, how)| self.finding(object, key, how).help(WAY_OUT))
    }

    fn expected<'j>(&self, object: &'j Object<'_>) -> Result<Expected<'j>, Finding> {
        let decision = object.get("decision").and_then(Json::as_str);
        let decision = decision.filter(|it| ["allow", "deny"].contains(it));
        let wrong = |key: &'static str, what| move || self.malformed(key, what);
        let ids = object.get("reason").and_then(Json::as_array);
        let ids = ids.and_then(|ids| ids.iter().map(Json::as_str).collect::<Option<Vec<_>>>());
        let num_errors = match object.get("num_errors") {
            Some(Json::Int(number)) => usize::try_from(*number).ok(),
            _ => None,
        };
        Ok(Expected {
            decision: decision
                .ok_or_else(wrong("decision", "`decision` must be `allow` or `deny`"))?,
            reason: ids.ok_or_else(wrong("reason", "`reason` must be an array of policy ids"))?,
            num_errors: num_errors.ok_or_else(wrong(
                "num_errors",
                "`num_errors` must be a number of errors",
            ))?,
        })
    }

    fn request<'j>(&self, object: &'j Object<'j>) -> Result<CedarQuery<'j>, Finding> {
        let not_an_object = || self.malformed("request", "`request` must be an object");
        let request = object.get("request").and_then(Json::as_object);
        let request = request.ok_or_else(not_an_object)?;
        self.only(request, &REQUEST_KEYS)?;
        let part = |key: &'static str| {
            let missing = || self.malformed("request", format!("`request.{key}` is missing"));
            request.get(key).ok_or_else(missing)
        };
        Ok(CedarQuery {
            principal: part("principal")?,
            action: part("action")?,
            resource: part("resource")?,
            context: request.get("context"),
        })
    }

    /// The entities of the case: its store, so that held types may be among them.
    fn entities(&self, snapshot: &Snapshot) -> Result<StoredEntities, Finding> {
        let text = self.values.get("entities").map_or("[]", |raw| raw.get());
        let file = SourceFile {
            name: self.file.name.clone(),
            bytes: text.as_bytes().to_vec(),
        };
        let mut findings = Vec::new();
        let files = [file];
        let (stored, _) = StoredEntities::parse(&files, snapshot.schema(), &mut findings);
        match findings.into_iter().next() {
            None => Ok(stored),
            Some(first) => {
                let finding = Finding::error(first.kind, &self.file.name, first.message);
                Err(self.place(finding, "entities"))
            }
        }
    }

    fn only(&self, object: &Object<'_>, known: &[&str]) -> Result<(), Finding> {
        match object.iter().find(|(key, _)| !known.contains(key)) {
            None => Ok(()),
            Some((key, _)) => Err(self.malformed(key, format!("unknown key `{key}`"))),
        }
    }

    fn malformed(&self, key: &str, message: impl Into<String>) -> Finding {
        let finding = Finding::error(Kind::Parse, &self.file.name, message);
        self.place(finding, key).help(FORMAT)
    }

    fn finding(&self, object: &Object<'_>, key: &str, message: impl std::fmt::Display) -> Finding {
        let name = match object.get("name").and_then(Json::as_str) {
            Some(name) => format!("`{name}`"),
            None => self.number.to_string(),
        };
        let message = format!("canary {name}: {message}");
        self.place(Finding::error(Kind::Canary, &self.file.name, message), key)
    }

    /// The finding at the value of a key, or where the case begins.
    fn place(&self, finding: Finding, key: &str) -> Finding {
        let raw = self.values.get(key).copied().unwrap_or(self.raw).get();
        finding.at(self.text, text::offset_in(self.text, raw), raw.len())
    }
}

impl Expected<'_> {
    /// The first key that the answer does not meet, and how.
    fn compare(&self, answer: &Answer) -> Result<(), (&'static str, String)> {
        let decides = |id: &&str| answer.policies.iter().any(|it| it == id);
        let key = if answer.decision().as_str() != self.decision {
            "decision"
        } else if !self.reason.iter().all(decides) {
            "reason"
        } else if answer.errors.len() != self.num_errors {
            "num_errors"
        } else {
            return Ok(());
        };
        let mut how = format!(
            "expected {}{}, got {}{}",
            self.decision,
            by(&self.reason),
            answer.decision().as_str(),
            by(&answer.policies),
        );
        let errors = answer.errors.len();
        if self.num_errors > 0 || errors > 0 {
            let erring = answer.errors.iter().map(|error| error.policy.as_str());
            let erring = by(&erring.collect::<Vec<_>>());
            how.push_str(&format!(
                "; expected {} errors, got {errors}{erring}",
                self.num_errors
            ));
        }
        for note in &answer.diagnostics {
            how.push_str(&format!("; {note}"));
        }
        Err((key, how))
    }
}

/// Whose doing it is; nothing if it is nobody's.
fn by<T: AsRef<str>>(policies: &[T]) -> String {
    let policies = policies.iter().map(|id| format!("`{}`", id.as_ref()));
    let policies: Vec<_> = policies.collect();
    if policies.is_empty() {
        String::new()
    } else {
        format!(" by {}", policies.join(", "))
    }
}
