//! `Snapshot::decide`, with its index and its evaluator, against Cedar's authorizer on everything.

use cedar_policy::{
    Authorizer, Context, Decision as CedarDecision, Entities, EntityUid, PolicySet, Request, Schema,
};
use palisade::authz::{CedarQuery, Decision, Json, OnPolicyError, Sources};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::sources::{compiled, file};

pub(crate) const SCHEMA: &str = r#"
entity Group in [Group];
entity User in [Group] { level: Long, boss?: User };
entity Folder in [Folder];
entity Doc in [Folder] { owner: User, public: Bool, tags: Set<String>, folder?: Folder } tags User;
action read, write;
action view in [read] appliesTo { principal: [User], resource: [Doc, Folder], context: { mfa?: Bool, peer?: User } };
action edit in [write] appliesTo { principal: [User], resource: [Doc], context: { mfa?: Bool, peer?: User } };
action remove in [write, read] appliesTo { principal: [User], resource: [Doc], context: { mfa?: Bool, peer?: User } };
"#;

const TEMPLATE: &str =
    "@id(\"shared\") permit (principal in ?principal, action, resource in ?resource)
     unless { principal.level > 5 };";

/// Conditions that read everything there is, some of which fail on some entities.
const ATOMS: [&str; 65] = [
    "1 < 2",
    "principal in Group::\"g0\"",
    "principal in Group::\"g1\"",
    "resource in Folder::\"f0\"",
    "resource in [Folder::\"f1\", Folder::\"f2\"]",
    "resource.owner == principal",
    "resource.owner in Group::\"g2\"",
    "resource.owner.boss.level > 3",
    "principal has boss && principal.boss in Group::\"g0\"",
    "principal.boss.boss == User::\"u0\"",
    "principal.level > 3",
    "User::\"u1\".level < 4",
    "Doc::\"d0\".owner == principal",
    "resource has folder && resource.folder in Folder::\"f0\"",
    "resource.tags.contains(\"a\")",
    "action in Action::\"write\"",
    "Action::\"remove\" in Action::\"read\"",
    "context.mfa",
    "context.peer.level > 3",
    "context has peer && context.peer in Group::\"g1\"",
    "resource.hasTag(\"lead\") && resource.getTag(\"lead\").level > 3",
    "[principal, resource.owner].contains(User::\"u2\")",
    // Every operator, and what is none of its business.
    "datetime(\"2024-01-01\") < datetime(\"2025-01-01\").offset(duration(\"1d\"))",
    "duration(\"1h\") <= duration(\"60m\") && !(duration(\"1h\") < duration(\"60m\"))",
    "datetime(\"1969-12-31\") < datetime(\"1970-01-01\")",
    "datetime(\"1969-12-31\") < duration(\"1d\")",
    "ip(\"nothing\").isLoopback() || principal.level > 3",
    "decimal(\"1.0\") < decimal(\"2.0\")",
    "decimal(\"1.5\").lessThan(decimal(if resource.public then \"1.6\" else \"x\"))",
    "principal.level + 1 == 4 || principal.level - 1 < 2",
    "principal.level * 3 <= 9",
    "3 < 3",
    "3 <= 3",
    "-principal.level < -2",
    "principal.level + 9223372036854775807 > 0",
    "-9223372036854775808 * principal.level == 0",
    "principal.level + resource.public == 1",
    "principal.level < \"a\"",
    "resource.public",
    "!resource.public",
    "resource.tags.containsAll([\"a\", \"b\"])",
    "resource.tags.containsAny([\"b\", \"c\"])",
    "[].containsAll(resource.tags) == resource.tags.isEmpty()",
    "resource.tags == [\"b\", \"a\", \"b\"]",
    "resource.tags != [\"a\"]",
    "resource.tags.contains(1)",
    "principal.contains(1)",
    "principal.level.isEmpty()",
    "[principal.level, principal] == [principal, principal.level, principal]",
    "{ a: principal.level, b: [1] } == { b: [1, 1], a: 3 }",
    "{ a: { b: principal } }.a.b.level > 3",
    "{ a: principal } has a.boss.level",
    "principal has boss.boss.level",
    "principal has level.boss",
    "principal.level has boss",
    "resource has owner.boss && resource.owner.boss is User",
    "resource is Doc in Folder::\"f0\"",
    "principal.level is User",
    "principal in principal.level || true",
    "principal in [User::\"u1\", 1]",
    "(if principal.level > 3 then \"a*b\" else \"xay\") like \"*a\\*b\"",
    "principal like \"*\"",
    "resource.hasTag(if resource.public then \"lead\" else \"none\") || resource.hasTag(1)",
    "resource.getTag(\"none\") == 1",
    "ip(if resource.public then \"10.0.0.1\" else \"nothing\").isInRange(ip(\"10.0.0.0/8\"))",
];

fn condition() -> impl Strategy<Value = String> {
    let atom = prop::sample::select(&ATOMS[..]).prop_map(str::to_owned);
    atom.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) && ({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) || ({b})")),
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone(), inner)
                .prop_map(|(a, b, c)| format!("if {a} then {b} else {c}")),
        ]
    })
}

pub(crate) fn policy() -> impl Strategy<Value = String> {
    let principal = prop::sample::select(vec![
        "principal",
        "principal",
        "principal",
        "principal",
        "principal == User::\"u0\"",
        "principal == User::\"u1\"",
        "principal in Group::\"g0\"",
        "principal in User::\"u1\"",
        "principal is User",
        "principal is User in Group::\"g1\"",
        "principal is Group",
    ]);
    let action = prop::sample::select(vec![
        "action",
        "action",
        "action",
        "action == Action::\"view\"",
        "action == Action::\"edit\"",
        "action == Action::\"write\"",
        "action in Action::\"read\"",
        "action in [Action::\"write\"]",
        "action in [Action::\"view\", Action::\"remove\"]",
        "action == Action::\"unheard\"",
    ]);
    let resource = prop::sample::select(vec![
        "resource",
        "resource",
        "resource",
        "resource",
        "resource == Doc::\"d0\"",
        "resource == Folder::\"f1\"",
        "resource in Folder::\"f0\"",
        "resource in Folder::\"f2\"",
        "resource is Doc",
        "resource is Folder",
        "resource is Doc in Folder::\"f1\"",
    ]);
    let clause = (prop::sample::select(vec!["when", "unless"]), condition())
        .prop_map(|(word, condition)| format!(" {word} {{ {condition} }}"));
    let effect = prop::sample::select(vec!["permit", "permit", "forbid"]);
    (
        effect,
        principal,
        action,
        resource,
        prop::collection::vec(clause, 0..3),
    )
        .prop_map(|(effect, principal, action, resource, clauses)| {
            format!(
                "{effect} ({principal}, {action}, {resource}){};",
                clauses.concat()
            )
        })
}

fn reference(prefix: &str, entity_type: &str, index: usize) -> Value {
    json!({ "__entity": { "type": entity_type, "id": format!("{prefix}{index}") } })
}

/// An entity with some parents of the given kinds; parents have higher numbers, so there is no cycle.
fn entity(
    prefix: &'static str,
    entity_type: &'static str,
    above: (&'static str, &'static str),
    attributes: impl Strategy<Value = Value>,
    index: usize,
) -> impl Strategy<Value = Value> {
    let floor = if prefix == above.0 { index + 1 } else { 0 };
    let parents = prop::collection::btree_set(floor..4, 0..3);
    (attributes, parents).prop_map(move |(attrs, parents)| {
        let parent = |n: &usize| json!({ "type": above.1, "id": format!("{}{n}", above.0) });
        let lead = prefix == "d" && parents.len() == 2;
        json!({
            "uid": { "type": entity_type, "id": format!("{prefix}{index}") },
            "attrs": attrs,
            "tags": if lead { json!({ "lead": reference("u", "User", index) }) } else { json!({}) },
            "parents": parents.iter().map(parent).collect::<Vec<_>>(),
        })
    })
}

fn user() -> impl Strategy<Value = Value> {
    (0..8i64, prop::option::of(0..4usize)).prop_map(|(level, boss)| match boss {
        Some(boss) => json!({ "level": level, "boss": reference("u", "User", boss) }),
        None => json!({ "level": level }),
    })
}

fn doc() -> impl Strategy<Value = Value> {
    let tags = prop::collection::btree_set(prop::sample::select(vec!["a", "b"]), 0..3);
    (0..4usize, any::<bool>(), tags, prop::option::of(0..3usize)).prop_map(
        |(owner, public, tags, folder)| {
            let owner = reference("u", "User", owner);
            match folder {
                Some(folder) => json!({ "owner": owner, "public": public, "tags": tags,
                    "folder": reference("f", "Folder", folder) }),
                None => json!({ "owner": owner, "public": public, "tags": tags }),
            }
        },
    )
}

/// Each entity of the small universe, with where it is kept: nowhere, stored, or given.
pub(crate) fn world() -> impl Strategy<Value = Vec<(Value, u8)>> {
    let nothing = || Just(json!({}));
    let all = (
        [0, 1, 2].map(|n| entity("g", "Group", ("g", "Group"), nothing(), n)),
        [0, 1, 2].map(|n| entity("u", "User", ("g", "Group"), user(), n)),
        [0, 1, 2].map(|n| entity("f", "Folder", ("f", "Folder"), nothing(), n)),
        [0, 1, 2].map(|n| entity("d", "Doc", ("f", "Folder"), doc(), n)),
    );
    (
        all,
        prop::collection::vec(prop::sample::select(vec![0, 1, 1, 1, 2, 2]), 12),
    )
        .prop_map(|((g, u, f, d), kept)| {
            g.into_iter().chain(u).chain(f).chain(d).zip(kept).collect()
        })
}

#[derive(Clone, Debug)]
struct Question {
    principal: EntityUid,
    action: EntityUid,
    resource: EntityUid,
    context: Value,
}

pub(crate) fn contexts() -> Vec<Value> {
    let peer = |n: usize| json!({ "peer": reference("u", "User", n) });
    let flags = [json!({}), json!({ "mfa": true }), json!({ "mfa": false })];
    flags.into_iter().chain((0..4).map(peer)).collect()
}

fn question() -> impl Strategy<Value = Question> {
    let uid = |text: String| text.parse::<EntityUid>().expect("a uid of the universe");
    let action = prop::sample::select(vec![
        "view", "view", "edit", "remove", "read", "unheard", "other",
    ]);
    let resource = prop_oneof![
        (0..4).prop_map(|n| format!("Doc::\"d{n}\"")),
        (0..3).prop_map(|n| format!("Folder::\"f{n}\"")),
    ];
    let context = prop::sample::select(contexts());
    (0..4, action, resource, context).prop_map(move |(principal, action, resource, context)| {
        Question {
            principal: uid(format!("User::\"u{principal}\"")),
            action: uid(format!("Action::\"{action}\"")),
            resource: uid(resource),
            context,
        }
    })
}

fn links() -> impl Strategy<Value = Vec<(usize, usize)>> {
    prop::collection::vec((0..3usize, 0..3usize), 0..3)
}

/// How the entities that are not stored come with the question.
#[derive(Clone, Copy, Debug)]
enum Given {
    Beside,
    Instead,
    Nothing,
}

/// Cedar's own answer, or `None` where it refuses the request.
fn cedar(
    policies: &PolicySet,
    schema: Option<&Schema>,
    entities: &[Value],
    question: &Question,
) -> Option<(CedarDecision, Vec<String>, Vec<String>)> {
    let entities = Entities::from_json_value(json!(entities), schema).expect("they conform");
    let with = schema.map(|schema| (schema, &question.action));
    let context = Context::from_json_value(question.context.clone(), with).ok()?;
    let Question {
        principal,
        action,
        resource,
        ..
    } = question.clone();
    let request = Request::new(principal, action, resource, context, schema).ok()?;
    let response = Authorizer::new().is_authorized(&request, policies, &entities);
    let mut reasons: Vec<String> = response
        .diagnostics()
        .reason()
        .map(ToString::to_string)
        .collect();
    let mut errors: Vec<String> = response
        .diagnostics()
        .errors()
        .map(ToString::to_string)
        .collect();
    reasons.sort();
    errors.sort();
    Some((response.decision(), reasons, errors))
}

fn check(
    policies: &[String],
    links: &[(usize, usize)],
    world: &[(Value, u8)],
    question: &Question,
    with_schema: bool,
    given: Given,
) -> Result<(), TestCaseError> {
    let text = format!("{TEMPLATE}\n{}", policies.join("\n"));
    let link = |(index, (group, folder)): (usize, &(usize, usize))| {
        json!({ "template_id": "shared", "link_id": format!("link{index}"), "args": {
            "?principal": format!("Group::\"g{group}\""),
            "?resource": format!("Folder::\"f{folder}\"") } })
    };
    let links: Vec<Value> = links.iter().enumerate().map(link).collect();
    let kept = |wanted: &[u8]| -> Vec<Value> {
        let chosen = world.iter().filter(|(_, kept)| wanted.contains(kept));
        chosen.map(|(entity, _)| entity.clone()).collect()
    };
    let snapshot = compiled(&Sources {
        policies: vec![file("p.cedar", &text)],
        links: vec![file("links.json", &json!(links).to_string())],
        schema: with_schema.then(|| file("s.cedarschema", SCHEMA)),
        entities: vec![file("e.json", &json!(kept(&[1])).to_string())],
        skip_validation: true,
        ..Sources::default()
    });
    let given_text = json!(kept(&[2])).to_string();
    let given_json = Json::parse(given_text.as_bytes(), 64).expect("we wrote it");
    let (entities, seen) = match given {
        Given::Beside => (
            snapshot.cedar_entities(None, Some(&given_json)),
            kept(&[1, 2]),
        ),
        Given::Nothing => (snapshot.cedar_entities(None, None), kept(&[1])),
        Given::Instead => (snapshot.cedar_entities(Some(&given_json), None), kept(&[2])),
    };
    let entities = entities.expect("they conform");
    let whole = whole_set(&text, &links);
    let schema = with_schema.then(|| SCHEMA.parse::<Schema>().expect("a valid schema"));
    let expected = cedar(&whole, schema.as_ref(), &seen, question);
    let uids = [&question.principal, &question.action, &question.resource]
        .map(|uid| Json::String(uid.to_string().into()));
    let context_text = question.context.to_string();
    let context = Json::parse(context_text.as_bytes(), 64).expect("we wrote it");
    let [principal, action, resource] = &uids;
    let raw = CedarQuery {
        principal,
        action,
        resource,
        context: Some(&context),
    };
    let query = snapshot.cedar_query(&raw, &entities);
    let Some((decision, reasons, errors)) = expected else {
        prop_assert!(query.is_err(), "Cedar refuses the request, we do not");
        return Ok(());
    };
    let query = query.map_err(|error| TestCaseError::fail(error.to_string()))?;
    let answer = snapshot.decide(&query, OnPolicyError::Cedar);
    prop_assert_eq!(
        answer.decision() == Decision::Allow,
        decision == CedarDecision::Allow
    );
    prop_assert_eq!(&answer.policies, &reasons);
    let messages: Vec<String> = answer.errors.iter().map(|e| e.message.clone()).collect();
    prop_assert_eq!(messages, errors);
    let strict = snapshot.decide(&query, OnPolicyError::Deny);
    prop_assert!(
        strict.decision() == Decision::Deny || decision == CedarDecision::Allow,
        "denying on errors must never allow more"
    );
    Ok(())
}

/// The whole set as Cedar has it, with the ids that Palisade gives.
fn whole_set(text: &str, links: &[Value]) -> PolicySet {
    let parsed: PolicySet = text.parse().expect("the grammar is valid");
    let mut whole = PolicySet::new();
    for template in parsed.templates() {
        let named = template.new_id(cedar_policy::PolicyId::new("shared"));
        whole.add_template(named).expect("the only template");
    }
    for policy in parsed.policies() {
        whole.add(policy.clone()).expect("parsed ids are unique");
    }
    for link in links {
        let uid = |slot: &str| {
            link["args"][slot]
                .as_str()
                .expect("a string")
                .parse()
                .expect("a uid")
        };
        let slots = [
            (cedar_policy::SlotId::principal(), uid("?principal")),
            (cedar_policy::SlotId::resource(), uid("?resource")),
        ];
        let id = cedar_policy::PolicyId::new(link["link_id"].as_str().expect("a string"));
        whole
            .link(
                cedar_policy::PolicyId::new("shared"),
                id,
                slots.into_iter().collect(),
            )
            .expect("both slots are filled");
    }
    whole
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_048, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_index_and_the_slice_change_nothing(
        policies in prop::collection::vec(policy(), 0..8),
        links in links(),
        world in world(),
        question in question(),
        with_schema in any::<bool>(),
        given in prop::sample::select(vec![
            Given::Beside, Given::Beside, Given::Beside, Given::Instead, Given::Nothing,
        ]),
    ) {
        check(&policies, &links, &world, &question, with_schema, given)?;
    }
}
