//! What must not grow: memory, file descriptors, threads, inotify watches.

use std::{sync::atomic::Ordering, time::Duration};

use crate::{load::Stage, server::Vitals};

/// Between two looks at `/proc`.
const PAUSE: Duration = Duration::from_millis(200);

/// The first part of the time, in percent, in which everything may still grow: allocators, pools
/// of threads.
const WARM_UP: usize = 20;

/// How much more memory the last third may have than the first, in KiB. A set of ours takes 2 MiB
/// when it is compiled, and there is one reload a second: one that is never freed is ten times
/// over this in a minute.
const MORE_KIB: u64 = 12 << 10;

/// How many more descriptors and watches the last third may have: nothing but what an edit that
/// is under way opens.
const MORE_FDS: u64 = 3;
const MORE_WATCHES: u64 = 6;

/// How many more threads: those for work that blocks come and go with the load.
const MORE_THREADS: u64 = 8;

/// Samples until it is over.
pub(crate) fn watch(stage: &Stage<'_>) -> Vec<Vitals> {
    let mut samples = Vec::new();
    while !stage.over.load(Ordering::SeqCst) {
        match stage.server.vitals() {
            Some(vitals) => samples.push(vitals),
            None => {
                stage.trouble.tell("the server is gone");
                return samples;
            }
        }
        std::thread::park_timeout(PAUSE);
    }
    samples
}

/// What grew, by comparing the medians of the first and of the last third after the warm-up.
pub(crate) fn grown(samples: &[Vitals]) -> Vec<String> {
    let warm = &samples[samples.len() * WARM_UP / 100..];
    let third = warm.len() / 3;
    let (first, last) = (&warm[..third], &warm[warm.len() - third..]);
    if third == 0 {
        return vec!["too few samples".to_owned()];
    }
    type Part = fn(&Vitals) -> u64;
    let parts: [(&str, Part, u64); 4] = [
        ("memory (KiB)", |it| it.rss_kib, MORE_KIB),
        ("file descriptors", |it| it.fds, MORE_FDS),
        ("threads", |it| it.threads, MORE_THREADS),
        ("inotify watches", |it| it.watches, MORE_WATCHES),
    ];
    let grew = parts.into_iter().filter_map(|(name, part, more)| {
        let (before, after) = (median(first, part), median(last, part));
        let message = format!("{name}: {before} in the first third, {after} in the last");
        (after > before + more).then_some(message)
    });
    grew.collect()
}

fn median(samples: &[Vitals], part: fn(&Vitals) -> u64) -> u64 {
    let mut values: Vec<u64> = samples.iter().map(part).collect();
    values.sort_unstable();
    values[values.len() / 2]
}
