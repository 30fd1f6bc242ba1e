//! The tables beside the policies, which the matrix must equal.

use crate::authz::{Finding, Kind, Snapshot, Sources, Table, finding};

use super::Rehearsal;

/// How many cells the tables say something of that can be asked.
pub(in crate::authz) fn count(sources: &Sources) -> usize {
    if sources.spec.is_empty() {
        return 0;
    }
    Table::read(&sources.tables, None).map_or(0, |table| table.len())
}

/// Compares what the tables say with what the policies decide. `go_on` is asked before each cell is
/// computed.
pub(super) fn rehearse(snapshot: &Snapshot, go_on: impl FnMut() -> bool) -> Rehearsal {
    let mut rehearsal = Rehearsal::default();
    let Some(first) = snapshot.tables.first() else {
        return rehearsal;
    };
    let table = match Table::read(&snapshot.tables, None) {
        Ok(table) => table,
        Err(rejection) => {
            rehearsal.findings = rejection.findings().to_vec();
            return rehearsal;
        }
    };
    match snapshot.matrix_while(go_on) {
        None => rehearsal.cut = true,
        Some(Ok(Some(matrix))) => {
            rehearsal.cells = table.len();
            rehearsal.findings = finding::told(matrix.differences(&table), |difference| difference);
        }
        Some(Ok(None)) => {
            let message = "the table cannot be asked: no spec says what its rows are";
            let finding = Finding::error(Kind::Canary, &first.name, message).warning();
            let help = "name an edition that has a `spec`, with `--edition`";
            rehearsal.findings.push(finding.help(help));
        }
        Some(Err(rejection)) => {
            let findings = rejection.findings().iter().cloned();
            rehearsal.findings = finding::told(findings, |finding| finding);
        }
    }
    rehearsal
}
