//! Prometheus' text format, as far as it is written here.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

/// Labels that are another value with every version or every policy file, and no news.
const CHANGING: [&str; 3] = ["cedar_version", "revision", "version"];

/// The families of one scrape, in its order.
pub(super) struct Exposition {
    families: Vec<Family>,
}

/// What is said of one family.
pub(super) struct Family {
    pub(super) name: String,
    pub(super) kind: String,
    help: String,
    /// The labels of each series but for `le`, each series once.
    pub(super) series: BTreeSet<Labels>,
    buckets: Vec<String>,
}

/// By name.
pub(super) type Labels = BTreeMap<String, String>;

impl Exposition {
    pub(super) fn of(text: &str) -> Self {
        let mut families: Vec<Family> = Vec::new();
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').unwrap();
                families.push(Family::new(name, help));
                continue;
            }
            let family = families.last_mut().unwrap();
            match line.strip_prefix("# TYPE ") {
                Some(kind) => family.kind = kind.split_once(' ').unwrap().1.to_owned(),
                None => family.add(line),
            }
        }
        Self { families }
    }

    /// The family to which a name in a query belongs.
    pub(super) fn family(&self, name: &str) -> Option<&Family> {
        let of = |family: &&Family| {
            let part = name.strip_prefix(&family.name);
            let parts = ["", "_bucket", "_count", "_sum"];
            part.is_some_and(|part| match family.kind.as_str() {
                "histogram" => parts[1..].contains(&part),
                _ => part.is_empty(),
            })
        };
        self.families.iter().find(of)
    }

    /// All of it but the values, to be read and compared.
    pub(super) fn page(&self) -> String {
        let mut page = String::new();
        for family in &self.families {
            family.write(&mut page);
        }
        page
    }
}

impl Family {
    fn new(name: &str, help: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: String::new(),
            help: help.to_owned(),
            series: BTreeSet::new(),
            buckets: Vec::new(),
        }
    }

    fn add(&mut self, line: &str) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (_, labels) = series.split_once('{').unwrap_or((series, ""));
        // No value of a fixture's label has a quote, a comma or a brace in it.
        let labels = labels.trim_end_matches('}').split_terminator(',');
        let mut labels: Labels = labels
            .map(|label| {
                let (name, value) = label.split_once('=').unwrap();
                (name.to_owned(), value.trim_matches('"').to_owned())
            })
            .collect();
        if let Some(bucket) = labels.remove("le")
            && !self.buckets.contains(&bucket)
        {
            self.buckets.push(bucket);
        }
        self.series.insert(labels);
    }

    /// A line for each series, with all values of the first label on one line.
    fn write(&self, page: &mut String) {
        let Self { name, kind, .. } = self;
        writeln!(page, "{name} ({kind}): {}", self.help).unwrap();
        if !self.buckets.is_empty() {
            writeln!(page, "    le: {}", self.buckets.join(" ")).unwrap();
        }
        let mut lines: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for labels in &self.series {
            let mut labels = labels.iter().map(|(name, value)| {
                let changes = CHANGING.contains(&name.as_str());
                (name, if changes { "*" } else { value.as_str() })
            });
            let Some((first, value)) = labels.next() else {
                continue;
            };
            let rest = labels.map(|(name, value)| format!("{name}={value} "));
            let line = format!("{}{first}=", rest.collect::<String>());
            lines.entry(line).or_default().push(value);
        }
        for (line, values) in lines {
            writeln!(page, "    {line}{}", values.join("|")).unwrap();
        }
    }
}
