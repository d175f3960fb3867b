//! `peregrine run`: rules over the running machine.

use anyhow::{Result, bail};
use config::Override;
use fields::Catalogue;
use rules::select::OldSwitches;

use super::replay::{load, rules};
use crate::cli;
use crate::pipeline::{self, Ending, Plan};
use crate::ruleset;
use crate::watch::{Machine, Wanted};

/// Watches.
pub(crate) fn run(args: &cli::Run) -> Result<u8> {
    let mut overrides = vec![Override::set("engine.kind", "modern_ebpf")];
    if args.json {
        overrides.push(Override::set("json_output", "true"));
    }
    if args.all {
        overrides.push(Override::set("rule_matching", "all"));
    }
    let Some(loaded) = load(&args.rules, overrides)? else {
        return Ok(1);
    };
    let settings = &loaded.settings;
    if !settings.outputs.any() {
        bail!("no output is enabled in the configuration; set stdout_output.enabled=true");
    }
    let catalogue = Catalogue::new(settings.static_fields.iter().cloned());
    let Some(loading) = rules(&args.rules, settings, &catalogue)? else {
        return Ok(1);
    };
    let mut rules = loading.into_set();
    let order = ruleset::select(&mut rules, settings, &OldSwitches::default())?;
    let plan = Plan {
        settings,
        catalogue: &catalogue,
        rules: &rules,
        order: &order,
        seconds: args.seconds,
        ending: if args.quiet {
            Ending::Nothing
        } else {
            Ending::Summary
        },
    };
    let wanted = Wanted::of(&rules, &order, settings);
    let ended = pipeline::run(&plan, |state| Machine::open(settings, &wanted, state))?;
    match ended.fault {
        Some(fault) => Err(fault),
        None => Ok(0),
    }
}
