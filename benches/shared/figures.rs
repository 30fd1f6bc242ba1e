//! What benches print: medians with their spread, and the machine they were measured on.

use std::{
    fmt, fs,
    process::Command,
    time::{Duration, SystemTime},
};

/// One figure of several rounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Self {
            median,
            least: values[0],
            most: values[values.len() - 1],
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(2);
        let Self {
            median,
            least,
            most,
        } = self;
        write!(f, "{median:.digits$}")?;
        // Of one value there is nothing more to say.
        if least < most {
            write!(f, " ({least:.digits$}–{most:.digits$})")?;
        }
        Ok(())
    }
}

/// The least of the sorted values that at least this part of them does not exceed.
pub(crate) fn quantile(sorted: &[Duration], part: f64) -> Duration {
    let rank = (sorted.len() as f64 * part).ceil() as usize;
    sorted[rank.clamp(1, sorted.len()) - 1]
}

/// Where, when and with what, in one line.
pub(crate) fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let models = cpus.lines().filter_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == "model name").then(|| value.trim().to_owned())
    });
    let models: Vec<String> = models.collect();
    let model = models.first().map_or("unknown", String::as_str);
    format!(
        "{} × {model}; {}; {}; commit {}; {}",
        models.len(),
        said("uname", &["-srm"]),
        said("rustc", &["--version"]),
        said("git", &["describe", "--always", "--dirty"]),
        humantime::format_rfc3339_seconds(SystemTime::now()),
    )
}

/// What a program says on one line, if there is such a program.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    let text = output.map(|it| it.stdout).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).trim().to_owned();
    if text.is_empty() {
        return format!("no {program}");
    }
    text
}
