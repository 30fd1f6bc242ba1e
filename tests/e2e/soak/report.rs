//! The table at the end.

use std::{collections::BTreeMap, fmt, time::Duration};

use crate::{clock::Micros, driver::Driver, load::Tally, server::Vitals};

pub(crate) struct Report {
    pub(crate) troubles: u64,
    edits: BTreeMap<&'static str, u64>,
    in_force: Vec<Micros>,
    published: u64,
    rejected: BTreeMap<String, u64>,
    unchanged: u64,
    tally: Tally,
    looks: u64,
    samples: Vec<Vitals>,
    stalled: Micros,
}

impl Report {
    pub(crate) fn of(
        driver: &Driver<'_>,
        mut tally: Tally,
        looks: u64,
        samples: Vec<Vitals>,
        unchanged: u64,
    ) -> Self {
        let (published, rejected) = driver.stage.history.counts();
        let mut in_force = driver.took.clone();
        in_force.sort_unstable();
        tally.took.sort_unstable();
        Self {
            troubles: driver.stage.trouble.count(),
            edits: driver.edits.clone(),
            in_force,
            published,
            rejected,
            unchanged,
            tally,
            looks,
            samples,
            stalled: driver.stage.stalls.since(0),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |it: Option<&Micros>| it.copied().unwrap_or_default() / 1_000;
        let us = |it: Option<&Duration>| it.copied().unwrap_or_default().as_micros();
        writeln!(f, "edits       {}", counted(&self.edits))?;
        writeln!(
            f,
            "reloads     {} applied, {} unchanged, rejected: {}",
            self.published,
            self.unchanged,
            counted(&self.rejected)
        )?;
        let took = &self.in_force;
        writeln!(
            f,
            "in force    after {} ms (median), {} ms (p99), {} ms (longest), {} edits",
            ms(part(took, 50)),
            ms(part(took, 99)),
            ms(took.last()),
            took.len()
        )?;
        let Tally {
            queries,
            failed,
            mismatches,
            took,
        } = &self.tally;
        writeln!(
            f,
            "queries     {}: {}",
            queries.values().sum::<u64>(),
            counted(queries)
        )?;
        writeln!(
            f,
            "            {failed} failed, {mismatches} answered otherwise than by Cedar; admin pages {}",
            self.looks
        )?;
        writeln!(
            f,
            "            {} µs (median), {} µs (p99), {} µs (longest)",
            us(part(took, 50)),
            us(part(took, 99)),
            us(took.last())
        )?;
        let of = |name: &str, part: fn(&Vitals) -> u64| {
            let values = self.samples.iter().map(part);
            let max = values.clone().max().unwrap_or_default();
            let (first, last) = (values.clone().next(), values.clone().next_back());
            let (first, last) = (first.unwrap_or_default(), last.unwrap_or_default());
            format!("{name:<11} {first} first, {last} last, {max} most")
        };
        writeln!(f, "{}", of("RSS (KiB)", |it| it.rss_kib))?;
        writeln!(f, "{}", of("fds", |it| it.fds))?;
        writeln!(f, "{}", of("threads", |it| it.threads))?;
        writeln!(f, "{}", of("watches", |it| it.watches))?;
        writeln!(f, "machine     stood still for {} ms", self.stalled / 1_000)?;
        writeln!(f, "violations  {}", self.troubles)
    }
}

/// The value below which so many percent of the sorted values are.
fn part<T>(sorted: &[T], percent: usize) -> Option<&T> {
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)))
}

fn counted(counts: &BTreeMap<impl fmt::Display, u64>) -> String {
    let counts = counts.iter().map(|(name, count)| format!("{name} {count}"));
    counts.collect::<Vec<_>>().join(", ")
}
