//! A stream whose other end has to take what we write, and that tells when nothing more has come.

use std::{
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

use super::turns::Turns;

/// Head and body up to this length are joined before they are written: for the system to gather
/// them takes longer than a copy. Nearly all answers are a few hundred bytes. Hyper would join
/// longer ones, too, and keep as much memory for each connection as its longest answer had.
const SMALL_BYTES: usize = 1 << 10;

/// Stands directly on the socket, below TLS, so that every byte the caller takes counts.
pub(super) struct Timed<S> {
    stream: S,
    write_timeout: Duration,
    turns: Arc<Turns>,
    /// Set while the caller takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Timed<S> {
    pub(super) fn new(stream: S, write_timeout: Duration, turns: &Arc<Turns>) -> Self {
        Self {
            stream,
            write_timeout,
            turns: Arc::clone(turns),
            stalled: None,
        }
    }

    /// What a write came to: an error if none got anywhere for too long.
    fn in_time<T>(
        &mut self,
        wrote: Poll<io::Result<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            self.stalled = None;
            return wrote;
        }
        let longest = self.write_timeout;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(longest)));
        ready!(stalled.as_mut().poll(cx));
        let error = io::Error::new(io::ErrorKind::TimedOut, "the caller takes no answer");
        Poll::Ready(Err(error))
    }
}

/// All of them in one piece, if there is space for it.
fn joined<'s>(bufs: &[io::IoSlice<'_>], space: &'s mut [u8]) -> Option<&'s [u8]> {
    let mut length = 0;
    for buf in bufs {
        let end = length + buf.len();
        space.get_mut(length..end)?.copy_from_slice(buf);
        length = end;
    }
    space.get(..length)
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = pin!(&mut self.stream).poll_read(cx, buf);
        if read.is_pending() {
            self.turns.drained();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let wrote = pin!(&mut self.stream).poll_write(cx, buf);
        self.in_time(wrote, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut space = [0; SMALL_BYTES];
        let stream = pin!(&mut self.stream);
        let wrote = match joined(bufs, &mut space) {
            Some(joined) => stream.poll_write(cx, joined),
            None => stream.poll_write_vectored(cx, bufs),
        };
        self.in_time(wrote, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = pin!(&mut self.stream).poll_flush(cx);
        self.in_time(flushed, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = pin!(&mut self.stream).poll_shutdown(cx);
        self.in_time(shut, cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_short_is_joined() {
        let bufs = [&b"ab"[..], b"", b"c"].map(io::IoSlice::new);
        assert_eq!(joined(&bufs, &mut [0; 4]), Some(&b"abc"[..]));
        assert_eq!(joined(&bufs, &mut [0; 3]), Some(&b"abc"[..]));
        assert_eq!(joined(&bufs, &mut [0; 2]), None);
        assert_eq!(joined(&[], &mut [0; 2]), Some(&b""[..]));
    }
}
