//! The file of routes while it changes.

use std::{fs, path::PathBuf};

use serde_json::json;
use tempfile::TempDir;

use super::{Gateway, mapping, shipped};
use crate::harness::{Server, Start, wait_for};

const SERIES: &str = "palisade_access_stale{kind=\"routes\",listener=\"decisions\"}";

struct Routes {
    _folder: TempDir,
    file: PathBuf,
    text: String,
    server: Server,
}

impl Routes {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("gateway.toml");
        let text = fs::read_to_string(mapping()).unwrap();
        fs::write(&file, &text).unwrap();
        let server = Server::start(&Start {
            gateway: Some(file.clone()),
            ..shipped()
        });
        Self {
            _folder: folder,
            file,
            text,
            server,
        }
    }

    fn status(&self, user: &str, uri: &str) -> u16 {
        Gateway::Nginx
            .ask_as(&self.server, user, ("GET", uri))
            .status
    }

    fn stale(&self) -> String {
        let metrics = self.server.admin("/metrics").body;
        let line = metrics.lines().find(|line| line.starts_with(SERIES));
        line.unwrap().rsplit(' ').next().unwrap().to_owned()
    }

    fn shown(&self) -> serde_json::Value {
        let page = self.server.admin("/v1/status").json();
        let access = page["access"].as_array().unwrap().clone();
        access
            .into_iter()
            .find(|it| it["kind"] == "routes")
            .unwrap()
    }
}

#[test]
fn an_edit_is_in_force_soon_and_one_that_is_wrong_changes_nothing() {
    let routes = Routes::start();
    let cats = "/api/projects/cats";
    assert_eq!(routes.status("mona", cats), 200);
    assert_eq!(routes.stale(), "0");
    let shown = routes.shown();
    assert_eq!(shown["error"], json!(null));
    let first = &shown["in_force"]["routes"][0];
    assert_eq!(*first, "GET /static/{file...}: public");

    let file = routes.file.display();
    for (bad, why) in [
        (
            format!("{}\n[[route]]\n", routes.text),
            "missing field `methods`".to_owned(),
        ),
        (
            routes
                .text
                .replace("project.view\"", "project.view\"\nroles = 1"),
            "unknown field `roles`".to_owned(),
        ),
        (
            String::new(),
            format!("`{file}`: line 1: missing field `principal`"),
        ),
    ] {
        fs::write(&routes.file, bad).unwrap();
        wait_for("the bad edit is seen", || {
            let message = routes.shown()["error"]["message"].to_string();
            message.contains(&why)
        });
        assert_eq!(routes.stale(), "1");
        assert_eq!(routes.status("mona", cats), 200);
        assert_eq!(routes.status("cleo", cats), 403);
    }
    fs::remove_file(&routes.file).unwrap();
    wait_for("the file is missed", || {
        routes.shown()["error"]["message"]
            .to_string()
            .contains("could not read")
    });
    assert_eq!(routes.status("mona", cats), 200);

    let fewer = routes
        .text
        .replace("/api/projects/{project}\"", "/api/v2/projects/{project}\"");
    fs::write(&routes.file, fewer).unwrap();
    wait_for("the good edit", || routes.status("mona", cats) == 403);
    assert_eq!(routes.status("mona", "/api/v2/projects/cats"), 200);
    wait_for("it is shown", || routes.stale() == "0");
    assert_eq!(routes.shown()["error"], json!(null));
}

#[test]
fn a_file_without_routes_lets_nothing_through() {
    let routes = Routes::start();
    let (head, _) = routes.text.split_once("[[route]]").unwrap();
    fs::write(&routes.file, head).unwrap();
    wait_for("nothing is let through", || {
        routes.status("olivia", "/health") == 403
    });
    assert_eq!(routes.status("olivia", "/api/projects/cats"), 403);
}
