//! The deepest policies decide the same on every thread that decides.

use serde_json::{Value, json};

use crate::{
    client::Connection,
    palisade::{House, decision, question},
    shapes::permit,
};

/// Both need most of what a thread of 2 MiB, and more than one of 1 MiB, has.
fn deep_forbid(terms: usize) -> String {
    permit(&format!("0{} == 0", " + 0".repeat(terms))).replace("permit", "forbid")
}

/// A house where everybody may, but for one deep forbid.
fn house(terms: usize) -> House {
    let house = House::new();
    house.write("p/hostile.cedar", &(permit("true") + &deep_forbid(terms)));
    house
}

const TERMS: [usize; 2] = [600, 990];

#[test]
fn a_deep_forbid_forbids_on_every_thread_of_the_service() {
    for terms in TERMS {
        let house = house(terms);
        let served = house.serve().unwrap();
        // On a request thread, again and again, so that every one of them has decided.
        for _ in 0..50 {
            assert!(!served.may("ann"), "{terms}");
        }
        let item: Value = serde_json::from_str(&question("ann")).unwrap();
        // Few and many: the second is decided on a thread for long work.
        for count in [3, 500] {
            let body = json!({"evaluations": vec![item.clone(); count]}).to_string();
            let reply = served.connect().post("/access/v1/evaluations", &body);
            let told: Value = serde_json::from_str(&reply.body).unwrap();
            let told = told["evaluations"].as_array().unwrap();
            assert_eq!(told.len(), count);
            assert!(
                told.iter().all(|it| it["decision"] == false),
                "{terms} × {count}"
            );
        }
        let uids = r#""principal":"U::\"ann\"","action":"Action::\"view\"","resource":"D::\"d\"""#;
        let one = served
            .connect()
            .post("/v1/is_authorized", &format!("{{{uids}}}"));
        assert!(
            one.body.contains("Deny") && one.body.contains(r#""errors":[]"#),
            "{}",
            one.body
        );
        let many = format!(
            r#"{{"requests":[{}]}}"#,
            vec![format!("{{{uids}}}"); 500].join(",")
        );
        let many = served.connect().post("/v1/batch_is_authorized", &many);
        assert!(
            !many.body.contains("Allow") && !many.body.contains("recursion"),
            "{terms}"
        );
        // Explained on the admin listener, short and long.
        for context in [String::new(), "x".repeat(100_000)] {
            let mut body = item.clone();
            body["context"] = json!({"palisade": {"explain": true}, "n": context});
            let reply = Connection::to(&served.admin).post("/v1/explain", &body.to_string());
            assert!(reply.body.contains("forbidden"), "{terms}: {}", reply.body);
        }
        let reply = served
            .connect()
            .post("/access/v1/evaluation", &question("ann"));
        assert!(!decision(&reply));
        let matrix = served.admin("/v1/matrix");
        assert_eq!(matrix.status, 200, "{}", matrix.body);
        assert!(!matrix.body.contains("\"all\""), "{}", matrix.body);
    }
}

#[test]
fn a_deep_forbid_forbids_whatever_stack_the_shell_gives() {
    let question = [
        "--principal",
        "U::\"ann\"",
        "--action",
        "view",
        "--resource",
        "D::\"d\"",
    ];
    for terms in TERMS {
        let house = house(terms);
        for stack_kib in [256, 1_024, 8_192] {
            let decide = [&["decide"][..], &question].concat();
            let output = house.run_with_stack(stack_kib, &decide);
            let told = String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(output.status.code(), Some(1), "{stack_kib} KiB: {told}");
            assert!(told.contains("\"forbidden\""), "{stack_kib} KiB: {told}");
            for subcommand in ["check", "matrix"] {
                let output = house.run_with_stack(stack_kib, &[subcommand]);
                assert_eq!(
                    output.status.code(),
                    Some(0),
                    "{subcommand}, {stack_kib} KiB"
                );
            }
        }
    }
}

#[test]
fn a_deep_or_long_manifest_is_refused() {
    let house = House::new();
    for (text, says) in [
        (format!("a = {}", "[".repeat(100_000)), "recursion depth"),
        (format!("a{} = 1", ".a".repeat(100_000)), "recursion limit"),
        ("# x\n".repeat(1_000_000), "larger than 1048576 bytes"),
    ] {
        house.write("policies/editions.toml", &text);
        let (code, told) = house.serve().err().unwrap();
        assert_eq!(code, 2);
        let shown: String = told.chars().take(500).collect();
        assert!(told.contains(says), "{shown}");
    }
}

#[test]
fn a_deep_spec_is_refused_when_it_is_asked_for() {
    for (file, text, says) in [
        (
            "spec/table.toml",
            format!("row = {}", "[".repeat(100_000)),
            "recursion depth",
        ),
        (
            "spec/world.json",
            format!("[{}", "[".repeat(100_000)),
            "EOF",
        ),
        (
            "spec/words.cedar",
            permit(&"(".repeat(100_000)),
            "nested deeper than 64",
        ),
        (
            "spec/words.cedar",
            permit(&format!("0{} == 0", " + 0".repeat(5_000))),
            "1000 terms",
        ),
    ] {
        let house = House::new();
        house.write(file, &text);
        let output = house.run(&["check"]);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{file}");
        assert!(told.contains(says) && told.contains(file), "{file}: {told}");
        let mut served = house.serve().unwrap();
        assert_eq!(served.admin("/v1/matrix").status, 500, "{file}");
        served.answers(file);
    }
}
