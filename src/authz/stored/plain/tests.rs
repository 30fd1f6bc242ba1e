use proptest::prelude::*;
use serde_json::{Value as Written, json};

use super::*;
use crate::authz::{SourceFile, engine};

const SCHEMA: &str = r#"
entity Role enum ["owner", "none"];
entity Group in [Group];
entity User in [Group] {
    level: Long, name?: String, on: Bool, role: Role, boss?: User, teams: Set<Group>,
    home?: { city: String, at?: { x: Long } }, from?: ipaddr, grid?: Set<Set<Long>>,
};
entity Tagged tags String;
action view appliesTo { principal: User, resource: User };
"#;

fn schema(symbols: &mut Symbols<'_>) -> SchemaModel {
    let file = SourceFile {
        name: "s.cedarschema".to_owned(),
        bytes: SCHEMA.as_bytes().to_vec(),
    };
    SchemaModel::parse(&file, symbols).unwrap()
}

fn uid() -> impl Strategy<Value = Written> {
    let known = [
        ("User", "a"),
        ("User", "b"),
        ("Group", "a"),
        ("Role", "owner"),
        ("Role", "nobody"),
        ("Action", "view"),
        ("Unheard", "a"),
        ("no name", "a"),
    ];
    let bare = prop::sample::select(known.to_vec())
        .prop_map(|(kind, id)| json!({ "type": kind, "id": id }));
    bare.prop_flat_map(|bare| {
        let wrapped = json!({ "__entity": bare });
        let mut both = wrapped.clone();
        both["type"] = json!("User");
        let mut more = bare.clone();
        more["more"] = json!(1);
        prop::sample::select(vec![
            bare.clone(),
            bare,
            wrapped.clone(),
            wrapped,
            both,
            more,
        ])
    })
}

fn value() -> impl Strategy<Value = Written> {
    let extension = json!({ "__extn": { "fn": "ip", "arg": "10.0.0.1" } });
    let leaf = prop_oneof![
        Just(json!(true)),
        (0..4i64).prop_map(|long| json!(long)),
        Just(json!(1.5)),
        Just(json!(null)),
        Just(json!("text")),
        Just(extension),
        Just(json!("10.0.0.1")),
        uid(),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        let key = prop::sample::select(vec!["city", "at", "x", "type", "id"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(|items| json!(items)),
            prop::collection::btree_map(key, inner, 0..3).prop_map(|fields| json!(fields)),
        ]
    })
}

/// Mostly what the schema wants, so that much of it is taken.
fn attribute(fitting: Written) -> impl Strategy<Value = Option<Written>> {
    prop_oneof![
        8 => Just(Some(fitting)),
        1 => Just(None),
        1 => value().prop_map(Some),
    ]
}

fn entity() -> impl Strategy<Value = Written> {
    let reference = |kind: &str, id: &str| json!({ "__entity": { "type": kind, "id": id } });
    let attributes = (
        attribute(json!(3)),
        attribute(json!(true)),
        attribute(reference("Role", "owner")),
        attribute(json!([reference("Group", "a"), { "type": "Group", "id": "b" }])),
        attribute(json!({ "city": "Ulm", "at": { "x": 1 } })),
        attribute(reference("User", "b")),
        attribute(json!([[1, 2], [2, 1, 1], []])),
        prop::option::weighted(0.1, value()),
    );
    let parents = prop::collection::vec(uid(), 0..2);
    let own = prop_oneof![4 => Just(json!({ "type": "User", "id": "a" })), 1 => uid()];
    let rest = prop::sample::select(vec![None, None, None, Some("tags"), Some("more")]);
    (own, attributes, parents, rest).prop_map(|(own, attributes, parents, rest)| {
        let (level, on, role, teams, home, boss, grid, other) = attributes;
        let named = [
            ("level", level),
            ("on", on),
            ("role", role),
            ("teams", teams),
            ("home", home),
            ("boss", boss),
            ("grid", grid),
            ("other", other),
        ];
        let named = named.into_iter().filter_map(|(key, it)| Some((key, it?)));
        let attrs: serde_json::Map<_, _> = named.map(|(key, it)| (key.to_owned(), it)).collect();
        let mut entity = json!({ "uid": own, "attrs": attrs, "parents": parents });
        if let Some(key) = rest {
            entity[key] = json!({});
        }
        entity
    })
}

/// Whatever is read without Cedar, Cedar reads the same, and finds no fault with. Returns whether
/// it was.
fn check(written: &Written, with_schema: bool) -> Result<bool, TestCaseError> {
    let mut symbols = Symbols::default();
    let schema = with_schema.then(|| schema(&mut symbols));
    for kind in ["User", "Group", "Role", "Action"] {
        symbols.read_type(kind).unwrap();
    }
    let text = written.to_string();
    let json = Json::parse(text.as_bytes(), 64).unwrap();
    let Some(read) = read(&json, schema.as_ref(), &mut symbols) else {
        return Ok(false);
    };
    let cedar = schema.as_ref().map(|schema| &schema.cedar);
    let parsed = engine::parse_entity(written.clone(), cedar).map_err(TestCaseError::fail)?;
    if let Some(cedar) = cedar {
        engine::conforms(&parsed, cedar).map_err(TestCaseError::fail)?;
    }
    let known = engine::known_entity(parsed, &mut symbols).map_err(TestCaseError::fail)?;
    prop_assert_eq!(read, known);
    Ok(true)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_without_cedar_is_what_cedar_reads(
        entity in entity(),
        with_schema in any::<bool>(),
    ) {
        check(&entity, with_schema)?;
    }
}

#[test]
fn what_is_usual_is_read_without_cedar() {
    let reference = |kind: &str, id: &str| json!({ "__entity": { "type": kind, "id": id } });
    let usual = json!({
        "uid": { "type": "User", "id": "a" },
        "attrs": {
            "level": 3, "name": "Ann", "on": false, "role": reference("Role", "none"),
            "boss": { "type": "User", "id": "b" }, "teams": [reference("Group", "a")],
            "home": { "city": "Ulm", "at": { "x": -1 } }, "grid": [[1], []],
        },
        "parents": [{ "type": "Group", "id": "a" }],
    });
    assert!(check(&usual, true).unwrap());
    assert!(check(&usual, false).unwrap());
    let mut extension = usual;
    extension["attrs"]["from"] = json!("10.0.0.1");
    assert!(!check(&extension, true).unwrap());
}
