//! The decisions listener: which path is which endpoint, and what each needs.

use std::{sync::Arc, time::Instant};

use hyper::{
    Method, Request, StatusCode,
    body::{Bytes, Incoming},
};
use tracing::Instrument;

use crate::{
    pdp::{Pdp, Session},
    telemetry::About,
};

use super::{
    AuthzenOptions, Credentials, Handler, Limits,
    access::{Access, Peer},
    authzen::{self, Sought},
    body, cedar,
    deadline::Deadline,
    exchange,
    offload::{self, Offload},
    reply::{self, Code, Refusal, Reply},
};

/// The `endpoint` label of paths that are none.
const OTHER: &str = "other";

const OPENAPI: &str = include_str!("openapi.json");

/// Answers callers' questions.
#[derive(Debug)]
pub struct Decisions {
    pdp: Pdp,
    rules: authzen::Rules,
    metadata: authzen::Metadata,
    /// The path of the public URL, under which the endpoints are found too.
    tenant: String,
    limits: Limits,
    offload: Offload,
    /// Searches take seconds where batches take milliseconds: neither waits for the other.
    searches: Offload,
    access: Access,
}

impl Decisions {
    /// A handler that asks `pdp`.
    pub fn new(pdp: Pdp, options: &AuthzenOptions, limits: Limits) -> Self {
        let public_url = options.public_url.as_ref();
        let known = Endpoint::ALL.map(|it| (it.label(), it.codes()));
        let endpoints = [&known[..], &[(OTHER, &[204, 400, 401, 403, 404])]].concat();
        pdp.metrics.serves(&endpoints, &Code::ALL.map(Code::as_str));
        Self {
            pdp,
            rules: options.rules(),
            metadata: authzen::Metadata::new(public_url),
            tenant: public_url.map_or("", |url| url.path()).to_owned(),
            limits,
            offload: Offload::new(),
            searches: Offload::of_half_the_cores(),
            access: Access::default(),
        }
    }

    /// Answers only those who present one of these.
    #[must_use]
    pub fn demanding(mut self, credentials: Arc<Credentials>) -> Self {
        self.access.demand(credentials);
        self
    }

    fn route(&self, path: &str) -> Option<Endpoint> {
        if self.metadata.is_at(path) {
            return Some(Endpoint::Metadata);
        }
        // A proxy in front may or may not take the tenant's path away.
        Endpoint::at(path.strip_prefix(&self.tenant).unwrap_or(path))
    }

    async fn answer(
        &self,
        endpoint: Option<Endpoint>,
        request: Request<Incoming>,
        peer: &Peer,
        about: &About,
    ) -> Result<Reply, Refusal> {
        if exchange::is_for_the_whole_server(&request) {
            return Ok(reply::whole_server());
        }
        let endpoint = endpoint.ok_or_else(Refusal::not_found)?;
        endpoint.allows(request.method())?;
        let (rules, limits) = (self.rules, self.limits);
        match endpoint {
            Endpoint::Metadata => about.say(|| self.metadata.answer(&request, peer)),
            Endpoint::OpenApi => Ok(reply::json_text(StatusCode::OK, OPENAPI)),
            Endpoint::BatchIsAuthorized => {
                self.decide(
                    request,
                    about,
                    &self.offload,
                    move |session, text, at_most, deadline| {
                        cedar::batch_is_authorized(session, text, &limits, at_most, deadline)
                    },
                )
                .await
            }
            Endpoint::Evaluation => {
                self.decide_one(request, about, move |session, text| {
                    authzen::evaluation(session, text, rules, &limits)
                })
                .await
            }
            Endpoint::Evaluations => {
                self.decide(
                    request,
                    about,
                    &self.offload,
                    move |session, text, at_most, deadline| {
                        authzen::evaluations(session, text, rules, &limits, at_most, deadline)
                    },
                )
                .await
            }
            Endpoint::IsAuthorized => {
                self.decide_one(request, about, move |session, text| {
                    cedar::is_authorized(session, text, &limits)
                })
                .await
            }
            Endpoint::Search(sought) => {
                self.decide(
                    request,
                    about,
                    &self.searches,
                    move |session, text, at_most, deadline| {
                        authzen::search(session, text, sought, rules, &limits, at_most, deadline)
                    },
                )
                .await
            }
        }
    }

    /// Reads the body and runs a job that decides one query, whatever the body says: here if the
    /// body is short, on a thread for long work if not.
    async fn decide_one<F>(
        &self,
        request: Request<Incoming>,
        about: &About,
        job: F,
    ) -> Result<Reply, Refusal>
    where
        F: Fn(&Session<'_>, &[u8]) -> Result<Reply, Refusal> + Send + 'static,
    {
        let text = self.body(request).await?;
        if offload::inline_queries(text.len()) > 0 {
            let in_force = self.pdp.reader.borrow();
            let snapshot = in_force.snapshot().ok_or_else(Refusal::no_snapshot)?;
            let reply = job(&self.pdp.session(snapshot, about), &text)?;
            return Ok(reply::of_revision(reply, snapshot.revision()));
        }
        let deadline = Deadline::after(self.limits.budget);
        let job = move |session: &Session<'_>, _: &Deadline| job(session, &text);
        self.elsewhere(about, &self.offload, deadline, job).await
    }

    /// Reads the body and runs a job that may decide many queries: here if few are asked, on a
    /// thread for long work if not.
    ///
    /// The job is given how many queries it may decide, and answers `None` if there are more; and
    /// until when it may go on.
    async fn decide<F>(
        &self,
        request: Request<Incoming>,
        about: &About,
        offload: &Offload,
        job: F,
    ) -> Result<Reply, Refusal>
    where
        F: Fn(&Session<'_>, &[u8], usize, &Deadline) -> Result<Option<Reply>, Refusal>
            + Send
            + 'static,
    {
        let text = self.body(request).await?;
        let deadline = Deadline::after(self.limits.budget);
        let at_most = offload::inline_queries(text.len());
        if at_most > 0 {
            let in_force = self.pdp.reader.borrow();
            let snapshot = in_force.snapshot().ok_or_else(Refusal::no_snapshot)?;
            let session = self.pdp.session(snapshot, about);
            if let Some(reply) = job(&session, &text, at_most, &deadline)? {
                return Ok(reply::of_revision(reply, snapshot.revision()));
            }
        }
        // The few bodies that are short but ask much are parsed twice; a parsed body borrows
        // from its text and cannot move to another thread.
        let job = move |session: &Session<'_>, deadline: &Deadline| {
            job(session, &text, usize::MAX, deadline)?.ok_or_else(Refusal::internal)
        };
        self.elsewhere(about, offload, deadline, job).await
    }

    async fn body(&self, request: Request<Incoming>) -> Result<Bytes, Refusal> {
        let text = body::read(request, &self.limits).await?;
        self.pdp.metrics.body(text.len());
        Ok(text)
    }

    /// Runs a job on a thread for long work.
    async fn elsewhere<F>(
        &self,
        about: &About,
        offload: &Offload,
        deadline: Deadline,
        job: F,
    ) -> Result<Reply, Refusal>
    where
        F: FnOnce(&Session<'_>, &Deadline) -> Result<Reply, Refusal> + Send + 'static,
    {
        let pdp = self.pdp.clone();
        let snapshot = pdp.reader.current().ok_or_else(Refusal::no_snapshot)?;
        let span = about.span().clone();
        let about = about.clone();
        let job = move |deadline: &Deadline| {
            let reply = job(&pdp.session(&snapshot, &about), deadline)?;
            Ok(reply::of_revision(reply, snapshot.revision()))
        };
        offload.run(deadline, job).instrument(span).await
    }
}

impl Handler for Decisions {
    async fn handle(&self, mut request: Request<Incoming>, peer: &Peer) -> Reply {
        let started = Instant::now();
        let metrics = &self.pdp.metrics;
        let _in_flight = metrics.in_flight();
        let endpoint = self.route(request.uri().path());
        let label = endpoint.map_or(OTHER, Endpoint::label);
        let mut about = exchange::about(&request, peer, label);
        let access = (&self.access, endpoint.is_some_and(Endpoint::is_open));
        let answered = match exchange::admit(&mut request, peer, access, &mut about) {
            Ok(()) => {
                let span = about.entered();
                let answering = self.answer(endpoint, request, peer, &about);
                exchange::caught(answering, &about).instrument(span).await
            }
            Err(refusal) => Err(refusal),
        };
        let reply = exchange::reply(answered, about, metrics);
        metrics.answered(label, reply.status().as_u16(), started.elapsed());
        reply
    }
}

#[derive(Clone, Copy, Debug)]
enum Endpoint {
    BatchIsAuthorized,
    Evaluation,
    Evaluations,
    IsAuthorized,
    Metadata,
    OpenApi,
    Search(Sought),
}

impl Endpoint {
    const ALL: [Self; 9] = [
        Self::BatchIsAuthorized,
        Self::Evaluation,
        Self::Evaluations,
        Self::IsAuthorized,
        Self::Metadata,
        Self::OpenApi,
        Self::Search(Sought::Action),
        Self::Search(Sought::Resource),
        Self::Search(Sought::Subject),
    ];

    /// The endpoint at a path below the tenant's; all but the metadata.
    fn at(path: &str) -> Option<Self> {
        match path {
            "/access/v1/evaluation" => Some(Self::Evaluation),
            "/access/v1/evaluations" => Some(Self::Evaluations),
            "/access/v1/search/action" => Some(Self::Search(Sought::Action)),
            "/access/v1/search/resource" => Some(Self::Search(Sought::Resource)),
            "/access/v1/search/subject" => Some(Self::Search(Sought::Subject)),
            "/openapi.json" => Some(Self::OpenApi),
            "/v1/batch_is_authorized" => Some(Self::BatchIsAuthorized),
            "/v1/is_authorized" => Some(Self::IsAuthorized),
            _ => None,
        }
    }

    /// The `endpoint` label.
    fn label(self) -> &'static str {
        match self {
            Self::BatchIsAuthorized => "batch_is_authorized",
            Self::Evaluation => "evaluation",
            Self::Evaluations => "evaluations",
            Self::IsAuthorized => "is_authorized",
            Self::Metadata => "metadata",
            Self::OpenApi => "openapi",
            Self::Search(Sought::Action) => "search_action",
            Self::Search(Sought::Resource) => "search_resource",
            Self::Search(Sought::Subject) => "search_subject",
        }
    }

    /// The codes it answers with.
    fn codes(self) -> &'static [u16] {
        match self {
            Self::BatchIsAuthorized
            | Self::Evaluation
            | Self::Evaluations
            | Self::IsAuthorized
            | Self::Search(_) => &[200, 400, 401, 403, 405, 408, 413, 500, 503],
            Self::Metadata | Self::OpenApi => &[200, 400, 403, 405, 500],
        }
    }

    /// Whether it is answered to callers without credentials: what tells how to ask comes first.
    fn is_open(self) -> bool {
        match self {
            Self::BatchIsAuthorized
            | Self::Evaluation
            | Self::Evaluations
            | Self::IsAuthorized
            | Self::Search(_) => false,
            Self::Metadata | Self::OpenApi => true,
        }
    }

    fn allows(self, method: &Method) -> Result<(), Refusal> {
        match self {
            Self::BatchIsAuthorized
            | Self::Evaluation
            | Self::Evaluations
            | Self::IsAuthorized
            | Self::Search(_) => exchange::only_post(method),
            Self::Metadata | Self::OpenApi => exchange::only_get(method),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

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
            found.insert(endpoint.label());
        }
        assert_eq!(found, Endpoint::ALL.map(Endpoint::label).into());
    }
}
