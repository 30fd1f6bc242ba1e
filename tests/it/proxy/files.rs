//! The file of routes while it changes.

use std::{fs, path::PathBuf};

use serde_json::json;
use tempfile::TempDir;

use super::{Gateway, mapping, shipped};
use crate::{
    harness::{Server, Start, wait_for},
    process::Process,
};

const SERIES: &str = "palisade_access_stale{kind=\"routes\",listener=\"decisions\"}";

/// One route.
const ROUTES: &str = r#"[headers]
user = "X-User"
[principal]
type = "U"
id = "{user}"
[[route]]
methods = ["GET"]
path = "/{id}"
action = "look"
resource = {type = "D", id = "{id}"}
"#;

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

#[test]
fn a_route_that_asks_what_is_not_declared_is_told() {
    let routes = Routes::start();
    assert_eq!(routes.shown()["warnings"], json!([]));
    let typo = routes.text.replace("\"project.view\"", "\"project.veiw\"");
    fs::write(&routes.file, &typo).unwrap();
    wait_for("a warning", || {
        let warnings = routes.shown()["warnings"].to_string();
        warnings.contains("the schema has no action `project.veiw`")
    });
    let first = typo.lines().position(|line| line == "[[route]]").unwrap();
    let before = |line: &str| {
        line.split_once(':').unwrap().0[5..]
            .parse::<usize>()
            .unwrap()
    };
    let told = routes.shown()["warnings"][0].as_str().map(before);
    assert!(told > Some(first), "{told:?}");
    fs::write(&routes.file, &routes.text).unwrap();
    wait_for("no warning", || routes.shown()["warnings"] == json!([]));
}

#[test]
fn an_edit_of_the_schema_that_routes_miss_something_of_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let schema = "entity U, D; action view, look appliesTo {principal: U, resource: D};";
    write("schema.cedarschema", schema);
    write("all.cedar", "permit (principal, action, resource);");
    write("routes.toml", ROUTES);
    let path = |name| folder.path().join(name).display().to_string();
    let flags = [
        ["--policies", "all.cedar"],
        ["--schema", "schema.cedarschema"],
        ["--gateway", &path("routes.toml")],
    ];
    let process = Process::serve(folder.path(), flags.as_flattened());
    let mut admin = process.connect_admin();
    let mut warnings = || {
        let page = admin.send("GET", "/v1/status", &[], b"").json();
        page["access"][0]["warnings"].clone()
    };
    assert_eq!(warnings(), json!([]));
    write("schema.cedarschema", &schema.replace(", look", ""));
    let said = json!(["line 8: the schema has no action `look`"]);
    wait_for("a warning", || warnings() == said);
    write("schema.cedarschema", schema);
    wait_for("no warning", || warnings() == json!([]));
}
