//! The solver's process: bounded in memory, in what it may answer, and in how long we wait.

use std::{io, path::Path, process::Stdio, time::Duration};

use cedar_policy_symcc::solver::{Decision, DecisionWithModel, Solver, SolverError};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, BufWriter},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use super::Limits;

/// How long a model may be. Those of what ships have some kilobytes.
const MAX_MODEL_BYTES: u64 = 16 << 20;

/// How much longer than it was told we wait for the solver to give up by itself.
const PATIENCE: Duration = Duration::from_secs(1);

/// A running cvc5. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Cvc5 {
    _child: Child,
    input: BufWriter<ChildStdin>,
    output: BufReader<ChildStdout>,
    wait: Duration,
}

impl Cvc5 {
    /// Starts a solver.
    ///
    /// # Errors
    /// It cannot be started, or not be bounded.
    pub(super) fn start(program: &Path, limits: Limits) -> io::Result<Self> {
        let mut child = Command::new(program)
            .args(["--lang", "smt"])
            .arg(format!("--tlimit-per={}", limits.claim_time.as_millis()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok());
        let pid = pid.and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("it ended at once"))?;
        let bytes = Some(limits.solver_bytes);
        let room = Rlimit {
            current: bytes,
            maximum: bytes,
        };
        prlimit(Some(pid), Resource::As, room)?;
        let pipes = (child.stdin.take(), child.stdout.take());
        let (Some(input), Some(output)) = pipes else {
            return Err(io::Error::other("its pipes are missing"));
        };
        Ok(Self {
            _child: child,
            input: BufWriter::new(input),
            output: BufReader::new(output),
            wait: limits.claim_time + PATIENCE,
        })
    }

    /// The next line, waited for so long.
    async fn line(&mut self) -> Result<String, SolverError> {
        let mut line = String::new();
        let mut limited = (&mut self.output).take(MAX_MODEL_BYTES);
        let read = timeout(self.wait, limited.read_line(&mut line)).await;
        match read.map_err(|_| silent("it does not answer in time"))?? {
            0 => Err(silent("it ended")),
            _ => Ok(line),
        }
    }

    async fn decide(&mut self) -> Result<Decision, SolverError> {
        self.input.write_all(b"(check-sat)\n").await?;
        self.flush().await?;
        match self.line().await?.trim() {
            "sat" => Ok(Decision::Sat),
            "unsat" => Ok(Decision::Unsat),
            "unknown" => Ok(Decision::Unknown),
            other => Err(SolverError::Solver(other.to_owned())),
        }
    }

    /// What is written is read by a solver that lives, however long the question.
    async fn flush(&mut self) -> Result<(), SolverError> {
        let flushed = timeout(self.wait, self.input.flush()).await;
        Ok(flushed.map_err(|_| silent("it does not read"))??)
    }
}

fn silent(why: &str) -> SolverError {
    SolverError::Solver(why.to_owned())
}

impl Solver for Cvc5 {
    fn smtlib_input(&mut self) -> &mut (dyn AsyncWrite + Unpin + Send) {
        &mut self.input
    }

    async fn enable_models(&mut self) -> Result<(), SolverError> {
        let option = b"(set-option :produce-models true)\n";
        Ok(self.input.write_all(option).await?)
    }

    async fn check_sat(&mut self) -> Result<Decision, SolverError> {
        self.decide().await
    }

    async fn check_sat_with_model(&mut self) -> Result<DecisionWithModel, SolverError> {
        match self.decide().await? {
            Decision::Unsat => return Ok(DecisionWithModel::Unsat),
            Decision::Unknown => return Ok(DecisionWithModel::Unknown),
            Decision::Sat => {}
        }
        self.input.write_all(b"(get-model)\n").await?;
        self.flush().await?;
        let mut model = self.line().await?;
        if model.trim() != "(" {
            return Err(SolverError::Solver(model.trim().to_owned()));
        }
        // A model is a list whose closing bracket has a line to itself.
        loop {
            let line = self.line().await?;
            model.push_str(&line);
            if model.len() as u64 > MAX_MODEL_BYTES {
                return Err(silent("its model is too long"));
            }
            if line.trim() == ")" {
                return Ok(DecisionWithModel::Sat { model });
            }
        }
    }
}
