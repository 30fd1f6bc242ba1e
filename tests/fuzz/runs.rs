//! How a target is run: what is kept first, then what is made of it.

use std::{env, fs, path::PathBuf};

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use sha2::{Digest, Sha256};

use crate::mutation::mutations;

/// Enough to find in seconds what an edit breaks; `FUZZ_CASES` says otherwise.
const CASES: u32 = 400;

/// Runs a property on the corpus of a target, as it is and mutated. The same each time, unless
/// `FUZZ_SEED` says otherwise; what fails is made small, written to a file and shown.
pub(crate) fn fuzz(target: &str, property: impl Fn(&[u8])) {
    let seeds = corpus(target);
    for seed in &seeds {
        property(seed);
    }
    let number = number("FUZZ_SEED", 0);
    let config = Config {
        cases: number_of_cases(),
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    let rng_seed: [u8; 32] = Sha256::digest(format!("{target} {number}")).into();
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &rng_seed);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let ran = runner.run(&mutations(), |mutation| {
        let bytes = mutation.of(&seeds);
        let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| property(&bytes)));
        held.map_err(|_| TestCaseError::fail("the property does not hold"))
    });
    if let Err(TestError::Fail(_, mutation)) = &ran {
        let bytes = mutation.of(&seeds);
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{target}"));
        fs::write(&path, &bytes).unwrap();
        let (path, shown) = (path.display(), bytes.escape_ascii());
        panic!("{target}, FUZZ_SEED={number}: does not hold for {path}, which is\n{shown}");
    }
    ran.unwrap();
}

/// The same on a thread with as much stack as compiling has.
pub(crate) fn fuzz_deep(target: &str, property: impl Fn(&[u8]) + Send) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(256 << 20);
        let running = thread.spawn_scoped(scope, || fuzz(target, property));
        if let Err(panic) = running.unwrap().join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// The files that are kept for a target.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let root = env!("CARGO_MANIFEST_DIR");
    let folder = format!("{root}/tests/fuzz/corpus/{target}");
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{folder} is empty");
    let read = |path| fs::read(path).unwrap();
    paths.iter().map(read).collect()
}

fn number_of_cases() -> u32 {
    u32::try_from(number("FUZZ_CASES", CASES.into())).unwrap()
}

fn number(name: &str, or: u64) -> u64 {
    let said = env::var(name).ok();
    said.map_or(or, |it| it.parse().expect("a number"))
}
