//! Who may ask.

mod credentials;
mod renewal;
mod sockets;
mod tls;

use serde_json::{Value, json};

use crate::{
    client::Reply,
    harness::{Server, Start, Tls},
};

const ONE: &str = "/access/v1/evaluation";

fn question(who: &str) -> Value {
    json!({
        "subject": {"type": "user", "id": who},
        "action": {"name": "read"},
        "resource": {"type": "record", "id": "record-1"},
    })
}

fn over(tls: Tls) -> Start {
    Start {
        tls: Some(tls),
        ..Start::default()
    }
}

/// The line of `/v1/status` about one thing that a listener demands.
fn status_of(page: &Reply, listener: &str, kind: &str) -> Value {
    let page = page.json();
    let lines = page["access"].as_array().unwrap().iter();
    let mut of = lines.filter(|it| it["listener"] == listener && it["kind"] == kind);
    of.next().unwrap().clone()
}

fn metric(metrics: &Reply, series: &str) -> f64 {
    let line = metrics.body.lines().find(|it| it.starts_with(series));
    let line = line.unwrap_or_else(|| panic!("no {series}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// The error that `/v1/status` shows for the files of a listener.
fn error_of(server: &Server, listener: &str, kind: &str) -> Option<String> {
    let reading = server.status.read();
    let mut kept = reading.access.iter();
    let kept = kept.find(|it| it.listener == listener && it.kind.as_str() == kind);
    kept.unwrap().error.clone().map(|(_, why)| why)
}
