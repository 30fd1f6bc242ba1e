//! What is sent.

pub(super) const ONE: &str = "/access/v1/evaluation";
pub(super) const MANY: &str = "/access/v1/evaluations";
pub(super) const SEARCH: &str = "/access/v1/search/subject";
pub(super) const CEDAR: &str = "/v1/is_authorized";
pub(super) const CEDAR_MANY: &str = "/v1/batch_is_authorized";

pub(super) const GOOD: &str = r#"{"subject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"}}"#;
pub(super) const CEDAR_GOOD: &str = r#"{"principal":"user::\"alice\"","action":"Action::\"read\"","resource":"record::\"record-1\""}"#;

/// A title, a path and a body to post as JSON.
pub(super) const BODIES: &[(&str, &str, &str)] = &[
    ("empty body", ONE, ""),
    ("only white space", ONE, " \n"),
    ("malformed", ONE, r#"{"subject":"#),
    ("text after the end", ONE, "{} {}"),
    ("trailing comma", ONE, r#"{"subject":{},}"#),
    ("single quotes", ONE, "{'subject':1}"),
    ("no number", ONE, r#"{"subject":NaN}"#),
    ("number out of range", ONE, r#"{"context":{"n":1e999}}"#),
    ("lone surrogate", ONE, r#"{"subject":"\ud800"}"#),
    ("raw control character", ONE, "{\"subject\":\"a\u{1}b\"}"),
    ("byte order mark", ONE, "\u{feff}{}"),
    (
        "duplicate key",
        ONE,
        r#"{"action":{"name":"read"},"action":{"name":"write"}}"#,
    ),
    (
        "duplicate key, escaped",
        ONE,
        r#"{"action":{"name":"read","n\u0061me":"write"}}"#,
    ),
    ("top-level array", ONE, "[]"),
    ("top-level string", ONE, r#""subject""#),
    ("top-level null", ONE, "null"),
    ("empty object", ONE, "{}"),
    (
        "missing action",
        ONE,
        r#"{"subject":{"type":"user","id":"a"},"resource":{"type":"record","id":"r"}}"#,
    ),
    (
        "missing resource",
        ONE,
        r#"{"subject":{"type":"user","id":"a"},"action":{"name":"read"}}"#,
    ),
    (
        "null subject",
        ONE,
        r#"{"subject":null,"action":{"name":"read"},"resource":{"type":"record","id":"r"}}"#,
    ),
    ("subject is a string", ONE, r#"{"subject":"alice"}"#),
    ("subject without type", ONE, r#"{"subject":{"id":"alice"}}"#),
    ("subject without id", ONE, r#"{"subject":{"type":"user"}}"#),
    ("null id", ONE, r#"{"subject":{"type":"user","id":null}}"#),
    (
        "id is a number",
        ONE,
        r#"{"subject":{"type":"user","id":7}}"#,
    ),
    (
        "properties are an array",
        ONE,
        r#"{"subject":{"type":"user","id":"a","properties":[]}}"#,
    ),
    (
        "action without name",
        ONE,
        r#"{"subject":{"type":"user","id":"a"},"action":{}}"#,
    ),
    (
        "action name is a number",
        ONE,
        r#"{"subject":{"type":"user","id":"a"},"action":{"name":123}}"#,
    ),
    (
        "context is a string",
        ONE,
        r#"{"subject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"},"context":"now"}"#,
    ),
    (
        "unknown fields are ignored",
        ONE,
        r#"{"subject":{"type":"user","id":"alice","x":1},"action":{"name":"read","x":1},"resource":{"type":"record","id":"record-1","x":1},"x":{"y":[]}}"#,
    ),
    (
        "unknown entity type",
        ONE,
        r#"{"subject":{"type":"http:route","id":"/"},"action":{"name":"read"},"resource":{"type":"","id":""}}"#,
    ),
    (
        "unknown action",
        ONE,
        r#"{"subject":{"type":"user","id":"alice"},"action":{"name":""},"resource":{"type":"record","id":"record-1"}}"#,
    ),
    (
        "property of the wrong type",
        ONE,
        r#"{"subject":{"type":"user","id":"alice"},"action":{"name":"write"},"resource":{"type":"record","id":"record-1","properties":{"status":5}}}"#,
    ),
    (
        "batch: evaluations is an object",
        MANY,
        r#"{"evaluations":{}}"#,
    ),
    (
        "batch: options is an array",
        MANY,
        r#"{"options":[],"evaluations":[{}]}"#,
    ),
    (
        "batch: semantic is a number",
        MANY,
        r#"{"options":{"evaluations_semantic":1},"evaluations":[{}]}"#,
    ),
    (
        "batch: unknown semantic",
        MANY,
        r#"{"options":{"evaluations_semantic":"any"},"evaluations":[{}]}"#,
    ),
    (
        "batch: default is a string",
        MANY,
        r#"{"subject":"alice","evaluations":[{}]}"#,
    ),
    (
        "batch: default context is an array",
        MANY,
        r#"{"context":[],"evaluations":[{}]}"#,
    ),
    (
        "batch: no items and no question",
        MANY,
        r#"{"evaluations":[]}"#,
    ),
    (
        "batch: bad items",
        MANY,
        r#"{"action":{"name":"read"},"resource":{"type":"record"},"evaluations":[null,[],{},{"subject":{"type":"user","id":"alice"}},{"subject":"alice"},{"subject":{"type":"user","id":1}},{"subject":{"type":"user","id":"alice"},"resource":{"type":"record","id":"record-1"},"context":1}]}"#,
    ),
    ("cedar: empty object", CEDAR, "{}"),
    (
        "cedar: missing resource",
        CEDAR,
        r#"{"principal":"user::\"a\"","action":"Action::\"read\""}"#,
    ),
    (
        "cedar: principal is a number",
        CEDAR,
        r#"{"principal":5,"action":"Action::\"read\"","resource":"record::\"r\""}"#,
    ),
    (
        "cedar: principal is no uid",
        CEDAR,
        r#"{"principal":"alice","action":"Action::\"read\"","resource":"record::\"r\""}"#,
    ),
    (
        "cedar: unknown type",
        CEDAR,
        r#"{"principal":"ghost::\"a\"","action":"Action::\"read\"","resource":"record::\"r\""}"#,
    ),
    (
        "cedar: unknown action",
        CEDAR,
        r#"{"principal":"user::\"a\"","action":"Action::\"fly\"","resource":"record::\"r\""}"#,
    ),
    (
        "cedar: context is a string",
        CEDAR,
        r#"{"principal":"user::\"a\"","action":"Action::\"read\"","resource":"record::\"r\"","context":"x"}"#,
    ),
    (
        "cedar: undeclared context key",
        CEDAR,
        r#"{"principal":"user::\"a\"","action":"Action::\"read\"","resource":"record::\"r\"","context":{"x":1}}"#,
    ),
    (
        "cedar: entities is an object",
        CEDAR,
        r#"{"principal":"user::\"a\"","action":"Action::\"read\"","resource":"record::\"r\"","entities":{}}"#,
    ),
    (
        "cedar: entity without uid",
        CEDAR,
        r#"{"principal":"user::\"a\"","action":"Action::\"read\"","resource":"record::\"r\"","entities":[{}]}"#,
    ),
    (
        "cedar: undeclared attribute",
        CEDAR,
        r#"{"principal":"user::\"a\"","action":"Action::\"read\"","resource":"record::\"r\"","additional_entities":[{"uid":{"type":"user","id":"a"},"attrs":{"x":1},"parents":[]}]}"#,
    ),
    (
        "cedar: stored uid with other content",
        CEDAR,
        r#"{"principal":"user::\"a\"","action":"Action::\"read\"","resource":"record::\"r\"","additional_entities":[{"uid":{"type":"user","id":"bob"},"attrs":{},"parents":[]}]}"#,
    ),
    ("cedar batch: missing requests", CEDAR_MANY, "{}"),
    (
        "cedar batch: requests is an object",
        CEDAR_MANY,
        r#"{"requests":{}}"#,
    ),
    (
        "cedar batch: a request is null",
        CEDAR_MANY,
        r#"{"requests":[null]}"#,
    ),
    (
        "cedar batch: a request is incomplete",
        CEDAR_MANY,
        r#"{"requests":[{"principal":"user::\"a\""}]}"#,
    ),
    (
        "search: subject without type",
        SEARCH,
        r#"{"subject":{},"action":{"name":"read"},"resource":{"type":"record","id":"r"}}"#,
    ),
    (
        "search: resource without id",
        SEARCH,
        r#"{"subject":{"type":"user"},"action":{"name":"read"},"resource":{"type":"record"}}"#,
    ),
    (
        "search: action missing",
        SEARCH,
        r#"{"subject":{"type":"user"},"resource":{"type":"record","id":"r"}}"#,
    ),
    (
        "search: unknown type",
        SEARCH,
        r#"{"subject":{"type":"no name"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"}}"#,
    ),
    (
        "search: page is a list",
        SEARCH,
        r#"{"subject":{"type":"user"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"},"page":[]}"#,
    ),
    (
        "search: page is null",
        SEARCH,
        r#"{"subject":{"type":"user"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"},"page":null}"#,
    ),
    (
        "search: limit is a string",
        SEARCH,
        r#"{"subject":{"type":"user"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"},"page":{"limit":"1"}}"#,
    ),
    (
        "search: limit is negative",
        SEARCH,
        r#"{"subject":{"type":"user"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"},"page":{"limit":-1}}"#,
    ),
    (
        "search: limit is a fraction",
        SEARCH,
        r#"{"subject":{"type":"user"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"},"page":{"limit":1.5}}"#,
    ),
    (
        "search: limit beyond i64",
        SEARCH,
        r#"{"subject":{"type":"user"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"},"page":{"limit":9223372036854775808}}"#,
    ),
    (
        "search: token is a number",
        SEARCH,
        r#"{"subject":{"type":"user"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"},"page":{"token":1}}"#,
    ),
    (
        "search: token is none of ours",
        SEARCH,
        r#"{"subject":{"type":"user"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"},"page":{"token":"eyJ9"}}"#,
    ),
    (
        "search: empty token",
        SEARCH,
        r#"{"subject":{"type":"user"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"},"page":{"token":""}}"#,
    ),
    (
        "search: page properties are a list",
        SEARCH,
        r#"{"subject":{"type":"user"},"action":{"name":"read"},"resource":{"type":"record","id":"record-1"},"page":{"properties":[]}}"#,
    ),
];

/// A title, a method and target, headers and a body.
pub(super) const HEADS: &[(&str, &str, &str, &str)] = &[
    (
        "no content type",
        "POST /access/v1/evaluation",
        "Host: x",
        GOOD,
    ),
    (
        "text",
        "POST /access/v1/evaluation",
        "Host: x; Content-Type: text/plain",
        GOOD,
    ),
    (
        "JSON of another kind",
        "POST /access/v1/evaluation",
        "Host: x; Content-Type: application/jsonp",
        GOOD,
    ),
    (
        "content that says it is compressed",
        "POST /access/v1/evaluation",
        "Host: x; Content-Type: application/json; Content-Encoding: gzip",
        GOOD,
    ),
    (
        "content with a coding that is none",
        "POST /access/v1/evaluation",
        "Host: x; Content-Type: application/json; Content-Encoding: identity",
        GOOD,
    ),
    (
        "a slash more",
        "POST /access/v1/evaluation/",
        "Host: x; Content-Type: application/json",
        GOOD,
    ),
    (
        "a letter written as a number",
        "GET /%6fpenapi.json",
        "Host: x",
        "",
    ),
    (
        "form",
        "POST /v1/is_authorized",
        "Host: x; Content-Type: application/x-www-form-urlencoded",
        CEDAR_GOOD,
    ),
    (
        "GET where POST is wanted",
        "GET /access/v1/evaluation",
        "Host: x; Content-Type: application/json",
        GOOD,
    ),
    (
        "PUT where POST is wanted",
        "PUT /access/v1/evaluations",
        "Host: x; Content-Type: application/json",
        GOOD,
    ),
    (
        "HEAD where POST is wanted",
        "HEAD /v1/is_authorized",
        "Host: x",
        "",
    ),
    (
        "OPTIONS where POST is wanted",
        "OPTIONS /v1/batch_is_authorized",
        "Host: x",
        "",
    ),
    (
        "POST where GET is wanted",
        "POST /openapi.json",
        "Host: x; Content-Type: application/json",
        "{}",
    ),
    (
        "unknown method",
        "BREW /access/v1/evaluation",
        "Host: x",
        "",
    ),
    (
        "unknown path",
        "POST /access/v2/evaluation",
        "Host: x; Content-Type: application/json",
        GOOD,
    ),
    (
        "slash at the end",
        "POST /access/v1/evaluation/",
        "Host: x; Content-Type: application/json",
        GOOD,
    ),
    (
        "other case",
        "POST /Access/v1/evaluation",
        "Host: x; Content-Type: application/json",
        GOOD,
    ),
    ("star", "OPTIONS *", "Host: x", ""),
    (
        "no Host",
        "POST /access/v1/evaluation",
        "Content-Type: application/json",
        GOOD,
    ),
    (
        "two Hosts",
        "POST /access/v1/evaluation",
        "Host: x; Host: x; Content-Type: application/json",
        GOOD,
    ),
    (
        "Host that is no host",
        "GET /.well-known/authzen-configuration",
        "Host: a b",
        "",
    ),
    (
        "tenant that is not ours",
        "GET /.well-known/authzen-configuration/other",
        "Host: x",
        "",
    ),
    (
        "query strings are ignored",
        "POST /access/v1/evaluation?x=y",
        "Host: x; Content-Type: application/json",
        GOOD,
    ),
];
