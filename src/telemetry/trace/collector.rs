//! The collector that spans are sent to: OTLP as protobuf in the body of a `POST`.

use std::{fmt, io, time::Duration};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, StatusCode,
    body::Bytes,
    client::conn::http1::{self, SendRequest},
    header::{CONTENT_TYPE, HOST, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;
use tokio::{net::TcpStream, task::JoinSet};

/// Longest answer that is read. It is empty, or a number and a sentence.
const ANSWER_BYTES: usize = 64 << 10;

/// How long one export may take, as OpenTelemetry has it.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// Where a collector takes traces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectorAddress {
    /// Its name or IP address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The path for traces.
    pub path: String,
}

/// A collector, and the connection to it while there is one.
#[derive(Debug)]
pub(super) struct Collector {
    pub(super) address: CollectorAddress,
    line: Option<Line>,
}

/// A connection that may be asked.
#[derive(Debug)]
struct Line {
    sender: SendRequest<Full<Bytes>>,
    /// The one task that reads and writes; it ends with the line.
    _driver: JoinSet<()>,
}

/// Why spans were not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExportError {
    #[error("could not read the answer: {0}")]
    Answer(Box<dyn std::error::Error + Send + Sync>),
    #[error("could not connect: {0}")]
    Connect(#[source] io::Error),
    #[error("the connection failed: {0}")]
    Connection(#[source] hyper::Error),
    #[error("the answer is not one of OTLP: {0}")]
    Garbled(#[source] prost::DecodeError),
    #[error("the answer is {0}")]
    Refused(StatusCode),
    #[error("the request cannot be written: {0}")]
    Request(#[source] hyper::http::Error),
    #[error("the service ends")]
    Stopped,
    #[error("no answer came within {} s", TIMEOUT.as_secs())]
    TimedOut,
}

impl ExportError {
    /// Whether the same spans may be taken later, by the specification of OTLP.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Answer(_) | Self::Garbled(_) | Self::Request(_) => false,
            Self::Connect(_) | Self::Stopped | Self::TimedOut => true,
            Self::Connection(error) => !error.is_parse(),
            Self::Refused(code) => matches!(
                *code,
                StatusCode::TOO_MANY_REQUESTS
                    | StatusCode::BAD_GATEWAY
                    | StatusCode::SERVICE_UNAVAILABLE
                    | StatusCode::GATEWAY_TIMEOUT
            ),
        }
    }
}

impl Collector {
    pub(super) fn new(address: CollectorAddress) -> Self {
        Self {
            address,
            line: None,
        }
    }

    /// Sends a batch, and says how many of its spans were not taken for good. Whoever does not
    /// wait for the end of this hangs up.
    pub(super) async fn post(&mut self, batch: Bytes) -> Result<usize, ExportError> {
        let mut line = match self.line.take() {
            Some(line) if !line.sender.is_closed() => line,
            _ => self.connect().await?,
        };
        let request = Request::post(self.address.path.as_str())
            .header(HOST, self.address.authority())
            .header(CONTENT_TYPE, "application/x-protobuf")
            .header(USER_AGENT, concat!("palisade/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(batch))
            .map_err(ExportError::Request)?;
        line.sender.ready().await.map_err(ExportError::Connection)?;
        let answer = line.sender.send_request(request).await;
        let (head, body) = answer.map_err(ExportError::Connection)?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES).collect().await;
        let body = body.map_err(ExportError::Answer)?.to_bytes();
        self.line = Some(line);
        if head.status != StatusCode::OK {
            return Err(ExportError::Refused(head.status));
        }
        let answer = ExportTraceServiceResponse::decode(body).map_err(ExportError::Garbled)?;
        let rejected = answer.partial_success.map_or(0, |it| it.rejected_spans);
        Ok(usize::try_from(rejected).unwrap_or(0))
    }

    async fn connect(&self) -> Result<Line, ExportError> {
        let address = (self.address.host.as_str(), self.address.port);
        let stream = TcpStream::connect(address).await;
        let stream = TokioIo::new(stream.map_err(ExportError::Connect)?);
        let (sender, connection) = http1::handshake(stream)
            .await
            .map_err(ExportError::Connection)?;
        let mut driver = JoinSet::new();
        driver.spawn(async {
            // Whoever waits for an answer is told of a failure.
            let _ = connection.await;
        });
        Ok(Line {
            sender,
            _driver: driver,
        })
    }
}

impl CollectorAddress {
    fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Display for CollectorAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.path)
    }
}
