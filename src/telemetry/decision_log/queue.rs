//! A bounded queue of lines, as one buffer of bytes: putting a line in is a copy under a lock that
//! nobody holds for longer, and whoever writes takes all there is at once.

use std::{
    mem,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// After the first line others mostly come soon: the writer is woken once for all of them.
const LINGER: Duration = Duration::from_millis(5);

/// So many bytes are enough to be written at once.
const PLENTY: usize = 256 << 10;

/// Lines on their way to the log.
#[derive(Debug)]
pub(super) struct Queue {
    limit: usize,
    state: Mutex<State>,
    /// Something is to be done for the writer.
    work: Condvar,
    /// There is room again.
    room: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<u8>,
    /// How many lines those are.
    count: usize,
    /// How many bytes and lines the writer has taken and not written yet.
    held: (usize, usize),
    /// How many lines found no place since the writer asked last.
    lost: usize,
    reopen: bool,
    /// Nobody waits for room beyond this.
    waits_until: Option<Instant>,
    /// Nothing more comes, and what is there may take until then.
    closed: Option<Instant>,
}

/// Why a line is not in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unqueued {
    Closed,
    Full,
}

/// What the writer has to do.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// Whole lines.
    pub(super) lines: Vec<u8>,
    pub(super) count: usize,
    pub(super) lost: usize,
    pub(super) reopen: bool,
    /// It is the last; and until when it may be tried.
    pub(super) closed: Option<Instant>,
}

impl Queue {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            state: Mutex::default(),
            work: Condvar::new(),
            room: Condvar::new(),
        }
    }

    /// Puts a line in. Returns how many wait then.
    pub(super) fn push(&self, line: &[u8]) -> Result<usize, Unqueued> {
        let mut state = self.state();
        if state.closed.is_some() {
            return Err(Unqueued::Closed);
        }
        if !self.has_room(&state, line) {
            state.lost += 1;
            return Err(Unqueued::Full);
        }
        Ok(self.put(&mut state, line))
    }

    /// Puts a line in as soon as there is room.
    pub(super) fn wait_push(&self, line: &[u8]) -> Result<usize, Unqueued> {
        let mut state = self.state();
        while state.closed.is_none() && !self.has_room(&state, line) {
            let Some(until) = state.waits_until else {
                state = self
                    .room
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Unqueued::Closed);
            }
            let waited = self.room.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.closed.is_some() {
            return Err(Unqueued::Closed);
        }
        Ok(self.put(&mut state, line))
    }

    /// From this time on nobody waits for room.
    pub(super) fn waits_until(&self, until: Instant) {
        self.state().waits_until = Some(until);
        self.room.notify_all();
    }

    /// Has the writer open the file anew.
    pub(super) fn reopen(&self) {
        self.state().reopen = true;
        self.work.notify_one();
    }

    /// Nothing more is taken; what is there may be tried until then.
    pub(super) fn close(&self, until: Instant) {
        self.state().closed = Some(until);
        self.work.notify_one();
        self.room.notify_all();
    }

    /// How many lines wait or are being written.
    pub(super) fn records(&self) -> usize {
        let state = self.state();
        state.count + state.held.1
    }

    /// Waits for work, and takes all of it.
    pub(super) fn take(&self) -> Work {
        let mut state = self.state();
        while !state.is_urgent() && state.lines.is_empty() && state.lost == 0 {
            state = self
                .work
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        if !state.is_urgent() && state.lines.len() < PLENTY {
            let waited = self.work.wait_timeout(state, LINGER);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let work = Work {
            lines: mem::take(&mut state.lines),
            count: mem::take(&mut state.count),
            lost: mem::take(&mut state.lost),
            reopen: mem::take(&mut state.reopen),
            closed: state.closed,
        };
        state.held = (work.lines.len(), work.count);
        work
    }

    /// What was taken is written, or given up. Returns how many lines wait, and how many found no
    /// place meanwhile.
    pub(super) fn done(&self) -> (usize, usize) {
        let mut state = self.state();
        state.held = (0, 0);
        self.room.notify_all();
        (state.count, state.lost)
    }

    /// Waits before what failed is tried again; less if there is something else to be done. Returns
    /// whether to open the file anew, and until when there is time if it is the end.
    pub(super) fn pause(&self, pause: Duration) -> (bool, Option<Instant>) {
        let state = self.state();
        let is_idle = |state: &mut State| !state.reopen;
        let waited = self.work.wait_timeout_while(state, pause, is_idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        (mem::take(&mut state.reopen), state.closed)
    }

    fn has_room(&self, state: &State, line: &[u8]) -> bool {
        let waiting = state.lines.len() + state.held.0;
        // Whatever its length, one line has room where there is nothing else.
        waiting == 0 || waiting + line.len() <= self.limit
    }

    fn put(&self, state: &mut State, line: &[u8]) -> usize {
        let before = state.lines.len();
        state.lines.extend_from_slice(line);
        state.count += 1;
        if before == 0 || (before < PLENTY && state.lines.len() >= PLENTY) {
            self.work.notify_one();
        }
        state.count + state.held.1
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing here panics half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_urgent(&self) -> bool {
        self.closed.is_some() || self.reopen
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, thread};

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    #[test]
    fn lines_come_out_whole_and_in_order() {
        let queue = Queue::new(100);
        assert_eq!(queue.push(b"one\n"), Ok(1));
        assert_eq!(queue.push(b"two\n"), Ok(2));
        let work = queue.take();
        assert_eq!((&work.lines[..], work.count), (&b"one\ntwo\n"[..], 2));
        // What is being written waits, too.
        assert_eq!(queue.push(b"three\n"), Ok(3));
        assert_eq!(queue.done(), (1, 0));
        assert_eq!(queue.records(), 1);
    }

    #[test]
    fn what_is_being_written_takes_room_and_what_finds_none_is_counted() {
        let queue = Queue::new(8);
        queue.push(b"one\n").unwrap();
        let _held = queue.take();
        queue.push(b"two\n").unwrap();
        assert_eq!(queue.push(b"three\n"), Err(Unqueued::Full));
        assert_eq!(queue.push(b"\n"), Err(Unqueued::Full));
        queue.done();
        let work = queue.take();
        assert_eq!((&work.lines[..], work.lost), (&b"two\n"[..], 2));
        queue.done();
        // A line that is longer than all room there is has to go by itself.
        assert_eq!(queue.push(b"0123456789\n"), Ok(1));
    }

    #[test]
    fn whoever_may_wait_waits_for_room_and_not_beyond_the_end() {
        let queue = Arc::new(Queue::new(4));
        queue.push(b"one\n").unwrap();
        let waiting = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.wait_push(b"two\n"))
        };
        queue.take();
        assert!(!waiting.is_finished());
        queue.done();
        assert_eq!(waiting.join().unwrap(), Ok(1));
        // Full again: the time to wait is over at once.
        queue.waits_until(Instant::now());
        assert_eq!(queue.wait_push(b"six\n"), Err(Unqueued::Closed));
        queue.close(Instant::now() + SOON);
        assert_eq!(queue.wait_push(b"six\n"), Err(Unqueued::Closed));
        assert_eq!(queue.push(b"six\n"), Err(Unqueued::Closed));
        let work = queue.take();
        assert_eq!(
            (&work.lines[..], work.closed.is_some()),
            (&b"two\n"[..], true)
        );
    }

    #[test]
    fn a_pause_ends_when_the_file_is_to_be_opened_anew() {
        let queue = Queue::new(4);
        queue.reopen();
        assert_eq!(queue.pause(SOON), (true, None));
        assert_eq!(queue.pause(Duration::ZERO), (false, None));
    }
}
