//! Many questions in one request.

use serde_json::{Value, json};

use super::{MANY, ONE, denied, permitted, server, with, without};
use crate::client::Reply;

/// The decisions of a batch, in order.
pub(super) fn decisions(reply: &Reply) -> Vec<bool> {
    assert_eq!(reply.status, 200, "{}", reply.body);
    let json = reply.json();
    assert_eq!(json.get("decision"), None, "{json}");
    let items = json["evaluations"].as_array().unwrap().iter();
    items.map(|it| it["decision"].as_bool().unwrap()).collect()
}

#[test]
fn without_items_a_batch_is_the_single_question() {
    let server = server();
    for question in [permitted(), denied(), without(permitted(), "/action")] {
        let single = server.post(ONE, &question);
        let options = json!({"evaluations_semantic": "deny_on_first_deny"});
        for body in [
            question.clone(),
            with(question.clone(), "/evaluations", json!([])),
            with(question.clone(), "/options", options),
        ] {
            let reply = server.post(MANY, &body);
            assert_eq!(
                (reply.status, reply.body),
                (single.status, single.body.clone()),
                "{body}"
            );
        }
    }
}

#[test]
fn answers_come_in_the_order_of_the_questions() {
    let server = server();
    let items = [permitted(), denied(), denied(), permitted(), denied()];
    for options in [json!({}), json!({"evaluations_semantic": "execute_all"})] {
        let batch = json!({"evaluations": items, "options": options});
        let expected = [true, false, false, true, false];
        assert_eq!(decisions(&server.post(MANY, &batch)), expected);
    }
}

#[test]
fn a_short_circuit_ends_the_list_at_its_trigger() {
    let server = server();
    let (yes, no) = (permitted(), denied());
    for (semantic, items, expected) in [
        (
            "deny_on_first_deny",
            json!([yes, no, yes]),
            &[true, false][..],
        ),
        ("deny_on_first_deny", json!([yes, 5, yes]), &[true, false]),
        ("deny_on_first_deny", json!([yes, yes]), &[true, true]),
        (
            "permit_on_first_permit",
            json!([no, 5, yes, no]),
            &[false, false, true],
        ),
        ("permit_on_first_permit", json!([no, no]), &[false, false]),
    ] {
        let options = json!({"evaluations_semantic": semantic});
        let batch = json!({"evaluations": items, "options": options});
        assert_eq!(decisions(&server.post(MANY, &batch)), expected, "{batch}");
    }
}

#[test]
fn unknown_options_are_ignored_but_a_semantic_must_be_known() {
    let server = server();
    let batch =
        |options: Value| json!({"evaluations": [denied(), permitted()], "options": options});
    let unknown = batch(json!({"another": {"option": true}}));
    assert_eq!(decisions(&server.post(MANY, &unknown)), [false, true]);
    for semantic in [json!("first_wins"), json!("EXECUTE_ALL"), json!(1)] {
        let body = batch(json!({"evaluations_semantic": semantic}));
        assert_eq!(server.post(MANY, &body).status, 400, "{semantic}");
    }
}

#[test]
fn a_bad_item_is_denied_and_a_bad_default_refuses_all() {
    let server = server();
    let bad = [
        json!(5),
        json!({}),
        without(permitted(), "/subject"),
        with(permitted(), "/subject", json!("alice")),
    ];
    for item in bad {
        let batch = json!({"evaluations": [item, permitted()]});
        assert_eq!(
            decisions(&server.post(MANY, &batch)),
            [false, true],
            "{item}"
        );
        let alone = server.post(MANY, &json!({"evaluations": [item]}));
        assert_eq!(decisions(&alone), [false], "{item}");
        assert!(
            alone.json()["evaluations"][0]["context"]["error"].is_object(),
            "{item}"
        );
    }
    for body in [
        json!({"subject": "alice", "evaluations": [permitted()]}),
        json!({"context": [], "evaluations": [permitted()]}),
        json!({"evaluations": {}}),
        json!({"options": [], "evaluations": [permitted()]}),
    ] {
        assert_eq!(server.post(MANY, &body).status, 400, "{body}");
    }
}

#[test]
fn a_part_of_an_item_replaces_the_default_whole() {
    let server = server();
    let write = with(permitted(), "/action/name", json!("write"));
    let archived = with(write, "/resource/properties", json!({"status": "archived"}));
    let record = json!({"type": "record", "id": "record-1"});
    let items = json!([
        {},
        {"resource": record},
        {"subject": {"type": "user", "id": "nobody"}, "resource": record},
        {"resource": {"id": "record-1"}},
    ]);
    let batch = with(archived, "/evaluations", items);
    // Alice writes what is not archived, and the second item's resource says nothing of the kind.
    assert_eq!(
        decisions(&server.post(MANY, &batch)),
        [false, true, false, false]
    );
}
