//! Does the suite notice if a rule changes? Each rule's condition, macros put in, is changed in one word at a time; a
//! change is caught if a case of that rule then ends otherwise.
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

use crate::case::Case;
use crate::condition::{expanded, mutants, text};
use crate::monitor::Plan;
use crate::performance::token;
use crate::{CASE_VARIABLE, TUNING};

/// A rule that was changed in one word.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// The rule.
    pub rule: String,
    /// What was changed.
    pub change: String,
    condition: String,
}

/// How many of a rule's changes were caught.
#[derive(Clone, Debug, Default)]
pub struct Share {
    /// Changes that load.
    pub all: usize,
    /// Of these, the ones after which a case ended otherwise.
    pub caught: usize,
    /// What was changed in the others.
    pub escaped: Vec<String>,
}

/// Shares by rule.
pub type Shares = BTreeMap<String, Share>;

const AT_ONCE: usize = 400;

/// Conditions of the rules, and those of the macros, as they are after the suite's own changes.
fn conditions(
    plan: &Plan,
    folder: &Path,
) -> Result<(BTreeMap<String, String>, BTreeMap<String, String>)> {
    let mut command = Command::new(&plan.program);
    command.args(["-o", "json_output=true", "-o", "rules_files=[]"]);
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
        json[kind]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|item| {
                let about = &item["info"];
                Some((
                    about["name"].as_str()?.to_owned(),
                    about["condition"].as_str()?.to_owned(),
                ))
            })
            .collect::<BTreeMap<_, _>>()
    };
    Ok((named("rules"), named("macros")))
}

/// Changes every rule that has a case, and says what the suite noticed in that recording.
///
/// `fired` says of each case whether its rule fires as shipped.
///
/// # Errors
/// The monitor cannot be started, or does not take the rules as they are.
pub fn run(plan: &Plan, capture: &Path, cases: &[Case], fired: &[bool]) -> Result<Shares> {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("tuning.yaml"), TUNING)?;
    let (rules, macros) = conditions(plan, folder.path())?;
    let wanted: BTreeSet<&str> = cases.iter().map(|case| case.rule.as_str()).collect();
    let mut all = Vec::new();
    for (rule, condition) in &rules {
        if !wanted.contains(rule.as_str()) {
            continue;
        }
        let words = expanded(condition, &macros);
        let original = text(&words);
        let mut seen = BTreeSet::from([original]);
        for (condition, change) in mutants(&words) {
            if seen.insert(condition.clone()) {
                all.push(Mutant {
                    rule: rule.clone(),
                    change,
                    condition,
                });
            }
        }
    }
    let mut shares = Shares::new();
    for batch in all.chunks(AT_ONCE) {
        judge(
            plan,
            capture,
            folder.path(),
            batch,
            cases,
            fired,
            &mut shares,
        )?;
    }
    Ok(shares)
}

/// One load of many. If it is refused, the halves are tried: what does not load by itself is no change that counts.
fn judge(
    plan: &Plan,
    capture: &Path,
    folder: &Path,
    batch: &[Mutant],
    cases: &[Case],
    fired: &[bool],
    shares: &mut Shares,
) -> Result<()> {
    let Some(seen) = replay(plan, capture, folder, batch, cases)? else {
        if batch.len() > 1 {
            let (one, other) = batch.split_at(batch.len() / 2);
            judge(plan, capture, folder, one, cases, fired, shares)?;
            judge(plan, capture, folder, other, cases, fired, shares)?;
        }
        return Ok(());
    };
    for (number, mutant) in batch.iter().enumerate() {
        let share = shares.entry(mutant.rule.clone()).or_default();
        share.all += 1;
        let caught = cases.iter().enumerate().any(|(index, case)| {
            case.rule == mutant.rule && seen.contains(&(number, index)) != fired[index]
        });
        if caught {
            share.caught += 1;
        } else {
            share.escaped.push(mutant.change.clone());
        }
    }
    Ok(())
}

/// Which of the batch fired in which case; nothing if they do not load.
fn replay(
    plan: &Plan,
    capture: &Path,
    folder: &Path,
    batch: &[Mutant],
    cases: &[Case],
) -> Result<Option<BTreeSet<(usize, usize)>>> {
    let mut rules = String::new();
    for (number, mutant) in batch.iter().enumerate() {
        let tokens: Vec<String> = cases
            .iter()
            .enumerate()
            .filter(|(_, case)| case.rule == mutant.rule)
            .map(|(index, _)| token(index))
            .collect();
        let condition = mutant.condition.replace('\'', "''");
        let _ = write!(
            rules,
            "- rule: changed {number}\n  desc: d\n  priority: DEBUG\n  warn_evttypes: false\n  \
             output: 'changed {number} %proc.env[{CASE_VARIABLE}]'\n  \
             condition: 'proc.env[{CASE_VARIABLE}] in ({}) and ({condition})'\n",
            tokens.join(", ")
        );
    }
    let file = folder.join("changed.yaml");
    fs::write(&file, rules)?;
    let configuration = folder.join("changed-configuration.yaml");
    fs::write(
        &configuration,
        "rules_files: []\nrule_matching: all\npriority: debug\ntime_format_iso_8601: false\nstdout_output:\n  enabled: true\n\
         syslog_output:\n  enabled: false\nrules:\n  - disable:\n      rule: \"*\"\n  - enable:\n      rule: \"changed *\"\n",
    )?;
    let mut command = Command::new(&plan.program);
    command
        .arg("replay")
        .arg(capture)
        .arg("-c")
        .arg(&configuration)
        .arg("-q");
    for rules in &plan.rules {
        command.arg("-r").arg(rules);
    }
    let output = command
        .arg("-r")
        .arg(folder.join("tuning.yaml"))
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
        let index = parts
            .next()
            .and_then(|case| case.strip_prefix("case-")?.parse().ok());
        if let (Some(number), Some(index)) = (number, index) {
            seen.insert((number, index));
        }
    }
    Ok(Some(seen))
}

/// A line for each rule, what escaped, and the share of all.
#[must_use]
pub fn report(shares: &Shares, everything: bool) -> String {
    let mut report = String::new();
    let (mut all, mut caught) = (0, 0);
    for (rule, share) in shares {
        all += share.all;
        caught += share.caught;
        let _ = writeln!(report, "{:>5} of {:>5}  {rule}", share.caught, share.all);
        if everything {
            for change in &share.escaped {
                let _ = writeln!(report, "{:16}{change}", "");
            }
        }
    }
    let percent = if all == 0 {
        0.0
    } else {
        100.0 * caught as f64 / all as f64
    };
    let _ = writeln!(
        report,
        "{caught} of {all} changes were caught ({percent:.1} %)"
    );
    report
}
