//! The other process: it reads a job, proves, and answers. Whatever a candidate does to it, the
//! process that serves is another one.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    process, thread,
    time::{Duration, Instant},
};

use rustix::process::{
    Resource, Rlimit, Signal, getpgrp, getpid, kill_current_process_group, setrlimit,
};

use crate::authz::{
    Cell, Dead, Finding, Kind, Parts, Rejection, Report, Snapshot, Sources, Verdict, assumptions,
    invariant_names,
};

use super::{
    CellName, CellVerdict, Limits, Outcome, Prover, STACK_BYTES,
    job::{Job, Texts},
    session::NO_TIME,
    told::Told,
};

/// Our own address space: the stacks of the threads that recurse, and the terms of claims. What
/// ships takes a tenth of it.
const WORKER_BYTES: u64 = 4 << 30;

/// More processor time than the job has time, for each solver that works at once.
const SPARE_SECONDS: u64 = 5;

/// How many findings are told: nobody mends more at once.
const MAX_TOLD: usize = 100;

/// Of how many edited policies it is asked whether they decide anything.
const MAX_EDITED: usize = 20;

/// How long that may take in all: it is only told, and an edit waits for it.
const DEAD_TIME: Duration = Duration::from_secs(1);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// What was read is no job, or an answer cannot be written.
    #[error("it is no job: {0}")]
    Job(#[from] serde_json::Error),
    /// Nothing can be read or written, or no limit be set.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The sources arrived otherwise than they were sent.
    #[error("it has no sources: {0}")]
    Sources(#[from] base64::DecodeError),
    /// A fault of ours.
    #[error("proving made us panic")]
    Panic,
}

/// Reads one job, does it, and writes what came of it. Ends with whoever holds the other end of
/// `input`, and everything that it started with it.
///
/// # Errors
/// There is no answer.
pub fn work(input: impl Read + Send + 'static, mut output: impl Write) -> Result<(), WorkError> {
    let start = Instant::now();
    modest()?;
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    input.read_until(b'\n', &mut line)?;
    let job: Job = serde_json::from_slice(&line)?;
    drop(line);
    limit(Resource::Cpu, seconds(&job))?;
    thread::Builder::new()
        .name("orphan".to_owned())
        .spawn(move || end_with(&mut input))?;
    let thread = thread::Builder::new().stack_size(STACK_BYTES);
    let outcome = thread
        .spawn(move || outcome(&job, start))?
        .join()
        .map_err(|_| WorkError::Panic)??;
    serde_json::to_writer(&mut output, &Told::from(outcome))?;
    Ok(output.flush()?)
}

/// Takes less than the one who serves, and goes first where memory is short.
fn modest() -> io::Result<()> {
    limit(Resource::Core, 0)?;
    limit(Resource::As, WORKER_BYTES)?;
    // Where there is no such file nobody ends processes by it.
    let _ = fs::write("/proc/self/oom_score_adj", "1000");
    Ok(())
}

fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let limit = Rlimit {
        current: Some(most),
        maximum: Some(most),
    };
    Ok(setrlimit(resource, limit)?)
}

fn seconds(job: &Job) -> u64 {
    let threads = u64::try_from(job.solvers).unwrap_or(u64::MAX);
    let of_one = job.time().as_secs().saturating_add(SPARE_SECONDS);
    of_one.saturating_mul(threads.max(1))
}

/// Waits for the end of the process that gave us the job, and ends with it: a solver that is busy
/// would not see that nobody reads its answers.
fn end_with(input: &mut impl Read) {
    while input.read(&mut [0; 1]).is_ok_and(|read| read > 0) {}
    // A group that is not ours has others in it.
    if getpgrp() == getpid() {
        let _ = kill_current_process_group(Signal::KILL);
    }
    process::abort();
}

fn outcome(job: &Job, start: Instant) -> Result<Outcome, WorkError> {
    let candidate = job.candidate.sources()?;
    let before = job.before.as_ref().map(Texts::sources).transpose()?;
    let prover = Prover::known(
        job.solver.clone(),
        Limits {
            claim_time: Duration::from_millis(job.claim_time_ms),
            solver_bytes: job.solver_bytes,
            solvers: job.solvers,
            until: start.checked_add(job.time()),
            // Who looks at cells wants to know of each.
            brief: !job.cells,
        },
    );
    let gone = before.as_ref().and_then(|before| gone(before, &candidate));
    let assumed = before
        .as_ref()
        .and_then(|before| assumed(before, &candidate));
    let outcome = Snapshot::compile(&candidate).and_then(|candidate| {
        let mut outcome = proved(&prover, job, &candidate, before.as_ref())?;
        outcome
            .findings
            .splice(0..0, gone.into_iter().chain(assumed));
        Ok(outcome)
    });
    Ok(outcome.unwrap_or_else(|rejection| Outcome {
        findings: rejection.findings().to_vec(),
        ..Outcome::default()
    }))
}

/// The invariants that a candidate lost. That none are left is an error, as of canaries.
fn gone(before: &Sources, candidate: &Sources) -> Option<Finding> {
    let [before, now] = [before, candidate].map(|it| invariant_names(&it.invariants));
    let gone: Vec<&str> = before.difference(&now).map(String::as_str).collect();
    if gone.is_empty() {
        return None;
    }
    let message = format!(
        "{} of {} invariants would be gone: `{}`",
        gone.len(),
        before.len(),
        gone.join("`, `")
    );
    let finding = Finding::error(Kind::Proof, "", message);
    Some(match now.is_empty() {
        true => finding.help("put the invariants back"),
        false => finding.warning(),
    })
}

/// What proofs assume now and did not before: whoever adds to it proves less.
fn assumed(before: &Sources, candidate: &Sources) -> Option<Finding> {
    let [before, now] = [before, candidate].map(|it| assumptions(&it.spec));
    let new: Vec<&str> = now.difference(&before).map(String::as_str).collect();
    let message = format!(
        "proofs assume what they did not before:\n{}",
        new.join("\n")
    );
    (!new.is_empty()).then(|| Finding::error(Kind::Proof, "", message).warning())
}

fn proved(
    prover: &Prover,
    job: &Job,
    candidate: &Snapshot,
    before: Option<&Sources>,
) -> Result<Outcome, Rejection> {
    let proofs = candidate.proofs(job.parts())?;
    let mut obligations = proofs.obligations();
    if let Some(before) = before.filter(|_| job.no_wider) {
        let before = Snapshot::compile(before)?;
        obligations.extend(proofs.no_wider(&before.proofs(Parts::default())?));
    }
    let count = obligations.len();
    let proved = prover.prove(&proofs, obligations, &job.known());
    let mut findings = told(proofs.findings(&proved.report));
    // An edit that is refused has more to say than what it says in vain.
    if let Some(before) = before.filter(|_| findings.is_empty()) {
        let mut edited = proofs.new_since(before);
        edited.truncate(MAX_EDITED);
        let (dead, _) = prover.hurried(DEAD_TIME).dead_among(&proofs, &edited);
        let dead = dead.iter().filter(|it| !it.meant);
        findings.extend(dead.map(Dead::finding));
    }
    Ok(Outcome {
        findings,
        cells: cells(&proved.report),
        asked: proved.asked,
        obligations: count,
        proved: proved.keys.into_iter().collect(),
    })
}

/// The findings, or the first of them and how many more there are. What there was no time for is one.
fn told(findings: Vec<Finding>) -> Vec<Finding> {
    let is_late = |it: &Finding| it.message.ends_with(NO_TIME);
    let (late, mut findings): (Vec<_>, Vec<_>) = findings.into_iter().partition(is_late);
    if let Some(first) = late.first() {
        let message = match late.len() {
            1 => first.message.clone(),
            count => format!("{count} statements are not proved: {NO_TIME}"),
        };
        let finding = Finding::error(Kind::Proof, "", message);
        findings.insert(0, finding.help("give `--prove-time` more"));
    }
    let more = findings.len().saturating_sub(MAX_TOLD);
    if more > 0 {
        findings.truncate(MAX_TOLD);
        let message = format!("{more} more findings like these");
        findings.push(Finding::error(Kind::Proof, "", message));
    }
    findings
}

/// Each cell with the worst that is known of it, in whatever shape of request.
fn cells(report: &Report) -> BTreeMap<CellName, (CellVerdict, Option<String>)> {
    let mut cells = BTreeMap::new();
    for result in report.cells() {
        let verdict = verdict(result.cell, result.verdict);
        let worst = cells
            .entry(CellName::from(result.cell))
            .or_insert_with(|| verdict.clone());
        if verdict.0 > worst.0 {
            *worst = verdict;
        }
    }
    cells
}

fn verdict(cell: &Cell, verdict: &Verdict) -> (CellVerdict, Option<String>) {
    match verdict {
        Verdict::Proved => (CellVerdict::Proved, None),
        Verdict::Refuted(example) => {
            let allowed = if example.allowed { "allowed" } else { "denied" };
            let note = format!("not `{}`: `{}` is {allowed}", cell.scope, example.summary);
            (CellVerdict::Refuted, Some(note))
        }
        Verdict::Unknown(why) => (CellVerdict::Unknown, Some(why.clone())),
    }
}
