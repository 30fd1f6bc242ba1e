//! `@held` and `@parent` on entity types: what a caller may claim, said in the schema.

use serde_json::Value;

use crate::authz::{Finding, Kind, SourceFile, finding::MAX_TOLD, symbols::Symbols};

use super::SchemaModel;

/// `(entity type, annotation, value)` for the annotations that mean something to us.
pub(super) struct Annotated(Vec<(String, String, String)>);

impl Annotated {
    /// Reads a schema in Cedar's JSON format.
    pub(super) fn read(json: &Value) -> Self {
        let mut found = Vec::new();
        for (namespace, definition) in json.as_object().into_iter().flatten() {
            let types = definition
                .get("entityTypes")
                .and_then(|types| types.as_object());
            for (name, declared) in types.into_iter().flatten() {
                let full = if namespace.is_empty() {
                    name.clone()
                } else {
                    format!("{namespace}::{name}")
                };
                let annotations = declared.get("annotations").and_then(|a| a.as_object());
                for (key, value) in annotations.into_iter().flatten() {
                    if matches!(key.as_str(), "held" | "parent") {
                        let value = value.as_str().unwrap_or_default().to_owned();
                        found.push((full.clone(), key.clone(), value));
                    }
                }
            }
        }
        Self(found)
    }
}

impl SchemaModel {
    /// Takes the annotations into the tables; what is wrong with them, as far as it is told.
    pub(super) fn annotate(
        &mut self,
        annotated: &Annotated,
        file: &SourceFile,
        text: &str,
        symbols: &mut Symbols<'_>,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (name, key, value) in &annotated.0 {
            if findings.len() >= MAX_TOLD {
                break;
            }
            let Some(kind) = self.type_named(name) else {
                continue;
            };
            let place = text.find(&format!("@{key}(\"{value}\")"));
            let report = |message: String, help: &str| {
                let finding = Finding::error(Kind::Validate, &file.name, message).help(help);
                match place {
                    Some(offset) => finding.at(text, offset, key.len() + value.len() + 5),
                    None => finding,
                }
            };
            match key.as_str() {
                "held" if value == "stored" => {
                    if let Some(Some(entity_type)) = self.types.get_mut(kind.place()) {
                        entity_type.held = true;
                    }
                }
                "held" => findings.push(report(
                    format!("`@held(\"{value}\")` on `{name}` is not known"),
                    "the only value is `stored`: only the store speaks for the type",
                )),
                _ => {
                    for path in value.split(',').map(str::trim) {
                        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
                        match self.path_end(kind, &path, symbols) {
                            Ok(end) => {
                                self.has_parents_of_others |= path.len() > 1;
                                let above = self.entity_type(end).map(|it| it.above.clone());
                                let kinds = above.into_iter().flatten().chain([end]);
                                let path = path.iter().map(|step| symbols.name(step)).collect();
                                if let Some(Some(entity_type)) = self.types.get_mut(kind.place()) {
                                    entity_type.parents.push(path);
                                    entity_type.parent_kinds.extend(kinds);
                                }
                            }
                            Err(message) => findings.push(report(
                                message,
                                "name attribute paths that end at an entity, separated by commas",
                            )),
                        }
                    }
                }
            }
        }
        findings
    }
}
