//! Metrics, status and tracing set-up: what others see of the service. Never influences a decision.

mod about;
mod families;
mod metrics;
mod series;
mod status;
mod throttle;
mod tracing_setup;

pub use about::About;
pub use metrics::{InFlight, Metrics, Replies};
pub use status::{
    Attempt, Change, Changes, Check, Health, InForce, Kept, KeptKind, Phase, Reading, ReloadResult,
    Rollback, Status, Trigger, Turn,
};
pub use throttle::Throttle;
pub use tracing_setup::{LogFormat, TracingError, init_tracing};
