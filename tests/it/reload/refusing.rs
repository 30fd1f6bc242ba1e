//! What can be read and must not be taken, and what cannot be read: cases 12, 13 and 24 of the
//! catalogue.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use super::{
    files::rename_over,
    plan::{BY_EVENTS, Plan},
    stage::Stage,
    told,
    world::{Part, Set, crowd},
};
use crate::process::Process;

#[test]
fn an_id_given_twice_names_both_files() {
    let set = Set::of(0);
    let mut stage = Stage::start(12, &BY_EVENTS, &set);
    let name = "policies/teams/twin.cedar";
    let twin = stage.path(name);
    stage.refuses("twice `alpha`", "validate", &[name], |_| {
        fs::write(&twin, Part::Alpha.text(1)).unwrap();
    });
    let attempt = stage.told().attempt().clone();
    let first = told::errors(&attempt).next().unwrap();
    let says = |text: &str| first.to_string().contains(text);
    assert!(says(Part::Alpha.file()) && says("`alpha`"), "{first}");
    let own = Part::Alpha.text(1).replace("alpha\")", "twin\")");
    let set = set.with_file(name, own.as_str());
    // The twin permits what only another colour of alpha would.
    let set = set.answering(Part::Alpha, 1);
    stage.applies("an id of its own", &set, |_| rename_over(&twin, &own));
    stage.end("the same `@id` in two files");
}

#[test]
fn what_may_not_be_read_is_refused_until_it_may() {
    let set = Set::of(0);
    let plan = Plan {
        serve: Process::serve_bound_by_modes,
        ..Plan::of(13, &BY_EVENTS)
    };
    let mut stage = Stage::of(plan, &set);
    for name in [Part::Beta.file(), "policies/teams/deep", Part::Users.file()] {
        let path = stage.path(name);
        let good = fs::metadata(&path).unwrap().permissions().mode();
        let what = format!("no right to read {name}");
        stage.refuses(&what, "io", &[name], |_| set_mode(&path, 0));
        let attempt = stage.told().attempt().clone();
        assert!(
            attempt.to_string().contains("Permission denied"),
            "{attempt}"
        );
        stage.returns("allowed again", |_| set_mode(&path, good));
    }
    let set = set.with(Part::Beta, 1);
    let path = stage.path(Part::Beta.file());
    stage.refuses(
        "another one, not readable",
        "io",
        &[Part::Beta.file()],
        |_| {
            let next = path.with_extension("next");
            fs::write(&next, Part::Beta.text(1)).unwrap();
            set_mode(&next, 0);
            fs::rename(next, &path).unwrap();
        },
    );
    stage.applies("readable", &set, |_| set_mode(&path, 0o644));
    stage.end("permission denied, then mended");
}

#[test]
fn a_collapse_is_refused_and_done_in_steps() {
    let name = "policies/crowd.cedar";
    let of = |count| Set::of(0).with_file(name, crowd("crowd", count));
    let set = of(60);
    let mut stage = Stage::start(24, &BY_EVENTS, &set);
    let path = stage.path(name);
    stage.refuses("60 of 74 policies deleted", "shrink", &[""], |_| {
        fs::remove_file(&path).unwrap();
    });
    let attempt = stage.told().attempt().clone();
    let first = told::errors(&attempt).next().unwrap();
    let lost = "60 of 74 policies would be gone";
    assert_eq!(first["message"], lost, "{attempt}");
    let help = first["help"].as_str().unwrap();
    assert!(help.contains("in steps"), "{help}");
    assert!(help.contains("--shrink"), "{help}");
    stage.refuses("60 of 74 emptied", "shrink", &[""], |_| {
        fs::write(&path, "").unwrap();
    });
    for count in [23, 5, 0] {
        let next = of(count);
        stage.applies(&format!("{count} left of them"), &next, |_| {
            rename_over(&path, crowd("crowd", count));
        });
    }
    stage.end("more than half of the policies gone");
}

#[test]
fn a_collapse_is_in_force_where_nobody_guards_against_it() {
    let name = "policies/crowd.cedar";
    let set = Set::of(0).with_file(name, crowd("crowd", 60));
    let mut stage = Stage::start(24, &["--poll-interval=1h", "--shrink=warn"], &set);
    let path = stage.path(name);
    stage.applies("60 of 74 policies deleted", &set.without_file(name), |_| {
        fs::remove_file(&path).unwrap();
    });
    let warnings = stage.told().status["warnings"].to_string();
    let lost = "60 of 74 policies would be gone";
    assert!(warnings.contains(lost), "{warnings}");
    stage.end("the same with `--shrink=warn`");
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
