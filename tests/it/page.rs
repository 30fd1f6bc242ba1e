//! `GET /` on the admin listener: what it shows, and that nothing it shows can be more than text.
//! What it looks like and how it is used is for `tests/e2e/page.sh`.

mod candidate;
mod hostile;

use std::{collections::BTreeMap, fs, sync::Arc, time::SystemTime};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use palisade::{
    authz::Sources,
    source::Selection,
    telemetry::{CellKey, CellProof, CellProofs, CellState},
};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::{
    client::Reply,
    harness::{Server, Start},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn shipped(edition: &str) -> Sources {
    let selection = Selection {
        root: ROOT.into(),
        edition: Some(edition.to_owned()),
        ..Selection::default()
    };
    selection.resolve().unwrap().read().unwrap()
}

fn serve(sources: Sources) -> Server {
    Server::start(&Start {
        sources,
        ..Start::default()
    })
}

#[track_caller]
fn page(server: &Server) -> Reply {
    let reply = server.admin("/");
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply
}

/// The only element of that name, its tag left out.
fn element<'p>(page: &'p str, name: &str) -> &'p str {
    let parts: Vec<&str> = page.split(&format!("<{name}>")).collect();
    let [_, rest] = parts.as_slice() else {
        panic!("not one `{name}`")
    };
    rest.split_once(&format!("</{name}>")).unwrap().0
}

/// Every value of attributes whose name begins so.
fn attributes<'p>(page: &'p str, name: &str) -> Vec<&'p str> {
    let parts = page.split(name).skip(1);
    parts.map(|it| it.split_once('"').unwrap().0).collect()
}

#[test]
fn the_page_may_run_and_load_nothing_but_itself() {
    let reply = page(&serve(shipped("enterprise")));
    let digest = |name| STANDARD.encode(Sha256::digest(element(&reply.body, name)));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        digest("style"),
        digest("script")
    );
    assert_eq!(reply.all("content-security-policy"), [policy.as_str()]);
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{name}");
    }
    for away in [
        "src=", " style=", "<form", "<iframe", "<img", "<link", "<base", "@import", "url(",
    ] {
        assert!(!reply.body.contains(away), "{away}");
    }
    for link in attributes(&reply.body, "href=\"") {
        let stays = link.starts_with('#') || link == "/" || link == "/v1/status";
        assert!(stays, "{link}");
    }
}

#[test]
fn every_row_role_and_policy_of_the_table_is_on_it() {
    let server = serve(shipped("enterprise"));
    let reply = page(&server);
    assert_eq!(
        reply.header("x-palisade-revision"),
        Some(server.revision.as_str())
    );
    let matrix = server.admin("/v1/matrix").json();
    assert_eq!(matrix["revision"], server.revision.as_str());
    for line in matrix["lines"].as_array().unwrap() {
        let [row, role] = ["row_id", "role"].map(|key| line[key].as_str().unwrap());
        let cell = format!("<td role=\"cell\" id=\"cell-{row}-{role}\"");
        let panel = format!("<section class=\"panel\" tabindex=\"-1\" id=\"{row}-{role}\"");
        for part in [&cell, &panel, line["row_label"].as_str().unwrap()] {
            assert!(reply.body.contains(part), "{part}");
        }
    }
    for (id, policy) in matrix["policies"].as_object().unwrap() {
        let place = format!("{}:{}", policy["file"].as_str().unwrap(), policy["line"]);
        assert!(reply.body.contains(&place), "{id} {place}");
    }
    for open in [
        "<table", "<tbody", "<section", "<article", "<span", "<a ", "<li", "<dl", "<pre",
    ] {
        let close = format!("</{}>", open.trim_start_matches('<').trim_end());
        let (opened, closed) = (
            reply.body.matches(open).count(),
            reply.body.matches(&close).count(),
        );
        assert_eq!(opened, closed, "{open}");
    }
}

#[test]
fn every_edition_explains_its_words_and_rulings() {
    for edition in ["enterprise", "enterprise-2023", "teams"] {
        let sources = shipped(edition);
        let server = serve(sources.clone());
        let matrix = server.admin("/v1/matrix").json();
        for kind in ["words", "rulings"] {
            for (name, says) in matrix[kind].as_object().unwrap() {
                assert!(says.is_string(), "{edition}: {kind} {name}");
            }
        }
        let cells = matrix["cells"].as_array().unwrap().iter();
        let odd: Vec<_> = cells.filter(|cell| cell["state"] != "tested").collect();
        assert!(odd.is_empty(), "{edition}: {odd:?}");
        // Also those of policies that are behind no cell.
        let explained = sources
            .spec
            .iter()
            .find(|it| it.name.ends_with("rulings.toml"));
        let explained = String::from_utf8(explained.unwrap().bytes.clone()).unwrap();
        let policies = server.admin("/v1/policies").json();
        for policy in policies["policies"].as_array().unwrap() {
            let named = policy["annotations"]["ruling"].as_str().unwrap_or_default();
            for id in named.split(' ').filter(|id| !id.is_empty()) {
                assert!(explained.contains(&format!("id = \"{id}\"")), "{id}");
            }
        }
    }
}

#[test]
fn without_a_spec_the_policies_are_shown() {
    let server = Server::start(&Start::default());
    let body = page(&server).body;
    assert!(body.contains("<h2>There is no table</h2>"), "{body}");
    assert!(body.contains("No spec says what the rows"));
    for policy in server.admin("/v1/policies").json()["policies"]
        .as_array()
        .unwrap()
    {
        assert!(body.contains(policy["id"].as_str().unwrap()));
    }
    assert!(body.contains("policies.cedar:1<") && body.contains("user::&quot;alice&quot;"));
    assert!(
        page(&serve(Sources::default()))
            .body
            .contains("nothing is permitted")
    );
}

#[test]
fn a_broken_spec_is_told_with_its_place() {
    let mut sources = shipped("enterprise");
    let table = sources
        .spec
        .iter_mut()
        .find(|it| it.name.ends_with("table-2024.toml"));
    table.unwrap().bytes.extend_from_slice(b"\n[[rows]]\n");
    sources.tables.clear();
    let server = serve(sources);
    assert_eq!(server.admin("/v1/matrix").status, 500);
    let body = page(&server).body;
    assert!(
        body.contains("is broken") && body.contains("unknown key `rows`"),
        "{body}"
    );
    assert!(body.contains("policies/spec/table-2024.toml:"));
}

#[test]
fn what_is_not_in_force_has_no_page() {
    let server = Server::start(&Start {
        publish: false,
        ..Start::default()
    });
    assert_eq!(server.admin("/").status, 503);
}

#[test]
fn only_get_and_head_are_answered() {
    let server = Server::start(&Start::default());
    let mut connection = server.connect_admin();
    let head = connection.send("HEAD", "/", &[], b"");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let post = connection.send("POST", "/", &[], b"");
    assert_eq!(
        (post.status, post.header("allow")),
        (405, Some("GET, HEAD"))
    );
    assert_eq!(server.get("/").status, 404);
}

#[test]
fn the_page_is_for_those_who_may_ask() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("admin.toml");
    let token = "6d2f0c1be9a84d7f9f3f0a5f6c1e2b3a";
    let digest: String = Sha256::digest(token)
        .iter()
        .map(|it| format!("{it:02x}"))
        .collect();
    fs::write(
        &file,
        format!("[[bearer]]\nname = \"operator\"\nsha256 = \"{digest}\"\n"),
    )
    .unwrap();
    let server = Server::start(&Start {
        admin_credentials: Some(file),
        ..Start::default()
    });
    let refused = server.admin("/");
    assert_eq!(refused.status, 401);
    assert!(!refused.body.contains("html"), "{}", refused.body);
    let bearer = format!("Bearer {token}");
    let header = [("Authorization", bearer.as_str())];
    assert_eq!(
        server.connect_admin().send("GET", "/", &header, b"").status,
        200
    );
}

#[test]
fn proofs_of_the_revision_in_force_are_shown() {
    let server = serve(shipped("enterprise"));
    let prove = |revision: &str| {
        let proof = |row: &str, role: &str, state| {
            let key = CellKey {
                row_id: row.to_owned(),
                crud: String::new(),
                role: role.to_owned(),
            };
            let note = Some(format!("<b>{row}</b>"));
            (key, CellProof { state, note })
        };
        server.status.set_proofs(Arc::new(CellProofs {
            revision: revision.to_owned(),
            at: SystemTime::UNIX_EPOCH,
            cells: BTreeMap::from([
                proof("T09", "Owner", CellState::Proved),
                proof("T02", "Manager", CellState::Refuted),
                proof("T19", "Annotator", CellState::Unknown),
            ]),
        }));
    };
    let states = || -> BTreeMap<String, usize> {
        let matrix = server.admin("/v1/matrix").json();
        let mut counts = BTreeMap::new();
        for cell in matrix["cells"].as_array().unwrap() {
            *counts
                .entry(cell["state"].as_str().unwrap().to_owned())
                .or_default() += 1;
        }
        counts
    };
    let counts = |pairs: &[(&str, usize)]| -> BTreeMap<String, usize> {
        pairs
            .iter()
            .map(|(state, count)| ((*state).to_owned(), *count))
            .collect()
    };
    prove("another");
    assert_eq!(states(), counts(&[("tested", 130)]));
    prove(&server.revision);
    let expected = [
        ("proved", 1),
        ("refuted", 1),
        ("tested", 127),
        ("unknown", 1),
    ];
    assert_eq!(states(), counts(&expected));
    let body = page(&server).body;
    for (cell, state) in [
        ("T09-Owner", "proved"),
        ("T02-Manager", "refuted"),
        ("T19-Annotator", "unknown"),
    ] {
        let expected = format!("id=\"cell-{cell}\" class=\"{state}\"");
        assert!(body.contains(&expected), "{expected}");
    }
    assert!(body.contains("&lt;b&gt;T02&lt;/b&gt;") && !body.contains("<b>T02"));
}
