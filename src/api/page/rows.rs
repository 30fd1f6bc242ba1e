//! Lines of the matrix as the documents print them: a row with a cell for each role, which may hold
//! several letters.

use crate::{
    api::computed::{CellOf, Computed},
    telemetry::Standing,
};

/// A printed row.
#[derive(Debug)]
pub(super) struct Row<'c> {
    pub(super) id: &'c str,
    pub(super) section: &'c str,
    pub(super) label: &'c str,
    /// One for each role, in their order.
    pub(super) cells: Vec<Printed<'c>>,
}

/// A printed cell.
#[derive(Debug)]
pub(super) struct Printed<'c> {
    pub(super) row_id: &'c str,
    pub(super) role: &'c str,
    pub(super) groups: Vec<Group<'c>>,
}

/// Letters that say the same and are equally sure, or the one line of a row without letters.
#[derive(Debug)]
pub(super) struct Group<'c> {
    pub(super) cells: Vec<CellOf<'c>>,
}

/// The rows, in the order of the table.
pub(super) fn rows<'c>(computed: &'c Computed<'_>) -> Vec<Row<'c>> {
    let cells: Vec<CellOf<'c>> = computed.cells().collect();
    let rows = cells.chunk_by(|a, b| a.line.row_id == b.line.row_id);
    let roles = &computed.matrix.roles;
    let row = |cells: &[CellOf<'c>]| {
        let first = cells.first()?.line;
        let printed = roles.iter().map(|role| {
            let of_role = cells.iter().filter(|cell| cell.line.role == *role);
            Printed {
                row_id: &first.row_id,
                role,
                groups: groups(of_role.copied()),
            }
        });
        Some(Row {
            id: &first.row_id,
            section: &first.section,
            label: &first.row_label,
            cells: printed.collect(),
        })
    };
    rows.filter_map(row).collect()
}

fn groups<'c>(cells: impl Iterator<Item = CellOf<'c>>) -> Vec<Group<'c>> {
    let mut groups: Vec<Group<'c>> = Vec::new();
    for cell in cells {
        match groups.iter_mut().find(|group| group.takes(&cell)) {
            Some(group) => group.cells.push(cell),
            None => groups.push(Group { cells: vec![cell] }),
        }
    }
    groups
}

impl<'c> Group<'c> {
    fn takes(&self, cell: &CellOf<'_>) -> bool {
        let next = |cell: &CellOf<'_>| cell.next.map(|it| it.scope.clone());
        self.cells.iter().all(|it| {
            it.line.scope == cell.line.scope
                && it.standing == cell.standing
                && next(it) == next(cell)
        })
    }

    /// `CRUD`, or as many of its letters as say the same.
    pub(super) fn letters(&self) -> String {
        self.cells.iter().map(|it| it.line.crud.as_str()).collect()
    }

    pub(super) fn scope(&self) -> &'c str {
        self.cells.first().map_or("", |it| it.line.scope.as_str())
    }

    pub(super) fn next(&self) -> Option<&'c str> {
        let next = self.cells.first().and_then(|it| it.next);
        next.map(|it| it.scope.as_str())
    }

    pub(super) fn standing(&self) -> Standing {
        let standings = self.cells.iter().map(|it| it.standing);
        standings.max().unwrap_or(Standing::Unknown)
    }
}

impl<'c> Printed<'c> {
    /// The least sure of what it holds.
    pub(super) fn standing(&self) -> Standing {
        let standings = self.groups.iter().map(Group::standing);
        standings.max().unwrap_or(Standing::Unknown)
    }

    pub(super) fn cells(&self) -> impl Iterator<Item = CellOf<'c>> {
        self.groups
            .iter()
            .flat_map(|group| group.cells.iter().copied())
    }

    /// Whether a candidate would make something else of it.
    pub(super) fn is_changed(&self) -> bool {
        self.cells().any(|cell| cell.next.is_some())
    }

    pub(super) fn rulings(&self) -> Vec<&'c str> {
        let named = self.cells().flat_map(|cell| &cell.detail.rulings);
        let mut rulings: Vec<&str> = named.map(String::as_str).collect();
        rulings.sort_unstable();
        rulings.dedup();
        rulings
    }
}
