//! How large a schema becomes once its names are followed, told before Cedar follows them.
//!
//! Cedar writes every common type out where it is named, recursively: a chain of them is as deep
//! as brackets would be, and twenty lines of `type A = {a: B, b: B};` come to a million types.
//! Types and actions get everything above them, which grows with the square of a chain.

use std::collections::HashMap;

use serde_json::Value;

use crate::authz::{Finding, Kind, SourceFile};

/// How deep types may nest, common types written out: as deep as brackets may.
const MAX_DEPTH: usize = 128;

/// How many types there may be, common types written out wherever they are named. The schema that
/// ships has some hundreds; each takes up to 500 bytes for Cedar and as much for our tables.
const MAX_TYPES: usize = 100_000;

/// How often a parent may be met above all entity types, or all actions, together: a chain of
/// 1,400, or ten thousand actions with a hundred groups. A million take Cedar about a second.
const MAX_ABOVE: usize = 1_000_000;

/// How many combinations of principal type, action and resource type there may be. Validation
/// looks at every policy in each that its scope allows.
const MAX_ENVIRONMENTS: usize = 100_000;

/// What to mend, and near which name.
type Excess = (String, String);

/// Refuses a schema, in Cedar's JSON format, that comes to more than is taken.
pub(super) fn check(file: &SourceFile, text: &str, json: &Value) -> Result<(), Vec<Finding>> {
    let excess = types(json).or_else(|| above(json));
    let Some((name, message)) = excess.or_else(|| environments(json)) else {
        return Ok(());
    };
    let finding = Finding::error(Kind::Validate, &file.name, message);
    Err(vec![match place(text, &name) {
        Some(offset) => finding.at(text, offset, name.len()),
        None => finding,
    }])
}

/// Where a name first stands as a whole word.
fn place(text: &str, name: &str) -> Option<usize> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = text.match_indices(name).map(|(offset, _)| offset);
    found.find(|offset| {
        let (before, rest) = text.split_at(*offset);
        let after = rest.strip_prefix(name).unwrap_or_default();
        !before.ends_with(is_part) && !after.starts_with(is_part)
    })
}

/// The entries of one section in every namespace, as (namespace, name, definition).
fn each<'j>(json: &'j Value, section: &str) -> Vec<(&'j str, &'j str, &'j Value)> {
    let mut all = Vec::new();
    for (namespace, definitions) in json.as_object().into_iter().flatten() {
        let entries = definitions.get(section).and_then(Value::as_object);
        for (name, definition) in entries.into_iter().flatten() {
            all.push((namespace.as_str(), name.as_str(), definition));
        }
    }
    all
}

/// Numbers by qualified name, asked by a name as it stands in a namespace.
struct Names(HashMap<String, usize>);

impl Names {
    fn of(entries: &[(&str, &str, &Value)]) -> Self {
        let numbered = entries.iter().enumerate();
        Self(
            numbered
                .map(|(n, (ns, name, _))| (qualified(ns, name), n))
                .collect(),
        )
    }

    fn find(&self, namespace: &str, name: &str) -> Option<usize> {
        let own = self.0.get(&qualified(namespace, name));
        own.or_else(|| self.0.get(name)).copied()
    }
}

fn qualified(namespace: &str, name: &str) -> String {
    if namespace.is_empty() {
        return name.to_owned();
    }
    format!("{namespace}::{name}")
}

/// One type as it is written.
#[derive(Default)]
struct Written {
    depth: usize,
    types: usize,
    /// Common types named in it, and how many types each stands in.
    names: Vec<(usize, usize)>,
}

impl Written {
    fn of(namespace: &str, declared: &Value, common: &Names) -> Self {
        let mut written = Self::default();
        let mut left = vec![(declared, 1)];
        while let Some((json, depth)) = left.pop() {
            written.types += 1;
            written.depth = written.depth.max(depth);
            let attributes = json.get("attributes").and_then(Value::as_object);
            left.extend(
                attributes
                    .into_iter()
                    .flatten()
                    .map(|(_, it)| (it, depth + 1)),
            );
            left.extend(json.get("element").map(|it| (it, depth + 1)));
            for key in ["name", "type"] {
                let name = json.get(key).and_then(Value::as_str);
                let named = name.and_then(|name| common.find(namespace, name));
                written.names.extend(named.map(|it| (it, depth - 1)));
            }
        }
        written
    }

    /// Its depth and types, those of the common types in it counted.
    fn whole(&self, known: &[Option<(usize, usize)>]) -> (usize, usize) {
        let start = (self.depth, self.types);
        self.names
            .iter()
            .fold(start, |(deepest, types), (named, depth)| {
                // A type that is not known yet is in a cycle, which Cedar refuses.
                let (inner, count) = known.get(*named).copied().flatten().unwrap_or_default();
                (deepest.max(depth + inner), types.saturating_add(count))
            })
    }
}

fn types(json: &Value) -> Option<Excess> {
    let common = each(json, "commonTypes");
    let names = Names::of(&common);
    let written: Vec<Written> = common
        .iter()
        .map(|(namespace, _, declared)| Written::of(namespace, declared, &names))
        .collect();
    let known = wholes(&written);
    let entities = each(json, "entityTypes")
        .into_iter()
        .flat_map(|(ns, name, it)| {
            let parts = [it.get("shape"), it.get("tags")];
            parts
                .into_iter()
                .flatten()
                .map(move |part| (ns, name, part))
        });
    let actions = each(json, "actions")
        .into_iter()
        .filter_map(|(ns, name, it)| Some((ns, name, it.get("appliesTo")?.get("context")?)));
    let mut total: usize = 0;
    for (namespace, name, declared) in common.iter().copied().chain(entities).chain(actions) {
        let (depth, count) = Written::of(namespace, declared, &names).whole(&known);
        total = total.saturating_add(count);
        let message = if depth > MAX_DEPTH {
            format!("`{name}` nests deeper than {MAX_DEPTH} levels, common types written out")
        } else if total > MAX_TYPES {
            format!("the schema has more than {MAX_TYPES} types, common types written out")
        } else {
            continue;
        };
        return Some((name.to_owned(), message));
    }
    None
}

/// Depth and types of each common type, without recursion.
fn wholes(written: &[Written]) -> Vec<Option<(usize, usize)>> {
    let mut known = vec![None; written.len()];
    let mut seen = vec![false; written.len()];
    for start in 0..written.len() {
        let mut stack = vec![start];
        while let Some(&number) = stack.last() {
            let Some((it, seen)) = written.get(number).zip(seen.get_mut(number)) else {
                break;
            };
            let is_known = |number: usize| known.get(number).is_none_or(Option::is_some);
            if is_known(number) {
                stack.pop();
            } else if *seen {
                let whole = it.whole(&known);
                if let Some(known) = known.get_mut(number) {
                    *known = Some(whole);
                }
                stack.pop();
            } else {
                *seen = true;
                let inner = it.names.iter().map(|(named, _)| *named);
                stack.extend(inner.filter(|named| !is_known(*named)));
            }
        }
    }
    known
}

fn above(json: &Value) -> Option<Excess> {
    let types = each(json, "entityTypes");
    let of_type = |it: &Value| {
        let names = it.get("memberOfTypes").and_then(Value::as_array);
        let names = names.into_iter().flatten().filter_map(Value::as_str);
        names.map(str::to_owned).collect::<Vec<_>>()
    };
    let actions = each(json, "actions");
    let of_action = |it: &Value| {
        let groups = it.get("memberOf").and_then(Value::as_array);
        let groups = groups.into_iter().flatten().filter_map(|group| {
            let id = group.get("id")?.as_str()?;
            let namespace = group.get("type").and_then(Value::as_str);
            let namespace = namespace.and_then(|name| name.strip_suffix("::Action"));
            Some(qualified(namespace.unwrap_or_default(), id))
        });
        groups.collect::<Vec<_>>()
    };
    let too_many = |what: &str, name: &str| {
        let message = format!("the {what} have more than {MAX_ABOVE} ancestors together");
        (name.to_owned(), message)
    };
    hierarchy(&types, of_type)
        .map(|name| too_many("entity types", name))
        .or_else(|| hierarchy(&actions, of_action).map(|name| too_many("actions", name)))
}

/// The name at which what is above all of them becomes too much. Cycles are walked once.
fn hierarchy<'j>(
    entries: &[(&'j str, &'j str, &'j Value)],
    parents: impl Fn(&Value) -> Vec<String>,
) -> Option<&'j str> {
    let names = Names::of(entries);
    let above: Vec<Vec<usize>> = entries
        .iter()
        .map(|(ns, _, it)| {
            parents(it)
                .iter()
                .filter_map(|name| names.find(ns, name))
                .collect()
        })
        .collect();
    let mut met_from = vec![usize::MAX; entries.len()];
    let mut steps = 0;
    for (start, (_, name, _)) in entries.iter().enumerate() {
        let mut stack = vec![start];
        while let Some(number) = stack.pop() {
            for parent in above.get(number).into_iter().flatten() {
                steps += 1;
                if let Some(met) = met_from.get_mut(*parent)
                    && *met != start
                {
                    *met = start;
                    stack.push(*parent);
                }
            }
            if steps > MAX_ABOVE {
                return Some(name);
            }
        }
    }
    None
}

fn environments(json: &Value) -> Option<Excess> {
    let mut total: usize = 0;
    for (_, name, action) in each(json, "actions") {
        let count = |key: &str| {
            let types = action.get("appliesTo").and_then(|it| it.get(key));
            types.and_then(Value::as_array).map_or(0, Vec::len)
        };
        let own = count("principalTypes").saturating_mul(count("resourceTypes"));
        total = total.saturating_add(own);
        if total > MAX_ENVIRONMENTS {
            let message = format!(
                "the actions apply to more than {MAX_ENVIRONMENTS} pairs of principal and resource types"
            );
            return Some((name.to_owned(), message));
        }
    }
    None
}
