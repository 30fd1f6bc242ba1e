//! What came of an edition, for machines.

use serde_json::{Value, json};

use crate::authz::{Subject, Verdict, Why};

use super::Done;

/// Everything that was proved, and what was not.
pub(super) fn edition(done: &Done<'_>) -> Value {
    let results = done.report.results.iter().map(|result| {
        json!({
            "subject": subject(&result.subject),
            "shape": result.shape,
            "verdict": verdict(&result.verdict),
        })
    });
    let dead = done.report.dead.iter().map(|dead| {
        json!({
            "policy": dead.policy, "file": dead.file, "line": dead.line,
            "meant": dead.meant, "why": why(&dead.why),
        })
    });
    let assumptions = done.proofs.assumptions().into_iter();
    let assumptions = assumptions.map(|(name, says)| json!({"name": name, "says": says}));
    let invariants = done.proofs.invariants(&done.report).into_iter();
    let invariants = invariants.map(|it| {
        json!({
            "name": it.name, "says": it.says, "proved": it.proved,
            "open": it.open.iter().map(|(shape, open)| {
                json!({"shape": shape, "verdict": verdict(open)})
            }).collect::<Vec<_>>(),
        })
    });
    json!({
        "edition": done.name,
        "claims": done.claims,
        "seconds": done.took.as_secs_f64(),
        "assumptions": assumptions.collect::<Vec<_>>(),
        "results": results.collect::<Vec<_>>(),
        "invariants": invariants.collect::<Vec<_>>(),
        "dead": dead.collect::<Vec<_>>(),
        "undecided": done.undecided,
    })
}

fn subject(subject: &Subject) -> Value {
    match subject {
        Subject::Assumption(name) => json!({"kind": "assumption", "name": name}),
        Subject::Cell(cell) => json!({
            "kind": "cell", "row_id": cell.row_id, "crud": cell.crud, "role": cell.role,
            "action": cell.action, "resource_type": cell.resource_type, "scope": cell.scope,
        }),
        Subject::Column(role) => json!({"kind": "column", "role": role}),
        Subject::Data => json!({"kind": "data"}),
        Subject::Errors(id) => json!({"kind": "errors", "statement": id}),
        Subject::Invariants(names) => json!({"kind": "invariants", "names": names}),
        Subject::Narrower => json!({"kind": "narrower"}),
        Subject::Wider => json!({"kind": "wider"}),
    }
}

fn verdict(verdict: &Verdict) -> Value {
    match verdict {
        Verdict::Proved => json!({"state": "proved"}),
        Verdict::Refuted(example) => json!({
            "state": "refuted",
            "summary": example.summary,
            // It was written as JSON.
            "question": serde_json::from_str::<Value>(&example.question).unwrap_or_default(),
            "decision": if example.allowed { "allow" } else { "deny" },
            "policies": example.policies,
            "failing_forbids": example.failing,
        }),
        Verdict::Unknown(why) => json!({"state": "unknown", "why": why}),
    }
}

fn why(why: &Why) -> Value {
    match why {
        Why::Contradicted(by) => json!({"contradicted_by": by}),
        Why::Implied(by) => json!({"implied_by": by}),
        Why::NeverMatches => json!("never_matches"),
        Why::NothingToForbid => json!("nothing_to_forbid"),
    }
}
