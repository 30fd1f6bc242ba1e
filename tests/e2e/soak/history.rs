//! What the log says the server did, in the order in which it did it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Condvar, Mutex, MutexGuard},
    time::Duration,
};

use serde_json::Value;

use crate::{
    clock::{Micros, SECOND, now, since_epoch},
    trouble::Trouble,
};

/// How much later than written a line may be read: whoever judges waits for it.
const LAG: Micros = SECOND;

/// One thing that the reload loop did.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) at: Micros,
    /// `None` if the sources could not be read.
    pub(crate) revision: Option<String>,
    pub(crate) what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Published,
    /// For this reason.
    Refused(String),
    /// What was in force all the time lies on the disk again.
    Restored,
}

#[derive(Default)]
pub(crate) struct History {
    inner: Mutex<Vec<Event>>,
    told: Condvar,
}

/// What one reply carried.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) revision: String,
    pub(crate) sent: Micros,
    pub(crate) received: Micros,
}

/// One who asks one question after the other, and so must never see time go back.
#[derive(Default)]
pub(crate) struct Observer {
    seen: VecDeque<Seen>,
    /// The event that the last judged reply was made under.
    under: usize,
}

impl History {
    /// Takes a line of the log. Whatever is neither news nor a reload is trouble.
    pub(crate) fn read(&self, line: &Value, trouble: &Trouble) {
        let text = |field: &str| line[field].as_str().map(ToOwned::to_owned);
        let what = match line["result"].as_str() {
            Some("applied") => What::Published,
            Some("rejected") => What::Refused(text("reason").unwrap_or_default()),
            Some("unchanged") => What::Restored,
            None if line["level"] == "INFO" => return,
            Some(_) | None => return trouble.tell(&format!("a line of the log: {line}")),
        };
        let at = line["timestamp"].as_str().unwrap_or_default();
        let event = Event {
            at: since_epoch(humantime::parse_rfc3339(at).unwrap()),
            revision: text("revision"),
            what,
        };
        self.inner().push(event);
        self.told.notify_all();
    }

    /// Events from a number on.
    pub(crate) fn from(&self, number: usize) -> Vec<Event> {
        self.inner()[number..].to_vec()
    }

    /// Waits until there are more than so many events, or for a while.
    pub(crate) fn wait(&self, number: usize, time: Duration) {
        let none = |events: &mut Vec<Event>| events.len() <= number;
        drop(self.told.wait_timeout_while(self.inner(), time, none));
    }

    /// How often something was published, and how often refused for which reason.
    pub(crate) fn counts(&self) -> (u64, BTreeMap<String, u64>) {
        let (mut published, mut refused) = (0, BTreeMap::new());
        for event in self.inner().iter() {
            match &event.what {
                What::Published => published += 1,
                What::Refused(reason) => *refused.entry(reason.clone()).or_default() += 1,
                What::Restored => {}
            }
        }
        (published, refused)
    }

    fn inner(&self) -> MutexGuard<'_, Vec<Event>> {
        self.inner.lock().unwrap()
    }
}

impl Observer {
    /// Takes a reply, and judges those that are old enough for the log to be complete.
    pub(crate) fn sees(&mut self, seen: Seen, history: &History) -> Result<(), String> {
        self.seen.push_back(seen);
        let old = now() - LAG;
        self.judge(history, |seen| seen.received < old)
    }

    /// Judges the others.
    pub(crate) fn finish(&mut self, history: &History) -> Result<(), String> {
        self.judge(history, |_| true)
    }

    fn judge(&mut self, history: &History, ripe: impl Fn(&Seen) -> bool) -> Result<(), String> {
        let events = history.inner();
        while let Some(seen) = self.seen.pop_front_if(|seen| ripe(seen)) {
            self.under = self.place(&events, &seen)?;
        }
        Ok(())
    }

    /// The publication that a reply was made under. The loop does one thing after the other: what
    /// it published came into force after the event before was logged, and before it was logged
    /// itself.
    fn place(&self, events: &[Event], seen: &Seen) -> Result<usize, String> {
        let mut stale = Vec::new();
        for (number, event) in events.iter().enumerate().skip(self.under) {
            if event.what != What::Published || event.revision.as_ref() != Some(&seen.revision) {
                continue;
            }
            let before = number.checked_sub(1).and_then(|it| events.get(it));
            let from = before.map_or(0, |event| event.at);
            let mut later = events.iter().skip(number + 1);
            let next = later.find(|event| event.what == What::Published);
            let until = next.map_or(Micros::MAX, |event| event.at);
            if from <= seen.received && seen.sent <= until {
                return Ok(number);
            }
            stale.push((from, until));
        }
        Err(format!(
            "a reply carried a revision that was not in force at its time\n  {seen:?}\n  in force from, until: \
             {stale:?}\n  the one before was made under event {}: {:?}\n  the last events: {:#?}",
            self.under,
            events.get(self.under),
            &events[events.len().saturating_sub(4)..],
        ))
    }
}
