//! Whether the admin pages tell the truth.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    history::{Event, What},
    http::{Connection, Reply},
    oracle::Compiled,
};

/// What the pages must tell.
pub(crate) struct Truth<'t> {
    pub(crate) revision: &'t str,
    pub(crate) set: &'t Compiled,
    /// What is on the disk is not what is in force.
    pub(crate) stale: bool,
    /// The last thing that was published or refused.
    pub(crate) attempt: &'t Event,
    pub(crate) published: u64,
    /// By reason.
    pub(crate) refused: BTreeMap<String, u64>,
}

pub(crate) struct Pages(Connection);

impl Pages {
    pub(crate) fn at(address: &str) -> Self {
        Self(Connection::open(address).unwrap())
    }

    /// The first thing that is not so.
    pub(crate) fn tell(&mut self, truth: &Truth<'_>) -> Result<(), String> {
        self.status(truth)?;
        self.readiness(truth)?;
        self.metrics(truth)
    }

    /// How many reloads were counted as unchanged.
    pub(crate) fn unchanged(&mut self) -> u64 {
        let metrics = self.page("/metrics").map(|it| it.body);
        value(&metrics.unwrap_or_default(), &reloads("unchanged", "none")).unwrap_or_default()
    }

    fn status(&mut self, truth: &Truth<'_>) -> Result<(), String> {
        let Truth { set, attempt, .. } = truth;
        let status = self.json("/v1/status")?;
        let last = status["attempts"].as_array().and_then(|it| it.last());
        let last = last.cloned().unwrap_or_default();
        let (result, reason) = match &attempt.what {
            What::Refused(reason) => ("rejected", reason.as_str()),
            What::Published => ("applied", "none"),
            What::Restored => ("unchanged", "none"),
        };
        expect("revision", &status["revision"], truth.revision)?;
        expect("result", &last["result"], result)?;
        expect("reason", &last["reason"], reason)?;
        expect("attempt", &last["revision"], attempt.revision.clone())?;
        expect("policies", &status["counts"]["policies"], set.policy_count)?;
        expect("entities", &status["counts"]["entities"], set.entity_count)
    }

    fn readiness(&mut self, truth: &Truth<'_>) -> Result<(), String> {
        let ready = self.json("/readyz")?;
        let sources = if truth.stale { "degraded" } else { "ok" };
        expect("ready", &ready["ready"], true)?;
        expect("watcher", &ready["checks"]["watcher"]["state"], "ok")?;
        expect("sources", &ready["checks"]["sources"]["state"], sources)?;
        for (asked, should) in [(truth.revision, 200), ("other", 503)] {
            let path = format!("/readyz?revision={asked}");
            expect(&path, &self.page(&path)?.status.into(), should)?;
        }
        Ok(())
    }

    fn metrics(&mut self, truth: &Truth<'_>) -> Result<(), String> {
        let metrics = self.page("/metrics")?.body;
        let counts = truth.refused.iter();
        let rejected = counts.map(|(reason, count)| (reloads("rejected", reason), *count));
        let series = [
            ("palisade_sources_stale", u64::from(truth.stale)),
            ("palisade_watcher_up", 1),
            ("palisade_policies", truth.set.policy_count as u64),
            ("palisade_entities", truth.set.entity_count as u64),
            (&reloads("applied", "none"), truth.published),
        ];
        let series = series.map(|(name, should)| (name.to_owned(), should));
        for (name, should) in series.into_iter().chain(rejected) {
            expect(&name, &value(&metrics, &name).into(), should)?;
        }
        Ok(())
    }

    fn json(&mut self, path: &str) -> Result<Value, String> {
        let reply = self.page(path)?;
        serde_json::from_str(&reply.body).map_err(|it| it.to_string())
    }

    fn page(&mut self, path: &str) -> Result<Reply, String> {
        let reply = self.0.get(path);
        reply.map_err(|error| format!("`{path}` failed: {error}"))
    }
}

fn expect(what: &str, is: &Value, should: impl Into<Value>) -> Result<(), String> {
    let should = should.into();
    let told = || format!("{what}: {is}, not {should}");
    (*is == should).then_some(()).ok_or_else(told)
}

fn reloads(result: &str, reason: &str) -> String {
    format!(r#"palisade_reloads_total{{reason="{reason}",result="{result}"}}"#)
}

/// The value of a series.
fn value(metrics: &str, series: &str) -> Option<u64> {
    let of = |line: &str| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok();
    metrics.lines().find_map(of)
}
