//! How a case begins.

use std::{path::Path, time::Duration};

use super::{
    files::put,
    turn::Turn,
    world::{Layout, Set},
};
use crate::process::Process;

/// No poll comes to the rescue: what is in force came there by an event.
pub(super) const BY_EVENTS: [&str; 1] = ["--poll-interval=1h"];

/// No event comes to the rescue.
pub(super) const BY_POLLS: [&str; 1] = ["--watch=poll"];

/// Between two questions of a caller.
const THINK: Duration = Duration::from_millis(4);

/// How to begin a case.
pub(super) struct Plan<'a> {
    pub(super) case: u8,
    pub(super) layout: Layout,
    pub(super) flags: &'a [&'a str],
    pub(super) think: Duration,
    /// Puts the first set where it is served from.
    pub(super) place: fn(&Path, &Layout, &Set),
    pub(super) serve: fn(&Path, &[&str]) -> Process,
    /// What the server makes of events.
    pub(super) watcher: Watcher,
    pub(super) turn: Turn,
}

/// What a server makes of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watcher {
    /// Nothing: it could not get any.
    Down,
    /// Nothing: nobody wants them.
    Off,
    /// It listens.
    Up,
}

impl Plan<'_> {
    /// Of a case that begins with plain files and as few flags as this.
    pub(super) fn of(case: u8, flags: &'static [&'static str]) -> Self {
        Self {
            case,
            layout: Layout::tree(""),
            flags,
            think: THINK,
            place: |root, layout, set| put(root, layout, set),
            serve: Process::serve,
            watcher: match flags.contains(&BY_POLLS[0]) {
                true => Watcher::Off,
                false => Watcher::Up,
            },
            turn: Turn::beside_another(),
        }
    }

    /// The same, of a case that no other runs beside: what it does to the machine, all would feel.
    pub(super) fn alone(self) -> Self {
        drop(self.turn);
        Self {
            turn: Turn::alone(),
            ..self
        }
    }
}
