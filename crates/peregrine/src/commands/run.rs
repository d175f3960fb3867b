//! `peregrine run`: rules over the running machine.

use std::io::IsTerminal;

use anyhow::{Context as _, Result};
use config::{Override, Settings};
use fields::Catalogue;
use state::State;

use super::prepare::Prepared;
use crate::cli;
use crate::event_loop::{self, Pace};
use crate::machine::state_options;
use crate::pipeline::beside::Company;
use crate::pipeline::{self, Alerting, Ending, Plan, summary};
use crate::sources::Sources;
use crate::stop::Signals;
use crate::supervised::{Child, Deeds, Supervised};
use crate::watch::{Machine, Wanted};

/// Watches.
pub(crate) fn run(args: &cli::Run) -> Result<u8> {
    let overrides = vec![Override::set("engine.kind", "modern_ebpf")];
    let sources = |catalogue: &Catalogue, _: &Settings| Ok(Sources::new(catalogue, true));
    let prepared = Prepared::read(&args.rules, &args.alerts, overrides, sources, false)?;
    let Some(prepared) = prepared else {
        return Ok(1);
    };
    let plan = prepared.plan(&args.alerts, args.seconds);
    let wanted = Wanted::of(plan.rules, plan.order, plan.settings);
    if !wanted.blind.is_empty() {
        let calls = wanted.blind.join(", ");
        eprintln!(
            "warning: rules name system calls that are not watched: {calls}; see base_syscalls\n"
        );
    }
    if !args.command.is_empty() {
        return command(args, &plan, wanted);
    }
    if !args.alerts.quiet {
        greet(plan.order.len());
    }
    let ended = pipeline::run(&plan, Company::default(), |state| {
        Machine::open(plan.settings, &wanted, state)
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
        summary::print_lookups(&work.inner.lookups());
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
