//! The file of a mapping: TOML, of which every key is known and every name means something.

use std::collections::BTreeMap;

use hyper::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue, PROXY_AUTHORIZATION};
use serde::Deserialize;
use toml::Spanned;

use crate::api::{
    access::GATEWAY_AUTHORIZATION,
    proxy::{
        pattern::{Part, Pattern, Source},
        template::{Template, is_name},
    },
};

use super::{
    Asks, GatewayMapping, Named, Route,
    wrong::{BadMapping, MAX_ROUTES, Wrong},
};

/// What no browser takes for something it could do.
const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Gateway realm="palisade""#);

/// Names that a route's own cannot be.
const PRINCIPAL: &str = "principal";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    reasons: bool,
    challenge: Option<Spanned<String>>,
    #[serde(default)]
    constants: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    headers: BTreeMap<String, Spanned<String>>,
    principal: Entity,
    #[serde(default)]
    route: Vec<RouteTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entity {
    #[serde(rename = "type")]
    type_name: Spanned<String>,
    id: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteTable {
    methods: Spanned<Vec<String>>,
    path: Spanned<String>,
    #[serde(default)]
    public: bool,
    action: Option<Spanned<String>>,
    resource: Option<Entity>,
    #[serde(default)]
    context: BTreeMap<String, Spanned<String>>,
}

pub(super) fn parse(bytes: &[u8]) -> Result<GatewayMapping, BadMapping> {
    let text = str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        Wrong::NotText.at(line(before))
    })?;
    let file: File = toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let before = text.as_bytes().get(..start).unwrap_or_default();
        Wrong::Syntax(error.message().to_owned()).at(line(before))
    })?;
    let reading = Reading::new(text, &file)?;
    let principal = reading.entity(&file.principal, &[], false)?;
    if !principal.id.has_header() {
        return Err(reading.at(&file.principal.id, Wrong::Principal));
    }
    let mut routes: Vec<Route> = Vec::new();
    for table in &file.route {
        let route = reading.route(table)?;
        if let Some(by) = shadow(&routes, &route) {
            return Err(Wrong::Shadowed { by }.at(route.line));
        }
        if routes.len() == MAX_ROUTES {
            return Err(Wrong::TooMany.at(route.line));
        }
        routes.push(route);
    }
    Ok(GatewayMapping {
        reasons: file.reasons,
        challenge: reading.challenge(file.challenge.as_ref())?,
        principal,
        routes,
    })
}

/// The route that leaves nothing for this one: all its methods are taken, the last one by it.
fn shadow(before: &[Route], route: &Route) -> Option<usize> {
    let mut last = None;
    for method in &route.methods {
        let takes =
            |it: &&Route| it.methods.contains(method) && it.template.covers(&route.template);
        last = Some(before.iter().find(takes)?.line);
    }
    last
}

/// A file while it is read.
struct Reading<'f> {
    text: &'f str,
    /// What names mean in every route.
    names: BTreeMap<&'f str, Part>,
}

impl<'f> Reading<'f> {
    fn new(text: &'f str, file: &'f File) -> Result<Self, BadMapping> {
        let names = BTreeMap::new();
        let mut reading = Self { text, names };
        for (name, value) in &file.constants {
            let constant = Part::Text(value.get_ref().clone());
            reading.name(name, value, constant)?;
        }
        for (name, value) in &file.headers {
            let header = reading.header(value)?;
            reading.name(name, value, Part::Value(Source::Header(header)))?;
        }
        Ok(reading)
    }

    fn name(
        &mut self,
        name: &'f str,
        value: &Spanned<String>,
        meaning: Part,
    ) -> Result<(), BadMapping> {
        if !is_name(name) {
            return Err(self.at(value, Wrong::Name(name.to_owned())));
        }
        if value.get_ref().is_empty() {
            return Err(self.at(value, Wrong::Empty("a constant")));
        }
        if name == PRINCIPAL || self.names.insert(name, meaning).is_some() {
            return Err(self.at(value, Wrong::NameTwice(name.to_owned())));
        }
        Ok(())
    }

    fn header(&self, name: &Spanned<String>) -> Result<HeaderName, BadMapping> {
        let text = name.get_ref();
        let header = HeaderName::from_bytes(text.as_bytes());
        let header = header.map_err(|_| self.at(name, Wrong::Header(text.clone())))?;
        let secrets = [
            AUTHORIZATION,
            COOKIE,
            GATEWAY_AUTHORIZATION,
            PROXY_AUTHORIZATION,
        ];
        if secrets.contains(&header) {
            return Err(self.at(name, Wrong::Secret(text.clone())));
        }
        Ok(header)
    }

    fn challenge(&self, said: Option<&Spanned<String>>) -> Result<HeaderValue, BadMapping> {
        let Some(said) = said else {
            return Ok(CHALLENGE);
        };
        HeaderValue::from_str(said.get_ref()).map_err(|_| self.at(said, Wrong::Challenge))
    }

    fn route(&self, table: &RouteTable) -> Result<Route, BadMapping> {
        let methods = table.methods.get_ref();
        if methods.iter().any(|method| method == "HEAD") {
            return Err(self.at(&table.methods, Wrong::Head));
        }
        if methods.is_empty() || !methods.iter().all(|method| is_method(method)) {
            return Err(self.at(&table.methods, Wrong::Methods));
        }
        let path = table.path.get_ref();
        let template = Template::parse(path).map_err(|why| {
            let text = path.clone();
            self.at(&table.path, Wrong::Template { text, why })
        })?;
        for name in template.names() {
            if name == PRINCIPAL || self.names.contains_key(name.as_str()) {
                return Err(self.at(&table.path, Wrong::NameTwice(name.clone())));
            }
        }
        let asks = self.asks(table, template.names())?;
        let meaning = match (&asks, &table.resource) {
            (Some(asks), Some(resource)) => {
                let (kind, id) = (&asks.resource.type_name, resource.id.get_ref());
                format!("{} on {kind} {id}", asks.action)
            }
            _ => "public".to_owned(),
        };
        Ok(Route {
            shown: format!("{} {path}: {meaning}", methods.join(", ")),
            methods: methods.clone(),
            template,
            asks,
            line: self.line(&table.path),
        })
    }

    fn asks(&self, table: &RouteTable, found: &[String]) -> Result<Option<Asks>, BadMapping> {
        let asks = match (&table.action, &table.resource) {
            (None, None) if table.public && table.context.is_empty() => return Ok(None),
            _ if table.public => return Err(self.at(&table.path, Wrong::PublicAsks)),
            (Some(action), Some(resource)) => (action, resource),
            (None, _) | (_, None) => return Err(self.at(&table.path, Wrong::Incomplete)),
        };
        let (action, resource) = asks;
        if action.get_ref().is_empty() {
            return Err(self.at(action, Wrong::Empty("action")));
        }
        let context = table.context.iter().map(|(key, value)| {
            let pattern = self.pattern(value, found, true)?;
            Ok((key.clone(), pattern))
        });
        Ok(Some(Asks {
            action: action.get_ref().clone(),
            resource: self.entity(resource, found, true)?,
            context: context.collect::<Result<_, BadMapping>>()?,
        }))
    }

    fn entity(
        &self,
        entity: &Entity,
        found: &[String],
        has_principal: bool,
    ) -> Result<Named, BadMapping> {
        if entity.type_name.get_ref().is_empty() {
            return Err(self.at(&entity.type_name, Wrong::Empty("type")));
        }
        Ok(Named {
            type_name: entity.type_name.get_ref().clone(),
            id: self.pattern(&entity.id, found, has_principal)?,
        })
    }

    /// A pattern in which the template's names may be, and maybe the principal's.
    fn pattern(
        &self,
        said: &Spanned<String>,
        found: &[String],
        has_principal: bool,
    ) -> Result<Pattern, BadMapping> {
        let meaning = |name: &str| match found.iter().position(|it| it == name) {
            Some(at) => Some(Part::Value(Source::Found(at))),
            None if name == PRINCIPAL && has_principal => Some(Part::Value(Source::Principal)),
            None => self.names.get(name).cloned(),
        };
        let known = || {
            let own = found.iter().map(String::as_str);
            let principal = has_principal.then_some(PRINCIPAL);
            let all = own.chain(self.names.keys().copied()).chain(principal);
            let all: Vec<String> = all.map(|name| format!("`{name}`")).collect();
            all.join(", ")
        };
        Pattern::parse(said.get_ref(), meaning, known).map_err(|why| {
            let text = said.get_ref().clone();
            self.at(said, Wrong::Pattern { text, why })
        })
    }

    fn at<T>(&self, said: &Spanned<T>, wrong: Wrong) -> BadMapping {
        wrong.at(self.line(said))
    }

    fn line<T>(&self, said: &Spanned<T>) -> usize {
        let before = self.text.as_bytes().get(..said.span().start);
        line(before.unwrap_or_default())
    }
}

/// The line that comes after these bytes, counted from 1.
fn line(before: &[u8]) -> usize {
    before.iter().filter(|byte| **byte == b'\n').count() + 1
}

fn is_method(method: &str) -> bool {
    let is_of_method = |byte: u8| byte.is_ascii_uppercase() || byte == b'-';
    !method.is_empty() && method.bytes().all(is_of_method)
}
