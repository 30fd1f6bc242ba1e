//! `/v1/matrix`: the permission table with what is behind each cell.

use std::collections::{BTreeMap, BTreeSet};

use hyper::StatusCode;
use serde::Serialize;

use crate::{
    api::{
        computed::{Against, CellOf, Computed, Question},
        reply::{self, Reply},
    },
    authz::{Line, Snapshot},
};

use super::pages::FindingLine;

/// The whole page.
pub(super) fn matrix(computed: &Computed<'_>) -> Reply {
    let named: BTreeSet<&str> = computed
        .cells()
        .flat_map(|cell| cell.detail.permits.iter().chain(&cell.detail.forbids))
        .map(String::as_str)
        .collect();
    let body = MatrixPage {
        revision: computed.snapshot.revision().as_str(),
        roles: &computed.matrix.roles,
        lines: computed.matrix.lines.iter().map(LineOut::of).collect(),
        words: computed.words().collect(),
        rulings: computed.rulings(),
        policies: policies(computed.snapshot, &named),
        cells: computed.cells().map(CellOut::of).collect(),
        against: computed
            .against
            .as_ref()
            .map(|it| AgainstOut::of(it, computed)),
    };
    reply::json(StatusCode::OK, &body)
}

fn policies<'s>(
    snapshot: &'s Snapshot,
    named: &BTreeSet<&str>,
) -> BTreeMap<&'s str, PolicyOut<'s>> {
    let infos = snapshot.policies().iter();
    let named = infos.filter(|info| named.contains(info.id.as_str()));
    let policy = named.map(|info| {
        let policy = PolicyOut {
            effect: info.effect,
            file: &info.file,
            line: info.line,
            text: snapshot.policy_text(&info.id),
        };
        (info.id.as_str(), policy)
    });
    policy.collect()
}

#[derive(Serialize)]
struct MatrixPage<'a> {
    revision: &'a str,
    roles: &'a [String],
    lines: Vec<LineOut<'a>>,
    /// What the words that are used mean.
    words: BTreeMap<&'a str, Option<&'a str>>,
    rulings: BTreeMap<&'a str, Option<&'a str>>,
    /// Those that `cells` name, by id.
    policies: BTreeMap<&'a str, PolicyOut<'a>>,
    /// One for each line.
    cells: Vec<CellOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<AgainstOut<'a>>,
}

#[derive(Serialize)]
struct LineOut<'a> {
    row_id: &'a str,
    section: &'a str,
    row_label: &'a str,
    role: &'a str,
    crud: &'a str,
    cedar_action: &'a str,
    resource_type: &'a str,
    scope: &'a str,
    rulings: &'a [String],
    note: Option<&'a str>,
}

#[derive(Serialize)]
struct PolicyOut<'a> {
    effect: &'static str,
    file: &'a str,
    line: usize,
    text: Option<String>,
}

#[derive(Serialize)]
struct CellOut<'a> {
    row_id: &'a str,
    crud: &'a str,
    role: &'a str,
    state: &'static str,
    state_note: Option<&'a str>,
    printed: Option<PrintedOut<'a>>,
    rulings: &'a [String],
    permits: &'a [String],
    forbids: &'a [String],
    specification: Vec<DefinitionOut<'a>>,
    guards: &'a [String],
    examples: Examples<'a>,
}

#[derive(Serialize)]
struct PrintedOut<'a> {
    cell: &'a str,
    seed_ref: &'a str,
}

#[derive(Serialize)]
struct DefinitionOut<'a> {
    file: &'a str,
    line: usize,
    text: &'a str,
}

/// Questions about the spec's world, as `POST /v1/explain` takes them.
#[derive(Serialize)]
struct Examples<'a> {
    permitted: Option<Question<'a>>,
    denied: Option<Question<'a>>,
}

#[derive(Serialize)]
struct AgainstOut<'a> {
    name: &'a str,
    /// `null` if it cannot be in force.
    revision: Option<&'a str>,
    changes: Vec<ChangeOut<'a>>,
    findings: Vec<FindingLine<'a>>,
}

#[derive(Serialize)]
struct ChangeOut<'a> {
    row_id: &'a str,
    crud: &'a str,
    role: &'a str,
    from: &'a str,
    to: &'a str,
}

impl<'a> LineOut<'a> {
    fn of(line: &'a Line) -> Self {
        Self {
            row_id: &line.row_id,
            section: &line.section,
            row_label: &line.row_label,
            role: &line.role,
            crud: &line.crud,
            cedar_action: &line.cedar_action,
            resource_type: &line.resource_type,
            scope: &line.scope,
            rulings: &line.rulings,
            note: line.note.as_deref(),
        }
    }
}

impl<'a> CellOut<'a> {
    fn of(cell: CellOf<'a>) -> Self {
        let detail = cell.detail;
        let definitions = detail.definitions.iter();
        Self {
            row_id: &cell.line.row_id,
            crud: &cell.line.crud,
            role: &cell.line.role,
            state: cell.standing.as_str(),
            state_note: cell.note,
            printed: detail.printed.as_ref().map(|it| PrintedOut {
                cell: &it.cell,
                seed_ref: &it.seed_ref,
            }),
            rulings: &detail.rulings,
            permits: &detail.permits,
            forbids: &detail.forbids,
            specification: definitions
                .map(|it| DefinitionOut {
                    file: &it.file,
                    line: it.line,
                    text: &it.text,
                })
                .collect(),
            guards: &detail.guards,
            examples: Examples {
                permitted: detail.permitted.as_ref().map(Question::of),
                denied: detail.denied.as_ref().map(Question::of),
            },
        }
    }
}

impl<'a> AgainstOut<'a> {
    fn of(against: &'a Against, computed: &'a Computed<'_>) -> Self {
        let change = |cell: CellOf<'a>| {
            Some(ChangeOut {
                row_id: &cell.line.row_id,
                crud: &cell.line.crud,
                role: &cell.line.role,
                from: &cell.line.scope,
                to: &cell.next?.scope,
            })
        };
        let outcome = against.outcome.as_ref();
        let findings = outcome.err().map_or(&[][..], |it| it.findings());
        Self {
            name: &against.name,
            revision: outcome.ok().map(|(revision, _)| revision.as_str()),
            changes: computed.cells().filter_map(change).collect(),
            findings: findings.iter().map(FindingLine::of).collect(),
        }
    }
}
