//! Whoever edits: one fault after the other, and after most of them a look at whether the server
//! did what it should.

use std::{
    collections::BTreeMap,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crate::{
    clock::{Micros, SECOND, now},
    disk::Disk,
    draw::Draw,
    faults::{FAULTS, Fault},
    history::{Event, What},
    load::Stage,
    offered::State,
    oracle::Reason,
    pages::{Pages, Truth},
    sets::{Files, Set, Sets},
};

/// Within this time of its last event an edit is in force, or refused.
const IN_FORCE_WITHIN: Micros = 2 * SECOND;

/// What is refused while the disk moves may have been read so long before it is told: the reads
/// that must agree, and a pause of the whole process.
const DISTURBED_FOR: Micros = 3 * SECOND;

/// How long a revision is remembered after it left force.
const REMEMBERED: Micros = 60 * SECOND;

pub(crate) struct Driver<'s> {
    pub(crate) stage: &'s Stage<'s>,
    pub(crate) disk: Disk<'s>,
    pub(crate) sets: Sets,
    pub(crate) draw: Draw,
    /// The valid set that the disk has, or had before it was broken.
    pub(crate) set: Set,
    pages: Pages,
    /// How many events of the history were judged.
    judged: usize,
    in_force: Option<(String, Arc<State>)>,
    /// What was published or refused last.
    attempt: Option<Event>,
    /// That, if it was refused and is still on the disk, as far as the server knows.
    refused: Option<Event>,
    /// When each revision that was in force left it.
    left: BTreeMap<String, Micros>,
    pub(crate) edits: BTreeMap<&'static str, u64>,
    /// From the last event of an edit until it was in force.
    pub(crate) took: Vec<Micros>,
}

impl<'s> Driver<'s> {
    pub(crate) fn new(
        stage: &'s Stage<'s>,
        disk: Disk<'s>,
        sets: Sets,
        set: Set,
        draw: Draw,
    ) -> Self {
        Self {
            pages: Pages::at(&stage.server.admin),
            stage,
            disk,
            sets,
            draw,
            set,
            judged: 0,
            in_force: None,
            attempt: None,
            refused: None,
            left: BTreeMap::new(),
            edits: BTreeMap::new(),
            took: Vec::new(),
        }
    }

    /// Edits until the time is over, or enough went wrong.
    pub(crate) fn run(&mut self, until: Instant) {
        self.settle();
        self.look();
        if self.stage.trouble.count() > 0 {
            // Nothing was edited yet: this machine cannot hold a soak.
            return;
        }
        let mut deck: Vec<&Fault> = Vec::new();
        let mut step = 0;
        while Instant::now() < until && !self.stage.trouble.is_plenty() {
            let Some((name, fault)) = deck.pop() else {
                deck = FAULTS.iter().collect();
                self.draw.shuffle(&mut deck);
                continue;
            };
            step += 1;
            self.stage.trouble.at_step(step, name);
            *self.edits.entry(name).or_default() += 1;
            fault(self);
            // Otherwise the next edit comes upon a server that is busy with this one.
            if self.draw.chance(70) {
                self.settle();
                self.look();
            }
            self.pause(300);
        }
        self.settle();
        self.look();
    }

    /// Brings a set to the disk, file by file in any order, and means it from now on.
    pub(crate) fn bring(&mut self, set: Set, how: impl Fn(&Disk<'s>, &str, &[u8])) {
        let mut paths = changes(&self.set.files, &set.files);
        self.draw.shuffle(&mut paths);
        for path in paths {
            match set.files.get(&path) {
                Some(bytes) => how(&self.disk, &path, bytes),
                None => self.disk.remove(&path),
            }
        }
        self.set = set;
    }

    /// Lets at most so many milliseconds pass, the pace of whoever edits.
    pub(crate) fn pause(&mut self, at_most_ms: usize) {
        thread::sleep(Duration::from_millis(self.draw.below(at_most_ms + 1) as u64));
    }

    /// Waits until what lies on the disk is in force, or refused if it must be.
    pub(crate) fn settle(&mut self) {
        let wanted = self.stage.offered.now();
        let moved_at = self.stage.offered.moved_at();
        loop {
            self.judge();
            if self.is_settled(&wanted) {
                return;
            }
            if now() > moved_at + IN_FORCE_WITHIN + self.stage.stalls.since(moved_at) {
                let since = now() - moved_at;
                let verdict = self.verdict(&wanted);
                let (in_force, refused) = (self.in_force.as_ref().map(|it| &it.0), &self.refused);
                let wanted = &wanted.revision;
                return self.trouble(&format!(
                    "{since} µs after the last event {wanted:?} is neither in force nor refused\n  \
                     it should be: {verdict:?}\n  in force: {in_force:?}\n  refused: {refused:?}"
                ));
            }
            self.stage
                .history
                .wait(self.judged, Duration::from_millis(50));
        }
    }

    fn is_settled(&self, wanted: &State) -> bool {
        let in_force = self.in_force.as_ref().map(|it| &it.0);
        match &self.refused {
            Some(refused) => refused.revision == wanted.revision,
            None => in_force.is_some() && in_force == wanted.revision.as_ref(),
        }
    }

    /// Holds what the server did against what it should have done.
    fn judge(&mut self) {
        for event in self.stage.history.from(self.judged) {
            self.judged += 1;
            if let Err(wrong) = self.judge_one(&event) {
                self.trouble(&format!("{wrong}\n  event: {event:?}"));
            }
            match event.what {
                What::Published => self.published(&event),
                What::Refused(_) => {
                    self.refused = Some(event.clone());
                    self.attempt = Some(event);
                }
                What::Restored => {
                    self.refused = None;
                    self.attempt = Some(event);
                }
            }
        }
        let long_ago = now() - REMEMBERED;
        self.left.retain(|_, left| *left > long_ago);
        let in_force = self.in_force.as_ref().map(|it| it.0.as_str());
        let keep = |revision: &str| in_force == Some(revision) || self.left.contains_key(revision);
        self.stage.offered.forget(keep);
    }

    fn judge_one(&self, event: &Event) -> Result<(), String> {
        let Event { at, revision, what } = event;
        let in_force = self.in_force.as_ref().map(|it| &it.0);
        if *what == What::Restored {
            let is_so = in_force == revision.as_ref();
            return sound(is_so, || format!("in force was {in_force:?}"));
        }
        let offered = self.stage.offered;
        let disturbed = offered.disturbed_since(at - DISTURBED_FOR);
        let known = revision.as_ref().and_then(|it| offered.known(it));
        let Some(state) = known else {
            // A mixture that was read while the disk moved: refused, it does no harm. Something in
            // the way of reading has no revision.
            let harmless = match what {
                What::Refused(reason) => revision.is_some() || reason == "io",
                What::Published | What::Restored => false,
            };
            let why = || "nobody offered it, or nothing was in the way of reading".to_owned();
            return sound(harmless && disturbed, why);
        };
        let expected = match self.verdict(&state) {
            Ok(()) => What::Published,
            Err(reason) => What::Refused(reason.as_str().to_owned()),
        };
        sound(*what == expected, || {
            format!("it should have been {expected:?}")
        })?;
        let resumed_at = self.stage.server.resumed_at();
        let gone_at = state.gone_at().max(resumed_at);
        let late = at.saturating_sub(gone_at);
        let limit = || IN_FORCE_WITHIN + self.stage.stalls.since(gone_at);
        let in_time = *what != What::Published || late <= limit();
        sound(in_time, || {
            format!("it was gone from the disk for {late} µs")
        })
    }

    fn verdict(&self, state: &State) -> Result<(), Reason> {
        let candidate = state.compiled()?;
        match self
            .in_force
            .as_ref()
            .and_then(|(_, state)| state.compiled().ok())
        {
            Some(in_force) => candidate.may_follow(in_force),
            None => Ok(()),
        }
    }

    fn published(&mut self, event: &Event) {
        self.refused = None;
        self.attempt = Some(event.clone());
        let revision = event.revision.clone().unwrap_or_default();
        let Some(state) = self.stage.offered.known(&revision) else {
            return;
        };
        let moved_at = self.stage.offered.moved_at();
        if state.gone_at() == Micros::MAX && event.at > moved_at {
            self.took.push(event.at - moved_at);
        }
        if let Some((before, _)) = self.in_force.replace((revision, state)) {
            self.left.insert(before, event.at);
        }
    }

    /// Waits until everything that the admin pages tell is true.
    pub(crate) fn look(&mut self) {
        let until = now() + IN_FORCE_WITHIN;
        loop {
            self.judge();
            match self.is_told() {
                Ok(()) => return,
                Err(wrong) if now() > until => {
                    return self.trouble(&format!("the admin pages lie: {wrong}"));
                }
                Err(_) => self.pause(20),
            }
        }
    }

    fn is_told(&mut self) -> Result<(), String> {
        let (Some((revision, state)), Some(attempt)) = (&self.in_force, &self.attempt) else {
            return Err("nothing is in force".to_owned());
        };
        let (published, refused) = self.stage.history.counts();
        self.pages.tell(&Truth {
            revision,
            set: state.compiled().map_err(|it| it.as_str())?,
            stale: self.stage.offered.now().revision.as_ref() != Some(revision),
            attempt,
            published,
            refused,
        })
    }

    /// How many reloads were counted as unchanged.
    pub(crate) fn unchanged(&mut self) -> u64 {
        self.pages.unchanged()
    }

    fn trouble(&self, what: &str) {
        self.stage.trouble.tell(what);
    }
}

fn sound(is_so: bool, why: impl FnOnce() -> String) -> Result<(), String> {
    is_so.then_some(()).ok_or_else(why)
}

/// The paths that differ between two sets.
fn changes(from: &Files, to: &Files) -> Vec<String> {
    let paths = from
        .keys()
        .chain(to.keys().filter(|path| !from.contains_key(*path)));
    paths
        .filter(|path| from.get(*path) != to.get(*path))
        .cloned()
        .collect()
}
