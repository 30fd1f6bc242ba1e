//! The steps of work that may be long, told to whoever runs it: the core itself has no clock.

use std::cell::Cell;

/// Steps between two tellings; so many short values are read in a microsecond or two.
const STEPS: u32 = 64;

thread_local! {
    static LEFT: Cell<u32> = const { Cell::new(STEPS) };
    static TOLD: Cell<Option<fn()>> = const { Cell::new(None) };
}

/// Whoever was told before is told again once this is dropped.
struct Told(Option<fn()>);

/// Does the work, and calls `told` now and then meanwhile, on this thread.
pub fn telling<T>(told: fn(), work: impl FnOnce() -> T) -> T {
    let _before = Told(TOLD.replace(Some(told)));
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
        TOLD.set(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authz::{
        Json, RawAction, RawEntity, RawQuery, Snapshot, SourceFile, Sources,
        symbols::Symbols,
        value::{Elements, Fields, Value},
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
    fn the_steps_of_the_outer_work_are_told_after_the_inner_one() {
        telling(count, || {
            telling(|| {}, || {});
            (0..=STEPS).for_each(|_| step());
        });
        assert!(CALLS.get() > 0);
    }

    /// How often it is told while this is done.
    fn told(work: impl FnOnce()) -> u32 {
        let before = CALLS.get();
        telling(count, work);
        CALLS.get() - before
    }

    const VALUES: u32 = 100 * STEPS;
    /// A tell for each `STEPS` values, but for the first and the last.
    const EACH: u32 = 90;

    fn list() -> String {
        format!("[{}]", vec!["1"; VALUES as usize].join(","))
    }

    fn object() -> String {
        let pairs: Vec<String> = (0..VALUES).map(|it| format!(r#""k{it}":1"#)).collect();
        format!("{{{}}}", pairs.join(","))
    }

    #[test]
    fn to_read_and_to_sort_many_values_is_many_steps() {
        for text in [list(), object()] {
            let parsed = told(|| drop(Json::parse(text.as_bytes(), 1).unwrap()));
            assert!(parsed >= EACH, "{parsed}");
            let json = Json::parse(text.as_bytes(), 1).unwrap();
            assert!(told(|| assert!(json.values() > VALUES as usize)) >= EACH);
            assert!(told(|| drop(json.to_value())) >= EACH);
        }
        let shuffled = || (0..VALUES).map(|it| it * 7919 % 6397);
        // A sort compares each of them more than a few times.
        let values = shuffled().map(|it| Value::Long(i64::from(it))).collect();
        assert!(told(|| drop(Elements::of(values))) >= 5 * EACH);
        let mut symbols = Symbols::default();
        let names: Vec<_> = (0..VALUES)
            .map(|it| symbols.name(&format!("k{it}")))
            .collect();
        let fields = shuffled().map(|it| (names[it as usize], Value::Bool(true)));
        let fields = fields.collect();
        assert!(told(|| drop(Fields::of(fields))) >= 5 * EACH);
    }

    #[test]
    fn a_question_of_many_values_is_many_steps_wherever_they_are() {
        const SCHEMA: &str = "entity D; action declared appliesTo
            {principal: D, resource: D, context: {list?: Set<Long>, object?: {}}};";
        let file = |name: &str, text: &str| SourceFile {
            name: name.to_owned(),
            bytes: text.into(),
        };
        for schema in [None, Some(file("schema.cedarschema", SCHEMA))] {
            let sources = Sources {
                policies: vec![file("one.cedar", "permit (principal, action, resource);")],
                schema,
                ..Sources::default()
            };
            let snapshot = Snapshot::compile(&sources).unwrap();
            let (list, object) = (list(), object());
            for context in [
                format!(r#"{{"list":{list}}}"#),
                format!(r#"{{"object":{object}}}"#),
                object.clone(),
            ] {
                let json = Json::parse(context.as_bytes(), 3).unwrap();
                let entity = RawEntity {
                    type_name: "D",
                    id: "d",
                    properties: None,
                };
                let raw = RawQuery {
                    principal: entity,
                    action: RawAction {
                        name: "declared",
                        properties: None,
                    },
                    resource: entity,
                    context: json.as_object(),
                };
                let asked = told(|| drop(snapshot.query(&raw)));
                assert!(asked >= EACH, "{asked}: {}", &context[..30]);
            }
        }
    }
}
