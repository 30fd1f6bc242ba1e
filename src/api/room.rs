//! Memory for long bodies and long answers, over all connections of a listener.
//!
//! What is short is bounded by the number of connections. What is long is not: thousands of bodies
//! that stop before their last byte, or of answers that nobody reads, are gigabytes.

use std::sync::Arc;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    offload::INLINE_BODY_BYTES,
    reply::{Code, Refusal, Reply},
};

/// What is counted at once. The first piece of a body or an answer is nobody's business, so that
/// short questions cost no look here, and have an answer however many long ones are held.
const PIECE_BYTES: usize = INLINE_BODY_BYTES;

/// How much is left.
#[derive(Debug)]
pub(super) struct Room(Arc<Semaphore>);

/// What one body or answer takes of it, until dropped; nothing at first.
#[derive(Debug, Default)]
pub(super) struct Held(Option<OwnedSemaphorePermit>);

/// A text with the room it takes.
#[derive(Debug)]
pub(super) struct Kept {
    text: Bytes,
    #[expect(dead_code, reason = "held as long as the text is")]
    held: Held,
}

impl Room {
    pub(super) fn of(bytes: usize) -> Self {
        let pieces = (bytes / PIECE_BYTES).min(Semaphore::MAX_PERMITS);
        Self(Arc::new(Semaphore::new(pieces)))
    }

    /// The answer, which takes room until it is written or its connection ends.
    ///
    /// # Errors
    /// The refusal that is answered instead.
    pub(super) async fn lend(&self, reply: Reply) -> Result<Reply, Refusal> {
        let (head, body) = reply.into_parts();
        let Ok(body) = body.collect().await;
        let text = body.to_bytes();
        let mut held = Held::default();
        held.grow(text.len(), self)?;
        let text = match held.0 {
            Some(_) => Bytes::from_owner(held.keep(text)),
            None => text,
        };
        Ok(Reply::from_parts(head, Full::new(text)))
    }
}

impl Held {
    /// Takes what this length needs beyond what is taken already.
    ///
    /// # Errors
    /// There is no room for it: the caller is better told to come again.
    pub(super) fn grow(&mut self, bytes: usize, room: &Room) -> Result<(), Refusal> {
        let needed = bytes.saturating_sub(1) / PIECE_BYTES;
        let taken = self.0.as_ref().map_or(0, |it| it.num_permits());
        if needed <= taken {
            return Ok(());
        }
        let more = u32::try_from(needed - taken).unwrap_or(u32::MAX);
        let Ok(more) = Arc::clone(&room.0).try_acquire_many_owned(more) else {
            let message = "too many long bodies and answers are held already";
            return Err(Refusal::unavailable(Code::Overloaded, message).closing());
        };
        match &mut self.0 {
            Some(pieces) => pieces.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }

    /// The text that it was taken for.
    pub(super) fn keep(self, text: Bytes) -> Kept {
        Kept { text, held: self }
    }
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;

    use super::*;
    use crate::api::reply;

    fn left(room: &Room) -> usize {
        room.0.available_permits()
    }

    #[test]
    fn what_is_short_takes_nothing_and_what_is_long_each_piece_once() {
        let room = Room::of(4 * PIECE_BYTES);
        let mut held = Held::default();
        for (bytes, expected) in [
            (0, 4),
            (PIECE_BYTES, 4),
            (PIECE_BYTES + 1, 3),
            (PIECE_BYTES, 3),
            (2 * PIECE_BYTES, 3),
            (5 * PIECE_BYTES, 0),
        ] {
            held.grow(bytes, &room).unwrap();
            assert_eq!(left(&room), expected, "{bytes}");
        }
        let refusal = held.grow(5 * PIECE_BYTES + 1, &room).unwrap_err();
        assert_eq!(refusal.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(Held::default().grow(PIECE_BYTES, &room).is_ok());
        drop(held.keep(Bytes::new()));
        assert_eq!(left(&room), 4);
    }

    #[tokio::test]
    async fn an_answer_takes_room_until_it_is_gone() {
        let room = Room::of(2 * PIECE_BYTES);
        let answer = |bytes| room.lend(reply::json_text(StatusCode::OK, vec![b' '; bytes]));
        let short = answer(PIECE_BYTES).await.unwrap();
        assert_eq!(left(&room), 2);
        let long = answer(3 * PIECE_BYTES).await.unwrap();
        assert_eq!(left(&room), 0);
        assert!(answer(2 * PIECE_BYTES).await.is_err());
        drop((short, long));
        assert_eq!(left(&room), 2);
    }
}
