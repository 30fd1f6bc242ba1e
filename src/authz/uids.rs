//! Entity uids as people and programs write them.

use std::str::FromStr;

use cedar_policy::{EntityId, EntityTypeName, EntityUid};

use super::{Json, Object, engine};

/// A uid in Cedar's syntax (`Type::"id"`) or its JSON forms (`{"type","id"}`, or that in `__entity`).
pub(super) fn parse(json: &Json<'_>) -> Result<EntityUid, String> {
    match json {
        Json::String(text) => from_cedar(text),
        Json::Object(object) => {
            let object = object
                .get("__entity")
                .and_then(Json::as_object)
                .unwrap_or(object);
            from_object(object)
        }
        Json::Array(_) | Json::Bool(_) | Json::Float(_) | Json::Int(_) | Json::Null => {
            Err(format!("expected an entity uid, found {}", json.kind()))
        }
    }
}

/// A uid in Cedar's syntax; what is none, as it was written.
pub(super) fn text(json: &Json<'_>) -> String {
    if let Json::String(text) = json
        && is_plain(text)
    {
        return text.as_ref().to_owned();
    }
    parse(json).map_or_else(|_| json.to_value().to_string(), |uid| uid.to_string())
}

/// Whether it is the text of a uid that can be written in one way only, as most are.
fn is_plain(text: &str) -> bool {
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':');
    let is_of_id = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'\'');
    let parts = text.strip_suffix('"').and_then(|it| it.split_once("::\""));
    parts.is_some_and(|(kind, id)| kind.bytes().all(is_of_name) && id.bytes().all(is_of_id))
}

/// A uid in Cedar's syntax, escaped in any of the ways Cedar knows.
pub(super) fn from_cedar(text: &str) -> Result<EntityUid, String> {
    if let Ok(uid) = EntityUid::from_str(text) {
        return Ok(uid);
    }
    // Cedar's own parser of single uids takes only the one form in which it writes them.
    let wrong = || format!("`{text}` is not an entity uid: write it as `Type::\"id\"`");
    let (name, rest) = text.trim().split_once('"').ok_or_else(wrong)?;
    let name = name.trim_end().strip_suffix("::").ok_or_else(wrong)?;
    let id = rest.strip_suffix('"').filter(|id| !ends_early(id));
    let id = engine::unescape(id.ok_or_else(wrong)?).ok_or_else(wrong)?;
    from_parts(name.trim(), &id)
}

/// Whether a quote that is not escaped ends the string before its end.
fn ends_early(id: &str) -> bool {
    let mut escaped = false;
    for c in id.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return true,
            _ => {}
        }
    }
    escaped
}

/// A uid of a type's name and an id as it is.
pub(super) fn from_parts(type_name: &str, id: &str) -> Result<EntityUid, String> {
    let type_name = EntityTypeName::from_str(type_name)
        .map_err(|_| format!("`{type_name}` is not the name of an entity type"))?;
    Ok(EntityUid::from_type_name_and_id(
        type_name,
        EntityId::new(id),
    ))
}

fn from_object(object: &Object<'_>) -> Result<EntityUid, String> {
    let part = |key: &str| {
        let value = object.get(key).and_then(Json::as_str);
        value.ok_or_else(|| format!("an entity uid needs the string `{key}`"))
    };
    from_parts(part("type")?, part("id")?)
}
