//! Sources that exist only in the test.

use palisade::authz::{Rejection, Snapshot, SourceFile, Sources};

/// A file of a source set that exists only in the test.
pub(crate) fn file(name: &str, text: &str) -> SourceFile {
    SourceFile {
        name: name.to_owned(),
        bytes: text.as_bytes().to_vec(),
    }
}

/// Policies and, if not empty, a schema in Cedar syntax and entities.
pub(crate) fn sources(policies: &str, schema: &str, entities: &str) -> Sources {
    let given = |name: &str, text: &str| (!text.is_empty()).then(|| file(name, text));
    Sources {
        policies: vec![file("policies.cedar", policies)],
        schema: given("schema.cedarschema", schema),
        entities: given("entities.json", entities).into_iter().collect(),
        ..Sources::default()
    }
}

/// The snapshot of [`sources`], which must be valid.
pub(crate) fn snapshot(policies: &str, schema: &str, entities: &str) -> Snapshot {
    compiled(&sources(policies, schema, entities))
}

/// A snapshot that must compile.
pub(crate) fn compiled(sources: &Sources) -> Snapshot {
    Snapshot::compile(sources).unwrap_or_else(|rejection| panic!("rejected:\n{rejection}"))
}

/// The rejection of sources that must not compile.
pub(crate) fn rejected(sources: &Sources) -> Rejection {
    match Snapshot::compile(sources) {
        Ok(_) => panic!("the sources compile"),
        Err(rejection) => rejection,
    }
}
