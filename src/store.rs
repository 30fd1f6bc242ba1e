//! The current snapshot: one publisher, many readers, one swap.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::authz::Snapshot;

/// The only writer. There is one, because it cannot be cloned.
#[derive(Debug)]
pub struct Publisher {
    current: Arc<ArcSwapOption<Snapshot>>,
}

/// Reads the snapshot in force, without locks.
#[derive(Clone, Debug)]
pub struct Reader {
    current: Arc<ArcSwapOption<Snapshot>>,
}

/// An empty store.
pub fn store() -> (Publisher, Reader) {
    let current = Arc::new(ArcSwapOption::empty());
    let reader = Reader {
        current: Arc::clone(&current),
    };
    (Publisher { current }, reader)
}

impl Publisher {
    /// Puts a snapshot in force; queries that began keep theirs.
    pub fn publish(&mut self, snapshot: Arc<Snapshot>) {
        self.current.store(Some(snapshot));
    }

    /// The snapshot in force.
    pub fn current(&self) -> Option<Arc<Snapshot>> {
        self.current.load_full()
    }
}

impl Reader {
    /// The snapshot in force; `None` before the first is published.
    pub fn current(&self) -> Option<Arc<Snapshot>> {
        self.current.load_full()
    }
}
