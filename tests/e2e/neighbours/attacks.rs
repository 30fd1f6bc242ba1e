//! The attacks. Each is bounded in connections and in pace, and says what it was answered.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use rustix::process::nice;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Interval, MissedTickBehavior, interval, sleep},
};
use tokio_rustls::rustls::{self, ClientConfig, ClientConnection, RootCertStore};

use crate::talk;

/// Until what each connection does first is done.
const RUN_UP: Duration = Duration::from_millis(300);
/// The attacker gets what others leave of the cores.
const NICE: i32 = 19;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attack {
    BodiesHeld,
    CedarValues,
    Chunked,
    Churn,
    Garbage,
    Handshakes,
    LargestBatches,
    ManyValues,
    Pipelining,
    Searches,
    SlowBodies,
    Slowloris,
    UnreadBatches,
}

impl Attack {
    pub(crate) const ALL: [Self; 13] = [
        Self::Slowloris,
        Self::SlowBodies,
        Self::BodiesHeld,
        Self::Pipelining,
        Self::Chunked,
        Self::UnreadBatches,
        Self::LargestBatches,
        Self::ManyValues,
        Self::CedarValues,
        Self::Searches,
        Self::Garbage,
        Self::Churn,
        Self::Handshakes,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::BodiesHeld => "bodies of 1 MiB without an end",
            Self::CedarValues => "150,000 values for Cedar",
            Self::Chunked => "chunks without reading",
            Self::Churn => "connections that say nothing",
            Self::Garbage => "garbage",
            Self::Handshakes => "TLS hellos, and no more",
            Self::LargestBatches => "batches of 5,000",
            Self::ManyValues => "bodies of 150,000 values",
            Self::Pipelining => "requests without reading",
            Self::Searches => "searches of all there is",
            Self::SlowBodies => "slow bodies",
            Self::Slowloris => "slow heads",
            Self::UnreadBatches => "batches without reading",
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        let mut all = Self::ALL.into_iter();
        all.find(|it| it.name() == name).expect("an attack")
    }

    /// Whether it is against a listener that speaks TLS.
    pub(crate) fn is_tls(self) -> bool {
        self == Self::Handshakes
    }

    /// How many connections it has at once.
    fn connections(self) -> usize {
        match self {
            Self::Slowloris | Self::SlowBodies => 500,
            Self::BodiesHeld => 100,
            Self::Pipelining
            | Self::Chunked
            | Self::Garbage
            | Self::Churn
            | Self::Handshakes
            | Self::UnreadBatches => 10,
            Self::LargestBatches | Self::ManyValues | Self::CedarValues | Self::Searches => 8,
        }
    }

    /// From one thing that a connection does to the next: with all of them a few hundred a second.
    fn pace(self) -> Duration {
        match self {
            Self::Slowloris | Self::SlowBodies | Self::BodiesHeld => Duration::from_secs(1),
            Self::Pipelining | Self::Chunked | Self::UnreadBatches => Duration::from_millis(100),
            Self::Garbage | Self::Churn => Duration::from_millis(50),
            // A signature takes longer than ten answers.
            Self::Handshakes => Duration::from_millis(200),
            // As fast as they are answered.
            Self::LargestBatches | Self::ManyValues | Self::CedarValues | Self::Searches => {
                Duration::from_millis(1)
            }
        }
    }
}

/// What came of it.
#[derive(Default)]
struct Tally {
    opened: usize,
    /// Connections that the service ended.
    ended: usize,
    statuses: BTreeMap<u16, usize>,
}

/// One of the connections of an attack.
#[derive(Clone)]
struct Hand {
    attack: Attack,
    address: Arc<str>,
    number: usize,
    tally: Arc<Mutex<Tally>>,
}

/// Attacks until standard input ends, and prints what came of it.
pub(crate) fn run(attack: Attack, address: &str) {
    nice(NICE).unwrap();
    let tally = Arc::new(Mutex::new(Tally::default()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.unwrap();
    for number in 0..attack.connections() {
        let hand = Hand {
            attack,
            address: address.into(),
            number,
            tally: Arc::clone(&tally),
        };
        runtime.spawn(hand.attack());
    }
    runtime.block_on(async {
        sleep(RUN_UP).await;
        println!("attacking");
        // Whoever started us closes it.
        let until = tokio::task::spawn_blocking(|| io::read_to_string(io::stdin()));
        let _ = until.await;
    });
    let tally = tally.lock().unwrap();
    let mut said = format!("{} connections", tally.opened);
    for (status, count) in &tally.statuses {
        let _ = write!(said, ", {count} × {status}");
    }
    println!("{said}, {} ended by the service", tally.ended);
}

impl Hand {
    /// Over and over, at its pace.
    async fn attack(self) {
        let pace = self.attack.pace();
        // Not all at the same moment.
        let share = self.number as f64 / self.attack.connections() as f64;
        sleep(pace.mul_f64(share).min(RUN_UP / 2)).await;
        let mut ticks = interval(pace);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let Ok(stream) = TcpStream::connect(&*self.address).await else {
                continue;
            };
            stream.set_nodelay(true).unwrap();
            self.tally.lock().unwrap().opened += 1;
            if self.once(stream, &mut ticks).await.is_err() {
                self.tally.lock().unwrap().ended += 1;
            }
        }
    }

    /// What it does with one connection; an error once the service has ended it.
    async fn once(&self, mut stream: TcpStream, ticks: &mut Interval) -> io::Result<()> {
        const ONE: &str = "/access/v1/evaluation";
        match self.attack {
            Attack::Slowloris => {
                let line = b"GET /openapi.json HTTP/1.1\r\nX: ";
                self.trickle(stream, ticks, line).await
            }
            Attack::SlowBodies => self.trickle(stream, ticks, &talk::head(ONE, 10_000)).await,
            Attack::BodiesHeld => {
                let body = vec![b' '; (1 << 20) - 1];
                stream.write_all(&talk::head(ONE, body.len() + 1)).await?;
                self.send(stream, &body).await
            }
            Attack::Pipelining => {
                let requests = talk::question("ann").repeat(100);
                self.repeat(stream, ticks, &requests).await
            }
            Attack::Chunked => {
                let requests = talk::in_chunks("ann").repeat(100);
                self.repeat(stream, ticks, &requests).await
            }
            Attack::UnreadBatches => self.repeat(stream, ticks, &talk::largest_batch()).await,
            Attack::LargestBatches => self.ask(stream, ticks, &talk::largest_batch()).await,
            Attack::ManyValues => {
                self.ask(stream, ticks, &talk::of_many_values(149_000))
                    .await
            }
            Attack::CedarValues => {
                let question = talk::of_many_values_for_cedar(149_000);
                self.ask(stream, ticks, &question).await
            }
            Attack::Searches => self.ask(stream, ticks, &talk::search()).await,
            Attack::Garbage => self.send(stream, &talk::garbage(self.number)).await,
            Attack::Churn => Ok(()),
            Attack::Handshakes => self.hello(stream).await,
        }
    }

    /// Sends the same over and over, and reads no answer.
    async fn repeat(
        &self,
        mut stream: TcpStream,
        ticks: &mut Interval,
        requests: &[u8],
    ) -> io::Result<()> {
        loop {
            stream.write_all(requests).await?;
            ticks.tick().await;
        }
    }

    /// Sends the beginning, and a byte at each tick after that.
    async fn trickle(
        &self,
        mut stream: TcpStream,
        ticks: &mut Interval,
        begin: &[u8],
    ) -> io::Result<()> {
        stream.write_all(begin).await?;
        loop {
            ticks.tick().await;
            stream.write_all(b"x").await?;
        }
    }

    /// Asks over and over on the same connection, and reads the answers.
    async fn ask(
        &self,
        mut stream: TcpStream,
        ticks: &mut Interval,
        request: &[u8],
    ) -> io::Result<()> {
        loop {
            ticks.tick().await;
            stream.write_all(request).await?;
            let mut answer = Vec::new();
            while !is_whole(&answer) {
                if stream.read_buf(&mut answer).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            self.count(&answer);
        }
    }

    /// Sends something once, and waits for what comes of it.
    async fn send(&self, mut stream: TcpStream, bytes: &[u8]) -> io::Result<()> {
        let mut answer = Vec::new();
        // Refused before all of it is sent: the answer is there all the same.
        let sent = stream.write_all(bytes).await;
        let read = stream.read_to_end(&mut answer).await;
        self.count(&answer);
        sent.and(read).and(Err(io::ErrorKind::UnexpectedEof.into()))
    }

    /// Makes the service sign, and leaves.
    async fn hello(&self, mut stream: TcpStream) -> io::Result<()> {
        let name = "localhost".try_into().unwrap();
        let mut client = ClientConnection::new(nobody_trusted(), name).unwrap();
        let mut hello = Vec::new();
        client.write_tls(&mut hello).unwrap();
        stream.write_all(&hello).await?;
        let mut flight = [0; 4096];
        match stream.read(&mut flight).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    fn count(&self, answer: &[u8]) {
        let status = answer
            .get(9..12)
            .and_then(|it| std::str::from_utf8(it).ok());
        if let Some(status) = status.and_then(|it| it.parse().ok()) {
            *self
                .tally
                .lock()
                .unwrap()
                .statuses
                .entry(status)
                .or_default() += 1;
        }
    }
}

fn is_whole(answer: &[u8]) -> bool {
    const LENGTH: &str = "content-length: ";
    let Some(head) = answer.windows(4).position(|it| it == b"\r\n\r\n") else {
        return false;
    };
    let text = String::from_utf8_lossy(&answer[..head]);
    let length = text.lines().find_map(|line| line.strip_prefix(LENGTH));
    let length: usize = length.unwrap().parse().unwrap();
    answer.len() >= head + 4 + length
}

/// Enough to say hello.
fn nobody_trusted() -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(RootCertStore::empty());
    Arc::new(config.with_no_client_auth())
}
