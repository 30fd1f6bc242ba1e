//! A stream that ends politely.
//!
//! Closing a TCP socket while bytes wait to be read resets the connection, and the reset can
//! overtake the answer: a caller whose body was refused would see an error in place of the 413.
//! So, after the last answer, what still comes is read and thrown away for a moment.

use std::{
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Sleep, sleep},
};

/// How long what still comes is thrown away. A caller that reads its answer hangs up by then.
const LONGEST: Duration = Duration::from_secs(1);
/// How much: several bodies of the largest size, so that no caller keeps us busy.
const MOST_BYTES: usize = 16 << 20;
const BUFFER_BYTES: usize = 8 << 10;
/// Reads in a row: 64 KiB are thrown away in less time than an answer takes, and then others on the
/// thread have their turn.
const READS_AT_ONCE: usize = 8;

pub(super) struct Linger<S> {
    stream: S,
    /// Set once our side is shut down.
    ending: Option<Ending>,
}

struct Ending {
    deadline: Pin<Box<Sleep>>,
    left_bytes: usize,
}

impl<S> Linger<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            ending: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Linger<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        pin!(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Linger<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        pin!(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        pin!(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let ending = match &mut this.ending {
            Some(ending) => ending,
            none => {
                ready!(pin!(&mut this.stream).poll_shutdown(cx))?;
                none.insert(Ending {
                    deadline: Box::pin(sleep(LONGEST)),
                    left_bytes: MOST_BYTES,
                })
            }
        };
        let mut space = [0; BUFFER_BYTES];
        for _ in 0..READS_AT_ONCE {
            if ending.deadline.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut buf = ReadBuf::new(&mut space);
            match ready!(pin!(&mut this.stream).poll_read(cx, &mut buf)) {
                Ok(()) if buf.filled().is_empty() => return Poll::Ready(Ok(())),
                Ok(()) if buf.filled().len() >= ending.left_bytes => return Poll::Ready(Ok(())),
                Ok(()) => ending.left_bytes -= buf.filled().len(),
                // The caller is gone; there is nobody left to be polite to.
                Err(_) => return Poll::Ready(Ok(())),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn others_have_a_turn_while_much_is_thrown_away() {
        let (near, mut far) = duplex(1 << 20);
        far.write_all(&[0; 1 << 20]).await.unwrap();
        drop(far);
        let mut near = Linger::new(near);
        let mut turns = 0;
        poll_fn(|cx| {
            turns += 1;
            pin!(&mut near).poll_shutdown(cx)
        })
        .await
        .unwrap();
        assert!(
            turns > (1 << 20) / (READS_AT_ONCE * BUFFER_BYTES),
            "{turns}"
        );
    }
}
