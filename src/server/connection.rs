//! One connection: HTTP/1.1 with keep-alive until either side has enough, inside TLS or not.

use std::{
    convert::Infallible,
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::{Poll, ready},
};

use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};
use tracing::debug;

use crate::{
    api::{Handler, Peer},
    telemetry::{BadHead, Connections},
};

use super::{
    Limits,
    accept::stopped,
    linger::Linger,
    patience::{Ended, HeadTimer, Patience},
    seldom::Seldom,
    timed::Timed,
    tls::Tls,
    turns::Turns,
};

/// What all connections of a listener have in common.
pub(super) fn builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .header_read_timeout(limits.header_timeout)
        .max_header_size(limits.header_bytes)
        .max_buf_size(buffer_bytes(limits));
    builder
}

/// Most that hyper reads ahead on a connection, whatever its caller sends at once. A head and the
/// question behind it fit; by itself hyper would read 400 KiB, which thousands of callers that do
/// nothing but send could make it keep.
fn buffer_bytes(limits: &Limits) -> usize {
    const LEAST: usize = 64 << 10;
    LEAST.max(2 * limits.header_bytes)
}

/// What it takes to serve one connection.
pub(super) struct Connection<H> {
    pub(super) server: http1::Builder,
    pub(super) handler: Arc<H>,
    pub(super) limits: Limits,
    pub(super) peer: Peer,
    pub(super) connections: Option<Connections>,
    pub(super) shutdown: watch::Receiver<bool>,
}

impl<H: Handler> Connection<H> {
    /// Serves it as it is.
    pub(super) async fn serve_plain<S>(self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let turns = Arc::default();
        let stream = Timed::new(stream, self.limits.write_timeout, &turns);
        self.serve(Linger::new(stream), &turns).await;
    }

    /// Serves what is inside TLS. Told to stop before the caller can have asked anything, ends.
    pub(super) async fn serve_tls<S>(mut self, stream: S, tls: &Tls)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let turns = Arc::default();
        let stream = Timed::new(stream, self.limits.write_timeout, &turns);
        let accepted = tokio::select! {
            accepted = tls.accept(stream, self.limits.handshake_timeout) => accepted,
            () = stopped(&mut self.shutdown) => return,
        };
        match accepted {
            Ok((stream, certificate)) => {
                self.peer.encrypted = true;
                self.peer.certificate = certificate;
                self.serve(Linger::new(stream), &turns).await;
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
    async fn serve<S>(mut self, stream: Linger<S>, turns: &Turns)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let patience = Patience::new();
        let service = service_fn(|request: Request<Incoming>| {
            patience.asked();
            let (handler, peer) = (&self.handler, &self.peer);
            async move {
                turns.place().await;
                Ok::<_, Infallible>(handler.handle(request, peer).await)
            }
        });
        self.server.timer(HeadTimer(Arc::clone(&patience)));
        let connection = self.server.serve_connection(TokioIo::new(stream), service);
        let mut connection = pin!(connection);
        let (first, head) = (
            self.limits.first_request_timeout,
            self.limits.header_timeout,
        );
        let mut impatient = Seldom::new(patience.ends(first, head));
        let mut stop = Seldom::new(stopped(&mut self.shutdown));
        let served = poll_fn(|cx| {
            ready!(turns.poll_begin(cx));
            if stop.poll(cx).is_ready() {
                connection.as_mut().graceful_shutdown();
            }
            match impatient.poll(cx) {
                Poll::Ready(Ended::Silent) => Poll::Ready(None),
                Poll::Ready(Ended::Late) | Poll::Pending => connection.as_mut().poll(cx).map(Some),
            }
        });
        match served.await {
            None => debug!("a connection ended: it has asked nothing"),
            // Callers hang up and send nonsense all the time; that is theirs to look into.
            Some(Err(error)) => {
                debug!(%error, "a connection ended: {error}");
                if let (Some(connections), Some(head)) = (&self.connections, bad_head(&error)) {
                    connections.refused(head);
                }
            }
            Some(Ok(())) => {}
        }
    }
}

/// What hyper had to say of a head before there was a request to hand on.
fn bad_head(error: &hyper::Error) -> Option<BadHead> {
    let kind = match error.is_parse_too_large() {
        true => BadHead::TooLarge,
        false => BadHead::Malformed,
    };
    error.is_parse().then_some(kind)
}
