//! What becomes of each thing of an installation.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::cli::CheckForm;

/// What becomes of a thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It means what it meant.
    Same,
    /// It means what it meant, under another name or in another way.
    Translated(String),
    /// Nothing is lost without it.
    Needless(String),
    /// What it did is not done; what to do instead.
    Unsupported(String),
}

impl Fate {
    fn word(&self) -> &'static str {
        match self {
            Self::Same => "unchanged",
            Self::Translated(_) => "translated",
            Self::Needless(_) => "needless",
            Self::Unsupported(_) => "unsupported",
        }
    }

    fn reason(&self) -> &str {
        match self {
            Self::Same => "",
            Self::Translated(reason) | Self::Needless(reason) | Self::Unsupported(reason) => reason,
        }
    }
}

/// One thing: a key, a rule file, a plugin.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// What it is called.
    pub(super) name: String,
    /// File and line.
    pub(super) place: String,
    /// What becomes of it.
    pub(super) fate: Fate,
}

/// All that was looked at.
#[derive(Default)]
pub(super) struct Report {
    /// Keys of configuration files, or values of a chart.
    pub(super) keys: Vec<Item>,
    /// Rule files.
    pub(super) rules: Vec<Item>,
    /// Files that were written.
    pub(super) written: Vec<String>,
    /// What is left to do by hand.
    pub(super) next: Vec<String>,
}

impl Report {
    /// Whether something is lost.
    pub(super) fn loses(&self) -> bool {
        let all = || self.keys.iter().chain(&self.rules);
        all().any(|item| matches!(item.fate, Fate::Unsupported(_)))
    }

    /// As text or JSON; `all`: with what stays as it is, one by one.
    pub(super) fn render(&self, form: CheckForm, all: bool) -> String {
        match form {
            CheckForm::Text => self.text(all),
            CheckForm::Json => format!("{}\n", self.json()),
        }
    }

    fn text(&self, all: bool) -> String {
        let mut text = String::new();
        for (title, items) in [("Configuration", &self.keys), ("Rules", &self.rules)] {
            if items.is_empty() {
                continue;
            }
            let same = items.iter().filter(|item| item.fate == Fate::Same).count();
            let _ = writeln!(text, "{title}: {same} of {} unchanged", items.len());
            let told = items.iter().filter(|item| all || item.fate != Fate::Same);
            for item in told {
                let _ = write!(
                    text,
                    "  {:<11}  {}  ({})",
                    item.fate.word(),
                    item.name,
                    item.place
                );
                for line in item.fate.reason().lines() {
                    let _ = write!(text, "\n               {line}");
                }
                text.push('\n');
            }
            text.push('\n');
        }
        for (title, lines) in [("Written", &self.written), ("Next", &self.next)] {
            if !lines.is_empty() {
                let _ = writeln!(text, "{title}:");
                for line in lines {
                    let _ = writeln!(text, "  {line}");
                }
            }
        }
        text
    }

    fn json(&self) -> Value {
        let items = |items: &[Item]| -> Vec<Value> {
            let one = |item: &Item| {
                json!({
                    "name": item.name,
                    "place": item.place,
                    "fate": item.fate.word(),
                    "reason": item.fate.reason(),
                })
            };
            items.iter().map(one).collect()
        };
        json!({
            "configuration": items(&self.keys),
            "rules": items(&self.rules),
            "written": self.written,
            "next": self.next,
        })
    }
}
