//! Requests that are not what HTTP says, or say two things at once.

use std::time::Instant;

use crate::palisade::{House, question, row};

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Closed,
    /// The next request on it is answered.
    Open,
}
use Then::{Closed, Open};

const HEAD: &str =
    "POST /access/v1/evaluation HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";

/// (name, what is sent, statuses of the answers, the connection)
type Row = (&'static str, Vec<u8>, &'static [u16], Then);

/// A good request with its length.
fn good() -> String {
    let body = question("ann");
    format!("{HEAD}Content-Length: {}\r\n\r\n{body}", body.len())
}

/// The good question in one chunk.
fn chunked() -> String {
    let body = question("ann");
    format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
}

/// The good question in chunks of a byte each.
fn bytewise() -> String {
    let chunks = question("ann");
    let chunks = chunks.chars().map(|it| format!("1\r\n{it}\r\n"));
    chunks.collect::<String>() + "0\r\n\r\n"
}

/// A head with these lines, the good question, and a second request behind it.
fn framed(lines: &str, body: &str) -> Vec<u8> {
    format!("{HEAD}{lines}\r\n{body}{}", good()).into_bytes()
}

fn with_host(host: &str) -> Vec<u8> {
    good().replace("Host: x\r\n", host).into_bytes()
}

fn line(line: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes()
}

#[rustfmt::skip]
fn targets() -> Vec<Row> {
    let twice = |text: &str| [text.as_bytes(), good().as_bytes()].concat();
    let connect = "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n";
    let authority = good().replace(" /access/v1/evaluation ", " a.test:80 ");
    let absolute = good().replace(" /access", " http://pdp.test/access");
    vec![
        ("good", good().into_bytes(), &[200], Open),
        ("no Host", with_host(""), &[400], Closed),
        ("two Hosts", with_host("Host: x\r\nHost: x\r\n"), &[400], Closed),
        ("empty Host", with_host("Host:\r\n"), &[200], Open),
        ("Host of rubbish", with_host("Host: a b/c, d\r\n"), &[400], Closed),
        ("Host with a user", with_host("Host: u@x\r\n"), &[400], Closed),
        ("Host not ASCII", with_host("Host: \u{e4}\r\n"), &[400], Closed),
        ("GET *", line("GET *"), &[400], Closed),
        ("POST *", good().replace("/access/v1/evaluation", "*").into(), &[400], Closed),
        ("OPTIONS *", line("OPTIONS *"), &[204], Open),
        ("CONNECT", twice(connect), &[400], Closed),
        ("authority form", authority.into(), &[400], Closed),
        ("absolute form", absolute.clone().into(), &[200], Open),
        ("absolute form, no Host", absolute.replace("Host: x\r\n", "").into(), &[400], Closed),
        ("absolute form, no path", line("GET http://pdp.test"), &[404], Open),
        ("relative target", good().replace(" /access", " access").into(), &[400], Closed),
        ("target of 20 KB", line(&format!("GET /{}", "a".repeat(20_000))), &[431], Closed),
        ("absolute form, another Host", absolute.replace("Host: x", "Host: other.test").into(), &[200], Open),
        ("target that is no UTF-8", [b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n".as_slice(), b""].concat(), &[400], Closed),
        ("NUL in the target", line("GET /a\0b"), &[400], Closed),
        ("space in the target", line("GET /a b"), &[400], Closed),
        ("escapes in the target", line("GET /%00%ff%zz/../openapi.json"), &[404], Open),
        ("target of 70 KB", line(&format!("GET /{}", "a".repeat(70_000))), &[431], Closed),
    ]
}

#[rustfmt::skip]
fn framings() -> Vec<Row> {
    const TE: &str = "Transfer-Encoding: chunked\r\n";
    let length = question("ann").len();
    let cl = format!("Content-Length: {length}\r\n");
    let whole = format!("Content-Length: {}\r\n", chunked().len() + good().len());
    let body = question("ann");
    let lengths = |lines: &str| framed(lines, &body);
    vec![
        ("CL, TE", framed(&format!("{cl}{TE}"), &chunked()), &[200], Closed),
        ("TE, CL", framed(&format!("{TE}{cl}"), &chunked()), &[200], Closed),
        ("CL over a smuggled request, TE", framed(&format!("{whole}{TE}"), &chunked()), &[200], Closed),
        ("TE, CL, keep-alive", framed(&format!("{TE}{cl}Connection: keep-alive\r\n"), &chunked()), &[200], Closed),
        ("CL of rubbish, TE", framed(&format!("Content-Length: x\r\n{TE}"), &chunked()), &[400], Closed),
        ("TE, CL of rubbish", framed(&format!("{TE}Content-Length: x\r\n"), &chunked()), &[200], Closed),
        ("TE twice", framed(&format!("{TE}{TE}"), &chunked()), &[400], Closed),
        ("TE: chunked, chunked", framed("Transfer-Encoding: chunked, chunked\r\n", &chunked()), &[400], Closed),
        ("TE: gzip, chunked", framed("Transfer-Encoding: gzip, chunked\r\n", &chunked()), &[400], Closed),
        ("TE: identity", framed("Transfer-Encoding: identity\r\n", &body), &[400], Closed),
        ("TE: chunked, identity", framed("Transfer-Encoding: chunked, identity\r\n", &body), &[400], Closed),
        ("TE: xchunked", framed("Transfer-Encoding: xchunked\r\n", &chunked()), &[400], Closed),
        ("TE, space before the colon", framed("Transfer-Encoding : chunked\r\n", &chunked()), &[400], Closed),
        ("TE, vertical tab", framed("Transfer-Encoding: \u{b}chunked\r\n", &chunked()), &[400], Closed),
        ("TE of HTTP/1.0", String::from_utf8(framed(TE, &chunked())).unwrap().replacen("1.1", "1.0", 1).into(), &[400], Closed),
        ("two CLs", lengths(&format!("{cl}Content-Length: 5\r\n")), &[400], Closed),
        ("two equal CLs", lengths(&format!("{cl}{cl}")), &[200, 200], Open),
        ("CL with a sign", lengths(&format!("Content-Length: +{length}\r\n")), &[400], Closed),
        ("CL as a list", lengths("Content-Length: 5,5\r\n"), &[400], Closed),
        ("CL below zero", lengths("Content-Length: -1\r\n"), &[400], Closed),
        ("CL beyond 64 bits", lengths("Content-Length: 99999999999999999999999\r\n"), &[400], Closed),
        ("CL of 2^64-1", lengths("Content-Length: 18446744073709551615\r\n"), &[431], Closed),
        ("CL empty", lengths("Content-Length:\r\n"), &[400], Closed),
        ("chunk size beyond 64 bits", framed(TE, "fffffffffffffffff\r\n"), &[400], Closed),
        ("chunk size below zero", framed(TE, "-1\r\n"), &[400], Closed),
        ("chunk extensions", framed(TE, &chunked().replacen("\r\n", ";a=b\r\n", 1)), &[200, 200], Open),
        ("chunk extension of 20 KB", framed(TE, &chunked().replacen("\r\n", &format!(";{}\r\n", "a".repeat(20_000)), 1)), &[400], Closed),
        ("chunks end in bare LF", framed(TE, &chunked().replace("\r\n", "\n")), &[400], Closed),
        ("rubbish behind a chunk", framed(TE, &chunked().replace("\r\n0", "XX0")), &[400], Closed),
        ("CL of two numbers", lengths("Content-Length: 1 2\r\n"), &[400], Closed),
        ("CL in hexadecimal", lengths("Content-Length: 0x10\r\n"), &[400], Closed),
        ("CL, space before the colon", lengths(&format!("Content-Length : {length}\r\n")), &[400], Closed),
        ("CL, folded", lengths(&format!("Content-Length:\r\n {length}\r\n")), &[400], Closed),
        ("CL with zeros before it", lengths(&format!("Content-Length: 000000{length}\r\n")), &[200, 200], Open),
        ("CL, and the same with a list", lengths(&format!("{cl}Content-Length: {length}, {length}\r\n")), &[400], Closed),
        ("TE, CL in another case", framed(&format!("{TE}content-LENGTH: 5\r\n"), &chunked()), &[200], Closed),
        ("TE in another case", framed("transfer-ENCODING: CHUNKED\r\n", &chunked()), &[200, 200], Open),
        ("TE, quoted", framed("Transfer-Encoding: \"chunked\"\r\n", &chunked()), &[400], Closed),
        ("TE with a parameter", framed("Transfer-Encoding: chunked;a=b\r\n", &chunked()), &[400], Closed),
        ("TE empty", framed("Transfer-Encoding:\r\n", &body), &[400], Closed),
        ("chunks of a byte", framed(TE, &bytewise()), &[200, 200], Open),
        ("chunks with zeros before their size", framed(TE, &format!("0000{}", chunked())), &[200, 200], Open),
        ("chunk size 0x", framed(TE, &format!("0x{}", chunked())), &[400], Closed),
        ("chunk size with a sign", framed(TE, &format!("+{}", chunked())), &[400], Closed),
        ("chunk size, space before it", framed(TE, &format!(" {}", chunked())), &[400], Closed),
        ("chunk size, none", framed(TE, &format!("\r\n{}", chunked())), &[400], Closed),
        ("NUL in a chunk extension", framed(TE, &chunked().replacen("\r\n", ";a\0b\r\n", 1)), &[200, 200], Open),
        ("bare LF in a chunk extension", framed(TE, &chunked().replacen("\r\n", ";a\nb\r\n", 1)), &[400], Closed),
        ("trailers of 20 KB", framed(TE, &chunked().replace("0\r\n\r\n", &format!("0\r\nX: {}\r\n\r\n", "a".repeat(20_000)))), &[400], Closed),
        ("101 trailers", framed(TE, &chunked().replace("0\r\n\r\n", &format!("0\r\n{}\r\n", "A: b\r\n".repeat(101)))), &[400], Closed),
        ("trailers that frame", framed(TE, &chunked().replace("0\r\n\r\n", "0\r\nContent-Length: 9\r\n\r\n")), &[200, 200], Open),
        ("length and a promise", lengths(&format!("{cl}Expect: 100-continue\r\n")), &[100, 200, 200], Open),
        ("trailers", framed(TE, &chunked().replace("0\r\n\r\n", "0\r\nHost: y\r\n\r\n")), &[200, 200], Open),
    ]
}

#[rustfmt::skip]
fn heads() -> Vec<Row> {
    let with = |lines: &str| with_host(&format!("Host: x\r\n{lines}"));
    let version = |version: &str| good().replace("HTTP/1.1", version).into_bytes();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    let hello = [
        b"\x16\x03\x01\0\xc8\x01\0\0\xc4\x03\x03".as_slice(),
        &[0x5a; 200],
    ]
    .concat();
    vec![
        ("five at once", good().repeat(5).into(), &[200; 5], Open),
        ("a thousand at once", good().repeat(1_000).into(), &[200; 1_000], Open),
        ("a bad one among good ones", format!("{}{HEAD}Content-Length: 1\r\n\r\n{{{}", good(), good()).into(), &[200, 400, 200], Open),
        ("empty lines first", format!("\r\n\r\n{}", good()).into(), &[200], Open),
        ("bare LF", good().replace("\r\n", "\n").into(), &[200], Open),
        ("bare CR in a header", with("X: a\rY: b\r\n"), &[400], Closed),
        ("folded header", with("X: a\r\n b\r\n"), &[400], Closed),
        ("NUL in a header", with("X: a\0b\r\n"), &[400], Closed),
        ("bare CR at the end of a line", good().replacen("\r\n", "\r", 1).into(), &[400], Closed),
        ("a header without a name", with(": a\r\n"), &[400], Closed),
        ("a header without a colon", with("X\r\n"), &[400], Closed),
        ("a header that is no UTF-8", with("X: \u{e4}\r\nX-Request-ID: \u{1F600}\r\n"), &[200], Open),
        ("a name that is not ASCII", with("X\u{e4}: a\r\n"), &[400], Closed),
        ("DEL in a header", with("X: a\u{7f}b\r\n"), &[400], Closed),
        ("space before the first header", good().replacen("\r\nHost", "\r\n Host", 1).into(), &[400], Closed),
        ("space in a header's name", with("X Y: b\r\n"), &[400], Closed),
        ("100 headers", with(&"A: b\r\n".repeat(97)), &[200], Open),
        ("101 headers", with(&"A: b\r\n".repeat(98)), &[431], Closed),
        ("10,000 headers", with(&"A: b\r\n".repeat(10_000)), &[431], Closed),
        ("header of 17 KB", with(&format!("X: {}\r\n", "a".repeat(17_000))), &[431], Closed),
        ("header of 1 MB", with(&format!("X: {}\r\n", "a".repeat(1_000_000))), &[431], Closed),
        ("method of 5 KB", line(&format!("{} /", "A".repeat(5_000))), &[404], Open),
        ("upgrade to h2c", with("Connection: Upgrade\r\nUpgrade: h2c\r\n"), &[200], Open),
        ("upgrade to a socket", with("Connection: Upgrade\r\nUpgrade: websocket\r\n"), &[200], Open),
        ("a proxy's greeting", format!("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n{}", good()).into(), &[400], Closed),
        ("http/1.1", version("http/1.1"), &[400], Closed),
        ("HTTP/1.1 with a space", version("HTTP/1. 1"), &[400], Closed),
        ("unknown expectation", with("Expect: 200-ok\r\n"), &[200], Open),
        ("HTTP/0.9", b"GET /openapi.json\r\n".to_vec(), &[400], Closed),
        ("HTTP/1.2", version("HTTP/1.2"), &[400], Closed),
        ("HTTP/3.0", version("HTTP/3.0"), &[400], Closed),
        ("HTTP/2 preface", preface, &[], Closed),
        ("TLS hello", hello, &[400], Closed),
        ("binary rubbish", [0, 1, 2, 3, b'\r', b'\n', b'\r', b'\n'].repeat(99), &[400], Closed),
    ]
}

#[test]
fn unsound_requests_have_one_answer_at_most() {
    let house = House::new();
    let mut served = house.serve().unwrap();
    let mut wrong = Vec::new();
    for (name, bytes, statuses, then) in [targets(), framings(), heads()].concat() {
        let started = Instant::now();
        let mut connection = served.connect();
        connection.write(&bytes);
        let replies = statuses.iter().map_while(|_| connection.read());
        let told: Vec<u16> = replies.map(|it| it.status).collect();
        // If an answer too many were on its way, it would be taken for the next one's.
        let is_so = told == statuses
            && match then {
                Closed => connection.is_closed(),
                Open => connection
                    .try_get("/openapi.json")
                    .is_some_and(|it| it.body.contains("openapi")),
            };
        if !is_so {
            wrong.push(format!(
                "{name}: {told:?} in place of {statuses:?} {then:?}"
            ));
        }
        let shown: Vec<&u16> = told.iter().take(5).collect();
        row(name, &format!("{shown:?} {then:?}"), started);
        served.answers(name);
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn a_body_that_never_comes_ends_with_its_connection() {
    let house = House::new();
    let mut served = house.serve().unwrap();
    for (name, lines) in [
        (
            "chunk of 2^64-1 bytes",
            "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{",
        ),
        ("half a body", "Content-Length: 100\r\n\r\n{"),
        ("half a head", "Content-Le"),
    ] {
        let started = Instant::now();
        let mut connection = served.connect();
        connection.write(format!("{HEAD}{lines}").as_bytes());
        served.answers(name);
        connection.finish();
        let status = connection.read().map(|reply| reply.status);
        assert!(matches!(status, None | Some(400)), "{name}: {status:?}");
        assert!(connection.is_closed(), "{name}");
        row(name, &format!("{status:?} Closed"), started);
    }
}
