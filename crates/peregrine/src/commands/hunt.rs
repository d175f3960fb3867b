//! `peregrine hunt`: what rules would have found in what the flight recorder holds.

use std::io::ErrorKind;
use std::path::Path;
use std::rc::Rc;

use anyhow::{Context as _, Result, bail};
use config::Override;
use config::settings::FlightRecorder;
use flight::{Met, Segments};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rules::CodeSet;

use super::prepare::Prepared;
use crate::cli;
use crate::pipeline::beside::Company;
use crate::pipeline::{self, Plan, summary};
use crate::sources::{Ring, Sources, Tally};
use crate::watch;

/// Rules whose blindness is told one by one.
const TOLD: usize = 12;
/// Names in a line.
const NAMES: usize = 8;

/// What is no business of a hunt: it looks back, and tells whoever asked.
const OFF: [&str; 6] = [
    "alert_store.enabled",
    "capture.enabled",
    "flight_recorder.enabled",
    "metrics.enabled",
    "page.enabled",
    "webserver.enabled",
];

/// Hunts.
pub(crate) fn run(args: &cli::Hunt) -> Result<u8> {
    let last = args.last.as_deref().map(span).transpose()?;
    let mut overrides = vec![
        Override::set("engine.kind", "replay"),
        Override::set("engine.replay.capture_file", "ring"),
        Override::set("stdout_output.enabled", "true"),
    ];
    overrides.extend(OFF.iter().map(|key| Override::set(key, "false")));
    let config = crate::configuration::find(args.config.as_deref());
    let rules = cli::Rules {
        rules: args.rules.clone(),
        config: config.map(|path| path.display().to_string()),
        option: args.option.clone(),
    };
    let prepared = Prepared::read(
        &rules,
        &args.alerts,
        overrides,
        |catalogue, settings| Sources::of(catalogue, settings, true),
        false,
    )?;
    let Some(mut prepared) = prepared else {
        return Ok(1);
    };
    prepared.tell_standard_output_only();
    let plan = prepared.plan(&args.alerts, 0);
    let segments = segments(args, &plan.settings.flight_recorder)?;
    let since = last.map_or(0, |last| segments.newest.saturating_sub(last));
    let (met, tally) = (Rc::default(), Rc::default());
    let company = Company::of_capture(plan.sources)?;
    let ended = pipeline::run(&plan, company, |_| {
        Ring::open(segments, since, &met, &tally)
    })?;
    if !args.alerts.quiet {
        print(&plan, &met.borrow(), &tally.borrow());
    }
    match ended.fault {
        Some(fault) => Err(fault),
        None => Ok(0),
    }
}

/// Nanoseconds.
fn span(text: &str) -> Result<u64> {
    match config::scalar::milliseconds(text) {
        Some(ms) if ms > 0 => Ok(ms.saturating_mul(1_000_000)),
        _ => bail!("--last '{text}' is no span of time; write it like 15m or 1h30m"),
    }
}

/// Where the ring is.
fn segments(args: &cli::Hunt, ring: &FlightRecorder) -> Result<Segments> {
    if let Some(folder) = &args.from {
        return Segments::in_directory(Path::new(folder))
            .with_context(|| format!("cannot read a ring in '{folder}'"));
    }
    let socket = args.socket.as_deref().unwrap_or(ring.socket.trim());
    if socket.is_empty() {
        bail!(
            "flight_recorder.socket is empty: name the ring with --from DIRECTORY or --socket PATH"
        );
    }
    Segments::of_service(Path::new(socket)).map_err(|error| {
        let why = match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
                "no service listens there: is flight_recorder.enabled set, and does the service run?"
            }
            ErrorKind::PermissionDenied => "only root and the service's own user may ask",
            _ => "the answer cannot be used",
        };
        anyhow::anyhow!(
            "cannot ask for the ring at {socket}: {why} ({error}); \
             --from DIRECTORY reads one on disk without a service"
        )
    })
}

/// Says on standard error what the ring held, and what it did not.
fn print(plan: &Plan<'_>, met: &Met, tally: &Tally) {
    let (events, segments) = (tally.events, met.segments);
    if events == 0 {
        eprintln!("the ring holds no event of that time ({segments} segments)");
    } else {
        eprintln!(
            "the ring: {} event{} from {} to {}, {segments} segment{}",
            summary::grouped(events),
            summary::plural(events),
            time(tally.first),
            time(tally.last),
            summary::plural(segments),
        );
    }
    for (from, to) in &tally.gaps {
        eprintln!(
            "    a gap from {} to {}: events are missing, and the state begins anew behind it",
            time(*from),
            time((*to).max(*from))
        );
    }
    for damage in &met.damaged {
        eprintln!("    not read to its end: {damage}");
    }
    let notes: Vec<Note> = met.notes.iter().map(|note| Note::read(note)).collect();
    let mut filters: Vec<&str> = notes.iter().map(|note| note.filter.as_str()).collect();
    filters.sort_unstable();
    filters.dedup();
    for filter in filters.iter().filter(|filter| !filter.is_empty()) {
        eprintln!("    it was given only what fulfils: {filter}");
    }
    print_blind(plan, &notes);
}

/// What a segment says of what it was given.
struct Note {
    /// Unknown where the events came from a capture.
    calls: Option<CodeSet>,
    filter: String,
}

impl Note {
    fn read(note: &[u8]) -> Self {
        let note: serde_json::Value = serde_json::from_slice(note).unwrap_or_default();
        let names = note["syscalls"].as_array();
        Self {
            calls: names.map(|names| {
                let names = names.iter().filter_map(|name| name.as_str());
                names.fold(CodeSet::EMPTY, |set, name| set.or(&watch::named(name)))
            }),
            filter: note["filter"].as_str().unwrap_or_default().to_owned(),
        }
    }
}

/// Rules that ask for events that were not captured.
fn print_blind(plan: &Plan<'_>, notes: &[Note]) {
    let held: Vec<&CodeSet> = notes
        .iter()
        .filter_map(|note| note.calls.as_ref())
        .collect();
    let Some((first, more)) = held.split_first() else {
        return;
    };
    // Of all segments alike; what only some have is said as such.
    let always = more.iter().fold(**first, |set, other| set.and(other));
    let ever = more.iter().fold(**first, |set, other| set.or(other));
    let ours = plan.order.iter().map(|&at| &plan.rules.rules[at]);
    let blind: Vec<String> = ours
        .filter(|rule| rule.source == crate::sources::SYSCALL)
        .filter_map(|rule| {
            let never = watch::names(&rule.syscall_codes.minus(&ever));
            let sometimes = watch::names(&rule.syscall_codes.and(&ever).minus(&always));
            let mut parts = Vec::new();
            if !never.is_empty() {
                parts.push(format!("not {}", listed(&never)));
            }
            if !sometimes.is_empty() {
                parts.push(format!("only a part of the time {}", listed(&sometimes)));
            }
            (!parts.is_empty()).then(|| format!("    {}: {}", rule.name, parts.join("; ")))
        })
        .collect();
    if blind.is_empty() {
        return;
    }
    eprintln!(
        "{} rule{} could not see all that {} for, because it was not captured \
         (flight_recorder.events captures more):",
        blind.len(),
        summary::plural(blind.len() as u64),
        if blind.len() == 1 {
            "it asks"
        } else {
            "they ask"
        },
    );
    blind.iter().take(TOLD).for_each(|line| eprintln!("{line}"));
    if blind.len() > TOLD {
        eprintln!("    and {} more", blind.len() - TOLD);
    }
}

fn listed(names: &[&str]) -> String {
    match names.len().checked_sub(NAMES) {
        None | Some(0) => names.join(", "),
        Some(more) => format!("{} and {more} more", names[..NAMES].join(", ")),
    }
}

/// A time of day with its date, here.
fn time(ns: u64) -> String {
    let ns = i128::from(ns);
    Timestamp::from_nanosecond(ns).map_or_else(
        |_| ns.to_string(),
        |time| {
            let time = time.to_zoned(TimeZone::system());
            time.strftime("%Y-%m-%d %H:%M:%S").to_string()
        },
    )
}
