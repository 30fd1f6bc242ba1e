//! The callers: each asks one question after the other on a connection that stays open, and holds
//! every answer against Cedar's.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    asked::Asked,
    clock::{Stalls, now},
    draw::Draw,
    history::{History, Observer, Seen},
    http::{Connection, Reply},
    offered::Offered,
    server::Server,
    trouble::Trouble,
};

/// Between two looks at the admin pages.
const ADMIN_PAUSE: Duration = Duration::from_millis(50);

/// What everybody who watches the server needs.
pub(crate) struct Stage<'s> {
    pub(crate) server: &'s Server,
    pub(crate) offered: &'s Offered,
    pub(crate) history: &'s History,
    pub(crate) trouble: &'s Trouble,
    pub(crate) stalls: &'s Stalls,
    pub(crate) over: &'s AtomicBool,
}

/// What a caller did.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) queries: BTreeMap<&'static str, u64>,
    pub(crate) failed: u64,
    pub(crate) mismatches: u64,
    /// Of queries during which the server was not stopped.
    pub(crate) took: Vec<Duration>,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        for (kind, count) in other.queries {
            *self.queries.entry(kind).or_default() += count;
        }
        self.failed += other.failed;
        self.mismatches += other.mismatches;
        self.took.extend(other.took);
    }
}

/// Asks until it is over.
pub(crate) fn ask(stage: &Stage<'_>, mut draw: Draw) -> Tally {
    let mut tally = Tally::default();
    let mut observer = Observer::default();
    let mut connection = None;
    while !stage.over.load(Ordering::SeqCst) {
        let asked = Asked::drawn(&mut draw);
        let pauses = stage.server.pauses();
        let (sent, started) = (now(), Instant::now());
        let answered = over(&mut connection, &stage.server.address, |it| {
            it.post(asked.path, &asked.body.to_string())
        });
        let (took, received) = (started.elapsed(), now());
        *tally.queries.entry(asked.kind).or_default() += 1;
        if pauses.is_multiple_of(2) && stage.server.pauses() == pauses {
            tally.took.push(took);
        }
        let reply = match answered {
            Ok(reply) if reply.status == 200 => reply,
            failed => {
                tally.failed += 1;
                let question = format!("{} {}", asked.path, asked.body);
                stage.trouble.tell(&format!(
                    "a query failed after {took:?}: {failed:?}\n  asked: {question}"
                ));
                continue;
            }
        };
        if let Err(mismatch) = matches(stage, &asked, &reply) {
            tally.mismatches += 1;
            stage.trouble.tell(&mismatch);
        }
        see(stage, &mut observer, reply, (sent, received));
    }
    observer
        .finish(stage.history)
        .unwrap_or_else(|it| stage.trouble.tell(&it));
    tally
}

/// Looks at the admin pages until it is over. Returns how often.
pub(crate) fn administer(stage: &Stage<'_>) -> u64 {
    let pages = ["/readyz", "/v1/status", "/metrics"];
    let mut observers = pages.map(|_| Observer::default());
    let mut connection = None;
    let mut looks = 0;
    while !stage.over.load(Ordering::SeqCst) {
        for (page, observer) in pages.iter().zip(&mut observers) {
            let sent = now();
            let answered = over(&mut connection, &stage.server.admin, |it| it.get(page));
            let received = now();
            looks += 1;
            match answered {
                Ok(mut reply) if reply.status == 200 => {
                    reply.revision = told_by(page, &reply.body);
                    see(stage, observer, reply, (sent, received));
                }
                failed => stage.trouble.tell(&format!("`{page}` failed: {failed:?}")),
            }
        }
        std::thread::park_timeout(ADMIN_PAUSE);
    }
    for observer in &mut observers {
        observer
            .finish(stage.history)
            .unwrap_or_else(|it| stage.trouble.tell(&it));
    }
    looks
}

/// The revision that a page tells.
fn told_by(page: &str, body: &str) -> Option<String> {
    if page == "/metrics" {
        let mut series = body
            .lines()
            .filter_map(|line| line.strip_prefix("palisade_snapshot_info{revision=\""));
        let one = series.next()?.split('"').next()?.to_owned();
        return series.next().is_none().then_some(one);
    }
    let json: Value = serde_json::from_str(body).ok()?;
    json["revision"].as_str().map(ToOwned::to_owned)
}

fn see(stage: &Stage<'_>, observer: &mut Observer, reply: Reply, (sent, received): (u64, u64)) {
    let Some(revision) = reply.revision else {
        return stage
            .trouble
            .tell(&format!("not one revision is told: {reply:?}"));
    };
    let seen = Seen {
        revision,
        sent,
        received,
    };
    observer
        .sees(seen, stage.history)
        .unwrap_or_else(|it| stage.trouble.tell(&it));
}

/// Exchanges over the connection that is kept; after a failure, over another.
fn over(
    kept: &mut Option<Connection>,
    address: &str,
    exchange: impl FnOnce(&mut Connection) -> std::io::Result<Reply>,
) -> std::io::Result<Reply> {
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => Connection::open(address)?,
    };
    let reply = exchange(&mut connection)?;
    *kept = Some(connection);
    Ok(reply)
}

/// Holds an answer against what Cedar says of the set that it claims to come from.
fn matches(stage: &Stage<'_>, asked: &Asked, reply: &Reply) -> Result<(), String> {
    let question = || format!("{} {}\n  answer: {}", asked.path, asked.body, reply.body);
    let revision = reply.revision.as_deref().unwrap_or_default();
    let Some(state) = stage.offered.find(revision) else {
        return Err(format!(
            "nobody offered revision `{revision}`\n  asked: {}",
            question()
        ));
    };
    let compiled = state.compiled().map_err(|reason| {
        let reason = reason.as_str();
        format!(
            "revision {revision} should have been refused ({reason})\n  asked: {}",
            question()
        )
    })?;
    let expected = asked.expected(compiled);
    let answer =
        serde_json::from_str(&reply.body).map_err(|error| format!("{error}: {}", question()))?;
    let answer = asked.comparable(answer);
    if answer == expected {
        return Ok(());
    }
    Err(format!(
        "revision {revision} answers otherwise\n  asked: {}\n  Cedar:  {expected}",
        question()
    ))
}
