//! `peregrine profile`: what each rule and each comparison costs and brings, over a capture or the running machine.
//!
//! The measuring evaluator stands beside the one that watches and shares the graph of conditions with nobody, so watching
//! pays nothing for it. `measure` counts and times, `report` tells.

mod daemon;
mod measure;
mod report;

use anyhow::{Context as _, Result, bail};
use config::settings::RuleMatching;
use fields::Catalogue;
use rules::select::OldSwitches;
use state::State;

use super::prepare::{load, rules as load_rules};
use crate::cli::{CheckForm, Profile};
use crate::event_loop::{self, Pace};
use crate::machine::state_options;
use crate::sources::Sources;
use crate::stop::Signals;
use crate::watch::{Machine, Wanted};
use crate::{output, ruleset, source};

use measure::Meter;

/// Measures.
pub(crate) fn run(args: &Profile) -> Result<u8> {
    if args.daemon {
        return daemon::run(args);
    }
    let Some(loaded) = load(&args.rules, Vec::new())? else {
        return Ok(1);
    };
    let settings = &loaded.settings;
    let catalogue = Catalogue::new(settings.static_fields.iter().cloned());
    let sources = Sources::new(&catalogue, true);
    let Some(loading) = load_rules(&args.rules, settings, &catalogue, &sources, false)? else {
        return Ok(1);
    };
    let mut set = loading.into_set();
    let order = ruleset::select(&mut set, settings, &OldSwitches::default())?;
    let first_only = settings.rule_matching == RuleMatching::First;
    let mut meter = Meter::new(&set, &order, &catalogue, first_only)?;
    let signals = Signals::catch().context("cannot catch signals")?;
    let mut state = State::new(state_options(settings));
    let pace = |seconds| Pace::new(settings, seconds);
    let end = match (&args.capture, args.live) {
        (Some(path), None) => {
            let mut file = source::open(path, false)?;
            event_loop::drive(&mut file, &mut state, &mut meter, &signals, pace(0))
        }
        (None, Some(seconds)) => {
            let wanted = Wanted::of(&set, &order, settings);
            let mut machine = Machine::open(settings, &wanted, &mut state)?;
            event_loop::drive(
                &mut machine,
                &mut state,
                &mut meter,
                &signals,
                pace(seconds.max(1)),
            )
        }
        _ => bail!("name a capture file, or watch this machine with --live SECONDS"),
    };
    if let Some(fault) = end.fault {
        return Err(fault);
    }
    match args.format {
        CheckForm::Text => output::print(&report::text(&meter, args.top))?,
        CheckForm::Json => output::print(&format!("{:#}\n", report::json(&meter)))?,
    }
    Ok(0)
}
