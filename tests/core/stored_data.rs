//! Stored entities: parents, closure, data conditions.

use palisade::authz::{Kind, Sources};

use crate::sources::{file, rejected, sources};

const SCHEMA: &str = r#"
entity Role enum ["owner", "guest"];
entity Org;
entity Team;
@parent("org") entity User in [Org, Team] = { org: Org, role: Role };
@parent("org") entity Room in [Org] = { org: Org, team: Team, seats: Long };
"#;

const CONDITIONS: &str = r#"
[[each]]
type = "User"
name = "ids-begin-with-the-org"
source = "X1"
id = "{org}/*"

[[each]]
type = "Room"
name = "seats-are-positive"
source = "X2"
holds = "resource.seats >= 0"

[[count]]
name = "one-owner"
source = "X3"
of = "User"
for = "Org"
by = "org"
where = 'principal.role == Role::"owner"'
equals = 1

[[count]]
name = "no-strangers"
source = "X4"
of = "User"
for = "Room"
in = "team"
where = "principal.org != resource.org"
equals = 0

[[count]]
name = "seats-are-users"
source = "X5"
of = "User"
for = "Room"
in = "team"
equals = "seats"

[[count]]
name = "at-most-two-rooms"
source = "X6"
of = "Room"
for = "Org"
by = "org"
at_most = 2

[[alias]]
type = "Org"
id = "0"
source = "X7"
"#;

fn org(id: &str) -> String {
    format!(r#"{{"uid":{{"type":"Org","id":"{id}"}},"attrs":{{}},"parents":[]}}"#)
}

fn user(id: &str, org: &str, role: &str, parents: &str) -> String {
    format!(
        r#"{{"uid":{{"type":"User","id":"{id}"}},"attrs":{{"org":{{"type":"Org","id":"{org}"}},"role":{{"type":"Role","id":"{role}"}}}},"parents":[{parents}]}}"#
    )
}

fn room(id: &str, seats: i64) -> String {
    format!(
        r#"{{"uid":{{"type":"Room","id":"{id}"}},"attrs":{{"org":{{"type":"Org","id":"o"}},"team":{{"type":"Team","id":"t"}},"seats":{seats}}},"parents":[]}}"#
    )
}

const TEAM: &str = r#"{"type":"Team","id":"t"}"#;

fn with(entities: &[String], conditions: &str) -> Sources {
    Sources {
        conditions: Some(file("conditions.toml", conditions)),
        ..sources("", SCHEMA, &format!("[{}]", entities.join(",\n")))
    }
}

/// Checks what is said of a data set.
fn check(entities: &[String], expected: &[&str]) {
    let sources = with(entities, CONDITIONS);
    if expected.is_empty() {
        crate::sources::compiled(&sources);
        return;
    }
    let rejection = rejected(&sources);
    assert_eq!(rejection.reason(), Kind::Entities);
    let said: Vec<&str> = rejection
        .findings()
        .iter()
        .map(|f| f.message.as_str())
        .collect();
    assert_eq!(said, expected, "{rejection}");
    assert!(
        rejection.findings().iter().all(|f| f.place.is_some()),
        "{rejection}"
    );
}

#[test]
fn a_data_set_that_meets_every_condition_is_taken() {
    check(
        &[org("o"), user("o/1", "o", "owner", TEAM), room("r", 1)],
        &[],
    );
}

#[test]
fn each_broken_condition_is_a_finding_at_the_entity() {
    let owner = || user("o/1", "o", "owner", "");
    check(
        &[org("o"), owner(), user("p/2", "o", "guest", "")],
        &["`User::\"p/2\"`: the id is not `o/*`"],
    );
    check(
        &[org("o"), owner(), room("r", -1)],
        &[
            "`Room::\"r\"`: `resource.seats >= 0` does not hold",
            "`Room::\"r\"`: 0 `User`, not `seats`, which is -1",
        ],
    );
    check(
        &[org("o"), owner(), user("o/2", "o", "owner", "")],
        &["`Org::\"o\"`: 2 `User` with `principal.role == Role::\"owner\"`, not 1"],
    );
    check(
        &[org("o")],
        &["`Org::\"o\"`: 0 `User` with `principal.role == Role::\"owner\"`, not 1"],
    );
    check(
        &[
            org("o"),
            owner(),
            org("q"),
            user("q/1", "q", "owner", TEAM),
            room("r", 1),
        ],
        &["`Room::\"r\"`: 1 `User` with `principal.org != resource.org`, not 0"],
    );
    check(
        &[org("o"), owner(), room("a", 0), room("b", 0), room("c", 0)],
        &["`Org::\"o\"`: 3 `Room`, not at most 2"],
    );
    check(
        &[org("0"), user("0/1", "0", "owner", "")],
        &["`Org::\"0\"` is an alias and cannot be stored"],
    );
}

#[test]
fn a_condition_that_cannot_be_evaluated_is_broken() {
    let unsure = CONDITIONS.replace("principal.role == Role::\"owner\"", "principal.rank == 1");
    let entities = [org("o"), user("o/1", "o", "owner", "")];
    let rejection = rejected(&with(&entities, &unsure));
    let said = rejection.to_string();
    assert!(
        said.contains("`User::\"o/1\"`: ") && said.contains("rank"),
        "{said}"
    );
}

#[test]
fn a_stated_parent_may_repeat_but_not_contradict() {
    let same = r#"{"type":"Org","id":"o"}"#;
    check(&[org("o"), user("o/1", "o", "owner", same)], &[]);
    let other = r#"{"type":"Org","id":"q"}"#;
    check(
        &[org("o"), user("o/1", "o", "owner", other)],
        &["`User::\"o/1\"` states the parent `Org::\"q\"`, but its attributes give another"],
    );
}

#[test]
fn entities_that_do_not_fit_the_schema_are_findings() {
    let broken = |entity: &str, said: &str| {
        let rejection = rejected(&sources("", SCHEMA, &format!("[\n{entity}]")));
        assert_eq!(rejection.reason(), Kind::Entities, "{rejection}");
        let text = rejection.to_string();
        assert!(
            text.contains(said) && text.contains("--> entities.json:2:1"),
            "{text}"
        );
    };
    broken(
        r#"{"uid":{"type":"Ship","id":"s"},"attrs":{},"parents":[]}"#,
        "Ship",
    );
    broken(&user("o/1", "o", "king", ""), "king");
    broken(&org("o").replace("{}", r#"{"x":1}"#), "x");
    broken(
        &room("r", 1).replace("\"seats\":1", "\"seats\":\"1\""),
        "seats",
    );
}

#[test]
fn duplicate_keys_and_duplicate_entities_are_refused() {
    let twice = org("o").replace("\"attrs\":{}", "\"attrs\":{},\"attrs\":{}");
    let rejection = rejected(&sources("", SCHEMA, &format!("[{twice}]")));
    assert!(
        rejection.to_string().contains("duplicate key `attrs`"),
        "{rejection}"
    );
    let users = [user("o/1", "o", "owner", ""), user("o/1", "o", "guest", "")].join(",");
    let rejection = rejected(&sources("", SCHEMA, &format!("[{users}]")));
    assert!(
        rejection
            .to_string()
            .contains("is given twice, differently"),
        "{rejection}"
    );
}

#[test]
fn a_file_that_is_no_list_is_not_quoted() {
    let said = rejected(&sources("", "", "\"s3cret\"")).findings()[0]
        .message
        .clone();
    assert_eq!(said, "not an array of entities");
}

#[test]
fn a_cycle_is_a_finding() {
    let node = |n: u8, parent: u8| {
        format!(
            r#"{{"uid":{{"type":"N","id":"{n}"}},"attrs":{{}},"parents":[{{"type":"N","id":"{parent}"}}]}}"#
        )
    };
    let cycle = format!("[{},{}]", node(0, 1), node(1, 0));
    let rejection = rejected(&sources("", "", &cycle));
    assert!(
        rejection.to_string().contains("is its own ancestor"),
        "{rejection}"
    );
}

#[test]
fn a_broken_condition_file_is_a_finding_with_its_place() {
    let broken = |conditions: &str, said: &str| {
        let rejection = rejected(&with(&[org("o")], conditions));
        let text = rejection.to_string();
        assert!(
            text.contains(said) && text.contains("--> conditions.toml:"),
            "{text}"
        );
    };
    let each = "[[each]]\ntype = \"User\"\nname = \"n\"\nsource = \"s\"\n";
    broken("[[each]\n", "conditions.toml");
    broken("[[every]]\n", "unknown key `every`");
    broken(
        &format!("{each}holds = \"resource.\"\n"),
        "`holds` is not a Cedar expression",
    );
    broken(
        &format!("{each}holds = \"true }}; permit (principal, action, resource) when {{ true\"\n"),
        "it ends the condition",
    );
    broken(each, "give either `holds` or `id`");
    broken(
        &format!("{}id = \"*\"\n", each.replace("User", "Ship")),
        "declares no entity type `Ship`",
    );
    broken(&format!("{each}id = 3\n"), "`id` must be a string");
}
