//! The deepest policies that are taken, evaluated in half of the stack that threads have.

use palisade::authz::{
    Answer, EVALUATION_STACK_BYTES, OnPolicyError, Outcome, RawAction, RawEntity, RawQuery,
    Snapshot, SourceFile, Sources,
};

fn compile(condition: &str) -> Result<Snapshot, String> {
    let policy = format!(
        "permit (principal, action, resource);\n\
         forbid (principal, action, resource) when {{ {condition} }};"
    );
    let sources = Sources {
        policies: vec![SourceFile {
            name: "deep.cedar".to_owned(),
            bytes: policy.into_bytes(),
        }],
        ..Sources::default()
    };
    on_stack(64 << 20, move || {
        Snapshot::compile(&sources).map_err(|rejection| rejection.to_string())
    })
}

fn on_stack<T: Send>(bytes: usize, job: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(bytes);
        thread.spawn_scoped(scope, job).unwrap().join().unwrap()
    })
}

fn decide(snapshot: &Snapshot) -> Answer {
    let entity = RawEntity {
        type_name: "U",
        id: "x",
        properties: None,
    };
    let query = RawQuery {
        principal: entity,
        action: RawAction {
            name: "a",
            properties: None,
        },
        resource: entity,
        context: None,
    };
    snapshot.decide(&snapshot.query(&query), OnPolicyError::Cedar)
}

/// The longest of these conditions that is taken.
fn longest(what: &str, condition: impl Fn(usize) -> String) -> (usize, Snapshot) {
    let (mut taken, mut refused) = (1, 1_100);
    while refused - taken > 1 {
        let middle = usize::midpoint(taken, refused);
        match compile(&condition(middle)) {
            Ok(_) => taken = middle,
            Err(_) => refused = middle,
        }
    }
    let snapshot = compile(&condition(taken)).unwrap_or_else(|why| panic!("{what}: {why}"));
    (taken, snapshot)
}

#[track_caller]
fn check(what: &str, condition: impl Fn(usize) -> String) {
    let (length, snapshot) = longest(what, condition);
    let answer = on_stack(EVALUATION_STACK_BYTES / 2, || decide(&snapshot));
    let is_decided = match answer.errors.first() {
        Some(error) => error.message.contains("does not exist"),
        None => answer.outcome == Outcome::Forbidden,
    };
    assert!(is_decided, "{what} × {length}: {answer:?}");
}

#[test]
fn the_deepest_conditions_decide_in_half_of_the_stack() {
    let around = |open: &str, inner: &str, close: &str, n: usize| {
        format!("{}{inner}{}", open.repeat(n), close.repeat(n))
    };
    check("sum", |n| format!("0{} == 0", " + 0".repeat(n)));
    check("difference", |n| format!("0{} == 0", " - 0".repeat(n)));
    check("product", |n| format!("1{} == 1", " * 1".repeat(n)));
    check("and", |n| format!("true{}", " && true".repeat(n)));
    check("or", |n| format!("false{} || true", " || false".repeat(n)));
    check("parentheses", |n| around("(", "true", ")", n));
    check("not", |n| {
        format!("{} || true", around("!(", "true", ")", n))
    });
    check("not not", |n| around("!!(", "true", ")", n));
    check("sets", |n| format!("{0} == {0}", around("[", "1", "]", n)));
    check("records", |n| {
        format!("{0} == {0}", around("{a: ", "1", "}", n))
    });
    check("attributes of records", |n| {
        around("{a: ", "true", "}.a", n)
    });
    check("ifs in else", |n| {
        format!("{}true", "if false then false else ".repeat(n))
    });
    check("ifs in then", |n| {
        format!(
            "{}true{}",
            "if true then ".repeat(n),
            " else false".repeat(n)
        )
    });
    check("ifs in test", |n| {
        format!(
            "{}true{}",
            "if ".repeat(n),
            " then true else false".repeat(n)
        )
    });
    check("sums in parentheses", |n| {
        format!(
            "{} == 0",
            around(
                "(",
                "0",
                " + 0 + 0 + 0 + 0 + 0 + 0 + 0 + 0 + 0 + 0 + 0 + 0 + 0)",
                n
            )
        )
    });
    check("sums on the right", |n| {
        format!(
            "{} == 0",
            around("0 + 0 + 0 + 0 + 0 + 0 + 0 + 0 + 0 + (", "0", ")", n)
        )
    });
    check("differing", |n| {
        format!("{} != false", around("(true != (", "false", "))", n))
    });
    check("has", |n| format!("!(principal has a{})", ".a".repeat(n)));
    check("tags", |n| {
        format!("principal{} == 1", ".getTag(\"a\")".repeat(n))
    });
    check("attributes", |n| {
        format!("principal{} == 1", ".a".repeat(n))
    });
    check("unless", |n| {
        format!("true }} {} when {{ true", "unless { false }".repeat(n))
    });
    check("is in", |n| {
        format!("true{}", " && principal is U in principal".repeat(n))
    });
}
