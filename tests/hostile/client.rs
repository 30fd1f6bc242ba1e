//! A client that sends bytes as they are and counts the answers.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
};

use crate::palisade::PATIENCE;

/// One connection.
pub(crate) struct Connection(BufReader<TcpStream>);

/// One answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Names in lower case, a line each.
    pub(crate) headers: String,
    pub(crate) body: String,
}

impl Connection {
    pub(crate) fn to(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    /// Writes bytes; a service that has closed is found out by reading.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        let _ = self.0.get_mut().write_all(bytes);
    }

    /// Writes bytes over and over until the service takes no more of them.
    pub(crate) fn write_while_taken(&mut self, bytes: &[u8]) {
        let stream = self.0.get_mut();
        stream.set_write_timeout(Some(PATIENCE / 200)).unwrap();
        while stream.write_all(bytes).is_ok() {}
    }

    /// Says that nothing more will be written.
    pub(crate) fn finish(&mut self) {
        let _ = self.0.get_mut().shutdown(std::net::Shutdown::Write);
    }

    #[track_caller]
    pub(crate) fn post(&mut self, path: &str, body: &str) -> Reply {
        self.post_bytes(path, body.as_bytes())
    }

    #[track_caller]
    pub(crate) fn post_bytes(&mut self, path: &str, body: &[u8]) -> Reply {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.write(&[head.as_bytes(), body].concat());
        self.read().expect("an answer")
    }

    #[track_caller]
    pub(crate) fn get(&mut self, path: &str) -> Reply {
        self.try_get(path).expect("an answer")
    }

    /// `None` if the service closes instead.
    pub(crate) fn try_get(&mut self, path: &str) -> Option<Reply> {
        self.write(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        self.read()
    }

    /// Reads one whole answer; `None` if the service closes instead.
    pub(crate) fn read(&mut self) -> Option<Reply> {
        let status_line = self.line()?;
        let status = status_line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = String::new();
        while let Some(line) = self.line().filter(|line| !line.is_empty()) {
            headers.push_str(&line.to_ascii_lowercase());
            headers.push('\n');
        }
        let length = headers
            .lines()
            .find_map(|it| it.strip_prefix("content-length: "));
        let mut body = vec![0; length.map_or(0, |it| it.parse().unwrap())];
        self.0.read_exact(&mut body).ok()?;
        Some(Reply {
            status,
            headers,
            body: String::from_utf8(body).unwrap(),
        })
    }

    /// Whether the service closes without a further byte. A reset is how some systems say so.
    pub(crate) fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        let ended = self.0.read_to_end(&mut rest);
        let is_reset = |error: &std::io::Error| error.kind() == std::io::ErrorKind::ConnectionReset;
        rest.is_empty() && ended.map_or_else(|error| is_reset(&error), |_| true)
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.0.read_line(&mut line) {
            Ok(1..) => Some(line.trim_end().to_owned()),
            Ok(_) | Err(_) => None,
        }
    }
}
