//! Ways around the table, each of which is found.

use std::{collections::BTreeSet, path::Path};

use super::rust::{File, paths, tokens};
use crate::{against_the_arrows, between_formats, io_in_the_core};

#[test]
fn paths_are_found_in_use_trees_and_in_code() {
    let code = "use crate::{a::{B, c::D as E}, f};\nuse std::fs;\nlet x = crate::g::h::<T>();";
    let expected = [
        "crate::a::B",
        "crate::a::c::D",
        "crate::f",
        "crate::g::h",
        "std::fs",
    ];
    let found = paths(&tokens(code));
    assert_eq!(found, BTreeSet::from(expected.map(String::from)));
}

#[test]
fn what_goes_around_the_table_is_found() {
    let check = |path: &str, code: &str, expected: &[&str]| {
        let (path, file) = (Path::new(path), File::read(code));
        let mut wrong = against_the_arrows(path, &file);
        wrong.extend(between_formats(path, &file));
        wrong.extend(io_in_the_core(path, &file));
        let prefix = format!("{}: ", path.display());
        let found: Vec<_> = wrong
            .iter()
            .map(|it| it.strip_prefix(&prefix).unwrap())
            .collect();
        assert_eq!(found, expected, "{code}");
    };
    let deep = "authz/query/reading.rs";
    // Up and over.
    check("store.rs", "use super::pdp::Pdp;", &["crate::pdp::Pdp"]);
    let up = "use super::super::super::pdp::Pdp; use super::super::json;";
    check(deep, up, &["crate::pdp::Pdp"]);
    check(
        deep,
        "self::super::super::super::pdp::ask()",
        &["crate::pdp::ask"],
    );
    check(
        deep,
        "use super::super::super::super::x;",
        &["`super::super::super::super::x` goes above the crate"],
    );
    // In groups, under other names, by globs.
    let groups = "use crate::{authz::Json, pdp::{self, throttle::{Throttle as T}}};";
    check(
        "store.rs",
        groups,
        &["crate::pdp::self", "crate::pdp::throttle::Throttle"],
    );
    check(
        "store.rs",
        "use super::{pdp::*, authz};",
        &["crate::pdp::*"],
    );
    for code in [
        "use crate::*;",
        "use super::*;",
        "use crate as c;",
        "use super as c;",
    ] {
        check("store.rs", code, &["`crate` is taken whole"]);
    }
    check(
        "store.rs",
        "use crate::{self as c};",
        &["`crate` is taken whole"],
    );
    check(
        "store.rs",
        "mod inner { fn f() {} }",
        &["an inline module, whose paths nobody follows"],
    );
    // Text that looks like code or like a comment.
    check(
        "store.rs",
        "/* crate::pdp /* */ crate::pdp */ // crate::pdp",
        &[],
    );
    check(
        "store.rs",
        "let x = (\"crate::pdp\", r#\"\"crate::pdp\"#);",
        &[],
    );
    let hidden = "let x = \"http://\"; crate::pdp::ask(); let y = '\"'; crate::api::f('a');";
    check("store.rs", hidden, &["crate::api::f", "crate::pdp::ask"]);
    let lifetimes = "fn f<'a>(x: &'a str) { crate::pdp::ask() } const C: char = '\\'';";
    check("store.rs", lifetimes, &["crate::pdp::ask"]);
    // After the tests, and in them.
    let tests = "#[cfg(test)] mod tests { use crate::pdp; mod x { fn f() {} } } use crate::api::X;";
    check("store.rs", tests, &["crate::api::X"]);
    check(
        "store.rs",
        "mod tests { use crate::pdp; }",
        &["an inline module, whose paths nobody follows", "crate::pdp"],
    );
    // From elsewhere.
    for code in ["#[path = \"../pdp.rs\"] mod x;", "include!(\"pdp.rs\");"] {
        let elsewhere = "code from a file that stands elsewhere";
        check("store.rs", code, &[elsewhere]);
    }
    // IO in the core.
    check(deep, "use std::*;", &["`std` is taken whole"]);
    check(deep, "use std as s;", &["`std` is taken whole"]);
    check(deep, "extern crate std as s;", &["`std` is taken whole"]);
    check(
        deep,
        "use std::{fmt, io::{self, Read}};",
        &["std::io::Read", "std::io::self"],
    );
    check(deep, "::std::fs::read(x)", &["std::fs::read"]);
    check(deep, "r#std::fs::read(x)", &["std::fs::read"]);
    check(
        deep,
        "println!(\"{x}\"); eprint ! (\"x\");",
        &["eprint!", "println!"],
    );
    check(
        deep,
        "if path.exists() && Path::is_file(path) {}",
        &[".exists", "Path::is_file"],
    );
    check(
        deep,
        "let f = Path::metadata; p.metadata . len()",
        &["Path::metadata"],
    );
    check(
        deep,
        "#[derive(Debug, serde::Deserialize)]",
        &["derive(Debug , serde :: Deserialize)"],
    );
    check(
        "source/scan.rs",
        "use std::fs; path.exists(); println!()",
        &[],
    );
    // Formats.
    check(
        "api/authzen/batch.rs",
        "use super::super::cedar;",
        &["crate::api::cedar"],
    );
    check(
        "api/cedar.rs",
        "use super::{admin::pages, body};",
        &["crate::api::admin::pages"],
    );
    let admin = "use super::authzen::{explain, single};";
    check("api/admin.rs", admin, &["crate::api::authzen::single"]);
    check(
        "api/cedar.rs",
        "use super::authzen::explain;",
        &["crate::api::authzen::explain"],
    );
    check("api/admin.rs", "use crate::api::*;", &["crate::api::*"]);
    check("api/decisions.rs", "use super::{authzen, cedar};", &[]);
}
