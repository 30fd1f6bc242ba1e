//! What is served: policies that have to look at each resource, and enough of these for long searches.

use std::{fs, path::PathBuf};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::json;
use tempfile::TempDir;

/// Resources: a search that finds none looks at all of them, page after page.
const DOCS: usize = 50_000;

const SCHEMA: &str = "entity U;
entity D = {owner: U, public?: Bool};
action view appliesTo {principal: U, resource: D, context: {values?: Set<Long>}};
";

const POLICIES: &str = r#"@id("owner") permit (principal, action == Action::"view", resource)
when { resource.owner == principal };
@id("public") permit (principal, action == Action::"view", resource)
when { resource has public && resource.public && context has values && context.values.contains(7) };
"#;

pub(crate) struct House(TempDir);

impl House {
    pub(crate) fn new() -> Self {
        let house = Self(tempfile::tempdir().unwrap());
        let doc = |n: usize| {
            let owner = json!({"__entity": {"type": "U", "id": "ann"}});
            let attrs = json!({"owner": owner, "public": n % 2 == 1});
            json!({"uid": {"type": "D", "id": format!("d{n}")}, "attrs": attrs, "parents": []})
        };
        let docs: Vec<_> = (0..DOCS).map(doc).collect();
        house.write("entities.json", &json!(docs).to_string());
        house.write("schema.cedarschema", SCHEMA);
        house.write("policies.cedar", POLICIES);
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        house.write("cert.pem", &cert.pem());
        house.write("key.pem", &signing_key.serialize_pem());
        house
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// How it is served.
    pub(crate) fn flags(&self) -> Vec<String> {
        let root = self.0.path().display().to_string();
        let flags = [
            "--root",
            &root,
            "--policies",
            "policies.cedar",
            "--schema",
            "schema.cedarschema",
            "--entities",
            "entities.json",
            "--admin-listen",
            "127.0.0.1:0",
            "--log-format",
            "json",
            "--shutdown-grace",
            "0s",
        ];
        flags.map(ToOwned::to_owned).to_vec()
    }
}
