//! Metrics, status and tracing set-up: what others see of the service. Never influences a decision.

mod about;
mod decision_log;
mod families;
mod metrics;
mod series;
mod status;
mod throttle;
mod trace;
mod tracing_setup;

pub use about::About;
pub use decision_log::{
    Decision, DecisionLog, Dropped, LogEnd, LogError, LogRules, LogTarget, Overflow, Question,
    RecordFormat,
};
pub use metrics::{BadHead, Connections, InFlight, Metrics, OpenConnection, Replies};
pub use status::{
    Attempt, CellKey, CellProof, CellProofs, CellState, Change, Changed, Changes, Check, Health,
    InForce, Kept, KeptKind, Phase, Reading, ReloadResult, Rollback, Standing, Status, Trigger,
    Turn,
};
pub use throttle::Throttle;
pub use trace::{CollectorAddress, Exporting, Head, Parent, Recording, Trace, TraceRules, Tracer};
pub use tracing_setup::{LogFormat, TracingError, init_tracing};
