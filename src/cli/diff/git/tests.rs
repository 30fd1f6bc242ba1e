//! What git lists and tells, and what is refused of it.

use super::*;

const OBJECT: &str = "257cc5642cb1a054f08cc83f2d943e56fd3ebe99";

fn check(listed: &str, prefix: &str, expected: Result<&[(u64, &str)], &str>) {
    let listed = listed.replace("OBJECT", OBJECT);
    let read = entries(listed.as_bytes(), prefix.as_bytes());
    let read = read.map(|read| {
        let read = read.into_iter().map(|it| {
            assert_eq!(it.object, OBJECT);
            (it.size, it.path.display().to_string())
        });
        read.collect::<Vec<_>>()
    });
    match (read, expected) {
        (Ok(read), Ok(expected)) => {
            let read: Vec<_> = read
                .iter()
                .map(|(size, path)| (*size, path.as_str()))
                .collect();
            assert_eq!(read, expected);
        }
        (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
        (read, expected) => panic!("{read:?}, not {expected:?}"),
    }
}

#[test]
fn a_listing_is_files_with_their_sizes() {
    check("", "", Ok(&[]));
    let two = "100644 blob OBJECT      42\tpolicies/a b.cedar\x00100755 blob OBJECT       0\tpolicies/\u{e4}\n.cedar\0";
    check(
        two,
        "",
        Ok(&[(42, "policies/a b.cedar"), (0, "policies/\u{e4}\n.cedar")]),
    );
    let below = "100644 blob OBJECT       7\tservices/authz/schema/s.cedarschema\0";
    check(below, "services/authz/", Ok(&[(7, "schema/s.cedarschema")]));
}

#[test]
fn what_is_no_plain_file_below_the_root_is_refused() {
    for (listed, expected) in [
        (
            "120000 blob OBJECT 9\tpolicies/l.cedar\0",
            "`policies/l.cedar` is a symlink",
        ),
        (
            "160000 commit OBJECT -\tpolicies/sub\0",
            "`policies/sub` is a submodule",
        ),
        (
            "100644 blob OBJECT 9\t../x.cedar\0",
            "no path below the root",
        ),
        ("100644 blob OBJECT 9\t/x.cedar\0", "no path below the root"),
        ("100644 blob OBJECT x\ta.cedar\0", "nobody understands"),
        ("100644 blob OBJECT 9 a.cedar\0", "nobody understands"),
        ("100644 blob\ta.cedar\0", "nobody understands"),
        ("100644 blob OBJECT 99999999\ta\0", "exceed 67108864 bytes"),
    ] {
        check(listed, "", Err(expected));
    }
    check(
        "100644 blob OBJECT 9\tother/x.cedar\0",
        "mine/",
        Err("nobody understands"),
    );
    let many = "100644 blob OBJECT 0\tx\0".repeat(MAX_FILES + 1);
    check(&many, "", Err("more than 10000 files"));
}

#[test]
fn contents_are_told_one_after_the_other() {
    let entry = |size| Entry {
        object: OBJECT.to_owned(),
        size,
        path: "a".into(),
    };
    let told = format!("{OBJECT} blob 3\na\nb\n{OBJECT} blob 0\n\n");
    let (first, rest) = blob(told.as_bytes(), &entry(3)).unwrap();
    assert_eq!(first, b"a\nb");
    assert_eq!(blob(rest, &entry(0)), Some((&b""[..], &b""[..])));
    let missing = format!("{OBJECT} missing\n");
    assert_eq!(blob(missing.as_bytes(), &entry(3)), None);
    assert_eq!(blob(told.as_bytes(), &entry(300)), None);
}
