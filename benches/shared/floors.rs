//! The floors that speed is compared with: hyper, and next to nothing else, in a process of its own.

use std::{
    convert::Infallible,
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    runtime::{Builder, Handle},
};

/// The first argument of a process that is to be a floor; what follows is which, and its socket file.
const BE_ONE: &str = "--be-the-floor";

/// What every floor answers.
pub(crate) const ANSWER: &[u8] = br#"{"decision":true}"#;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Floor {
    /// Reads the request, answers the same bytes always.
    Fixed,
    /// Also parses the question in it, as little as that can be.
    Parse,
}

impl Floor {
    pub(crate) const ALL: [Self; 2] = [Self::Fixed, Self::Parse];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fixed => "floor, fixed",
            Self::Parse => "floor, parse",
        }
    }

    /// This program as that floor. It says its TCP address on a line of standard output, and ends
    /// with its standard input.
    pub(crate) fn command(self, socket: &Path) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args([BE_ONE, self.name()])
            .arg(socket)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        command
    }
}

/// Serves for ever if this process was started to be a floor.
pub(crate) fn be_one_if_asked() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|it| it != BE_ONE) {
        return;
    }
    let name = arguments.next().unwrap();
    let floor = Floor::ALL.into_iter().find(|it| name == it.name()).unwrap();
    let socket = PathBuf::from(arguments.next().unwrap());
    // Whoever started us is gone when this ends.
    thread::spawn(|| {
        let _ = io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let mut accepting = Builder::new_multi_thread();
    let accepting = accepting.worker_threads(2).enable_all().build().unwrap();
    accepting.block_on(serve(floor, socket, Threads::start()));
}

/// The threads that answer, each with a runtime of its own, as `palisade serve` has them by default.
#[derive(Clone)]
struct Threads {
    runtimes: Arc<[Handle]>,
    connections: Arc<AtomicUsize>,
}

impl Threads {
    fn start() -> Self {
        let count = thread::available_parallelism().unwrap().get();
        let start = |_| {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            let handle = runtime.handle().clone();
            thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
            handle
        };
        Self {
            runtimes: (0..count).map(start).collect(),
            connections: Arc::default(),
        }
    }

    /// The runtime of the next connection.
    fn next(&self) -> &Handle {
        let connection = self.connections.fetch_add(1, Ordering::Relaxed);
        &self.runtimes[connection % self.runtimes.len()]
    }
}

async fn serve(floor: Floor, socket: PathBuf, threads: Threads) {
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let unix = UnixListener::bind(socket).unwrap();
    println!("{}", tcp.local_addr().unwrap());
    let of_socket = threads.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = unix.accept().await.unwrap();
            let stream = stream.into_std().unwrap();
            of_socket.next().spawn(async move {
                connection(floor, UnixStream::from_std(stream).unwrap()).await;
            });
        }
    });
    loop {
        let (stream, _) = tcp.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let stream = stream.into_std().unwrap();
        threads.next().spawn(async move {
            connection(floor, TcpStream::from_std(stream).unwrap()).await;
        });
    }
}

async fn connection<S>(floor: Floor, stream: S)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(move |request| async move {
        let status = match floor {
            Floor::Fixed => read(request).await,
            Floor::Parse => parse(request).await,
        };
        let mut response = Response::new(Full::new(Bytes::from_static(ANSWER)));
        *response.status_mut() = status;
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        Ok::<_, Infallible>(response)
    });
    // Callers hang up when they are done.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn read(mut request: Request<Incoming>) -> StatusCode {
    while let Some(frame) = request.body_mut().frame().await {
        if frame.is_err() {
            return StatusCode::BAD_REQUEST;
        }
    }
    StatusCode::OK
}

async fn parse(request: Request<Incoming>) -> StatusCode {
    let Ok(body) = request.into_body().collect().await else {
        return StatusCode::BAD_REQUEST;
    };
    let body = body.to_bytes();
    let Ok(question) = serde_json::from_slice::<Question<'_>>(&body) else {
        return StatusCode::BAD_REQUEST;
    };
    std::hint::black_box(&question);
    StatusCode::OK
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "what is parsed is not asked")]
struct Question<'a> {
    #[serde(borrow)]
    subject: Entity<'a>,
    #[serde(borrow)]
    action: Action<'a>,
    #[serde(borrow)]
    resource: Entity<'a>,
    #[serde(borrow)]
    context: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "what is parsed is not asked")]
struct Entity<'a> {
    #[serde(borrow, rename = "type")]
    type_name: Cow<'a, str>,
    #[serde(borrow)]
    id: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "what is parsed is not asked")]
struct Action<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}
