//! The suite against Peregrine: every rule fires on its attacks and stays silent on its near misses.
//!
//! Live where root and the kernel allow it (a must with `PEREGRINE_REQUIRE_LIVE=1`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use attack::case::{self, Case};
use attack::coverage;
use attack::monitor::Plan;
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
    rules()
        .iter()
        .map(|file| std::fs::read_to_string(file).expect("a rule file"))
        .collect()
}

#[test]
fn every_rule_has_an_attack_and_a_near_miss() {
    let cases = case::all().expect("cases");
    let mut names = BTreeSet::new();
    for text in rule_texts() {
        for rule in coverage::read(&text).0 {
            let of = |fires: bool| {
                cases
                    .iter()
                    .filter(|case| case.rule == rule.name && case.fires == fires)
                    .count()
            };
            assert!(of(true) > 0, "nothing makes {} fire", rule.name);
            assert!(of(false) > 0, "nothing comes near {}", rule.name);
            names.insert(rule.name);
        }
    }
    for case in cases {
        assert!(
            case.rule == case::ANY_RULE || names.contains(&case.rule),
            "there is no rule {}",
            case.rule
        );
    }
}

#[test]
fn every_stable_and_incubating_rule_has_its_blind_spots_told() {
    let blind = coverage::blind_spots();
    for rule in rule_texts().iter().flat_map(|text| coverage::read(text).0) {
        if rule.maturity != "sandbox" {
            assert!(
                blind.contains_key(rule.name.as_str()),
                "what can {} not see?",
                rule.name
            );
        }
    }
}

#[test]
fn the_coverage_page_is_fresh() {
    let path = root().join("docs/coverage.md");
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let cases = case::all().expect("cases");
    let made = coverage::page(&rule_texts(), &cases, &attack::kept_table(&kept));
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
fn rules_fire_on_attacks_and_stay_silent_on_near_misses() {
    let Some(program) = peregrine() else {
        assert!(!live_required(), "peregrine is not built");
        eprintln!("left out: peregrine is not built");
        return;
    };
    if !is_root() {
        assert!(!live_required(), "the stages need root");
        eprintln!("left out: the stages need root");
        return;
    }
    let plan = Plan {
        program,
        rules: rules(),
        tuned: true,
    };
    let cases = case::all().expect("cases");
    match verify(&plan, &cases) {
        Ok(()) => {}
        Err(why) if !live_required() && why.contains("stage") => eprintln!("left out: {why}"),
        Err(why) => panic!("{why}"),
    }
}
