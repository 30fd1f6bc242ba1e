//! Folders to sources, and the watcher that says look again.
