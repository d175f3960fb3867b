//! Which suites there are, and the rules that they are about.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use config::Settings;
use diag::SourceMap;
use rules::RuleSet;
use workbench::scenario::Suite;

use crate::rulefiles::{self, RuleFile};
use crate::ruleset::{Loading, OnError};
use crate::sources::Sources;

/// The folder beside rule files where their tests lie. The loading of a folder does not look into it.
const FOLDER: &str = "tests";

/// A file with tests.
pub(crate) struct Found {
    /// As named.
    pub(crate) name: String,
    pub(crate) suite: Suite,
    text: String,
    /// Rule files to be loaded, in order.
    rules: Vec<PathBuf>,
    /// Against which paths in it count.
    pub(crate) folder: PathBuf,
}

/// Rules, ready to be tested.
pub(crate) struct Loaded {
    pub(crate) set: RuleSet,
    pub(crate) map: SourceMap,
    pub(crate) sources: Sources,
    pub(crate) settings: Settings,
}

/// The suites of files and folders. `rules`: what is loaded before, or in the place of what a suite names.
pub(crate) fn gather(paths: &[String], rules: &[String]) -> Result<Vec<Found>> {
    let mut files: Vec<RuleFile> = Vec::new();
    for path in paths {
        let path = Path::new(path);
        if path.is_dir() {
            let mut skipped = Vec::new();
            for folder in [path.to_owned(), path.join(FOLDER)] {
                if folder.is_dir() {
                    let name = folder.display().to_string();
                    files.extend(rulefiles::collect(&[name], true, &mut skipped)?);
                }
            }
        } else {
            files.push(rulefiles::read(path)?);
        }
    }
    let mut all = Vec::new();
    for file in files {
        let text = String::from_utf8(file.content)
            .with_context(|| format!("{} is not text", file.name))?;
        let suite = match Suite::parse(&text) {
            Ok(Some(suite)) => suite,
            Ok(None) => bail!(
                "{} is neither a rule file nor a file of tests (a mapping with `rules` and `tests`)",
                file.name
            ),
            Err(fault) => bail!("{}:{}: {fault}", file.name, line(&text, fault.offset)),
        };
        if suite.tests.is_empty() {
            continue;
        }
        let folder = Path::new(&file.name)
            .parent()
            .unwrap_or(Path::new(""))
            .to_owned();
        let own: Vec<PathBuf> = suite.rules.iter().map(|path| folder.join(path)).collect();
        let mut rules: Vec<PathBuf> = rules.iter().map(PathBuf::from).collect();
        let is_rule_file = suite.rules.is_empty() && text_is_sequence(&text);
        if is_rule_file {
            rules.push(PathBuf::from(&file.name));
        } else if rules.is_empty() {
            rules = own;
        }
        if rules.is_empty() {
            bail!("{} names no `rules`, and there is no -r", file.name);
        }
        all.push(Found {
            name: file.name,
            suite,
            text,
            rules,
            folder,
        });
    }
    Ok(all)
}

fn text_is_sequence(text: &str) -> bool {
    let first = text.lines().find(|line| {
        !line.trim_start().is_empty() && !line.starts_with(['#', '%']) && !line.starts_with("---")
    });
    first.is_some_and(|line| line.trim_start().starts_with(['-', '[']))
}

fn line(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())]
        .iter()
        .filter(|&&b| b == b'\n')
        .count()
        + 1
}

impl Found {
    /// The line of a byte.
    pub(crate) fn line(&self, offset: usize) -> usize {
        line(&self.text, offset)
    }

    /// Loads the rules.
    pub(crate) fn load(&self) -> Result<Loaded> {
        self.load_with(&[])
    }

    /// Loads the rules, and further files behind them.
    pub(crate) fn load_with(&self, more: &[RuleFile]) -> Result<Loaded> {
        let mut files = Vec::new();
        for path in &self.rules {
            files.push(
                rulefiles::read(path).with_context(|| format!("the rules of {}", self.name))?,
            );
        }
        files.extend(more.iter().cloned());
        load(&files)
    }
}

/// Loads rule files as they are, whatever the machine's configuration says.
pub(crate) fn load(files: &[RuleFile]) -> Result<Loaded> {
    let settings = Settings::default();
    let catalogue = crate::containers::catalogue(&settings);
    let sources = Sources::new(&catalogue, true);
    let loading = Loading::of(files, &settings, &catalogue, &sources, OnError::Stop);
    if !loading.accepted() {
        loading
            .texts(true)
            .iter()
            .for_each(|text| eprintln!("{text}\n"));
        return Err(loading.refusal());
    }
    let map = loading.sources().clone();
    Ok(Loaded {
        set: loading.into_set(),
        map,
        sources,
        settings,
    })
}
