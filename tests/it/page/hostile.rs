//! Policies, names and tables that try to be more than text.

use palisade::authz::{SourceFile, Sources};
use serde_json::json;

use super::{page, serve};
use crate::harness::Server;

const HOSTILE: &str = "\"><script>alert('x')</script><img src=x onerror=alert(1)>";

/// A spec, policies and names that are all one attempt.
fn hostile() -> Sources {
    let file = |name: &str, text: &str| SourceFile {
        name: name.to_owned(),
        bytes: text.as_bytes().to_vec(),
    };
    // As Cedar, JSON and TOML write it.
    let text = HOSTILE.replace('"', "\\\"");
    let schema =
        format!("entity U; entity D; action \"{text}\" appliesTo {{ principal: U, resource: D }};");
    let permit = format!("permit (principal, action == Action::\"{text}\", resource);");
    let forbid =
        format!("forbid (principal, action == Action::\"{text}\", resource) when {{ false }};");
    let policies = format!(
        "@id(\"{text}\") @ruling(\"{}\") @note(\"{text}\") {permit}\n@id(\"f{text}\") {forbid}",
        text.replace(' ', "")
    );
    let words = format!("@scope(\"{text}\") @says(\"{text}\") {permit}");
    let world = format!(
        r#"[{{"uid": {{"type": "U", "id": "{text}"}}, "attrs": {{}}, "parents": []}}, {{"uid": {{"type": "D", "id": "{text}"}}, "attrs": {{}}, "parents": []}}]"#
    );
    let rows = format!(
        "[[role]]\nname = \"{text}\"\nprincipals = [\"U::\\\"{}\\\"\"]\n[[ruling]]\nid = \"{}\"\nsays = \"{text}\"\n\
         [[row]]\nid = \"{text}\"\nsection = \"{text}\"\nlabel = \"{text}\"\n[[row.ask]]\ncrud = \"{text}\"\naction = \"{text}\"\nresources = [\"D\"]\n",
        text.replace('\\', "\\\\").replace('"', "\\\""),
        text.replace(' ', ""),
    );
    let quoted = format!("\"{}\"", HOSTILE.replace('"', "\"\""));
    let table = format!(
        "row_id,role,cell,crud,cedar_action,resource_type,scope,ruling,seed_ref\n\
         {quoted},{quoted},{quoted},{quoted},{quoted},D,{quoted},{quoted},{quoted}\n"
    );
    let named = |rest: &str| format!("{HOSTILE}{rest}");
    Sources {
        policies: vec![file(&named("p.cedar"), &policies)],
        schema: Some(file("s.cedarschema", &schema)),
        spec: vec![
            file(&named("w.cedar"), &words),
            file(&named("w.json"), &world),
            file(&named("t.toml"), &rows),
        ],
        tables: vec![file(&named("t.csv"), &table)],
        ..Sources::default()
    }
}

#[test]
fn whatever_is_read_is_text() {
    let server = serve(hostile());
    let matrix = server.admin("/v1/matrix");
    assert_eq!(matrix.status, 200, "{}", matrix.body);
    let matrix = matrix.json();
    assert_eq!(matrix["lines"][0]["scope"], HOSTILE);
    assert_eq!(matrix["cells"][0]["state"], "tested", "{matrix:#}");
    assert_eq!(matrix["cells"][0]["permits"], json!([HOSTILE]));
    let check = |server: &Server| {
        let body = page(server).body;
        assert!(body.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"));
        assert_eq!(body.matches("<script").count(), 1);
        for broken in ["<img", "onerror=alert(1)>", "alert('x')"] {
            assert!(!body.contains(broken), "{broken}");
        }
    };
    check(&server);
    let without_spec = Sources {
        spec: Vec::new(),
        tables: Vec::new(),
        ..hostile()
    };
    check(&serve(without_spec));
    let mut broken = hostile();
    broken.spec[2].bytes.extend_from_slice(b"\n[[\"<img>\"]]\n");
    broken.tables.clear();
    check(&serve(broken));
}
