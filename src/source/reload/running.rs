//! The reload loop at work, for whoever started it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
    mpsc::SyncSender,
};

use tokio::sync::oneshot;

/// A loop that runs on a thread of its own until it is dropped.
#[derive(Debug)]
pub struct Running {
    pub(super) stop: Arc<AtomicBool>,
    pub(super) hints: SyncSender<()>,
    pub(super) ended: oneshot::Receiver<()>,
    /// The loop that proves what is in force, if there is one.
    pub(super) cells: Option<(SyncSender<()>, oneshot::Receiver<()>)>,
}

impl Running {
    /// Waits for the loop to end, which it does only by a fault.
    pub async fn ended(&mut self) {
        // Nothing is ever sent: the senders are dropped when the threads end.
        match &mut self.cells {
            None => {
                let _ = (&mut self.ended).await;
            }
            Some((_, cells)) => tokio::select! {
                _ = &mut self.ended => {}
                _ = cells => {}
            },
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Full wakes it as well.
        let _ = self.hints.try_send(());
        if let Some((wake, _)) = &self.cells {
            let _ = wake.try_send(());
        }
    }
}
