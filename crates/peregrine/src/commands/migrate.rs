//! `peregrine migrate`: what becomes of an installation of Falco's, and its configuration for us.
//!
//! Files are carried over as they were written, comments included; only what has another name or place
//! here is changed, and what has no effect becomes a comment with the reason. What was written is then
//! loaded as it would be at a start: a migration that gives a configuration which does not load fails.

mod helm;
mod keys;
mod report;
mod rewrite;
mod rules;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use config::past::{self, Fate as Past};
use config::{Node, Settings};
use diag::SourceMap;

use crate::cli::{self, CheckForm};
use crate::{configuration, output};
use report::Report;
use rewrite::Rewrite;
use rules::{RuleFiles, STOCK};

/// Where Falco's packages put the configuration.
const USUAL: &str = "/etc/falco";
/// Name of ours.
const MAIN: &str = "peregrine.yaml";

/// Reads an installation, tells what becomes of it, and writes what is asked for.
pub(crate) fn run(args: &cli::Migrate) -> Result<u8> {
    let to = args.to.as_deref().map(Path::new);
    let report = match &args.helm {
        Some(values) => helm::migrate(Path::new(values), to)?,
        None => installation(args, to)?,
    };
    output::print(&report.render(args.format, args.all))?;
    if args.format == CheckForm::Text && report.loses() {
        eprintln!("some of it has no counterpart: see 'unsupported' above");
    }
    Ok(u8::from(args.strict && report.loses()))
}

/// A configuration file of the installation.
struct File {
    path: PathBuf,
    text: String,
    tree: Node,
}

fn installation(args: &cli::Migrate, to: Option<&Path>) -> Result<Report> {
    let from = Path::new(args.from.as_deref().unwrap_or(USUAL));
    let main = if from.is_dir() {
        from.join("falco.yaml")
    } else {
        from.to_owned()
    };
    let base = main.parent().unwrap_or(Path::new(".")).to_owned();
    if !main.exists() {
        bail!(
            "there is no {}; name the configuration file, or the folder that holds falco.yaml",
            main.display()
        );
    }
    let mut sources = SourceMap::new();
    let mut files = vec![read(&main, &mut sources)?];
    for path in included(&files[0].tree, &base) {
        files.push(read(&path, &mut sources)?);
    }
    let mut report = Report::default();
    for file in &files {
        report.keys.extend(keys::judge(&file.tree, "", &sources));
    }

    // As written, an engine of the past or an absent library would end the reading.
    let staged = Staged::of(&files, &base, &base)?;
    let settings = staged.settings(&main)?;
    let rules = RuleFiles::of(&settings)?;
    report.rules = rules.judge(&settings);

    if let Some(to) = to {
        let staged =
            Staged::of(&files, &base, to)?.with_rules(&rules, &base, to, args.own_rules)?;
        report.written = staged.write(to, args.force)?;
        check(&to.join(MAIN))?;
    }
    report.next = next(to, &base, args.own_rules, &rules);
    Ok(report)
}

fn read(path: &Path, sources: &mut SourceMap) -> Result<File> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the configuration file {}", path.display()))?;
    let id = sources.add(path.display().to_string(), text.clone());
    let tree = Node::parse(&text, Some(id)).map_err(|error| {
        let line = error.at.map_or(1, |at| sources.place(id, at.start).line);
        anyhow::anyhow!("{}:{line}: {}", path.display(), error.message)
    })?;
    Ok(File {
        path: path.to_owned(),
        text,
        tree,
    })
}

/// Files that the main one includes. `/etc/falco` is where the main file lies, wherever that is.
fn included(main: &Node, base: &Path) -> Vec<PathBuf> {
    let entries = main.get("config_files").and_then(Node::items);
    let mut all = Vec::new();
    for entry in entries.unwrap_or_default() {
        let path = entry.text().or_else(|| entry.get("path")?.text());
        let Some(path) = path.map(|path| moved(path, base)) else {
            continue;
        };
        if path.is_dir() {
            let inside = std::fs::read_dir(&path).into_iter().flatten().flatten();
            let mut inside: Vec<PathBuf> = inside.map(|entry| entry.path()).collect();
            inside.retain(|path| path.is_file());
            inside.sort();
            all.extend(inside);
        } else if path.is_file() {
            all.push(path);
        }
    }
    all
}

/// A path below `/etc/falco` as one below `base`.
fn moved(path: &str, base: &Path) -> PathBuf {
    match Path::new(path).strip_prefix(USUAL) {
        Ok(rest) => base.join(rest),
        Err(_) => PathBuf::from(path),
    }
}

/// Files as they are to be written, by their path.
struct Staged {
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Staged {
    /// The configuration files of `base` for a folder `to`.
    fn of(files: &[File], base: &Path, to: &Path) -> Result<Self> {
        let mut staged = BTreeMap::new();
        for (n, file) in files.iter().enumerate() {
            let place = if n == 0 {
                to.join(MAIN)
            } else {
                // What lies outside is brought in.
                let inside = file.path.strip_prefix(base).ok();
                let name = Path::new(file.path.file_name().unwrap_or_default());
                to.join(inside.map_or_else(|| Path::new("config.d").join(name), Path::to_owned))
            };
            staged.insert(place, rewritten(file, base, to).into_bytes());
        }
        Ok(Self { files: staged })
    }

    /// With the rule files beside them.
    fn with_rules(mut self, rules: &RuleFiles, base: &Path, to: &Path, own: bool) -> Result<Self> {
        for path in rules.paths() {
            let Ok(inside) = path.strip_prefix(base) else {
                continue;
            };
            let ours = STOCK
                .iter()
                .find(|(stock, _)| own && inside == Path::new(stock));
            if ours.is_some() {
                continue;
            }
            let content = std::fs::read(&path)
                .with_context(|| format!("cannot read the rules file {}", path.display()))?;
            self.files.insert(to.join(inside), content);
        }
        if own {
            let main = to.join(MAIN);
            let text = self.files.get(&main).cloned().unwrap_or_default();
            let mut text = String::from_utf8_lossy(&text).into_owned();
            for (stock, ours) in STOCK {
                let stock = to.join(stock).display().to_string();
                text = text.replace(&stock, &format!("/etc/peregrine/{ours}"));
            }
            self.files.insert(main, text.into_bytes());
        }
        Ok(self)
    }

    /// The settings that they give, read from a folder of their own.
    fn settings(&self, main: &Path) -> Result<Settings> {
        let base = main.parent().unwrap_or(Path::new("."));
        let text = self
            .files
            .get(&base.join(MAIN))
            .cloned()
            .unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let unset = RefCell::new(BTreeSet::new());
        let variable = |name: &str| {
            let value = std::env::var(name).ok();
            if value.is_none() {
                unset.borrow_mut().insert(name.to_owned());
            }
            value
        };
        let loaded = config::load(&config::Request {
            path: Some(main),
            base: Some(&text),
            overrides: &[],
            variable: Some(&variable),
        });
        match loaded {
            Ok(loaded) => Ok(loaded.settings),
            Err(rejected) => {
                configuration::show(&rejected.findings, &rejected.sources);
                let unset: Vec<String> = unset.take().into_iter().collect();
                if unset.is_empty() {
                    bail!("{}: the configuration has faults", main.display());
                }
                bail!(
                    "{}: the configuration has faults; {} not set here: set what the service has",
                    main.display(),
                    unset.join(", ")
                )
            }
        }
    }

    /// Writes all; nothing where a file stands in the way.
    fn write(&self, to: &Path, force: bool) -> Result<Vec<String>> {
        let in_the_way: Vec<&PathBuf> = self.files.keys().filter(|path| path.exists()).collect();
        if let (Some(first), false) = (in_the_way.first(), force) {
            bail!(
                "{} exists already; name another folder with --to, or overwrite with --force",
                first.display()
            );
        }
        for (path, content) in &self.files {
            let folder = path.parent().unwrap_or(to);
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot make the folder {}", folder.display()))?;
            std::fs::write(path, content)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(self
            .files
            .keys()
            .map(|path| path.display().to_string())
            .collect())
    }
}

/// A configuration file's text for a folder `to`.
fn rewritten(file: &File, base: &Path, to: &Path) -> String {
    let mut rewrite = Rewrite::of(&file.text);
    let mut engine = keys::engine_of_today(&file.tree);
    for entry in file.tree.entries().unwrap_or_default() {
        let key = entry.key.as_str();
        match (key, past::fate(key)) {
            ("rules_file", _) => rewrite.replace(entry.key_at, "rules_files"),
            (
                "engine" | "syscall_buf_size_preset" | "syscall_drop_failed_exit" | "modern_bpf",
                _,
            ) if engine.is_some() || keys::engine_of_today(&file.tree).is_some() => {
                let ours = engine.take().unwrap_or_default();
                rewrite.comment_out(entry, "As it was for Falco:", &ours);
            }
            (_, Some((_, Past::Without(instead)))) => {
                rewrite.comment_out(entry, &format!("Has no effect: {instead}"), "");
            }
            _ => {}
        }
        if matches!(key, "rules_file" | "rules_files" | "config_files") {
            let items = entry
                .value
                .items()
                .unwrap_or(std::slice::from_ref(&entry.value));
            for item in items {
                let path = item.get("path").unwrap_or(item);
                let Some(text) = path.text() else { continue };
                let now = moved(text, base);
                let inside = now.strip_prefix(base).ok();
                if let Some(inside) = inside {
                    rewrite.replace(path.at, to.join(inside).display().to_string());
                }
            }
        }
    }
    rewrite.finish()
}

/// Loads what was written as a start would.
fn check(main: &Path) -> Result<()> {
    let loaded = configuration::load(Some(main), &[]).map_err(|rejected| {
        configuration::show(&rejected.findings, &rejected.sources);
        anyhow::anyhow!("{} was written, but does not load", main.display())
    })?;
    RuleFiles::of(&loaded.settings).map(|_| ())
}

/// What is left to do.
fn next(to: Option<&Path>, base: &Path, own: bool, rules: &RuleFiles) -> Vec<String> {
    let stock = rules.paths().any(|path| {
        path.strip_prefix(base)
            .is_ok_and(|inside| STOCK.iter().any(|(stock, _)| inside == Path::new(stock)))
    });
    let mut next = Vec::new();
    let Some(to) = to else {
        let from = if base == Path::new(USUAL) {
            String::new()
        } else {
            format!(" {}", base.display())
        };
        next.push(format!(
            "peregrine migrate{from} --to /etc/peregrine    # writes the configuration"
        ));
        return next;
    };
    if stock && !own {
        next.push(
            "Falco's own rules were carried over; --own-rules takes Peregrine's of the same names"
                .to_owned(),
        );
    }
    let main = to.join(MAIN);
    next.push(format!(
        "peregrine check {0} && peregrine run -c {0} -M 60    # try it",
        main.display()
    ));
    next.push("systemctl disable --now 'falco*' && systemctl enable --now peregrine".to_owned());
    next
}
