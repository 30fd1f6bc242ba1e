//! What each cell of the table must be, for every action, type and column there is.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::RequestEnv;

use crate::authz::{Finding, Kind, Snapshot, SourceFile, Table, finding, schema::label};

use super::{Cell, claim::shape, statements::Statements};

/// The cell in which nothing is permitted.
const NEVER: &str = "never";

/// Cells with the shapes of the requests they are about, in the order they are told.
#[derive(Debug, Default)]
pub(super) struct Cells {
    cells: Vec<(Cell, RequestEnv)>,
}

impl Cells {
    /// Reads the tables beside the policies and those of the spec, which are about what has no row.
    pub(super) fn read(
        snapshot: &Snapshot,
        envs: &[RequestEnv],
        statements: &Statements,
        findings: &mut Vec<Finding>,
    ) -> Self {
        let of_spec = snapshot.spec.iter().filter(|it| it.name.ends_with(".csv"));
        let of_spec: Vec<SourceFile> = of_spec.cloned().collect();
        let mut cells = Vec::new();
        for files in [&snapshot.tables, &of_spec] {
            match Table::read(files, None) {
                Ok(table) => cells.extend(table.cells()),
                Err(rejection) => findings.extend(rejection.findings().iter().cloned()),
            }
        }
        let placed = cells.into_iter().map(|cell| {
            let of_cell = |env: &&RequestEnv| {
                label(env.action()) == cell.action
                    && env.resource().to_string() == cell.resource_type
            };
            let envs: Vec<RequestEnv> = envs.iter().filter(of_cell).cloned().collect();
            check(&cell, &envs, statements).map(|()| (cell, envs))
        });
        let placed = finding::sifted(placed, findings);
        let cells = placed.into_iter().flat_map(|(cell, envs)| {
            let one = move |env| (cell.clone(), env);
            envs.into_iter().map(one)
        });
        let cells = Self {
            cells: cells.collect(),
        };
        cells.complete(envs, &statements.roles(), findings);
        cells
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &(Cell, RequestEnv)> {
        self.cells.iter()
    }

    /// A table that is silent about a question proves nothing of it.
    fn complete(&self, envs: &[RequestEnv], roles: &[String], findings: &mut Vec<Finding>) {
        let mut said: BTreeMap<&RequestEnv, BTreeSet<&str>> = BTreeMap::new();
        for (cell, env) in self.iter() {
            said.entry(env).or_default().insert(&cell.role);
        }
        let none = BTreeSet::new();
        let silent = envs.iter().flat_map(|env| {
            let said = said.get(env).unwrap_or(&none);
            let silent = roles.iter().filter(|role| !said.contains(role.as_str()));
            silent.map(move |role| format!("no table says what {role} is to get: {}", shape(env)))
        });
        findings.extend(finding::told(silent, |message| {
            let finding = Finding::error(Kind::Proof, "", message);
            finding.help("add the cell to a table of the spec (`*.csv`)")
        }));
    }
}

/// Whether something can be proved of a cell.
fn check(cell: &Cell, envs: &[RequestEnv], statements: &Statements) -> Result<(), Finding> {
    let wrong = |message: String| Err(Finding::error(Kind::Proof, "", message));
    let Cell {
        role,
        action,
        resource_type,
        scope,
        ..
    } = cell;
    if envs.is_empty() {
        return wrong(format!(
            "{cell}: `{action}` does not apply to `{resource_type}`"
        ));
    }
    for env in envs {
        if !statements.has_role(env, role) {
            return wrong(format!("{cell}: the spec has no `@role(\"{role}\")`"));
        }
        if scope != NEVER && !statements.defines(env, scope) {
            let shape = shape(env);
            return wrong(format!(
                "{cell}: the spec does not say what `{scope}` means: {shape}"
            ));
        }
    }
    Ok(())
}
