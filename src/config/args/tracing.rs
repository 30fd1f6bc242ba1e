//! Flags about traces.

use clap::Args;

use crate::config::{OtlpEndpoint, Ratio};

/// What is recorded as spans of traces, and where that goes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Traces")]
pub struct TracingArgs {
    /// Send spans of requests to the OpenTelemetry collector at this URL, by OTLP over HTTP
    /// [default: none are made]
    #[arg(long, env = "PALISADE_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<OtlpEndpoint>,
    /// Record this part of the requests that come without a `traceparent`, from 0 to 1; one that has
    /// it is recorded if its caller's span is [default: 0.01]
    #[arg(long, env = "PALISADE_TRACE_SAMPLE", value_name = "RATIO")]
    pub trace_sample: Option<Ratio>,
}
