//! A client that sends exactly what it is told to.

use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, HandshakeKind, StreamOwned,
    pki_types::{CertificateDer, ServerName},
};

use crate::harness::PATIENCE;

pub(crate) const JSON: (&str, &str) = ("Content-Type", "application/json");

/// One connection, kept alive as long as both sides like.
pub(crate) struct Connection {
    stream: BufReader<Stream>,
}

enum Stream {
    Tcp(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    Unix(std::os::unix::net::UnixStream),
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buf),
            Self::Tls(stream) => stream.read(buf),
            Self::Unix(stream) => stream.read(buf),
        }
    }
}

impl Connection {
    /// Connects to an address as [`Bound::address`] writes it.
    pub(crate) fn to(address: &str) -> Self {
        let stream = match address.strip_prefix("unix:") {
            Some(path) => {
                let stream = std::os::unix::net::UnixStream::connect(path).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                Stream::Unix(stream)
            }
            None => {
                let stream = TcpStream::connect(address).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                Stream::Tcp(stream)
            }
        };
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// Connects to a TCP address; the handshake comes with the first request.
    pub(crate) fn tls(address: &str, config: &Arc<ClientConfig>) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let session = ClientConnection::new(Arc::clone(config), name).unwrap();
        let stream = Stream::Tls(Box::new(StreamOwned::new(session, socket)));
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// The certificate that the server has shown.
    pub(crate) fn certificate(&self) -> Option<CertificateDer<'static>> {
        match self.stream.get_ref() {
            Stream::Tls(stream) => stream.conn.peer_certificates()?.first().cloned(),
            Stream::Tcp(_) | Stream::Unix(_) => None,
        }
    }

    /// Whether the handshake went on with an earlier session.
    pub(crate) fn is_resumed(&self) -> bool {
        match self.stream.get_ref() {
            Stream::Tls(stream) => stream.conn.handshake_kind() == Some(HandshakeKind::Resumed),
            Stream::Tcp(_) | Stream::Unix(_) => false,
        }
    }

    /// Why the server does not talk to us, if so: what is read after a request was sent.
    pub(crate) fn refusal(&mut self) -> String {
        self.write(b"GET /openapi.json HTTP/1.1\r\nHost: pdp.test\r\n\r\n");
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Err(error) if rest.is_empty() => error.to_string(),
            read => panic!("{read:?}: {}", String::from_utf8_lossy(&rest)),
        }
    }

    /// Sends one request with `Host` and `Content-Length`, and reads the answer.
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: pdp.test\r\n");
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(body);
        self.write(&bytes);
        self.read(method == "HEAD")
    }

    /// Whether no byte of an answer comes before the connection ends.
    pub(crate) fn is_refused(&mut self) -> bool {
        let mut rest = Vec::new();
        let read = self.stream.read_to_end(&mut rest);
        read.is_err() && rest.is_empty()
    }

    /// Writes as much as goes, within the timeout of [`Self::write_timeout`].
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match self.stream.get_mut() {
            Stream::Tcp(stream) => stream.write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes),
            Stream::Unix(stream) => stream.write_all(bytes),
        }
    }

    pub(crate) fn write_timeout(&self, timeout: Duration) {
        match self.stream.get_ref() {
            Stream::Tcp(stream) => stream.set_write_timeout(Some(timeout)).unwrap(),
            Stream::Tls(stream) => stream.sock.set_write_timeout(Some(timeout)).unwrap(),
            Stream::Unix(stream) => stream.set_write_timeout(Some(timeout)).unwrap(),
        }
    }

    /// Writes bytes as they are. A server that has closed is found out by reading.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let _ = match self.stream.get_mut() {
            Stream::Tcp(stream) => stream.write_all(bytes),
            Stream::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            Stream::Unix(stream) => stream.write_all(bytes),
        };
    }

    /// Says that nothing more will be written.
    pub(crate) fn finish(&mut self) {
        match self.stream.get_mut() {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Write).unwrap(),
            Stream::Tls(stream) => {
                stream.conn.send_close_notify();
                stream.flush().unwrap();
            }
            Stream::Unix(stream) => stream.shutdown(Shutdown::Write).unwrap(),
        }
    }

    /// Reads one answer.
    pub(crate) fn read(&mut self, is_head: bool) -> Reply {
        let status_line = self.line();
        let status = status_line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(": ") else {
                assert_eq!(line, "", "after {status_line}");
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let mut reply = Reply {
            status,
            headers,
            body: String::new(),
        };
        let length = reply.header("content-length").unwrap_or("0");
        let mut body = vec![0; length.parse().unwrap()];
        if !is_head {
            self.stream.read_exact(&mut body).unwrap();
            reply.body = String::from_utf8(body).unwrap();
        }
        reply
    }

    /// Whether the server closes without a further byte; over TLS, whether it says so before.
    pub(crate) fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        let started = Instant::now();
        let ended = self.stream.read_to_end(&mut rest);
        started.elapsed() < PATIENCE && ended.is_ok() && rest.is_empty()
    }

    /// Whether nothing comes for a while.
    pub(crate) fn is_silent_for(&mut self, length: Duration) -> bool {
        self.patience(length);
        let silent = self
            .stream
            .fill_buf()
            .is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        self.patience(PATIENCE);
        silent
    }

    fn patience(&self, timeout: Duration) {
        match self.stream.get_ref() {
            Stream::Tcp(stream) => stream.set_read_timeout(Some(timeout)).unwrap(),
            Stream::Tls(stream) => stream.sock.set_read_timeout(Some(timeout)).unwrap(),
            Stream::Unix(stream) => stream.set_read_timeout(Some(timeout)).unwrap(),
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        assert!(line.ends_with("\r\n"), "the connection ended in `{line}`");
        line.trim_end().to_owned()
    }
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    /// The value of a header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find_map(|(header, value)| (header == name).then_some(value.as_str()))
    }

    /// All values of a header, by its name in lower case.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let of = self.headers.iter().filter(|(header, _)| header == name);
        of.map(|(_, value)| value.as_str()).collect()
    }

    /// The names of all headers, in lower case.
    pub(crate) fn header_names(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(|(name, _)| name.as_str())
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"));
        serde_json::from_str(&self.body).unwrap()
    }

    /// The code of an error answer.
    #[track_caller]
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap().to_owned()
    }
}
