//! Layout and fixes over every rule file that there is: a second time changes nothing, and no file means anything else.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

use std::path::{Path, PathBuf};

use fields::Catalogue;
use rules::{Loader, Options};
use workbench::fix::{self, Edit};
use workbench::layout::{self, Refusal};
use workbench::lint::{self, pieces::File};
use workbench::meaning;

fn gather(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            gather(&path, found);
        } else if path
            .extension()
            .is_some_and(|end| end == "yaml" || end == "yml")
        {
            found.push(path);
        }
    }
}

/// The shipped rule files, and those of the corpus.
fn files() -> Vec<(String, String)> {
    let root = testkit::corpus::workspace_root();
    let mut paths = Vec::new();
    gather(&root.join("rules"), &mut paths);
    if let Some(corpus) = testkit::corpus::find("layout and fixes of its rule files") {
        gather(&corpus.path("rules"), &mut paths);
        gather(&corpus.path("regression/rules"), &mut paths);
        gather(&corpus.path("golden/rules"), &mut paths);
    }
    paths.sort();
    paths
        .into_iter()
        .filter_map(|path| {
            Some((
                path.display().to_string(),
                std::fs::read_to_string(&path).ok()?,
            ))
        })
        .collect()
}

struct Sources {
    syscall: Catalogue,
    audit: audit::Catalogue,
}

impl Sources {
    fn new() -> Self {
        Self {
            syscall: Catalogue::new([]),
            audit: audit::Catalogue::new(),
        }
    }

    fn schemas(&self) -> [(&str, &dyn filter::Schema); 2] {
        [("syscall", &self.syscall), ("k8s_audit", &self.audit)]
    }

    fn load<'a>(&'a self, text: &str) -> (Loader<'a>, rules::Loaded) {
        let mut loader = Loader::new(&self.schemas(), Options::new());
        let outcome = loader.load("rules.yaml", text.as_bytes());
        (loader, outcome)
    }
}

/// The codes of what is found, in their order.
fn codes(outcome: &rules::Loaded) -> Vec<&'static str> {
    outcome
        .findings
        .iter()
        .map(|found| found.diagnostic.code.id)
        .collect()
}

#[test]
fn layout_is_idempotent_and_changes_no_meaning() {
    let sources = Sources::new();
    let (mut laid_out, mut left) = (0, Vec::new());
    for (name, text) in files() {
        let out = match layout::format(&text) {
            Ok(out) => out,
            Err(Refusal::Meaning(what)) => panic!("{name}: {what} would change"),
            Err(refusal) => {
                left.push(format!("{name}: {refusal}"));
                continue;
            }
        };
        laid_out += 1;
        let again = layout::format(&out).unwrap();
        if again != out {
            let differs = out.lines().zip(again.lines()).find(|(a, b)| a != b);
            panic!("{name}: a second time changes it: {differs:?}");
        }
        let ((before, old), (after, new)) = (sources.load(&text), sources.load(&out));
        assert_eq!(codes(&old), codes(&new), "{name}");
        let differences = meaning::differences(before.rule_set(), after.rule_set());
        assert!(differences.is_empty(), "{name}: {differences:?}");
    }
    println!(
        "{laid_out} files laid out, {} left as they are:\n{}",
        left.len(),
        left.join("\n")
    );
    assert!(laid_out >= 4);
}

#[test]
fn fixes_change_no_meaning() {
    let sources = Sources::new();
    let (mut fixed, mut edits_made) = (0, std::collections::BTreeMap::new());
    for (name, text) in files() {
        let (before, old) = sources.load(&text);
        if !old.successful() {
            continue;
        }
        let id = before.sources().ids().next().unwrap();
        let file = File {
            id,
            text: &before.sources().source(id).text,
        };
        let mut edits: Vec<Edit> = fix::repairs(&file);
        let advice = lint::lint(
            &[File {
                id,
                text: file.text,
            }],
            before.rule_set(),
            &sources.schemas(),
        );
        edits.extend(
            advice
                .iter()
                .filter_map(|one| fix::of_suggestions(one.code.id, &one.suggestions)),
        );
        if edits.is_empty() {
            continue;
        }
        fixed += 1;
        for edit in &edits {
            *edits_made.entry(edit.code).or_insert(0) += 1;
        }
        let out = fix::apply(file.text, &edits);
        let (after, new) = sources.load(&out);
        assert!(
            new.successful(),
            "{name} is refused after fixes {:?}:\n{out}",
            codes(&new)
        );
        let differences = meaning::differences(before.rule_set(), after.rule_set());
        assert!(differences.is_empty(), "{name}: {differences:?}");
        assert!(
            codes(&new).len() <= codes(&old).len(),
            "{name}: {:?} became {:?}",
            codes(&old),
            codes(&new)
        );
    }
    println!("{fixed} files fixed: {edits_made:?}");
}
