//! What `/readyz` and `/v1/status` tell: written by the reloader and the server, read by the admin pages.

use std::{sync::Mutex, time::SystemTime};

use crate::authz::{Finding, Kind};

/// How a reload attempt ended; the `result` and `reason` labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadResult {
    /// A new snapshot is in force.
    Applied,
    /// The candidate was refused; the last good one stays.
    Rejected(Kind),
    /// The sources are what is in force.
    Unchanged,
}

/// One look at the sources that was more than "unchanged".
#[derive(Clone, Debug)]
pub struct Attempt {
    /// When it ended.
    pub at: SystemTime,
    /// The revision of the candidate, if it could be read.
    pub revision: Option<String>,
    /// How it ended.
    pub result: ReloadResult,
    /// Why it was refused, or what should be looked at.
    pub findings: Vec<Finding>,
}

/// State of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// Works, but not as it should: still ready.
    Degraded(String),
    /// Does not work: not ready.
    Failed(String),
    /// Works.
    Ok,
}

/// The checks of `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// A snapshot is in force.
    pub snapshot: Check,
    /// The file watcher lives; dead means polling.
    pub watcher: Check,
    /// What is on disk is what is in force.
    pub sources: Check,
    /// The decisions listener accepts; failed while draining.
    pub listener: Check,
}

/// The shared state behind the admin pages.
#[derive(Debug)]
pub struct Status {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    health: Health,
    /// (file name, SHA-256) of what is in force.
    files: Vec<(String, String)>,
    loaded_at: Option<SystemTime>,
    attempts: Vec<Attempt>,
}
