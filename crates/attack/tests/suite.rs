//! The suite against Peregrine: every rule fires on its attacks and stays silent on its near misses.
//!
//! Live where root and the kernel allow it (a must with `PEREGRINE_REQUIRE_LIVE=1`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use attack::audit;
use attack::case::{self, ANY_RULE, Case};
use attack::coverage;
use attack::monitor::{self, Plan};
use attack::mutation::{self, Source, Subject};
use attack::performance::token;
use attack::verdict::{judge, report};

fn root() -> PathBuf {
    testkit::corpus::workspace_root()
}

fn rules() -> Vec<PathBuf> {
    attack::RULE_FILES
        .iter()
        .map(|file| root().join(file))
        .collect()
}

fn rule_texts() -> Vec<String> {
    attack::RULE_TEXTS.map(str::to_owned).to_vec()
}

#[test]
fn every_rule_has_an_attack_and_a_near_miss() {
    let cases = case::all().expect("cases");
    let events = audit::all().expect("audit cases");
    let all: Vec<(&str, bool)> = cases
        .iter()
        .map(|case| (case.rule.as_str(), case.fires))
        .chain(events.iter().map(|case| (case.rule.as_str(), case.fires)))
        .collect();
    let mut names = BTreeSet::from([ANY_RULE.to_owned()]);
    for text in rule_texts() {
        for rule in coverage::read(&text).0 {
            let of = |fires: bool| all.contains(&(rule.name.as_str(), fires));
            assert!(of(true), "nothing makes {} fire", rule.name);
            assert!(of(false), "nothing comes near {}", rule.name);
            names.insert(rule.name);
        }
    }
    for (rule, _) in all {
        assert!(names.contains(rule), "there is no rule {rule}");
    }
}

#[test]
fn every_rule_has_its_blind_spots_told() {
    let blind = coverage::blind_spots();
    for rule in rule_texts().iter().flat_map(|text| coverage::read(text).0) {
        assert!(
            blind.contains_key(rule.name.as_str()),
            "what can {} not see?",
            rule.name
        );
    }
}

#[test]
fn the_coverage_page_is_fresh() {
    let path = root().join("docs/coverage.md");
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let cases = case::all().expect("cases");
    let events = audit::all().expect("audit cases");
    let made = coverage::page(&rule_texts(), &cases, &events, &attack::kept_table(&kept));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, made).expect("the page can be written");
        return;
    }
    assert!(
        kept == made,
        "docs/coverage.md is out of date; UPDATE=1 renews it"
    );
}

fn live_required() -> bool {
    std::env::var("PEREGRINE_REQUIRE_LIVE").is_ok_and(|value| value == "1")
}

fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.starts_with(b"0"))
}

/// The program, built beside this test by the workspace's own build; cargo gives no path to another crate's.
fn peregrine() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    let profile = own.ancestors().nth(2)?;
    let built = [
        profile.join("peregrine"),
        root().join("target/release/peregrine"),
    ];
    built.into_iter().find(|path| Path::exists(path))
}

/// A machine in use has hiccups: what went wrong is tried once more, by itself.
fn verify(plan: &Plan, cases: &[Case]) -> Result<(), String> {
    let (complete, alerts) = attack::live(plan, cases).map_err(|why| format!("{why:#}"))?;
    let outcomes = judge(cases, &complete, &alerts);
    eprint!("{}", report(cases, &outcomes, &alerts, false));
    let again: Vec<Case> = cases
        .iter()
        .zip(&outcomes)
        .filter(|(_, outcome)| !outcome.is_right())
        .map(|(case, _)| case.clone())
        .collect();
    if again.is_empty() {
        return Ok(());
    }
    let (complete, alerts) = attack::live(plan, &again).map_err(|why| format!("{why:#}"))?;
    let outcomes = judge(&again, &complete, &alerts);
    if outcomes.iter().all(|outcome| outcome.is_right()) {
        return Ok(());
    }
    Err(report(&again, &outcomes, &alerts, false))
}

#[test]
fn rules_for_audit_events_fire_and_stay_silent() {
    let Some(program) = peregrine() else {
        assert!(!live_required(), "peregrine is not built");
        eprintln!("left out: peregrine is not built");
        return;
    };
    let plan = Plan {
        program,
        rules: vec![root().join(audit::RULE_FILE)],
        tuning: audit::TUNING,
    };
    let cases = audit::all().expect("audit cases");
    let alerts = audit::verify(&plan, &cases).expect("Peregrine reads them");
    let mut wrong = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let fired = alerts
            .get(&token(index))
            .is_some_and(|rules| case.rule == ANY_RULE || rules.contains(&case.rule));
        if fired != case.fires {
            wrong.push(format!("{}: {} (fired: {fired})", case.rule, case.title));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The program and the right to perform; nothing, with the reason said, where they are missing and may be.
fn able() -> Option<Plan> {
    let Some(program) = peregrine() else {
        assert!(!live_required(), "peregrine is not built");
        eprintln!("left out: peregrine is not built");
        return None;
    };
    if !is_root() {
        assert!(!live_required(), "the stages need root");
        eprintln!("left out: the stages need root");
        return None;
    }
    Some(Plan {
        program,
        rules: rules(),
        tuning: attack::TUNING,
    })
}

/// Two performances at once would see each other: their cases carry the same tokens.
static ALONE: Mutex<()> = Mutex::new(());

/// One change in so many of all is tried: `peregrine-attack mutate` tries each.
const SAMPLE: usize = 60;

/// Of the sample at least this share must be caught; of all it is more (docs/coverage.md).
const CAUGHT: f64 = 80.0;

#[test]
fn a_recording_raises_the_same_and_notices_changed_rules() {
    let Some(plan) = able() else {
        return;
    };
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let cases = case::all().expect("cases");
    let folder = tempfile::tempdir().expect("a directory");
    let file = folder.path().join("suite.scap");
    let complete = match attack::record(&plan.program, &cases, &file) {
        Ok(complete) => complete,
        Err(why) if !live_required() => {
            eprintln!("left out: {why:#}");
            return;
        }
        Err(why) => panic!("{why:#}"),
    };
    let alerts = monitor::replay(&plan, &file).expect("the recording replays");
    let outcomes = judge(&cases, &complete, &alerts);
    let wrong = outcomes
        .iter()
        .filter(|outcome| !outcome.is_right())
        .count();
    eprint!("{}", report(&cases, &outcomes, &alerts, false));
    // A recorder that has to wait for its turn loses events, which it says; on a machine in use that is no fault.
    assert!(wrong * 50 <= cases.len(), "{wrong} of {}", cases.len());

    let fired = attack::fired(&cases, &alerts);
    let subjects: Vec<Subject> = cases
        .iter()
        .zip(fired)
        .enumerate()
        .map(|(index, (case, fires))| Subject {
            rule: case.rule.clone(),
            token: token(index),
            fires,
        })
        .collect();
    let shares = mutation::run(&plan, Source::Syscalls, &file, &subjects, SAMPLE)
        .expect("changed rules load");
    eprint!("{}", mutation::report(&shares, true));
    assert!(mutation::percent(&shares) >= CAUGHT);
}

#[test]
fn rules_fire_on_attacks_and_stay_silent_on_near_misses() {
    let Some(plan) = able() else {
        return;
    };
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let cases = case::all().expect("cases");
    match verify(&plan, &cases) {
        Ok(()) => {}
        Err(why) if !live_required() && why.contains("stage") => eprintln!("left out: {why}"),
        Err(why) => panic!("{why}"),
    }
}
