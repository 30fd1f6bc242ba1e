use super::*;

const HEAD: &str = r#"
[constants]
organization = "acme"

[headers]
user = "X-Auth-User"

[principal]
type = "Member"
id = "{organization}/{user}"
"#;

/// A route behind the head, in lines 12 to 15.
fn with(route: &str) -> String {
    format!("{HEAD}\n[[route]]\n{route}")
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    let error = GatewayMapping::parse(text.as_bytes()).unwrap_err();
    let error = error.to_string();
    assert!(error.starts_with(expected), "{error}\n{text}");
}

const GET_A: &str = "methods = [\"GET\"]\npath = \"/a\"\n";
const ASKS: &str = "action = \"view\"\nresource = { type = \"Doc\", id = \"1\" }\n";

#[test]
fn what_is_wrong_with_a_file_is_told_with_its_line_and_a_way_out() {
    let route = |rest: &str| with(&format!("{GET_A}{rest}"));
    refused("", "line 1: missing field `principal`");
    refused("x", "line 1: ");
    refused(
        &HEAD.replace("[headers]", "[header]"),
        "line 5: unknown field `header`",
    );
    refused(
        &HEAD.replace("type =", "kind ="),
        "line 9: unknown field `kind`",
    );
    refused(
        &format!("{HEAD}role = \"x\"\n"),
        "line 11: unknown field `role`",
    );
    refused(
        &HEAD.replace("{organization}/{user}", "{organization}"),
        "line 10: the principal's id has no header in it",
    );
    refused(
        &HEAD.replace("/{user}", "/{usr}"),
        "line 10: in `{organization}/{usr}`: `usr` is no name here; there are `organization`, `user`",
    );
    refused(
        &HEAD.replace("X-Auth-User", "authorization"),
        "line 6: `authorization` holds a secret",
    );
    refused(
        &HEAD.replace("X-Auth-User", "X Auth"),
        "line 6: `X Auth` is no name of a header",
    );
    refused(
        &HEAD.replace("user =", "organization ="),
        "line 6: the name `organization` has a meaning already",
    );
    refused(
        &HEAD.replace("user =", "principal ="),
        "line 6: the name `principal` has a meaning already",
    );
    refused(
        &HEAD.replace("\"acme\"", "\"\""),
        "line 3: `a constant` is empty",
    );
    refused(
        &HEAD.replace("\"Member\"", "\"\""),
        "line 9: `type` is empty",
    );
    refused(
        &format!("challenge = \"a\\nb\"{HEAD}"),
        "line 1: `challenge` has a character",
    );
    refused(
        &route(""),
        "line 14: a route needs `action` and `resource`, or `public = true`",
    );
    refused(&route("action = \"view\""), "line 14: a route needs");
    refused(
        &route(&format!("public = true\n{ASKS}")),
        "line 14: a public route asks nothing",
    );
    refused(
        &route("public = true\ncontext = { a = \"b\" }"),
        "line 14: a public route asks nothing",
    );
    refused(
        &route("action = \"view\"\nresource = { type = \"Doc\", id = \"{who}\" }"),
        "line 16: in `{who}`: `who` is no name here; there are `organization`, `user`, `principal`",
    );
    refused(
        &route(&format!("{ASKS}context = {{ a = \"{{b\" }}")),
        "line 17: in `{b`: a brace is not closed",
    );
    let methods = |methods: &str| route(ASKS).replace("[\"GET\"]", methods);
    refused(
        &methods("[\"HEAD\"]"),
        "line 13: `HEAD` is decided as `GET` is",
    );
    for none in ["[]", "[\"*\"]", "[\"get\"]", "[\"\"]"] {
        refused(
            &methods(none),
            "line 13: `methods` must name methods in capital letters",
        );
    }
    refused(&methods("\"GET\""), "line 13: invalid type");
    let path = |path: &str| route(ASKS).replace("/a", path);
    refused(
        &path("/a/../b"),
        "line 14: in `/a/../b`: `..` is not taken as part of a path",
    );
    refused(
        &path("/{user}"),
        "line 14: the name `user` has a meaning already",
    );
    refused(
        &path("/{principal}"),
        "line 14: the name `principal` has a meaning already",
    );
    let error = GatewayMapping::parse(b"# \n\xff").unwrap_err().to_string();
    assert_eq!(error, "line 2: the file is not UTF-8");
}

#[test]
fn a_route_that_is_never_reached_is_told() {
    let route = |methods: &str, path: &str| {
        format!("[[route]]\nmethods = {methods}\npath = \"{path}\"\n{ASKS}")
    };
    let routes = |routes: &[String]| format!("{HEAD}{}", routes.concat());
    let all = route("[\"GET\", \"POST\"]", "/a/{b}");
    refused(
        &routes(&[all.clone(), route("[\"POST\"]", "/a/b")]),
        "line 18: this route is never reached, the one in line 13 takes all of it",
    );
    let each = [
        route("[\"GET\"]", "/a"),
        route("[\"PUT\"]", "/a"),
        route("[\"PUT\", \"GET\"]", "/a"),
    ];
    refused(
        &routes(&each),
        "line 23: this route is never reached, the one in line 13",
    );
    let reached = routes(&[all, route("[\"POST\", \"PUT\"]", "/a/b")]);
    GatewayMapping::parse(reached.as_bytes()).unwrap();
}

/// What of the mapping a request finds.
#[track_caller]
fn check(mapping: &GatewayMapping, method: &str, target: &str, expected: &str) {
    let target = Target::parse(target).unwrap();
    let found = match mapping.find(method, &target) {
        Ok(Some(Found::Asks(asks, values))) => format!("{} {}", asks.action, values.join(" ")),
        Ok(Some(Found::Public)) => "public".to_owned(),
        Ok(None) => "nothing".to_owned(),
        Err(why) => why.to_string(),
    };
    assert_eq!(found, expected, "{method} {target:?}");
}

#[test]
fn the_first_route_that_names_a_request_is_its_own() {
    let text = format!(
        r#"{HEAD}
[[route]]
methods = ["GET"]
path = "/docs/new"
public = true

[[route]]
methods = ["GET", "PUT"]
path = "/docs/{{doc}}"
action = "view"
resource = {{ type = "Doc", id = "{{doc}}" }}

[[route]]
methods = ["DELETE"]
path = "/docs/{{doc}}"
action = "delete"
resource = {{ type = "Doc", id = "{{doc}}" }}

[[route]]
methods = ["GET"]
path = "/docs?owner={{owner}}"
action = "list"
resource = {{ type = "User", id = "{{owner}}" }}
"#
    );
    let mapping = GatewayMapping::parse(text.as_bytes()).unwrap();
    check(&mapping, "GET", "/docs/new", "public");
    check(&mapping, "GET", "/docs/new/", "public");
    check(&mapping, "HEAD", "/docs/new", "public");
    check(&mapping, "PUT", "/docs/new", "view new");
    check(&mapping, "HEAD", "/docs/7", "view 7");
    check(&mapping, "DELETE", "/docs/7", "delete 7");
    check(&mapping, "GET", "/docs?owner=mona", "list mona");
    let twice =
        "the query says more than once, in another spelling or without a value what decides";
    check(&mapping, "GET", "/docs?owner=mona&owner=x", twice);
    for method in ["POST", "get", "Get", "GETX", "*", ""] {
        check(&mapping, method, "/docs/7", "nothing");
    }
    for target in ["/", "/docs", "/docs/7/x", "/Docs/7", "/x"] {
        check(&mapping, "GET", target, "nothing");
    }
    let shown: Vec<&str> = mapping.routes().collect();
    assert_eq!(
        shown,
        [
            "GET /docs/new: public",
            "GET, PUT /docs/{doc}: view on Doc {doc}",
            "DELETE /docs/{doc}: delete on Doc {doc}",
            "GET /docs?owner={owner}: list on User {owner}",
        ]
    );
}
