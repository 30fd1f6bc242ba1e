//! The steps of work that may be long, told to whoever runs it: the core itself has no clock.

use std::cell::Cell;

/// From one telling to the next; so many steps take a microsecond or two.
const STEPS: u32 = 64;

thread_local! {
    static LEFT: Cell<u32> = const { Cell::new(STEPS) };
    static TOLD: Cell<Option<fn()>> = const { Cell::new(None) };
}

/// Nobody is told any more once this is dropped.
struct Told;

/// Does the work, and calls `told` now and then meanwhile, on this thread.
pub fn telling<T>(told: fn(), work: impl FnOnce() -> T) -> T {
    TOLD.set(Some(told));
    let _told = Told;
    work()
}

/// One of many steps: for loops over what callers send, however much that is.
#[inline]
pub(super) fn step() {
    match LEFT.get().checked_sub(1) {
        Some(left) => LEFT.set(left),
        None => tell(),
    }
}

#[cold]
fn tell() {
    LEFT.set(STEPS);
    if let Some(told) = TOLD.get() {
        told();
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        TOLD.set(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authz::{
        Json,
        value::{Elements, Value},
    };

    thread_local! {
        static CALLS: Cell<u32> = const { Cell::new(0) };
    }

    fn count() {
        CALLS.set(CALLS.get() + 1);
    }

    #[test]
    fn whoever_runs_long_work_is_told_until_it_ends() {
        let many = || (0..100 * STEPS).for_each(|_| step());
        telling(count, many);
        let told = CALLS.get();
        assert!((90..=100).contains(&told), "{told}");
        let ended = std::panic::catch_unwind(|| telling(count, || panic!("on purpose")));
        assert!(ended.is_err());
        many();
        assert_eq!(CALLS.get(), told);
    }

    #[test]
    fn what_takes_long_takes_as_many_steps_as_there_are_values() {
        const VALUES: u32 = 100 * STEPS;
        let told = |work: &dyn Fn()| {
            let before = CALLS.get();
            telling(count, work);
            CALLS.get() - before
        };
        let list = format!("[{}]", vec!["1"; VALUES as usize].join(","));
        let pairs: Vec<String> = (0..VALUES).map(|it| format!(r#""{it}":1"#)).collect();
        let object = format!("{{{}}}", pairs.join(","));
        for text in [list, object] {
            let parsed = told(&|| drop(Json::parse(text.as_bytes(), 1).unwrap()));
            assert!(parsed >= 90, "{parsed}");
            let json = Json::parse(text.as_bytes(), 1).unwrap();
            assert!(told(&|| assert!(json.values() > VALUES as usize)) >= 90);
        }
        let shuffled = || (0..i64::from(VALUES)).map(|it| Value::Long(it * 7919 % 6397));
        assert!(told(&|| drop(Elements::of(shuffled().collect()))) >= 90);
    }
}
