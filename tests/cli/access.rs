//! Who may ask, by the flags of both listeners.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        net::UnixStream,
    },
    sync::Arc,
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};

use super::certs::{Authority, House};
use crate::{Served, folder, run};

const PATIENCE: Duration = Duration::from_secs(20);

/// A request and everything that is answered until the connection ends.
pub(super) fn exchange(
    address: &str,
    tls: Option<&Arc<ClientConfig>>,
    request: &str,
) -> std::io::Result<String> {
    let request = format!("{request}\r\nHost: x\r\nConnection: close\r\n\r\n");
    let mut text = String::new();
    if let Some(path) = address.strip_prefix("unix:") {
        let mut stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        stream.read_to_string(&mut text)?;
        return Ok(text);
    }
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    match tls {
        Some(config) => {
            let name = ServerName::try_from("localhost").unwrap();
            let session = ClientConnection::new(Arc::clone(config), name).unwrap();
            let mut stream = StreamOwned::new(session, stream);
            stream.write_all(request.as_bytes())?;
            stream.read_to_string(&mut text)?;
        }
        None => {
            stream.write_all(request.as_bytes())?;
            stream.read_to_string(&mut text)?;
        }
    }
    Ok(text)
}

pub(super) fn sha256(secret: &str) -> String {
    let digest = Sha256::digest(secret);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn health_asks_over_tls_and_trusts_one_certificate() {
    let folder = folder();
    let house = House::new();
    let (cert, key) = (house.path("cert.pem"), house.path("key.pem"));
    let (cert, key) = (cert.to_str().unwrap(), key.to_str().unwrap());
    let other = house.write("other.pem", &house.authority.server().cert);
    let mut served = Served::start(&folder, &["--admin-tls-cert", cert, "--admin-tls-key", key]);
    let admin = served.listening("admin");
    served.logged("watching the sources");
    let health = |more: &[&str]| {
        let args = ["health", "--admin-listen", &admin];
        run(&folder, &[&args[..], more].concat())
    };
    let (code, out, err) = health(&["--admin-tls-cert", cert]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("\"ready\":true"), "{out}");
    let (code, _, err) = health(&["--admin-tls-cert", other.to_str().unwrap()]);
    assert_eq!(code, 5);
    let expected = "another certificate than the file has: the file may be newer";
    assert!(
        err.contains(expected) && err.contains("`/v1/status`"),
        "{err}"
    );
    // The next one and the one in force, while one is renewed.
    let pems = [other.as_path(), house.path("cert.pem").as_path()].map(fs::read_to_string);
    let both = house.write("both.pem", &pems.map(Result::unwrap).concat());
    let (code, _, err) = health(&["--admin-tls-cert", both.to_str().unwrap()]);
    assert_eq!(code, 0, "{err}");
    let (code, ..) = health(&[]);
    assert_eq!(code, 5, "plain HTTP");
    let (code, _, err) = health(&["--admin-tls-cert", "missing.pem"]);
    assert_eq!(code, 2, "{err}");
    drop(served);

    let clients = house.path("clients.pem");
    let args = ["--admin-tls-cert", cert, "--admin-tls-key", key];
    let mutual = ["--admin-tls-client-ca", clients.to_str().unwrap()];
    let mut served = Served::start(
        &folder,
        &[args, [mutual[0], mutual[1], "--max-batch", "9"]].concat(),
    );
    let admin = served.listening("admin");
    let asks = ["health", "--admin-listen", &admin, "--admin-tls-cert", cert];
    let (code, _, err) = run(&folder, &asks);
    assert_eq!(code, 5);
    assert!(err.contains("demands a certificate of the caller"), "{err}");
    let own = house.clients.client();
    let client = house.authority.trusted_by_client(Some(&own));
    let answer = exchange(&admin, Some(&client), "GET /readyz HTTP/1.1").unwrap();
    assert!(
        answer.contains("\"snapshot\":{\"state\":\"ok\"}"),
        "{answer}"
    );
}

#[test]
fn the_admin_listener_is_a_socket_file_for_its_own_users() {
    let folder = folder();
    let we = fs::metadata(folder.path()).unwrap().uid();
    let path = folder.path().join("admin.sock");
    let address = format!("unix:{}", path.display());
    let check = |uid: u32, expected: &str| {
        let uid = uid.to_string();
        let listen = ["--admin-listen", &address, "--admin-socket-mode", "0600"];
        let users = ["--admin-allow-uid", uid.as_str()];
        let decisions = ["--listen", "127.0.0.1:0"];
        let all = [&listen[..], &users, &decisions].concat();
        let mut served = Served::start_at(&folder, &all);
        let decisions = served.listening("decisions");
        assert_eq!(served.listening("admin"), address);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        served.logged("watching the sources");
        let answer = exchange(&address, None, "GET /livez HTTP/1.1").unwrap();
        assert!(answer.starts_with(expected), "{answer}");
        let answer = exchange(&decisions, None, "GET /openapi.json HTTP/1.1").unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    };
    check(we, "HTTP/1.1 200");
    check(we + 1, "HTTP/1.1 403");
}

#[test]
fn files_that_cannot_be_taken_are_named_and_nothing_is_served() {
    let folder = folder();
    let house = House::new();
    let path = |name: &str| house.path(name).to_str().unwrap().to_owned();
    let other = house.authority.server();
    house.write("other.pem", &other.key);
    house.write(
        "bad.toml",
        "[[bearer]]\nname = \"a\"\nsha256 = \"hunter2\"\n",
    );
    let (cert, key) = (path("cert.pem"), path("key.pem"));
    let check = |flags: &[&str], expected: &str| {
        let args = ["serve", "--policies", "p", "--listen", "127.0.0.1:0"];
        let (code, _, err) = run(&folder, &[&args[..], flags].concat());
        assert_eq!(code, 2, "{err}");
        assert!(err.contains(expected), "{expected} in {err}");
        assert!(
            !err.contains("listening") && !err.contains("hunter2"),
            "{err}"
        );
    };
    let pair = |cert: &str, key: &str, expected: &str| {
        check(&["--tls-cert", cert, "--tls-key", key], expected);
    };
    let both = format!(
        "`{cert}` and `{}` cannot be used together",
        path("other.pem")
    );
    pair(&cert, &path("other.pem"), &both);
    pair(&key, &key, &format!("`{key}` has no certificate"));
    pair(&cert, &cert, &format!("`{cert}` has no private key"));
    pair("nowhere.pem", &key, "could not read `nowhere.pem`");
    let authority = house.write("nobody.pem", &Authority::that_is_none("nobody").pem());
    let authority = authority.to_str().unwrap();
    let all = ["--tls-cert", &cert, "--tls-key", &key];
    let mutual = [&all[..], &["--tls-client-ca", authority]].concat();
    check(
        &mutual,
        &format!(
            "`{authority}` has an authority that cannot be used: certificate 1 is no authority"
        ),
    );
    house.write("empty.toml", "");
    let empty = path("empty.toml");
    check(
        &["--credentials", &empty],
        &format!("`{empty}`: it is empty"),
    );
    let credentials = path("bad.toml");
    let digest = format!("`{credentials}`: `sha256` of the 1st `[[bearer]]`");
    check(&["--admin-credentials", &credentials], &digest);
    check(&["--credentials", "p"], "could not read `p`: it is no file");
}

#[test]
fn secrets_in_the_clear_over_the_network_are_warned_of() {
    let folder = folder();
    let file = folder.path().join("c.toml");
    let text = format!("[[bearer]]\nname = \"a\"\nsha256 = \"{}\"\n", sha256("x"));
    fs::write(&file, text).unwrap();
    let args = ["--listen", "0.0.0.0:0", "--admin-listen", "127.0.0.1:0"];
    let credentials = ["--credentials", file.to_str().unwrap()];
    let mut served = Served::start_at(&folder, &[&args[..], &credentials].concat());
    let line = served.logged("secrets cross the network in the clear");
    assert_eq!(
        (&line["level"], &line["listener"]),
        (&"WARN".into(), &"decisions".into())
    );
    let line = served.logged("listening");
    assert_eq!(line["credentials"], true);
    assert_eq!(line["tls"], false);
}

#[test]
fn an_address_that_goes_round_the_list_of_users_is_warned_of() {
    let folder = folder();
    let socket = format!("unix:{}", folder.path().join("d.sock").display());
    let addresses = ["--listen", &socket, "127.0.0.1:0"];
    let rest = ["--allow-uid", "1", "--admin-listen", "127.0.0.1:0"];
    let mut served = Served::start_at(&folder, &[&addresses[..], &rest].concat());
    let line = served.logged("whoever reaches `127.0.0.1:0` may ask, every user");
    assert_eq!(
        (&line["level"], &line["listener"]),
        (&"WARN".into(), &"decisions".into())
    );
}

#[test]
fn what_is_taken_and_was_hardly_meant_is_warned_of() {
    let folder = folder();
    let house = House::new();
    house.move_in(&house.authority.server_until(2000));
    let nobody = house.write("nobody.toml", "# nobody\n");
    let (cert, key) = (house.path("cert.pem"), house.path("key.pem"));
    let flags = [
        ["--tls-cert", cert.to_str().unwrap()],
        ["--tls-key", key.to_str().unwrap()],
        ["--credentials", nobody.to_str().unwrap()],
        ["--poll-interval", "20ms"],
    ];
    let mut served = Served::start(&folder, flags.as_flattened());
    let line = served.logged("took the tls of the decisions listener: our certificate has expired");
    assert_eq!(line["level"], "WARN");
    let line = served.logged("took the credentials of the decisions listener: nobody may ask");
    assert_eq!(line["level"], "WARN");
    let one = format!("[[bearer]]\nname = \"a\"\nsha256 = \"{}\"\n", sha256("x"));
    house.write("nobody.toml", &one);
    let line = served.logged("took the credentials");
    assert_eq!(line["level"], "INFO");
    house.write("nobody.toml", "");
    let line = served.logged("refused the credentials");
    assert_eq!(line["level"], "ERROR");
    house.write("nobody.toml", "\n");
    let line = served.logged("took the credentials");
    assert_eq!(line["level"], "WARN");
    house.move_in(&house.authority.server_until(2001));
    let line = served.logged("took the tls of the decisions listener: our certificate has expired");
    assert_eq!(line["level"], "WARN");
}

#[test]
fn access_files_are_looked_at_each_second_however_seldom_policies_are() {
    let folder = folder();
    let file = folder.path().join("c.toml");
    let one = |name: &str| {
        format!(
            "[[bearer]]\nname = \"{name}\"\nsha256 = \"{}\"\n",
            sha256("secret")
        )
    };
    fs::write(&file, one("a")).unwrap();
    let credentials = ["--credentials", file.to_str().unwrap()];
    let flags = [&credentials[..], &["--poll-interval", "1h"]].concat();
    let mut served = Served::start(&folder, &flags);
    served.logged("watching the sources");
    let started = Instant::now();
    fs::write(&file, one("b")).unwrap();
    served.logged("took the credentials");
    assert!(started.elapsed() < PATIENCE);
}
