//! Gateways present their own credentials beside those of the request that they were asked.

use sha2::{Digest, Sha256};

use super::{GATEWAYS, code, shipped};
use crate::{
    client::JSON,
    harness::{Server, Start},
};

const TOKEN: &str = "6d2f0c1be9a84d7f9f3f0a5f6c1e2b3a";
const OWN: &str = "X-Palisade-Authorization";
const MONA: (&str, &str) = ("X-Auth-User", "mona");
const CATS: (&str, &str) = ("GET", "/api/projects/cats");

#[test]
fn a_gateways_credentials_are_in_a_header_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials.toml");
    let digest: String = Sha256::digest(TOKEN)
        .iter()
        .map(|it| format!("{it:02x}"))
        .collect();
    std::fs::write(
        &file,
        format!("[[bearer]]\nname = \"nginx\"\nsha256 = \"{digest}\"\n"),
    )
    .unwrap();
    let server = Server::start(&Start {
        credentials: Some(file),
        ..shipped()
    });
    let bearer = format!("Bearer {TOKEN}");
    let wrong = format!("Bearer {TOKEN}0");
    // The header of the one who asked the gateway, which it hands on.
    let theirs = ("Authorization", "Basic bW9uYTpwYXNzd29yZA==");
    for gateway in GATEWAYS {
        let ask = |headers: &[(&str, &str)]| gateway.ask(&mut server.connect(), CATS, headers);
        assert_eq!(ask(&[MONA, (OWN, &bearer)]).status, 200);
        assert_eq!(ask(&[MONA, (OWN, &bearer), theirs]).status, 200);
        assert_eq!(ask(&[MONA, (OWN, &bearer), theirs, theirs]).status, 200);
        assert_eq!(code(&ask(&[(OWN, &bearer)])), "no_principal");
        for refused in [
            ask(&[MONA]),
            ask(&[MONA, theirs]),
            // Whoever asks the gateway may send this one.
            ask(&[MONA, ("Authorization", &bearer)]),
            ask(&[MONA, (OWN, &wrong)]),
            ask(&[MONA, (OWN, &bearer), (OWN, &bearer)]),
            ask(&[MONA, (OWN, &wrong), (OWN, &bearer)]),
            ask(&[MONA, (OWN, TOKEN)]),
        ] {
            // A 401 would make whoever asked the gateway give away a password.
            assert_eq!(
                (refused.status, refused.code().as_str()),
                (400, "unauthorized")
            );
            assert_eq!(refused.header("www-authenticate"), None);
            assert_eq!(refused.header("x-palisade-revision"), None);
            assert!(!refused.body.contains(TOKEN));
        }
        let open = gateway.ask(&mut server.connect(), ("GET", "/health"), &[]);
        assert_eq!(open.code(), "unauthorized");
    }
    // For everything else it is what it was.
    let send = |headers: &[(&str, &str)]| {
        let mut all = vec![JSON];
        all.extend(headers);
        server
            .connect()
            .send("POST", "/access/v1/evaluation", &all, b"{}")
    };
    assert_eq!(send(&[("Authorization", &bearer)]).status, 400);
    assert_eq!(send(&[(OWN, &bearer)]).status, 401);
    assert_eq!(send(&[(OWN, &bearer), theirs]).status, 401);
}
