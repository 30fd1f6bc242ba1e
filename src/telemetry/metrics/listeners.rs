//! What is counted of listeners: their connections, TLS, and the files that say whom they let in.

use std::{sync::Arc, time::SystemTime};

use prometheus::{Gauge, GaugeVec};

use super::{Metrics, set_time};

/// What is counted of the connections of one listener.
#[derive(Clone, Debug)]
pub struct Connections {
    metrics: Arc<Metrics>,
    open: Gauge,
    most: Gauge,
}

/// A connection that is open, until this is dropped.
#[derive(Debug)]
pub struct OpenConnection(Gauge);

/// Why the head of a request is refused before it is a request at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadHead {
    /// No HTTP/1.1.
    Malformed,
    /// More bytes or headers than there may be.
    TooLarge,
}

impl Metrics {
    /// Initialises the series of a listener's connections.
    pub fn connections(self: &Arc<Self>, listener: &'static str) -> Connections {
        let of = |family: &GaugeVec| family.with_label_values(&[listener]);
        Connections {
            open: of(&self.families.connections),
            most: of(&self.families.connections_max),
            metrics: Arc::clone(self),
        }
    }

    /// Initialises the series of a listener that speaks TLS.
    pub fn shakes_hands(&self, listener: &'static str, reasons: &[&'static str]) {
        for reason in reasons {
            let failures = &self.families.handshake_failures;
            let _ = failures.with_label_values(&[listener, *reason]);
        }
    }

    /// A handshake of TLS failed.
    pub fn handshake_failed(&self, listener: &'static str, reason: &'static str) {
        let failures = &self.families.handshake_failures;
        failures.with_label_values(&[listener, reason]).inc();
    }

    /// Whether what a listener's files demand of callers is not what is in force.
    pub fn access_stale(&self, listener: &'static str, kind: &'static str, stale: bool) {
        let gauge = self
            .families
            .access_stale
            .with_label_values(&[listener, kind]);
        gauge.set(f64::from(u8::from(stale)));
    }

    /// When the certificate that a listener shows ends.
    pub fn certificate_ends(&self, listener: &'static str, at: SystemTime) {
        let ends = &self.families.certificate_not_after;
        set_time(&ends.with_label_values(&[listener]), at);
    }
}

impl Connections {
    /// So many are served at once; more wait.
    pub fn at_most(&self, count: usize) {
        self.most.set(count as f64);
    }

    /// One more is served.
    pub fn open(&self) -> OpenConnection {
        self.open.inc();
        OpenConnection(self.open.clone())
    }

    /// A head was refused.
    pub fn refused(&self, head: BadHead) {
        self.metrics.refused(head.as_str());
    }
}

impl BadHead {
    pub(super) const ALL: [Self; 2] = [Self::Malformed, Self::TooLarge];

    /// The `reason` of `palisade_http_requests_rejected_total`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed_head",
            Self::TooLarge => "head_too_large",
        }
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}
