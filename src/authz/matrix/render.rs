//! The matrix as text: Markdown for people, CSV for spreadsheets, JSON for programs.

use serde_json::json;

use super::{Line, Matrix};

impl Matrix {
    /// A table as it is printed: a line for each row and letter, a column for each role.
    pub fn to_markdown(&self) -> String {
        let mut text = String::new();
        let mut section = "";
        for lines in self.by_row() {
            let Some(first) = lines.first() else {
                continue;
            };
            if first.section != section {
                section = &first.section;
                text.push_str(&self.heading(section));
            }
            let action = match first.crud.as_str() {
                "" => first.row_label.clone(),
                crud => format!("{} ({crud})", first.row_label),
            };
            let cells: Vec<String> = lines.iter().map(cell).collect();
            text.push_str(&format!(
                "| {} | {action} | `{}` | {} |\n",
                first.row_id,
                first.cedar_action,
                cells.join(" | ")
            ));
        }
        text
    }

    /// The columns of the table that can be computed, one line for each cell.
    pub fn to_csv(&self) -> String {
        let mut text = String::from(
            "row_id,section,row_label,role,crud,cedar_action,resource_type,scope,ruling\n",
        );
        for line in &self.lines {
            let fields = [
                &line.row_id,
                &line.section,
                &line.row_label,
                &line.role,
                &line.crud,
                &line.cedar_action,
                &line.resource_type,
                &line.scope,
                &line.rulings.join(";"),
            ];
            let quoted: Vec<String> = fields.iter().map(|field| quote(field)).collect();
            text.push_str(&quoted.join(","));
            text.push('\n');
        }
        text
    }

    /// `{"roles": […], "lines": [{…}]}`, with the fields of [`Line`].
    pub fn to_json(&self) -> String {
        let line = |line: &Line| {
            json!({
                "row_id": line.row_id,
                "section": line.section,
                "row_label": line.row_label,
                "role": line.role,
                "crud": line.crud,
                "cedar_action": line.cedar_action,
                "resource_type": line.resource_type,
                "scope": line.scope,
                "rulings": line.rulings,
                "note": line.note,
            })
        };
        let lines: Vec<_> = self.lines.iter().map(line).collect();
        json!({ "roles": self.roles, "lines": lines }).to_string()
    }

    fn by_row(&self) -> impl Iterator<Item = &[Line]> {
        self.lines
            .chunk_by(|a, b| a.row_id == b.row_id && a.crud == b.crud)
    }

    fn heading(&self, section: &str) -> String {
        let roles = self.roles.join(" | ");
        let rule = " --- |".repeat(self.roles.len() + 3);
        format!("\n## {section}\n\n| Row | Action | Asked as | {roles} |\n|{rule}\n")
    }
}

fn cell(line: &Line) -> String {
    let scope = match line.scope.as_str() {
        "never" => "-".to_owned(),
        scope => format!("{scope} on {}", line.resource_type),
    };
    match line.rulings.as_slice() {
        [] => scope,
        rulings => format!("{scope} ({})", rulings.join(" ")),
    }
}

/// A field by RFC 4180.
fn quote(field: &str) -> String {
    if field.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}
