//! Keeps what the listeners demand, and what gateways ask them, equal to the files that say so:
//! certificates, keys, credentials, routes.
//! Files that cannot be taken change nothing but what is told of them.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError, SyncSender},
    },
    thread,
    time::{Duration, SystemTime},
};

use tokio::sync::oneshot;
use tracing::{error, info, warn};

use crate::{
    api::{Credentials, Gateway},
    store::Reader,
    telemetry::{Kept, KeptKind, Metrics, Status},
};

use super::tls::Tls;

mod files;

pub use files::read_small;
mod part;

use files::{digest, name, read, settled};
use part::{Part, Taken, mapping, material, set};

/// Longest time between two looks: a secret that was taken out should not live for long, and
/// looking costs one read of a few small files.
const LONGEST: Duration = Duration::from_secs(1);

/// The files that TLS is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Our certificate, and those between it and the root.
    pub cert: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
    /// The authorities of callers' certificates, if callers have to show one.
    pub client_ca: Option<PathBuf>,
}

/// Files that cannot be taken, and why; never quotes one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadFiles(String);

/// Reads files, and reads them again.
#[derive(Debug)]
pub struct Keeper {
    keeps: Vec<Keep>,
    metrics: Arc<Metrics>,
    status: Arc<Status>,
}

/// A keeper at work on a thread of its own, until this is dropped.
#[derive(Debug)]
pub struct Keeping {
    /// `None` if there is nothing to keep.
    running: Option<(SyncSender<()>, oneshot::Receiver<()>)>,
}

/// Files that are taken together or not at all.
struct Keep {
    listener: &'static str,
    files: Vec<PathBuf>,
    part: Part,
    /// What was read last, taken or not: what is refused is refused once.
    seen: Result<[u8; 32], BadFiles>,
    /// What was last told to be odd about it.
    warnings: Vec<String>,
}

impl Keeper {
    /// A keeper of nothing yet.
    pub fn new(metrics: Arc<Metrics>, status: Arc<Status>) -> Self {
        Self {
            keeps: Vec::new(),
            metrics,
            status,
        }
    }

    /// The TLS of a listener, as new as its files from now on.
    ///
    /// # Errors
    /// The files cannot be read, or do not fit together.
    pub fn tls(&mut self, listener: &'static str, files: &TlsFiles) -> Result<Arc<Tls>, BadFiles> {
        let all = [&files.cert, &files.key]
            .into_iter()
            .chain(&files.client_ca);
        let files: Vec<PathBuf> = all.cloned().collect();
        let texts = settled(&files)?;
        let material = material(&files, &texts)?;
        let taken = Taken::tls(&material);
        let tls = Arc::new(Tls::new(listener, material, Arc::clone(&self.metrics)));
        let part = Part::Tls(Arc::clone(&tls));
        self.keep(listener, files, &texts, part, taken);
        Ok(tls)
    }

    /// The credentials of a listener, as new as their file from now on.
    ///
    /// # Errors
    /// The file cannot be read, or is none of credentials.
    pub fn credentials(
        &mut self,
        listener: &'static str,
        file: &Path,
    ) -> Result<Arc<Credentials>, BadFiles> {
        let files = vec![file.to_owned()];
        let texts = settled(&files)?;
        let set = set(&files, &texts)?;
        let taken = Taken::set(&set);
        let credentials = Arc::new(Credentials::new(set));
        let part = Part::Credentials(Arc::clone(&credentials));
        self.keep(listener, files, &texts, part, taken);
        Ok(credentials)
    }

    /// What gateways ask a listener, as new as the file that says so from now on. Of `reader`'s schema
    /// routes should ask nothing that it does not know; those that do are told.
    ///
    /// # Errors
    /// The file cannot be read, or is none of routes.
    pub fn gateway(
        &mut self,
        listener: &'static str,
        file: &Path,
        reader: Reader,
    ) -> Result<Arc<Gateway>, BadFiles> {
        let files = vec![file.to_owned()];
        let texts = settled(&files)?;
        let mapping = mapping(&files, &texts)?;
        let taken = Taken::routes(&mapping);
        let gateway = Arc::new(Gateway::new(mapping, reader));
        let part = Part::Routes(Arc::clone(&gateway));
        self.keep(listener, files, &texts, part, taken);
        Ok(gateway)
    }

    fn keep(
        &mut self,
        listener: &'static str,
        files: Vec<PathBuf>,
        texts: &[Vec<u8>],
        part: Part,
        taken: Taken,
    ) {
        let mut keep = Keep {
            listener,
            files,
            part,
            seen: Ok(digest(texts)),
            warnings: Vec::new(),
        };
        keep.took(taken, &self.metrics, &self.status);
        keep.warn(&self.status);
        self.keeps.push(keep);
    }

    /// Keeps looking once in an interval, at least each second, on a thread of its own: reading
    /// blocks.
    ///
    /// # Errors
    /// No thread can be made.
    pub fn start(mut self, poll_interval: Duration) -> io::Result<Keeping> {
        if self.keeps.is_empty() {
            return Ok(Keeping { running: None });
        }
        let interval = poll_interval.min(LONGEST);
        let (stop, stopped) = mpsc::sync_channel::<()>(1);
        let (end, ended) = oneshot::channel();
        let thread = thread::Builder::new().name("access".to_owned());
        thread.spawn(move || {
            // Dropped when the loop ends, also by a panic: `Keeping::ended` sees it.
            let _end: oneshot::Sender<()> = end;
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                for keep in &mut self.keeps {
                    keep.look(&self.metrics, &self.status);
                    keep.warn(&self.status);
                }
            }
        })?;
        Ok(Keeping {
            running: Some((stop, ended)),
        })
    }
}

impl Keeping {
    /// Waits for the loop to end, which it does only by a fault.
    pub async fn ended(&mut self) {
        match &mut self.running {
            // Nothing is ever sent: the sender is dropped when the thread ends.
            Some((_, ended)) => drop(ended.await),
            None => std::future::pending().await,
        }
    }
}

/// Without the digest of the files.
impl fmt::Debug for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keep")
            .field("listener", &self.listener)
            .field("files", &self.files)
            .field("part", &self.part)
            .finish_non_exhaustive()
    }
}

impl Keep {
    /// Takes what is new, all of it or nothing.
    fn look(&mut self, metrics: &Metrics, status: &Status) {
        let is_old = read(&self.files).map(|texts| digest(&texts)) == self.seen;
        if is_old {
            return;
        }
        let texts = settled(&self.files);
        let seen = texts.as_ref().map(|it| digest(it)).map_err(Clone::clone);
        if seen == self.seen {
            return;
        }
        self.seen = seen;
        match texts.and_then(|texts| self.part.take(&self.files, &texts)) {
            Ok(taken) => self.took(taken, metrics, status),
            Err(error) => self.refused(&error, metrics, status),
        }
    }

    fn took(&self, taken: Taken, metrics: &Metrics, status: &Status) {
        let Taken { shown, warning } = taken;
        let (listener, kind) = (self.listener, shown.as_str());
        metrics.access_stale(listener, kind, false);
        if let KeptKind::Tls { not_after, .. } = &shown {
            metrics.certificate_ends(listener, *not_after);
        }
        status.keeps(Kept {
            listener,
            files: self.files.iter().map(|it| name(it)).collect(),
            kind: shown,
            loaded_at: SystemTime::now(),
            warnings: self.warnings.clone(),
            error: None,
        });
        match warning {
            Some(warning) => warn!(
                listener,
                kind, "took the {kind} of the {listener} listener: {warning}"
            ),
            None => info!(listener, kind, "took the {kind} of the {listener} listener"),
        }
    }

    /// Tells what is odd about routes, once it is another than before.
    fn warn(&mut self, status: &Status) {
        let Part::Routes(gateway) = &self.part else {
            return;
        };
        let warnings = gateway.warnings();
        if warnings == self.warnings {
            return;
        }
        let (listener, kind) = (self.listener, self.part.kind());
        status.warns(listener, kind, &warnings);
        if let Some(first) = warnings.first() {
            let count = warnings.len();
            warn!(
                listener,
                kind,
                count,
                "{count} {kind} of the {listener} listener will hardly ever let anything through, \
                 the first in {first}"
            );
        }
        self.warnings = warnings;
    }

    fn refused(&self, error: &BadFiles, metrics: &Metrics, status: &Status) {
        let (listener, kind) = (self.listener, self.part.kind());
        metrics.access_stale(listener, kind, true);
        status.refused(listener, kind, SystemTime::now(), error.to_string());
        error!(
            listener,
            kind, "refused the {kind} of the {listener} listener, the last good ones stay: {error}"
        );
    }
}
