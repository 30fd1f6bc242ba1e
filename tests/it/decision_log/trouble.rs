//! The log cannot be written, or not fast enough: answers go on, and metrics, `/readyz` and the log
//! itself tell.

use rustix::process::{Resource, Rlimit, prlimit};

use super::*;

/// The least that may wait.
const SHORT_QUEUE: &str = "--decision-log-queue=65536";

/// More records than the queue and a pipe hold together, and what is between them.
const MANY: usize = 5000;

const QUEUE: &str = "palisade_decision_log_queue_length";
const RECORDS: &str = "palisade_decision_log_records_total";
const ERRORS: &str = "palisade_decision_log_errors_total";
const FULL: &str = r#"palisade_decision_log_dropped_total{reason="queue_full"}"#;
const AT_THE_END: &str = r#"palisade_decision_log_dropped_total{reason="shutdown"}"#;

/// Standard output is a pipe that we read, when we like.
struct Piped {
    house: House,
    pipe: File,
}

impl Piped {
    fn start(flags: &[&str]) -> Self {
        let pipes = tempfile::tempdir().unwrap();
        let path = pipes.path().join("stdout");
        mkfifoat(CWD, &path, Mode::from_raw_mode(0o600)).unwrap();
        // Without waiting for the other side.
        let pipe = OpenOptions::new()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(&path)
            .unwrap();
        let shell = format!("exec >'{}'", path.display());
        let log = ["--decision-log=stdout", SHORT_QUEUE];
        let serve =
            |root: &Path, more: &[&str]| Process::serve_under(&shell, root, &[&log, more].concat());
        let house = House::serving(serve, flags);
        rustix::fs::fcntl_setfl(&pipe, rustix::fs::OFlags::empty()).unwrap();
        Self { house, pipe }
    }
}

fn ask_many(process: &Process) {
    let mut connection = process.connect();
    let many = json!({"evaluations": vec![question("bob"); MANY]});
    let answer = ask(&mut connection, "/access/v1/evaluations", &many);
    assert_eq!(answer["evaluations"].as_array().unwrap().len(), MANY);
}

#[test]
fn a_full_disk_costs_records_and_no_answers() {
    let log = ["--decision-log=/dev/full", SHORT_QUEUE];
    let serve = |root: &Path, more: &[&str]| Process::serve(root, &[&log, more].concat());
    let mut house = House::serving(serve, &[]);
    let process = &house.process;
    assert_eq!(check_of_log(process)["state"], "degraded");
    ask_many(process);
    assert!(metric(process, FULL) > 0.0);
    assert!(metric(process, ERRORS) >= 1.0);
    assert_eq!(metric(process, RECORDS), 0.0);
    let ready = process.connect_admin().send("GET", "/readyz", &[], b"");
    assert_eq!((ready.status, &ready.json()["ready"]), (200, &json!(true)));
    // It ends all the same, and in time.
    house.process.signal(Signal::TERM);
    house.process.wait();
}

#[test]
fn a_disk_with_room_again_has_whole_lines_and_the_number_of_what_is_missing() {
    // A file may not grow beyond 100 KiB until somebody lifts that.
    let mut house = House::serving(
        |root, more| {
            let log = ["--decision-log=decisions.log", SHORT_QUEUE];
            let limited = "trap '' XFSZ && ulimit -S -f 100";
            Process::serve_under(limited, root, &[&log, more].concat())
        },
        &[],
    );
    let process = &house.process;
    ask_many(process);
    wait_for("a write that fails", || metric(process, ERRORS) >= 1.0);
    assert_eq!(check_of_log(process)["state"], "degraded");
    let unlimited = Rlimit {
        current: None,
        maximum: None,
    };
    prlimit(process.pid(), Resource::Fsize, unlimited).unwrap();
    wait_for("all to be written", || metric(process, QUEUE) == 0.0);
    wait_for("the log to be in order", || {
        check_of_log(process)["state"] == "ok"
    });
    let dropped = metric(process, FULL);
    assert!(dropped > 0.0);
    let all = house.end();
    let told = all.iter().filter(|it| it["event"] == "dropped");
    let told: f64 = told.map(|it| it["records"].as_f64().unwrap()).sum();
    assert_eq!(told, dropped);
    let written = of_type(&all, "decision").len();
    assert_eq!(written as f64 + dropped, MANY as f64);
}

#[test]
fn a_log_that_must_have_every_decision_cannot_start_on_a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("all.cedar"), POLICIES).unwrap();
    let start = |flags: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_palisade"))
            .current_dir(folder.path())
            .args(["serve", "--policies=all.cedar", "--listen=127.0.0.1:0"])
            .arg("--admin-listen=127.0.0.1:0")
            .args(flags)
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, said) = start(&["--decision-log=/dev/full", "--decision-log-overflow=block"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("the decision log `/dev/full` cannot be written: No space left"),
        "{said}"
    );
    // Nobody could tell whether anybody reads it.
    mkfifoat(CWD, folder.path().join("fifo"), Mode::from_raw_mode(0o600)).unwrap();
    let (code, said) = start(&["--decision-log=fifo"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("it is a FIFO"), "{said}");
    let (code, said) = start(&["--decision-log-overflow=block"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("`decision-log-overflow` needs `decision-log`"),
        "{said}"
    );
    // Where there is no folder there is no log, whatever the rule.
    let (code, said) = start(&["--decision-log=no/such/folder/log"]);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.contains("`no/such/folder/log` cannot be opened: No such file"),
        "{said}"
    );
}

#[test]
fn a_closed_pipe_costs_records_and_no_answers() {
    let Piped { house, pipe } = Piped::start(&[]);
    drop(pipe);
    ask_many(&house.process);
    wait_for("a write that fails", || {
        metric(&house.process, ERRORS) >= 1.0
    });
    assert_eq!(check_of_log(&house.process)["state"], "degraded");
    ask_many(&house.process);
    assert!(metric(&house.process, FULL) > 0.0);
}

#[test]
fn a_slow_reader_costs_records_and_no_answers_and_reads_whole_lines() {
    let Piped { mut house, pipe } = Piped::start(&[]);
    ask_many(&house.process);
    ask_many(&house.process);
    let dropped = metric(&house.process, FULL);
    assert!(dropped > 0.0);
    assert_eq!(check_of_log(&house.process)["state"], "degraded");
    let reading = thread::spawn(move || {
        let mut text = String::new();
        BufReader::new(pipe).read_to_string(&mut text).unwrap();
        text
    });
    wait_for("all to be written", || metric(&house.process, QUEUE) == 0.0);
    assert_eq!(metric(&house.process, FULL), dropped);
    assert_eq!(metric(&house.process, AT_THE_END), 0.0);
    house.process.signal(Signal::TERM);
    house.process.wait();
    let all = records(&reading.join().unwrap());
    let gaps = all.iter().filter(|it| it["event"] == "dropped");
    let gaps: f64 = gaps.map(|it| it["records"].as_f64().unwrap()).sum();
    assert_eq!(gaps, dropped);
    let written = of_type(&all, "decision").len();
    assert_eq!(written as f64 + dropped, 2.0 * MANY as f64);
}

#[test]
fn where_every_decision_must_be_recorded_answers_wait_for_a_slow_reader() {
    let Piped { mut house, pipe } = Piped::start(&["--decision-log-overflow=block"]);
    let asking = {
        let mut connection = house.process.connect();
        let many = json!({"evaluations": vec![question("bob"); MANY]});
        thread::spawn(move || ask(&mut connection, "/access/v1/evaluations", &many))
    };
    // So many can be neither in the pipe nor on their way to it.
    wait_for("a full queue", || metric(&house.process, QUEUE) > 100.0);
    assert!(!asking.is_finished());
    wait_for("word of it", || {
        check_of_log(&house.process)["state"] == "failed"
    });
    assert!(metric(&house.process, ERRORS) >= 1.0);
    assert_eq!(metric(&house.process, FULL), 0.0);
    let mut lines = BufReader::new(pipe).lines();
    let mut next = || serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    let mut all: Vec<Value> = Vec::new();
    while of_type(&all, "decision").len() < MANY {
        all.push(next());
    }
    assert_eq!(
        asking.join().unwrap()["evaluations"]
            .as_array()
            .unwrap()
            .len(),
        MANY
    );
    assert_eq!(metric(&house.process, FULL), 0.0);
    house.process.signal(Signal::TERM);
    house.process.wait();
}

#[test]
fn a_reader_that_is_gone_for_good_does_not_keep_the_service_from_ending() {
    // With traces, lines are longer, so that the last words find no room either.
    let Piped { mut house, pipe } = Piped::start(&[
        "--decision-log-overflow=block",
        "--otlp-endpoint=http://127.0.0.1:1",
        "--trace-sample=1",
    ]);
    let asking = {
        let mut connection = house.process.connect();
        let many = json!({"evaluations": vec![question("bob"); MANY]}).to_string();
        thread::spawn(move || {
            connection.write(
                format!(
                    "POST /access/v1/evaluations HTTP/1.1\r\nHost: pdp.test\r\nContent-Type: \
                     application/json\r\nContent-Length: {}\r\n\r\n{many}",
                    many.len()
                )
                .as_bytes(),
            );
            connection
        })
    };
    wait_for("a full queue", || metric(&house.process, QUEUE) > 100.0);
    let _connection = asking.join().unwrap();
    house.process.signal(Signal::TERM);
    house.process.wait();
    drop(pipe);
}

#[test]
fn a_file_that_was_moved_away_is_made_anew_at_sighup_and_nothing_is_lost() {
    let mut house = House::logging(&[]);
    let mut connection = house.process.connect();
    let moved = house.folder.path().join("decisions.log.1");
    ask(&mut connection, "/access/v1/evaluation", &question("alice"));
    fs::rename(house.log(), &moved).unwrap();
    // Until it is told, the service writes to the file that it has open.
    ask(&mut connection, "/access/v1/evaluation", &question("bob"));
    house.process.signal(Signal::HUP);
    wait_for("a new file", || house.log().exists());
    ask(&mut connection, "/access/v1/evaluation", &question("carol"));
    let new = house.end();
    let old = records(&fs::read_to_string(moved).unwrap());
    assert_eq!(new[0]["event"], "reopened");
    let both = [old, new].concat();
    let users: Vec<_> = of_type(&both, "decision")
        .iter()
        .map(|it| it["principal"].as_str().unwrap())
        .collect();
    assert_eq!(
        users,
        ["User::\"alice\"", "User::\"bob\"", "User::\"carol\""]
    );
}

#[test]
fn a_file_that_cannot_be_opened_anew_is_told_until_it_can() {
    let mut house = House::logging(&[]);
    let moved = house.folder.path().join("decisions.log.1");
    fs::rename(house.log(), &moved).unwrap();
    fs::create_dir(house.log()).unwrap();
    house.process.signal(Signal::HUP);
    wait_for("word of it", || {
        check_of_log(&house.process)["state"] == "degraded"
    });
    let mut connection = house.process.connect();
    let written = metric(&house.process, RECORDS);
    ask(&mut connection, "/access/v1/evaluation", &question("alice"));
    wait_for("it in the old file", || {
        metric(&house.process, RECORDS) > written
    });
    fs::remove_dir(house.log()).unwrap();
    wait_for("the new file", || {
        check_of_log(&house.process)["state"] == "ok"
    });
    ask(&mut connection, "/access/v1/evaluation", &question("bob"));
    let new = house.end();
    assert_eq!(new[0]["event"], "reopened");
    assert_eq!(of_type(&new, "decision")[0]["principal"], "User::\"bob\"");
    let old = records(&fs::read_to_string(moved).unwrap());
    assert_eq!(of_type(&old, "decision")[0]["principal"], "User::\"alice\"");
}

#[test]
fn a_file_that_was_deleted_is_made_anew_without_being_told() {
    let mut house = House::logging(&[]);
    fs::remove_file(house.log()).unwrap();
    wait_for("a new file", || house.log().exists());
    let mut connection = house.process.connect();
    ask(&mut connection, "/access/v1/evaluation", &question("alice"));
    let new = house.end();
    assert_eq!(new[0]["event"], "reopened");
    assert_eq!(of_type(&new, "decision").len(), 1);
}

#[test]
fn sighup_without_a_log_ends_nothing() {
    let serve = |root: &Path, flags: &[&str]| Process::serve(root, flags);
    let mut house = House::serving(serve, &[]);
    house.process.signal(Signal::HUP);
    assert_eq!(check_of_log(&house.process)["state"], "off");
    house.process.signal(Signal::TERM);
    house.process.wait();
}

#[test]
fn a_line_that_an_earlier_process_left_unfinished_is_ended_first() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    fs::write(&log, "{\"type\":\"deci").unwrap();
    let flag = format!("--decision-log={}", log.display());
    let serve = |root: &Path, more: &[&str]| Process::serve(root, &[&[&*flag], more].concat());
    let mut house = House::serving(serve, &[]);
    house.process.signal(Signal::TERM);
    house.process.wait();
    let text = fs::read_to_string(&log).unwrap();
    let (torn, rest) = text.split_once('\n').unwrap();
    assert_eq!(torn, "{\"type\":\"deci");
    assert_eq!(records(rest)[0]["event"], "started");
}
