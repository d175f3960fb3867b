//! `peregrine doctor`: what can be watched on this machine, and what that means for the rules.
//!
//! It does what `peregrine run` would do, looks at how that went, and undoes it.

mod checks;
mod coverage;
mod recorder;

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::Result;
use config::Override;
use fields::Catalogue;
use rules::select::OldSwitches;
use serde_json::{Value, json};
use state::State;

use super::prepare::{load, rules};
use crate::cli::{self, CheckForm};
use crate::machine::state_options;
use crate::sources::Sources;
use crate::watch::{Machine, Wanted};
use crate::{output, ruleset};

/// How well something works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Health {
    /// As it should.
    Good,
    /// With less than there could be.
    Degraded,
    /// Nothing can be watched.
    Bad,
}

impl Health {
    const fn word(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Degraded => "degraded",
            Self::Bad => "missing",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    /// What.
    pub(crate) name: &'static str,
    /// How well it works.
    pub(crate) health: Health,
    /// What was found.
    pub(crate) found: String,
    /// What to do about it; empty where nothing is to be done.
    pub(crate) remedy: String,
}

/// Rules that see less than they ask for.
#[derive(Clone, Debug)]
pub(crate) struct Loss {
    /// The rule.
    pub(crate) rule: String,
    /// Events that it asks for and does not get.
    pub(crate) events: Vec<&'static str>,
    /// Why.
    pub(crate) because: &'static str,
}

/// Examines.
pub(crate) fn run(args: &cli::Doctor) -> Result<u8> {
    let overrides = vec![Override::set("engine.kind", "modern_ebpf")];
    let Some(loaded) = load(&args.rules, overrides)? else {
        return Ok(1);
    };
    let settings = &loaded.settings;
    let catalogue = Catalogue::new(settings.static_fields.iter().cloned());
    let sources = Sources::new(&catalogue, true);
    let Some(loading) = rules(&args.rules, settings, &catalogue, &sources, false)? else {
        return Ok(1);
    };
    let mut set = loading.into_set();
    let order = ruleset::select(&mut set, settings, &OldSwitches::default())?;
    let wanted = Wanted::of(&set, &order, settings);

    let support = probe::support();
    let mut checks = checks::of_kernel(&support);
    checks.push(checks::of_runtimes(settings));
    checks.extend(checks::of_packages(&set, &order));
    checks.extend(recorder::checks(settings, &set, &order));
    let mut losses = Vec::new();
    let mut state = State::new(state_options(settings));
    let begun = Instant::now();
    match Machine::open(settings, &wanted, &mut state) {
        Ok(machine) => {
            checks.extend(checks::of_watch(&machine, &support, begun.elapsed()));
            losses = coverage::losses(&set, &order, &wanted, &machine, &support);
        }
        Err(error) => {
            checks.push(Check {
                name: "watching",
                health: Health::Bad,
                found: format!("{error:#}"),
                remedy: String::new(),
            });
            losses.extend(coverage::all_lost(&set, &order));
        }
    }
    let health = checks.iter().map(|check| check.health).max();
    let health = match health.unwrap_or(Health::Bad) {
        Health::Good if !losses.is_empty() => Health::Degraded,
        health => health,
    };
    match args.format {
        CheckForm::Json => output::print(&format!("{:#}\n", json_of(health, &checks, &losses)))?,
        CheckForm::Text => output::print(&text_of(health, &checks, &losses, order.len()))?,
    }
    Ok(u8::from(health == Health::Bad))
}

fn json_of(health: Health, checks: &[Check], losses: &[Loss]) -> Value {
    let checks: Vec<Value> = checks
        .iter()
        .map(|check| {
            json!({
                "name": check.name,
                "status": check.health.word(),
                "found": check.found,
                "remedy": check.remedy,
            })
        })
        .collect();
    let losses: Vec<Value> = losses
        .iter()
        .map(|loss| json!({"rule": loss.rule, "events": loss.events, "because": loss.because}))
        .collect();
    json!({"status": health.word(), "checks": checks, "rules_with_less": losses})
}

fn text_of(health: Health, checks: &[Check], losses: &[Loss], rules: usize) -> String {
    let mut out = String::new();
    for check in checks {
        let mut found = check.found.lines();
        out.push_str(&format!(
            "{:<9} {}: {}\n",
            check.health.word(),
            check.name,
            found.next().unwrap_or_default()
        ));
        for line in found.chain(check.remedy.lines()) {
            out.push_str(&format!("{:10}{}\n", "", line.trim_start()));
        }
    }
    out.push('\n');
    let blind = losses.iter().filter(|loss| loss.events.is_empty()).count();
    if losses.is_empty() {
        out.push_str(&format!("all {rules} rules see everything they ask for\n"));
    } else if blind == losses.len() {
        out.push_str(&format!(
            "{blind} of {rules} rules see nothing: {}\n",
            losses[0].because
        ));
    } else {
        let concerned: BTreeSet<&str> = losses.iter().map(|loss| loss.rule.as_str()).collect();
        out.push_str(&format!(
            "{} of {rules} rules see less than they ask for:\n",
            concerned.len()
        ));
        for loss in losses {
            let all = &loss.events;
            let events = if all.len() <= 8 {
                all.join(", ")
            } else {
                format!("{} and {} more", all[..8].join(", "), all.len() - 8)
            };
            out.push_str(&format!(
                "    {}: not {events} ({})\n",
                loss.rule, loss.because
            ));
        }
    }
    out.push_str(match health {
        Health::Good => "this machine can be watched\n",
        Health::Degraded => "this machine can be watched, with the limits above\n",
        Health::Bad => "this machine cannot be watched as it is\n",
    });
    out
}
