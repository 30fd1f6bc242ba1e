//! The table that the policies are held against.

use std::{fs, path::Path, slice};

use crate::authz::{SourceFile, Table};

use super::super::Failure;

/// Reads the file of a table.
pub(super) fn read(path: &Path) -> Result<SourceFile, Failure> {
    let name = path.display().to_string();
    match fs::read(path) {
        Ok(bytes) => Ok(SourceFile { name, bytes }),
        Err(error) => Err(Failure::runtime(format_args!("`{name}`: {error}"))),
    }
}

/// What a table says of one edition.
///
/// A table without any line of it would agree with everything.
pub(super) fn of_edition<'t>(file: &'t SourceFile, edition: &str) -> Result<Table<'t>, Failure> {
    let table = Table::read(slice::from_ref(file), Some(edition)).map_err(|rejection| {
        let name = &file.name;
        Failure::usage(format_args!(
            "`{name}` is not a table we take\n\n{rejection}"
        ))
    })?;
    if table.is_empty() {
        let message = format_args!("the table has no line of the edition `{edition}`");
        return Err(Failure::usage(message));
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "edition,row_id,section,row_label,role,cell,crud,cedar_action,\
                        resource_type,scope,ruling,seed_ref";

    fn file(text: &str) -> SourceFile {
        SourceFile {
            name: "table.csv".to_owned(),
            bytes: text.as_bytes().to_vec(),
        }
    }

    #[test]
    fn only_lines_of_the_edition_count_and_one_there_must_be() {
        let table = file(&format!(
            "{HEAD}\nenterprise,T01,Users,\"Assign, roles\",Annotator,,,org.assign,Member,never,,1\n\
             starter,T02,Users,x,Owner,Yes,C,org.view,Member,all,,2\n"
        ));
        assert_eq!(of_edition(&table, "starter").unwrap().len(), 1);
        assert!(of_edition(&table, "gold").is_err());
    }

    #[test]
    fn a_table_without_a_column_is_refused() {
        let table = file("edition,row_id\nenterprise,T01\n");
        let error = of_edition(&table, "enterprise").unwrap_err();
        let said = error.to_string();
        assert!(said.contains("there is no column `crud`"), "{said}");
        assert!(matches!(error, Failure::Usage(_)));
    }

    #[test]
    fn a_file_that_is_not_there_is_a_fault_outside() {
        let error = read(Path::new("no/such/table.csv")).unwrap_err();
        assert!(matches!(error, Failure::Runtime(_)));
    }
}
