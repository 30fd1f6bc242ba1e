//! The table that the policies are held against.

use std::path::Path;

use serde::Deserialize;

use crate::authz::Expected;

use super::super::Failure;

/// One cell of the table. Columns that are not named here are for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Line {
    /// The edition the cell is about.
    edition: String,
    /// The row.
    row_id: String,
    /// The column: a role.
    role: String,
    /// The letter of the cell the line is about, if it has several.
    crud: String,
    /// The action.
    cedar_action: String,
    /// The type of the resource.
    resource_type: String,
    /// Which resources: a scope word.
    scope: String,
}

/// Reads a table.
pub(super) fn read(path: &Path) -> Result<Vec<Line>, Failure> {
    let bad = |error: csv::Error| {
        let message = format!("`{}` is not a table we take: {error}", path.display());
        if error.is_io_error() {
            Failure::runtime(message)
        } else {
            Failure::usage(message)
        }
    };
    let mut reader = csv::Reader::from_path(path).map_err(bad)?;
    let lines: Result<Vec<Line>, csv::Error> = reader.deserialize().collect();
    lines.map_err(bad)
}

/// The lines about one edition.
///
/// A table without any would agree with everything.
pub(super) fn of_edition(lines: Vec<Line>, edition: &str) -> Result<Vec<Expected>, Failure> {
    let expected: Vec<Expected> = lines
        .into_iter()
        .filter(|line| line.edition == edition)
        .map(Expected::from)
        .collect();
    if expected.is_empty() {
        let message = format_args!("the table has no line of the edition `{edition}`");
        return Err(Failure::usage(message));
    }
    Ok(expected)
}

impl From<Line> for Expected {
    fn from(line: Line) -> Self {
        Self {
            row_id: line.row_id,
            crud: line.crud,
            role: line.role,
            cedar_action: line.cedar_action,
            resource_type: line.resource_type,
            scope: line.scope,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "edition,row_id,section,row_label,role,cell,crud,cedar_action,\
                        resource_type,scope,ruling,seed_ref";

    fn lines(table: &str) -> Result<Vec<Line>, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        std::fs::write(&path, table).unwrap();
        read(&path)
    }

    #[test]
    fn lines_are_read_by_the_names_of_their_columns() {
        let table = format!(
            "{HEAD}\nenterprise,T01,Users,\"Assign, roles\",Annotator,,,org.assign,Member,never,,1\n\
             starter,T02,Users,x,Owner,Yes,C,org.view,Member,all,,2\n"
        );
        let read = of_edition(lines(&table).unwrap(), "starter").unwrap();
        let expected = Expected {
            row_id: "T02".into(),
            role: "Owner".into(),
            crud: "C".into(),
            cedar_action: "org.view".into(),
            resource_type: "Member".into(),
            scope: "all".into(),
        };
        assert_eq!(read, [expected]);
        assert!(of_edition(lines(&table).unwrap(), "gold").is_err());
    }

    #[test]
    fn a_table_without_a_column_is_refused() {
        let error = lines("edition,row_id\nenterprise,T01\n").unwrap_err();
        assert!(
            error.to_string().contains("missing field `role`"),
            "{error}"
        );
        assert!(matches!(error, Failure::Usage(_)));
    }
}
