//! The endpoints of the decisions listener: their paths, names, methods and codes.

use hyper::Method;

use crate::api::{access::Demand, authzen::Sought, exchange, proxy::Adapter, reply::Refusal};

#[derive(Clone, Copy, Debug)]
pub(super) enum Endpoint {
    BatchIsAuthorized,
    Evaluation,
    Evaluations,
    IsAuthorized,
    Metadata,
    OpenApi,
    Proxy(Adapter),
    Search(Sought),
}

impl Endpoint {
    pub(super) const ALL: [Self; 12] = [
        Self::BatchIsAuthorized,
        Self::Evaluation,
        Self::Evaluations,
        Self::IsAuthorized,
        Self::Metadata,
        Self::OpenApi,
        Self::Proxy(Adapter::Envoy),
        Self::Proxy(Adapter::Nginx),
        Self::Proxy(Adapter::Traefik),
        Self::Search(Sought::Action),
        Self::Search(Sought::Resource),
        Self::Search(Sought::Subject),
    ];

    /// The endpoint at a path below the tenant's; all but the metadata.
    pub(super) fn at(path: &str) -> Option<Self> {
        match path {
            "/access/v1/evaluation" => Some(Self::Evaluation),
            "/access/v1/evaluations" => Some(Self::Evaluations),
            "/access/v1/search/action" => Some(Self::Search(Sought::Action)),
            "/access/v1/search/resource" => Some(Self::Search(Sought::Resource)),
            "/access/v1/search/subject" => Some(Self::Search(Sought::Subject)),
            "/openapi.json" => Some(Self::OpenApi),
            "/v1/batch_is_authorized" => Some(Self::BatchIsAuthorized),
            "/v1/is_authorized" => Some(Self::IsAuthorized),
            path => Adapter::at(path).map(Self::Proxy),
        }
    }

    /// Its path, without the tenant's, as a template.
    pub(super) fn path(self) -> &'static str {
        match self {
            Self::BatchIsAuthorized => "/v1/batch_is_authorized",
            Self::Evaluation => "/access/v1/evaluation",
            Self::Evaluations => "/access/v1/evaluations",
            Self::IsAuthorized => "/v1/is_authorized",
            Self::Metadata => "/.well-known/authzen-configuration",
            Self::OpenApi => "/openapi.json",
            Self::Proxy(adapter) => adapter.route(),
            Self::Search(Sought::Action) => "/access/v1/search/action",
            Self::Search(Sought::Resource) => "/access/v1/search/resource",
            Self::Search(Sought::Subject) => "/access/v1/search/subject",
        }
    }

    /// The `endpoint` label.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::BatchIsAuthorized => "batch_is_authorized",
            Self::Evaluation => "evaluation",
            Self::Evaluations => "evaluations",
            Self::IsAuthorized => "is_authorized",
            Self::Metadata => "metadata",
            Self::OpenApi => "openapi",
            Self::Proxy(adapter) => adapter.label(),
            Self::Search(Sought::Action) => "search_action",
            Self::Search(Sought::Resource) => "search_resource",
            Self::Search(Sought::Subject) => "search_subject",
        }
    }

    /// The codes it answers with.
    pub(super) fn codes(self) -> &'static [u16] {
        match self {
            Self::BatchIsAuthorized
            | Self::Evaluation
            | Self::Evaluations
            | Self::IsAuthorized
            | Self::Search(_) => &[200, 400, 401, 403, 405, 408, 413, 500, 503],
            Self::Metadata | Self::OpenApi => &[200, 400, 403, 405, 500],
            Self::Proxy(_) => &[200, 400, 401, 403, 413, 500, 503],
        }
    }

    /// Whether it is asked by gateways, if there are any.
    pub(super) fn is_for_gateways(self) -> bool {
        matches!(self, Self::Proxy(_))
    }

    /// What callers have to present: nothing for what tells how to ask, which comes first.
    pub(super) fn demand(self) -> Demand {
        match self {
            Self::BatchIsAuthorized
            | Self::Evaluation
            | Self::Evaluations
            | Self::IsAuthorized
            | Self::Search(_) => Demand::Credential,
            Self::Metadata | Self::OpenApi => Demand::Nothing,
            Self::Proxy(_) => Demand::GatewayCredential,
        }
    }

    pub(super) fn allows(self, method: &Method) -> Result<(), Refusal> {
        match self {
            Self::BatchIsAuthorized
            | Self::Evaluation
            | Self::Evaluations
            | Self::IsAuthorized
            | Self::Search(_) => exchange::only_post(method),
            Self::Metadata | Self::OpenApi => exchange::only_get(method),
            // Some gateways ask with the method that they were asked with.
            Self::Proxy(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::{super::OPENAPI, *};

    #[test]
    fn the_contract_lists_every_endpoint_with_the_codes_it_answers_with() {
        let contract: Value = serde_json::from_str(OPENAPI).unwrap();
        let mut found = BTreeSet::new();
        for (path, methods) in contract["paths"].as_object().unwrap() {
            // Those of the admin listener name it.
            if methods.get("servers").is_some() {
                continue;
            }
            let (_, operation) = methods.as_object().unwrap().iter().next().unwrap();
            let endpoint = match path.as_str() {
                "/.well-known/authzen-configuration" => Endpoint::Metadata,
                path => Endpoint::at(path).unwrap_or_else(|| panic!("{path} is none of ours")),
            };
            let listed = operation["responses"].as_object().unwrap().keys();
            let listed = listed.map(|code| code.parse().unwrap());
            // What is not there counts as another endpoint.
            let listed: Vec<u16> = listed.filter(|code| *code != 404).collect();
            assert_eq!(listed, endpoint.codes(), "{path}");
            assert_eq!(endpoint.path(), path);
            found.insert(endpoint.label());
        }
        assert_eq!(found, Endpoint::ALL.map(Endpoint::label).into());
    }
}
