//! What a candidate would change, and who may be one.

use std::{fs, path::Path};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{ROOT, attributes, serve, shipped};
use crate::{
    harness::{Server, Start},
    process::Process,
};

/// A copy of the shipped policies with one file more.
fn candidate(folder: &Path, name: &str, text: &str) -> String {
    let to = folder.join(name);
    fs::create_dir(&to).unwrap();
    for entry in fs::read_dir(Path::new(ROOT).join("policies/enterprise")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
    fs::write(to.join("zz.cedar"), text).unwrap();
    format!("{name}={}", to.display())
}

const MORE: &str = r#"@id("more") permit (principal, action == Action::"org.page.view", resource is Organization)
when { principal.role == Role::"reviewer" }
when { resource == principal.organization };"#;

#[test]
fn what_a_candidate_would_change_is_shown() {
    let folder = TempDir::new().unwrap();
    let next = candidate(folder.path(), "next", MORE);
    let broken = candidate(folder.path(), "broken", "permit (principal, <b>");
    let same = format!("same={ROOT}/policies/enterprise");
    let flags = [
        "--candidate",
        &next,
        "--candidate",
        &broken,
        "--candidate",
        &same,
    ];
    let server = Process::serve(Path::new(ROOT), &flags);
    let get = |path: &str| server.connect_admin().send("GET", path, &[], b"");
    let changed = |body: &str| body.matches(" changed\">").count();

    let plain = get("/");
    assert_eq!((plain.status, changed(&plain.body)), (200, 0));
    let links = attributes(&plain.body, "href=\"/?");
    assert_eq!(links, ["against=broken", "against=next", "against=same"]);
    assert_eq!(
        get("/?against=").body.matches("class=\"against\"").count(),
        0
    );

    let reply = get("/?against=next");
    assert_eq!((reply.status, changed(&reply.body)), (200, 1));
    assert!(
        reply
            .body
            .contains("id=\"cell-T02-Reviewer\" class=\"tested never changed\"")
    );
    assert!(reply.body.contains("<strong>1 cell would change:</strong>"));
    let against = get("/v1/matrix?against=next").json()["against"].clone();
    let change = json!([{"row_id": "T02", "crud": "", "role": "Reviewer", "from": "never", "to": "organization"}]);
    assert_eq!(
        (&against["changes"], &against["findings"]),
        (&change, &json!([]))
    );
    assert!(against["revision"].is_string());

    let same = get("/?against=same").body;
    assert!(same.contains("No cell would change.") && changed(&same) == 0);

    let reply = get("/?against=broken");
    assert_eq!(reply.status, 200);
    assert!(reply.body.contains("It cannot be in force.") && reply.body.contains("zz.cedar:1:"));
    assert!(reply.body.contains("&lt;b&gt;") && !reply.body.contains("<b>"));
    let against = get("/v1/matrix?against=broken").json()["against"].clone();
    assert_eq!(
        (&against["revision"], &against["changes"]),
        (&Value::Null, &json!([]))
    );
    assert_eq!(against["findings"][0]["kind"], "parse");

    for path in ["/?against=other", "/v1/matrix?against=../next"] {
        let reply = get(path);
        assert_eq!((reply.status, reply.code().as_str()), (404, "not_found"));
        assert!(
            reply.body.contains("these are: broken, next, same"),
            "{}",
            reply.body
        );
    }
    assert_eq!(get("/?against=next&against=same").status, 400);
}

#[test]
fn an_unknown_candidate_is_none_with_and_without_a_table() {
    for server in [
        serve(shipped("enterprise")),
        Server::start(&Start::default()),
    ] {
        for path in ["/?against=x", "/v1/matrix?against=x"] {
            let reply = server.admin(path);
            assert_eq!((reply.status, reply.code().as_str()), (404, "not_found"));
            assert!(
                reply.body.contains("--candidate NAME=FOLDER"),
                "{}",
                reply.body
            );
        }
    }
}
