//! Questions that trust nothing: unknown names, stray properties, values of the wrong type.

use palisade::authz::{
    Answer, Json, OnPolicyError, Outcome, RawAction, RawEntity, RawQuery, Snapshot, Sources,
};
use serde_json::json;

use crate::sources::{compiled, file, snapshot, sources};

const SCHEMA: &str = r#"
entity Level enum ["low", "high"];
@held("stored") entity Org = { open: Bool };
@held("stored") entity User in [Org] = { level: Level };
@held("stored") @parent("org") entity Area in [Org] = { org: Org };
@parent("area, twin.area") entity Item in [Area] = {
  area: Area, owner?: User, count?: Long, net?: ipaddr, price?: decimal, since?: datetime,
  tags?: Set<String>, deep?: { area?: Area, note: String }, twin?: Item, near?: Set<Item>,
};
action see appliesTo { principal: [User], resource: [Item], context: {
  level: Level, from?: ipaddr, action_properties?: { soft?: Bool } } };
action list appliesTo { principal: [User], resource: [Area, Org] };
"#;

const ENTITIES: &str = r#"[
  {"uid":{"type":"Org","id":"o"},"attrs":{"open":true},"parents":[]},
  {"uid":{"type":"User","id":"u"},"attrs":{"level":{"type":"Level","id":"low"}},"parents":[{"type":"Org","id":"o"}]},
  {"uid":{"type":"Area","id":"a"},"attrs":{"org":{"type":"Org","id":"o"}},"parents":[]},
  {"uid":{"type":"Item","id":"kept"},"attrs":{"area":{"type":"Area","id":"a"},"count":1},"parents":[]}
]"#;

/// Asks `User::"u"` for an action on a resource, all as JSON: `{"action","resource","context"}`.
fn ask(snapshot: &Snapshot, question: &str) -> Answer {
    let json = Json::parse(question.as_bytes(), 64).expect("valid JSON");
    let question = json.as_object().expect("an object");
    let part = |key: &str| question.get(key).and_then(Json::as_object);
    let string = |of: &str, key: &str, default: &'static str| {
        let value = part(of).and_then(|object| object.get(key)?.as_str());
        value.unwrap_or(default).to_owned()
    };
    let properties = |of: &str| {
        part(of)
            .and_then(|object| object.get("properties"))
            .and_then(Json::as_object)
    };
    let (principal, user) = (
        string("subject", "type", "User"),
        string("subject", "id", "u"),
    );
    let (action, kind) = (
        string("action", "name", "see"),
        string("resource", "type", "Item"),
    );
    let id = string("resource", "id", "i");
    let raw = RawQuery {
        principal: RawEntity {
            type_name: &principal,
            id: &user,
            properties: properties("subject"),
        },
        action: RawAction {
            name: &action,
            properties: properties("action"),
        },
        resource: RawEntity {
            type_name: &kind,
            id: &id,
            properties: properties("resource"),
        },
        context: part("context"),
    };
    snapshot.decide(&snapshot.query(&raw), OnPolicyError::Deny)
}

/// Checks whether `permit when { condition }` permits `see` on an Item with these properties.
fn check(condition: &str, properties: &str, outcome: Outcome, said: &[&str]) {
    let policies = format!(
        "permit (principal, action == Action::\"see\", resource is Item) when {{ {condition} }};"
    );
    let snapshot = compiled(&Sources {
        skip_validation: true,
        ..sources(&policies, SCHEMA, ENTITIES)
    });
    let question =
        format!(r#"{{"resource":{{"properties":{properties}}},"context":{{"level":"high"}}}}"#);
    let answer = ask(&snapshot, &question);
    assert_eq!(
        answer.outcome, outcome,
        "{condition} {properties} {answer:?}"
    );
    assert_eq!(answer.diagnostics, said, "{condition} {properties}");
}

#[test]
fn properties_are_read_by_their_declared_types() {
    use Outcome::Permitted;
    check(
        "resource.area == Area::\"a\"",
        r#"{"area":"a"}"#,
        Permitted,
        &[],
    );
    check(
        "resource.area == Area::\"a\"",
        r#"{"area":{"type":"Area","id":"a"}}"#,
        Permitted,
        &[],
    );
    check(
        "resource.area == Area::\"a\"",
        r#"{"area":{"__entity":{"type":"Area","id":"a"}}}"#,
        Permitted,
        &[],
    );
    check(
        "resource.count == 3",
        r#"{"area":"a","count":3}"#,
        Permitted,
        &[],
    );
    check(
        "resource.net.isLoopback()",
        r#"{"area":"a","net":"127.0.0.1"}"#,
        Permitted,
        &[],
    );
    check(
        "resource.net.isLoopback()",
        r#"{"area":"a","net":{"__extn":{"fn":"ip","arg":"127.0.0.1"}}}"#,
        Permitted,
        &[],
    );
    check(
        "resource.price == decimal(\"1.5\")",
        r#"{"area":"a","price":1.5}"#,
        Permitted,
        &[],
    );
    check(
        "resource.price == decimal(\"2.0\")",
        r#"{"area":"a","price":2}"#,
        Permitted,
        &[],
    );
    check(
        "resource.since == datetime(\"2024-02-05\")",
        r#"{"area":"a","since":"2024-02-05"}"#,
        Permitted,
        &[],
    );
    check(
        "resource.tags == [\"x\",\"y\"]",
        r#"{"area":"a","tags":["y","x",null]}"#,
        Permitted,
        &[],
    );
    check(
        "resource.deep.note == \"n\"",
        r#"{"area":"a","deep":{"note":"n"}}"#,
        Permitted,
        &[],
    );
}

#[test]
fn what_does_not_fit_is_left_out_and_said() {
    use Outcome::Permitted;
    let absent = |name: &str| format!("!(resource has {name})");
    check(
        &absent("count"),
        r#"{"area":"a","count":"3"}"#,
        Permitted,
        &["`Item::\"i\".count` is not a whole number: left out"],
    );
    check(
        &absent("count"),
        r#"{"area":"a","count":9223372036854775808}"#,
        Permitted,
        &["`Item::\"i\".count` is not a whole number: left out"],
    );
    check(
        &absent("count"),
        r#"{"area":"a","count":null}"#,
        Permitted,
        &[],
    );
    check(
        &absent("net"),
        r#"{"area":"a","net":"nowhere"}"#,
        Permitted,
        &["`Item::\"i\".net` is not of type `ipaddr`: left out"],
    );
    check(
        &absent("owner"),
        r#"{"area":"a","owner":{"type":"Org","id":"o"}}"#,
        Permitted,
        &["`Item::\"i\".owner` is not an entity of type `User`: left out"],
    );
    check(
        &absent("tags"),
        r#"{"area":"a","tags":["x",1]}"#,
        Permitted,
        &["`Item::\"i\".tags[1]` is not a string: left out"],
    );
    check(
        &absent("deep"),
        r#"{"area":"a","deep":{"area":"a"}}"#,
        Permitted,
        &["`Item::\"i\".deep.note` is required: `Item::\"i\".deep` is left out"],
    );
    check(
        "true",
        r#"{"area":"a","colour":"red"}"#,
        Permitted,
        &["`Item::\"i\".colour` is not declared: left out"],
    );
}

#[test]
fn parents_are_computed_from_attributes() {
    check(
        "resource in Org::\"o\"",
        r#"{"area":"a"}"#,
        Outcome::Permitted,
        &[],
    );
    check(
        "resource in Area::\"a\"",
        r#"{"area":"a"}"#,
        Outcome::Permitted,
        &[],
    );
    check(
        "resource in Area::\"a\"",
        r#"{"deep":{"area":"a","note":""}}"#,
        Outcome::NotPermitted,
        &[],
    );
    check(
        "resource in Area::\"a\"",
        r#"{"twin":{"id":"j","properties":{"area":"a"}}}"#,
        Outcome::Permitted,
        &[],
    );
}

#[test]
fn entities_named_in_properties_bring_their_own() {
    let twin =
        r#"{"area":"a","twin":{"type":"Item","id":"j","properties":{"area":"a","count":7}}}"#;
    check(
        "resource.twin.count == 7 && resource.twin in Org::\"o\"",
        twin,
        Outcome::Permitted,
        &[],
    );
    let near = r#"{"area":"a","near":[{"id":"j","properties":{"area":"a"}}]}"#;
    check("Item::\"j\" in Org::\"o\"", near, Outcome::Permitted, &[]);
}

#[test]
fn request_properties_lie_over_stored_attributes() {
    let policies = "permit (principal, action == Action::\"see\", resource) when {
        resource has count && resource.count == 2 && resource.area == Area::\"a\" && resource in Org::\"o\" };";
    let snapshot = snapshot(policies, SCHEMA, ENTITIES);
    let asked = |properties: &str| {
        let question = format!(
            r#"{{"resource":{{"id":"kept","properties":{properties}}},"context":{{"level":"low"}}}}"#
        );
        ask(&snapshot, &question).outcome
    };
    assert_eq!(asked("{}"), Outcome::NotPermitted);
    assert_eq!(asked(r#"{"count":2}"#), Outcome::Permitted);
}

#[test]
fn only_the_store_speaks_for_a_held_type() {
    let policies =
        "permit (principal, action, resource) when { principal.level == Level::\"high\" };";
    let snapshot = snapshot(policies, SCHEMA, ENTITIES);
    let answer = ask(
        &snapshot,
        r#"{"subject":{"properties":{"level":"high"}},"resource":{"properties":{"area":"a"}},"context":{"level":"low"}}"#,
    );
    assert_eq!(answer.outcome, Outcome::NotPermitted);
    assert_eq!(
        answer.diagnostics,
        ["properties of `User::\"u\"` are ignored: only the store speaks for it"]
    );
}

#[test]
fn an_entity_that_should_be_stored_and_is_not_denies_before_evaluation() {
    let policies = "permit (principal, action, resource);
        forbid (principal, action, resource) when { principal.level == Level::\"high\" };";
    let snapshot = snapshot(policies, SCHEMA, ENTITIES);
    for (question, missing) in [
        (
            r#"{"subject":{"id":"ghost"},"resource":{"properties":{"area":"a"}},"context":{"level":"low"}}"#,
            "User::\"ghost\"",
        ),
        (
            r#"{"resource":{"properties":{"area":"ghost"}},"context":{"level":"low"}}"#,
            "Area::\"ghost\"",
        ),
        (
            r#"{"action":{"name":"list"},"resource":{"type":"Area","id":"ghost"}}"#,
            "Area::\"ghost\"",
        ),
        (
            r#"{"resource":{"properties":{"area":"a","near":[{"id":"j","properties":{"owner":"ghost"}}]}},"context":{"level":"low"}}"#,
            "User::\"ghost\"",
        ),
    ] {
        let answer = ask(&snapshot, question);
        assert_eq!(answer.outcome, Outcome::NotPermitted, "{question}");
        assert_eq!(answer.errors, [], "{question}");
        let said =
            format!("`{missing}` is not stored, and only the store speaks for its type: denied");
        assert_eq!(answer.diagnostics, [said], "{question}");
    }
}

#[test]
fn a_declared_context_key_decides_before_the_policies() {
    let snapshot = snapshot("permit (principal, action, resource);", SCHEMA, ENTITIES);
    let asked = |context: &str| {
        let question =
            format!(r#"{{"resource":{{"properties":{{"area":"a"}}}},"context":{context}}}"#);
        let answer = ask(&snapshot, &question);
        (answer.outcome, answer.diagnostics)
    };
    let one = |said: &str| vec![said.to_owned()];
    assert_eq!(asked(r#"{"level":"low"}"#), (Outcome::Permitted, vec![]));
    assert_eq!(
        asked("{}"),
        (
            Outcome::NotPermitted,
            one("`context.level` is required: denied")
        )
    );
    assert_eq!(asked(r#"{"level":1}"#).0, Outcome::NotPermitted);
    assert_eq!(asked(r#"{"level":"medium"}"#).0, Outcome::NotPermitted);
    assert_eq!(
        asked(r#"{"level":"low","from":"x"}"#).0,
        Outcome::NotPermitted
    );
    assert_eq!(
        asked(r#"{"level":"low","colour":"red"}"#),
        (
            Outcome::Permitted,
            one("`context.colour` is not declared: left out")
        )
    );
}

#[test]
fn action_properties_are_a_reserved_context_key() {
    let policies = "permit (principal, action, resource) when {
        context has action_properties && context.action_properties has soft && context.action_properties.soft };";
    let snapshot = compiled(&Sources {
        skip_validation: true,
        ..sources(policies, SCHEMA, ENTITIES)
    });
    let asked = |action: &str, context: &str| {
        let question = format!(
            r#"{{"action":{action},"resource":{{"properties":{{"area":"a"}}}},"context":{context}}}"#
        );
        ask(&snapshot, &question).outcome
    };
    let soft = r#"{"name":"see","properties":{"soft":true}}"#;
    assert_eq!(asked(soft, r#"{"level":"low"}"#), Outcome::Permitted);
    let own = r#"{"level":"low","action_properties":{"soft":true}}"#;
    assert_eq!(asked(r#"{"name":"see"}"#, own), Outcome::NotPermitted);
}

#[test]
fn unknown_names_are_decided_by_policy() {
    let open = snapshot("permit (principal, action, resource);", SCHEMA, ENTITIES);
    let closed = snapshot("", SCHEMA, ENTITIES);
    for question in [
        r#"{"action":{"name":"fly"}}"#,
        r#"{"resource":{"type":"Ship","id":"s"},"action":{"name":"list"}}"#,
        r#"{"subject":{"type":"Robot","id":"r"},"action":{"name":"list"},"resource":{"type":"Org","id":"o"}}"#,
    ] {
        assert_eq!(
            ask(&open, question).outcome,
            Outcome::Permitted,
            "{question}"
        );
        assert_eq!(
            ask(&closed, question).outcome,
            Outcome::NotPermitted,
            "{question}"
        );
    }
    let no_cedar_name = r#"{"resource":{"type":"http:route","id":"/"},"action":{"name":"list"}}"#;
    assert_eq!(ask(&open, no_cedar_name).outcome, Outcome::NotPermitted);
}

#[test]
fn without_a_schema_values_are_what_they_look_like() {
    let policies = "permit (principal, action, resource) when {
        resource.s == \"x\" && resource.n == 1 && resource.l.contains(true) && resource.r.k == \"v\"
        && !(resource has f) && !(resource has z) && context.c == \"y\" };";
    let snapshot = snapshot(policies, "", "");
    let answer = ask(
        &snapshot,
        r#"{"resource":{"properties":{"s":"x","n":1,"l":[true],"r":{"k":"v"},"f":1.5,"z":null}},"context":{"c":"y"}}"#,
    );
    assert_eq!(answer.outcome, Outcome::Permitted, "{answer:?}");
    assert_eq!(
        answer.diagnostics,
        ["`Item::\"i\".f` is a number that Cedar cannot hold: left out"]
    );
}

#[test]
fn an_alias_stands_for_the_only_entity_of_its_type() {
    let conditions = "[[alias]]\ntype = \"Org\"\nid = \"0\"\nsource = \"C20\"\n";
    let policies = "permit (principal, action, resource == Org::\"o\");";
    let with = |entities: &str| {
        compiled(&Sources {
            conditions: Some(file("conditions.toml", conditions)),
            ..sources(policies, SCHEMA, entities)
        })
    };
    let question = r#"{"action":{"name":"list"},"resource":{"type":"Org","id":"0"}}"#;
    assert_eq!(ask(&with(ENTITIES), question).outcome, Outcome::Permitted);
    let second = r#"[{"uid":{"type":"Org","id":"p"},"attrs":{"open":true},"parents":[]},"#;
    let two = ENTITIES.replacen('[', second, 1);
    let answer = ask(&with(&two), question);
    assert_eq!(answer.outcome, Outcome::NotPermitted);
    assert!(answer.diagnostics[0].contains("Org::\"0\""), "{answer:?}");
}

#[test]
fn an_erring_forbid_denies() {
    let policies = "permit (principal, action, resource);
        @id(\"f\") forbid (principal, action, resource) when { resource.count == 9 };
        @id(\"p\") permit (principal, action, resource) when { resource.count == 9 };";
    let snapshot = compiled(&Sources {
        skip_validation: true,
        ..sources(policies, SCHEMA, ENTITIES)
    });
    let question = r#"{"resource":{"properties":{"area":"a"}},"context":{"level":"low"}}"#;
    let answer = ask(&snapshot, question);
    assert_eq!(answer.outcome, Outcome::Error);
    assert_eq!(answer.policies, Vec::<String>::new());
    let erred: Vec<&str> = answer
        .errors
        .iter()
        .map(|error| error.policy.as_str())
        .collect();
    assert_eq!(erred, ["f", "p"]);
}

#[test]
fn a_long_name_is_not_repeated_whole() {
    let schema = r#"@held("stored") entity User; entity Item;
        action see appliesTo { principal: User, resource: Item };"#;
    let snapshot = snapshot("permit (principal, action, resource);", schema, "[]");
    let long = "x".repeat(100_000);
    for question in [
        json!({ "subject": { "type": "User", "id": long } }),
        json!({ "subject": { "type": format!("no name {long}"), "id": "u" } }),
        json!({ "subject": { "type": long, "id": "u", "properties": { "a": 1 } } }),
    ] {
        let answer = ask(&snapshot, &question.to_string());
        let said: usize = answer.diagnostics.iter().map(String::len).sum();
        assert!((1..1_000).contains(&said), "{said} bytes");
    }
}
