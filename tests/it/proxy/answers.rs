//! What gateways are told, and what they are never told.

use palisade::api::AuthzenOptions;
use serde_json::json;

use super::{GATEWAYS, Gateway, shipped};
use crate::{
    contract::Contract,
    harness::{Server, Start},
};

const CATS: &str = "/api/projects/cats";
const MONA: (&str, &str) = ("X-Auth-User", "mona");

/// The path of the contract.
fn path_of(gateway: Gateway) -> &'static str {
    match gateway {
        Gateway::Envoy => "/proxy/envoy/{path}",
        Gateway::Nginx => "/proxy/nginx",
        Gateway::Traefik => "/proxy/traefik",
    }
}

#[test]
fn the_code_alone_tells_and_the_revision_stands_beside_it() {
    let server = Server::start(&shipped());
    let contract = Contract::of(server.connect());
    for gateway in GATEWAYS {
        let mut connection = server.connect();
        let revision = Some(server.revision.as_str());
        let allowed = gateway.ask(&mut connection, ("GET", CATS), &[MONA]);
        assert_eq!((allowed.status, allowed.body.as_str()), (200, ""));
        assert_eq!(allowed.header("x-palisade-revision"), revision);
        assert_eq!(allowed.header("content-length"), Some("0"));
        assert_eq!(allowed.header("cache-control"), Some("no-store"));
        let check = |request, headers: &[(&str, &str)], status, body: &str| {
            let reply = gateway.ask(&mut server.connect(), request, headers);
            assert_eq!(reply.status, status, "{gateway:?} {request:?} {reply:?}");
            assert_eq!(reply.header("x-palisade-revision"), revision, "{reply:?}");
            contract.answer_fits("GET", path_of(gateway), &reply);
            assert_eq!(reply.header("cache-control"), Some("no-store"));
            if gateway == Gateway::Nginx && status != 400 {
                let code = Some(body).filter(|it| !it.starts_with('{'));
                assert_eq!(
                    (reply.body.as_str(), reply.header("x-palisade-code")),
                    ("", code)
                );
            } else if body.starts_with('{') {
                assert_eq!(reply.body, body);
            } else {
                assert_eq!(reply.code(), body);
            }
            reply
        };
        let denied = r#"{"decision":false}"#;
        check(("DELETE", CATS), &[("X-Auth-User", "rita")], 403, denied);
        check(("PUT", CATS), &[MONA], 403, "no_route");
        check(
            ("GET", "/api/projects/cats;x"),
            &[MONA],
            403,
            "ambiguous_path",
        );
        let anonymous = check(("GET", CATS), &[], 401, "no_principal");
        let challenge = Some(r#"Gateway realm="palisade""#);
        assert_eq!(anonymous.header("www-authenticate"), challenge);
        check(("GET", CATS), &[("X-Auth-User", "")], 401, "no_principal");
        let forged = [MONA, ("x-auth-user", "olivia")];
        check(("GET", CATS), &forged, 400, "gateway_misconfigured");
        check(
            ("GET", CATS),
            &[("X-Auth-User", "m\tm")],
            400,
            "gateway_misconfigured",
        );
    }
}

#[test]
fn a_decision_for_a_gateway_is_counted_and_a_refusal_by_its_reason() {
    let server = Server::start(&shipped());
    let series = |name: &str| {
        let metrics = server.admin("/metrics").body;
        let line = metrics.lines().find(|line| line.starts_with(name));
        let line = line.unwrap_or_else(|| panic!("no {name}"));
        line.rsplit(' ').next().unwrap().to_owned()
    };
    let reason =
        |reason: &str| format!("palisade_http_requests_rejected_total{{reason=\"{reason}\"}}");
    let reasons = [
        "ambiguous_path",
        "gateway_misconfigured",
        "no_principal",
        "no_route",
    ];
    for it in reasons {
        assert_eq!(series(&reason(it)), "0");
    }
    let nginx = |user, uri| Gateway::Nginx.ask_as(&server, user, ("GET", uri));
    nginx("anna", CATS);
    nginx("cleo", CATS);
    nginx("", CATS);
    nginx("anna", "//");
    nginx("anna", "/x");
    server.get("/proxy/nginx");
    let decided = |decision: &str, outcome: &str| {
        format!(
            "palisade_decisions_total{{action=\"project.view\",decision=\"{decision}\",outcome=\"{outcome}\"}}"
        )
    };
    assert_eq!(series(&decided("allow", "permitted")), "1");
    assert_eq!(series(&decided("deny", "not_permitted")), "1");
    for it in reasons {
        assert_eq!(series(&reason(it)), "1", "{it}");
    }
    let answered = |code: u16| {
        format!(
            "palisade_http_request_duration_seconds_count{{code=\"{code}\",endpoint=\"proxy_nginx\"}}"
        )
    };
    for (code, expected) in [(200, "1"), (400, "1"), (401, "1"), (403, "3")] {
        assert_eq!(series(&answered(code)), expected, "{code}");
    }
}

#[test]
fn gateways_find_us_below_the_tenants_path_too() {
    let server = Server::start(&Start {
        authzen: AuthzenOptions {
            public_url: Some("https://pdp.test/t".parse().unwrap()),
            ..AuthzenOptions::default()
        },
        ..shipped()
    });
    let send = |path: &str| {
        let headers = [MONA, ("X-Original-Method", "GET"), ("X-Original-URI", CATS)];
        server.connect().send("GET", path, &headers, b"").status
    };
    assert_eq!(send("/t/proxy/nginx"), 200);
    assert_eq!(send("/t/proxy/envoy/api/projects/cats"), 200);
    assert_eq!(send("/proxy/envoy/api/projects/cats"), 200);
    // The original path is what stands below the prefix, whatever it begins with.
    assert_eq!(send("/proxy/envoy/t/api/projects/cats"), 403);
    assert_eq!(send("/proxy/envoy/proxy/envoy/api/projects/cats"), 403);
    for path in [
        "/proxy",
        "/proxy/",
        "/proxy/nginx/",
        "/proxy/nginx/x",
        "/proxy/envoyx",
        "/proxy/haproxy",
    ] {
        assert_eq!(send(path), 404, "{path}");
    }
    assert_eq!(send("/proxy/envoy"), 403);
    assert_eq!(send("/proxy/envoy/"), 403);
}

#[test]
fn reasons_are_told_if_the_file_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    let text = std::fs::read_to_string(super::mapping()).unwrap();
    let challenge = r#"challenge = 'Bearer realm="label-studio"'"#;
    std::fs::write(&file, format!("reasons = true\n{challenge}\n{text}")).unwrap();
    let server = Server::start(&Start {
        gateway: Some(file),
        authzen: AuthzenOptions {
            decision_context: true,
            ..AuthzenOptions::default()
        },
        ..shipped()
    });
    let contract = Contract::of(server.connect());
    let sandbox = ("GET", "/api/projects/mona-tryout");
    let expected = json!({ "decision": false, "context": {
        "outcome": "forbidden", "policies": ["guard.sandbox.project"], "diagnostics": [] } });
    for gateway in GATEWAYS {
        let denied = gateway.ask_as(&server, "olivia", sandbox);
        assert_eq!(denied.json(), expected, "{gateway:?}");
        if gateway != Gateway::Nginx {
            contract.answer_fits("GET", path_of(gateway), &denied);
        }
    }
    let anonymous = Gateway::Nginx.ask(&mut server.connect(), ("GET", CATS), &[]);
    let challenge = Some(r#"Bearer realm="label-studio""#);
    assert_eq!(anonymous.header("www-authenticate"), challenge);
    // What applications are told by every answer, gateways hand on to strangers.
    let quiet = Server::start(&Start {
        authzen: AuthzenOptions {
            decision_context: true,
            ..AuthzenOptions::default()
        },
        ..shipped()
    });
    let denied = Gateway::Traefik.ask_as(&quiet, "olivia", sandbox);
    assert_eq!(denied.body, r#"{"decision":false}"#);
}

#[test]
fn a_context_has_what_the_route_lists_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    let text = r#"
[headers]
user = "X-Auth-User"
role = "X-New-Role"

[principal]
type = "Member"
id = "{user}"

[[route]]
methods = ["POST"]
path = "/{organization}/{member}/role"
action = "org.member.assign_role"
resource = { type = "Member", id = "{organization}/{member}" }
context = { new_role = "{role}" }

[[route]]
methods = ["PUT"]
path = "/{organization}/{member}/role?role={wanted}"
action = "org.member.assign_role"
resource = { type = "Member", id = "{organization}/{member}" }
context = { new_role = "{wanted}" }

[[route]]
methods = ["GET"]
path = "/{organization}"
action = "org.page.view"
resource = { type = "Organization", id = "{role}" }
"#;
    std::fs::write(&file, text).unwrap();
    let server = Server::start(&Start {
        gateway: Some(file),
        ..shipped()
    });
    let check = |request, headers: &[(&str, &str)], expected| {
        let mut all = vec![("X-Auth-User", "acme/adam")];
        all.extend(headers);
        let reply = Gateway::Nginx.ask(&mut server.connect(), request, &all);
        assert_eq!(reply.status, expected, "{request:?} {headers:?} {reply:?}");
    };
    let by_header = ("POST", "/acme/anna/role");
    check(by_header, &[("X-New-Role", "reviewer")], 200);
    check(by_header, &[("X-New-Role", "owner")], 403);
    check(by_header, &[("New-Role", "reviewer")], 403);
    check(by_header, &[], 403);
    check(
        by_header,
        &[("X-New-Role", "reviewer"), ("X-New-Role", "owner")],
        400,
    );
    check(("PUT", "/acme/anna/role?role=reviewer"), &[], 200);
    check(("PUT", "/acme/anna/role?role=owner"), &[], 403);
    check(
        ("PUT", "/acme/anna/role?role=reviewer&role=owner"),
        &[],
        403,
    );
    check(("PUT", "/acme/anna/role"), &[], 403);
    // A resource that the gateway has to name, and does not.
    check(("GET", "/x"), &[("X-New-Role", "acme")], 200);
    check(("GET", "/x"), &[], 400);
}
