//! What becomes of rule files: every one is loaded as it would be when the program starts.

use std::path::{Path, PathBuf};

use anyhow::Result;
use config::Settings;
use fields::Catalogue;

use super::report::{Fate, Item};
use crate::rulefiles::{self, RuleFile};
use crate::ruleset::{Loading, OnError};
use crate::sources::Sources;

/// Falco's own files, and ours that stand for them: the same names, conditions of our own.
pub(super) const STOCK: [(&str, &str); 4] = [
    ("falco_rules.yaml", "peregrine_rules.yaml"),
    (
        "falco-incubating_rules.yaml",
        "peregrine-incubating_rules.yaml",
    ),
    ("falco-sandbox_rules.yaml", "peregrine-sandbox_rules.yaml"),
    ("k8s_audit_rules.yaml", "k8s_audit_rules.yaml"),
];

/// Rule files of an installation.
pub(super) struct RuleFiles {
    files: Vec<RuleFile>,
    /// Entries that name nothing.
    skipped: Vec<String>,
}

impl RuleFiles {
    /// The files that a configuration names, in its order.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(super) fn of(settings: &Settings) -> Result<Self> {
        let mut skipped = Vec::new();
        let named = settings.rules_files.clone().unwrap_or_default();
        let files = rulefiles::collect(&named, false, &mut skipped)?;
        Ok(Self { files, skipped })
    }

    /// Paths of the files.
    pub(super) fn paths(&self) -> impl Iterator<Item = PathBuf> {
        self.files.iter().map(|file| PathBuf::from(&file.name))
    }

    /// Loads them.
    pub(super) fn judge(&self, settings: &Settings) -> Vec<Item> {
        let catalogue = Catalogue::new([]);
        // A plugin whose library is missing is told with the configuration; its rules are skipped here.
        let sources = Sources::of(&catalogue, settings, true)
            .unwrap_or_else(|_| Sources::new(&catalogue, true));
        let loading = Loading::of(&self.files, settings, &catalogue, &sources, OnError::GoOn);
        let mut items: Vec<Item> = loading
            .outcomes()
            .iter()
            .map(|outcome| {
                let text = |errors: bool| -> Vec<String> {
                    let findings = outcome.findings.iter();
                    findings
                        .filter(|finding| finding.is_error() == errors)
                        .map(|finding| finding.text(loading.sources(), false))
                        .collect()
                };
                let (errors, warnings) = (text(true), text(false));
                let fate = match (errors.is_empty(), warnings.is_empty()) {
                    (false, _) => Fate::Unsupported(errors.join("\n")),
                    (true, false) => Fate::Translated(format!(
                        "it loads, as in Falco with warnings:\n{}",
                        warnings.join("\n")
                    )),
                    (true, true) => Fate::Same,
                };
                item(&outcome.name, fate)
            })
            .collect();
        items.extend(self.skipped.iter().map(|entry| {
            let name = entry.split(' ').next().unwrap_or_default();
            item(name, Fate::Needless(entry.clone()))
        }));
        items
    }
}

fn item(path: &str, fate: Fate) -> Item {
    let path = Path::new(path);
    let name = path.file_name().unwrap_or_default();
    Item {
        name: name.to_string_lossy().into_owned(),
        place: path.display().to_string(),
        fate,
    }
}
