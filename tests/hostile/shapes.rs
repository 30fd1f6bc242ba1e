//! Texts that are long, deep or many, made rather than kept.

/// Whether a house with such a file is taken, and what it decides then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Becomes {
    /// The finding says this.
    Refused(&'static str),
    /// `ann` may, and `bob` may if everybody may.
    Served { everybody: bool },
    /// Nobody may any more.
    Forbids,
}
use Becomes::{Refused, Served};

/// One file that is put into a good house.
pub(crate) struct Item {
    pub(crate) name: String,
    /// The file in the house.
    pub(crate) file: &'static str,
    pub(crate) text: String,
    pub(crate) becomes: Becomes,
}

const NESTED: Becomes = Refused("nested deeper than 64 levels");
const NESTED_SCHEMA: Becomes = Refused("nested deeper than 128 levels");
const CHAIN: Becomes = Refused("more than 1000 terms in a chain");
const MANY: Becomes = Refused("more than 100000 policies in one file");
const TYPES: Becomes = Refused("nests deeper than 128 levels, common types written out");
const ABOVE_TYPES: Becomes = Refused("have more than 1000000 ancestors together");
const LEVELS: Becomes = Refused("more than 1000 levels deep");
const EVERYBODY: Becomes = Served { everybody: true };
const SAME: Becomes = Served { everybody: false };

pub(crate) fn permit(condition: &str) -> String {
    format!("permit (principal, action, resource) when {{ {condition} }};\n")
}

fn around(open: &str, inner: &str, close: &str, times: usize) -> String {
    format!("{}{inner}{}", open.repeat(times), close.repeat(times))
}

fn item(name: &str, file: &'static str, text: String, becomes: Becomes) -> Item {
    Item {
        name: name.to_owned(),
        file,
        text,
        becomes,
    }
}

/// The files of `tests/fixtures/crash`.
pub(crate) fn corpus() -> Vec<Item> {
    let becomes = |name: &str| match name {
        "forbid-add-600.cedar" => Becomes::Forbids,
        "team-chain-500.json" | "team-chain-1000.json" => SAME,
        name if name.starts_with("add-") || name.starts_with("and-") => CHAIN,
        name if name.ends_with(".cedar") => NESTED,
        "chain-3000.cedarschema" => ABOVE_TYPES,
        "types-7000.cedarschema" => TYPES,
        name if name.ends_with(".cedarschema") => NESTED_SCHEMA,
        _ => LEVELS,
    };
    let mut items = Vec::new();
    for (folder, file) in [
        ("entities", "e/hostile.json"),
        ("policies", "p/hostile.cedar"),
        ("schemas", "schema.cedarschema"),
    ] {
        for (name, text) in crash_files(folder) {
            items.push(item(&name, file, text, becomes(&name)));
        }
    }
    assert_eq!(items.len(), 26);
    items
}

fn crash_files(folder: &str) -> Vec<(String, String)> {
    let root = env!("CARGO_MANIFEST_DIR");
    let files = std::fs::read_dir(format!("{root}/tests/fixtures/crash/{folder}")).unwrap();
    let mut files: Vec<(String, String)> = files
        .map(|file| {
            let path = file.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[rustfmt::skip]
pub(crate) fn policies() -> Vec<Item> {
    let of = |name, condition: String, becomes| {
        item(name, "p/hostile.cedar", permit(&condition), becomes)
    };
    let whole = |name, text: String, becomes| item(name, "p/hostile.cedar", text, becomes);
    let comment = format!("// {}\n{}", "([{".repeat(100_000), permit("true"));
    let note = format!("@note(\"{}\")\n{}", "([{".repeat(100_000), permit("true"));
    let to_carriage_return = format!("// x\r{}", permit(&around("(", "true", ")", 200_000)));
    vec![
        of("a million parentheses", around("(", "true", ")", 1_000_000), NESTED),
        of("a sum of a million", format!("0{} == 0", "+0".repeat(1_000_000)), CHAIN),
        of("100,000 ||", format!("true{}", " || true".repeat(100_000)), CHAIN),
        of("100,000 if in if", around("if true then ", "true", " else true", 100_000), NESTED),
        of("100,000 attributes of attributes", format!("principal{} == 1", ".a".repeat(100_000)), CHAIN),
        of("100,000 has in has", format!("principal has a{}", ".a".repeat(100_000)), CHAIN),
        of("100,000 method calls", format!("[1]{}", ".contains(1)".repeat(100_000)), CHAIN),
        of("sets closed by parentheses", "[a),".repeat(500_000), NESTED),
        of("sets ended by semicolons", "[a;,".repeat(500_000), MANY),
        of("900 has in has", format!("true || principal has a{}", ".a".repeat(900)), EVERYBODY),
        of("a million brackets in a string", format!("\"{}\" == \"x\"", "(".repeat(1_000_000)), SAME),
        of("a set of 20,000", format!("principal in [{}]", vec!["U::\"u\""; 20_000].join(",")), SAME),
        of("a name of a million parts", format!("principal == {}U::\"x\"", "A::".repeat(1_000_000)), Refused("type")),
        whole("brackets in a comment", comment, EVERYBODY),
        whole("brackets in an annotation", note, EVERYBODY),
        whole("brackets behind a carriage return", to_carriage_return, NESTED),
        whole("10 MB in one line", permit("true").trim().repeat(180_000), MANY),
        whole("200,000 policies", permit("true").repeat(200_000), MANY),
        whole("50,000 broken policies in one line", permit("principal.x").trim().repeat(50_000), Refused("so much to mend")),
        whole("a million semicolons", ";".repeat(1_000_000), MANY),
        whole("a million closing brackets", ")".repeat(1_000_000), Refused("unexpected token")),
        whole("a million `permit(`", "permit(".repeat(1_000_000), NESTED),
        whole("100,000 equal annotations", format!("{}{}", "@a(\"b\")".repeat(100_000), permit("true")), Refused("99899 more findings")),
        whole("no end of a string", format!("{}\"", permit("true")), Refused("invalid token")),
    ]
}

#[rustfmt::skip]
pub(crate) fn schemas() -> Vec<Item> {
    const ACTION: &str = "action view appliesTo {principal: U, resource: D};";
    let of = |name, text: String, becomes| item(name, "schema.cedarschema", text, becomes);
    let base = format!("entity U = {{n?: Long}}; entity D; {ACTION}\n");
    let chain = |length: usize| {
        let types = (0..length).map(|n| format!("type T{n} = {{a: T{}}};\n", n + 1));
        let end = format!("type T{length} = Long; entity X = {{a: T0}};\n{base}");
        types.collect::<String>() + &end
    };
    let laughs = (0..30).map(|n| format!("type T{n} = {{a: T{0}, b: T{0}}};\n", n + 1));
    let laughs = laughs.collect::<String>() + "type T30 = Long; entity X = {a: T0};\n" + &base;
    let groups = (0..3_000).map(|n| format!("action g{n} in [g{}];\n", n + 1));
    let groups = groups.collect::<String>() + "action g3000;\n" + &base;
    let kinds = (0..10_000).map(|n| format!("entity E{n} in [E{}];\n", n + 1));
    let kinds = kinds.collect::<String>() + "entity E10000;\n" + &base;
    let names = |letter: char| {
        (0..400)
            .map(|n| format!("{letter}{n}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let pairs = format!(
        "{base}entity {0}; entity {1}; action x appliesTo {{principal: [{0}], resource: [{1}]}};",
        names('P'),
        names('R')
    );
    let ids = (0..100_000)
        .map(|n| format!("\"{n}\""))
        .collect::<Vec<_>>()
        .join(", ");
    vec![
        of("common types 100 deep", chain(100), SAME),
        of("common types 20,000 deep", chain(20_000), TYPES),
        of("common types doubled 30 times", laughs, Refused("more than 100000 types")),
        of("a common type in itself", format!("type T = {{a: T}};\n{base}"), Refused("cycle")),
        of("entity types in each other", format!("entity A in [B]; entity B in [A];\n{base}"), SAME),
        of("10,000 entity types in a chain", kinds, ABOVE_TYPES),
        of("3,000 actions in a chain", groups, ABOVE_TYPES),
        of("160,000 pairs of types", pairs, Refused("more than 100000 pairs")),
        of("an enumeration of 100,000", format!("{base}entity C enum [{ids}];"), SAME),
        of("brackets behind a carriage return", format!("// x\rentity A = {};", around("{a: ", "Long", "}", 100_000)), NESTED_SCHEMA),
        of("sets closed by parentheses", format!("entity A = {{{}", "a: Set<B),".repeat(100_000)), NESTED_SCHEMA),
        of("a million semicolons", ";".repeat(1_000_000), Refused("unexpected token")),
    ]
}

#[rustfmt::skip]
pub(crate) fn stored() -> Vec<Item> {
    let of = |name, text: String, becomes| item(name, "e/hostile.json", text, becomes);
    let entity = |id: &str, attributes: &str, parents: &str| {
        format!(
            r#"{{"uid":{{"type":"Team","id":"{id}"}},"attrs":{attributes},"parents":[{parents}]}}"#
        )
    };
    let parent = |n: usize| format!(r#"{{"type":"Team","id":"{n}"}}"#);
    let list = |items: Vec<String>| format!("[{}]", items.join(","));
    let chain = |length: usize| {
        list(
            (0..length)
                .map(|n| entity(&n.to_string(), "{}", &parent(n + 1)))
                .collect(),
        )
    };
    let parents = (0..100_000).map(parent).collect::<Vec<_>>().join(",");
    let layers = |n: usize| {
        let above: Vec<String> = (2_000 * (n + 1)..2_000 * (n + 1) + 150)
            .map(parent)
            .collect();
        (0..150)
            .map(move |m| entity(&(2_000 * n + m).to_string(), "{}", &above.join(",")))
            .collect::<Vec<_>>()
    };
    let broken = (0..20_000).map(|n| entity(&n.to_string(), "{\"n\": 1.5}", ""));
    vec![
        of("a chain of 100,000", chain(100_000), LEVELS),
        of("a cycle of one", list(vec![entity("0", "{}", &parent(0))]), Refused("own ancestor")),
        of("an entity of 100,000 parents", list(vec![entity("x", "{}", &parents)]), SAME),
        of("layers of 150, each in all of the next", list((0..30).flat_map(layers).collect()), Refused("10000000 ancestors")),
        of("attributes 100,000 deep", list(vec![entity("x", &around("{\"a\":", "1", "}", 100_000), "")]), NESTED),
        of("20,000 broken entities in one line", list(broken.collect()), Refused("19900 more findings")),
        of("brackets only", "[".repeat(1_000_000), Refused("EOF")),
        of("a duplicate key", list(vec![entity("x", "{\"a\":1,\"a\":1}", "")]), Refused("duplicate key")),
        of("a number beyond 64 bits", list(vec![entity("x", "{\"a\":9223372036854775808}", "")]), Refused("64 bits")),
    ]
}

#[rustfmt::skip]
pub(crate) fn others() -> Vec<Item> {
    const DEEP: usize = 100_000;
    let links = |name, text, becomes| item(name, "p/links.json", text, becomes);
    let conditions = |name, text, becomes| item(name, "conditions.toml", text, becomes);
    let each = |holds: &str| {
        format!("[[each]]\nname = \"n\"\nsource = \"s\"\ntype = \"U\"\nholds = '''{holds}'''\n")
    };
    vec![
        links("links: a deep one", format!("[{}]", around("[", "", "]", DEEP)), Refused("nested deeper than 8 levels")),
        links("links: a deep argument", format!(r#"[{{"template_id":"t","link_id":"l","args":{{"?principal":{}}}}}]"#, around("{\"a\":", "1", "}", DEEP) ), Refused("nested deeper than 8 levels")),
        links("links: a million", format!("[{}]", vec!["{}"; 1_000_000].join(",")), Refused("more than 100000 policies")),
        links("links: an argument of brackets", format!(r#"[{{"template_id":"t","link_id":"l","args":{{"?principal":"{}"}}}}]"#, "(".repeat(DEEP) ), Refused("not an entity uid")),
        conditions("conditions: deep arrays", format!("a = {}", around("[", "", "]", DEEP)), Refused("recursion depth")),
        conditions("conditions: deep tables", format!("a = {}", around("{a = ", "1", "}", DEEP)), Refused("recursion depth")),
        conditions("conditions: dotted keys", format!("a{} = 1", ".a".repeat(DEEP)), Refused("recursion limit")),
        conditions("conditions: dotted header", format!("[a{}]\nb = 1", ".a".repeat(DEEP)), Refused("recursion limit")),
        conditions("conditions: 200,000 empty ones", "[[each]]\n".repeat(200_000), Refused("the rest was not looked at")),
        conditions("conditions: a deep expression", each(&around("(", "true", ")", DEEP)), NESTED),
        conditions("conditions: a long expression", each(&format!("true{}", " && true".repeat(DEEP))), CHAIN),
    ]
}

#[rustfmt::skip]
pub(crate) fn canaries() -> Vec<Item> {
    let of = |name, cases: Vec<String>, becomes| {
        item(name, "p/tests/hostile.json", format!("[{}]", cases.join(",")), becomes)
    };
    let case = |id: &str, rest: &str| format!(
        r#"{{"request":{{"principal":"U::\"{id}\"","action":"Action::\"view\"","resource":"D::\"d\""}}{rest},"decision":"allow","reason":[],"num_errors":0}}"#
    );
    let with = |entities: &str| vec![case("ann", &format!(",\"entities\":{entities}"))];
    let team = |n: usize| format!(r#"{{"uid":{{"type":"Team","id":"{n}"}},"attrs":{{}},"parents":[{{"type":"Team","id":"{}"}}]}}"#, n + 1);
    let chain = |length| format!("[{}]", (0..length).map(team).collect::<Vec<_>>().join(","));
    const MANY: Becomes = Refused("more than 10000 canaries");
    const OTHERS: Becomes = Refused("the others were not asked");
    vec![
        of("canaries: 5 million empty ones", vec!["{}".to_owned(); 5_000_000], MANY),
        of("canaries: 100,000 that fail in one line", vec![case("bob", ""); 100_000], MANY),
        of("canaries: 10,000 that fail in one line", vec![case("bob", ""); 10_000], OTHERS),
        of("canaries: 10,000 empty ones behind 15 MB of lines", [vec![format!("{}{{}}", "\n".repeat(15_000_000))], vec!["{}".to_owned(); 9_999]].concat(), OTHERS),
        of("canaries: a deep one", vec![around("[", "", "]", 100_000)], NESTED),
        of("canaries: deep entities", with(&around("[", "", "]", 100_000)), NESTED),
        of("canaries: entities of 16 MB", with(&format!("[{}]", vec!["{}"; 5_000_000].join(","))), Refused("more than 1048576 bytes")),
        of("canaries: 400,000 values", with(&format!("[{}]", vec!["1"; 400_000].join(","))), Refused("more than 150000 values")),
        of("canaries: a chain of 990", with(&chain(990)), Refused("more than 100000 ancestors")),
    ]
}

#[rustfmt::skip]
pub(crate) fn tables() -> Vec<Item> {
    let of = |name, text: String, becomes| item(name, "p/tests/hostile.csv", text, becomes);
    const HEAD: &str = "row_id,role,crud,cedar_action,resource_type,scope\n";
    const LONG: Becomes = Refused("more than 4194304 bytes");
    const MANY: Becomes = Refused("more than 10000 lines");
    const REST: Becomes = Refused("the rest was not looked at");
    vec![
        of("tables: 16 MB of columns", ",".repeat(16_000_000), LONG),
        of("tables: 4 MB of columns", ",".repeat(4_000_000), Refused("no column `row_id`")),
        of("tables: 4 MB of one column", "row_id,".repeat(500_000), Refused("two columns are called")),
        of("tables: a line of 4 MB of fields", format!("{HEAD}{}", ",".repeat(4_000_000)), Refused("fields where the header has 6")),
        of("tables: a field without end", format!("{HEAD}\"{}", "a,\n".repeat(1_000_000)), Refused("1 fields where")),
        of("tables: 4 MB of empty lines", format!("{HEAD}{}a", "\r\n".repeat(2_000_000)), Refused("1 fields where")),
        of("tables: a million short lines", format!("{HEAD}{}", "a\n".repeat(1_000_000)), MANY),
        of("tables: 10,000 short lines behind 4 MB", format!("{HEAD}{}{}", "\n".repeat(4_000_000), "a\n".repeat(10_000)), REST),
        of("tables: one cell 10,000 times", format!("{HEAD}{}", "a,b,c,d,e,f\n".repeat(10_000)), REST),
    ]
}
