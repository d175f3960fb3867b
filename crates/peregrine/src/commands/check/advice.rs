//! Lints of rule files, and the edits that `--fix` makes.

use std::path::Path;

use anyhow::Result;
use diag::{Diagnostic, SourceId, SourceMap};
use serde_json::Value;
use workbench::fix::{self, Edit};
use workbench::lint::{self, pieces::File};
use workbench::meaning;

use super::super::fmt::replace;
use crate::rulefiles::RuleFile;
use crate::ruleset::Loading;
use crate::sources::Sources;
use crate::terminal;

/// Findings of one code in one file that are shown whole.
const SHOWN: usize = 3;

/// Advice on rule files.
pub(super) struct Advice {
    found: Vec<Diagnostic>,
    map: SourceMap,
}

/// The files as they were loaded: texts lie in the map under the numbers in which they came.
fn files(map: &SourceMap, count: usize) -> Vec<File<'_>> {
    map.ids()
        .take(count)
        .map(|id| File {
            id,
            text: &map.source(id).text,
        })
        .collect()
}

impl Advice {
    /// Looks at files that were accepted.
    pub(super) fn on(loading: &Loading, sources: &Sources) -> Self {
        let map = loading.sources().clone();
        let found = if loading.accepted() {
            let files = files(&map, loading.outcomes().len());
            lint::lint(&files, loading.set(), &sources.schemas())
        } else {
            Vec::new()
        };
        Self { found, map }
    }

    /// Prints it; of what comes often in a file, the first ones.
    pub(super) fn show(&self, all: bool) {
        let mut counts: Vec<((SourceId, &'static str), usize)> = Vec::new();
        for found in &self.found {
            let Some(file) = found.primary.as_ref().map(|label| label.span.source) else {
                continue;
            };
            let key = (file, found.code.id);
            let at = counts
                .iter()
                .position(|(known, _)| *known == key)
                .unwrap_or_else(|| {
                    counts.push((key, 0));
                    counts.len() - 1
                });
            counts[at].1 += 1;
            if all || counts[at].1 <= SHOWN {
                eprintln!(
                    "{}\n",
                    diag::text::render(&self.map, found, terminal::colour_stderr())
                );
            }
        }
        for ((file, code), count) in counts {
            if !all && count > SHOWN {
                eprintln!(
                    "{}: {} more of {code} (`--all` shows them, `peregrine explain {code}` says what it means)",
                    self.map.source(file).name,
                    count - SHOWN
                );
            }
        }
    }

    /// How many there are on a file.
    pub(super) fn count(&self, name: &str) -> usize {
        let file = |found: &&Diagnostic| {
            found
                .primary
                .as_ref()
                .is_some_and(|label| self.map.source(label.span.source).name == name)
        };
        self.found.iter().filter(file).count()
    }

    pub(super) fn json(&self) -> Value {
        self.found
            .iter()
            .map(|found| diag::json::render(&self.map, found))
            .collect()
    }
}

/// Makes the edits that change no meaning, and writes the files that change. The result is loaded again: if it means
/// anything else than before, nothing is written.
pub(super) fn fix(
    before: &[RuleFile],
    loading: &Loading,
    load: impl Fn(&[RuleFile]) -> Loading,
    sources: &Sources,
) -> Result<()> {
    if !loading.accepted() {
        eprintln!("nothing is fixed while the rules are refused");
        return Ok(());
    }
    let map = loading.sources();
    let files = files(map, before.len());
    let mut edits: Vec<Edit> = files.iter().flat_map(fix::repairs).collect();
    let advice = lint::lint(&files, loading.set(), &sources.schemas());
    edits.extend(
        advice
            .iter()
            .filter_map(|one| fix::of_suggestions(one.code.id, &one.suggestions)),
    );
    if edits.is_empty() {
        eprintln!("nothing to fix");
        return Ok(());
    }
    let mut after = Vec::new();
    for (file, old) in files.iter().zip(before) {
        let own: Vec<Edit> = edits
            .iter()
            .filter(|edit| edit.span.source == file.id)
            .cloned()
            .collect();
        after.push(RuleFile {
            name: old.name.clone(),
            content: fix::apply(file.text, &own).into_bytes(),
        });
    }
    let again = load(&after);
    let differences = meaning::differences(loading.set(), again.set());
    if !again.accepted() || !differences.is_empty() {
        let what = differences.first().map_or_else(
            || "they would be refused".to_owned(),
            |one| format!("{} \"{}\" would change", one.thing, one.name),
        );
        eprintln!("nothing is fixed: {what}");
        return Ok(());
    }
    for (new, old) in after.iter().zip(before) {
        let text = String::from_utf8_lossy(&old.content);
        if text.as_bytes() != new.content {
            replace(Path::new(&new.name), &new.content)?;
            let own = edits
                .iter()
                .filter(|edit| map.source(edit.span.source).name == new.name);
            let mut codes: Vec<&str> = own.map(|edit| edit.code).collect();
            codes.sort_unstable();
            let count = codes.len();
            codes.dedup();
            eprintln!("{}: {count} fixed ({})", new.name, codes.join(", "));
        }
    }
    Ok(())
}
