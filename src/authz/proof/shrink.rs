//! Makes a counterexample small and readable: whatever can be left out without its ceasing to be one
//! is, and what is left gets names.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::question::{Name, Question};

/// How many smaller questions are tried. Each takes some 50 µs.
const MAX_TRIES: usize = 2_000;

/// Tries questions.
struct Shrinking<'h> {
    best: Question,
    holds: &'h dyn Fn(&Question) -> bool,
    left: usize,
}

/// The smallest question found of which `holds` is true; it must be true of this one.
pub(super) fn shrink(question: Question, holds: &dyn Fn(&Question) -> bool) -> Question {
    let mut shrinking = Shrinking {
        best: question,
        holds,
        left: MAX_TRIES,
    };
    loop {
        let before = shrinking.best.clone();
        shrinking.drop_entities();
        shrinking.merge();
        shrinking.drop_parts();
        if shrinking.best == before || shrinking.left == 0 {
            break;
        }
    }
    shrinking.name();
    shrinking.best
}

impl Shrinking<'_> {
    fn attempt(&mut self, smaller: Question) {
        if self.left > 0 && smaller != self.best {
            self.left -= 1;
            if (self.holds)(&smaller) {
                self.best = smaller;
            }
        }
    }

    fn drop_entities(&mut self) {
        for name in self.names() {
            if self.left == 0 {
                return;
            }
            let mut smaller = self.best.clone();
            smaller.entities.remove(&name);
            self.attempt(smaller);
        }
    }

    /// Lets one entity stand for two. The principal stays who it is, so that no relation to it is
    /// invented.
    fn merge(&mut self) {
        for from in self.names() {
            for to in self.names() {
                if self.left == 0 {
                    return;
                }
                let keeps = [&self.best.principal, &self.best.resource];
                if from.0 == to.0 && !keeps.contains(&&from) && to != self.best.principal {
                    self.attempt(self.best.renamed(&from, &to));
                }
            }
        }
    }

    fn drop_parts(&mut self) {
        for name in self.names() {
            let entity = self.best.entities.get(&name).cloned();
            let Some(entity) = entity.filter(|_| self.left > 0) else {
                continue;
            };
            for parent in &entity.parents {
                self.attempt_with(&name, |entity| {
                    entity.parents.remove(parent);
                });
            }
            for key in entity.attributes.keys() {
                self.attempt_with(&name, |entity| {
                    entity.attributes.remove(key);
                });
            }
            for key in entity.tags.keys() {
                self.attempt_with(&name, |entity| {
                    entity.tags.remove(key);
                });
            }
            // Of what is left by now.
            let left = self.best.entities.get(&name);
            let paths = left.map(|it| paths(&it.attributes));
            for (path, simpler) in paths.into_iter().flatten() {
                self.attempt_with(&name, |entity| put(&mut entity.attributes, &path, &simpler));
            }
        }
        for key in self.best.context.clone().keys() {
            let mut smaller = self.best.clone();
            smaller.context.remove(key);
            self.attempt(smaller);
        }
        for (path, simpler) in paths(&self.best.context) {
            let mut smaller = self.best.clone();
            put(&mut smaller.context, &path, &simpler);
            self.attempt(smaller);
        }
    }

    fn attempt_with(&mut self, name: &Name, change: impl FnOnce(&mut super::question::Entity)) {
        let mut smaller = self.best.clone();
        if let Some(entity) = smaller.entities.get_mut(name) {
            change(entity);
        }
        self.attempt(smaller);
    }

    /// Gives entities ids that say what they are; an id that a policy names stays.
    fn name(&mut self) {
        let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
        for name in self.best.names() {
            let id = if name == self.best.principal {
                "principal".to_owned()
            } else if name == self.best.resource {
                "resource".to_owned()
            } else {
                let kind = name
                    .0
                    .rsplit("::")
                    .next()
                    .unwrap_or_default()
                    .to_lowercase();
                let number = numbers.entry(kind.clone()).or_default();
                *number += 1;
                format!("{kind}-{number}")
            };
            let to = (name.0.clone(), id);
            // Two must not become one by having the same name.
            if !self.best.names().contains(&to) {
                self.left += 1;
                self.attempt(self.best.renamed(&name, &to));
            }
        }
    }

    fn names(&self) -> Vec<Name> {
        self.best.entities.keys().cloned().collect()
    }
}

/// Where simpler values could stand, and which.
fn paths(record: &Map<String, Value>) -> Vec<(Vec<String>, Value)> {
    let mut paths = Vec::new();
    for (key, value) in record {
        let here = vec![key.clone()];
        match value {
            Value::Array(items) => {
                paths.push((here.clone(), Value::Array(Vec::new())));
                for skipped in 0..items.len() {
                    let kept = items.iter().enumerate();
                    let kept = kept.filter(|(at, _)| *at != skipped);
                    let kept = kept.map(|(_, item)| item.clone()).collect();
                    paths.push((here.clone(), Value::Array(kept)));
                }
            }
            Value::Number(number) if number.as_i64() != Some(0) => {
                // The simplest that will do is tried last.
                let number = number.as_i64().unwrap_or_default();
                let near = if number.abs() > 16 {
                    number / 2
                } else {
                    number - number.signum()
                };
                let simpler = [near, 1, 0].into_iter().map(Value::from);
                let simpler = simpler.filter(|it| it != value);
                paths.extend(simpler.map(|it| (here.clone(), it)));
            }
            Value::Object(inner) if !inner.contains_key("__entity") => {
                let inner = self::paths(inner).into_iter();
                paths.extend(inner.map(|(path, it)| ([here.clone(), path].concat(), it)));
            }
            Value::String(_) => paths.push((here, "".into())),
            Value::Bool(_) | Value::Null | Value::Number(_) | Value::Object(_) => {}
        }
    }
    paths
}

fn put(record: &mut Map<String, Value>, path: &[String], value: &Value) {
    match path {
        [] => {}
        [key] => {
            record.insert(key.clone(), value.clone());
        }
        [key, rest @ ..] => {
            if let Some(Value::Object(inner)) = record.get_mut(key) {
                put(inner, rest, value);
            }
        }
    }
}
