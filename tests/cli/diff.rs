//! `diff`, as far as it goes without a solver and without git: nothing of a decision changed, or a side
//! is refused.

use std::fs;

use tempfile::TempDir;

use crate::run;

const MANIFEST: &str = "[enterprise]\npolicies = [\"policies/p\"]\nschema = \"s.cedarschema\"\n";

const SCHEMA: &str = "entity U; action view appliesTo { principal: U, resource: U };\n";

fn root() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for folder in ["policies/p", "moved", "broken"] {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    let put = |name: &str, text: &str| fs::write(root.path().join(name), text).unwrap();
    put("policies/editions.toml", MANIFEST);
    put("s.cedarschema", SCHEMA);
    put(
        "policies/p/a.cedar",
        "@id(\"a\") permit (principal, action, resource);\n",
    );
    put(
        "moved/b.cedar",
        "// Elsewhere.\n\n@id(\"a\")\npermit (principal, action, resource);\n",
    );
    put("broken/c.cedar", "permit (\n");
    root
}

#[test]
fn policies_that_only_moved_need_no_solver() {
    let root = root();
    for sides in [
        ["policies/p", "moved"],
        [".", "moved"],
        ["./moved", "."],
        ["moved", "moved"],
    ] {
        let (code, out, err) = run(&root, &[&["diff"], &sides[..]].concat());
        assert_eq!((code, err.as_str()), (0, ""), "{sides:?}: {out}");
        assert!(
            out.contains("no decision changes of 1 kind of question"),
            "{out}"
        );
    }
    let (code, out, _) = run(&root, &["diff", ".", "moved", "--format", "json"]);
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &told["claims"]), (0, &0.into()));
    assert_eq!(told["shapes"][0]["state"], "unchanged");
}

#[test]
fn a_side_that_is_refused_is_named() {
    let root = root();
    let (code, out, err) = run(&root, &["diff", "policies/p", "broken"]);
    assert_eq!((code, out.as_str()), (3, ""));
    assert!(err.starts_with("NEW is refused: `broken`"), "{err}");
    assert!(err.contains("--> broken/c.cedar:"), "{err}");
    let (code, _, err) = run(&root, &["diff", "broken", "broken"]);
    assert_eq!(code, 3);
    assert!(
        err.contains("OLD is refused") && err.contains("NEW is refused"),
        "{err}"
    );
}

#[test]
fn names_that_stand_for_nothing_are_usage_errors() {
    let root = root();
    for (args, expected) in [
        (
            &["diff", "./main", "moved"][..],
            "there is no folder `./main`",
        ),
        (&["diff", "moved"], "NEW"),
        (
            &["diff", "moved", ".", "--policies", "moved"],
            "take `--policies` away",
        ),
        (
            &["diff", "moved", ".", "--edition", "gold"],
            "there is no edition `gold`",
        ),
    ] {
        let (code, out, err) = run(&root, args);
        assert_eq!((code, out.as_str()), (2, ""), "{args:?}: {err}");
        assert!(err.contains(expected), "{args:?}: {err}");
    }
}
