//! What is asked of a solver, and what its answers mean. The solver's part is played by hand here;
//! tests/e2e/prove.sh has the real one.

use std::collections::BTreeSet;

use cedar_policy::{Context, Entities, Request, Schema};
use palisade::authz::{
    Asked, Counterexample, Model, Parts, Proofs, Rejection, Snapshot, SourceFile, Sources, Subject,
    Verdict, Why,
};

const SCHEMA: &str = r#"
    entity Role enum ["boss", "clerk"];
    entity Team;
    entity User in [Team] { role: Role, level: Long, friends?: Set<User> };
    @parent("team")
    entity Doc in [Team] { team: Team, owner: User, title: String };
    action view, edit appliesTo { principal: User, resource: Doc, context: { late?: Bool } };
    action drop appliesTo { principal: User, resource: User };
"#;

const SPEC: &str = r#"
    @scope("own") permit (principal, action, resource is Doc) when { resource.owner == principal };
    @scope("all") permit (principal, action, resource);
    @role("boss") forbid (principal, action, resource) unless { principal.role == Role::"boss" };
    @role("clerk") forbid (principal, action, resource) unless { principal.role == Role::"clerk" };
    @assume("awake") @says("It is not late.")
    forbid (principal, action in [Action::"view", Action::"edit"], resource) when { context has late && context.late };
"#;

const CELLS: &str = "row_id,crud,role,cedar_action,resource_type,scope\n\
    R1,,boss,view,Doc,all\nR1,,clerk,view,Doc,own\n\
    ,,boss,edit,Doc,all\n,,clerk,edit,Doc,own\n\
    ,,boss,drop,User,never\n,,clerk,drop,User,never\n";

const POLICIES: &str = r#"
    @id("boss") permit (principal, action in [Action::"view", Action::"edit"], resource)
    when { principal.role == Role::"boss" } unless { context has late && context.late };
    @id("own") permit (principal, action in [Action::"view", Action::"edit"], resource)
    when { resource.owner == principal } unless { context has late && context.late };
"#;

const INVARIANTS: &str = r#"
    @invariant("nobody-drops") @says("Nobody is dropped.")
    forbid (principal, action == Action::"drop", resource);
    @invariant("not-late") @says("Nothing is edited late.")
    forbid (principal, action == Action::"edit", resource) when { context has late && context.late };
    @invariant("bosses-view") @says("A boss always views.")
    permit (principal, action == Action::"view", resource)
    when { principal.role == Role::"boss" } unless { context has late && context.late };
"#;

const EVERYTHING: Parts = Parts {
    cells: true,
    invariants: true,
    errors: true,
};

fn file(name: &str, text: &str) -> SourceFile {
    SourceFile {
        name: name.to_owned(),
        bytes: text.as_bytes().to_vec(),
    }
}

fn sources(policies: &str) -> Sources {
    Sources {
        policies: vec![file("p.cedar", policies)],
        schema: Some(file("s.cedarschema", SCHEMA)),
        spec: vec![file("spec.cedar", SPEC), file("cells.csv", CELLS)],
        invariants: vec![file("i.cedar", INVARIANTS)],
        ..Sources::default()
    }
}

fn compiled(sources: &Sources) -> Snapshot {
    Snapshot::compile(sources).unwrap_or_else(|rejection| panic!("{rejection}"))
}

/// Every subject with its key.
fn keyed(snapshot: &Snapshot) -> Vec<(Subject, [u8; 32])> {
    let proofs = snapshot.proofs(EVERYTHING).unwrap();
    let obligations = proofs.obligations();
    let keyed = obligations.iter();
    keyed
        .map(|it| (it.subject.clone(), proofs.key(&it.claim)))
        .collect()
}

fn refusal(sources: &Sources) -> String {
    let snapshot = compiled(sources);
    let refused: Rejection = snapshot.proofs(EVERYTHING).map(|_| ()).unwrap_err();
    refused.to_string()
}

/// What a solver would have found: a user, perhaps late, who does something to a document of somebody
/// else, with more around it than is needed.
fn model(action: &str, role: &str, owner: &str, late: bool) -> Model {
    let (schema, _) = Schema::from_cedarschema_str(SCHEMA).unwrap();
    let uid = |text: &str| text.parse().unwrap();
    let context = serde_json::json!({ "late": late });
    let action = uid(&format!(r#"Action::"{action}""#));
    let context = Context::from_json_value(context, Some((&schema, &action))).unwrap();
    let user = |id: &str, role: &str| {
        serde_json::json!({
            "uid": {"type": "User", "id": id},
            "attrs": {
                "role": {"__entity": {"type": "Role", "id": role}},
                "level": 4711,
                "friends": [{"__entity": {"type": "User", "id": "!1"}}],
            },
            "parents": [{"type": "Team", "id": "!t"}],
        })
    };
    let entities = serde_json::json!([
        user("!0", role),
        user("!1", "boss"),
        {"uid": {"type": "Team", "id": "!t"}, "attrs": {}, "parents": []},
        {"uid": {"type": "Doc", "id": "!d"}, "attrs": {
            "team": {"__entity": {"type": "Team", "id": "!t"}},
            "owner": {"__entity": {"type": "User", "id": owner}},
            "title": "zzz",
        }, "parents": [{"type": "Team", "id": "!t"}]},
    ]);
    let request = Request::new(
        uid(r#"User::"!0""#),
        action,
        uid(r#"Doc::"!d""#),
        context,
        Some(&schema),
    );
    Model {
        request: request.unwrap(),
        entities: Entities::from_json_value(entities, Some(&schema)).unwrap(),
    }
}

/// What the engine makes of a finding about a cell.
#[track_caller]
fn judged(proofs: &Proofs<'_>, row: &str, role: &str, found: &Model) -> Verdict {
    let obligations = proofs.obligations();
    let about =
        |it: &Subject| matches!(it, Subject::Cell(cell) if cell.row_id == row && cell.role == role);
    let obligation = obligations.iter().find(|it| about(&it.subject)).unwrap();
    proofs.judge(&obligation.claim, found)
}

#[track_caller]
fn refuted(verdict: Verdict) -> Counterexample {
    let Verdict::Refuted(example) = verdict else {
        panic!("{verdict:?}");
    };
    *example
}

#[test]
fn every_cell_assumption_invariant_and_statement_is_to_be_proved() {
    let snapshot = compiled(&sources(POLICIES));
    let proofs = snapshot.proofs(EVERYTHING).unwrap();
    let obligations = proofs.obligations();
    let count = |is: fn(&Subject) -> bool| obligations.iter().filter(|it| is(&it.subject)).count();
    assert_eq!(count(|it| matches!(it, Subject::Cell(_))), 6);
    // One assumption; three shapes, of which it says something about two.
    assert_eq!(count(|it| matches!(it, Subject::Assumption(_))), 3);
    let invariants: BTreeSet<_> = obligations
        .iter()
        .filter_map(|it| {
            let Subject::Invariants(names) = &it.subject else {
                return None;
            };
            Some(names.join(" "))
        })
        .collect();
    let expected = ["bosses-view", "nobody-drops", "not-late"].map(str::to_owned);
    assert_eq!(invariants, BTreeSet::from(expected));
    assert!(obligations.iter().all(|it| it.claim.asked().is_ok()));
}

#[test]
fn a_finding_of_the_solver_is_confirmed_made_small_and_named() {
    // A clerk who is a friend of the owner may view: the table says own documents only.
    let wrong = POLICIES.replace(
        "resource.owner == principal }",
        "resource.owner == principal || principal.level > 3 }",
    );
    let snapshot = compiled(&sources(&wrong));
    let proofs = snapshot.proofs(EVERYTHING).unwrap();
    let found = model("view", "clerk", "!1", false);
    let example = refuted(judged(&proofs, "R1", "clerk", &found));
    assert_eq!(example.summary, r#"User::"principal" view Doc::"resource""#);
    assert!(example.allowed);
    assert_eq!(example.policies, ["own"]);
    let question: serde_json::Value = serde_json::from_str(&example.question).unwrap();
    let expected = serde_json::json!({
        "principal": "User::\"principal\"",
        "action": "Action::\"view\"",
        "resource": "Doc::\"resource\"",
        "context": {},
        "entities": [
            {"uid": {"type": "Doc", "id": "resource"}, "attrs": {
                "owner": {"__entity": {"type": "User", "id": "user-1"}},
                "team": {"__entity": {"type": "Team", "id": "team-1"}},
                "title": "",
            }, "parents": []},
            {"uid": {"type": "User", "id": "principal"}, "attrs": {
                "level": 4,
                "role": {"__entity": {"type": "Role", "id": "clerk"}},
            }, "parents": []},
        ],
    });
    assert_eq!(question, expected, "{question:#}");
}

#[test]
fn what_the_engine_does_not_confirm_is_not_known() {
    let snapshot = compiled(&sources(POLICIES));
    let proofs = snapshot.proofs(EVERYTHING).unwrap();
    for (role, owner, late) in [
        ("clerk", "!1", false),
        ("clerk", "!0", false),
        ("boss", "!1", true),
    ] {
        let verdict = judged(&proofs, "R1", role, &model("view", role, owner, late));
        assert!(
            matches!(&verdict, Verdict::Unknown(why) if why.contains("does not confirm")),
            "{verdict:?}"
        );
    }
}

#[test]
fn a_claim_is_known_by_what_it_depends_on() {
    let before = keyed(&compiled(&sources(POLICIES)));
    let changed = |sources: &Sources| {
        let after = keyed(&compiled(sources));
        assert_eq!(before.len(), after.len());
        let pairs = before.iter().zip(&after);
        pairs.filter(|(old, new)| old != new).count()
    };
    assert_eq!(changed(&sources(POLICIES)), 0);
    // Only what is about dropping, which is one assumption, one invariant, two cells.
    let drops = "@id(\"x\") permit (principal, action == Action::\"drop\", resource) when { false || principal.level > 9 };";
    let with = |more: &str| sources(&format!("{POLICIES}{more}"));
    let one = |it: &Sources| {
        let known: BTreeSet<_> = before.iter().map(|(_, key)| *key).collect();
        let after = keyed(&compiled(it));
        let new = after.into_iter().filter(|(_, key)| !known.contains(key));
        new.map(|(subject, _)| subject).collect::<Vec<_>>()
    };
    let touched = one(&with(drops));
    assert_eq!(touched.len(), 5, "{touched:?}");
    let about_drop = |it: &Subject| match it {
        Subject::Assumption(name) => name == "awake",
        Subject::Cell(cell) => cell.action == "drop",
        Subject::Column(_) | Subject::Data | Subject::Narrower | Subject::Wider => false,
        Subject::Errors(id) => id == "x",
        Subject::Invariants(names) => names == &["nobody-drops"],
    };
    assert!(touched.iter().all(about_drop), "{touched:?}");
    let mut other_schema = sources(POLICIES);
    other_schema.schema = Some(file(
        "s.cedarschema",
        &SCHEMA.replace("level: Long", "level: Long, age: Long"),
    ));
    assert_eq!(changed(&other_schema), before.len());
}

#[test]
fn links_of_templates_are_proved_as_what_they_say() {
    let template = r#"@id("t") permit (principal == ?principal, action == Action::"view", resource in ?resource);"#;
    let links = r#"[{"template_id":"t","link_id":"l","args":{"?principal":"User::\"u\"","?resource":"Team::\"a\""}}]"#;
    let mut sources = sources(&format!("{POLICIES}{template}"));
    sources.links = vec![file("links.json", links)];
    let snapshot = compiled(&sources);
    let proofs = snapshot.proofs(EVERYTHING).unwrap();
    let obligations = proofs.obligations();
    let about = |it: &&palisade::authz::Obligation| it.subject == Subject::Errors("l".to_owned());
    let found = obligations.iter().find(about).unwrap();
    let Ok(Asked::NeverErrors(policy)) = found.claim.asked() else {
        panic!("{found:?}");
    };
    assert!(policy.is_static());
    let said = policy.to_string();
    assert!(
        said.contains(r#"User::"u""#) && said.contains(r#"Team::"a""#),
        "{said}"
    );
}

#[test]
fn a_policy_without_which_all_is_decided_alike_is_told_with_the_reason() {
    let snapshot = compiled(&sources(POLICIES));
    let proofs = snapshot.proofs(Parts::default()).unwrap();
    assert_eq!(proofs.suspects(), 2 + 3);
    // Whatever is asked is true: no question meets the invariant.
    let silent = proofs.dead(2, &mut |_| Ok(true)).unwrap().unwrap();
    let said = (silent.policy.as_str(), &silent.why);
    assert_eq!(said, ("@invariant(\"nobody-drops\")", &Why::NeverMatches));
    assert_eq!(proofs.dead(2, &mut |_| Ok(false)), Ok(None));
    assert_eq!(proofs.dead(0, &mut |_| Ok(false)), Ok(None));
    let unknown = Err("nobody knows".to_owned());
    assert_eq!(
        proofs.dead(0, &mut |_| unknown.clone().map(|()| true)),
        unknown.map(|()| None)
    );
    // Whatever is asked is true: first of all that nothing meets it.
    let dead = proofs.dead(1, &mut |_| Ok(true)).unwrap().unwrap();
    assert_eq!(
        (dead.policy.as_str(), dead.file.as_str(), dead.meant),
        ("own", "p.cedar", false)
    );
    assert_eq!(dead.why, Why::NeverMatches);
    // It decides nothing, and some question meets it: the other permit is to blame.
    let mut asked = 0;
    let dead = proofs.dead(1, &mut |_| {
        asked += 1;
        Ok(asked != 3)
    });
    assert_eq!(
        dead.unwrap().unwrap().why,
        Why::Implied(vec!["boss".to_owned()])
    );
}

#[test]
fn what_cannot_be_proved_is_refused_with_a_way_out() {
    let check = |sources: Sources, expected: &str| {
        let said = refusal(&sources);
        assert!(said.contains(expected), "{said}");
    };
    let with_spec = |spec: &str, cells: &str| Sources {
        spec: vec![file("spec.cedar", spec), file("cells.csv", cells)],
        ..sources(POLICIES)
    };
    let cells = |cells: &str, expected: &str| check(with_spec(SPEC, cells), expected);
    cells(
        CELLS.split_once("\n,,boss,drop").unwrap().0,
        "no table says what boss is to get: User drop User",
    );
    cells(
        &CELLS.replace("Doc,own", "Doc,mine"),
        "the spec does not say what `mine` means",
    );
    cells(
        &CELLS.replace(",clerk,", ",cook,"),
        "the spec has no `@role(\"cook\")`",
    );
    let spec = |more: &str, expected: &str| {
        let scope = "(principal, action, resource is Doc) when { resource.title == \"\" };";
        check(with_spec(&format!("{SPEC}{more} {scope}"), CELLS), expected);
    };
    spec(
        "@role(\"x\") @data(\"y\") forbid",
        "is not one of `@scope`, `@guard`, `@role`, `@assume`, `@data`",
    );
    spec(
        "@data(\"y\") permit",
        "is `@data`, which must be a `forbid`",
    );
    let nameless = "forbid (principal, action == Action::\"drop\", resource);";
    let nameless = Sources {
        invariants: vec![file("i.cedar", nameless)],
        ..sources(POLICIES)
    };
    check(nameless, "has no `@invariant(\"name\")`");
    let unchecked = Sources {
        skip_validation: true,
        ..sources(POLICIES)
    };
    check(
        unchecked,
        "nothing can be proved of policies that are not validated",
    );
}
