//! The line that a case prints: what was provoked, and how long it took to take effect.

use std::{fmt, time::Duration};

/// What was done in a case so far.
pub(super) struct Line {
    case: u8,
    steps: Vec<Step>,
}

impl Line {
    pub(super) fn of(case: u8) -> Self {
        Self {
            case,
            steps: Vec::new(),
        }
    }

    /// Adds what takes no time.
    pub(super) fn note(&mut self, text: String) {
        self.steps.push(Step {
            text,
            took: Vec::new(),
        });
    }

    /// Adds what took a while. The same again is told together with it.
    pub(super) fn took(&mut self, text: String, took: Duration) {
        match self.steps.last_mut() {
            Some(last) if last.text == text => last.took.push(took),
            _ => self.steps.push(Step {
                text,
                took: vec![took],
            }),
        }
    }

    /// The whole line.
    pub(super) fn told(&self, title: &str, replies: usize) -> String {
        let steps: Vec<String> = self.steps.iter().map(ToString::to_string).collect();
        let (case, steps) = (self.case, steps.join("; "));
        format!("{case:2} {title} | {steps} | {replies} right replies")
    }
}

/// Something that was done, once or several times in a row, and how long it took to take effect.
struct Step {
    text: String,
    took: Vec<Duration>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, took } = self;
        let (first, last) = (took.iter().min(), took.iter().max());
        match (
            first.map(Duration::as_millis),
            last.map(Duration::as_millis),
        ) {
            (Some(first), Some(last)) if took.len() > 1 => {
                write!(
                    f,
                    "{text}, {} times, after {first} to {last} ms",
                    took.len()
                )
            }
            (Some(only), _) => write!(f, "{text} after {only} ms"),
            (None, _) => f.write_str(text),
        }
    }
}
