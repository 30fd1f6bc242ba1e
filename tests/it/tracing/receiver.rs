//! A collector of OTLP over HTTP in this process, as kind or unkind as the test wants.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
    },
    common::v1::{AnyValue, KeyValue, any_value},
    trace::v1::{Span, span::SpanKind},
};
use prost::Message;
use serde_json::{Map, Value, json};

use crate::harness::wait_for;

/// What the collector does with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// Closes the connection without an answer.
    Closing,
    /// Answers with bytes that are no HTTP.
    Garbage,
    /// Keeps it, and says that it did not take so many of its spans.
    Rejecting(i64),
    /// Reads it, and never answers.
    Silent,
    /// Answers with this code.
    Status(u16),
    /// Keeps it.
    Taking,
    /// Answers well, with a body that is no protobuf.
    Wordy,
}

/// A collector; it ends with the process.
#[derive(Clone)]
pub(super) struct Receiver {
    pub(super) url: String,
    seen: Arc<Mutex<Seen>>,
}

struct Seen {
    manner: Manner,
    /// Batches that were sent, whatever became of them.
    tries: usize,
    /// Bodies that were kept.
    kept: Vec<Vec<u8>>,
}

impl Receiver {
    pub(super) fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let receiver = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            seen: Arc::new(Mutex::new(Seen {
                manner,
                tries: 0,
                kept: Vec::new(),
            })),
        };
        let serving = receiver.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let serving = serving.clone();
                thread::spawn(move || serving.serve(stream.unwrap()));
            }
        });
        receiver
    }

    /// Behaves so from now on, and counts tries anew.
    pub(super) fn turn(&self, manner: Manner) {
        self.seen(|seen| {
            seen.manner = manner;
            seen.tries = 0;
        });
    }

    pub(super) fn tries(&self) -> usize {
        self.seen(|seen| seen.tries)
    }

    /// What was kept, as it was sent.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.seen(|seen| seen.kept.concat())
    }

    /// The attributes of whoever sent.
    pub(super) fn resource(&self) -> Value {
        let sent = self.sent();
        let sent = sent.into_iter().flat_map(|it| it.resource_spans);
        let mut resources = sent.map(|it| attributes(it.resource.unwrap().attributes));
        resources.next().unwrap()
    }

    /// The spans that were kept of requests.
    pub(super) fn spans(&self) -> Vec<Span> {
        let mut spans = self.all();
        spans.retain(|it| it.kind() == SpanKind::Server);
        spans
    }

    /// All that were kept.
    pub(super) fn all(&self) -> Vec<Span> {
        let sent = self.sent().into_iter();
        let of_scopes = sent
            .flat_map(|it| it.resource_spans)
            .flat_map(|it| it.scope_spans);
        of_scopes.flat_map(|it| it.spans).collect()
    }

    /// Waits for so many spans, and takes them if there are no more.
    #[track_caller]
    pub(super) fn await_spans(&self, count: usize) -> Vec<Span> {
        wait_for("spans", || self.spans().len() >= count);
        let spans = self.spans();
        assert_eq!(spans.len(), count, "{spans:?}");
        spans
    }

    fn sent(&self) -> Vec<ExportTraceServiceRequest> {
        let kept = self.seen(|seen| seen.kept.clone());
        let decoded = kept
            .iter()
            .map(|it| ExportTraceServiceRequest::decode(it.as_slice()).unwrap());
        decoded.collect()
    }

    fn seen<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers on one connection for as long as its caller likes.
    fn serve(&self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        while let Some(body) = request(&mut stream) {
            let manner = self.seen(|seen| {
                seen.tries += 1;
                if matches!(seen.manner, Manner::Taking | Manner::Rejecting(_)) {
                    seen.kept.push(body);
                }
                seen.manner
            });
            let answer = match manner {
                Manner::Closing => return,
                Manner::Garbage => b"what? HTTP?\r\n\r\n".to_vec(),
                Manner::Rejecting(spans) => answer(200, &rejecting(spans)),
                Manner::Silent => {
                    let _ = stream.read_to_end(&mut Vec::new());
                    return;
                }
                Manner::Status(code) => answer(code, b"no"),
                Manner::Taking => answer(200, b""),
                Manner::Wordy => answer(200, b"thanks a lot"),
            };
            if stream.get_mut().write_all(&answer).is_err() {
                return;
            }
        }
    }
}

/// The body of one request, which must be one of OTLP.
fn request(stream: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
    assert!(
        head.contains("\r\ncontent-type: application/x-protobuf\r\n"),
        "{head}"
    );
    let (_, length) = head.split_once("\r\ncontent-length: ").unwrap();
    let length = length.split("\r\n").next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(body)
}

fn answer(code: u16, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {code} -\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn rejecting(rejected_spans: i64) -> Vec<u8> {
    let partial_success = Some(ExportTracePartialSuccess {
        rejected_spans,
        error_message: "no room".to_owned(),
    });
    ExportTraceServiceResponse { partial_success }.encode_to_vec()
}

/// Attributes as an object.
pub(super) fn attributes(pairs: Vec<KeyValue>) -> Value {
    let pairs = pairs.into_iter();
    let pairs = pairs.map(|pair| (pair.key, value(pair.value.unwrap())));
    Value::Object(pairs.collect::<Map<_, _>>())
}

fn value(value: AnyValue) -> Value {
    let value = value.value.unwrap();
    if let any_value::Value::StringValue(text) = value {
        return json!(text);
    }
    if let any_value::Value::IntValue(number) = value {
        return json!(number);
    }
    let any_value::Value::ArrayValue(list) = value else {
        panic!("no attribute of ours is {value:?}")
    };
    list.values.into_iter().map(self::value).collect()
}
