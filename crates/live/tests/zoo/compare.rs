//! Values that the original showed against ours. What may differ is a placeholder in the golden data.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;

use regex::Regex;
use serde_json::Value;

use crate::record::Kept;
use crate::roles::Subtest;

/// Differences that are shown.
const SHOWN: usize = 60;

/// What the original showed.
pub(crate) struct Golden {
    document: Value,
    fields: Vec<String>,
}

impl Golden {
    /// Reads the corpus file.
    pub(crate) fn read(path: &Path) -> Self {
        let mut text = String::new();
        let file = std::fs::File::open(path).unwrap();
        flate2::read::GzDecoder::new(file)
            .read_to_string(&mut text)
            .unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        let mut fields = BTreeSet::new();
        for subtest in document["subtests"].as_array().unwrap() {
            for event in subtest["events"].as_array().unwrap() {
                let names = event["f"].as_object().into_iter().flatten();
                fields.extend(names.map(|(name, _)| name.clone()));
            }
        }
        Self {
            document,
            fields: fields.into_iter().collect(),
        }
    }

    /// Names of all fields that it speaks of.
    pub(crate) fn fields(&self) -> &[String] {
        &self.fields
    }
}

/// The outcome.
pub(crate) struct Report {
    /// Values that were compared.
    pub(crate) values: usize,
    /// Sub-tests with a difference that has no reason.
    pub(crate) subtests: Vec<String>,
    /// All of it, for people.
    pub(crate) text: String,
}

/// Differences with a reason: sub-test (empty: all), event (empty: all), field or parameter.
const EXPLAINED: &[(&str, &str, &str, &str)] = &[];

fn is_explained(subtest: &str, event: &str, field: &str) -> bool {
    EXPLAINED.iter().any(|(s, e, f, _)| {
        (s.is_empty() || *s == subtest) && (e.is_empty() || *e == event) && *f == field
    })
}

/// Compares all sub-tests, or `only` these.
pub(crate) fn compare(golden: &Golden, recorded: &[Subtest<'_>], only: &[String]) -> Report {
    let mut report = Report {
        values: 0,
        subtests: Vec::new(),
        text: String::new(),
    };
    let mut kinds: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for wanted in golden.document["subtests"].as_array().unwrap() {
        let name = wanted["name"].as_str().unwrap();
        if !only.is_empty() && !only.iter().any(|n| n == name) {
            continue;
        }
        let differences = match recorded.iter().find(|s| s.name == name) {
            Some(found) => Comparison::new(golden, name, found, &mut report.values).run(wanted),
            None => vec![("all".to_owned(), "not recorded".to_owned())],
        };
        if !differences.is_empty() {
            report.subtests.push(name.to_owned());
        }
        for (field, text) in differences {
            kinds.entry(field).or_insert((0, text)).0 += 1;
        }
    }
    for (field, (count, example)) in kinds.iter().take(SHOWN) {
        let _ = writeln!(report.text, "{field}: {count} differ, such as {example}");
    }
    let _ = write!(report.text, "{} values compared", report.values);
    report
}

struct Comparison<'a> {
    golden: &'a Golden,
    subtest: &'a str,
    found: &'a Subtest<'a>,
    values: &'a mut usize,
    /// A field, and what is shown of it.
    differences: Vec<(String, String)>,
    caps: String,
}

impl<'a> Comparison<'a> {
    fn new(
        golden: &'a Golden,
        subtest: &'a str,
        found: &'a Subtest<'a>,
        values: &'a mut usize,
    ) -> Self {
        let first = found.events.get("main").and_then(|events| events.first());
        let caps = first.and_then(|event| event.fields.get("thread.cap_permitted"));
        let caps = caps.and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            golden,
            subtest,
            found,
            values,
            differences: Vec::new(),
            caps,
        }
    }

    fn run(mut self, wanted: &Value) -> Vec<(String, String)> {
        let mut by_role: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for event in wanted["events"].as_array().unwrap() {
            let role = event["tid"].as_str().unwrap();
            by_role.entry(role).or_default().push(event);
        }
        for (role, wanted) in by_role {
            let none = Vec::new();
            let events = self.found.events.get(role).unwrap_or(&none);
            let codes: Vec<u64> = events.iter().map(|e| u64::from(e.info.code)).collect();
            let expected: Vec<u64> = wanted.iter().map(|e| e["code"].as_u64().unwrap()).collect();
            if codes != expected {
                let text = format!(
                    "{} {role}: {} events instead of {}",
                    self.subtest,
                    codes.len(),
                    expected.len()
                );
                self.differences.push(("events".to_owned(), text));
                continue;
            }
            for (want, event) in wanted.iter().zip(events) {
                self.fields(role, want, event);
                self.texts(role, want, event);
            }
        }
        self.differences
    }

    fn differs(&mut self, role: &str, want: &Value, field: &str, texts: &dyn std::fmt::Display) {
        let event = want["type"].as_str().unwrap();
        if !is_explained(self.subtest, event, field) {
            let text = format!("{} {role} {event}: {texts}", self.subtest);
            self.differences.push((field.to_owned(), text));
        }
    }

    fn fields(&mut self, role: &str, want: &Value, event: &Kept) {
        // Hidden events have none.
        let Some(theirs) = want["f"].as_object() else {
            return;
        };
        let golden = self.golden;
        for name in &golden.fields {
            // The launcher's, which the golden data does not tell.
            if name == "proc.pvpid" && role == "main" {
                continue;
            }
            *self.values += 1;
            let theirs = theirs.get(name).unwrap_or(&Value::Null);
            let ours = event.fields.get(name).unwrap_or(&Value::Null);
            if !self.is_same(theirs, ours) {
                self.differs(role, want, name, &format!("theirs {theirs}, ours {ours}"));
            }
        }
    }

    fn texts(&mut self, role: &str, want: &Value, event: &Kept) {
        for (param, (raw, resolved)) in event.info.params.iter().zip(&event.texts) {
            let theirs = &want["params"][param.name];
            // Its bytes vary.
            if theirs["v"] == "<varies>" || theirs["hex"] == "<varies>" {
                continue;
            }
            for (kind, ours) in [("raw", Some(raw)), ("res", resolved.as_ref())] {
                let Some(theirs) = theirs[kind].as_str() else {
                    continue;
                };
                *self.values += 1;
                let ours = ours.unwrap_or(raw);
                if !self.is_text(theirs, ours) {
                    let field = format!("{} of {:?}", kind, param.ty);
                    let text = format!("{}: theirs {theirs:?}, ours {ours:?}", param.name);
                    self.differs(role, want, &field, &text);
                }
            }
        }
    }

    fn is_same(&self, theirs: &Value, ours: &Value) -> bool {
        match (theirs, ours) {
            (Value::String(theirs), Value::String(ours)) => self.is_text(theirs, ours),
            (Value::String(theirs), Value::Number(ours)) => self.is_text(theirs, &ours.to_string()),
            // A set without an order.
            (Value::Array(theirs), Value::Array(ours)) => {
                theirs.len() == ours.len()
                    && theirs
                        .iter()
                        .all(|t| ours.iter().any(|o| self.is_same(t, o)))
            }
            _ => theirs == ours,
        }
    }

    fn is_text(&self, theirs: &str, ours: &str) -> bool {
        theirs == ours
            || theirs.contains('<')
                && Regex::new(&format!(r"\A{}\z", self.pattern(theirs)))
                    .is_ok_and(|p| p.is_match(ours))
    }

    /// The text with its placeholders as a pattern.
    fn pattern(&self, text: &str) -> String {
        let mut pattern = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('<') {
            pattern.push_str(&regex::escape(&rest[..at]));
            rest = &rest[at..];
            let end = rest.find('>').map_or(rest.len(), |end| end + 1);
            let (placeholder, behind) = rest.split_at(end);
            match self.meaning(placeholder) {
                Some(meaning) => {
                    pattern.push_str(&meaning);
                    rest = behind;
                }
                None => {
                    pattern.push('<');
                    rest = &rest[1..];
                }
            }
        }
        pattern + &regex::escape(rest)
    }

    fn meaning(&self, placeholder: &str) -> Option<String> {
        let inner = placeholder.strip_prefix('<')?.strip_suffix('>')?;
        let thread = |role: &str| {
            let tid = self.found.tid(role);
            tid.map_or("nobody".to_owned(), |tid| tid.to_string())
        };
        if let Some(role) = inner.strip_prefix("tid:") {
            return Some(thread(role));
        }
        if let Some(role) = inner.strip_prefix("-tid:") {
            return Some(format!("-{}", thread(role)));
        }
        let pattern = match inner {
            "eport" => "[3-6][0-9]{4}",
            "ptr" => "[0-9a-f]+",
            "rest" => "(?s:.*)",
            "addr" => "[0-9A-Fa-fx]+",
            "pid" | "key" | "ino" | "dev" | "time" | "cookie" => {
                "[0-9A-Fa-fx]*[1-9A-Fa-f][0-9A-Fa-fx]*"
            }
            "semid" | "loginuid" => "-?[0-9]+",
            "n" => "(?:<n>|-?[0-9]+)",
            "cg" => "[^ ]*",
            "rootcaps" => return Some(regex::escape(&self.caps)),
            _ => return None,
        };
        Some(pattern.to_owned())
    }
}
