//! What the rulings say that policies and tables name: for people, decisions do not depend on it.

use std::collections::BTreeMap;

use crate::authz::{Finding, table::Section};

/// Sentences by the id of the ruling.
pub(in crate::authz) type Rulings = BTreeMap<String, String>;

/// Takes the rulings of a table.
///
/// # Errors
/// All that are malformed or said twice.
pub(super) fn read(root: &Section<'_>, rulings: &mut Rulings) -> Result<(), Vec<Finding>> {
    let sections = root.sections("ruling").map_err(|finding| vec![finding])?;
    let refused = sections
        .iter()
        .filter_map(|section| ruling(section, rulings).err());
    let refused: Vec<Finding> = refused.collect();
    if refused.is_empty() {
        Ok(())
    } else {
        Err(refused)
    }
}

fn ruling(section: &Section<'_>, rulings: &mut Rulings) -> Result<(), Finding> {
    section.only(&["id", "says"])?;
    let (id, says) = (section.string("id")?, section.string("says")?);
    // `@ruling` names several with blanks between them, a table with semicolons.
    if id.is_empty() || id.contains([' ', ';']) {
        let message = format!("`{id}` is not the id of a ruling");
        return Err(section.finding_about("id", message));
    }
    if rulings.insert(id.to_owned(), says.to_owned()).is_some() {
        let message = format!("the ruling `{id}` is there already");
        return Err(section.finding_about("id", message));
    }
    Ok(())
}
