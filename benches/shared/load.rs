//! Callers in a closed loop: each asks its next question when it has the answer to the last.
//!
//! One thread, so that it takes little of the machine: it sleeps until any of the connections has
//! an answer, or in the read itself if there is but one. Every answer is compared.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    path::PathBuf,
    time::{Duration, Instant},
};

use rustix::{
    buffer::spare_capacity,
    event::epoll::{self, CreateFlags, EventData, EventFlags},
    fd::OwnedFd,
};

use crate::ask::Ask;

/// A batch of a hundred is answered with 2 kB.
const LONGEST_ANSWER: usize = 64 << 10;

/// Where a server listens.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// A request, head and body, and the body of its answer.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) request: Vec<u8>,
    pub(crate) answer: Vec<u8>,
}

impl Question {
    /// With Palisade's answer.
    pub(crate) fn evaluation(ask: &Ask) -> Self {
        let answer = format!(r#"{{"decision":{}}}"#, ask.allowed);
        Self::post("/access/v1/evaluation", &ask.body, answer.as_bytes())
    }

    /// All in one batch, with Palisade's answer.
    pub(crate) fn evaluations<'a>(asks: impl Iterator<Item = &'a Ask>) -> Self {
        let (bodies, answers): (Vec<&str>, Vec<String>) = asks
            .map(|ask| {
                (
                    ask.body.as_str(),
                    format!(r#"{{"decision":{}}}"#, ask.allowed),
                )
            })
            .unzip();
        let list = |items: &str| format!(r#"{{"evaluations":[{items}]}}"#);
        Self::post(
            "/access/v1/evaluations",
            &list(&bodies.join(",")),
            list(&answers.join(",")).as_bytes(),
        )
    }

    /// A `POST` of JSON, as a plain client sends it.
    pub(crate) fn post(path: &str, body: &str, answer: &[u8]) -> Self {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: 127.0.0.1:8180\r\ncontent-type: application/json\r\n\
             accept: */*\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        Self {
            request: request.into_bytes(),
            answer: answer.to_vec(),
        }
    }
}

/// Connections to one server, kept alive.
pub(crate) struct Callers {
    callers: Vec<Caller>,
    ready: OwnedFd,
    /// How many questions were asked so far.
    asked: usize,
}

struct Caller {
    stream: Stream,
    /// What came of the answer so far, and how much that is.
    buffer: Box<[u8]>,
    filled: usize,
    /// The number of the question in flight.
    question: usize,
    since: Instant,
}

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Callers {
    pub(crate) fn connect(address: &Address, connections: usize) -> io::Result<Self> {
        let ready = epoll::create(CreateFlags::CLOEXEC)?;
        let mut callers = Vec::with_capacity(connections);
        for number in 0..connections {
            let stream = Stream::connect(address)?;
            epoll::add(
                &ready,
                &stream,
                EventData::new_u64(number as u64),
                EventFlags::IN,
            )?;
            callers.push(Caller {
                stream,
                buffer: vec![0; LONGEST_ANSWER].into(),
                filled: 0,
                question: 0,
                since: Instant::now(),
            });
        }
        Ok(Self {
            callers,
            ready,
            asked: 0,
        })
    }

    /// Asks these questions in turn, until the time is over and everything is answered. Gives how
    /// long each answer took.
    pub(crate) fn ask(
        &mut self,
        questions: &[Question],
        time: Duration,
    ) -> io::Result<Vec<Duration>> {
        let end = Instant::now() + time;
        let mut latencies = Vec::with_capacity(1 << 18);
        for caller in &mut self.callers {
            caller.ask(questions, self.asked)?;
            self.asked += 1;
        }
        let mut in_flight = self.callers.len();
        let alone = in_flight == 1;
        let mut events = Vec::with_capacity(in_flight);
        while in_flight > 0 {
            let heard = if alone {
                0..1
            } else {
                epoll::wait(&self.ready, spare_capacity(&mut events), None)?;
                0..events.len()
            };
            for index in heard {
                let number = events.get(index).map_or(0, |event| event.data.u64());
                let caller = &mut self.callers[number as usize];
                let Some(now) = caller.hear(questions)? else {
                    continue;
                };
                latencies.push(now - caller.since);
                if now < end {
                    caller.ask(questions, self.asked)?;
                    self.asked += 1;
                } else {
                    in_flight -= 1;
                }
            }
            events.clear();
        }
        Ok(latencies)
    }
}

impl Caller {
    fn ask(&mut self, questions: &[Question], number: usize) -> io::Result<()> {
        self.question = number % questions.len();
        self.filled = 0;
        self.since = Instant::now();
        self.stream.write_all(&questions[self.question].request)
    }

    /// Reads once; when the answer was complete, if it is.
    fn hear(&mut self, questions: &[Question]) -> io::Result<Option<Instant>> {
        let length = self.stream.read(&mut self.buffer[self.filled..])?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.filled += length;
        let heard = &self.buffer[..self.filled];
        let Some(body) = body(heard) else {
            return Ok(None);
        };
        let now = Instant::now();
        let question = &questions[self.question];
        if heard.starts_with(b"HTTP/1.1 200 ") && body == question.answer {
            return Ok(Some(now));
        }
        Err(io::Error::other(format!(
            "{}\n-- is answered --\n{}\n-- not --\n{}",
            String::from_utf8_lossy(&question.request),
            String::from_utf8_lossy(heard),
            String::from_utf8_lossy(&question.answer),
        )))
    }
}

/// The body of an answer, if it is all there.
fn body(answer: &[u8]) -> Option<&[u8]> {
    const LENGTH: &[u8] = b"\r\ncontent-length: ";
    let head = answer.windows(4).position(|it| it == b"\r\n\r\n")?;
    let at = answer[..head]
        .windows(LENGTH.len())
        .position(|it| it == LENGTH)?;
    let digits = answer[at + LENGTH.len()..].iter();
    let length = digits
        .take_while(|it| it.is_ascii_digit())
        .fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0'));
    answer.get(head + 4..head + 4 + length)
}

impl Stream {
    fn connect(address: &Address) -> io::Result<Self> {
        Ok(match address {
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address)?;
                stream.set_nodelay(true)?;
                Self::Tcp(stream)
            }
            Address::Unix(path) => Self::Unix(UnixStream::connect(path)?),
        })
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(buffer),
            Self::Unix(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
