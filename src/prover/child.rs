//! A child process that is given something to read and may answer, in bounded time and size. It has
//! a process group of its own, and nothing of that group is left when its time is over.

use std::{
    fmt, io,
    io::{Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

/// How often we ask whether to go on.
const LOOK: Duration = Duration::from_millis(50);

/// What a child may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) time: Duration,
    pub(super) answer_bytes: u64,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChildError {
    /// It ended otherwise than well.
    #[error("it {}", Ended(*.0))]
    Ended(ExitStatus),
    /// It cannot be started, or not be heard.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Nobody wants the answer any more.
    #[error("it is no longer wanted")]
    Stopped,
    /// It said more than anybody reads.
    #[error("its answer is longer than {0} bytes")]
    TooLong(u64),
    /// It took more time than it had.
    #[error("it did not end within {} s", .0.as_secs_f64())]
    TooSlow(Duration),
}

/// How a process ended.
struct Ended(ExitStatus);

/// A child that does not outlive this, nor does what it started in its group.
struct Group {
    child: Child,
    pid: Option<Pid>,
}

/// Runs a command to its end. Its standard input stays open behind `input` until then: it ends with
/// us, however we end. Blocks; `go_on` is asked now and then.
///
/// # Errors
/// There is no whole answer of a child that ended well.
pub(super) fn run(
    command: &mut Command,
    input: &[u8],
    bounds: Bounds,
    go_on: &dyn Fn() -> bool,
) -> Result<Vec<u8>, ChildError> {
    let mut group = Group::start(command)?;
    let pipes = (group.child.stdin.take(), group.child.stdout.take());
    let (Some(stdin), Some(stdout)) = pipes else {
        return Err(io::Error::other("its pipes are missing").into());
    };
    let (answer, answered) = mpsc::sync_channel(1);
    thread::scope(|scope| {
        let thread = || thread::Builder::new().name("prove-io".to_owned());
        let (over, is_over) = mpsc::sync_channel::<()>(1);
        // Both end at once when the group is gone: nobody has the other ends of the pipes.
        let writer = thread().spawn_scoped(scope, move || write(stdin, input, &is_over));
        let reader = move || read(stdout, bounds.answer_bytes, &answer);
        let reader = thread().spawn_scoped(scope, reader);
        let heard = match writer.and(reader) {
            Ok(_) => wait(&answered, bounds, go_on),
            Err(error) => Err(error.into()),
        };
        let status = group.end(heard.is_ok());
        drop(over);
        let heard = heard?;
        let status = status?;
        if !status.success() {
            return Err(ChildError::Ended(status));
        }
        Ok(heard)
    })
}

impl Group {
    fn start(command: &mut Command) -> io::Result<Self> {
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let pid = Some(Pid::from_child(&child));
        Ok(Self { child, pid })
    }

    /// Ends whatever is left of the group. Of one that has answered the leader is waited for first,
    /// as it is about to end.
    fn end(&mut self, answered: bool) -> io::Result<ExitStatus> {
        let Some(pid) = self.pid.take() else {
            return Err(io::Error::other("it has ended before"));
        };
        if answered {
            // Not yet reaped, so that its number is still that of its group.
            let until = Instant::now() + LOOK;
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
            while let Ok(None) = waitid(WaitId::Pid(pid), options) {
                if Instant::now() >= until {
                    break;
                }
                thread::sleep(Duration::from_millis(1));
            }
        }
        // Fails if all have ended.
        let _ = kill_process_group(pid, Signal::KILL);
        self.child.wait()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = self.end(false);
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.code(), self.0.signal()) {
            (Some(code), _) => write!(f, "ended with exit code {code}"),
            (None, Some(signal)) => write!(f, "was ended by signal {signal}"),
            (None, None) => write!(f, "ended"),
        }
    }
}

/// Writes, and keeps the pipe open until all is over.
fn write(mut stdin: ChildStdin, input: &[u8], over: &Receiver<()>) {
    // Whoever does not read is not told; what it answers says enough.
    let _ = stdin.write_all(input).and_then(|()| stdin.flush());
    let _ = over.recv();
}

fn read(stdout: ChildStdout, most: u64, answer: &SyncSender<Result<Vec<u8>, ChildError>>) {
    let mut bytes = Vec::new();
    let read = stdout.take(most.saturating_add(1)).read_to_end(&mut bytes);
    let read = match read {
        Ok(_) if bytes.len() as u64 > most => Err(ChildError::TooLong(most)),
        Ok(_) => Ok(bytes),
        Err(error) => Err(error.into()),
    };
    // Nobody waits for an answer that came too late.
    let _ = answer.try_send(read);
}

fn wait(
    answered: &Receiver<Result<Vec<u8>, ChildError>>,
    bounds: Bounds,
    go_on: &dyn Fn() -> bool,
) -> Result<Vec<u8>, ChildError> {
    let start = Instant::now();
    loop {
        let left = bounds.time.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Err(ChildError::TooSlow(bounds.time));
        }
        match answered.recv_timeout(left.min(LOOK)) {
            Ok(answer) => return answer,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(io::Error::other("nobody listened to it").into());
            }
            Err(RecvTimeoutError::Timeout) if !go_on() => return Err(ChildError::Stopped),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        time: Duration::from_secs(20),
        answer_bytes: 1 << 20,
    };

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[track_caller]
    fn check(script: &str, bounds: Bounds, expected: &str) {
        let input = vec![b'x'; 1 << 20];
        let start = Instant::now();
        let answer = run(&mut sh(script), &input, bounds, &|| true);
        let said = match answer {
            Ok(answer) => String::from_utf8(answer).unwrap(),
            Err(error) => error.to_string(),
        };
        assert_eq!(said, expected, "{script}");
        assert!(start.elapsed() < Duration::from_secs(10), "{script}");
    }

    #[test]
    fn what_a_child_answers_or_why_it_does_not_is_told() {
        let short = Bounds {
            time: Duration::from_millis(300),
            answer_bytes: 10,
        };
        check("head -c 3", BOUNDS, "xxx");
        check("echo hi; exit 3", BOUNDS, "it ended with exit code 3");
        check("echo hi; kill -9 $$", BOUNDS, "it was ended by signal 9");
        check("yes", short, "its answer is longer than 10 bytes");
        check("sleep 60", short, "it did not end within 0.3 s");
        // Nobody reads the input, and a grandchild keeps the output.
        check("sleep 60 & wait", short, "it did not end within 0.3 s");
        check(
            "trap '' TERM HUP; sleep 60 & sleep 60",
            short,
            "it did not end within 0.3 s",
        );
    }

    #[test]
    fn nothing_of_a_group_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        let script = format!(
            "sleep 60 >/dev/null & echo $! >{}; kill -9 $$",
            path.display()
        );
        run(&mut sh(&script), b"", BOUNDS, &|| true).unwrap_err();
        let pid = std::fs::read_to_string(path).unwrap();
        let start = Instant::now();
        let is_left = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()));
            // Whoever reaps orphans may take a while.
            stat.is_ok_and(|stat| !stat.contains(") Z "))
        };
        while is_left() {
            assert!(start.elapsed() < Duration::from_secs(10));
            thread::sleep(LOOK);
        }
    }

    #[test]
    fn who_is_no_longer_wanted_ends() {
        let error = run(&mut sh("sleep 60"), b"", BOUNDS, &|| false).unwrap_err();
        assert!(matches!(error, ChildError::Stopped));
    }
}
