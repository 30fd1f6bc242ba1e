//! The core by itself, in this process: compiled sources, and questions as the wire parses them.

use std::{path::Path, thread};

use palisade::{
    authz::{
        Decision, Diagnostics, Json, Object, OnPolicyError, RawAction, RawEntity, RawQuery,
        Snapshot, SourceFile, Sources,
    },
    source::Selection,
};

use crate::{ask::Ask, sets::Set};

/// Compiling recurses with the policies; the service gives it as much.
const STACK_BYTES: usize = 256 << 20;

/// More than any question has.
const DEPTH: usize = 64;

/// A question whose JSON is parsed, as the listener has it when it asks.
pub(crate) struct Parsed<'a> {
    json: Json<'a>,
    allowed: bool,
}

impl<'a> Parsed<'a> {
    pub(crate) fn of(ask: &'a Ask) -> Self {
        Self {
            json: Json::parse(ask.body.as_bytes(), DEPTH).unwrap(),
            allowed: ask.allowed,
        }
    }

    /// From the raw query to the decision, which must be as expected.
    pub(crate) fn decide(&self, snapshot: &Snapshot) {
        // As the listener asks for a caller that wants no reasons.
        let query = snapshot.query_noting(&raw(&self.json), Diagnostics::Denials);
        let answer = snapshot.decide(&query, OnPolicyError::Deny);
        let allowed = answer.decision() == Decision::Allow;
        assert_eq!(allowed, self.allowed, "{:?}", self.json);
    }
}

fn raw<'a>(json: &'a Json<'a>) -> RawQuery<'a> {
    let top = json.as_object().unwrap();
    let object = |name: &str| top.get(name).and_then(Json::as_object);
    let action = object("action").unwrap();
    RawQuery {
        principal: entity(object("subject").unwrap()),
        action: RawAction {
            name: text(action, "name"),
            properties: None,
        },
        resource: entity(object("resource").unwrap()),
        context: object("context"),
    }
}

fn entity<'a>(object: &'a Object<'a>) -> RawEntity<'a> {
    RawEntity {
        type_name: text(object, "type"),
        id: text(object, "id"),
        properties: object.get("properties").and_then(Json::as_object),
    }
}

fn text<'a>(object: &'a Object<'a>, name: &str) -> &'a str {
    object.get(name).and_then(Json::as_str).unwrap()
}

/// The edition that ships, over its example organization.
pub(crate) fn shipped() -> Snapshot {
    let selection = Selection {
        root: Path::new(env!("CARGO_MANIFEST_DIR")).to_owned(),
        ..Selection::default()
    };
    compile(selection.resolve().unwrap().read().unwrap())
}

pub(crate) fn compiled(set: Set) -> Snapshot {
    let files = |kind: &str, texts: Vec<String>| -> Vec<SourceFile> {
        let texts = texts.into_iter().enumerate();
        texts
            .map(|(number, text)| SourceFile {
                name: format!("{number:03}.{kind}"),
                bytes: text.into_bytes(),
            })
            .collect()
    };
    compile(Sources {
        policies: files("cedar", set.policies),
        schema: files("cedarschema", vec![set.schema]).pop(),
        entities: files("json", set.entities),
        ..Sources::default()
    })
}

fn compile(sources: Sources) -> Snapshot {
    let compile = move || Snapshot::compile(&sources).unwrap_or_else(|why| panic!("{why}"));
    let thread = thread::Builder::new().stack_size(STACK_BYTES);
    thread.spawn(compile).unwrap().join().unwrap()
}
