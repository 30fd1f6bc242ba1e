//! One connection: HTTP/1.1 with keep-alive until either side has enough, inside TLS or not.

use std::{
    convert::Infallible,
    future::{pending, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time::sleep,
};
use tracing::debug;

use crate::api::{Handler, Peer};

use super::{Limits, accept::stopped, linger::Linger, timed::Timed, tls::Tls};

/// What all connections of a listener have in common.
pub(super) fn builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_header_size(limits.header_bytes);
    builder
}

/// What it takes to serve one connection.
pub(super) struct Connection<H> {
    pub(super) server: http1::Builder,
    pub(super) handler: Arc<H>,
    pub(super) limits: Limits,
    pub(super) peer: Peer,
    pub(super) shutdown: watch::Receiver<bool>,
}

impl<H: Handler> Connection<H> {
    /// Serves it as it is.
    pub(super) async fn serve_plain<S>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let stream = Timed::new(stream, self.limits.write_timeout);
        self.serve(Linger::new(stream)).await;
    }

    /// Serves what is inside TLS. Told to stop before the caller can have asked anything, ends.
    pub(super) async fn serve_tls<S>(mut self, stream: S, tls: &Tls)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let stream = Timed::new(stream, self.limits.write_timeout);
        let accepted = tokio::select! {
            accepted = tls.accept(stream, self.limits.handshake_timeout) => accepted,
            () = stopped(&mut self.shutdown) => return,
        };
        match accepted {
            Ok((stream, certificate)) => {
                self.peer.encrypted = true;
                self.peer.certificate = certificate;
                self.serve(Linger::new(stream)).await;
            }
            // The alert that says why should not be overtaken by a reset.
            Err(Some(stream)) => {
                let mut stream = pin!(Linger::new(stream));
                let _ = poll_fn(|cx| stream.as_mut().poll_shutdown(cx)).await;
            }
            Err(None) => {}
        }
    }

    /// Serves to the end of the connection; told to stop, to the end of the answer in flight.
    async fn serve<S>(mut self, stream: Linger<S>)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let asked = AtomicBool::new(false);
        let service = service_fn(|request: Request<Incoming>| {
            asked.store(true, Ordering::Relaxed);
            async { Ok::<_, Infallible>(self.handler.handle(request, &self.peer).await) }
        });
        let connection = self.server.serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = stopped(&mut self.shutdown) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
            () = never(&asked, self.limits.first_request_timeout) => {
                debug!("a connection ended: it has asked nothing");
                return;
            }
        };
        if let Err(error) = ended {
            // Callers hang up and send nonsense all the time; that is theirs to look into.
            debug!(%error, "a connection ended: {error}");
        }
    }
}

/// Ends when the time is over, unless something was asked by then.
async fn never(asked: &AtomicBool, longest: Duration) {
    sleep(longest).await;
    if asked.load(Ordering::Relaxed) {
        pending::<()>().await;
    }
}
