//! Cedar's JSON forms, as the contract describes them.

use palisade::authz::{SourceFile, Sources};
use serde_json::{Value, json};

use super::Contract;
use crate::harness::{Server, Start};

/// Values that Cedar takes, and such that it refuses.
type TakenAndRefused = (Vec<Value>, Vec<Value>);

#[test]
fn cedars_shapes_are_what_the_contract_says() {
    let file = SourceFile {
        name: "p.cedar".to_owned(),
        bytes: b"permit (principal, action, resource);".to_vec(),
    };
    // Without a schema, which would refuse more.
    let server = Server::start(&Start {
        sources: Sources {
            policies: vec![file],
            ..Sources::default()
        },
        ..Start::default()
    });
    let contract = Contract::of(server.connect());
    let path = "/v1/is_authorized";
    let request = contract.request(path);
    let check = |part: &str, value: &Value, status: u16| {
        let uid = json!({ "type": "A", "id": "a" });
        let mut body = json!({ "principal": uid, "action": uid, "resource": uid });
        body[part] = value.clone();
        assert_eq!(request.is_valid(&body), status == 200, "{part}: {value}");
        assert_eq!(server.post(path, &body).status, status, "{part}: {value}");
    };
    for (part, (taken, refused)) in [
        ("principal", uids()),
        ("context", contexts()),
        ("entities", entities()),
    ] {
        taken.iter().for_each(|value| check(part, value, 200));
        refused.iter().for_each(|value| check(part, value, 400));
    }
}

fn uids() -> TakenAndRefused {
    let uid = json!({ "type": "A", "id": "" });
    let taken = [
        r#"A::"a""#,
        r#"A::B::_1::"""#,
        r#"ifs::"a""#,
        r#"Set::"a""#,
        "A::\"\n\0\"",
        r#"A::"\"\\\n\0""#,
        r#"A::"\x7f""#,
        r#"A::"\u{0}""#,
        r#"A::"\u{D7FF}""#,
        r#"A::"\u{1F600}""#,
        r#"A::"\u{10ffff}""#,
    ];
    let refused = [
        "",
        "A",
        r#""a""#,
        r#"::"a""#,
        r#"if::"a""#,
        r#"A::in::"a""#,
        r#"__cedar::"a""#,
        r#"é::"a""#,
        r#"1::"a""#,
        "A::'a'",
        r#"A::"a"b""#,
        r#"A::"\""#,
        r#"A::"\q""#,
        r#"A::"\x80""#,
        r#"A::"\u{D800}""#,
        r#"A::"\u{110000}""#,
    ];
    let mut taken = taken.map(Value::from).to_vec();
    taken.push(json!({ "__entity": uid }));
    taken.push(json!({ "type": "A::B", "id": "\0", "more": 1 }));
    let mut refused = refused.map(Value::from).to_vec();
    refused.extend([json!(1), json!(null), json!([]), json!({})]);
    refused.extend([json!({ "type": "A" }), json!({ "type": "if", "id": "" })]);
    (taken, refused)
}

fn contexts() -> TakenAndRefused {
    let uid = json!({ "type": "A", "id": "" });
    let taken = vec![
        json!(null),
        json!({ "a": true, "b": [i64::MIN, i64::MAX, "x", [], {}], "": { "c": false } }),
        json!({ "a": { "__entity": uid } }),
        json!({ "a": { "__extn": { "fn": "ip", "arg": "10.0.0.1" } } }),
    ];
    let refused = vec![
        json!([]),
        json!("x"),
        json!({ "a": null }),
        json!({ "a": [1.5] }),
        json!({ "a": { "b": u64::MAX } }),
    ];
    (taken, refused)
}

fn entities() -> TakenAndRefused {
    let (uid, other) = (
        json!({ "type": "A", "id": "" }),
        json!({ "type": "B", "id": "" }),
    );
    let entity = json!({ "uid": uid, "attrs": {}, "parents": [] });
    let with = |key: &str, value: Value| {
        let mut entity = entity.clone();
        entity[key] = value;
        json!([entity])
    };
    let taken = vec![
        json!(null),
        json!([]),
        json!([entity, entity]),
        with("parents", json!([other, { "__entity": other }])),
        with("tags", json!({ "a": 1 })),
        with("more", json!(null)),
    ];
    let refused = vec![
        json!({}),
        json!([1]),
        json!([{ "uid": uid }]),
        json!([{ "uid": uid, "attrs": {} }]),
        with("uid", json!(r#"A::"a""#)),
        with("parents", json!([r#"B::"b""#])),
        with("attrs", json!({ "a": null })),
        with("tags", json!(null)),
    ];
    (taken, refused)
}
