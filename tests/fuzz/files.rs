//! Files and words that an operator writes for the service itself.

use std::{fs, str::FromStr};

use palisade::{
    api::PublicUrl,
    config::{Address, Candidate, ServeArgs, SocketMode, SourceArgs, Span},
    server::{Keeper, Listen, TlsFiles, read_small},
    source::{Selection, editions},
    telemetry::{Metrics, Status},
};
use std::sync::Arc;

use crate::runs::fuzz;

#[test]
fn configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("palisade.toml");
    fuzz("configuration", |bytes| {
        fs::write(&path, bytes).unwrap();
        let args = ServeArgs {
            sources: SourceArgs {
                config: Some(path.clone()),
                ..SourceArgs::default()
            },
            ..ServeArgs::default()
        };
        match args.resolve() {
            // Nothing that others can reach is open to them by accident.
            Ok(serve) => {
                for listener in [&serve.decisions, &serve.admin] {
                    let guarded = listener.tls.is_some() || listener.credentials.is_some();
                    let said = String::from_utf8_lossy(bytes).contains("allow-insecure-bind");
                    let local = listener.addresses.iter().all(Address::is_local);
                    assert!(local || guarded || said, "{listener:?}");
                }
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    });
}

#[test]
fn manifests_of_editions() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("policies")).unwrap();
    let path = folder.path().join("policies/editions.toml");
    fuzz("editions", |bytes| {
        fs::write(&path, bytes).unwrap();
        let Ok(names) = editions(folder.path()) else {
            return;
        };
        for name in names {
            let selection = Selection {
                root: folder.path().to_owned(),
                edition: Some(name),
                ..Selection::default()
            };
            selection.resolve().expect("what is listed is there");
        }
    });
}

/// Whether what is read says the same when it is written and read again.
fn same<T: FromStr + ToString + PartialEq + std::fmt::Debug>(text: &str) {
    if let Ok(value) = text.parse::<T>() {
        let again = value.to_string().parse::<T>().ok();
        assert_eq!(again.as_ref(), Some(&value), "{text:?}");
    }
}

#[test]
fn words_of_flags() {
    fuzz("words_of_flags", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        for word in text.lines() {
            same::<Address>(word);
            same::<Listen>(word);
            same::<SocketMode>(word);
            same::<PublicUrl>(word);
            let _ = word.parse::<Span>();
            let _ = word.parse::<Candidate>();
        }
    });
}

#[test]
fn certificates_and_keys() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let kept = |name: &str| {
        let root = env!("CARGO_MANIFEST_DIR");
        fs::read(format!("{root}/tests/fuzz/corpus/pem/{name}")).unwrap()
    };
    let metrics = Metrics::new().unwrap();
    let (cert, key) = (kept("cert.pem"), kept("key.pem"));
    let secret = String::from_utf8_lossy(&key)
        .lines()
        .nth(1)
        .unwrap()
        .to_owned();
    let taken = std::cell::Cell::new(0);
    fuzz("pem", |bytes| {
        for name in ["cert.pem", "key.pem", "ca.pem"] {
            fs::write(path("cert.pem"), &cert).unwrap();
            fs::write(path("key.pem"), &key).unwrap();
            fs::write(path("ca.pem"), &cert).unwrap();
            fs::write(path(name), bytes).unwrap();
            let files = TlsFiles {
                cert: path("cert.pem"),
                key: path("key.pem"),
                client_ca: Some(path("ca.pem")),
            };
            let mut keeper = Keeper::new(Arc::clone(&metrics), Arc::new(Status::new()));
            match keeper.tls("decisions", &files) {
                Ok(_) => taken.set(taken.get() + 1),
                Err(error) => assert!(!error.to_string().contains(&secret), "a key is shown"),
            }
        }
        let _ = read_small(&path("cert.pem"));
    });
    assert!(taken.get() > 0, "nothing was taken");
}
