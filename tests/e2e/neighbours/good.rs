//! The good caller: short questions at a steady pace on a few connections that it keeps.

use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    thread,
    time::{Duration, Instant},
};

use crate::{server::Server, talk};

/// As a backend's pool has them: some on each thread that answers.
const CONNECTIONS: usize = 8;
/// From one question to the next.
const PACE: Duration = Duration::from_millis(1);

trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

pub(crate) struct Good(Vec<Box<dyn Stream>>);

/// How long the answers of a window took.
#[derive(Clone, Copy)]
pub(crate) struct Window {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
}

impl Good {
    pub(crate) fn connect(server: &Server) -> Self {
        let connect = || -> Box<dyn Stream> {
            if let Some(path) = &server.socket {
                return Box::new(UnixStream::connect(path).unwrap());
            }
            let stream = TcpStream::connect(&server.address).unwrap();
            stream.set_nodelay(true).unwrap();
            Box::new(stream)
        };
        Self((0..CONNECTIONS).map(|_| connect()).collect())
    }

    /// Asks for so long. Every answer has to be right.
    pub(crate) fn ask(&mut self, time: Duration) -> Window {
        let (allowed, denied) = (talk::question("ann"), talk::question("bob"));
        let mut took = Vec::new();
        let mut buffer = [0; 4096];
        let started = Instant::now();
        let mut next = started;
        while next < started + time {
            thread::sleep(next.saturating_duration_since(Instant::now()));
            let number = took.len();
            let (question, right) = match number % 2 {
                0 => (&allowed, r#"{"decision":true}"#),
                _ => (&denied, r#"{"decision":false}"#),
            };
            let stream = &mut self.0[number % CONNECTIONS];
            let asked = Instant::now();
            stream.write_all(question).unwrap();
            let read = stream.read(&mut buffer).unwrap();
            took.push(asked.elapsed());
            let answer = String::from_utf8_lossy(&buffer[..read]);
            assert!(answer.ends_with(right), "not the answer: {answer}");
            // Whoever had to wait does not ask faster after that.
            next = (next + PACE).max(Instant::now());
        }
        took.sort_unstable();
        let quantile = |part: usize| took[(took.len() * part).div_ceil(100).max(1) - 1];
        Window {
            p50: quantile(50),
            p99: quantile(99),
        }
    }
}
