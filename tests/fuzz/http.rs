//! Requests as bytes on a connection of their own.

use crate::{
    reference::{ONE, question},
    runs::fuzz,
    served::{Reply, Server, post},
};

/// More answers than an input can have requests.
const MOST_ANSWERS: usize = 4096;

/// Sends bytes and reads all that comes back: whole answers, each one that we give, and then the
/// end.
fn exchange(server: &Server, bytes: &[u8]) -> Vec<Reply> {
    const OURS: [u16; 13] = [
        100, 200, 204, 400, 401, 403, 404, 405, 408, 413, 414, 431, 503,
    ];
    let mut connection = server.connect();
    connection.write(bytes);
    connection.finish();
    let replies: Vec<Reply> = std::iter::from_fn(|| connection.read())
        .take(MOST_ANSWERS)
        .collect();
    assert!(replies.len() < MOST_ANSWERS, "more answers than requests");
    for reply in &replies {
        assert!(OURS.contains(&reply.status), "{reply:?}");
    }
    replies
}

#[test]
fn whatever_is_sent_is_answered_or_ended() {
    let server = Server::start(None);
    fuzz("http", |bytes| drop(exchange(&server, bytes)));
    server.answers();
}

#[test]
fn whatever_headers_say_the_answer_is_right_or_a_refusal() {
    let server = Server::start(None);
    fuzz("headers", |lines| {
        let lines = String::from_utf8_lossy(lines);
        // What ends the head may begin another request: that is for the target above.
        let lines: String = lines
            .split("\r\n\r\n")
            .next()
            .unwrap()
            .replace("\n\n", "\n");
        let more = format!("{}\r\n", lines.trim());
        for reply in exchange(&server, &post(ONE, &more, question("bob"))) {
            if reply.status == 200 {
                assert_eq!(reply.json()["decision"], false, "{reply:?}");
            }
        }
    });
    server.answers();
}
