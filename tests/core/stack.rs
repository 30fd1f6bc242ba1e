//! The deepest policies that are taken, evaluated in half of the stack that threads have.

use palisade::authz::{
    Answer, EVALUATION_STACK_BYTES, Narrowing, OnPolicyError, Outcome, RawAction, RawEntity,
    RawQuery, RawSearch, RawTarget, Snapshot, SourceFile, Sources, Wanted,
};

/// What searches are typed by.
const SCHEMA: &str = "entity U { n: Long, b: Bool };
    action a appliesTo { principal: [U], resource: [U] };";
const ENTITIES: &str = r#"[{ "uid": { "type": "U", "id": "x" }, "attrs": { "n": 0, "b": true },
    "parents": [] }]"#;

fn compile(condition: &str) -> Result<Snapshot, String> {
    let policy = format!(
        "permit (principal, action, resource);\n\
         forbid (principal, action, resource) when {{ {condition} }};"
    );
    compile_all(Sources {
        policies: vec![file("deep.cedar", &policy)],
        ..Sources::default()
    })
}

fn compile_typed(condition: &str) -> Result<Snapshot, String> {
    let policy = format!("permit (principal, action, resource) when {{ {condition} }};");
    compile_all(Sources {
        policies: vec![file("deep.cedar", &policy)],
        schema: Some(file("s.cedarschema", SCHEMA)),
        entities: vec![file("e.json", ENTITIES)],
        ..Sources::default()
    })
}

fn file(name: &str, text: &str) -> SourceFile {
    SourceFile {
        name: name.to_owned(),
        bytes: text.as_bytes().to_vec(),
    }
}

fn compile_all(sources: Sources) -> Result<Snapshot, String> {
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

fn search(snapshot: &Snapshot) -> Vec<String> {
    let raw = RawSearch::Resource {
        principal: RawEntity {
            type_name: "U",
            id: "x",
            properties: None,
        },
        action: RawAction {
            name: "a",
            properties: None,
        },
        target: RawTarget {
            type_name: "U",
            properties: None,
        },
        context: None,
    };
    let wanted = Wanted {
        from: 0,
        limit: None,
        evaluations: usize::MAX,
        narrowing: Narrowing::Residuals,
    };
    let found = snapshot.search(&raw);
    found.page(&wanted, OnPolicyError::Deny, || true).ids
}

/// The longest that is taken.
fn longest(what: &str, compile: impl Fn(usize) -> Result<Snapshot, String>) -> (usize, Snapshot) {
    let (mut taken, mut refused) = (1, 1_100);
    while refused - taken > 1 {
        let middle = usize::midpoint(taken, refused);
        match compile(middle) {
            Ok(_) => taken = middle,
            Err(_) => refused = middle,
        }
    }
    let snapshot = compile(taken).unwrap_or_else(|why| panic!("{what}: {why}"));
    (taken, snapshot)
}

#[track_caller]
fn check(what: &str, condition: impl Fn(usize) -> String) {
    let (length, snapshot) = longest(what, |n| compile(&condition(n)));
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

#[test]
fn the_deepest_conditions_are_searched_in_half_of_the_stack() {
    type Shape = fn(usize) -> String;
    let shapes: [(&str, Shape); 8] = [
        ("sum", |n| format!("resource.n{} == 0", " + 0".repeat(n))),
        ("and", |n| {
            format!("resource.b{}", " && resource.b".repeat(n))
        }),
        ("or", |n| {
            format!("{}resource.b", "!resource.b || ".repeat(n))
        }),
        ("ifs in else", |n| {
            format!("{}true", "if resource.n == 1 then false else ".repeat(n))
        }),
        ("not", |n| {
            format!("{}resource.b{} || true", "!(".repeat(n), ")".repeat(n))
        }),
        ("sets", |n| {
            let (open, close) = ("[".repeat(n), "]".repeat(n));
            format!("{open}resource.n{close} == {open}0{close}")
        }),
        ("is in", |n| {
            format!("resource.b{}", " && resource is U in resource".repeat(n))
        }),
        ("parentheses", |n| {
            format!("{}resource.b{}", "(true && ".repeat(n), ")".repeat(n))
        }),
    ];
    for (what, shape) in shapes {
        let (length, snapshot) = longest(what, |n| compile_typed(&shape(n)));
        let found = on_stack(EVALUATION_STACK_BYTES / 2, || search(&snapshot));
        assert_eq!(found, ["x"], "{what} × {length}");
    }
}
