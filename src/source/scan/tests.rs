use std::{
    fs::{self, File},
    os::unix::{fs::symlink, net::UnixListener},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::authz::{Rejection, SourceFile, Sources};

use super::*;

/// A root with `policies/`, where the tests put things.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("policies")).unwrap();
    folder
}

fn write(root: &TempDir, name: &str, text: &str) {
    let path = root.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn spec(root: &TempDir, policies: &[&str]) -> SourceSpec {
    SourceSpec {
        root: root.path().to_owned(),
        policies: policies.iter().map(PathBuf::from).collect(),
        ..SourceSpec::default()
    }
}

fn read(root: &TempDir) -> Result<Sources, Rejection> {
    spec(root, &["policies"]).read()
}

fn names(sources: &Sources) -> Vec<&str> {
    sources.files().map(|file| file.name.as_str()).collect()
}

/// The findings, as `file: message`.
fn check_refused(root: &TempDir, expected: &[&str]) {
    let rejection = read(root).unwrap_err();
    let findings = rejection.findings().iter();
    let told: Vec<String> = findings
        .map(|finding| format!("{}: {}", finding.file, finding.message))
        .collect();
    assert_eq!(told, expected);
}

#[test]
fn files_come_in_byte_order_of_the_whole_path() {
    let root = folder();
    for name in ["b.cedar", "a/z.cedar", "a-b/x.cedar", "a.cedar", "B.cedar"] {
        write(&root, &format!("policies/{name}"), "");
    }
    write(&root, "policies/a/links.json", "[]");
    write(&root, "policies/links.json", "[]");
    let sources = read(&root).unwrap();
    let expected = [
        "policies/B.cedar",
        "policies/a-b/x.cedar",
        "policies/a.cedar",
        "policies/a/z.cedar",
        "policies/b.cedar",
        "policies/a/links.json",
        "policies/links.json",
    ];
    assert_eq!(names(&sources), expected);
    assert_eq!(sources.links.len(), 2);
}

#[test]
fn named_paths_keep_their_order_and_their_spelling() {
    let root = folder();
    write(&root, "policies/a.cedar", "1");
    write(&root, "more/b.cedar", "2");
    let sources = spec(&root, &["./more/", "policies/a.cedar"])
        .read()
        .unwrap();
    assert_eq!(names(&sources), ["./more/b.cedar", "policies/a.cedar"]);
}

#[test]
fn droppings_and_dot_names_are_never_read() {
    let root = folder();
    for name in [
        ".a.cedar.swp",
        ".#a.cedar",
        ".hidden.cedar",
        ".git/x.cedar",
        "4913",
        "a.cedar~",
        "#a.cedar#",
        "README.md",
    ] {
        write(&root, &format!("policies/{name}"), "forbid");
    }
    write(&root, "policies/a.cedar", "");
    assert_eq!(names(&read(&root).unwrap()), ["policies/a.cedar"]);
}

#[test]
fn what_stands_beside_policies_is_never_in_force() {
    let root = folder();
    for name in ["spec", "invariants", "tests", "team/tests"] {
        write(&root, &format!("policies/{name}/x.cedar"), "");
    }
    assert_eq!(
        names(&read(&root).unwrap()),
        ["policies/team/tests/x.cedar"]
    );
}

#[test]
fn canaries_and_tables_are_files_of_the_folder_tests_and_of_no_other() {
    let root = folder();
    for folder in ["tests", "tests/data", ".", "team/tests"] {
        for name in ["b.json", "a.json", "d.csv", "c.csv", "e.txt"] {
            write(&root, &format!("policies/{folder}/{name}"), "[]");
        }
    }
    let sources = read(&root).unwrap();
    let name = |file: &SourceFile| file.name.clone();
    let named = |files: &[SourceFile]| files.iter().map(name).collect::<Vec<_>>();
    let canaries = named(&sources.canaries);
    assert_eq!(canaries, ["policies/tests/a.json", "policies/tests/b.json"]);
    let tables = named(&sources.tables);
    assert_eq!(tables, ["policies/tests/c.csv", "policies/tests/d.csv"]);
    // They are read like all else, and nothing else is.
    assert_eq!(names(&sources), [canaries, tables].concat());
}

#[test]
fn tables_are_read_in_the_order_of_the_folders() {
    let root = folder();
    for folder in ["b", "a"] {
        write(&root, &format!("policies/{folder}/tests/t.csv"), "");
    }
    let sources = spec(&root, &["policies/b", "policies/a"]).read().unwrap();
    let [b, a] = ["policies/b/tests/t.csv", "policies/a/tests/t.csv"];
    assert_eq!(names(&sources), [b, a]);
}

#[test]
fn canaries_come_from_within_the_policies() {
    let root = folder();
    write(&root, "elsewhere/a.json", "[]");
    symlink("../elsewhere", root.path().join("policies/tests")).unwrap();
    let rejection = read(&root).unwrap_err();
    let finding = rejection.findings().first().unwrap();
    assert_eq!(finding.file, "policies/tests");
    assert_eq!(finding.message, "links to a place outside of the folder");
    fs::remove_file(root.path().join("policies/tests")).unwrap();
    symlink(".", root.path().join("policies/tests")).unwrap();
    let rejection = read(&root).unwrap_err();
    let message = &rejection.findings().first().unwrap().message;
    assert_eq!(message, "links to a folder that contains it");
}

#[test]
fn the_links_beside_a_named_file_are_read_once() {
    let root = folder();
    for name in ["a.cedar", "b.cedar", "links.json"] {
        write(&root, &format!("policies/{name}"), "[]");
    }
    let named = |paths: &[&str]| {
        let sources = spec(&root, paths).read().unwrap();
        names(&sources)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let both = ["policies/a.cedar", "policies/b.cedar"];
    assert_eq!(
        named(&both[..1]),
        ["policies/a.cedar", "policies/links.json"]
    );
    assert_eq!(named(&both), [both[0], both[1], "policies/links.json"]);
    assert_eq!(named(&["policies"]), named(&both));
    assert_eq!(
        named(&["policies", both[0]]).len(),
        4,
        "a file named twice is read twice"
    );
}

#[test]
fn a_mounted_config_map_is_read_through_its_dotted_folder() {
    let root = folder();
    write(&root, "policies/..2024_01/a.cedar", "one");
    let policies = root.path().join("policies");
    symlink("..2024_01", policies.join("..data")).unwrap();
    symlink("..data/a.cedar", policies.join("a.cedar")).unwrap();
    assert_eq!(names(&read(&root).unwrap()), ["policies/a.cedar"]);
}

#[test]
fn the_root_may_be_a_link_and_is_resolved_at_each_read() {
    let root = tempfile::tempdir().unwrap();
    write(&root, "one/policies/a.cedar", "");
    write(&root, "two/policies/b.cedar", "");
    let current = root.path().join("current");
    symlink("one", &current).unwrap();
    let spec = spec(&root, &["current/policies"]);
    assert_eq!(names(&spec.read().unwrap()), ["current/policies/a.cedar"]);
    fs::remove_file(&current).unwrap();
    symlink("two", &current).unwrap();
    assert_eq!(names(&spec.read().unwrap()), ["current/policies/b.cedar"]);
}

#[test]
fn everything_that_cannot_be_read_is_told_at_once() {
    let root = folder();
    write(&root, "secret/s.cedar", "permit");
    let policies = root.path().join("policies");
    write(&root, "policies/ok.cedar", "");
    let fifo = Command::new("mkfifo")
        .arg(policies.join("fifo.cedar"))
        .status();
    assert!(fifo.unwrap().success());
    let _socket = UnixListener::bind(policies.join("socket.cedar")).unwrap();
    symlink("/dev/zero", policies.join("zero.cedar")).unwrap();
    symlink("../secret/s.cedar", policies.join("file.cedar")).unwrap();
    symlink("../secret", policies.join("folder")).unwrap();
    symlink("nowhere.cedar", policies.join("dead.cedar")).unwrap();
    symlink(".", policies.join("loop")).unwrap();
    let large = File::create(policies.join("large.cedar")).unwrap();
    large.set_len(MAX_FILE_BYTES + 1).unwrap();
    check_refused(
        &root,
        &[
            "policies/dead.cedar: could not be read: No such file or directory (os error 2)",
            "policies/fifo.cedar: is a FIFO, not a file",
            "policies/file.cedar: links to a place outside of the folder",
            "policies/folder: links to a place outside of the folder",
            "policies/large.cedar: is larger than 16777216 bytes",
            "policies/loop: links to a folder that contains it",
            "policies/socket.cedar: is a socket, not a file",
            "policies/zero.cedar: links to a place outside of the folder",
        ],
    );
}

#[test]
fn links_within_the_folder_are_followed() {
    let root = folder();
    write(&root, "policies/a/one.cedar", "1");
    symlink("a", root.path().join("policies/b")).unwrap();
    let sources = read(&root).unwrap();
    let expected = ["policies/a/one.cedar", "policies/b/one.cedar"];
    assert_eq!(names(&sources), expected);
}

#[test]
fn too_deep_too_many_and_too_much_are_findings() {
    let root = folder();
    let mut deep = Path::new("policies").to_owned();
    for _ in 0..=MAX_DEPTH {
        deep.push("d");
    }
    write(&root, &deep.join("x.cedar").display().to_string(), "");
    let message = format!("{}: folders are nested deeper than 32", deep.display());
    check_refused(&root, &[&message]);

    let root = folder();
    for number in 0..=MAX_FILES {
        write(&root, &format!("policies/{number}.cedar"), "");
    }
    check_refused(
        &root,
        &["policies: there are more than 10000 files to read"],
    );

    let root = folder();
    for number in 0..5 {
        let path = root.path().join(format!("policies/{number}.cedar"));
        File::create(path).unwrap().set_len(MAX_FILE_BYTES).unwrap();
    }
    let rejection = read(&root).unwrap_err();
    let message = &rejection.findings().first().unwrap().message;
    assert_eq!(
        message,
        "policies, schema and the like exceed 67108864 bytes"
    );

    let root = folder();
    write(&root, "policies/a.cedar", "");
    fs::create_dir(root.path().join("entities")).unwrap();
    for number in 0..5 {
        let path = root.path().join(format!("entities/{number}.json"));
        let file = File::create(path).unwrap();
        file.set_len(MAX_ENTITIES_BYTES).unwrap();
    }
    let mut spec = spec(&root, &["policies"]);
    spec.entities = vec!["entities".into()];
    // Looked at, but not read: that would take more memory than the cap allows.
    assert_eq!(Scan::of(&spec).files, []);
    let rejection = spec.read().unwrap_err();
    let messages: Vec<_> = rejection.findings().iter().map(|it| &it.message).collect();
    assert_eq!(messages, ["entities exceed 1073741824 bytes"]);
}

#[test]
fn a_missing_folder_and_a_folder_for_a_schema_are_findings() {
    let root = folder();
    let mut spec = spec(&root, &["nowhere"]);
    spec.schema = Some("policies".into());
    let rejection = spec.read().unwrap_err();
    let files: Vec<_> = rejection.findings().iter().map(|it| &it.file).collect();
    assert_eq!(files, ["policies", "nowhere"]);
}

#[test]
fn each_role_reads_its_own_names() {
    let root = folder();
    for name in ["a.cedar", "b.toml", "c.json", "d.txt"] {
        write(&root, &format!("policies/{name}"), "{}");
    }
    let here = || vec![PathBuf::from("policies")];
    let mut spec = spec(&root, &["policies"]);
    spec.entities = here();
    spec.spec = here();
    spec.schema = Some("policies/d.txt".into());
    let sources = spec.read().unwrap();
    let expected = [
        "policies/d.txt",
        "policies/a.cedar",
        "policies/c.json",
        "policies/a.cedar",
        "policies/b.toml",
        "policies/c.json",
    ];
    assert_eq!(names(&sources), expected);
}

#[test]
fn a_scan_differs_when_a_file_is_written_over_with_as_many_bytes() {
    let root = folder();
    write(&root, "policies/a.cedar", "one");
    let spec = spec(&root, &["policies"]);
    let before = Scan::of(&spec);
    assert_eq!(before, Scan::of(&spec));
    fs::remove_file(root.path().join("policies/a.cedar")).unwrap();
    write(&root, "policies/b.cedar", "two");
    assert_ne!(before, Scan::of(&spec));
}
