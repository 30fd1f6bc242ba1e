//! Cedar-shaped questions: what is refused, and with what words.

use palisade::authz::{Answer, BadQuery, CedarQuery, Json, OnPolicyError, Outcome, Snapshot};

use crate::sources::snapshot;

const SCHEMA: &str = r#"
@held("stored") entity User;
@held("stored") entity Area;
@parent("area") entity Item in [Area] = { area: Area, count?: Long };
action see appliesTo { principal: [User], resource: [Item], context: { level?: Long } };
"#;

const ENTITIES: &str = r#"[
  {"uid":{"type":"User","id":"u"},"attrs":{},"parents":[]},
  {"uid":{"type":"Area","id":"a"},"attrs":{},"parents":[]},
  {"uid":{"type":"Area","id":"b"},"attrs":{},"parents":[]},
  {"uid":{"type":"Item","id":"kept"},"attrs":{"area":{"type":"Area","id":"a"}},"parents":[]}
]"#;

const POLICIES: &str = "@id(\"in-a\") permit (principal, action, resource in Area::\"a\");";

/// Asks `{"principal","action","resource","context","entities","additional_entities"}`.
fn ask(snapshot: &Snapshot, question: &str) -> Result<Answer, BadQuery> {
    let json = Json::parse(question.as_bytes(), 64).expect("valid JSON");
    let question = json.as_object().expect("an object");
    let entities = snapshot.cedar_entities(
        question.get("entities"),
        question.get("additional_entities"),
    )?;
    let (user, see) = (
        Json::String("User::\"u\"".into()),
        Json::String("Action::\"see\"".into()),
    );
    let item = Json::String("Item::\"i\"".into());
    let raw = CedarQuery {
        principal: question.get("principal").unwrap_or(&user),
        action: question.get("action").unwrap_or(&see),
        resource: question.get("resource").unwrap_or(&item),
        context: question.get("context"),
    };
    let query = snapshot.cedar_query(&raw, &entities)?;
    Ok(snapshot.decide(&query, OnPolicyError::Cedar))
}

fn check(question: &str, outcome: Outcome) {
    let answer = ask(&snapshot(POLICIES, SCHEMA, ENTITIES), question);
    let answer = answer.unwrap_or_else(|error| panic!("{question}: {error}"));
    assert_eq!(answer.outcome, outcome, "{question} {answer:?}");
}

fn check_refused(question: &str, said: &str) {
    match ask(&snapshot(POLICIES, SCHEMA, ENTITIES), question) {
        Ok(answer) => panic!("{question}: answered {answer:?}"),
        Err(error) => {
            let error = error.to_string();
            assert!(error.contains(said), "`{said}` is not in `{error}`");
        }
    }
}

fn item(attributes: &str, parents: &str) -> String {
    format!(r#"{{"uid":{{"type":"Item","id":"i"}},"attrs":{attributes},"parents":{parents}}}"#)
}

#[test]
fn additional_entities_stand_beside_the_store() {
    let i = item(r#"{"area":{"type":"Area","id":"a"}}"#, "[]");
    check(
        &format!(r#"{{"additional_entities":[{i}]}}"#),
        Outcome::Permitted,
    );
    let i = item(r#"{"area":{"type":"Area","id":"b"}}"#, "[]");
    check(
        &format!(r#"{{"additional_entities":[{i}]}}"#),
        Outcome::NotPermitted,
    );
    check(
        r#"{"resource":"Item::\"kept\"","additional_entities":null,"entities":null}"#,
        Outcome::Permitted,
    );
}

#[test]
fn entities_stand_in_the_place_of_the_store() {
    check(
        r#"{"resource":"Item::\"kept\"","entities":[]}"#,
        Outcome::NotPermitted,
    );
}

#[test]
fn a_stored_entity_may_be_repeated_but_not_changed() {
    let kept = |area: &str| {
        item(
            &format!(r#"{{"area":{{"type":"Area","id":"{area}"}}}}"#),
            "[]",
        )
        .replace("\"i\"", "\"kept\"")
    };
    let question = |entity: String| {
        format!(r#"{{"resource":"Item::\"kept\"","additional_entities":[{entity}]}}"#)
    };
    check(&question(kept("a")), Outcome::Permitted);
    check_refused(
        &question(kept("b")),
        "`Item::\"kept\"` is stored with other content",
    );
}

#[test]
fn nobody_but_the_store_speaks_for_a_held_type() {
    let area = r#"{"uid":{"type":"Area","id":"a"},"attrs":{},"parents":[]}"#;
    check_refused(
        &format!(r#"{{"additional_entities":[{area}]}}"#),
        "`additional_entities[0]`: only the store speaks for `Area::\"a\"`",
    );
    check_refused(
        &format!(r#"{{"entities":[{area}]}}"#),
        "`entities[0]`: only the store speaks",
    );
}

#[test]
fn stated_parents_must_be_the_computed_ones() {
    let attributes = r#"{"area":{"type":"Area","id":"b"}}"#;
    let same = item(attributes, r#"[{"type":"Area","id":"b"}]"#);
    check(
        &format!(r#"{{"additional_entities":[{same}]}}"#),
        Outcome::NotPermitted,
    );
    let other = item(attributes, r#"[{"type":"Area","id":"a"}]"#);
    check_refused(
        &format!(r#"{{"additional_entities":[{other}]}}"#),
        "states the parent `Area::\"a\"`, but its attributes give another",
    );
}

#[test]
fn what_cedar_refuses_is_refused() {
    check_refused(
        r#"{"principal":"u"}"#,
        "`principal`: `u` is not an entity uid",
    );
    check_refused(
        r#"{"principal":7}"#,
        "`principal`: expected an entity uid, found a number",
    );
    check_refused(r#"{"principal":"Area::\"a\""}"#, "not valid");
    check_refused(r#"{"action":"Action::\"fly\""}"#, "Action::\"fly\"");
    check_refused(r#"{"context":{"level":"x"}}"#, "level");
    check_refused(r#"{"context":{"level":9223372036854775808}}"#, "context");
    check_refused(r#"{"context":{"other":1}}"#, "other");
    check_refused(r#"{"context":[]}"#, "context");
    check_refused(
        r#"{"entities":{}}"#,
        "`entities` must be an array, found an object",
    );
    check_refused(
        &format!(r#"{{"additional_entities":[{}]}}"#, item("{}", "[]")),
        "area",
    );
    let count = r#"{"area":{"type":"Area","id":"a"},"count":"x"}"#;
    check_refused(
        &format!(r#"{{"additional_entities":[{}]}}"#, item(count, "[]")),
        "count",
    );
}

#[test]
fn a_cycle_and_a_long_chain_are_refused() {
    let node = |n: usize, parent: usize| {
        format!(
            r#"{{"uid":{{"type":"N","id":"{n}"}},"attrs":{{}},"parents":[{{"type":"N","id":"{parent}"}}]}}"#
        )
    };
    let free = snapshot("permit (principal, action, resource);", "", "");
    let refused = |entities: &[String]| {
        let question = format!(r#"{{"entities":[{}]}}"#, entities.join(","));
        ask(&free, &question).expect_err("refused").to_string()
    };
    assert!(refused(&[node(0, 1), node(1, 0)]).contains("its own ancestor"));
    let chain: Vec<String> = (0..80).map(|n| node(n, n + 1)).collect();
    assert!(refused(&chain).contains("more than 64 levels deep"));
    let many: Vec<String> = (0..1_001).map(|n| node(n, 5_000)).collect();
    assert!(refused(&many).contains("more than 1000 entities"));
}
