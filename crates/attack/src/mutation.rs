//! Does the suite notice if the rules change? Each word of each rule's condition, and of each macro, is changed by itself;
//! a change is caught if a case then ends otherwise. A macro's change is made in every rule that uses it.
//!
//! All changed rules are loaded beside each other, some hundreds at a time, over one recording of the suite: a run over
//! thousands of them takes a minute or two.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::CASE_VARIABLE;
use crate::case::ANY_RULE;
use crate::condition::{expanded, mutants, text, words};
use crate::monitor::Plan;

/// A case, as changes are tried on it.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The rule that it is about, or [`ANY_RULE`].
    pub rule: String,
    /// What its events carry.
    pub token: String,
    /// True if its rule fires as shipped.
    pub fires: bool,
}

/// Where the rules' events come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Calls, from a recording of the suite.
    Syscalls,
    /// Kubernetes audit events, from a file of them.
    AuditEvents,
}

impl Source {
    /// The field that holds a case's token.
    fn token(self) -> String {
        match self {
            Self::Syscalls => format!("proc.env[{CASE_VARIABLE}]"),
            Self::AuditEvents => "ka.auditid".to_owned(),
        }
    }

    /// What a configuration needs beside, so that rules for it are listed: its plugins, which are built in.
    fn plugins(self) -> &'static str {
        match self {
            Self::Syscalls => "",
            Self::AuditEvents => {
                "load_plugins: [k8saudit, json]\nplugins:\n  - name: k8saudit\n    library_path: libk8saudit.so\n    \
                 init_config: \"\"\n    open_params: \"http://:0/k8s-audit\"\n  - name: json\n    \
                 library_path: libjson.so\n    init_config: \"\"\n"
            }
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Syscalls => "syscall",
            Self::AuditEvents => "k8s_audit",
        }
    }
}

/// One word changed, with all the rules that it changes.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// The rule or macro that has the word.
    pub owner: String,
    /// What was changed.
    pub change: String,
    conditions: Vec<(String, String)>,
}

/// How many changes of a rule or macro were caught.
#[derive(Clone, Debug, Default)]
pub struct Share {
    /// Changes that load.
    pub all: usize,
    /// Of these, the ones after which a case ended otherwise.
    pub caught: usize,
    /// What was changed in the others.
    pub escaped: Vec<String>,
}

/// Shares by owner.
pub type Shares = BTreeMap<String, Share>;

/// Conditions by name.
type Conditions = BTreeMap<String, String>;

/// So many changed rules are loaded beside each other.
const AT_ONCE: usize = 500;

/// What changes are tried on.
struct Trial<'a> {
    plan: &'a Plan,
    source: Source,
    capture: &'a Path,
    folder: &'a Path,
    subjects: &'a [Subject],
}

/// Conditions of the rules, and those of the macros, as they are after the suite's own changes.
fn conditions(plan: &Plan, source: Source, folder: &Path) -> Result<(Conditions, Conditions)> {
    let configuration = folder.join("listing.yaml");
    let base = "rules_files: []\njson_output: true\n";
    fs::write(&configuration, format!("{base}{}", source.plugins()))?;
    let mut command = Command::new(&plan.program);
    command.arg("-c").arg(&configuration);
    for file in &plan.rules {
        command.arg("-r").arg(file);
    }
    let output = command
        .arg("-r")
        .arg(folder.join("tuning.yaml"))
        .arg("-L")
        .output()
        .context("cannot start the monitor")?;
    let json: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let named = |kind: &str| {
        let items = json[kind].as_array().into_iter().flatten();
        items
            .filter_map(|item| {
                let about = &item["info"];
                let name = about["name"].as_str()?.to_owned();
                Some((name, about["condition"].as_str()?.to_owned()))
            })
            .collect::<Conditions>()
    };
    Ok((named("rules"), named("macros")))
}

/// Changes every rule that has a case, and every macro of them, and says what the suite noticed in that recording. Of the
/// changes every `step`th is tried.
///
/// # Errors
/// The monitor cannot be started, or does not take the rules as they are.
pub fn run(
    plan: &Plan,
    source: Source,
    capture: &Path,
    subjects: &[Subject],
    step: usize,
) -> Result<Shares> {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("tuning.yaml"), plan.tuning)?;
    let (rules, macros) = conditions(plan, source, folder.path())?;
    let wanted: BTreeSet<&str> = subjects
        .iter()
        .map(|subject| subject.rule.as_str())
        .collect();
    let trial = Trial {
        plan,
        source,
        capture,
        folder: folder.path(),
        subjects,
    };
    let mut shares = Shares::new();
    let mut batch: Vec<Mutant> = Vec::new();
    let mut held = 0;
    for mutant in changes(&rules, &macros, &wanted)
        .into_iter()
        .step_by(step.max(1))
    {
        held += mutant.conditions.len();
        batch.push(mutant);
        if held >= AT_ONCE {
            judge(&trial, &batch, &mut shares)?;
            batch.clear();
            held = 0;
        }
    }
    judge(&trial, &batch, &mut shares)?;
    Ok(shares)
}

/// Every change of one word.
fn changes(rules: &Conditions, macros: &Conditions, wanted: &BTreeSet<&str>) -> Vec<Mutant> {
    let whole = |condition: &str, macros: &Conditions| text(&expanded(condition, macros));
    let originals: Conditions = rules
        .iter()
        .filter(|(rule, _)| wanted.contains(rule.as_str()))
        .map(|(rule, condition)| (rule.clone(), whole(condition, macros)))
        .collect();
    let mut all = Vec::new();
    for (rule, original) in &originals {
        for (changed, change) in mutants(&words(&rules[rule])) {
            let changed = whole(&changed, macros);
            if changed != *original {
                all.push(Mutant {
                    owner: rule.clone(),
                    change,
                    conditions: vec![(rule.clone(), changed)],
                });
            }
        }
    }
    for (name, condition) in macros {
        for (changed, change) in mutants(&words(condition)) {
            let mut others = macros.clone();
            others.insert(name.clone(), changed);
            let conditions: Vec<(String, String)> = originals
                .iter()
                .map(|(rule, original)| (rule, original, whole(&rules[rule], &others)))
                .filter(|(_, original, changed)| changed != *original)
                .map(|(rule, _, changed)| (rule.clone(), changed))
                .collect();
            if !conditions.is_empty() {
                all.push(Mutant {
                    owner: format!("macro {name}"),
                    change,
                    conditions,
                });
            }
        }
    }
    all
}

/// One load of many. If it is refused, the halves are tried: what does not load by itself is no change that counts.
fn judge(trial: &Trial<'_>, batch: &[Mutant], shares: &mut Shares) -> Result<()> {
    if batch.is_empty() {
        return Ok(());
    }
    let Some(seen) = replay(trial, batch)? else {
        if batch.len() > 1 {
            let (one, other) = batch.split_at(batch.len() / 2);
            judge(trial, one, shares)?;
            judge(trial, other, shares)?;
        }
        return Ok(());
    };
    let mut number = 0;
    for mutant in batch {
        let share = shares.entry(mutant.owner.clone()).or_default();
        let mut caught = false;
        for (rule, _) in &mutant.conditions {
            caught |= trial.subjects.iter().any(|subject| {
                let own = subject.rule == *rule;
                let fired = seen.contains(&(number, subject.token.clone()));
                (own || subject.rule == ANY_RULE) && fired != (own && subject.fires)
            });
            number += 1;
        }
        share.all += 1;
        if caught {
            share.caught += 1;
        } else {
            share.escaped.push(mutant.change.clone());
        }
    }
    Ok(())
}

/// Which of the batch fired in which case; nothing if they do not load.
fn replay(trial: &Trial<'_>, batch: &[Mutant]) -> Result<Option<BTreeSet<(usize, String)>>> {
    let mut rules = String::new();
    let field = trial.source.token();
    let conditions = batch.iter().flat_map(|mutant| &mutant.conditions);
    for (number, (rule, condition)) in conditions.enumerate() {
        let tokens: Vec<&str> = trial
            .subjects
            .iter()
            .filter(|subject| subject.rule == *rule || subject.rule == ANY_RULE)
            .map(|subject| subject.token.as_str())
            .collect();
        let condition = condition.replace('\'', "''");
        let _ = write!(
            rules,
            "- rule: changed {number}\n  desc: d\n  priority: DEBUG\n  warn_evttypes: false\n  \
             source: {}\n  output: 'changed {number} %{field}'\n  \
             condition: '{field} in ({}) and ({condition})'\n",
            trial.source.name(),
            tokens.join(", ")
        );
    }
    let file = trial.folder.join("changed.yaml");
    fs::write(&file, rules)?;
    let configuration = trial.folder.join("changed-configuration.yaml");
    fs::write(
        &configuration,
        "rules_files: []\nrule_matching: all\npriority: debug\nstdout_output:\n  enabled: true\n\
         syslog_output:\n  enabled: false\nrules:\n  - disable:\n      rule: \"*\"\n  - enable:\n      \
         rule: \"changed *\"\n",
    )?;
    let mut command = Command::new(&trial.plan.program);
    command
        .arg("replay")
        .arg(trial.capture)
        .arg("-c")
        .arg(&configuration)
        .arg("-q");
    for rules in &trial.plan.rules {
        command.arg("-r").arg(rules);
    }
    let output = command
        .arg("-r")
        .arg(trial.folder.join("tuning.yaml"))
        .arg("-r")
        .arg(&file)
        .output()
        .context("cannot start the monitor")?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        if batch.len() == 1 || why.contains("changed.yaml") {
            return Ok(None);
        }
        bail!("{}", why.trim());
    }
    let mut seen = BTreeSet::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Some((_, rest)) = line.split_once("changed ") else {
            continue;
        };
        let mut parts = rest.split_whitespace();
        let number = parts.next().and_then(|number| number.parse().ok());
        if let (Some(number), Some(token)) = (number, parts.next()) {
            seen.insert((number, token.to_owned()));
        }
    }
    Ok(Some(seen))
}

/// The share of all changes that was caught, of a hundred.
#[must_use]
pub fn percent(shares: &Shares) -> f64 {
    let all: usize = shares.values().map(|share| share.all).sum();
    let caught: usize = shares.values().map(|share| share.caught).sum();
    if all == 0 {
        return 0.0;
    }
    100.0 * caught as f64 / all as f64
}

/// A line for each owner, what escaped, and the share of all.
#[must_use]
pub fn report(shares: &Shares, everything: bool) -> String {
    let mut report = String::new();
    let (mut all, mut caught) = (0, 0);
    for (owner, share) in shares {
        all += share.all;
        caught += share.caught;
        let _ = writeln!(report, "{:>5} of {:>5}  {owner}", share.caught, share.all);
        if everything {
            for change in &share.escaped {
                let _ = writeln!(report, "{:16}{change}", "");
            }
        }
    }
    let percent = percent(shares);
    let _ = writeln!(
        report,
        "{caught} of {all} changes were caught ({percent:.1} %)"
    );
    report
}
