//! How editors and shells save: cases 1, 2, 8, 9, 10, 19, 20 and 21 of the catalogue.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use super::{
    files::rename_over,
    plan::BY_EVENTS,
    stage::Stage,
    world::{Part, Set, crowd},
};

/// Between two writes of a writer that does not pause.
const STEP: Duration = Duration::from_millis(2);

/// Between two writes of a writer that does: the server may take what it finds for whole.
const PAUSE: Duration = Duration::from_millis(25);

#[test]
fn a_file_renamed_over_is_in_force() {
    let mut set = Set::of(0);
    let mut stage = Stage::start(1, &BY_EVENTS, &set);
    for part in [Part::Beta, Part::Schema, Part::Users] {
        set = set.with(part, 1);
        let path = stage.path(part.file());
        stage.applies(&format!("{part:?}"), &set, |_| {
            rename_over(&path, part.text(1));
        });
    }
    stage.end("rename over the file");
}

#[test]
fn a_file_truncated_and_written_in_place_is_in_force_whole() {
    let mut set = Set::of(0);
    let mut stage = Stage::start(2, &BY_EVENTS, &set);
    for part in [Part::Gamma, Part::Docs, Part::Guards] {
        // No part of it is a valid file, so that a writer may be stopped anywhere.
        let text = part.text(1);
        let (head, tail) = text.split_at(text.find([' ', '{']).unwrap() + 1);
        let text = [head, &" ".repeat(4096), tail].concat();
        set = set.with(part, 1).with_file(part.file(), text.as_str());
        let path = stage.path(part.file());
        stage.applies(&format!("{part:?}"), &set, |_| {
            write_in_place(&path, text.as_bytes().chunks(512));
        });
    }
    stage.end("truncate and write in place, in several writes");
}

#[test]
fn half_a_file_is_never_in_force() {
    half_a_file(Stage::start(8, &BY_EVENTS, &Set::of(0)));
}

#[test]
fn half_a_file_is_never_in_force_by_polls() {
    const OFTEN: [&str; 2] = ["--watch=poll", "--poll-interval=10ms"];
    half_a_file(Stage::start(8, &OFTEN, &Set::of(0)));
}

fn half_a_file(mut stage: Stage) {
    let name = Part::Alpha.file();
    let path = stage.path(name);
    let text = Part::Alpha.text(1);
    let (half, rest) = text.split_at(text.len() / 2);
    stage.refuses("half a policy", "parse", &[name], |_| {
        fs::write(&path, half).unwrap();
    });
    let whole = Set::of(0).with(Part::Alpha, 1);
    stage.applies("the rest", &whole, |_| append(&path, rest));
    // A writer whom the machine stopped for longer has paused, and is tried again.
    let paused = (0..5).map(|round| one_by_one(&mut stage, round));
    let paused = paused.take_while(|paused| *paused >= PAUSE).count();
    if paused == 5 {
        stage.note("the machine is too busy to write without a pause".to_owned());
    }
    stage.end("half-written file");
}

/// Writes a file of which every half is a valid file, and returns the longest time between two
/// writes. If that is short, only the whole file was ever in force.
fn one_by_one(stage: &mut Stage, round: usize) -> Duration {
    let (name, colour) = (Part::Alpha.file(), round % 2);
    let path = stage.path(name);
    let lines = crowd(&format!("line-{round}"), 400);
    let text = format!("{lines}{}", Part::Alpha.text(colour));
    let ends = text.match_indices(";\n").map(|(end, _)| end + 2);
    let halves = [0].into_iter().chain(ends.clone());
    // Not to be seen, but nothing that a caller could be blamed for.
    for end in halves.take_while(|end| *end < text.len()) {
        stage.expect(
            &Set::of(0)
                .emptied(Part::Alpha)
                .with_file(name, &text[..end]),
        );
    }
    let set = Set::of(0)
        .with(Part::Alpha, colour)
        .with_file(name, text.as_str());
    stage.expect(&set);
    let before = stage.told().reloads("applied", "none");
    let started = Instant::now();
    let longest = write_in_place(&path, text.split_inclusive(";\n").map(str::as_bytes));
    let took = started.elapsed().as_millis();
    stage.in_force(&format!("401 policies, one by one in {took} ms"), &set);
    let applied = stage.told().reloads("applied", "none") - before;
    assert!(applied == 1.0 || longest >= PAUSE, "{applied} applied");
    longest
}

#[test]
fn an_empty_file_takes_its_policies_out_of_force_and_empties_nothing_else() {
    let first = Set::of(0);
    let mut stage = Stage::start(9, &BY_EVENTS, &first);
    let set = first.emptied(Part::Guards);
    let path = stage.path(Part::Guards.file());
    stage.applies("no guards", &set, |_| rename_over(&path, ""));
    let set = set.emptied(Part::Alpha);
    let path = stage.path(Part::Alpha.file());
    stage.applies("no alpha", &set, |_| fs::write(path, "").unwrap());
    for (part, reason) in [(Part::Users, "parse"), (Part::Schema, "validate")] {
        let path = stage.path(part.file());
        let mut files = vec![part.file()];
        if part == Part::Schema {
            // Nobody knows the words of the others any more.
            files = set.files().map(|(file, _)| file).collect();
            files.retain(|file| *file != part.file() && !set.content(file).is_empty());
        }
        stage.refuses(&format!("{part:?}"), reason, &files, |_| {
            rename_over(&path, "");
        });
        stage.returns("as before", |_| {
            rename_over(&path, set.content(part.file()));
        });
    }
    stage.end("empty file");
}

#[test]
fn what_is_invalid_is_refused_until_it_is_valid() {
    let set = Set::of(0);
    let mut stage = Stage::start(10, &BY_EVENTS, &set);
    let beta = stage.path(Part::Beta.file());
    let name = Part::Beta.file();
    for (what, reason, text) in [
        ("no policy", "parse", "permit (principal, action"),
        (
            "no such action",
            "validate",
            "@id(\"x\") permit (principal, action == Action::\"fly\", resource);",
        ),
    ] {
        stage.refuses(what, reason, &[name], |_| rename_over(&beta, text));
    }
    let attempt = stage.told().attempt().clone();
    assert_eq!(attempt["findings"][0]["line"], 1, "{attempt}");
    stage.returns("as before", |_| rename_over(&beta, set.content(name)));
    let users = stage.path(Part::Users.file());
    stage.refuses("no JSON", "parse", &[Part::Users.file()], |_| {
        rename_over(&users, "[{");
    });
    let set = set.with(Part::Users, 1);
    stage.applies("valid", &set, |_| rename_over(&users, Part::Users.text(1)));
    stage.end("invalid, then valid");
}

#[test]
fn a_touch_is_no_change() {
    let set = Set::of(0);
    let mut stage = Stage::start(19, &BY_EVENTS, &set);
    let path = stage.path(Part::Alpha.file());
    let same = set.content(Part::Alpha.file());
    stage.ignores("touched", |_| {
        let file = File::options().append(true).open(&path).unwrap();
        file.set_modified(std::time::SystemTime::now()).unwrap();
    });
    stage.ignores("written again", |_| fs::write(&path, same).unwrap());
    stage.ignores("renamed over by its like", |_| rename_over(&path, same));
    stage.end("touched, same content");
}

#[test]
fn lines_may_end_as_on_windows_and_text_may_be_marked_but_is_utf_8() {
    let set = Set::of(0);
    let mut stage = Stage::start(20, &BY_EVENTS, &set);
    let name = Part::Gamma.file();
    let path = stage.path(name);
    let windows = Part::Gamma.text(1).replace('\n', "\r\n");
    let set = set.with(Part::Gamma, 1).with_file(name, windows.as_str());
    stage.applies("CRLF", &set, |_| rename_over(&path, &windows));
    let marked = format!("\u{feff}{}", Part::Gamma.text(2));
    let set = set.with(Part::Gamma, 2).with_file(name, marked.as_str());
    stage.applies("BOM", &set, |_| rename_over(&path, &marked));
    let latin = [&b"// caf\xe9\n"[..], windows.as_bytes()].concat();
    let wide: Vec<u8> = windows.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (what, bytes) in [("Latin-1", latin), ("UTF-16", wide)] {
        stage.refuses(what, "parse", &[name], |_| rename_over(&path, bytes));
    }
    stage.returns("as before", |_| rename_over(&path, &marked));
    stage.end("CRLF, BOM, non-UTF-8");
}

#[test]
fn what_editors_leave_behind_is_not_read() {
    let set = Set::of(0);
    let mut stage = Stage::start(21, &BY_EVENTS, &set);
    for name in [
        ".alpha.cedar.swp",
        "4913",
        "alpha.cedar~",
        ".#alpha.cedar",
        "#alpha.cedar#",
        "alpha.cedar.tmp",
        "alpha.cedar.bak",
        ".alpha.cedar",
    ] {
        let path = stage.path("policies/teams").join(name);
        stage.ignores(name, |_| fs::write(path, "permit (no such thing").unwrap());
    }
    let set = set.with(Part::Beta, 1);
    let beta = stage.path(Part::Beta.file());
    stage.applies("a real one beside them", &set, |_| {
        rename_over(&beta, Part::Beta.text(1));
    });
    stage.end("editors' droppings");
}

/// Truncates a file and writes it anew. Returns the longest time between two writes.
fn write_in_place<'a>(path: &Path, pieces: impl Iterator<Item = &'a [u8]>) -> Duration {
    let mut file = File::create(path).unwrap();
    let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
    for piece in pieces {
        file.write_all(piece).unwrap();
        longest = longest.max(last.elapsed());
        last = Instant::now();
        thread::park_timeout(STEP);
    }
    longest
}

fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
