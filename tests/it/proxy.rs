//! What gateways ask, in the requests that each of them writes.

mod answers;
mod credentials;
mod files;
mod label_studio;
mod refusals;

use std::path::{Path, PathBuf};

use palisade::source::Selection;

use crate::{
    client::{Connection, Reply},
    harness::{Server, Start},
};

const GATEWAYS: [Gateway; 3] = [Gateway::Envoy, Gateway::Nginx, Gateway::Traefik];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gateway {
    Envoy,
    Nginx,
    Traefik,
}

impl Gateway {
    /// The request that the gateway sends when it is asked this.
    fn ask(
        self,
        connection: &mut Connection,
        (method, uri): (&str, &str),
        headers: &[(&str, &str)],
    ) -> Reply {
        let mut all = headers.to_vec();
        match self {
            Self::Envoy => {
                let path = format!("/proxy/envoy{uri}");
                connection.send(method, &path, &all, b"")
            }
            Self::Nginx => {
                all.extend([("X-Original-Method", method), ("X-Original-URI", uri)]);
                connection.send("GET", "/proxy/nginx", &all, b"")
            }
            Self::Traefik => {
                all.extend([
                    ("X-Forwarded-Method", method),
                    ("X-Forwarded-Uri", uri),
                    ("X-Forwarded-Host", "app.test"),
                    ("X-Forwarded-Proto", "https"),
                    ("X-Forwarded-For", "127.0.0.1"),
                ]);
                connection.send("GET", "/proxy/traefik", &all, b"")
            }
        }
    }

    /// What it was asked by this member of `acme`.
    fn ask_as(self, server: &Server, user: &str, (method, uri): (&str, &str)) -> Reply {
        let headers = [("X-Auth-User", user)];
        self.ask(&mut server.connect(), (method, uri), &headers)
    }
}

/// Why a request is refused, wherever the gateway is told.
fn code(reply: &Reply) -> String {
    match reply.header("x-palisade-code") {
        Some(code) => code.to_owned(),
        None => reply.code(),
    }
}

/// The mapping that ships.
pub(crate) fn mapping() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/gateways/label-studio.toml")
}

/// The edition that ships, with the mapping that does.
fn shipped() -> Start {
    let selection = Selection {
        root: env!("CARGO_MANIFEST_DIR").into(),
        ..Selection::default()
    };
    let sources = selection.resolve().unwrap().read();
    Start {
        sources: sources.unwrap_or_else(|rejection| panic!("{rejection}")),
        gateway: Some(mapping()),
        ..Start::default()
    }
}
