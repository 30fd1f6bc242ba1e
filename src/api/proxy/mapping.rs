//! What requests that gateways are asked mean: in which order routes are looked at, and what they ask.

use std::borrow::Cow;

use hyper::header::HeaderValue;

use crate::authz::Snapshot;

use super::{
    pattern::Pattern,
    target::{Ambiguous, Target},
    template::Template,
};

mod file;
mod wrong;

pub use wrong::BadMapping;

/// What the requests of one application mean, as a file says it.
#[derive(Debug)]
pub struct GatewayMapping {
    /// Whether denials tell their reasons.
    pub(super) reasons: bool,
    /// How whoever is not known may say who it is.
    pub(super) challenge: HeaderValue,
    pub(super) principal: Named,
    routes: Vec<Route>,
}

/// An entity whose id is of the request.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) type_name: String,
    pub(super) id: Pattern,
}

#[derive(Debug)]
struct Route {
    methods: Vec<String>,
    template: Template,
    /// `None` lets everybody through.
    asks: Option<Asks>,
    /// Where it stands in the file.
    line: usize,
    /// The route in one line.
    shown: String,
}

/// What a route asks.
#[derive(Debug)]
pub(super) struct Asks {
    pub(super) action: String,
    pub(super) resource: Named,
    pub(super) context: Vec<(String, Pattern)>,
}

/// The route of a request.
pub(super) enum Found<'m, 't> {
    Asks(&'m Asks, Vec<Cow<'t, str>>),
    Public,
}

impl GatewayMapping {
    /// Parses a file.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadMapping> {
        file::parse(bytes)
    }

    /// The routes in their order, each in one line.
    pub fn routes(&self) -> impl Iterator<Item = &str> {
        self.routes.iter().map(|route| route.shown.as_str())
    }

    /// The lines of routes that ask what the schema does not know, and what that is.
    pub fn undeclared(&self, snapshot: &Snapshot) -> Vec<(usize, String)> {
        let asking = self
            .routes
            .iter()
            .filter_map(|route| Some((route.line, route.asks.as_ref()?)));
        let principal = &self.principal.type_name;
        let unknown = asking.filter_map(|(line, asks)| {
            let why = snapshot.undeclared(principal, &asks.action, &asks.resource.type_name)?;
            Some((line, why))
        });
        unknown.collect()
    }

    /// The first route that names the method and the target. A HEAD is what a GET would be: the
    /// upstream does for it all that it does for a GET.
    pub(super) fn find<'t>(
        &self,
        method: &str,
        target: &Target<'t>,
    ) -> Result<Option<Found<'_, 't>>, Ambiguous> {
        let method = if method == "HEAD" { "GET" } else { method };
        for route in &self.routes {
            if !route.methods.iter().any(|it| it == method) {
                continue;
            }
            if let Some(values) = route.template.values(target)? {
                let found = route.asks.as_ref();
                return Ok(Some(match found {
                    Some(asks) => Found::Asks(asks, values),
                    None => Found::Public,
                }));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
