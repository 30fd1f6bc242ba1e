//! What changed, for machines: all shapes, also those in which nothing did.

use serde_json::{Value, json};

use crate::authz::{
    Answer, CellChange, CellWord, Difference, PolicyChange, PolicyText, Presence, ShapeChange,
};

use super::{Direction, Told};

/// Everything.
pub(super) fn told(told: &Told) -> Value {
    let of = |direction| told.shapes.iter().any(|it: &ShapeChange| it.is(direction));
    json!({
        "edition": told.edition,
        "old": told.old,
        "new": told.new,
        "wider": of(Direction::Wider),
        "narrower": of(Direction::Narrower),
        "unknown": told.shapes.iter().any(|it| !it.unknown.is_empty()),
        "one_schema": told.one_schema,
        "claims": told.claims,
        "seconds": told.took.as_secs_f64(),
        "shapes": told.shapes.iter().map(shape).collect::<Vec<_>>(),
        "cells": told.cells.iter().map(cell).collect::<Vec<_>>(),
        "policies": told.policies.iter().map(|it| policy(told, it)).collect::<Vec<_>>(),
    })
}

fn shape(shape: &ShapeChange) -> Value {
    json!({
        "principal_type": shape.principal_type,
        "action": shape.action,
        "resource_type": shape.resource_type,
        "state": shape.state(),
        "schema": match shape.presence {
            Presence::Added => "added",
            Presence::Both => "both",
            Presence::Removed => "removed",
        },
        "differences": shape.differences.iter().map(difference).collect::<Vec<_>>(),
        "unknown": shape.unknown,
        "policies": shape.policies,
    })
}

fn difference(difference: &Difference) -> Value {
    json!({
        "direction": difference.direction.as_str(),
        "summary": difference.summary,
        // It was written as JSON.
        "question": serde_json::from_str::<Value>(&difference.question).unwrap_or_default(),
        "before": answer(&difference.before),
        "after": answer(&difference.after),
    })
}

fn answer(answer: &Answer) -> Value {
    let errors = answer.errors.iter();
    let errors = errors.map(|it| json!({"policy": it.policy, "message": it.message}));
    json!({
        "decision": answer.decision().as_str(),
        "outcome": answer.outcome.as_str(),
        "policies": answer.policies,
        "errors": errors.collect::<Vec<_>>(),
        "diagnostics": answer.diagnostics,
    })
}

fn cell(cell: &CellChange) -> Value {
    json!({
        "row_id": cell.row_id,
        "row_label": cell.row_label,
        "crud": cell.crud,
        "role": cell.role,
        "action": cell.action,
        "before": cell.before.as_ref().map(word),
        "after": cell.after.as_ref().map(word),
    })
}

fn word(word: &CellWord) -> Value {
    json!({"word": word.word, "note": word.note})
}

fn policy(told: &Told, change: &PolicyChange) -> Value {
    let side =
        |it: &PolicyText| json!({"file": it.info.file, "line": it.info.line, "text": it.text});
    json!({
        "change": change.as_str(),
        "id": change.id(),
        "decides_nothing": told.dead.get(change.id()),
        "before": change.before.as_ref().map(side),
        "after": change.after.as_ref().map(side),
    })
}
