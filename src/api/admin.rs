//! The admin listener: health, metrics, what is in force, and why a decision came out as it did.

use std::{sync::Arc, time::SystemTime};

use hyper::{
    Request, StatusCode,
    body::Incoming,
    header::{CACHE_CONTROL, HOST, HeaderValue},
};
use tracing::Instrument;

use crate::{
    authz::Snapshot,
    pdp::Pdp,
    store::{Candidates, Override},
    telemetry::{About, Metrics, Reading, Status},
};

use super::{
    Credentials, Handler, Limits,
    access::{Access, Demand, Peer},
    authzen::explain,
    body,
    computed::{Computed, Missing},
    deadline::Deadline,
    exchange::{self, Addressee},
    offload::{INLINE_BODY_BYTES, Offload},
    page::{Page, Seen},
    reply::{self, Refusal, Reply},
    room::Room,
};

mod by_hand;
mod endpoint;
mod health;
mod matrix;
mod pages;

use by_hand::Wish;
use endpoint::Endpoint;

/// The type of Prometheus' text format.
const METRICS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
/// What is true now may not be true when it is asked again.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Answers operators' questions.
#[derive(Debug)]
pub struct Admin {
    pdp: Pdp,
    metrics: Arc<Metrics>,
    status: Arc<Status>,
    /// Who may be asked to put something else in force; `None` if nobody may.
    by_hand: Option<Arc<dyn Override>>,
    /// What may be compared with what is in force.
    candidates: Option<Arc<dyn Candidates>>,
    page: Arc<Page>,
    limits: Limits,
    room: Room,
    offload: Offload,
    /// Apart from the rest: whoever rolls back does not wait for a matrix.
    by_hand_offload: Offload,
    access: Access,
}

impl Admin {
    /// A handler that shows what `pdp`, `metrics` and `status` know.
    pub fn new(pdp: Pdp, metrics: Arc<Metrics>, status: Arc<Status>) -> Self {
        Self {
            pdp,
            metrics,
            status,
            by_hand: None,
            candidates: None,
            page: Arc::new(Page::new()),
            limits: Limits::default(),
            room: Room::of(Limits::default().held_bytes),
            offload: Offload::new(),
            by_hand_offload: Offload::of_half_the_cores(),
            access: Access::default(),
        }
    }

    /// Lets callers put something else in force.
    #[must_use]
    pub fn overriding(mut self, by_hand: Arc<dyn Override>) -> Self {
        self.by_hand = Some(by_hand);
        self
    }

    /// Lets callers see what these would change.
    #[must_use]
    pub fn comparing(mut self, candidates: Arc<dyn Candidates>) -> Self {
        self.candidates = Some(candidates);
        self
    }

    /// Answers only those who present one of these.
    #[must_use]
    pub fn demanding(mut self, credentials: Arc<Credentials>) -> Self {
        self.access.demand(credentials);
        self
    }

    async fn answer(
        &self,
        endpoint: Option<Endpoint>,
        request: Request<Incoming>,
        about: &About,
    ) -> Result<Reply, Refusal> {
        if exchange::is_for_the_whole_server(&request) {
            return Ok(reply::whole_server());
        }
        let endpoint = endpoint.ok_or_else(Refusal::not_found)?;
        endpoint.allows(request.method())?;
        let mut reply = match endpoint {
            Endpoint::Accept => self.fulfil_named(Wish::Accept, request, about).await,
            Endpoint::Explain => self.explain(request, about).await,
            Endpoint::Livez => Ok(health::live()),
            Endpoint::Matrix => self.matrix(request.uri().query()).await,
            Endpoint::Metrics => self.render(),
            Endpoint::Page => self.page(&request).await,
            Endpoint::Pin => self.fulfil_named(Wish::Pin, request, about).await,
            Endpoint::Policies => self.of_snapshot(|it| Ok(pages::policies(it))),
            Endpoint::Readyz => health::ready(&self.status.read(), request.uri().query()),
            Endpoint::Schema => self.of_snapshot(pages::schema),
            Endpoint::Status => Ok(pages::status(&self.status.read())),
            Endpoint::Unpin => {
                let by_hand = self.by_hand(&request)?;
                self.fulfil(by_hand, Wish::Unpin, about).await
            }
        }?;
        reply.headers_mut().insert(CACHE_CONTROL, NO_STORE);
        Ok(reply)
    }

    fn deadline(&self) -> Deadline {
        Deadline::after(self.limits.budget)
    }

    fn snapshot(&self) -> Result<Arc<Snapshot>, Refusal> {
        let in_force = self.pdp.reader.current();
        in_force.ok_or_else(Refusal::no_snapshot)
    }

    /// A page about the snapshot in force.
    fn of_snapshot(
        &self,
        page: impl FnOnce(&Snapshot) -> Result<Reply, Refusal>,
    ) -> Result<Reply, Refusal> {
        let snapshot = self.snapshot()?;
        let reply = page(&snapshot)?;
        Ok(reply::of_revision(reply, snapshot.revision()))
    }

    /// The matrix takes a second when it is first asked for, and so does what is behind it.
    async fn matrix(&self, query: Option<&str>) -> Result<Reply, Refusal> {
        self.computed(query, |computed, _| match computed {
            Ok(computed) => Ok(matrix::matrix(&computed)),
            Err(Missing::NoSpec) => Err(Refusal::absent("no spec says what a matrix is made of")),
            Err(Missing::Broken(rejection)) => {
                tracing::error!("the spec is broken:\n{rejection}");
                Err(Refusal::internal())
            }
        })
        .await
    }

    /// The same for people, who also want to see what is wrong.
    async fn page(&self, request: &Request<Incoming>) -> Result<Reply, Refusal> {
        let page = Arc::clone(&self.page);
        let host = request.headers().get(HOST);
        let host = host.and_then(|it| it.to_str().ok()).unwrap_or_default();
        let (host, names) = (host.to_owned(), self.candidate_names());
        self.computed(request.uri().query(), move |computed, facts| {
            let (snapshot, reading) = facts;
            let now = SystemTime::now();
            let seen = Seen {
                snapshot,
                reading,
                computed: computed.as_ref(),
                names: &names,
                host: &host,
                now,
            };
            Ok(page.show(&seen))
        })
        .await
    }

    fn candidate_names(&self) -> Vec<String> {
        self.candidates
            .as_ref()
            .map_or_else(Vec::new, |it| it.names())
    }

    /// Shows the matrix of the snapshot in force, compared with what the query names.
    async fn computed(
        &self,
        query: Option<&str>,
        show: impl FnOnce(
            Result<Computed<'_>, Missing>,
            (&Snapshot, &Reading),
        ) -> Result<Reply, Refusal>
        + Send
        + 'static,
    ) -> Result<Reply, Refusal> {
        let names = self.candidate_names();
        let against = against(query)?.map(str::to_owned);
        if let Some(name) = against.as_ref().filter(|name| !names.contains(name)) {
            return Err(Refusal::unknown_candidate(name, &names));
        }
        let snapshot = self.snapshot()?;
        let (status, candidates) = (Arc::clone(&self.status), self.candidates.clone());
        let job = move |deadline: &Deadline| {
            let reading = status.read();
            let mut computed = Computed::of(&snapshot, &reading, deadline)?;
            if let (Ok(computed), Some(name), Some(candidates)) =
                (&mut computed, &against, &candidates)
            {
                computed.compare(&**candidates, name, deadline)?;
            }
            let reply = show(computed, (&snapshot, &reading))?;
            Ok(reply::of_revision(reply, snapshot.revision()))
        };
        self.offload.run(self.deadline(), job).await
    }

    fn render(&self) -> Result<Reply, Refusal> {
        let text = self.metrics.render().map_err(|error| {
            tracing::error!(%error, "could not write the metrics: {error}");
            Refusal::internal()
        })?;
        Ok(reply::with_type(StatusCode::OK, METRICS, text))
    }

    async fn explain(&self, request: Request<Incoming>, about: &About) -> Result<Reply, Refusal> {
        let text = body::read(request, &self.limits, &self.room).await?;
        let snapshot = self.snapshot()?;
        let (pdp, about, limits) = (self.pdp.clone(), about.clone(), self.limits);
        let long = text.as_ref().len() > INLINE_BODY_BYTES;
        let job = move |_: &Deadline| {
            let session = pdp.session(&snapshot, &about);
            let reply = explain(&session, text.as_ref(), &limits)?;
            Ok(reply::of_revision(reply, snapshot.revision()))
        };
        if long {
            self.offload.run(self.deadline(), job).await
        } else {
            job(&self.deadline())
        }
    }
}

impl Admin {
    /// Puts in force what the body names.
    async fn fulfil_named(
        &self,
        wish: fn(String) -> Wish,
        request: Request<Incoming>,
        about: &About,
    ) -> Result<Reply, Refusal> {
        let by_hand = self.by_hand(&request)?;
        let text = body::read(request, &self.limits, &self.room).await?;
        let revision = by_hand::revision(text.as_ref(), &self.limits)?;
        self.fulfil(by_hand, wish(revision), about).await
    }

    /// To swap takes as long as there are policies to count.
    async fn fulfil(
        &self,
        by_hand: Arc<dyn Override>,
        wish: Wish,
        about: &About,
    ) -> Result<Reply, Refusal> {
        let (status, by) = (Arc::clone(&self.status), about.who());
        let job = move |_: &Deadline| wish.fulfil(&by_hand, by, &status);
        self.by_hand_offload.run(self.deadline(), job).await
    }

    fn by_hand<B>(&self, request: &Request<B>) -> Result<Arc<dyn Override>, Refusal> {
        by_hand::no_page(request.headers())?;
        self.by_hand.clone().ok_or_else(Refusal::rollback_off)
    }
}

impl Handler for Admin {
    // Probes and scrapes are no traffic: neither counted, timed nor traced, only refusals are counted.
    async fn handle(&self, mut request: Request<Incoming>, peer: &Peer) -> Reply {
        let endpoint = Endpoint::at(request.uri().path());
        let addressee = Addressee {
            label: endpoint.map_or("other", Endpoint::label),
            traced: None,
        };
        let demand = endpoint.map_or(Demand::Credential, Endpoint::demand);
        let access = (&self.access, demand);
        let (about, admitted) = exchange::admit(&mut request, peer, &addressee, access);
        let answered = match admitted {
            Ok(()) => {
                let span = about.span().clone();
                let answering = self.answer(endpoint, request, &about);
                exchange::caught(answering, &about).instrument(span).await
            }
            Err(refusal) => Err(refusal),
        };
        exchange::reply(answered, about, &self.metrics)
    }
}

/// The candidate that is asked for; an empty name asks for none. Names are plain, so nothing needs
/// decoding.
fn against(query: Option<&str>) -> Result<Option<&str>, Refusal> {
    let pairs = query.unwrap_or_default().split('&');
    let mut named = pairs.filter_map(|pair| pair.strip_prefix("against="));
    let first = named.next();
    if named.next().is_some() {
        return Err(Refusal::invalid("`against` is asked for more than once"));
    }
    Ok(first.filter(|name| !name.is_empty()))
}
