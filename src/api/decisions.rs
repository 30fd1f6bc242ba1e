//! The decisions listener: which path is which endpoint, and what each needs.

use std::{sync::Arc, time::Instant};

use hyper::{Request, StatusCode, body::Incoming};
use tracing::Instrument;

use crate::{
    pdp::{Pdp, Session},
    telemetry::{About, Replies, Tracer},
};

use super::{
    AuthzenOptions, Credentials, Handler, Limits,
    access::{Access, Demand, Peer},
    authzen, body, cedar,
    deadline::Deadline,
    exchange::{self, Addressee},
    offload::{self, Offload},
    proxy::{Adapter, Asked, Gateway},
    reply::{self, Code, Refusal, Reply},
    room::{Kept, Room},
};

mod endpoint;

use endpoint::Endpoint;

/// The `endpoint` label of paths that are none.
const OTHER: &str = "other";

/// The contract.
const OPENAPI: &str = include_str!("openapi.json");

/// Answers callers' questions.
#[derive(Debug)]
pub struct Decisions {
    pdp: Pdp,
    replies: [Replies; Endpoint::ALL.len()],
    /// Those to requests for what is none of the endpoints.
    others: Replies,
    rules: authzen::Rules,
    metadata: authzen::Metadata,
    /// The path of the public URL, under which the endpoints are found too.
    tenant: String,
    limits: Limits,
    offload: Offload,
    /// Searches take seconds where batches take milliseconds: neither waits for the other.
    searches: Offload,
    room: Room,
    access: Access,
    /// `None` is asked by no gateway.
    gateway: Option<Arc<Gateway>>,
    tracer: Option<Tracer>,
}

impl Decisions {
    /// A handler that asks `pdp`.
    pub fn new(pdp: Pdp, options: &AuthzenOptions, limits: Limits) -> Self {
        let public_url = options.public_url.as_ref();
        pdp.metrics.refuses(&Code::ALL.map(Code::as_str));
        Self {
            replies: Endpoint::ALL.map(|it| pdp.metrics.serves(it.label(), it.codes())),
            others: pdp.metrics.serves(OTHER, &[204, 400, 401, 403, 404]),
            pdp,
            rules: options.rules(),
            metadata: authzen::Metadata::new(public_url),
            tenant: public_url.map_or("", |url| url.path()).to_owned(),
            limits,
            offload: Offload::new(),
            searches: Offload::of_half_the_cores(),
            room: Room::of(limits.held_bytes),
            access: Access::default(),
            gateway: None,
            tracer: None,
        }
    }

    /// Answers only those who present one of these.
    #[must_use]
    pub fn demanding(mut self, credentials: Arc<Credentials>) -> Self {
        self.access.demand(credentials);
        self
    }

    /// Answers gateways, too: what they are asked means what this says.
    #[must_use]
    pub fn mapping(mut self, gateway: Arc<Gateway>) -> Self {
        self.gateway = Some(gateway);
        self
    }

    /// Records requests in traces.
    #[must_use]
    pub fn traced(mut self, tracer: Tracer) -> Self {
        self.tracer = Some(tracer);
        self
    }

    fn replies(&self, endpoint: Option<Endpoint>) -> &Replies {
        let label = endpoint.map(Endpoint::label);
        let mut replies = self.replies.iter();
        let known = replies.find(|it| Some(it.endpoint()) == label);
        known.unwrap_or(&self.others)
    }

    fn route(&self, path: &str) -> Option<Endpoint> {
        if self.metadata.is_at(path) {
            return Some(Endpoint::Metadata);
        }
        let endpoint = Endpoint::at(self.below_tenant(path))?;
        let is_there = !endpoint.is_for_gateways() || self.gateway.is_some();
        is_there.then_some(endpoint)
    }

    /// A proxy in front may or may not take the tenant's path away.
    fn below_tenant<'p>(&self, path: &'p str) -> &'p str {
        path.strip_prefix(&self.tenant).unwrap_or(path)
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
        self.answer_at(endpoint, request, peer, about).await
    }

    async fn answer_at(
        &self,
        endpoint: Endpoint,
        request: Request<Incoming>,
        peer: &Peer,
        about: &About,
    ) -> Result<Reply, Refusal> {
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
            Endpoint::Proxy(adapter) => self.ask_for(adapter, &request, about),
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

    /// Decides about the request that a gateway was asked. Gateways send no bodies: one that comes
    /// is left unread, or refused as others are.
    fn ask_for(
        &self,
        adapter: Adapter,
        request: &Request<Incoming>,
        about: &About,
    ) -> Result<Reply, Refusal> {
        body::within_cap(request.body(), &self.limits)?;
        let gateway = self.gateway.as_ref().ok_or_else(Refusal::not_found)?;
        let target = request.uri().path_and_query();
        let asked = Asked {
            adapter,
            method: request.method(),
            target: self.below_tenant(target.map_or("", |it| it.as_str())),
            headers: request.headers(),
        };
        let in_force = self.pdp.reader.borrow();
        let snapshot = in_force.snapshot().ok_or_else(Refusal::no_snapshot)?;
        gateway.answer(&self.pdp.session(snapshot, about), &asked, about)
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
        if offload::inline_queries(text.as_ref().len()) > 0 {
            let in_force = self.pdp.reader.borrow();
            let snapshot = in_force.snapshot().ok_or_else(Refusal::no_snapshot)?;
            let reply = job(&self.pdp.session(snapshot, about), text.as_ref())?;
            return Ok(reply::of_revision(reply, snapshot.revision()));
        }
        let deadline = Deadline::after(self.limits.budget);
        let job = move |session: &Session<'_>, _: &Deadline| job(session, text.as_ref());
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
        let at_most = offload::inline_queries(text.as_ref().len());
        if at_most > 0 {
            let in_force = self.pdp.reader.borrow();
            let snapshot = in_force.snapshot().ok_or_else(Refusal::no_snapshot)?;
            let session = self.pdp.session(snapshot, about);
            if let Some(reply) = job(&session, text.as_ref(), at_most, &deadline)? {
                return Ok(reply::of_revision(reply, snapshot.revision()));
            }
        }
        // The few bodies that are short but ask much are parsed twice; a parsed body borrows
        // from its text and cannot move to another thread.
        let job = move |session: &Session<'_>, deadline: &Deadline| {
            job(session, text.as_ref(), usize::MAX, deadline)?.ok_or_else(Refusal::internal)
        };
        self.elsewhere(about, offload, deadline, job).await
    }

    async fn body(&self, request: Request<Incoming>) -> Result<Kept, Refusal> {
        let text = body::read(request, &self.limits, &self.room).await?;
        self.pdp.metrics.body(text.as_ref().len());
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
        let reply = offload.run(deadline, job).instrument(span).await?;
        self.room.lend(reply).await
    }
}

impl Handler for Decisions {
    async fn handle(&self, mut request: Request<Incoming>, peer: &Peer) -> Reply {
        let started = Instant::now();
        let metrics = &self.pdp.metrics;
        let _in_flight = metrics.in_flight();
        let endpoint = self.route(request.uri().path());
        let replies = self.replies(endpoint);
        let tracer = self.tracer.as_ref();
        let addressee = Addressee {
            label: replies.endpoint(),
            traced: tracer.map(|it| (it, endpoint.map(Endpoint::path))),
        };
        let demand = endpoint.map_or(Demand::Credential, Endpoint::demand);
        let access = (&self.access, demand);
        let (about, admitted) = exchange::admit(&mut request, peer, &addressee, access);
        let answered = match admitted {
            Ok(()) => {
                let span = about.entered();
                let answering = self.answer(endpoint, request, peer, &about);
                exchange::caught(answering, &about).instrument(span).await
            }
            Err(refusal) if demand == Demand::GatewayCredential => Err(refusal.for_gateway()),
            Err(refusal) => Err(refusal),
        };
        let reply = exchange::reply(answered, about, metrics);
        metrics.answered(replies, reply.status().as_u16(), started.elapsed());
        reply
    }
}
