//! How whole trees are changed: cases 3, 4, 5, 6, 7 and 11 of the catalogue.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use super::{
    files::{put, rename_over},
    plan::{BY_EVENTS, Plan},
    stage::Stage,
    world::{Layout, Part, Set},
};

/// The folder that a volume of Kubernetes is mounted at.
const MOUNT: &str = "config";

/// A line of schema.
const AUDIT: &str = "action audit appliesTo { principal: User, resource: Doc };\n";

#[test]
fn a_config_map_swap_is_in_force_whole() {
    let plan = Plan {
        layout: Layout::flat(MOUNT),
        place: |root, _, set| {
            fs::create_dir(root.join(MOUNT)).unwrap();
            swap_config_map(&root.join(MOUNT), set, 0);
        },
        ..Plan::of(3, &BY_EVENTS)
    };
    let mut stage = Stage::of(plan, &Set::of(0));
    let mount = stage.root().join(MOUNT);
    let next = Set::of(1);
    stage.applies("a swap", &next, |_| swap_config_map(&mount, &next, 1));
    // Faster than anybody can look: each may be seen, in this order.
    let sets = [2, 0, 1].map(Set::of);
    for (number, set) in sets.iter().enumerate() {
        stage.expect(set);
        swap_config_map(&mount, set, 2 + number);
    }
    stage.in_force("three in quick succession", &sets[2]);
    let more = Set::of(2).with(Part::Extra, 2);
    // The link of a new key comes last.
    stage.expect(&Set::of(2));
    stage.expect(&more);
    swap_config_map(&mount, &more, 5);
    stage.in_force("with a file more", &more);
    let less = Set::of(0).without(Part::Guards);
    stage.applies("with two files less", &less, |_| {
        swap_config_map(&mount, &less, 6);
    });
    stage.end("Kubernetes ConfigMap, `..data` swapped");
}

#[test]
fn a_config_map_with_folders_is_swapped_whole_too() {
    let plan = Plan {
        layout: Layout::tree(MOUNT),
        place: |root, _, set| {
            fs::create_dir(root.join(MOUNT)).unwrap();
            swap_items(&root.join(MOUNT), set, 0);
        },
        ..Plan::of(3, &BY_EVENTS)
    };
    let mut stage = Stage::of(plan, &Set::of(0));
    let mount = stage.root().join(MOUNT);
    for colour in [1, 2] {
        let set = Set::of(colour);
        stage.applies("a swap", &set, |_| swap_items(&mount, &set, colour));
    }
    stage.end("Kubernetes ConfigMap, items with folders");
}

#[test]
fn a_flipped_worktree_is_in_force_whole() {
    let plan = Plan {
        layout: Layout::tree("git/current"),
        place: |root, _, set| {
            flip_worktree(&root.join("git"), set, "0a1b");
        },
        ..Plan::of(4, &BY_EVENTS)
    };
    let mut stage = Stage::of(plan, &Set::of(0));
    let git = stage.root().join("git");
    for (colour, hash) in [(1, "9f3c"), (2, "77e0"), (0, "0a1b")] {
        let set = Set::of(colour);
        let mut old = None;
        stage.applies("a flip", &set, |_| old = flip_worktree(&git, &set, hash));
        // Until now nothing but the link has told of it.
        fs::remove_dir_all(git.join(old.unwrap())).unwrap();
    }
    let set = Set::of(1);
    stage.applies("with the old one removed at once", &set, |_| {
        let old = flip_worktree(&git, &set, "5d5d").unwrap();
        fs::remove_dir_all(git.join(old)).unwrap();
    });
    stage.end("git-sync, worktree link flipped");
}

#[test]
fn a_folder_deleted_and_made_again_is_followed() {
    let first = Set::of(0);
    let mut stage = Stage::start(5, &BY_EVENTS, &first);
    let policies = stage.path("policies");
    // Whatever is half deleted or half written is refused: too few policies, or no such action.
    stage.refuses("deleted", "io", &["policies"], |_| {
        fs::remove_file(policies.join("base.cedar")).unwrap();
        fs::remove_dir_all(&policies).unwrap();
    });
    let schema = Part::Schema.text(0) + AUDIT;
    let alpha = audited(&Part::Alpha.text(1));
    let set = [Part::Alpha, Part::Beta, Part::Gamma]
        .into_iter()
        .fold(first, |set, part| set.with(part, 1))
        .with_file(Part::Schema.file(), schema)
        .with_file(Part::Alpha.file(), alpha);
    let layout = stage.layout().clone();
    stage.applies("made again", &set, |root| put(root, &layout, &set));
    // Whatever was watched before is another folder now.
    for part in [Part::Beta, Part::Gamma] {
        for colour in [2, 1] {
            let set = set.clone().with(part, colour);
            let path = stage.path(part.file());
            stage.applies("an edit in it", &set, |_| {
                rename_over(&path, part.text(colour));
            });
        }
    }
    stage.end("directory deleted and made again");
}

#[test]
fn the_policies_of_a_deleted_file_leave_force() {
    let mut set = Set::of(0);
    let mut stage = Stage::start(6, &BY_EVENTS, &set);
    for (what, part) in [
        ("a forbid", Part::Guards),
        ("a permit", Part::Alpha),
        ("stored data", Part::Docs),
    ] {
        set = set.without(part);
        let path = stage.path(part.file());
        stage.applies(what, &set, |_| fs::remove_file(path).unwrap());
    }
    let schema = Part::Schema.file();
    let path = stage.path(schema);
    stage.refuses("the schema", "io", &[schema], |_| {
        fs::remove_file(&path).unwrap();
    });
    stage.returns("put back", |_| {
        fs::write(&path, set.content(schema)).unwrap();
    });
    stage.end("file deleted");
}

#[test]
fn a_new_tree_is_in_force_with_what_was_in_it_before_it_was_watched() {
    let first = Set::of(0);
    let mut stage = Stage::start(7, &BY_EVENTS, &first);
    let deep = "policies/a/b/c/new.cedar";
    let set = first.with_at(Part::Extra, 0, deep);
    stage.applies("mkdir -p and write", &set, |root| {
        fs::create_dir_all(root.join("policies/a/b/c")).unwrap();
        fs::write(root.join(deep), Part::Extra.text(0)).unwrap();
    });
    let path = stage.path(deep);
    let set = set.with_at(Part::Extra, 1, deep);
    stage.applies("an edit in it", &set, |_| {
        rename_over(&path, Part::Extra.text(1));
    });
    let moved = "policies/moved/x/new.cedar";
    let set = set.without_file(deep).with_at(Part::Extra, 2, moved);
    stage.applies("a prepared tree moved in, the other out", &set, |root| {
        fs::create_dir_all(root.join("ready/x")).unwrap();
        fs::write(root.join("ready/x/new.cedar"), Part::Extra.text(2)).unwrap();
        fs::rename(root.join("ready"), root.join("policies/moved")).unwrap();
        fs::rename(root.join("policies/a"), root.join("gone")).unwrap();
    });
    let path = stage.path(moved);
    let set = set.with_at(Part::Extra, 0, moved);
    stage.applies("an edit in that", &set, |_| {
        fs::write(&path, Part::Extra.text(0)).unwrap();
    });
    stage.end("new subdirectory with files in it");
}

#[test]
fn policies_and_schema_change_as_one() {
    let old = Set::of(0);
    let mut stage = Stage::start(11, &BY_EVENTS, &old);
    let schema = Part::Schema.file();
    let extra = Part::Extra.file();
    let next_schema = Part::Schema.text(1) + AUDIT;
    let next_extra = audited(&Part::Extra.text(1));
    let new = old
        .clone()
        .with(Part::Schema, 1)
        .with(Part::Extra, 1)
        .with_file(schema, next_schema.as_str())
        .with_file(extra, next_extra.as_str());
    let (schema_path, extra_path) = (stage.path(schema), stage.path(extra));
    stage.refuses("new policies first", "validate", &[extra], |_| {
        fs::write(&extra_path, &next_extra).unwrap();
    });
    stage.applies("the schema after them", &new, |_| {
        rename_over(&schema_path, &next_schema);
    });
    stage.refuses("old schema first", "validate", &[extra], |_| {
        rename_over(&schema_path, Part::Schema.text(0));
    });
    stage.applies("the policies after it", &old, |_| {
        fs::remove_file(&extra_path).unwrap();
    });
    stage.applies("both within a moment", &new, |_| {
        fs::write(&extra_path, &next_extra).unwrap();
        rename_over(&schema_path, &next_schema);
    });
    stage.end("policies and schema, in either order");
}

/// The same policies, for whoever has [`AUDIT`] in the schema.
fn audited(policies: &str) -> String {
    let both = "in [Action::\"read\", Action::\"audit\"]";
    policies.replace("== Action::\"read\"", both)
}

/// As the kubelet writes a ConfigMap: a folder with a time for a name, `..data` renamed over to
/// lead there, a link for each key, and the old folder removed.
fn swap_config_map(mount: &Path, set: &Set, number: usize) {
    let flat = Layout::flat("");
    let names: Vec<String> = set.files().map(|(file, _)| flat.name(file)).collect();
    swap_data(mount, set, &flat, &names, number);
}

/// The same for keys that are mapped to paths: there are links for the first part of each only.
fn swap_items(mount: &Path, set: &Set, number: usize) {
    let names = ["entities", "policies", "schema"].map(str::to_owned);
    swap_data(mount, set, &Layout::tree(""), &names, number);
}

fn swap_data(mount: &Path, set: &Set, layout: &Layout, names: &[String], number: usize) {
    let folder = format!("..2026_11_22_10_00_00.{:06}", 123_456 + number);
    let old = fs::read_link(mount.join("..data")).ok();
    fs::create_dir(mount.join(&folder)).unwrap();
    put(&mount.join(&folder), layout, set);
    symlink(&folder, mount.join("..data_tmp")).unwrap();
    fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
    for name in names {
        if mount.join(name).symlink_metadata().is_err() {
            symlink(Path::new("..data").join(name), mount.join(name)).unwrap();
        }
    }
    for entry in fs::read_dir(mount).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.starts_with("..") && !names.contains(&name) {
            fs::remove_file(mount.join(name)).unwrap();
        }
    }
    if let Some(old) = old {
        fs::remove_dir_all(mount.join(old)).unwrap();
    }
}

/// As git-sync does it: a worktree for each commit, and a relative link renamed to lead there.
/// Returns where it led before.
fn flip_worktree(git: &Path, set: &Set, hash: &str) -> Option<PathBuf> {
    let worktree = git.join("worktrees").join(hash);
    fs::create_dir_all(&worktree).unwrap();
    put(&worktree, &Layout::tree(""), set);
    let old = fs::read_link(git.join("current")).ok();
    symlink(Path::new("worktrees").join(hash), git.join("next")).unwrap();
    fs::rename(git.join("next"), git.join("current")).unwrap();
    old
}
