//! What text and Markdown say alike.

use serde_json::Value;

use crate::authz::{
    Answer, CellChange, CellWord, Difference, Direction, Outcome, PolicyChange, PolicyText,
    Presence, ShapeChange,
};

use super::{Places, Told};

/// `1 policy`, `2 policies`.
pub(super) fn count(number: usize, one: &str, many: &str) -> String {
    let what = if number == 1 { one } else { many };
    format!("{number} {what}")
}

/// What changed, in a line.
pub(super) fn summary(told: &Told) -> String {
    let states = ["wider", "narrower", "both", "unknown"];
    let counted = states.map(|state| (told.count(state), state)).into_iter();
    let counted = counted.filter(|(count, _)| *count > 0);
    let mut parts: Vec<String> = counted
        .map(|(count, state)| format!("{count} {state}"))
        .collect();
    if parts.is_empty() {
        parts.push("no decision changes".to_owned());
    }
    format!(
        "{} of {}; {}, {}",
        parts.join(", "),
        count(told.shapes.len(), "kind of question", "kinds of questions"),
        count(told.cells.len(), "cell", "cells"),
        count(told.policies.len(), "policy", "policies"),
    )
}

/// What must be known to read the rest.
pub(super) fn note(told: &Told) -> Option<&'static str> {
    let note = "the schemas differ: the policies before are read under the schema after";
    (!told.one_schema).then_some(note)
}

/// Whether principals are of several types, so that theirs has to be told.
pub(super) fn has_several(told: &Told) -> bool {
    let mut kinds: Vec<&str> = told
        .shapes
        .iter()
        .map(|it| it.principal_type.as_str())
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds.len() > 1
}

/// What is said of a shape that only one schema has.
pub(super) fn presence(shape: &ShapeChange) -> Option<&'static str> {
    match shape.presence {
        Presence::Added => Some("added to the schema"),
        Presence::Both => None,
        Presence::Removed => Some("removed from the schema"),
    }
}

/// The shapes of which there is something to tell.
pub(super) fn shapes(told: &Told) -> impl Iterator<Item = &ShapeChange> {
    let silent = |it: &&ShapeChange| it.state() != "unchanged" || it.presence != Presence::Both;
    told.shapes.iter().filter(silent)
}

/// How names are written.
#[derive(Clone, Copy)]
pub(super) struct Style {
    /// Of entities and actions.
    pub(super) uid: fn(&str) -> String,
    /// Of policies.
    pub(super) policy: fn(&str) -> String,
    /// Of files, with a line.
    pub(super) place: fn(&str) -> String,
}

/// What became of a question, as a sentence.
pub(super) fn sentence(
    difference: &Difference,
    action: &str,
    [old, new]: &[Places; 2],
    style: Style,
) -> String {
    // It was written as JSON.
    let question: Value = serde_json::from_str(&difference.question).unwrap_or_default();
    let part = |key: &str| {
        let uid = question.get(key).and_then(Value::as_str);
        (style.uid)(uid.unwrap_or_default())
    };
    let may = match difference.direction {
        Direction::Narrower => "may no longer",
        Direction::Wider => "may now",
    };
    format!(
        "{} {may} {} {}: {}, was {}",
        part("principal"),
        (style.uid)(action),
        part("resource"),
        decided(&difference.after, new, style),
        decided(&difference.before, old, style),
    )
}

/// What was decided, and by which policies.
fn decided(answer: &Answer, places: &Places, style: Style) -> String {
    let named = |id: &String| match places.get(id) {
        Some(place) => format!("{} ({})", (style.policy)(id), (style.place)(place)),
        None => (style.policy)(id),
    };
    let list =
        |ids: &mut dyn Iterator<Item = &String>| ids.map(named).collect::<Vec<_>>().join(", ");
    let by = list(&mut answer.policies.iter());
    match answer.outcome {
        Outcome::Error => {
            let failing = list(&mut answer.errors.iter().map(|it| &it.policy));
            format!("denied, as {failing} fails")
        }
        Outcome::Forbidden => format!("denied by {by}"),
        Outcome::NotPermitted => "denied".to_owned(),
        Outcome::Permitted => format!("allowed by {by}"),
    }
}

/// How many policies are named for one shape: an edit of more is no edit, and the list of all is at the
/// end.
const MAX_NAMED: usize = 5;

/// The policies that can matter to a shape and are not on both sides.
pub(super) fn policies(shape: &ShapeChange, style: Style) -> String {
    let named = shape
        .policies
        .iter()
        .take(MAX_NAMED)
        .map(|id| (style.policy)(id));
    let mut named: Vec<String> = named.collect();
    if let Some(more @ 1..) = shape.policies.len().checked_sub(MAX_NAMED) {
        named.push(format!("{more} more"));
    }
    named.join(", ")
}

/// Where a policy stands, or stood.
pub(super) fn place(change: &PolicyChange) -> String {
    let place = |it: &PolicyText| format!("{}:{}", it.info.file, it.info.line);
    let one = change.after.as_ref().or(change.before.as_ref());
    one.map(place).unwrap_or_default()
}

/// What a cell was and is; with what is nearest to it if no word says the difference.
pub(super) fn words(cell: &CellChange) -> [String; 2] {
    let word = |it: &Option<CellWord>| it.as_ref().map(|it| it.word.clone());
    let alike = word(&cell.before) == word(&cell.after);
    [&cell.before, &cell.after].map(|it| match it {
        None => "no such cell".to_owned(),
        Some(CellWord {
            word,
            note: Some(note),
        }) if alike => format!("{word} ({note})"),
        Some(said) => said.word.clone(),
    })
}

/// The question as it is to be read: one entity a line.
pub(super) fn question(text: &str) -> String {
    // It was written as JSON.
    let mut json: Value = serde_json::from_str(text).unwrap_or_default();
    let entities = json
        .as_object_mut()
        .and_then(|it| it.remove("entities"))
        .unwrap_or_default();
    let lines = entities
        .as_array()
        .into_iter()
        .flatten()
        .map(|it| format!("    {it}"));
    let lines: Vec<String> = lines.collect();
    let parts = json.as_object().into_iter().flatten();
    let parts: String = parts
        .map(|(key, value)| format!("  {}: {value},\n", Value::from(key.as_str())))
        .collect();
    format!(
        "{{\n{parts}  \"entities\": [\n{}\n  ]\n}}",
        lines.join(",\n")
    )
}

/// Where a cell is: the row, the letter, the column.
pub(super) fn cell(cell: &CellChange) -> String {
    let crud = if cell.crud.is_empty() {
        String::new()
    } else {
        format!(" {}", cell.crud)
    };
    format!("{}{crud} {}", cell.row_id, cell.role)
}

/// That an edited policy decides nothing, and why.
pub(super) fn dead(told: &Told, change: &PolicyChange) -> String {
    let why = told.dead.get(change.id());
    why.map_or_else(String::new, |why| format!(": decides nothing, {why}"))
}
