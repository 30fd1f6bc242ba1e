//! Requests, good ones and others.

/// A `POST` of JSON.
pub(crate) fn post(path: &str, body: &str) -> Vec<u8> {
    let mut request = head(path, body.len());
    request.extend_from_slice(body.as_bytes());
    request
}

/// The head of a `POST` of so many bytes.
pub(crate) fn head(path: &str, length: usize) -> Vec<u8> {
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: pdp\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    head.into_bytes()
}

fn asked(who: &str, more: &str) -> String {
    format!(
        r#"{{"subject":{{"type":"U","id":"{who}"}},"action":{{"name":"view"}},"resource":{{"type":"D","id":"d0"}}{more}}}"#
    )
}

/// Whether somebody may: `ann` may, nobody else.
pub(crate) fn question(who: &str) -> Vec<u8> {
    post("/access/v1/evaluation", &asked(who, ""))
}

/// A question whose context has so many values.
pub(crate) fn of_many_values(count: usize) -> Vec<u8> {
    let values = vec!["1"; count].join(",");
    let more = format!(r#","context":{{"values":[{values}]}}"#);
    post("/access/v1/evaluation", &asked("bob", &more))
}

/// The same in Cedar's own shape.
pub(crate) fn of_many_values_for_cedar(count: usize) -> Vec<u8> {
    let values = vec!["1"; count].join(",");
    let asked = r#""principal":"U::\"bob\"","action":"Action::\"view\"","resource":"D::\"d0\"""#;
    let body = format!(r#"{{{asked},"context":{{"values":[{values}]}}}}"#);
    post("/v1/is_authorized", &body)
}

/// Whether somebody may, with a body whose length comes with it.
pub(crate) fn in_chunks(who: &str) -> Vec<u8> {
    let body = asked(who, "");
    let head = String::from_utf8(head("/access/v1/evaluation", 0)).unwrap();
    let head = head.replace("Content-Length: 0", "Transfer-Encoding: chunked");
    format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len()).into_bytes()
}

/// As many questions as a batch may have.
pub(crate) fn largest_batch() -> Vec<u8> {
    let items = (0..5000).map(|n| format!(r#"{{"resource":{{"type":"D","id":"d{n}"}}}}"#));
    let items: Vec<String> = items.collect();
    let more = format!(r#","evaluations":[{}]"#, items.join(","));
    post("/access/v1/evaluations", &asked("bob", &more))
}

/// Which of all resources somebody may view who may view none.
pub(crate) fn search() -> Vec<u8> {
    let body = r#"{"subject":{"type":"U","id":"bob"},"action":{"name":"view"},"resource":{"type":"D"},"context":{"values":[1]}}"#;
    post("/access/v1/search/resource", body)
}

/// Bytes that look like nothing, the same each time.
pub(crate) fn garbage(seed: usize) -> Vec<u8> {
    let mut state = seed as u64 | 1;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    };
    let mut bytes: Vec<u8> = (0..512).map(|_| next()).collect();
    bytes.extend_from_slice(b"\r\n\r\n");
    bytes
}
