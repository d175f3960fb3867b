//! `peregrine explain --kernel`: what the rules and the state need of the kernel's events, which
//! events may be left out, and why no alert is lost with them.

use std::fmt::Write;

use anyhow::Result;
use engine::needs::{Access, Filter, Kept, Need};
use engine::{Engine, Matching};
use fields::Catalogue;
use live::Shortcuts;
use rules::RuleSet;
use rules::select::OldSwitches;
use state::needs::Effect;

use crate::cli::Rules;
use crate::output;
use crate::ruleset;
use crate::sources::Sources;
use crate::watch::{NAME_SNAPLEN, Wanted};

/// Rules and prefixes that are shown of a long list.
const SHOWN: usize = 4;

/// Prints it.
pub(crate) fn run(args: &Rules) -> Result<u8> {
    let Some(loaded) = super::prepare::load(args, Vec::new())? else {
        return Ok(1);
    };
    let settings = &loaded.settings;
    let catalogue = Catalogue::new(settings.static_fields.iter().cloned());
    let sources = Sources::new(&catalogue, true);
    let loading = super::prepare::rules(args, settings, &catalogue, &sources, false)?;
    let Some(loading) = loading else {
        return Ok(1);
    };
    let mut set = loading.into_set();
    let order = ruleset::select(&mut set, settings, &OldSwitches::default())?;
    let engine = Engine::new(&set, &order, &catalogue, "syscall", Matching::First)?;
    let needs = engine.needs(&set, &catalogue);
    let mut out = String::new();
    for need in needs.iter().filter(|need| !need.rules.is_empty()) {
        show(&mut out, need, &set);
    }
    let of_state: Vec<&str> = needs
        .iter()
        .filter(|need| need.rules.is_empty())
        .filter_map(|need| Some(need.code.info()?.name))
        .collect();
    let _ = writeln!(
        out,
        "For the state alone ({}): {}",
        of_state.len(),
        of_state.join(", ")
    );
    let wanted = Wanted::of(&set, &order, settings);
    if wanted.names {
        let _ = writeln!(
            out,
            "For the names of addresses: messages to and from port 53, up to {NAME_SNAPLEN} bytes of each; of \
             {} these alone, other data of theirs are left out",
            wanted.names_alone_text()
        );
    }
    out.push_str(
        "Of these, calls that fail are left out where the state takes nothing from them.\n\
         No other type is needed: none is captured for these rules.\n\
         engine.KIND.kernel_filters=false has the kernel leave nothing out.\n",
    );
    output::print(&out)?;
    Ok(0)
}

fn show(out: &mut String, need: &Need, set: &RuleSet) {
    let Some(info) = need.code.info() else { return };
    let names: Vec<&str> = need
        .rules
        .iter()
        .map(|&rule| set.rules[rule as usize].name.as_str())
        .collect();
    let _ = writeln!(out, "{}", info.name);
    let _ = writeln!(out, "  rules ({}): {}", names.len(), some(&names));
    let _ = writeln!(out, "  state: {}", effect(need.effect));
    for (who, bits) in [
        ("conditions", need.conditions),
        ("outputs", need.outputs),
        ("state", need.state),
    ] {
        let wanted: Vec<&str> = info
            .params
            .iter()
            .enumerate()
            .filter(|(at, _)| bits >> at & 1 == 1)
            .map(|(_, param)| param.name)
            .collect();
        if !wanted.is_empty() {
            let _ = writeln!(out, "  read by {who}: {}", wanted.join(", "));
        }
    }
    for filter in &need.filters {
        let word = match Shortcuts::heeds(need, filter) {
            true => "left out",
            false => "could be left out, but is not recognised in the kernel",
        };
        let _ = writeln!(out, "  {word}: {}", left_out(filter));
    }
    for kept in &need.kept {
        let _ = match kept {
            Kept::FailedByRule(rule) => writeln!(
                out,
                "  kept: failed calls, for rule \"{}\" may fire on them",
                set.rules[*rule as usize].name
            ),
            Kept::ByState => writeln!(
                out,
                "  kept: what changes the state, whatever the rules say"
            ),
        };
    }
    out.push('\n');
}

fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::None => "takes nothing from it",
        Effect::Success => "changes when the call succeeds",
        Effect::SuccessOrPending => "changes when the call succeeds or is under way",
        Effect::SuccessOnSocket => "may change when the call succeeds on a socket",
        Effect::Memory => "takes sizes of memory",
        Effect::Always => "changes",
    }
}

fn left_out(filter: &Filter) -> String {
    match filter {
        Filter::Failed { except_pending } => format!(
            "calls that fail{}: every condition is false where the result is negative, and the state \
             takes nothing from them",
            if *except_pending {
                ", unless they are under way"
            } else {
                ""
            }
        ),
        Filter::Succeeded => {
            "calls that succeed: every condition is false where the result is not \
             negative, and the state takes nothing from them"
                .to_owned()
        }
        Filter::FailedOpen(access) => format!(
            "calls that fail to open a file {}: every condition is false for this access where the \
             result is negative, and the state takes nothing from them",
            match access {
                Access::Read => "for reading",
                Access::Write => "for writing",
                Access::Both => "for reading and writing",
            }
        ),
        Filter::Descriptor(kind) => format!(
            "calls on a {kind}: every condition is false for what such a descriptor may be known as, \
             and the state takes nothing from them"
        ),
        Filter::Process(parts) => {
            let mut parts: Vec<&str> = parts.iter().map(String::as_str).collect();
            parts.dedup();
            format!(
                "calls of programs for which none of these is true, of which every rule requires one, \
                 until they change their name or user or run another program: {}",
                some(&parts)
            )
        }
        Filter::Path(prefixes) => {
            let prefixes: Vec<String> = prefixes
                .iter()
                .map(|prefix| String::from_utf8_lossy(prefix).into_owned())
                .collect();
            let prefixes: Vec<&str> = prefixes.iter().map(String::as_str).collect();
            format!(
                "absolute, normal paths that begin with none of these, of which every rule requires one: {}",
                some(&prefixes)
            )
        }
    }
}

/// The first few of a list, and how many more there are.
fn some(all: &[&str]) -> String {
    let mut text = all[..all.len().min(SHOWN)].join("; ");
    if all.len() > SHOWN {
        let _ = write!(text, "; and {} more", all.len() - SHOWN);
    }
    text
}
