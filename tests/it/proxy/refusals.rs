//! What is refused whoever asks.

use palisade::api;

use super::{GATEWAYS, Gateway, code, shipped};
use crate::harness::{Server, Start};

const CATS: &str = "/api/projects/cats";
const MONA: (&str, &str) = ("X-Auth-User", "mona");

#[test]
fn a_gateway_that_does_not_say_what_it_was_asked_is_not_answered() {
    let server = Server::start(&shipped());
    let uri = ("X-Original-URI", CATS);
    let method = ("X-Original-Method", "GET");
    let forwarded = [("X-Forwarded-Uri", CATS), ("X-Forwarded-Method", "GET")];
    let check = |path: &str, headers: &[(&str, &str)], expected: &str| {
        let mut all = vec![("X-Auth-User", "mona")];
        all.extend(headers);
        let reply = server.connect().send("GET", path, &all, b"");
        assert_eq!(reply.status, 400, "{headers:?} {reply:?}");
        assert_eq!(reply.code(), "gateway_misconfigured");
        let message = reply.json()["error"]["message"].clone();
        let message = message.as_str().unwrap().to_owned();
        assert!(message.starts_with(expected), "{message}");
    };
    check(
        "/proxy/nginx",
        &[],
        "the header `x-original-method` is missing",
    );
    check(
        "/proxy/nginx",
        &[method],
        "the header `x-original-uri` is missing",
    );
    check(
        "/proxy/nginx",
        &[uri],
        "the header `x-original-method` is missing",
    );
    check(
        "/proxy/nginx",
        &[method, ("X-Original-URI", "")],
        "the header `x-original-uri` is missing",
    );
    check(
        "/proxy/nginx",
        &[method, uri, uri],
        "the header `x-original-uri` came more than once",
    );
    check(
        "/proxy/nginx",
        &[method, method, uri],
        "the header `x-original-method` came more than once",
    );
    check(
        "/proxy/nginx",
        &[method, ("X-Original-URI", "/é")],
        "the header `x-original-uri` is not visible ASCII",
    );
    // Each adapter has its own headers: what a client says in another's is nothing.
    check(
        "/proxy/nginx",
        &forwarded,
        "the header `x-original-method` is missing",
    );
    check(
        "/proxy/traefik",
        &[method, uri],
        "the header `x-forwarded-method` is missing",
    );
    check(
        "/proxy/traefik",
        &forwarded[..1],
        "the header `x-forwarded-method` is missing",
    );
    let mut lines = forwarded.to_vec();
    lines.push(("X-Forwarded-Uri", "/health"));
    check(
        "/proxy/traefik",
        &lines,
        "the header `x-forwarded-uri` came more than once",
    );
}

#[test]
fn what_can_be_read_in_two_ways_is_denied_to_everybody() {
    let server = Server::start(&shipped());
    for uri in [
        "/health/../api/projects/cats",
        "/static/../api/projects/cats",
        "/static/%2e%2e/api/projects/cats",
        "/static/..%2fapi/projects/cats",
        "/static/..;/api/projects/cats",
        "/static/..%5capi/projects/cats",
        "/static/..\\api/projects/cats",
        "/static//api/projects/cats",
        "//static/x",
        "/static/%252e%252e/api/projects/cats",
        "/static/x%00.js",
        "/static/x%0d%0aX:y",
        "/static/%c0%ae%c0%ae/x",
        "/static/%",
        "/static/x;y",
        "/static/./x",
        "/api/projects/cats/%2e/",
        "/api/users/?project=cats&project=calls",
        "/api/users/?project=cats&project[]=calls",
        "/api/users/?Project=cats",
        "/api/users/?project=",
    ] {
        for gateway in GATEWAYS {
            let reply = gateway.ask_as(&server, "olivia", ("GET", uri));
            let code = (reply.status, code(&reply));
            assert_eq!(
                code,
                (403, "ambiguous_path".to_owned()),
                "{gateway:?} {uri}"
            );
        }
    }
    // A header may say what a request line cannot.
    for uri in [
        "http://app.test/static/x",
        "static/x",
        "*",
        "?x",
        "/static/x#y",
        "/static/x?y z",
        "#",
    ] {
        for gateway in [Gateway::Nginx, Gateway::Traefik] {
            let reply = gateway.ask_as(&server, "olivia", ("GET", uri));
            assert_eq!(
                (reply.status, code(&reply).as_str()),
                (403, "ambiguous_path"),
                "{uri}"
            );
        }
    }
    let long = format!("/static/{}", "x".repeat(2048));
    for gateway in GATEWAYS {
        let reply = gateway.ask_as(&server, "olivia", ("GET", &long));
        assert_eq!(
            (reply.status, code(&reply).as_str()),
            (403, "ambiguous_path")
        );
    }
}

#[test]
fn nothing_but_the_adapters_own_places_says_what_was_asked() {
    let server = Server::start(&shipped());
    let extra = [
        MONA,
        ("X-HTTP-Method-Override", "GET"),
        ("X-HTTP-Method", "GET"),
        ("X-Method-Override", "GET"),
        ("X-Original-URL", "/health"),
        ("X-Rewrite-URL", "/health"),
        ("X-Envoy-Original-Path", "/health"),
        ("Forwarded", "host=other.test"),
    ];
    for gateway in GATEWAYS {
        let reply = gateway.ask(&mut server.connect(), ("PUT", CATS), &extra);
        assert_eq!(code(&reply), "no_route", "{gateway:?}");
        let override_to_delete = [
            ("X-Auth-User", "anna"),
            ("X-HTTP-Method-Override", "DELETE"),
        ];
        let reply = gateway.ask(&mut server.connect(), ("GET", CATS), &override_to_delete);
        assert_eq!(reply.status, 200, "{gateway:?}");
    }
    // By whatever method nginx and Traefik ask themselves.
    for method in ["POST", "DELETE", "HEAD", "OPTIONS", "PROPFIND"] {
        let headers = [MONA, ("X-Original-Method", "GET"), ("X-Original-URI", CATS)];
        let reply = server.connect().send(method, "/proxy/nginx", &headers, b"");
        assert_eq!(reply.status, 200, "{method}");
    }
}

#[test]
fn a_body_is_not_read_and_bounded_as_elsewhere() {
    let start = Start {
        limits: api::Limits {
            body_bytes: 1000,
            ..api::Limits::default()
        },
        ..shipped()
    };
    let server = Server::start(&start);
    let headers = [MONA, ("X-Original-Method", "GET"), ("X-Original-URI", CATS)];
    let reply = server
        .connect()
        .send("POST", "/proxy/nginx", &headers, &[b'x'; 1001]);
    assert_eq!(reply.code(), "body_too_large");
    // What of it comes is no part of the next request.
    let mut connection = server.connect();
    let smuggled = b"GET /openapi.json HTTP/1.1\r\nHost: pdp.test\r\n\r\n";
    let reply = connection.send("POST", "/proxy/nginx", &headers, smuggled);
    assert_eq!(reply.status, 200);
    let reply = connection.send("GET", "/proxy/nginx", &headers, b"");
    assert_eq!((reply.status, reply.body.as_str()), (200, ""));
}

#[test]
fn without_a_file_there_is_nothing_for_gateways_and_without_policies_no_answer() {
    let off = Server::start(&Start {
        gateway: None,
        ..shipped()
    });
    let silent = Server::start(&Start {
        publish: false,
        ..shipped()
    });
    for gateway in GATEWAYS {
        let reply = gateway.ask_as(&off, "mona", ("GET", CATS));
        assert_eq!((reply.status, reply.code().as_str()), (404, "not_found"));
        for uri in [CATS, "/health"] {
            let reply = gateway.ask_as(&silent, "mona", ("GET", uri));
            assert_eq!((reply.status, reply.code().as_str()), (503, "no_snapshot"));
        }
    }
}
