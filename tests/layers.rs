//! Holds the import table of ARCHITECTURE.md: which module may name which, and that the core does
//! no IO. Reads the sources as text; code in `mod tests` may do what it likes.

#![expect(clippy::unwrap_used, reason = "a test that cannot read fails")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    iter::Peekable,
    path::{Path, PathBuf},
};

/// Each module with those that its arrows point to. What those reach, it may import as well.
const ARROWS: [(&str, &[&str]); 11] = [
    ("api", &["pdp"]),
    ("authz", &[]),
    ("cli", &["config", "server", "source"]),
    ("config", &[]),
    ("lib", &[]),
    ("main", &["cli"]),
    ("pdp", &["store", "telemetry"]),
    ("server", &["api"]),
    ("source", &["authz", "store", "telemetry"]),
    ("store", &["authz"]),
    ("telemetry", &["authz"]),
];

/// What the core never touches: files, network, processes, time, threads of others, and the
/// crates that do.
const NOT_IN_THE_CORE: [&str; 17] = [
    "hyper",
    "hyper_util",
    "notify",
    "prometheus",
    "std::env",
    "std::fs",
    "std::io::stderr",
    "std::io::stdin",
    "std::io::stdout",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
    "tokio",
    "tracing",
];

#[test]
fn every_module_imports_only_what_its_arrows_reach() {
    let mut wrong = Vec::new();
    for (path, code) in sources() {
        let module = module(&path);
        let reach = reach(&module);
        for import in paths(&code) {
            let Some(named) = import.strip_prefix("crate::") else {
                continue;
            };
            let named = named.split("::").next().unwrap_or_default();
            let is_module = ARROWS.iter().any(|(name, _)| *name == named);
            if is_module && named != module && !reach.contains(named) {
                wrong.push(format!("{}: {import}", path.display()));
            }
        }
    }
    assert_eq!(wrong, [""; 0], "imports against the arrows");
}

#[test]
fn every_module_is_in_the_table() {
    let found: BTreeSet<String> = sources().iter().map(|(path, _)| module(path)).collect();
    let known: BTreeSet<String> = ARROWS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(found, known);
}

#[test]
fn no_module_goes_around_the_table_by_super() {
    for (path, code) in sources() {
        if path.parent() == Some(Path::new("")) {
            let around = paths(&code)
                .into_iter()
                .find(|it| it.starts_with("super::"));
            assert_eq!(around, None, "{}", path.display());
        }
    }
}

#[test]
fn the_core_does_no_io_and_derives_no_wire_format() {
    let mut wrong = Vec::new();
    for (path, code) in sources() {
        if module(&path) != "authz" {
            continue;
        }
        for import in paths(&code) {
            let is_under = |banned: &str| {
                let rest = import.strip_prefix(banned);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            };
            if NOT_IN_THE_CORE.into_iter().any(is_under) {
                wrong.push(format!("{}: {import}", path.display()));
            }
        }
        for derive in code.split("derive(").skip(1) {
            let derived = derive.split(')').next().unwrap_or_default();
            if derived.contains("serialize") || derived.contains("Serialize") {
                wrong.push(format!("{}: derive({derived})", path.display()));
            }
        }
    }
    assert_eq!(wrong, [""; 0], "the core does IO");
}

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
    assert_eq!(paths(code), BTreeSet::from(expected.map(String::from)));
}

/// Every file below `src`, with its path there, without comments and without `mod tests`.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") && !path.ends_with("tests.rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(&root).unwrap().to_owned(), code(&text)));
            }
        }
    }
    assert!(found.len() > ARROWS.len(), "the sources are somewhere else");
    found
}

fn code(text: &str) -> String {
    let text = text
        .split_once("#[cfg(test)]\nmod tests {")
        .map_or(text, |(code, _)| code);
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The first component: `authz` for `authz.rs` and for everything in `authz/`.
fn module(path: &Path) -> String {
    let first = path.components().next().unwrap();
    let name = Path::new(first.as_os_str()).file_stem().unwrap();
    name.to_string_lossy().into_owned()
}

fn reach(module: &str) -> BTreeSet<&'static str> {
    let arrows = BTreeMap::from(ARROWS);
    let mut reached = BTreeSet::new();
    let mut ahead: Vec<&str> = arrows.get(module).map_or(Vec::new(), |to| to.to_vec());
    while let Some(next) = ahead.pop() {
        if reached.insert(next) {
            ahead.extend(arrows.get(next).copied().unwrap_or_default());
        }
    }
    reached
}

/// Every path of two or more components, with use trees multiplied out.
fn paths(code: &str) -> BTreeSet<String> {
    let mut tokens = tokens(code).into_iter().peekable();
    let mut found = BTreeSet::new();
    while tokens.peek().is_some() {
        path(&mut tokens, "", &mut found);
    }
    found.retain(|it| it.contains("::"));
    found
}

/// One path or tree; always takes at least one token.
fn path(
    tokens: &mut Peekable<impl Iterator<Item = String>>,
    before: &str,
    found: &mut BTreeSet<String>,
) {
    let Some(token) = tokens.next() else {
        return;
    };
    if token == "{" && !before.is_empty() {
        while let Some(next) = tokens.peek() {
            if next == "}" {
                tokens.next();
                return;
            }
            path(tokens, before, found);
        }
        return;
    }
    if !token.starts_with(|first: char| first.is_alphanumeric() || first == '_') {
        return;
    }
    if token == "as" {
        // The other name of what came before.
        tokens.next();
        return;
    }
    let here = format!("{before}{token}");
    if tokens.next_if(|next| next == "::").is_some() {
        let goes_on = |next: &String| next == "{" || next.starts_with(char::is_alphabetic);
        if tokens.peek().is_some_and(goes_on) {
            return path(tokens, &format!("{here}::"), found);
        }
    }
    found.insert(here);
}

/// Words, `::` and single signs.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let is_word = |it: char| it.is_alphanumeric() || it == '_';
        let length = if is_word(first) {
            rest.find(|it| !is_word(it)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        let (token, after) = rest.split_at(length);
        if !token.trim().is_empty() {
            tokens.push(token.to_owned());
        }
        rest = after;
    }
    tokens
}
