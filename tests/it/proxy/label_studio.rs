//! The mapping that ships, with the policies and the example organization that do.

use super::{GATEWAYS, mapping, shipped};
use crate::harness::Server;

/// Of each line of a request: whoever may, and whoever may not.
const REQUESTS: &str = "
    GET    /api/projects/cats/                              anna  cleo
    GET    /api/projects/cats                               mona  cleo
    HEAD   /api/projects/cats/                              anna  cleo
    DELETE /api/projects/voices/                            marek mona
    GET    /api/projects/cats/export?exportType=JSON        mona  marek
    POST   /api/projects/cats/exports/                      mona  rita
    GET    /api/projects/cats/exports/3/download            mona  marek
    POST   /api/projects/cats/import                        mona  rita
    POST   /api/projects/calls/validate/                    mona  ravi
    GET    /api/projects/voices/stats/IAA                   ravi  anna
    GET    /api/tasks/?page=2&project=calls                 mona  ben
    GET    /api/dm/columns/?project=calls                   mona  ben
    POST   /api/dm/actions/?id=delete_tasks&project=cats    mona  rita
    GET    /api/users/?project=cats                         anna  cleo
    GET    /api/users/                                      mona  rita
    GET    /api/users/anna/                                 anna  olivia
    GET    /api/current-user/whoami                         anna  newton
    GET    /api/organizations/acme/memberships              mona  rita
    GET    /api/invite                                      adam  mona
    DELETE /api/organizations/acme/memberships/anna/        adam  mona
    GET    /api/activity-logs/                              adam  mona
    POST   /api/workspaces/                                 marek rita
    GET    /api/workspaces/vision/                          ben   anna
    PATCH  /api/workspaces/speech/                          marek mona
    DELETE /api/workspaces/archive/                         mona  marek
    GET    /projects/cats/data                              mona  cleo
";

#[test]
fn requests_of_the_application_are_decided_by_the_table() {
    let server = Server::start(&shipped());
    let mut asked = 0;
    for line in REQUESTS.trim().lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [method, uri, permitted, denied] = words[..] else {
            panic!("not four words: {line}");
        };
        for (user, expected) in [(permitted, 200), (denied, 403)] {
            for gateway in GATEWAYS {
                let reply = gateway.ask_as(&server, user, (method, uri));
                assert_eq!(reply.status, expected, "{gateway:?} {user} {line}");
                asked += 1;
            }
        }
    }
    assert_eq!(asked, 26 * 6);
}

#[test]
fn nobody_may_what_a_proxy_cannot_know_nor_reach_another_organization() {
    let server = Server::start(&shipped());
    for request in [
        ("GET", "/api/tasks/1/"),
        ("GET", "/api/annotations/1/"),
        ("GET", "/api/projects/"),
        ("POST", "/api/projects/"),
        ("PATCH", "/api/projects/cats/"),
        ("GET", "/projects/cats/resolve/?fileuri=x"),
        ("GET", "/admin/"),
        ("POST", "/api/dm/actions/?id=something_new&project=cats"),
        ("POST", "/api/dm/actions/?id=delete_tasks"),
        ("GET", "/api/organizations/globex"),
        ("DELETE", "/api/organizations/globex/memberships/anna"),
        ("GET", "/api/projects/..globex%20"),
        ("GET", "/api/projects/no-such"),
        ("GET", "/API/projects/cats"),
        ("TRACE", "/api/projects/cats"),
        ("GET", "/health/x"),
        ("POST", "/health"),
    ] {
        for gateway in GATEWAYS {
            let reply = gateway.ask_as(&server, "olivia", request);
            assert_eq!(reply.status, 403, "{gateway:?} {request:?} {reply:?}");
        }
    }
    // Nobody here is a member of the other organization, however the name is written.
    for user in [
        "../globex/gus",
        "globex/gus",
        "gus",
        "olivia/",
        "Olivia",
        "*",
        " ",
    ] {
        for gateway in GATEWAYS {
            let reply = gateway.ask_as(&server, user, ("GET", "/api/projects/roads"));
            assert_ne!(reply.status, 200, "{gateway:?} {user}");
        }
    }
}

#[test]
fn the_way_in_is_open_to_everybody() {
    let server = Server::start(&shipped());
    for request in [
        ("GET", "/static/js/app.js"),
        ("HEAD", "/static/js/app.js"),
        ("GET", "/health"),
        ("POST", "/user/login/"),
        ("POST", "/api/token/refresh/"),
    ] {
        for gateway in GATEWAYS {
            let reply = gateway.ask(&mut server.connect(), request, &[]);
            assert_eq!(
                (reply.status, reply.body.as_str()),
                (200, ""),
                "{request:?}"
            );
        }
    }
}

#[test]
fn every_action_that_the_mapping_names_is_one_of_the_schema() {
    let text = std::fs::read_to_string(mapping()).unwrap();
    let root = env!("CARGO_MANIFEST_DIR");
    let schema = std::fs::read_to_string(format!("{root}/schema/label-studio.cedarschema"));
    let schema = schema.unwrap();
    let actions = text
        .lines()
        .filter_map(|line| line.strip_prefix("action = "));
    let actions: Vec<&str> = actions.collect();
    assert!(actions.len() > 50, "{}", actions.len());
    for action in actions {
        assert!(schema.contains(action), "{action}");
    }
}
