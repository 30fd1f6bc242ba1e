//! `palisade health`: is the service ready, or alive? For probes in images without a shell.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    time::Duration,
};

use clap::Args;

use crate::{
    config::{Address, Span},
    server,
};

use super::{Exit, Failure, print};

mod pinned;

use pinned::Pinned;

/// More than `/readyz` ever says.
const MAX_REPLY_BYTES: u64 = 64 << 10;

/// Ask a running service whether it is ready
///
/// Prints what `/readyz` of the admin listener says. Exits with 5 if that is not "ready", also if
/// nobody answers. With `--live` it asks `/livez`: a probe that restarts the service must not do so
/// while it drains, or waits for a disk. A listener with TLS is asked with `--admin-tls-cert`, and shows another
/// certificate than that file has for as long as a new one is not in force: a probe that restarts
/// the service had better ask a socket file, or loopback without TLS. One that demands a
/// certificate of its caller cannot be asked by this command.
#[derive(Args, Debug)]
pub(super) struct Health {
    /// Where the admin listener is
    #[arg(
        long, env = "PALISADE_ADMIN_LISTEN", value_name = "ADDR|unix:PATH",
        default_value = crate::config::ADMIN_LISTEN
    )]
    admin_listen: Address,
    /// The service speaks TLS there and shows a certificate of this PEM file; no other is trusted
    #[arg(long, env = "PALISADE_ADMIN_TLS_CERT", value_name = "FILE")]
    admin_tls_cert: Option<PathBuf>,
    /// Ask only whether the service answers at all
    #[arg(long, conflicts_with = "revision")]
    live: bool,
    /// Ready means that this revision is in force
    #[arg(long)]
    revision: Option<String>,
    /// How long to wait for each step of the answer
    #[arg(long, value_name = "DURATION", default_value = "2s")]
    timeout: Span,
}

impl Health {
    pub(super) fn run(self) -> Result<Exit, Failure> {
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let path = match &self.revision {
            Some(revision) if is_plain(revision) => format!("/readyz?revision={revision}"),
            Some(revision) => {
                return Err(Failure::usage(format!("`{revision}` is not a revision")));
            }
            None if self.live => "/livez".to_owned(),
            None => "/readyz".to_owned(),
        };
        let Span(timeout) = self.timeout;
        let pinned = self
            .admin_tls_cert
            .as_deref()
            .map(Pinned::read)
            .transpose()?;
        match ask(&self.admin_listen, pinned, &path, timeout) {
            Ok((ready, body)) => {
                print(body.trim_end())?;
                Ok(if ready { Exit::Ok } else { Exit::Unhealthy })
            }
            Err(error) => {
                let address = &self.admin_listen;
                let why = pinned::meaning(&error).map_or_else(|| error.to_string(), str::to_owned);
                super::complain([format!("error: `{address}` does not answer: {why}")]);
                Ok(Exit::Unhealthy)
            }
        }
    }
}

fn ask(
    address: &Address,
    pinned: Option<Pinned>,
    path: &str,
    timeout: Duration,
) -> io::Result<(bool, String)> {
    match address {
        Address::Tcp(address) => {
            let stream = TcpStream::connect_timeout(&reachable(*address), timeout)?;
            stream.set_read_timeout(Some(timeout))?;
            stream.set_write_timeout(Some(timeout))?;
            match pinned {
                Some(pinned) => exchange(pinned.wrap(stream)?, path),
                None => exchange(stream, path),
            }
        }
        // A socket file has no TLS.
        Address::Unix(socket) => {
            let stream = server::connect(socket)?;
            stream.set_read_timeout(Some(timeout))?;
            stream.set_write_timeout(Some(timeout))?;
            exchange(stream, path)
        }
    }
}

/// A listener on every address is reached on the loopback one.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

/// One request, one reply that ends with the connection. Returns whether it was 200, and its body.
fn exchange(mut stream: impl Read + Write, path: &str) -> io::Result<(bool, String)> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: palisade\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut reply = Vec::new();
    stream.take(MAX_REPLY_BYTES).read_to_end(&mut reply)?;
    let reply = String::from_utf8_lossy(&reply);
    let bad = || io::Error::new(io::ErrorKind::InvalidData, "the reply is not HTTP");
    let (head, body) = reply.split_once("\r\n\r\n").ok_or_else(bad)?;
    let code = head.split(' ').nth(1).ok_or_else(bad)?;
    Ok((code == "200", body.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::{io::BufRead, io::BufReader, net::TcpListener, thread};

    use super::*;

    fn check(reply: &'static str, expected: Option<(bool, &str)>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = Address::Tcp(listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<String> = lines
                .map(|line| line.unwrap())
                .take_while(|line| !line.is_empty())
                .collect();
            stream.write_all(reply.as_bytes()).unwrap();
            head
        });
        let answer = ask(&address, None, "/readyz", Duration::from_secs(10)).ok();
        let expected = expected.map(|(ready, body)| (ready, body.to_owned()));
        assert_eq!(answer, expected);
        let head = server.join().unwrap();
        assert_eq!(head.first().unwrap(), "GET /readyz HTTP/1.1");
    }

    #[test]
    fn ready_is_200_and_nothing_else() {
        check("HTTP/1.1 200 OK\r\n\r\n{}", Some((true, "{}")));
        check("HTTP/1.1 503 No\r\nA: b\r\n\r\n{}", Some((false, "{}")));
        check("SSH-2.0-x\r\n", None);
        check("", None);
    }
}
