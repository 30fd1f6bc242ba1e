use std::{collections::BTreeSet, fs};

use clap::{Args, Command, FromArgMatches};

use super::*;

fn said(flags: &[&str]) -> ServeArgs {
    let command = ServeArgs::augment_args(Command::new("serve"));
    let matches = command.try_get_matches_from([&["serve"], flags].concat());
    ServeArgs::from_arg_matches(&matches.unwrap()).unwrap()
}

fn with_file(text: &str, flags: &[&str]) -> Result<Serve, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("palisade.toml");
    fs::write(&path, text).unwrap();
    let mut args = said(flags);
    args.sources.config = Some(path);
    args.resolve()
}

#[test]
fn nothing_said_is_loopback_and_the_safe_choice() {
    let serve = said(&[]).resolve().unwrap();
    for (listener, address) in [(&serve.decisions, LISTEN), (&serve.admin, ADMIN_LISTEN)] {
        let addresses: Vec<_> = listener.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(addresses, [address]);
        assert_eq!(listener.socket_mode.to_string(), "0660");
        assert!(listener.allow_uid.is_empty());
        assert_eq!((&listener.tls, &listener.credentials), (&None, &None));
    }
    assert_eq!(serve.on_policy_error, PolicyErrorRule::Deny);
    assert_eq!(serve.batch_defaults, BatchDefaults::Strict);
    assert!(!serve.decision_context);
    assert_eq!(serve.reload.shrink, GateRule::Enforce);
    assert_eq!(serve.reload.canary, GateRule::Enforce);
    assert_eq!(serve.reload.prove, GateRule::Off);
    assert!(!serve.reload.prove_no_wider);
    assert_eq!(serve.reload.prove_time, Duration::from_secs(30));
    assert_eq!(serve.reload.watch, WatchRule::Auto);
    assert_eq!(serve.reload.rollback, 0);
    assert_eq!(serve.tracing, None);
    assert_eq!(serve.sources, SourceChoice::default());
}

#[test]
fn traces_go_where_somebody_says_and_only_then() {
    let file = "otlp-endpoint = \"http://127.0.0.1:4318\"\ntrace-sample = 0.5";
    let traces = |flags: &[&str]| with_file(file, flags).unwrap().tracing.unwrap();
    assert_eq!((traces(&[]).endpoint.port, traces(&[]).sample), (4318, 0.5));
    let flags = ["--otlp-endpoint=http://otel:1/up", "--trace-sample=1"];
    let said = traces(&flags);
    assert_eq!(
        (said.endpoint.path.as_str(), said.sample),
        ("/up/v1/traces", 1.0)
    );
    let alone = said_alone(&["--otlp-endpoint=http://otel:1"]).unwrap();
    assert_eq!(alone.tracing.unwrap().sample, 0.01);
    let error = said_alone(&["--trace-sample=1"]).unwrap_err().to_string();
    assert!(
        error.contains("`trace-sample` needs `otlp-endpoint`"),
        "{error}"
    );
    let error = with_file("otlp-endpoint = \"https://otel\"", &[]);
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("run a collector beside the service"),
        "{error}"
    );
    for file in ["trace-sample = 2", "trace-sample = \"half\""] {
        let error = with_file(file, &[]).unwrap_err().to_string();
        assert!(error.contains("line 1"), "{error}");
    }
}

fn said_alone(flags: &[&str]) -> Result<Serve, ConfigError> {
    said(flags).resolve()
}

#[test]
fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
    let file = r#"
        edition = "starter"
        listen = ["127.0.0.1:1", "unix:/run/palisade.sock"]
        max-batch = 7
        poll-interval = "250ms"
        on-policy-error = "cedar"
        decision-context = true
        shrink = "warn"
        canary = "off"
        prove = "enforce"
        prove-no-wider = true
        prove-time = "5s"
        watch = "poll"
        max-header = 32768
        idle-timeout = "30s"
        max-connections = 12
        rollback = 3
    "#;
    let flags = [
        "--max-batch",
        "9",
        "--decision-context=false",
        "--canary=warn",
        "--prove=warn",
        "--max-connections=34",
    ];
    let serve = with_file(file, &flags).unwrap();
    assert_eq!(serve.reload.shrink, GateRule::Warn);
    assert_eq!(serve.reload.canary, GateRule::Warn);
    assert_eq!(serve.reload.prove, GateRule::Warn);
    assert!(serve.reload.prove_no_wider);
    assert_eq!(serve.reload.prove_time, Duration::from_secs(5));
    assert_eq!(serve.reload.watch, WatchRule::Poll);
    assert_eq!(serve.reload.rollback, 3);
    assert_eq!(serve.limits.header_bytes, 32 << 10);
    assert_eq!(serve.limits.idle_timeout, Duration::from_secs(30));
    assert_eq!(serve.limits.connections.get(), 34);
    assert_eq!(serve.max_batch, 9);
    assert!(!serve.decision_context);
    assert_eq!(serve.sources.edition.as_deref(), Some("starter"));
    assert_eq!(serve.decisions.addresses.len(), 2);
    assert_eq!(serve.reload.poll_interval, Duration::from_millis(250));
    assert_eq!(serve.on_policy_error, PolicyErrorRule::Cedar);
    assert_eq!(serve.max_body_bytes, MAX_BODY_BYTES);
    let serve = with_file(file, &["--listen", "127.0.0.1:3"]).unwrap();
    assert_eq!(
        serve.decisions.addresses.len(),
        1,
        "a list replaces, it does not add"
    );
}

#[test]
fn an_unknown_key_and_a_bad_value_name_the_line() {
    for (file, expected) in [
        ("max-batches = 7", "unknown field `max-batches`"),
        ("max_batch = 7", "unknown field `max_batch`"),
        ("poll-interval = \"soon\"", "poll-interval"),
        ("listen = [\"8180\"]", "`8180` is neither"),
        ("runtime-threads = 0", "nonzero"),
    ] {
        let message = with_file(file, &[]).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
        assert!(message.contains("line 1"), "{message}");
    }
}

#[test]
fn a_listener_open_to_the_network_must_be_meant() {
    let check = |flags: &[&str], refused: Option<&str>| {
        let error = said(flags).resolve().err().map(|error| error.to_string());
        match (refused, error) {
            (Some(listener), Some(error)) => {
                assert!(
                    error.contains(&format!("the {listener} listener")),
                    "{error}"
                );
            }
            (None, None) => {}
            (expected, error) => panic!("{flags:?}: {expected:?}, {error:?}"),
        }
    };
    check(&["--listen", "0.0.0.0:8180"], Some("decisions"));
    check(&["--listen", "127.0.0.1:1", "[::]:2"], Some("decisions"));
    check(&["--admin-listen", "10.0.0.1:9180"], Some("admin"));
    check(
        &["--listen", "0.0.0.0:1", "--allow-insecure-bind", "admin"],
        Some("decisions"),
    );
    check(
        &[
            "--listen",
            "0.0.0.0:1",
            "--allow-insecure-bind",
            "decisions",
        ],
        None,
    );
    let tls = ["--listen", "0.0.0.0:1", "--tls-cert", "c", "--tls-key", "k"];
    check(&tls, None);
    let error = said(&["--admin-listen", "0.0.0.0:1"]).resolve();
    let error = error.unwrap_err().to_string();
    let ways = "say `--admin-tls-cert` or `--admin-credentials`, bind";
    assert!(error.contains(ways), "{error}");
    check(&["--listen", "0.0.0.0:1", "--credentials", "c"], None);
    let of_the_other = ["--listen", "0.0.0.0:1", "--admin-credentials", "c"];
    check(&of_the_other, Some("decisions"));
    let of_the_other = ["--admin-listen", "0.0.0.0:1", "--credentials", "c"];
    check(&of_the_other, Some("admin"));
    let own = ["--admin-listen", "0.0.0.0:1", "--admin-credentials", "c"];
    check(&own, None);
    check(&["--listen", "127.0.0.2:1", "[::1]:2"], None);
    check(&["--listen", "[::ffff:127.0.0.1]:2", "unix:/run/x"], None);
}

#[test]
fn tls_is_a_certificate_and_its_key() {
    let check = |flags: &[&str], expected: &str| {
        let error = said(flags).resolve().unwrap_err().to_string();
        assert_eq!(error, expected);
    };
    check(&["--tls-cert", "c"], "`--tls-cert` needs `--tls-key`");
    check(&["--tls-key", "k"], "`--tls-key` needs `--tls-cert`");
    check(
        &["--tls-client-ca", "a"],
        "`--tls-client-ca` needs `--tls-cert`",
    );
    check(
        &["--admin-tls-cert", "c", "--admin-tls-client-ca", "a"],
        "`--admin-tls-cert` needs `--admin-tls-key`",
    );
    // The pair may be said in two places.
    let serve = with_file("tls-key = \"k\"", &["--tls-cert", "c"]).unwrap();
    let tls = serve.decisions.tls.unwrap();
    assert_eq!((tls.cert, tls.key), ("c".into(), "k".into()));
    assert_eq!(serve.admin.tls, None);
}

#[test]
fn each_listener_has_its_own_sockets_and_users() {
    let file = r#"
        listen = ["unix:/run/d", "127.0.0.1:0"]
        socket-mode = "0600"
        allow-uid = [1000, 1001]
        admin-listen = "unix:/run/a"
        admin-socket-mode = "666"
        admin-credentials = "admin.toml"
    "#;
    let serve = with_file(file, &["--allow-uid", "7,8", "--credentials", "c"]).unwrap();
    assert_eq!(serve.decisions.socket_mode.bits(), 0o600);
    assert_eq!(serve.decisions.allow_uid, [7, 8]);
    assert_eq!(serve.decisions.credentials, Some("c".into()));
    assert_eq!(serve.admin.socket_mode.bits(), 0o666);
    assert!(serve.admin.allow_uid.is_empty());
    assert_eq!(serve.admin.credentials, Some("admin.toml".into()));
    for mode in ["", "+7", "8", "1777", "rw"] {
        assert!(mode.parse::<SocketMode>().is_err(), "{mode}");
    }
}

#[test]
fn a_demand_that_no_address_makes_is_refused() {
    let check = |flags: &[&str], expected: Option<&str>| {
        let error = said(flags).resolve().err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), expected, "{flags:?}");
    };
    let uid = "`--allow-uid` is for socket files, and the decisions listener has none: it would \
        keep nobody out";
    check(&["--allow-uid", "1"], Some(uid));
    let of_the_other = ["--allow-uid", "1", "--admin-listen", "unix:/run/a"];
    check(&of_the_other, Some(uid));
    let mode = uid.replace("allow-uid", "socket-mode");
    let tcp = ["--listen", "127.0.0.1:1", "--socket-mode", "0660"];
    check(&tcp, Some(&mode));
    let admin = "`--admin-socket-mode` is for socket files, and the admin listener has none: it \
        would keep nobody out";
    check(&["--admin-socket-mode", "0600"], Some(admin));
    let tls = "`--tls-cert` is for TCP addresses, and the decisions listener has none: it would \
        keep nobody out";
    let pair = ["--tls-cert", "c", "--tls-key", "k", "--listen"];
    check(&[&pair[..], &["unix:/run/d"]].concat(), Some(tls));
    check(&[&pair[..], &["unix:/run/d", "127.0.0.1:1"]].concat(), None);
    let users = ["--allow-uid", "1", "--socket-mode", "0600", "--listen"];
    check(
        &[&users[..], &["unix:/run/d", "127.0.0.1:1"]].concat(),
        None,
    );
    let error = with_file("allow-uid = [1]", &[]).unwrap_err();
    assert_eq!(error.to_string(), uid, "wherever it is said");
}

#[test]
fn an_address_beside_the_list_of_users_is_found() {
    let check = |flags: &[&str], expected: Option<&str>| {
        let said = said(&[&["--listen", "unix:/run/d", "127.0.0.1:1"], flags].concat());
        let decisions = said.resolve().unwrap().decisions;
        let found = decisions.way_round().map(ToString::to_string);
        assert_eq!(found.as_deref(), expected, "{flags:?}");
    };
    let open = Some("127.0.0.1:1");
    check(&[], None);
    check(&["--allow-uid", "1"], open);
    check(&["--allow-uid", "1", "--credentials", "c"], None);
    let tls = ["--allow-uid", "1", "--tls-cert", "c", "--tls-key", "k"];
    check(&tls, open);
    check(&[&tls[..], &["--tls-client-ca", "a"]].concat(), None);
}

#[test]
fn values_that_cannot_be_served_with_are_refused() {
    for flags in [
        ["--poll-interval", "0s"],
        ["--max-body", "0"],
        ["--max-batch", "0"],
    ] {
        let error = said(&flags).resolve().unwrap_err().to_string();
        assert!(error.contains("must be at least"), "{error}");
    }
}

#[test]
fn the_keys_of_the_file_are_the_flags_and_each_has_its_variable() {
    let command = ServeArgs::augment_args(Command::new("serve"));
    let mut flags = BTreeSet::new();
    for arg in command.get_arguments() {
        let flag = arg.get_long().unwrap();
        let variable = format!("PALISADE_{}", flag.to_uppercase().replace('-', "_"));
        assert_eq!(arg.get_env().unwrap(), variable.as_str());
        flags.insert(flag.to_owned());
    }
    flags.remove("config");
    let message = with_file("no-such-key = 1", &[]).unwrap_err().to_string();
    let (_, expected) = message.split_once("expected one of").unwrap();
    let keys: BTreeSet<String> = expected
        .split('`')
        .skip(1)
        .step_by(2)
        .map(ToOwned::to_owned)
        .collect();
    assert_eq!(flags, keys);
}

#[test]
fn a_key_or_a_token_where_a_path_belongs_is_not_repeated() {
    let pem = "-----BEGIN PRIVATE KEY-----\nMIGHAgEA\n-----END PRIVATE KEY-----\n";
    let token = "6d2f0c1be9a84d7f9f3f0a5f6c1e2b3a";
    for (flag, content) in [
        ("tls-key", pem),
        ("tls-key", "-----BEGIN"),
        ("admin-tls-key", pem),
        ("tls-client-ca", "two\nlines"),
        ("credentials", token),
        ("admin-credentials", &token.repeat(2)),
    ] {
        let error = said(&[&format!("--{flag}"), content])
            .resolve()
            .unwrap_err();
        let expected = format!("`--{flag}` takes the path of a file, not its content");
        assert_eq!(error.to_string(), expected);
    }
    let paths = [
        "--tls-cert",
        "c.pem",
        "--tls-key",
        "/run/secrets/0123456789abcdef0123456789abcdef",
    ];
    said(&paths).resolve().unwrap();
}
