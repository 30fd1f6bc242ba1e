//! A bounded queue of lines, as one buffer of bytes: putting a line in is a copy under a lock that
//! nobody holds for longer, and whoever writes takes all there is at once.

use std::{
    mem,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// After the first line others mostly come soon: the writer is woken once for all of them.
const LINGER: Duration = Duration::from_millis(5);

/// What is no decision has room beyond the limit: it is rare, and whoever reloads or ends the service
/// waits for nothing.
const RESERVE: usize = 1 << 20;

/// Whoever has waited for so long for room has waited for a log that stands still.
const STALL: Duration = Duration::from_secs(1);

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
    /// There is no room; it is the first line to find none since the writer asked last, or not.
    Full { first: bool },
    /// Nothing is taken any more, or nobody waits any longer.
    Over,
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
        self.push_within(line, self.limit)
    }

    /// The same for what is no decision.
    pub(super) fn push_over(&self, line: &[u8]) -> Result<usize, Unqueued> {
        self.push_within(line, self.limit + RESERVE)
    }

    fn push_within(&self, line: &[u8], limit: usize) -> Result<usize, Unqueued> {
        let mut state = self.state();
        if state.closed.is_some() {
            return Err(Unqueued::Over);
        }
        if !state.has_room(line, limit) {
            state.lost += 1;
            let first = state.lost == 1;
            return Err(Unqueued::Full { first });
        }
        Ok(self.put(&mut state, line))
    }

    /// Puts a line in as soon as there is room. `stalled` is called each second until then.
    pub(super) fn wait_push(&self, line: &[u8], stalled: impl Fn()) -> Result<usize, Unqueued> {
        let mut state = self.state();
        while state.closed.is_none() && !state.has_room(line, self.limit) {
            let until = state.waits_until;
            let left = until.map(|it| it.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Err(Unqueued::Over);
            }
            let pause = left.unwrap_or(STALL).min(STALL);
            let waited = self.room.wait_timeout(state, pause);
            let (woken, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if timeout.timed_out() && pause == STALL {
                drop(state);
                stalled();
                state = self.state();
            }
        }
        if state.closed.is_some() {
            return Err(Unqueued::Over);
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

    /// Waits for work, or for so long, and takes all of it.
    pub(super) fn take(&self, at_most: Duration) -> Work {
        let is_idle =
            |state: &mut State| !state.is_urgent() && state.lines.is_empty() && state.lost == 0;
        let waited = self.work.wait_timeout_while(self.state(), at_most, is_idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
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

    fn has_room(&self, line: &[u8], limit: usize) -> bool {
        let waiting = self.lines.len() + self.held.0;
        // Whatever its length, one line has room where there is nothing else.
        waiting == 0 || waiting + line.len() <= limit
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
        let work = queue.take(SOON);
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
        let _held = queue.take(SOON);
        queue.push(b"two\n").unwrap();
        assert_eq!(queue.push(b"three\n"), Err(Unqueued::Full { first: true }));
        assert_eq!(queue.push(b"\n"), Err(Unqueued::Full { first: false }));
        queue.done();
        let work = queue.take(SOON);
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
            thread::spawn(move || queue.wait_push(b"two\n", || {}))
        };
        queue.take(SOON);
        assert!(!waiting.is_finished());
        queue.done();
        assert_eq!(waiting.join().unwrap(), Ok(1));
        // Full again: the time to wait is over at once.
        queue.waits_until(Instant::now());
        assert_eq!(queue.wait_push(b"six\n", || {}), Err(Unqueued::Over));
        queue.close(Instant::now() + SOON);
        assert_eq!(queue.wait_push(b"six\n", || {}), Err(Unqueued::Over));
        assert_eq!(queue.push(b"six\n"), Err(Unqueued::Over));
        let work = queue.take(SOON);
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

    #[test]
    fn what_is_no_decision_has_room_beyond_the_limit() {
        let queue = Queue::new(4);
        queue.push(b"one\n").unwrap();
        assert_eq!(queue.push(b"two\n"), Err(Unqueued::Full { first: true }));
        assert_eq!(queue.push_over(b"the end\n"), Ok(2));
    }

    #[test]
    fn whoever_waits_for_a_log_that_stands_still_says_so() {
        let queue = Arc::new(Queue::new(4));
        queue.push(b"one\n").unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let waiting = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || queue.wait_push(b"two\n", || tell.send(()).unwrap()))
        };
        told.recv_timeout(SOON).unwrap();
        queue.take(SOON);
        queue.done();
        assert_eq!(waiting.join().unwrap(), Ok(1));
    }
}
