//! Metrics, status and tracing set-up: what others see of the service. Never influences a decision.

mod metrics;
mod status;

pub use metrics::{InFlight, Metrics};
pub use status::{Attempt, Check, Health, ReloadResult, Status};
