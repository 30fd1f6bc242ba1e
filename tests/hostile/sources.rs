//! Sources that try to end whoever compiles them: at the first load, and as an edit.

use std::time::Instant;

use serde_json::Value;

use crate::{
    palisade::{House, Served, row, say, wait_for},
    shapes::{self, Becomes, Item},
};

#[test]
fn the_corpus_is_refused_or_decides_right() {
    let items = shapes::corpus();
    at_first_load(&items);
    as_edits(&items);
}

#[test]
fn policies_are_refused_or_decide_right() {
    let items = shapes::policies();
    at_first_load(&items);
    as_edits(&items);
}

#[test]
fn schemas_are_refused_or_decide_right() {
    let items = shapes::schemas();
    at_first_load(&items);
    as_edits(&items);
}

#[test]
fn data_and_the_rest_are_refused_or_decide_right() {
    let items = [shapes::stored(), shapes::others()].into_iter().flatten();
    let items: Vec<Item> = items.collect();
    at_first_load(&items);
    as_edits(&items);
}

#[test]
fn canaries_are_refused() {
    let items = shapes::canaries();
    at_first_load(&items);
    as_edits(&items);
}

#[test]
fn tables_are_refused() {
    let items = shapes::tables();
    at_first_load(&items);
    as_edits(&items);
}

/// Each in a house of its own: exits with 3 and a finding that says the limit, or serves.
fn at_first_load(items: &[Item]) {
    for item in items {
        let house = House::new();
        house.write(item.file, &item.text);
        let started = Instant::now();
        match (house.serve(), item.becomes) {
            (Err((code, told)), Becomes::Refused(why)) => {
                row(&item.name, &format!("exit {code}: {why}"), started);
                assert_eq!(code, 3, "{}: {}", item.name, shortened(&told));
                assert!(told.contains(why), "{}: {}", item.name, shortened(&told));
                assert!(
                    told.contains(&format!("--> {}", item.file)),
                    "{}",
                    shortened(&told)
                );
                assert!(told.len() < 100_000, "{}: {} bytes", item.name, told.len());
            }
            (Ok(served), becomes) => {
                row(&item.name, &format!("served, {becomes:?}"), started);
                decides(&served, item);
                shows(&served, &house, item);
            }
            (Err((code, told)), becomes) => {
                panic!(
                    "{} {becomes:?}: exit {code}: {}",
                    item.name,
                    shortened(&told)
                );
            }
        }
    }
}

/// One after the other in one house that is served all the while.
fn as_edits(items: &[Item]) {
    let house = House::new();
    let mut served = house.serve().unwrap();
    for (n, item) in items.iter().enumerate() {
        let (attempts, count) = (attempts(&served), rejections(&served));
        let started = Instant::now();
        house.write(item.file, &item.text);
        let attempt = wait_for(&item.name, || newer(&served, &attempts));
        if let Becomes::Refused(why) = item.becomes {
            row(
                &format!("{}, edited", item.name),
                attempt["result"].as_str().unwrap(),
                started,
            );
            assert_eq!(attempt["result"], "rejected", "{}", item.name);
            let findings = attempt["findings"].to_string();
            assert!(
                findings.contains(why),
                "{}: {}",
                item.name,
                shortened(&findings)
            );
            assert!(
                attempt["findings"][0]["file"]
                    .as_str()
                    .unwrap()
                    .ends_with(item.file)
            );
            wait_for("the count", || {
                (rejections(&served) == count + 1.0).then_some(())
            });
            // Nothing that is in force has changed.
            served.answers(&item.name);
        } else {
            row(
                &format!("{}, edited", item.name),
                attempt["result"].as_str().unwrap(),
                started,
            );
            assert_eq!(attempt["result"], "applied", "{}: {attempt}", item.name);
            decides(&served, item);
        }
        let broken = self::attempts(&served);
        house.mend(item.file);
        house.write("p/mended.cedar", &format!("// {n}\n"));
        let attempt = wait_for("mended", || {
            let newest = newer(&served, &broken)?;
            (newest["result"] == "applied").then_some(newest)
        });
        let status: Value = serde_json::from_str(&served.admin("/v1/status").body).unwrap();
        assert_eq!(status["revision"], attempt["revision"], "{}", item.name);
        served.answers(&format!("{}, mended", item.name));
    }
    let (peak, logged) = (served.peak_mib(), served.logged_bytes());
    say(&format!("peak of {peak} MiB, {logged} bytes of log"));
}

#[track_caller]
fn decides(served: &Served, item: &Item) {
    let expected = match item.becomes {
        Becomes::Forbids => (false, false),
        Becomes::Served { everybody } => (true, everybody),
        Becomes::Refused(why) => panic!("{} is in force, but is {why}", item.name),
    };
    assert_eq!(
        (served.may("ann"), served.may("bob")),
        expected,
        "{}",
        item.name
    );
}

/// Whatever shows what is in force can show this, too.
fn shows(served: &Served, house: &House, item: &Item) {
    for path in [
        "/v1/policies",
        "/v1/schema",
        "/v1/matrix",
        "/v1/status",
        "/metrics",
    ] {
        let reply = served.admin(path);
        assert_eq!(reply.status, 200, "{}: {path}", item.name);
    }
    let question = [
        "--principal",
        "U::\"ann\"",
        "--action",
        "view",
        "--resource",
        "D::\"d\"",
    ];
    let allowed = i32::from(item.becomes == Becomes::Forbids);
    for (args, expected) in [
        (&["check"][..], 0),
        (&["matrix"][..], 0),
        (&[&["decide"][..], &question].concat()[..], allowed),
    ] {
        let output = house.run(args);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            output.status.code(),
            Some(expected),
            "{}: {args:?}: {told}",
            item.name
        );
    }
}

fn attempts(served: &Served) -> Value {
    let status: Value = serde_json::from_str(&served.admin("/v1/status").body).unwrap();
    status["attempts"].clone()
}

/// The newest attempt, if there is one that was not there before.
fn newer(served: &Served, before: &Value) -> Option<Value> {
    let now = attempts(served);
    (now != *before).then(|| now.as_array().unwrap().last().unwrap().clone())
}

fn rejections(served: &Served) -> f64 {
    ["canary", "entities", "io", "parse", "validate"]
        .map(|reason| format!("palisade_reloads_total{{reason=\"{reason}\",result=\"rejected\"}}"))
        .iter()
        .map(|series| served.metric(series))
        .sum()
}

fn shortened(text: &str) -> String {
    text.chars().take(600).collect()
}
