//! Canaries: what is known of the answers, held against a snapshot before it is published.
//!
//! There are two kinds: queries with their answers, and tables of the matrix's cells. A file of
//! queries is one of the Cedar CLI's `run-tests`: a JSON array of cases. As there, the
//! policies a case names must be among those that decide, and Cedar's plain rule on errors holds:
//! a case counts them itself. A case without `entities` is asked of those that are stored.

use std::{collections::HashMap, fmt};

use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{
    CedarQuery, Finding, Json, Kind, Object, OnPolicyError, Snapshot, SourceFile,
    finding::MAX_TOLD,
    known::{Known, OwnData},
    text,
};

mod cells;
mod expected;

pub(super) use cells::count as count_cells;
use expected::Expected;

/// How many cases all files may have together: a hundred times what ships, and more than anybody
/// writes by hand. The next reload waits for them.
const MAX_CASES: usize = 10_000;

/// How deep a case may nest, its entities included.
const MAX_DEPTH: usize = 64;

/// How long a case may be, its entities included: as long as the body of a request.
const MAX_BYTES: usize = 1 << 20;

/// Of how many values a case may be made, as the body of a request: Cedar makes 1.5 KiB of one.
const MAX_VALUES: usize = 150_000;

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

/// What came of holding the canaries against a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rehearsal {
    /// How many queries were asked.
    pub cases: usize,
    /// How many cells of the table were compared.
    pub cells: usize,
    /// One for each that is not as it says, or cannot be asked, until there are as many as anybody
    /// reads; the others are not asked then. What is in the way of a table only is a warning.
    pub findings: Vec<Finding>,
    /// Whoever was asked whether to go on said no before all were asked.
    pub cut: bool,
}

/// A case as its file has it.
struct Case<'t> {
    file: &'t SourceFile,
    text: &'t str,
    raw: &'t RawValue,
    /// Where it stands in its file, counted from 1.
    number: usize,
    /// Where in the text it starts, and how many lines end before: nobody reads the file from its
    /// beginning to say where each of them stands.
    start: (usize, usize),
}

/// Compares the cells, then puts the cases of all files to the snapshot, one by one.
pub(super) fn rehearse(snapshot: &Snapshot, mut go_on: impl FnMut() -> bool) -> Rehearsal {
    let mut rehearsal = cells::rehearse(snapshot, &mut go_on);
    if rehearsal.cut {
        return rehearsal;
    }
    let mut room = MAX_CASES;
    for file in &snapshot.canaries {
        if rehearsal.is_enough(file) {
            return rehearsal;
        }
        let cases = match cases(file, room) {
            Ok(cases) => cases,
            Err(found) => {
                rehearsal.findings.extend(found);
                continue;
            }
        };
        room -= cases.len();
        for case in cases {
            if rehearsal.is_enough(file) {
                return rehearsal;
            }
            if !go_on() {
                rehearsal.cut = true;
                return rehearsal;
            }
            rehearsal.cases += 1;
            rehearsal.findings.extend(case.ask(snapshot).err());
        }
    }
    rehearsal
}

impl Rehearsal {
    /// Whether as many have failed as anybody reads, which is said of the file that is next.
    fn is_enough(&mut self, file: &SourceFile) -> bool {
        let enough = self.findings.len() >= MAX_TOLD;
        if enough {
            let message = "so many canaries fail that the others were not asked";
            let finding = Finding::error(Kind::Canary, &file.name, message);
            self.findings.push(finding);
        }
        enough
    }
}

/// How many cases the files have; those that would be refused have none.
pub(super) fn count_cases(files: &[SourceFile]) -> usize {
    files.iter().fold(0, |count, file| {
        let cases = cases(file, MAX_CASES - count);
        count + cases.map_or(0, |cases| cases.len())
    })
}

/// The cases of a file, none of them read yet. There must be room for them.
fn cases(file: &SourceFile, room: usize) -> Result<Vec<Case<'_>>, Vec<Finding>> {
    let text = text::utf8(file)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let listed = deserializer
        .deserialize_seq(Listed { room })
        .and_then(|listed| deserializer.end().map(|()| listed));
    let raw = listed.map_err(|error| {
        let finding = Finding::error(Kind::Parse, &file.name, error.to_string());
        let finding = finding.at_line(text, error.line(), error.column());
        vec![finding.help(FORMAT)]
    })?;
    let Some(raw) = raw else {
        let message = format!("with this file there are more than {MAX_CASES} canaries");
        return Err(vec![Finding::error(Kind::Parse, &file.name, message)]);
    };
    let mut start = (0, 0);
    let cases = raw.into_iter().zip(1..).map(|(raw, number)| {
        let offset = text::offset_in(text, raw.get());
        start = (offset, start.1 + text::newlines(text, start.0, offset));
        Case {
            file,
            text,
            raw,
            number,
            start,
        }
    });
    Ok(cases.collect())
}

/// Reads a list without its values, which are kept only if there is room for all: a file can have
/// millions.
struct Listed {
    room: usize,
}

impl<'de> Visitor<'de> for Listed {
    type Value = Option<Vec<&'de RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut listed = Vec::new();
        while listed.len() < self.room {
            match items.next_element()? {
                Some(raw) => listed.push(raw),
                None => return Ok(Some(listed)),
            }
        }
        let mut more = false;
        while let Some(IgnoredAny) = items.next_element()? {
            more = true;
        }
        Ok((!more).then_some(listed))
    }
}

impl Case<'_> {
    /// Asks, and compares. What is wrong is said where it stands.
    fn ask(&self, snapshot: &Snapshot) -> Result<(), Finding> {
        let length = self.raw.get().len();
        if length > MAX_BYTES {
            return Err(self.too_large(&format!("{MAX_BYTES} bytes")));
        }
        let json = Json::parse(self.raw.get().as_bytes(), MAX_DEPTH);
        let json = json.map_err(|error| self.malformed("", error.message))?;
        // A value takes two bytes at least, so that most need not be counted.
        if length / 2 > MAX_VALUES && json.values() > MAX_VALUES {
            return Err(self.too_large(&format!("{MAX_VALUES} values")));
        }
        let not_an_object = || self.malformed("", "a canary must be an object");
        let object = json.as_object().ok_or_else(not_an_object)?;
        self.only(object, &KEYS)?;
        let expected = self.expected(object)?;
        let request = self.request(object)?;
        let own = match object.get("entities") {
            Some(_) => Some(self.entities(snapshot)?),
            None => None,
        };
        let known = Known::parse(snapshot, &request, own.as_ref())
            .map_err(|bad| self.finding(object, "request", bad))?;
        let answer = known.answer(&snapshot.index, OnPolicyError::Cedar);
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
        CedarQuery::of(request)
            .map_err(|key| self.malformed("request", format!("`request.{key}` is missing")))
    }

    /// The entities of the case: its store, so that held types may be among them.
    fn entities<'s>(&self, snapshot: &'s Snapshot) -> Result<OwnData<'s>, Finding> {
        let text = self.value("entities").map_or("[]", RawValue::get);
        let own = OwnData::parse(&self.file.name, text, snapshot, &snapshot.symbols);
        own.map_err(|first| {
            let finding = Finding::error(first.kind, &self.file.name, first.message);
            self.place(finding, "entities")
        })
    }

    fn only(&self, object: &Object<'_>, known: &[&str]) -> Result<(), Finding> {
        match object.iter().find(|(key, _)| !known.contains(key)) {
            None => Ok(()),
            Some((key, _)) => Err(self.malformed(key, format!("unknown key `{key}`"))),
        }
    }

    fn too_large(&self, limit: &str) -> Finding {
        let message = format!("canary {} has more than {limit}", self.number);
        self.place(Finding::error(Kind::Parse, &self.file.name, message), "")
    }

    fn malformed(&self, key: &str, message: impl Into<String>) -> Finding {
        let finding = Finding::error(Kind::Parse, &self.file.name, message);
        self.place(finding, key).help(FORMAT)
    }

    fn finding(&self, object: &Object<'_>, key: &str, message: impl fmt::Display) -> Finding {
        let name = match object.get("name").and_then(Json::as_str) {
            Some(name) => format!("`{name}`"),
            None => self.number.to_string(),
        };
        let message = format!("canary {name}: {message}");
        self.place(Finding::error(Kind::Canary, &self.file.name, message), key)
    }

    /// The finding at the value of a key, or where the case begins.
    fn place(&self, finding: Finding, key: &str) -> Finding {
        let raw = self.value(key).unwrap_or(self.raw).get();
        let offset = text::offset_in(self.text, raw);
        finding.at_behind(self.start, self.text, offset, raw.len())
    }

    /// The text of a value. Only few are ever asked for: nothing is kept.
    fn value(&self, key: &str) -> Option<&RawValue> {
        if key.is_empty() {
            return None;
        }
        // What is no object has no values; it is refused as such when it is asked.
        let values: HashMap<String, &RawValue> =
            serde_json::from_str(self.raw.get()).unwrap_or_default();
        values.get(key).copied()
    }
}
