//! Sources of every kind: each is taken or refused, and what is taken can be asked.

use palisade::{
    authz::{Json, OnPolicyError, Severity, Snapshot, SourceFile, Sources},
    source::rehearse,
};

use crate::runs::fuzz_deep;

/// Files of a good house: the first of each target's corpus, so that one is changed at a time.
macro_rules! good {
    ($name:literal) => {
        include_bytes!(concat!("corpus/", $name))
    };
}

/// Deeper than any question of the corpora.
const DEPTH: usize = 64;

fn file(name: &str, bytes: &[u8]) -> SourceFile {
    SourceFile {
        name: name.to_owned(),
        bytes: bytes.to_vec(),
    }
}

fn house() -> Sources {
    Sources {
        policies: vec![file("p/a.cedar", good!("policies/a.cedar"))],
        links: vec![file("p/links.json", good!("links/a.json"))],
        schema: Some(file("schema.cedarschema", good!("schema/a.cedarschema"))),
        conditions: Some(file("conditions.toml", good!("conditions/a.toml"))),
        entities: vec![file("e/a.json", good!("entities/a.json"))],
        spec: vec![
            file("spec/table.toml", good!("spec/table.toml")),
            file("spec/world.json", good!("world/a.json")),
            file("spec/words.cedar", good!("words/a.cedar")),
            file("spec/without-row.csv", good!("without_row/a.csv")),
        ],
        canaries: vec![file("p/tests/a.json", good!("canaries/a.json"))],
        tables: vec![file("p/tests/a.csv", good!("tables/a.csv"))],
        ..Sources::default()
    }
}

/// Compiles, asks and rehearses.
fn compile(sources: &Sources) {
    let snapshot = match Snapshot::compile(sources) {
        Ok(snapshot) => snapshot,
        Err(rejection) => {
            let mut findings = rejection.findings().iter();
            assert!(
                findings.any(|it| it.severity == Severity::Error),
                "refused for nothing"
            );
            assert!(!rejection.to_string().is_empty());
            return;
        }
    };
    for question in [
        r#"{"principal":"U::\"ann\"","action":"Action::\"view\"","resource":"D::\"d\"","context":{}}"#,
        r#"{"principal":"U::\"ann\"","action":"Action::\"view\"","resource":"D::\"d\"","context":{},"entities":[]}"#,
    ] {
        let json = Json::parse(question.as_bytes(), DEPTH).unwrap();
        let object = json.as_object().unwrap();
        // Whatever it is, it is an answer or a refusal.
        let _ = snapshot.decide_written(object, OnPolicyError::Deny);
    }
    let rehearsal = rehearse(&snapshot);
    assert!(!rehearsal.cut, "the canaries take for ever");
    if let Ok(Some(matrix)) = snapshot.matrix() {
        assert!(!format!("{matrix:?}").is_empty());
    }
}

/// A target whose bytes are put in the place of a file of the house.
fn check(target: &str, place: fn(&mut Sources) -> &mut SourceFile) {
    if let Err(rejection) = Snapshot::compile(&house()) {
        panic!("the house is not good:\n{rejection}");
    }
    fuzz_deep(target, |bytes| {
        let mut sources = house();
        place(&mut sources).bytes = bytes.to_vec();
        compile(&sources);
    });
}

fn of_spec(sources: &mut Sources, name: &str) -> usize {
    let named = |it: &SourceFile| it.name.ends_with(name);
    sources.spec.iter().position(named).unwrap()
}

#[test]
fn policies() {
    check("policies", |it| &mut it.policies[0]);
}

#[test]
fn links() {
    check("links", |it| &mut it.links[0]);
}

#[test]
fn schemas() {
    check("schema", |it| it.schema.as_mut().unwrap());
}

#[test]
fn schemas_in_json() {
    fuzz_deep("schema_json", |bytes| {
        let mut sources = house();
        sources.schema = Some(file("schema.json", bytes));
        compile(&sources);
    });
}

#[test]
fn conditions() {
    check("conditions", |it| it.conditions.as_mut().unwrap());
}

#[test]
fn entities() {
    check("entities", |it| &mut it.entities[0]);
}

#[test]
fn definitions_of_the_table_and_rulings() {
    check("spec", |it| {
        let at = of_spec(it, ".toml");
        &mut it.spec[at]
    });
}

#[test]
fn the_world_of_the_table() {
    check("world", |it| {
        let at = of_spec(it, ".json");
        &mut it.spec[at]
    });
}

#[test]
fn scope_words() {
    check("words", |it| {
        let at = of_spec(it, ".cedar");
        &mut it.spec[at]
    });
}

#[test]
fn lines_without_a_row() {
    check("without_row", |it| {
        let at = of_spec(it, ".csv");
        &mut it.spec[at]
    });
}

#[test]
fn canaries() {
    check("canaries", |it| &mut it.canaries[0]);
}

#[test]
fn tables() {
    check("tables", |it| &mut it.tables[0]);
}
