//! What the admin listener tells, and whether it is one truth.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::client::Connection;

/// How many attempts the status page remembers.
const REMEMBERED: usize = 20;

/// Metrics, status and readiness at one moment, or near enough.
pub(super) struct Told {
    series: BTreeMap<String, f64>,
    pub(super) status: Value,
    pub(super) ready: Value,
    pub(super) ready_code: u16,
}

impl Told {
    pub(super) fn by(admin: &mut Connection) -> Self {
        let mut page = |path| admin.send("GET", path, &[], b"");
        let metrics = page("/metrics").body;
        let lines = metrics.lines().filter(|line| !line.starts_with('#'));
        let series = lines.map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        });
        let series = series.collect();
        let ready = page("/readyz");
        Self {
            series,
            status: page("/v1/status").json(),
            ready_code: ready.status,
            ready: ready.json(),
        }
    }

    /// The value of one series, labels and all.
    #[track_caller]
    pub(super) fn metric(&self, series: &str) -> f64 {
        let value = self.series.get(series).copied();
        value.unwrap_or_else(|| panic!("no `{series}`"))
    }

    /// The sum of all series of a family.
    pub(super) fn sum(&self, family: &str) -> f64 {
        self.family(family).map(|(_, value)| value).sum()
    }

    /// The labels of all series of a family.
    pub(super) fn labels(&self, family: &str) -> Vec<&str> {
        self.family(family).map(|(labels, _)| labels).collect()
    }

    /// How often an attempt ended like this.
    pub(super) fn reloads(&self, result: &str, reason: &str) -> f64 {
        let labels = format!("reason=\"{reason}\",result=\"{result}\"");
        self.metric(&format!("palisade_reloads_total{{{labels}}}"))
    }

    pub(super) fn revision(&self) -> &str {
        self.status["revision"].as_str().unwrap()
    }

    /// The last attempt that was more than "unchanged".
    pub(super) fn attempt(&self) -> &Value {
        self.attempts().last().unwrap()
    }

    /// Name and digest of every file in force.
    pub(super) fn files(&self) -> BTreeSet<(String, String)> {
        let files = self.status["files"].as_array().unwrap().iter();
        let text = |file: &Value, key: &str| file[key].as_str().unwrap().to_owned();
        files
            .map(|file| (text(file, "name"), text(file, "sha256")))
            .collect()
    }

    /// What is wrong with what the different pages say, if they do not say the same.
    pub(super) fn contradiction(&self) -> Option<String> {
        let attempts = self.attempts();
        if attempts.len() < REMEMBERED {
            for result in ["applied", "rejected"] {
                let shown = attempts.iter().filter(|it| it["result"] == result).count();
                let counted: f64 = self
                    .family("palisade_reloads_total")
                    .filter(|(labels, _)| labels.contains(&format!("result=\"{result}\"")))
                    .map(|(_, value)| value)
                    .sum();
                if shown as f64 != counted {
                    return Some(format!("{result}: {shown} shown, {counted} counted"));
                }
            }
        }
        let revisions = self.labels("palisade_snapshot_info");
        let in_force = format!("revision=\"{}\"", self.revision());
        if revisions != [in_force.as_str()] {
            return Some(format!("{revisions:?} in metrics, {in_force} in force"));
        }
        let stale = self.metric("palisade_sources_stale") == 1.0;
        if stale != (self.check("sources").0 == "degraded") {
            return Some(format!("stale: {stale}, but {}", self.ready));
        }
        let since =
            |what: &str| self.metric(&format!("palisade_last_reload_{what}_timestamp_seconds"));
        let behind = since("attempt") - since("success");
        if !(0.0..1.0).contains(&behind) && !stale {
            return Some(format!("not stale, and the last success is {behind} s old"));
        }
        (self.ready["revision"] != self.status["revision"]).then(|| self.ready.to_string())
    }

    /// State and message of a check of `/readyz`.
    pub(super) fn check(&self, name: &str) -> (&str, &str) {
        let check = &self.ready["checks"][name];
        let message = check["message"].as_str().unwrap_or_default();
        (check["state"].as_str().unwrap(), message)
    }

    fn attempts(&self) -> &[Value] {
        self.status["attempts"].as_array().unwrap()
    }

    fn family(&self, family: &str) -> impl Iterator<Item = (&str, f64)> {
        self.series.iter().filter_map(move |(series, value)| {
            let rest = series.strip_prefix(family)?;
            let labels = rest.strip_prefix('{')?.strip_suffix('}')?;
            Some((labels, *value))
        })
    }
}

/// The files that the findings of an attempt are about.
pub(super) fn named(attempt: &Value) -> BTreeSet<&str> {
    errors(attempt)
        .map(|it| it["file"].as_str().unwrap())
        .collect()
}

/// The findings for which an attempt was refused.
pub(super) fn errors(attempt: &Value) -> impl Iterator<Item = &Value> {
    let findings = attempt["findings"].as_array().unwrap().iter();
    findings.filter(|it| it["severity"] == "error")
}
