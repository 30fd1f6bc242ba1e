//! What callers may take of the machine, and who is told to come again.

use crate::{
    client::Connection,
    palisade::{House, Served, decision, question, wait_for},
};

const ONE: &str = "/access/v1/evaluation";
const MANY: &str = "/access/v1/evaluations";
const MIB: usize = 1 << 20;
/// As soon as the service is reached at all.
const SOON: &str = "300ms";

fn head(more: &str, length: usize) -> String {
    format!(
        "POST {ONE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{more}\
         Content-Length: {length}\r\n\r\n"
    )
}

/// The question of one who may, as long as this.
fn padded(bytes: usize) -> String {
    let question = question("ann");
    let spaces = " ".repeat(bytes - question.len());
    question + &spaces
}

fn batch(items: usize) -> String {
    let items = vec![question("ann"); items];
    format!(r#"{{"evaluations":[{}]}}"#, items.join(","))
}

fn shed(served: &Served) -> f64 {
    refused(served, "overloaded")
}

fn refused(served: &Served, reason: &str) -> f64 {
    let name = "palisade_http_requests_rejected_total";
    served.metric(&format!(r#"{name}{{reason="{reason}"}}"#))
}

/// A connection on which all of a body but its last byte was sent.
fn unfinished(served: &Served, body: &str) -> Connection {
    let mut connection = served.connect();
    let (all, _) = body.split_at(body.len() - 1);
    connection.write(format!("{}{all}", head("", body.len())).as_bytes());
    connection
}

#[test]
fn long_bodies_beyond_the_room_are_told_to_come_again_and_short_ones_are_answered() {
    let house = House::new();
    let flags = ["--max-held", "4194304", "--body-timeout", "60s"];
    let mut served = house.serve_with(&flags);
    let body = padded(MIB);
    let mut held: Vec<Connection> = (0..8).map(|_| unfinished(&served, &body)).collect();
    wait_for("four are refused", || (shed(&served) >= 4.0).then_some(()));
    served.answers("bodies that never end");

    // Each of them is told, or goes on to its answer.
    let (mut answered, mut refused) = (0, 0);
    for connection in &mut held {
        connection.write(b" ");
        let reply = connection.read().expect("an answer");
        if reply.status == 503 {
            assert!(reply.headers.contains("retry-after: 1\n"), "{reply:?}");
            assert!(reply.headers.contains("connection: close\n"), "{reply:?}");
            assert!(reply.body.contains(r#""code":"overloaded""#), "{reply:?}");
            refused += 1;
        } else {
            assert!(decision(&reply));
            answered += 1;
        }
    }
    // Those that are on their way at once may take each other's room: more may be refused, never less.
    assert!((1..=4).contains(&answered), "{answered}");
    assert_eq!(answered + refused, 8);
    assert!(decision(&served.connect().post(ONE, &body)));
    served.answers("room for long bodies again");
}

#[test]
fn a_caller_that_leaves_leaves_its_room() {
    let house = House::new();
    let served = house.serve_with(&["--max-held", "1048576", "--body-timeout", "60s"]);
    let body = padded(MIB);
    // Whoever comes second is refused, be it the one that does not end.
    let held = wait_for("the room is taken", || {
        let first = unfinished(&served, &body);
        (served.connect().post(ONE, &body).status == 503).then_some(first)
    });
    drop(held);
    wait_for("the room is free", || {
        (served.connect().post(ONE, &body).status == 200).then_some(())
    });
}

#[test]
fn answers_that_nobody_reads_take_room_until_their_connections_end() {
    let house = House::new();
    // A batch of 300 KiB, and an answer of more than that with its reasons.
    let flags = ["--max-held", "2097152", "--decision-context"];
    let mut served = house.serve_with(&[&flags[..], &["--max-body", "1048576"]].concat());
    let batch = batch(3_000);
    let length = served.connect().post(MANY, &batch).body.len();
    assert!(length > 200_000, "{length}");
    let head = head("", batch.len()).replace(ONE, MANY);
    let mut deaf = Vec::new();
    wait_for("one is refused", || {
        let mut connection = served.connect();
        connection.write(format!("{head}{batch}").repeat(20).as_bytes());
        deaf.push(connection);
        (shed(&served) > 0.0).then_some(())
    });
    served.answers("answers that nobody reads");
    drop(deaf);
    wait_for("the room is free", || {
        (served.connect().post(MANY, &batch).status == 200).then_some(())
    });
}

#[test]
fn requests_without_end_and_without_reading_take_little() {
    let house = House::new();
    let mut served = house.serve().unwrap();
    let requests = [head("", question("ann").len()), question("ann")].concat();
    let requests = requests.repeat(10_000);
    let mut deaf: Vec<Connection> = (0..50).map(|_| served.connect()).collect();
    for connection in &mut deaf {
        connection.write_while_taken(requests.as_bytes());
    }
    served.answers("requests without end");
    let peak = served.peak_mib();
    assert!(peak < 150, "{peak} MiB");
}

#[test]
fn a_flood_of_long_work_is_shed_and_the_next_good_question_answered() {
    let house = House::new();
    let mut served = house.serve().unwrap();
    let batch = batch(5_000);
    let cores = std::thread::available_parallelism().unwrap().get();
    // One runs on each core and 16 wait for each; the rest is told at once.
    let flood = std::thread::scope(|scope| {
        let ask = || served.connect().post(MANY, &batch);
        let asking: Vec<_> = (0..cores * 17 + 60).map(|_| scope.spawn(ask)).collect();
        served.may("ann");
        let replies = asking.into_iter().map(|it| it.join().unwrap());
        replies.collect::<Vec<_>>()
    });
    let with = |status| flood.iter().filter(move |it| it.status == status);
    assert!(with(200).count() >= cores, "{}", with(200).count());
    assert_eq!(with(200).count() + with(503).count(), flood.len());
    for reply in with(503) {
        assert!(reply.headers.contains("retry-after: 1\n"), "{reply:?}");
        assert!(reply.body.contains(r#""code":"overloaded""#), "{reply:?}");
    }
    assert!(with(503).count() > 0);
    assert_eq!(shed(&served), with(503).count() as f64);
    assert_eq!(served.admin("/readyz").status, 200);
    assert_eq!(served.connect().post(MANY, &batch).status, 200);
    served.answers("the flood");
}

#[test]
fn connections_beyond_the_cap_wait_and_admin_has_its_own() {
    let house = House::new();
    // One of them is kept since the start.
    let served = house.serve_with(&["--max-connections", "2"]);
    let mut first = served.connect();
    assert!(decision(&first.post(ONE, &question("ann"))));
    let mut second = served.connect();
    second.write(format!("{}{}", head("", question("bob").len()), question("bob")).as_bytes());
    assert!(decision(&first.post(ONE, &question("ann"))));
    assert_eq!(served.admin("/livez").status, 200);
    let told = |name| served.metric(&format!(r#"{name}{{listener="decisions"}}"#));
    assert_eq!(told("palisade_http_connections"), 2.0);
    assert_eq!(told("palisade_http_connections_max"), 2.0);
    drop(first);
    assert!(!decision(&second.read().expect("an answer")));
    drop(second);
    wait_for("its place is free", || {
        (told("palisade_http_connections") < 2.0).then_some(())
    });
}

#[test]
fn times_and_lengths_are_what_the_operator_says() {
    let house = House::new();
    let flags = ["--idle-timeout", SOON, "--body-timeout", SOON];
    let served = house.serve_with(&[&flags[..], &["--max-header", "2048"]].concat());
    let mut idle = served.connect();
    assert!(decision(&idle.post(ONE, &question("ann"))));
    let mut slow_head = served.connect();
    slow_head.write(b"POST /access");
    let mut slow_body = served.connect();
    slow_body.write(format!("{}{{", head("", 100)).as_bytes());
    let late = slow_body.read().expect("an answer");
    assert_eq!(late.status, 408, "{late:?}");
    assert!(late.body.contains(r#""code":"body_timeout""#), "{late:?}");
    assert!(slow_body.is_closed() && slow_head.is_closed() && idle.is_closed());

    let long = |bytes| {
        let mut connection = served.connect();
        let more = format!("X: {}\r\n", "a".repeat(bytes));
        let question = question("ann");
        connection.write(format!("{}{question}", head(&more, question.len())).as_bytes());
        connection.read().expect("an answer").status
    };
    assert_eq!((long(1_800), long(2_100)), (200, 431));
    wait_for("it is counted", || {
        (refused(&served, "head_too_large") > 0.0).then_some(())
    });
    assert_eq!(refused(&served, "head_too_large"), 1.0);
    // A head that is late is not a wrong one.
    assert_eq!(refused(&served, "malformed_head"), 0.0);
    served.connect().write(b"what?\r\n\r\n");
    wait_for("it is counted, too", || {
        (refused(&served, "malformed_head") > 0.0).then_some(())
    });
    assert!(served.may("ann") && !served.may("bob"));
}
