//! What is recorded of decisions, and where.

use super::{
    ConfigError, DecisionLogArgs, LogPlace, OverflowRule, Ratio, RecordFormat, file::File, list,
};

/// How many bytes of lines may wait: half a second of a hundred thousand decisions each second, or a
/// minute of what an application with a thousand users asks.
const QUEUE_BYTES: usize = 16 << 20;

/// Less would not hold what one large batch makes.
const MIN_QUEUE_BYTES: usize = 64 << 10;

/// What is recorded of decisions, and where.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionLog {
    /// Where lines go.
    pub place: LogPlace,
    /// What a line looks like.
    pub format: RecordFormat,
    /// What happens when lines come faster than they can be written.
    pub overflow: OverflowRule,
    /// How many bytes of lines may wait.
    pub queue_bytes: usize,
    /// Which part of the allows is written.
    pub allows: Ratio,
    /// The keys of the context that are written.
    pub context: Vec<String>,
    /// Whether the properties and entities that come with questions are written.
    pub entities: bool,
}

impl DecisionLogArgs {
    /// What is meant; `None` if nothing is to be recorded.
    pub(super) fn over(self, file: &mut File) -> Result<Option<DecisionLog>, ConfigError> {
        let queue_bytes = self.decision_log_queue.or(file.decision_log_queue);
        let queue_bytes = queue_bytes.unwrap_or(QUEUE_BYTES);
        if queue_bytes < MIN_QUEUE_BYTES {
            return Err(ConfigError::TooSmall {
                key: "decision-log-queue",
                least: "65536",
            });
        }
        let format = self.decision_log_format.or(file.decision_log_format);
        let overflow = self.decision_log_overflow.or(file.decision_log_overflow);
        let allows = self
            .decision_log_sample_allows
            .or(file.decision_log_sample_allows);
        let context = list(self.decision_log_context, &mut file.decision_log_context);
        let entities = self.decision_log_entities.or(file.decision_log_entities);
        let Some(place) = self.decision_log.or_else(|| file.decision_log.take()) else {
            // Whoever says how, and lost where, should not find that out from an auditor.
            let said = [
                ("decision-log-format", format.is_some()),
                ("decision-log-overflow", overflow.is_some()),
                ("decision-log-sample-allows", allows.is_some()),
                ("decision-log-context", !context.is_empty()),
                ("decision-log-entities", entities == Some(true)),
            ];
            return match said.iter().find(|(_, said)| *said) {
                Some((key, _)) => Err(ConfigError::NoDecisionLog { key }),
                None => Ok(None),
            };
        };
        Ok(Some(DecisionLog {
            place,
            format: format.unwrap_or_default(),
            overflow: overflow.unwrap_or_default(),
            queue_bytes,
            allows: allows.unwrap_or(Ratio::WHOLE),
            context,
            entities: entities.unwrap_or(false),
        }))
    }
}
