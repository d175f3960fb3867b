//! `peregrine check`: rule files and configuration files, without running anything.

mod advice;

use std::path::Path;

use anyhow::Result;
use config::tree::Value as Shape;
use config::{Node, Request, Settings};
use diag::{Diagnostic, Severity, SourceMap};
use fields::Catalogue;
use serde_json::{Value, json};

use crate::cli::{Check, CheckForm};
use crate::rulefiles::{self, RuleFile};
use crate::ruleset::{Loading, OnError};
use crate::sources::Sources;
use crate::{configuration, output};

use advice::Advice;

/// A checked configuration file.
struct Checked {
    name: String,
    findings: Vec<Diagnostic>,
    sources: SourceMap,
}

/// Checks everything that is named, to the end, whatever is found on the way.
pub(crate) fn run(args: &Check) -> Result<u8> {
    let mut rule_files = Vec::new();
    let mut configurations = Vec::new();
    let mut unreadable = Vec::new();
    for path in &args.files {
        match gather(path) {
            Ok(files) => {
                for file in files {
                    if is_configuration(&file) {
                        configurations.push(check_configuration(&file));
                    } else {
                        rule_files.push(file);
                    }
                }
            }
            Err(error) => unreadable.push(format!("{error:#}")),
        }
    }
    let catalogue = Catalogue::new([]);
    let sources = Sources::new(&catalogue, true);
    let settings = Settings::default();
    let load =
        |files: &[RuleFile]| Loading::of(files, &settings, &catalogue, &sources, OnError::GoOn);
    let mut loading = load(&rule_files);
    if args.fix {
        advice::fix(&rule_files, &loading, load, &sources)?;
        let named: Vec<String> = rule_files.iter().map(|file| file.name.clone()).collect();
        rule_files.clear();
        for name in &named {
            rule_files.push(rulefiles::read(Path::new(name))?);
        }
        loading = load(&rule_files);
    }
    let lints = (!args.no_lints).then(|| Advice::on(&loading, &sources));
    match args.format {
        CheckForm::Text => show(&loading, &configurations, lints.as_ref(), args.all),
        CheckForm::Json => {
            let document = document(&loading, &configurations, lints.as_ref());
            output::print(&format!("{document}\n"))?;
        }
    }
    unreadable
        .iter()
        .for_each(|error| eprintln!("error: {error}"));

    let refused = !unreadable.is_empty()
        || !loading.accepted()
        || configurations
            .iter()
            .any(|c| has(&c.findings, Severity::Error));
    let warned = !loading.texts(false).is_empty()
        || configurations
            .iter()
            .any(|c| has(&c.findings, Severity::Warning));
    Ok(u8::from(refused || (args.strict && warned)))
}

fn has(findings: &[Diagnostic], severity: Severity) -> bool {
    findings.iter().any(|found| found.severity == severity)
}

/// The file, or the rule files of a directory.
fn gather(path: &str) -> Result<Vec<RuleFile>> {
    if Path::new(path).is_dir() {
        return rulefiles::collect(&[path.to_owned()], true, &mut Vec::new());
    }
    Ok(vec![rulefiles::read(Path::new(path))?])
}

/// A configuration is a map of keys, a rule file a sequence.
fn is_configuration(file: &RuleFile) -> bool {
    let Ok(text) = std::str::from_utf8(&file.content) else {
        return false;
    };
    Node::parse(text, None).is_ok_and(|tree| matches!(tree.value, Shape::Map(_)))
}

fn check_configuration(file: &RuleFile) -> Checked {
    let text = String::from_utf8_lossy(&file.content);
    let request = Request {
        path: Some(Path::new(&file.name)),
        base: Some(&text),
        ..Request::default()
    };
    let (findings, sources) = match config::load(&request) {
        Ok(loaded) => (loaded.warnings, loaded.sources),
        Err(rejected) => (rejected.findings, rejected.sources),
    };
    // A start forgives what Falco forgives; who asks wants to know.
    let mut findings = findings;
    for found in &mut findings {
        if found.code == &config::code::KEY {
            found.severity = Severity::Error;
        }
    }
    Checked {
        name: file.name.clone(),
        findings,
        sources,
    }
}

fn show(loading: &Loading, configurations: &[Checked], lints: Option<&Advice>, all: bool) {
    if let Some(lints) = lints {
        lints.show(all);
    }
    for text in loading.texts(false).iter().chain(&loading.texts(true)) {
        eprintln!("{text}\n");
    }
    for checked in configurations {
        configuration::show(&checked.findings, &checked.sources);
    }
    let verdict = |name: &str, errors: usize, warnings: usize| {
        let mut text = match (errors, warnings) {
            (0, 0) => "ok".to_owned(),
            (0, n) => format!("ok, {}", counted(n, "warning")),
            (n, 0) => counted(n, "error"),
            (n, m) => format!("{}, {}", counted(n, "error"), counted(m, "warning")),
        };
        match lints.map_or(0, |lints| lints.count(name)) {
            0 => {}
            1 => text.push_str(", 1 piece of advice"),
            n => text.push_str(&format!(", {n} pieces of advice")),
        }
        eprintln!("{name}: {text}");
    };
    for outcome in loading.outcomes() {
        let errors = outcome
            .findings
            .iter()
            .filter(|finding| finding.is_error())
            .count();
        verdict(&outcome.name, errors, outcome.findings.len() - errors);
    }
    for checked in configurations {
        let errors = checked
            .findings
            .iter()
            .filter(|f| f.severity == Severity::Error)
            .count();
        verdict(&checked.name, errors, checked.findings.len() - errors);
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Falco's validation result, and the configurations beside it.
fn document(loading: &Loading, configurations: &[Checked], lints: Option<&Advice>) -> Value {
    let mut document = loading.json();
    if let Some(lints) = lints {
        document["advice"] = lints.json();
    }
    let configurations: Vec<Value> = configurations
        .iter()
        .map(|checked| {
            let findings = checked.findings.iter();
            json!({
                "name": checked.name,
                "successful": !has(&checked.findings, Severity::Error),
                "diagnostics": findings
                    .map(|found| diag::json::render(&checked.sources, found))
                    .collect::<Vec<_>>(),
            })
        })
        .collect();
    if !configurations.is_empty() {
        document["config_results"] = Value::Array(configurations);
    }
    document
}
