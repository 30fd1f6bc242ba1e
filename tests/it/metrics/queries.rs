//! What alerts and the dashboard ask for, held against the first scrape: what is not there then
//! is a panel without data and an alert that cannot fire.

use serde_json::Value;

use super::{
    exposition::{Exposition, Labels},
    first_scrape,
};

/// What Prometheus itself adds to every series.
const OF_TARGETS: [&str; 2] = ["instance", "job"];

/// `name{label="value",…}` in a query.
#[derive(Debug)]
struct Selector<'q> {
    name: &'q str,
    /// Label, operator, values.
    matchers: Vec<(&'q str, &'q str, Vec<&'q str>)>,
}

#[test]
fn whatever_alerts_and_panels_ask_for_is_in_the_first_scrape() {
    let scrape = Exposition::of(&first_scrape());
    let mut asked = 0;
    for query in alerts().into_iter().chain(panels()) {
        for selector in selectors(&query) {
            selector.check(&scrape, &query);
            asked += 1;
        }
    }
    assert!(asked > 60, "{asked}");
}

fn read(name: &str) -> String {
    std::fs::read_to_string(format!("{}/deploy/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The lines of all expressions.
fn alerts() -> Vec<String> {
    let rules = read("prometheus/palisade.rules.yml");
    let lines = rules.lines().filter(|line| {
        let is_text = ["summary:", "description:", "#"];
        !is_text.iter().any(|it| line.trim_start().starts_with(it))
    });
    lines.map(ToOwned::to_owned).collect()
}

/// Every `expr` and every query of a variable, wherever it stands.
fn panels() -> Vec<String> {
    fn collect(value: &Value, queries: &mut Vec<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|it| collect(it, queries)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    match value.as_str() {
                        Some(text) if matches!(name.as_str(), "expr" | "query") => {
                            queries.push(text.to_owned());
                        }
                        _ => collect(value, queries),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut queries = Vec::new();
    collect(
        &serde_json::from_str(&read("grafana/palisade.json")).unwrap(),
        &mut queries,
    );
    queries
}

/// Every selector of a family of ours or of the process.
fn selectors(query: &str) -> Vec<Selector<'_>> {
    let is_of_name = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == ':';
    let mut found = Vec::new();
    let mut rest = query;
    while let Some(start) = rest.find(is_of_name) {
        let (name, after) = split(&rest[start..], is_of_name);
        rest = after;
        if !name.starts_with("palisade_") && !name.starts_with("process_") {
            continue;
        }
        let braces = rest.strip_prefix('{').and_then(|it| it.split_once('}'));
        let matchers = braces.map_or("", |(matchers, _)| matchers);
        found.push(Selector {
            name,
            matchers: matchers.split_terminator(',').map(matcher).collect(),
        });
        rest = braces.map_or(rest, |(_, after)| after);
    }
    found
}

fn split(text: &str, is_in: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|it| !is_in(it)).unwrap_or(text.len()))
}

fn matcher(text: &str) -> (&str, &str, Vec<&str>) {
    let (label, rest) = split(text.trim(), |it| it.is_ascii_alphanumeric() || it == '_');
    let (operator, value) = rest.split_at(rest.find('"').unwrap());
    (
        label,
        operator,
        value.trim_matches('"').split('|').collect(),
    )
}

impl Selector<'_> {
    /// Every value that it names, each alternative for itself, belongs to some series.
    #[track_caller]
    fn check(&self, scrape: &Exposition, query: &str) {
        let name = self.name;
        let family = scrape.family(name);
        let family = family.unwrap_or_else(|| panic!("there is no {name}, asked for by: {query}"));
        for (label, operator, values) in &self.matchers {
            if OF_TARGETS.contains(label) {
                continue;
            }
            let has = |series: &Labels, value| series.get(*label).is_some_and(|it| it == value);
            for value in values {
                assert!(
                    family.series.iter().any(|it| has(it, value)),
                    "no {name} has {label}{operator}{value}, asked for by: {query}"
                );
            }
        }
    }
}
