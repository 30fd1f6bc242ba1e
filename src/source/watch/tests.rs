use std::sync::mpsc;

use super::*;

fn watcher() -> (Watcher, mpsc::Receiver<()>, Arc<Metrics>, Arc<Status>) {
    let (hints, heard) = mpsc::sync_channel(1);
    let (metrics, status) = (Metrics::new().unwrap(), Arc::new(Status::new()));
    let watcher = Watcher::new(hints, Arc::clone(&metrics), Arc::clone(&status));
    (watcher, heard, metrics, status)
}

fn handler(watcher: &Watcher) -> Handler {
    Handler {
        hints: watcher.hints.clone(),
        metrics: Arc::clone(&watcher.metrics),
        interest: Arc::default(),
        heard: Arc::default(),
        dead: Arc::clone(&watcher.live.as_ref().unwrap().dead),
    }
}

fn is_up(metrics: &Metrics) -> bool {
    let text = metrics.render().unwrap();
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix("palisade_watcher_up "));
    value.unwrap() == "1"
}

#[test]
fn a_write_hints_and_a_read_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let file = root.join("a.cedar");
    std::fs::write(&file, "one").unwrap();
    let (mut watcher, heard, _, status) = watcher();
    let mut interest = Interest::default();
    interest.folder(root);
    assert!(watcher.arm(&interest));
    assert_eq!(status.health().watcher, Check::Ok);
    std::fs::read(&file).unwrap();
    let quiet = Duration::from_millis(200);
    assert!(heard.recv_timeout(quiet).is_err());
    std::fs::write(&file, "two").unwrap();
    heard.recv_timeout(Duration::from_secs(10)).unwrap();
}

#[test]
fn a_watcher_that_hears_nothing_is_not_believed_until_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let (mut watcher, heard, metrics, status) = watcher();
    let mut interest = Interest::default();
    interest.folder(root.clone());
    watcher.arm(&interest);
    watcher.polled(true);
    watcher.arm(&interest);
    assert_eq!(status.health().watcher, Check::Ok, "it was added just now");
    let start = Instant::now();
    while is_up(&metrics) {
        assert!(start.elapsed() < Duration::from_secs(30));
        watcher.polled(true);
    }
    let polling = "polling only: a file changed without an event";
    assert_eq!(status.health().watcher, Check::Degraded(polling.to_owned()));
    // Watching again is not enough.
    watcher.retry_at = None;
    watcher.arm(&interest);
    watcher.arm(&interest);
    assert!(watcher.live.is_some());
    assert!(!is_up(&metrics));
    std::fs::write(root.join("a.cedar"), "one").unwrap();
    heard.recv_timeout(Duration::from_secs(10)).unwrap();
    watcher.arm(&interest);
    assert_eq!(status.health().watcher, Check::Ok);
}

#[test]
fn a_watcher_that_dies_is_reported_and_not_tried_at_once() {
    let (mut watcher, heard, metrics, status) = watcher();
    watcher.arm(&Interest::default());
    assert!(is_up(&metrics));
    drop(handler(&watcher));
    heard.recv_timeout(Duration::from_secs(10)).unwrap();
    watcher.arm(&Interest::default());
    assert!(watcher.live.is_none());
    assert!(!is_up(&metrics));
    assert!(matches!(status.health().watcher, Check::Degraded(_)));
}

#[test]
fn an_error_that_does_not_end_is_told_once() {
    let (mut watcher, heard, metrics, _) = watcher();
    watcher.arm(&Interest::default());
    let handler = handler(&watcher);
    for _ in 0..3 {
        handler.handle(Err(notify::Error::generic("broken")));
    }
    assert!(heard.try_recv().is_ok() && heard.try_recv().is_err());
    let told = metrics.render().unwrap();
    assert!(told.contains("palisade_watch_events_total{kind=\"error\"} 1\n"));
}
