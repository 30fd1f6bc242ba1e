//! A search finds exactly those about whom the question is permitted, however it is narrowed and
//! however it is cut into pages.

use palisade::authz::{
    Decision, Json, Narrowing, Object, OnPolicyError, RawAction, RawEntity, RawSearch, RawTarget,
    Snapshot, Sources, Wanted,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    differential::{SCHEMA, contexts, policy, world},
    sources::{compiled, file},
};

pub(crate) const EVERY: [Narrowing; 3] =
    [Narrowing::Nothing, Narrowing::Scopes, Narrowing::Residuals];

pub(crate) const ALL: Wanted = Wanted {
    from: 0,
    limit: None,
    evaluations: usize::MAX,
    narrowing: Narrowing::Nothing,
};

pub(crate) fn snapshot(policies: &str, schema: Option<&str>, entities: &Value) -> Snapshot {
    compiled(&Sources {
        policies: vec![file("p.cedar", policies)],
        schema: schema.map(|schema| file("s.cedarschema", schema)),
        entities: vec![file("e.json", &entities.to_string())],
        ..Sources::default()
    })
}

/// The ids that are permitted one by one.
fn one_by_one(
    snapshot: &Snapshot,
    raw: &RawSearch<'_>,
    ids: &[&str],
    on_error: OnPolicyError,
) -> Vec<String> {
    let permitted = |id: &&&str| {
        let answer = snapshot.decide(&snapshot.query(&raw.question(id)), on_error);
        answer.decision() == Decision::Allow
    };
    let found = ids.iter().filter(permitted);
    found.map(|id| (*id).to_owned()).collect()
}

/// All pages of a search, joined, with how many there were.
fn paged(
    snapshot: &Snapshot,
    raw: &RawSearch<'_>,
    wanted: Wanted,
    on_error: OnPolicyError,
) -> (Vec<String>, usize) {
    paged_while(snapshot, raw, wanted, on_error, || true)
}

fn paged_while(
    snapshot: &Snapshot,
    raw: &RawSearch<'_>,
    wanted: Wanted,
    on_error: OnPolicyError,
    go_on: fn() -> bool,
) -> (Vec<String>, usize) {
    let search = snapshot.search(raw);
    let mut wanted = wanted;
    let (mut ids, mut pages) = (Vec::new(), 0);
    loop {
        let found = search.page(&wanted, on_error, go_on);
        assert!(wanted.limit.is_none_or(|limit| found.ids.len() <= limit));
        ids.extend(found.ids);
        pages += 1;
        match found.next {
            Some(next) => {
                assert!(next > wanted.from, "a page that gets nowhere");
                wanted.from = next;
            }
            None => return (ids, pages),
        }
    }
}

/// Every way to search finds what single questions permit.
fn check(
    snapshot: &Snapshot,
    raw: &RawSearch<'_>,
    ids: &[&str],
    limit: usize,
) -> Result<(), TestCaseError> {
    for on_error in [OnPolicyError::Deny, OnPolicyError::Cedar] {
        let expected = one_by_one(snapshot, raw, ids, on_error);
        for narrowing in EVERY {
            let wanted = Wanted { narrowing, ..ALL };
            let found = snapshot.search(raw).page(&wanted, on_error, || true);
            prop_assert_eq!(&found.ids, &expected, "{:?} {:?}", narrowing, on_error);
            prop_assert_eq!(found.total, Some(expected.len()));
            prop_assert_eq!(found.next, None);
            let by_limit = Wanted {
                limit: Some(limit),
                ..wanted
            };
            let (joined, pages) = paged(snapshot, raw, by_limit, on_error);
            prop_assert_eq!(&joined, &expected, "{:?} by {}", narrowing, limit);
            prop_assert_eq!(pages, expected.len().div_ceil(limit).max(1));
            let one_at_a_time = Wanted {
                evaluations: 1,
                ..wanted
            };
            let (joined, _) = paged(snapshot, raw, one_at_a_time, on_error);
            prop_assert_eq!(&joined, &expected, "{:?} one at a time", narrowing);
            let (joined, _) = paged_while(snapshot, raw, wanted, on_error, || false);
            prop_assert_eq!(&joined, &expected, "{:?} without time", narrowing);
        }
    }
    Ok(())
}

pub(crate) fn plain<'a>(type_name: &'a str, id: &'a str) -> RawEntity<'a> {
    RawEntity {
        type_name,
        id,
        properties: None,
    }
}

fn is_valid(policy: &str) -> bool {
    let sources = Sources {
        policies: vec![file("p.cedar", policy)],
        schema: Some(file("s.cedarschema", SCHEMA)),
        ..Sources::default()
    };
    Snapshot::compile(&sources).is_ok_and(|snapshot| snapshot.warnings().is_empty())
}

/// The parts of a search that a property test draws.
#[derive(Clone, Debug)]
struct Drawn {
    principal: usize,
    action: &'static str,
    resource: usize,
    context: Value,
    /// What the caller says of the known entity, if anything.
    level: Option<i64>,
    limit: usize,
}

fn drawn() -> impl Strategy<Value = Drawn> {
    (
        0..4usize,
        prop::sample::select(vec!["view", "view", "edit", "remove", "read", "unheard"]),
        0..4usize,
        prop::sample::select(contexts()),
        prop::option::weighted(0.2, 0..9i64),
        1..3usize,
    )
        .prop_map(
            |(principal, action, resource, context, level, limit)| Drawn {
                principal,
                action,
                resource,
                context,
                level,
                limit,
            },
        )
}

fn search_all(
    policies: &[String],
    world: &[(Value, u8)],
    drawn: &Drawn,
    with_schema: bool,
) -> Result<(), TestCaseError> {
    let valid = policies
        .iter()
        .filter(|policy| !with_schema || is_valid(policy));
    let text: Vec<&str> = valid.map(String::as_str).collect();
    // A third of what data name is not stored.
    let stored = world.iter().filter(|(_, kept)| *kept != 2);
    let stored: Vec<&Value> = stored.map(|(entity, _)| entity).collect();
    let schema = with_schema.then_some(SCHEMA);
    let snapshot = snapshot(&text.join("\n"), schema, &json!(stored));
    let of_type = |name: &str| -> Vec<&str> {
        let of_type = stored.iter().filter(|it| it["uid"]["type"] == name);
        of_type.filter_map(|it| it["uid"]["id"].as_str()).collect()
    };
    let context_text = drawn.context.to_string();
    let context = Json::parse(context_text.as_bytes(), 64).expect("we wrote it");
    let level_text = drawn
        .level
        .map_or("{}".to_owned(), |it| json!({ "level": it }).to_string());
    let level = Json::parse(level_text.as_bytes(), 64).expect("we wrote it");
    let (user, doc) = (
        format!("u{}", drawn.principal),
        format!("d{}", drawn.resource),
    );
    let principal = RawEntity {
        properties: level
            .as_object()
            .filter(|level: &&Object<'_>| !level.is_empty()),
        ..plain("User", &user)
    };
    for (raw, type_name) in searches(principal, drawn.action, &doc, context.as_object()) {
        check(&snapshot, &raw, &of_type(type_name), drawn.limit)?;
    }
    if with_schema {
        let raw = RawSearch::Action {
            principal,
            resource: plain("Doc", &doc),
            context: context.as_object(),
        };
        let names = ["edit", "read", "remove", "view", "write"];
        check(&snapshot, &raw, &names, drawn.limit)?;
    }
    Ok(())
}

/// Searches for entities, each with the type that is sought.
fn searches<'a>(
    principal: RawEntity<'a>,
    action: &'a str,
    doc: &'a str,
    context: Option<&'a Object<'a>>,
) -> Vec<(RawSearch<'a>, &'static str)> {
    let action = RawAction {
        name: action,
        properties: None,
    };
    let resources = ["Doc", "Folder", "Nothing"].map(|type_name| {
        let target = RawTarget {
            type_name,
            properties: None,
        };
        let raw = RawSearch::Resource {
            principal,
            action,
            target,
            context,
        };
        (raw, type_name)
    });
    let users = RawSearch::Principal {
        target: RawTarget {
            type_name: "User",
            properties: principal.properties,
        },
        action,
        resource: plain("Doc", doc),
        context,
    };
    resources.into_iter().chain([(users, "User")]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_search_finds_what_single_questions_permit(
        policies in prop::collection::vec(policy(), 0..8),
        world in world(),
        drawn in drawn(),
        with_schema in prop::bool::weighted(0.8),
    ) {
        search_all(&policies, &world, &drawn, with_schema)?;
    }
}
