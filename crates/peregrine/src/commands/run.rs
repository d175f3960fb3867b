//! `peregrine run`: rules over the running machine.

use std::io::IsTerminal;

use anyhow::{Context as _, Result, bail};
use config::Override;
use rules::select::OldSwitches;
use state::State;

use super::replay::{load, rules};
use crate::cli;
use crate::event_loop::{self, Pace};
use crate::machine::state_options;
use crate::pipeline::beside::Company;
use crate::pipeline::{self, Alerting, Ending, Plan, summary};
use crate::ruleset;
use crate::sources::Sources;
use crate::stop::Signals;
use crate::supervised::{Child, Deeds, Supervised};
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
    let catalogue = crate::containers::catalogue(settings);
    let sources = Sources::new(&catalogue, true);
    let Some(loading) = rules(&args.rules, settings, &catalogue, &sources, false)? else {
        return Ok(1);
    };
    let mut rules = loading.into_set();
    let order = ruleset::select(&mut rules, settings, &OldSwitches::default())?;
    let plan = Plan {
        settings,
        catalogue: &catalogue,
        sources: &sources,
        rules: &rules,
        order: &order,
        seconds: args.seconds,
        ending: if args.quiet {
            Ending::Nothing
        } else {
            Ending::Summary
        },
        origins: Default::default(),
    };
    let wanted = Wanted::of(&rules, &order, settings);
    if !wanted.blind.is_empty() {
        let calls = wanted.blind.join(", ");
        eprintln!(
            "warning: rules name system calls that are not watched: {calls}; see base_syscalls\n"
        );
    }
    if !args.command.is_empty() {
        return command(args, &plan, wanted);
    }
    if !args.quiet {
        greet(order.len());
    }
    let ended = pipeline::run(&plan, Company::default(), |state| {
        Machine::open(settings, &wanted, state)
    })?;
    match ended.fault {
        Some(fault) => Err(fault),
        None => Ok(0),
    }
}

/// Tells a person what happens now, and what to try.
fn greet(rules: usize) {
    if std::io::stderr().is_terminal() {
        eprintln!(
            "watching this machine with {rules} rules; alerts come below, Ctrl-C ends it\n\
             try in another terminal: cat /etc/shadow\n"
        );
    }
}

/// Watches one command.
fn command(args: &cli::Run, plan: &Plan<'_>, wanted: Wanted) -> Result<u8> {
    let settings = plan.settings;
    let wanted = wanted.with(&DEEDS);
    let signals = Signals::catch().context("cannot catch signals")?;
    let alerts = Alerting::new(plan)?;
    let mut state = State::new(state_options(settings));
    let mut machine = Machine::open(settings, &wanted, &mut state)?;
    machine.catch_up(&mut state)?;
    let child = Child::start(&args.command)?;
    let mut work = Supervised::new(alerts, child, Deeds::new(plan.catalogue));
    work.inner.begin(&machine, settings)?;
    let pace = Pace::new(settings, args.seconds);
    let end = event_loop::drive(&mut machine, &mut state, &mut work, &signals, pace);
    work.inner.finish::<Machine>(settings, false);
    let code = work.exit_code();
    if plan.ending == Ending::Summary {
        eprintln!("\n{} ended with code {code}", args.command.join(" "));
        eprint!("{}", work.deeds.text());
        summary::print_alerts(&work.inner.statistics);
        summary::print_losses(&work.inner.losses());
    }
    match end.fault {
        Some(fault) => Err(fault),
        None => Ok(code),
    }
}

/// What the summary of a command speaks of.
const DEEDS: [&str; 14] = [
    "execve",
    "execveat",
    "open",
    "openat",
    "openat2",
    "creat",
    "unlink",
    "unlinkat",
    "rmdir",
    "rename",
    "renameat",
    "renameat2",
    "connect",
    "accept4",
];
