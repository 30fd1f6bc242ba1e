//! One connection: HTTP/1.1 with keep-alive until either side has enough.

use std::{convert::Infallible, pin::pin, sync::Arc};

use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};
use tracing::debug;

use crate::api::Handler;

use super::{Limits, accept::stopped};

/// What all connections of a listener have in common.
pub(super) fn builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_header_size(limits.header_bytes);
    builder
}

/// Serves one connection to its end; told to stop, to the end of the answer in flight.
pub(super) async fn serve<H, S>(
    builder: http1::Builder,
    stream: S,
    handler: Arc<H>,
    mut shutdown: watch::Receiver<bool>,
) where
    H: Handler,
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(|request: Request<Incoming>| {
        let handler = Arc::clone(&handler);
        async move { Ok::<_, Infallible>(handler.handle(request).await) }
    });
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut shutdown) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // Callers hang up and send nonsense all the time; that is theirs to look into.
        debug!(%error, "a connection ended: {error}");
    }
}
