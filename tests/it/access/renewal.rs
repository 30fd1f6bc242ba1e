//! Files of TLS that change while it is spoken.

use std::sync::Arc;

use super::{error_of, metric, over, status_of};
use crate::{
    certs::{Authority, House},
    client::Connection,
    harness::{Server, Tls, wait_for},
};

#[test]
fn a_new_certificate_is_for_new_connections() {
    let house = House::new();
    let server = Server::start(&over(Tls::of(&house)));
    let mut old = server.connect();
    assert_eq!(old.send("GET", "/openapi.json", &[], b"").status, 200);
    let first = old.certificate();
    let shown = || {
        let page = server.admin("/v1/status");
        status_of(&page, "decisions", "tls")["in_force"]["certificates"].clone()
    };
    let before = shown();
    assert_eq!(before[0].as_str().unwrap().len(), 64);

    house.move_in(&house.authority.server());
    let mut new = None;
    wait_for("the new certificate", || {
        let mut connection = server.connect();
        assert_eq!(
            connection.send("GET", "/openapi.json", &[], b"").status,
            200
        );
        new = connection.certificate();
        new != first
    });
    wait_for("the page shows it", || shown() != before);
    assert_eq!(error_of(&server, "decisions", "tls"), None);
    assert_eq!(old.send("GET", "/openapi.json", &[], b"").status, 200);
    assert_eq!(old.certificate(), first);
    // The admin listener has a keeper of its own for the same files.
    wait_for("the admin listener", || {
        let mut admin = server.connect_admin();
        admin.send("GET", "/livez", &[], b"");
        admin.certificate() == new
    });
}

#[test]
fn files_that_do_not_fit_change_nothing_and_are_told() {
    let house = House::new();
    let server = Server::start(&over(Tls::mutual(&house)));
    let certificate = || {
        let mut connection = server.connect();
        connection.send("GET", "/openapi.json", &[], b"");
        connection.certificate().unwrap()
    };
    let first = certificate();
    let stale = || {
        let series = "palisade_access_stale{kind=\"tls\",listener=\"decisions\"}";
        metric(&server.admin("/metrics"), series)
    };
    assert_eq!(stale(), 0.0);
    let next = house.authority.server();
    let told = |what: &str| {
        wait_for(what, || {
            error_of(&server, "decisions", "tls").is_some_and(|why| why.contains(what))
        });
        assert_eq!(stale(), 1.0);
        assert_eq!(certificate(), first);
        let page = server.admin("/v1/status");
        let line = status_of(&page, "decisions", "tls");
        assert!(
            line["error"]["message"].as_str().unwrap().contains(what),
            "{line}"
        );
    };
    house.write("cert.pem", &next.cert);
    told("cannot be used together");
    house.write("key.pem", "nonsense");
    told("has no private key");
    house.write("cert.pem", "");
    told("has no certificate");
    std::fs::remove_file(house.path("cert.pem")).unwrap();
    told("could not read");
    house.move_in(&next);
    house.write(
        "clients.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    told("authority");

    house.write("clients.pem", &house.clients.pem());
    wait_for("what fits is taken", || certificate() != first);
    assert_eq!(
        (stale(), error_of(&server, "decisions", "tls")),
        (0.0, None)
    );
}

#[test]
fn an_authority_that_is_gone_vouches_for_nobody_new() {
    let house = House::new();
    let tls = Tls::mutual(&house);
    let before = Arc::clone(&tls.client);
    let server = Server::start(&over(tls));
    let mut old = server.connect();
    assert_eq!(old.send("GET", "/openapi.json", &[], b"").status, 200);
    house.write("clients.pem", &Authority::new("others").pem());
    wait_for("nobody new", || {
        // Also not by going on with a session of before.
        let mut stream = Connection::tls(&server.address, &before);
        stream.write(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.is_refused()
    });
    assert_eq!(old.send("GET", "/openapi.json", &[], b"").status, 200);
}

#[test]
fn an_authority_says_that_it_is_one_or_vouches_for_nobody() {
    let house = House::new();
    let server = Server::start(&over(Tls::mutual(&house)));
    let nobody = Authority::that_is_none("somebody");
    house.write("clients.pem", &(house.clients.pem() + &nobody.pem()));
    let error = || error_of(&server, "decisions", "tls").unwrap_or_default();
    wait_for("it is told", || {
        error().contains("certificate 2 is no authority (CA:FALSE)")
    });
    // Who has a certificate from it is no more let in than it itself.
    let own = nobody.client();
    let client = house.authority.trusted_by_client(Some(&own));
    let refusal = Connection::tls(&server.address, &client).refusal();
    assert!(refusal.contains("alert"), "{refusal}");
    assert_eq!(server.get("/openapi.json").status, 200);
    house.write("clients.pem", &house.clients.client().cert);
    wait_for("another one", || {
        error().contains("certificate 1 does not say that it is an authority")
    });
}

#[test]
fn the_end_of_our_certificate_is_told_before_and_after_the_day() {
    let house = House::new();
    let series = "palisade_tls_certificate_not_after_timestamp_seconds{listener=\"decisions\"}";
    let server = Server::start(&over(Tls::of(&house)));
    let check = |ends: &str, seconds: f64| {
        wait_for(ends, || {
            let page = server.admin("/v1/status");
            status_of(&page, "decisions", "tls")["not_after"] == ends
        });
        assert_eq!(metric(&server.admin("/metrics"), series), seconds);
    };
    check("4000-01-01T00:00:00Z", 64_060_588_800.0);
    house.move_in(&house.authority.server_until(2100));
    check("2100-01-01T00:00:00Z", 4_102_444_800.0);
}
