//! The accept loops: one task for each socket, one for each connection, all of them joined.
//! Connections are handed to the threads that serve them.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use hyper::server::conn::http1;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    sync::{Semaphore, watch},
    task::{JoinError, JoinSet},
    time::{sleep, timeout},
};
use tracing::{debug, warn};

use crate::{
    api::{Handler, Peer},
    telemetry::{Connections, Throttle},
};

use super::{
    Door, Limits, Threads,
    connection::{self, Connection},
    listen::{Bound, Socket},
    tls::Tls,
};

/// How long to wait when a connection cannot be accepted, which is mostly for want of file
/// descriptors: long enough not to spin, short enough not to be noticed.
const PAUSE: Duration = Duration::from_millis(50);
/// `EBADF`, `EINVAL`, `ENOTSOCK`: the socket itself is broken and stays so.
const BROKEN: [i32; 3] = [9, 22, 88];

/// Why a server stopped though nobody told it to.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A socket cannot accept any more.
    #[error("`{address}` cannot accept connections")]
    Accept {
        /// The address of the socket.
        address: String,
        /// The system's error.
        source: io::Error,
    },
    /// A task ended by a panic.
    #[error("a listener ended")]
    Ended(#[source] JoinError),
}

/// Serves until told to stop: `shutdown` becomes `true`, or its sender is gone. Then accepts
/// nothing more, and lets what is in flight finish within the grace.
///
/// # Errors
/// The first listener that ends before it was told to ends all of them.
pub async fn run<H: Handler>(
    bound: Vec<Bound>,
    door: &Door,
    handler: Arc<H>,
    limits: Limits,
    threads: &Threads,
    shutdown: watch::Receiver<bool>,
) -> Result<(), ServerError> {
    let places = Arc::new(Semaphore::new(limits.connections));
    if let Some(connections) = &door.connections {
        connections.at_most(limits.connections);
    }
    let mut listeners = JoinSet::new();
    for socket in bound {
        let serving = Serving {
            handler: Arc::clone(&handler),
            door: door.clone(),
            limits,
            places: Arc::clone(&places),
            threads: threads.clone(),
            shutdown: shutdown.clone(),
        };
        listeners.spawn(listen(socket, serving));
    }
    while let Some(ended) = listeners.join_next().await {
        ended.map_err(ServerError::Ended)??;
    }
    Ok(())
}

/// What a socket needs to serve its connections.
struct Serving<H> {
    handler: Arc<H>,
    door: Door,
    limits: Limits,
    /// One for each connection, shared by all sockets.
    places: Arc<Semaphore>,
    threads: Threads,
    shutdown: watch::Receiver<bool>,
}

impl<H> Serving<H> {
    fn connection(&self, server: &http1::Builder, peer: Peer) -> Connection<H> {
        Connection {
            server: server.clone(),
            handler: Arc::clone(&self.handler),
            limits: self.limits,
            peer,
            connections: self.door.connections.clone(),
            shutdown: self.shutdown.clone(),
        }
    }
}

async fn listen<H: Handler>(bound: Bound, serving: Serving<H>) -> Result<(), ServerError> {
    let address = bound.address();
    let ended = match bound.socket {
        Socket::Tcp(socket) => match TcpListener::from_std(socket) {
            Ok(socket) => accept(&address, Tcp(socket, serving.door.tls.clone()), serving).await,
            Err(error) => Err(error),
        },
        Socket::Unix(socket, file) => match UnixListener::from_std(socket) {
            Ok(socket) => {
                let users = Arc::clone(&serving.door.allow_uid);
                accept(&address, Unix(socket, users, file), serving).await
            }
            Err(error) => Err(error),
        },
    };
    ended.map_err(|source| ServerError::Accept { address, source })
}

/// A socket that yields connections.
trait Accept {
    /// A connection that no runtime looks after.
    type Raw: Send + 'static;
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    async fn accept(&self) -> io::Result<(Self::Raw, Peer)>;

    /// Lets the runtime that this is called in look after a connection.
    fn open(raw: Self::Raw) -> io::Result<Self::Stream>;

    /// What its connections begin with, if that is not HTTP.
    fn tls(&self) -> Option<&Arc<Tls>>;
}

struct Tcp(TcpListener, Option<Arc<Tls>>);
struct Unix(
    UnixListener,
    Arc<[u32]>,
    #[expect(dead_code, reason = "held so that the file goes with the listener")]
    super::listen::SocketFile,
);

impl Accept for Tcp {
    type Raw = std::net::TcpStream;
    type Stream = tokio::net::TcpStream;

    async fn accept(&self) -> io::Result<(Self::Raw, Peer)> {
        let (stream, _) = self.0.accept().await?;
        // An answer is one write; waiting for more only delays it. It fails if the caller is gone
        // again, which is no error of the listener's.
        let _ = stream.set_nodelay(true);
        Ok((stream.into_std()?, Peer::unknown()))
    }

    fn open(raw: Self::Raw) -> io::Result<Self::Stream> {
        Self::Stream::from_std(raw)
    }

    fn tls(&self) -> Option<&Arc<Tls>> {
        self.1.as_ref()
    }
}

impl Accept for Unix {
    type Raw = std::os::unix::net::UnixStream;
    type Stream = tokio::net::UnixStream;

    async fn accept(&self) -> io::Result<(Self::Raw, Peer)> {
        let (stream, _) = self.0.accept().await?;
        // Whom the system does not name is nobody on the list.
        let uid = stream.peer_cred().ok().map(|peer| peer.uid());
        let listed = uid.is_some_and(|uid| self.1.contains(&uid));
        let peer = Peer {
            admitted: listed || self.1.is_empty(),
            uid,
            ..Peer::unknown()
        };
        Ok((stream.into_std()?, peer))
    }

    fn open(raw: Self::Raw) -> io::Result<Self::Stream> {
        Self::Stream::from_std(raw)
    }

    fn tls(&self) -> Option<&Arc<Tls>> {
        None
    }
}

async fn accept<H: Handler, L: Accept>(
    address: &str,
    listener: L,
    mut serving: Serving<H>,
) -> io::Result<()> {
    let server = connection::builder(&serving.limits);
    let mut connections = JoinSet::new();
    let notices = Throttle::lasting();
    debug!(address, "accepting on {address}");
    loop {
        // The place comes second: a socket that nobody calls must not keep one. Over the cap, one
        // caller waits here and the others in the system's queue.
        let next = async {
            let accepted = listener.accept().await?;
            Ok((accepted, Arc::clone(&serving.places).acquire_owned().await))
        };
        let accepted = tokio::select! {
            next = next => next,
            () = stopped(&mut serving.shutdown) => break,
        };
        // Connections that ended are forgotten here; at most `connections` of them wait for it.
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok(((raw, peer), place)) => {
                let connection = serving.connection(&server, peer);
                // A handshake may take long: it is the connection's own affair.
                let tls = listener.tls().map(Arc::clone);
                let seat = serving.threads.seat();
                let runtime = seat.runtime.clone();
                let open = serving.door.connections.as_ref().map(Connections::open);
                let serve = async move {
                    match (L::open(raw), tls) {
                        (Ok(stream), Some(tls)) => connection.serve_tls(stream, &tls).await,
                        (Ok(stream), None) => connection.serve_plain(stream).await,
                        (Err(error), _) => debug!(%error, "a connection is not served: {error}"),
                    }
                    drop((place, seat, open));
                };
                connections.spawn_on(serve, &runtime);
            }
            Err(error) if is_broken(&error) => return Err(error),
            Err(error) => {
                if let Some(suppressed) = notices.take(Instant::now()) {
                    warn!(
                        address, %error, suppressed,
                        "could not accept a connection on {address}: {error}"
                    );
                }
                if error.kind() != io::ErrorKind::ConnectionAborted {
                    sleep(PAUSE).await;
                }
            }
        }
    }
    drop(listener);
    drain(address, connections, serving.limits.grace).await;
    Ok(())
}

/// Lets connections finish, and ends those that do not in time.
async fn drain(address: &str, mut connections: JoinSet<()>, grace: Duration) {
    let all = async { while connections.join_next().await.is_some() {} };
    if timeout(grace, all).await.is_err() {
        let left = connections.len();
        warn!(
            address,
            left, "{left} connections on {address} did not end in time"
        );
        connections.shutdown().await;
    }
    debug!(address, "stopped accepting on {address}");
}

/// Ends when the server is told to stop. A sender that is gone can no longer tell: stop, too.
pub(super) async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}

fn is_broken(error: &io::Error) -> bool {
    error
        .raw_os_error()
        .is_some_and(|code| BROKEN.contains(&code))
}
