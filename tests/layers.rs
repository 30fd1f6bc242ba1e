//! Holds the import table of ARCHITECTURE.md: which module may name which, that wire formats do
//! not know each other, and that the core does no IO. Reads the sources as text; code in
//! `#[cfg(test)] mod tests` may do what it likes.

#![expect(clippy::unwrap_used, reason = "a test that cannot read fails")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

mod layers {
    #[cfg(test)]
    mod around;
    pub(crate) mod rust;
}

use layers::rust::{File, paths};

/// Each module with those that its arrows point to. What those reach, it may import as well.
const ARROWS: [(&str, &[&str]); 12] = [
    ("api", &["pdp"]),
    ("authz", &[]),
    ("cli", &["config", "prover", "server", "source"]),
    ("config", &[]),
    ("lib", &[]),
    ("main", &["cli"]),
    ("pdp", &["store", "telemetry"]),
    ("prover", &["authz"]),
    ("server", &["api"]),
    ("source", &["authz", "prover", "store", "telemetry"]),
    ("store", &["authz"]),
    ("telemetry", &["authz"]),
];

/// The wire formats in `api/`: what else is there they share.
const FORMATS: [&str; 5] = ["admin", "authzen", "cedar", "page", "proxy"];

/// What one format may take from another all the same.
const BETWEEN_FORMATS: [(&str, &str); 3] = [
    // `POST /v1/explain` is AuthZEN-shaped by design, so that an operator can send what a caller
    // sent: the admin listener only says where that question is asked.
    ("admin", "crate::api::authzen::explain"),
    // `GET /` is on the admin listener, which gathers what the page shows and lets it show that: the
    // page asks for nothing, and knows no route.
    ("admin", "crate::api::page::Page"),
    ("admin", "crate::api::page::Seen"),
];

/// What the core never touches: files, network, processes, time, threads of others, and the
/// crates that do.
const NOT_IN_THE_CORE: [&str; 15] = [
    "hyper",
    "hyper_util",
    "libc",
    "notify",
    "prometheus",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::os",
    "std::process",
    "std::thread",
    "std::time",
    "tokio",
    "tracing",
];

/// Macros that write where the core has no business.
const PRINTING: [&str; 5] = ["dbg", "eprint", "eprintln", "print", "println"];

/// Methods of `Path` that ask the file system; nothing in the core has one of that name.
const ASKING: [&str; 10] = [
    "canonicalize",
    "exists",
    "is_dir",
    "is_file",
    "is_symlink",
    "metadata",
    "read_dir",
    "read_link",
    "symlink_metadata",
    "try_exists",
];

#[test]
fn every_module_imports_only_what_its_arrows_reach() {
    let mut wrong = Vec::new();
    for (path, file) in sources() {
        wrong.extend(against_the_arrows(&path, &file));
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
fn wire_formats_do_not_know_each_other() {
    let mut wrong = Vec::new();
    for (path, file) in sources() {
        wrong.extend(between_formats(&path, &file));
    }
    assert_eq!(wrong, [""; 0], "one wire format imports another");
}

#[test]
fn the_core_does_no_io_and_derives_no_wire_format() {
    let mut wrong = Vec::new();
    for (path, file) in sources() {
        wrong.extend(io_in_the_core(&path, &file));
    }
    assert_eq!(wrong, [""; 0], "the core does IO");
}

/// What a file imports though no arrow goes there.
fn against_the_arrows(path: &Path, file: &File) -> Vec<String> {
    let module = module(path);
    let reach = reach(&module);
    let mut wrong = BTreeSet::new();
    for import in resolved(path, file) {
        let import = match import {
            Ok(import) => import,
            Err(why) => {
                wrong.insert(why);
                continue;
            }
        };
        if ["crate", "crate::*", "crate::self"].contains(&import.as_str()) {
            wrong.insert("`crate` is taken whole".to_owned());
        }
        let named = import.strip_prefix("crate::").unwrap_or_default();
        let named = named.split("::").next().unwrap_or_default();
        let is_module = ARROWS.iter().any(|(name, _)| *name == named);
        if is_module && named != module && !reach.contains(named) {
            wrong.insert(import);
        }
    }
    if file.has_inline_module {
        wrong.insert("an inline module, whose paths nobody follows".to_owned());
    }
    for window in file.tokens.windows(3) {
        let window = [0, 1, 2].map(|at| window.get(at).map_or("", String::as_str));
        if let ["[", "path", "="] | ["include", "!", _] = window {
            wrong.insert("code from a file that stands elsewhere".to_owned());
        }
    }
    said_of(path, wrong)
}

/// What a wire format takes from another, or from all of them.
fn between_formats(path: &Path, file: &File) -> Vec<String> {
    let components = module_path(path);
    let own = match components.as_slice() {
        [api, format, ..] if api == "api" && FORMATS.contains(&format.as_str()) => format,
        _ => return Vec::new(),
    };
    let mut wrong = BTreeSet::new();
    for import in resolved(path, file).into_iter().flatten() {
        let Some(rest) = import.strip_prefix("crate::api::") else {
            continue;
        };
        let named = rest.split("::").next().unwrap_or_default();
        let is_other = named == "*" || (FORMATS.contains(&named) && named != own);
        if is_other && !BETWEEN_FORMATS.contains(&(own.as_str(), import.as_str())) {
            wrong.insert(import);
        }
    }
    said_of(path, wrong)
}

/// What a file of the core names that it should not.
fn io_in_the_core(path: &Path, file: &File) -> Vec<String> {
    if module(path) != "authz" {
        return Vec::new();
    }
    let mut wrong = BTreeSet::new();
    for import in paths(&file.tokens) {
        let is_under = |banned: &str| {
            let rest = import.strip_prefix(banned);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        let asks = |kind: &str| {
            let method = import.strip_prefix(kind);
            method.is_some_and(|it| ASKING.contains(&it))
        };
        if NOT_IN_THE_CORE.into_iter().any(is_under) || asks("Path::") || asks("PathBuf::") {
            wrong.insert(import);
        } else if ["std", "std::*", "std::self"].contains(&import.as_str()) {
            wrong.insert("`std` is taken whole".to_owned());
        }
    }
    for window in file.tokens.windows(3) {
        let [first, second, third] = window else {
            continue;
        };
        if second == "!" && PRINTING.contains(&first.as_str()) {
            wrong.insert(format!("{first}!"));
        }
        if first == "." && third == "(" && ASKING.contains(&second.as_str()) {
            wrong.insert(format!(".{second}"));
        }
    }
    let mut rest = file.tokens.as_slice();
    while let Some(at) = rest.iter().position(|it| it == "derive") {
        rest = rest.get(at + 1..).unwrap_or_default();
        let end = rest.iter().position(|it| it == ")").unwrap_or(rest.len());
        let derived = rest.get(1..end).unwrap_or_default();
        if derived
            .iter()
            .any(|it| it == "Serialize" || it == "Deserialize")
        {
            wrong.insert(format!("derive({})", derived.join(" ")));
        }
    }
    said_of(path, wrong)
}

fn said_of(path: &Path, wrong: BTreeSet<String>) -> Vec<String> {
    let said = wrong.into_iter();
    said.map(|it| format!("{}: {it}", path.display())).collect()
}

/// Every path of a file from the crate's root on, as far as `crate`, `self` and `super` tell.
fn resolved(path: &Path, file: &File) -> Vec<Result<String, String>> {
    let here = module_path(path);
    paths(&file.tokens)
        .into_iter()
        .map(|import| resolve(&here, &import))
        .collect()
}

fn resolve(here: &[String], import: &str) -> Result<String, String> {
    let mut rest = import.split("::").peekable();
    if rest
        .peek()
        .is_none_or(|first| *first != "self" && *first != "super")
    {
        return Ok(import.to_owned());
    }
    let mut at: Vec<&str> = here.iter().map(String::as_str).collect();
    while let Some(step) = rest.next_if(|it| *it == "self" || *it == "super") {
        if step == "super" && at.pop().is_none() {
            return Err(format!("`{import}` goes above the crate"));
        }
    }
    let from_the_root = ["crate"].into_iter().chain(at).chain(rest);
    Ok(from_the_root.collect::<Vec<_>>().join("::"))
}

/// Every file below `src`, with its path there.
fn sources() -> Vec<(PathBuf, File)> {
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
                let path = path.strip_prefix(&root).unwrap().to_owned();
                found.push((path, File::read(&text)));
            }
        }
    }
    assert!(found.len() > ARROWS.len(), "the sources are somewhere else");
    found
}

/// The first component: `authz` for `authz.rs` and for everything in `authz/`.
fn module(path: &Path) -> String {
    let first = path.components().next().unwrap();
    let name = Path::new(first.as_os_str()).file_stem().unwrap();
    name.to_string_lossy().into_owned()
}

/// Where the code of a file stands: `authz/query.rs` is `authz::query`, `lib.rs` the root.
fn module_path(path: &Path) -> Vec<String> {
    let path = path.with_extension("");
    let components = path.components().map(|it| it.as_os_str());
    let names: Vec<_> = components
        .map(|it| it.to_string_lossy().into_owned())
        .collect();
    match names.as_slice() {
        [only] if only == "lib" || only == "main" => Vec::new(),
        _ => names,
    }
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
