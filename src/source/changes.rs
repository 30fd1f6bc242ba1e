//! Which files differ between two sets.

use std::collections::{BTreeMap, HashMap};

use crate::telemetry::{Change, Changed, Changes};

/// How many names are told: a commit that touches more is looked up where it was made.
const MAX_TOLD: usize = 100;

/// (file name, digest) of everything that a snapshot is made of.
pub(super) type Files = [(String, String)];

/// The users that files belong to, by the files' names.
pub(super) type Owners = HashMap<String, u32>;

/// What has to happen to the files of one set to make the other of it.
pub(super) fn between(before: &Files, after: &Files, owners: &Owners) -> Changes {
    let (before, after) = (by_name(before), by_name(after));
    let of_before = before.iter().filter_map(|(name, digests)| {
        let change = match after.get(name) {
            None => Change::Removed,
            Some(now) if now != digests => Change::Changed,
            Some(_) => return None,
        };
        Some((*name, change))
    });
    let added = after.keys().filter(|name| !before.contains_key(*name));
    let all: BTreeMap<&str, Change> = of_before
        .chain(added.map(|name| (*name, Change::Added)))
        .collect();
    Changes {
        files: all
            .iter()
            .take(MAX_TOLD)
            .map(|(name, change)| Changed {
                change: *change,
                name: (*name).to_owned(),
                owner: owners.get(*name).copied(),
            })
            .collect(),
        more: all.len().saturating_sub(MAX_TOLD),
    }
}

/// One file may be read as several things, by the same name.
fn by_name(files: &Files) -> BTreeMap<&str, Vec<&str>> {
    let mut names: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, digest) in files {
        names.entry(name).or_default().push(digest);
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(text: &str) -> Vec<(String, String)> {
        let file = |word: &str| {
            let (name, digest) = word.split_once(':').unwrap();
            (name.to_owned(), digest.to_owned())
        };
        text.split_whitespace().map(file).collect()
    }

    #[track_caller]
    fn check(before: &str, after: &str, expected: &str) {
        let owners = Owners::from([("b".to_owned(), 1000)]);
        let changes = between(&files(before), &files(after), &owners);
        let told = |it: &Changed| match it.owner {
            Some(owner) => format!("{} {} of {owner}", it.change.as_str(), it.name),
            None => format!("{} {}", it.change.as_str(), it.name),
        };
        let told: Vec<_> = changes.files.iter().map(told).collect();
        assert_eq!(told.join(", "), expected);
        assert_eq!(changes.more, 0);
    }

    #[test]
    fn files_that_come_go_or_change_are_told_in_order_of_names() {
        check("", "", "");
        check("a:1 b:2", "b:2 a:1", "");
        check("", "a:1", "added a");
        check(
            "a:1 c:3 d:4",
            "b:2 c:4 d:4",
            "removed a, added b of 1000, changed c",
        );
        check("a:1 a:2", "a:1 a:3", "changed a");
        check("a:1 a:1", "a:1", "changed a");
    }

    #[test]
    fn of_many_files_the_first_hundred_are_told() {
        let many: Vec<_> = (100..350)
            .map(|it| (it.to_string(), String::new()))
            .collect();
        let changes = between(&many, &[], &Owners::new());
        assert_eq!((changes.files.len(), changes.more), (100, 150));
        let last = changes.files.last().unwrap();
        assert_eq!((last.change, last.name.as_str()), (Change::Removed, "199"));
    }
}
