//! The attack suite: for each shipped rule what must make it fire, and what looks alike and must not.
//!
//! A [case](case::Case) is a few lines of text in `attacks/`. A [script](script) is what the actor (a small C program
//! under `actor/`) makes of it. A [stage](stage) is where it is performed: an own root, own processes, an own network. The
//! [monitor](monitor) is Peregrine, started from outside, and the [verdict](verdict) compares what it said with what it
//! should have said. Every event of a case carries the case's token in its process's environment, so it does not matter
//! what else goes on in the machine.
//!
//! Nothing of this belongs to the daemon, and nothing of the daemon is used here but its program.

#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::case::Case;
use crate::monitor::{Alerts, Monitor, Plan};
use crate::performance::{Performance, token};
use crate::runtime::Runtime;

pub mod audit;
pub mod case;
pub mod condition;
pub mod coverage;
pub mod monitor;
pub mod mutation;
pub mod operator;
pub mod performance;
pub mod products;
pub mod runtime;
pub mod script;
pub mod stage;
pub mod verdict;
pub mod ways;

/// The environment variable that ties an event to a case.
pub const CASE_VARIABLE: &str = "PEREGRINE_CASE";

/// Rules for the suite alone: what is empty as shipped is filled, so that every rule can fire.
pub const TUNING: &str = include_str!("../attacks/tuning.yaml");

/// The shipped rule files, in the order in which users load them.
pub const RULE_FILES: [&str; 4] = [
    "rules/peregrine_rules.yaml",
    "rules/peregrine-incubating_rules.yaml",
    "rules/peregrine-sandbox_rules.yaml",
    "rules/peregrine-stateful_rules.yaml",
];

/// The shipped rules as they were when this was built, in the same order, with those for audit events at the end.
pub const RULE_TEXTS: [&str; 5] = [
    include_str!("../../../rules/peregrine_rules.yaml"),
    include_str!("../../../rules/peregrine-incubating_rules.yaml"),
    include_str!("../../../rules/peregrine-sandbox_rules.yaml"),
    include_str!("../../../rules/peregrine-stateful_rules.yaml"),
    include_str!("../../../rules/k8s_audit_rules.yaml"),
];

/// Starts the monitor, performs the cases before its eyes, and gives what could be done whole and what it said.
///
/// # Errors
/// Without root, or if the monitor ends or sees nothing.
pub fn live(plan: &Plan, cases: &[Case]) -> Result<(Vec<bool>, Alerts)> {
    let mut performance = Performance::open(cases)?;
    let runtime = Runtime::serve(performance.containers())?;
    let mut monitor = Monitor::start(plan, Some(&runtime.socket()))?;
    let mut ready = false;
    for _ in 0..120 {
        let token = performance.sentinel()?;
        if monitor.until(&token, Duration::from_millis(500))? {
            ready = true;
            break;
        }
    }
    if !ready {
        bail!("the monitor sees nothing");
    }
    let complete = performance.all()?;
    let token = performance.sentinel()?;
    if !monitor.until(&token, Duration::from_secs(60))? {
        bail!("the monitor did not come to the end");
    }
    // What waits for an answer about its program or container comes after what need not wait.
    monitor.until_fired(|alerts| {
        let fired = fired(cases, alerts);
        let all = cases.iter().zip(&complete).zip(fired);
        all.into_iter()
            .all(|((case, complete), fired)| fired || !case.fires || !complete)
    })?;
    drop(performance);
    Ok((complete, monitor.stop()))
}

/// Performs the cases while Peregrine records what the stages do.
///
/// # Errors
/// Without root, or if the recording cannot be made.
pub fn record(program: &Path, cases: &[Case], file: &Path) -> Result<Vec<bool>> {
    let _ = std::fs::remove_file(file);
    let folder = tempfile::tempdir()?;
    let raw = folder.path().join("raw.scap");
    let mut recorder = Command::new(program)
        .args(["record", "-q", "--identify", "-o"])
        .arg(format!("container_metadata.wait_ms={}", monitor::WAIT))
        .arg("-o")
        .arg(format!(
            "engine.modern_ebpf.buf_size_preset={}",
            monitor::BUFFERS
        ))
        .arg(&raw)
        .arg("proc.exepath contains peregrine-attack or proc.aexepath contains peregrine-attack")
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}", program.display()))?;
    // The file is begun when the machine is being watched and what stands was read.
    for _ in 0..600 {
        if std::fs::metadata(&raw).is_ok_and(|about| about.len() > 0) {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    std::thread::sleep(Duration::from_secs(1));
    let result = (|| {
        let mut performance = Performance::open(cases)?;
        let complete = performance.all()?;
        performance.sentinel()?;
        anyhow::Ok((complete, performance.containers().to_vec()))
    })();
    std::thread::sleep(Duration::from_secs(1));
    if let Some(id) = rustix::process::Pid::from_raw(recorder.id().cast_signed()) {
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
    }
    let status = recorder.wait().context("the recorder is gone")?;
    if !status.success() {
        bail!("the recorder ended: {status}");
    }
    let (complete, containers) = result?;
    runtime::describe(&raw, file, &containers)?;
    Ok(complete)
}

/// Of each case, whether its rule fired.
#[must_use]
pub fn fired(cases: &[Case], alerts: &Alerts) -> Vec<bool> {
    cases
        .iter()
        .enumerate()
        .map(|(index, case)| {
            alerts
                .get(&token(index))
                .is_some_and(|rules| concerns(rules, case))
        })
        .collect()
}

/// True if the rules that fired are against what the case says: its own, or any for a case that concerns all.
pub(crate) fn concerns(fired: &BTreeSet<String>, case: &Case) -> bool {
    fired.contains(&case.rule) || (case.rule == case::ANY_RULE && !fired.is_empty())
}

/// The table that sets Falco's rules beside ours, from a recording.
///
/// # Errors
/// The monitor cannot be started, or refuses the rules or the file.
pub fn beside(
    program: &Path,
    cases: &[Case],
    recording: &Path,
    theirs: &[PathBuf],
) -> Result<String> {
    let plan = |rules: Vec<PathBuf>, tuning| Plan {
        program: program.to_owned(),
        rules,
        tuning,
    };
    let mut text = String::new();
    for file in theirs {
        text += &std::fs::read_to_string(file)
            .with_context(|| format!("cannot read {}", file.display()))?;
    }
    let their_rules: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("- rule: "))
        .map(str::trim)
        .collect();
    let shipped = RULE_FILES.map(PathBuf::from).to_vec();
    let ours = fired(cases, &monitor::replay(&plan(shipped, TUNING), recording)?);
    let theirs = fired(
        cases,
        &monitor::replay(&plan(theirs.to_vec(), ""), recording)?,
    );
    let mut both = (Vec::new(), Vec::new(), Vec::new());
    for ((case, ours), theirs) in cases.iter().zip(ours).zip(theirs) {
        if their_rules.contains(&case.rule.as_str()) && !hangs_on_tuning(case) {
            both.0.push(case.clone());
            both.1.push(ours == case.fires);
            both.2.push(theirs == case.fires);
        }
    }
    Ok(coverage::side_by_side(&both.0, &both.1, &both.2))
}

/// True if a case speaks of what the suite's own lists allow: Falco's rules do not get these.
fn hangs_on_tuning(case: &Case) -> bool {
    fn tuned(lines: &[case::Line]) -> bool {
        lines
            .iter()
            .any(|line| line.words.iter().any(|word| word.contains("tuned-")) || tuned(&line.inner))
    }
    let image = match &case.place {
        case::Place::Described(about) => about.image.starts_with("tuned/"),
        _ => false,
    };
    image || tuned(&case.does)
}

/// The table that a page has already, so that the rest can be made anew without a recording.
#[must_use]
pub fn kept_table(page: &str) -> String {
    page.split_once("## Falco's own rules in the same suite\n\n")
        .map(|(_, table)| table.to_owned())
        .unwrap_or_default()
}
