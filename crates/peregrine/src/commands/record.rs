//! `peregrine record`: what happens, into a capture file.

use std::io::IsTerminal;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use capture::Compression;
use config::Override;
use fields::{Catalogue, Environment};
use filter::Filter;
use jiff::tz::TimeZone;
use state::State;

use super::read::condition;
use crate::cli::{self, Packing};
use crate::event_loop::{self, LoopEnd, Pace};
use crate::hostname::hostname;
use crate::machine::state_options;
use crate::pipeline::summary;
use crate::recording::{Form, Recorder};
use crate::stop::Signals;
use crate::supervised::{Child, Deeds, Supervised};
use crate::watch::{Machine, Wanted};

/// Records.
pub(crate) fn run(args: &cli::Record) -> Result<u8> {
    let mut overrides = vec![
        Override::set("engine.kind", "modern_ebpf"),
        Override::set("falco_libs.snaplen", &args.snaplen.to_string()),
    ];
    for option in &args.option {
        overrides.push(Override::parse(option)?);
    }
    let loaded = match crate::configuration::load(None, &overrides) {
        Ok(loaded) => loaded,
        Err(rejected) => {
            crate::configuration::show(&rejected.findings, &rejected.sources);
            return Ok(1);
        }
    };
    let settings = &loaded.settings;
    let catalogue = Catalogue::new([]).with_removed();
    let text = args.filter.join(" ");
    let filter = match text.trim() {
        "" => None,
        text => Some(condition(text, &catalogue)?),
    };
    let form = form(args)?;
    let signals = Signals::catch().context("cannot catch signals")?;
    let mut state = State::new(state_options(settings));
    let mut machine = Machine::open(settings, &Wanted::everything(), &mut state)?;
    let recorder = begin(form, filter, &mut machine, &mut state)?;
    let started = Instant::now();
    let pace = Pace::new(settings, args.seconds);
    if !args.quiet {
        eprintln!("recording to {}; Ctrl-C ends it", args.file);
    }
    let (end, recorder, code) = if args.command.is_empty() {
        let mut recorder = recorder;
        let end = event_loop::drive(&mut machine, &mut state, &mut recorder, &signals, pace);
        (end, recorder, 0)
    } else {
        let child = Child::start(&args.command)?;
        let mut work = Supervised::new(recorder, child, Deeds::new(&catalogue));
        let end = event_loop::drive(&mut machine, &mut state, &mut work, &signals, pace);
        let code = work.exit_code();
        (end, work.inner, code)
    };
    finish(args, recorder, end, &machine, started)?;
    Ok(code)
}

/// Takes in what waited while `/proc` was read, then begins the file with what stands.
fn begin(
    form: Form,
    filter: Option<Filter>,
    machine: &mut Machine,
    state: &mut State,
) -> Result<Recorder> {
    machine.catch_up(state)?;
    let env = Environment {
        hostname: hostname(),
        zone: TimeZone::system(),
        ..Environment::default()
    };
    Recorder::begin(form, filter, env, state)
}

fn finish(
    args: &cli::Record,
    mut recorder: Recorder,
    end: LoopEnd,
    machine: &Machine,
    started: Instant,
) -> Result<()> {
    recorder.finish()?;
    if let Some(fault) = end.fault {
        return Err(fault);
    }
    if !args.quiet {
        let files = recorder.files_begun();
        eprintln!(
            "{} events in {:.1} s, {} bytes in {} file{}",
            summary::grouped(recorder.written),
            started.elapsed().as_secs_f64(),
            summary::grouped(recorder.total_bytes),
            files,
            summary::plural(files),
        );
        summary::print_losses(&machine.lost());
    }
    Ok(())
}

fn form(args: &cli::Record) -> Result<Form> {
    let rotates = [args.rotate_size, args.rotate_time, args.rotate_events];
    if rotates.contains(&Some(0)) || args.keep == Some(0) {
        bail!("a file cannot be rotated after nothing, and one file at least is kept");
    }
    let rotates = rotates.iter().any(Option::is_some);
    if args.file == "-" && (rotates || std::io::stdout().is_terminal()) {
        bail!("standard output must lead to a file or a program, and is never rotated");
    }
    if args.file == "-" && !args.command.is_empty() {
        bail!("standard output belongs to the command; name a file for the capture");
    }
    if args.keep.is_some() && !rotates {
        bail!("--keep needs --rotate-size, --rotate-time or --rotate-events");
    }
    Ok(Form {
        path: args.file.clone(),
        compression: match args.compression {
            Packing::Gzip => Compression::Gzip,
            Packing::Zstd => Compression::Zstd,
            Packing::None => Compression::None,
        },
        redact_env: args.redact_env,
        compat: args.compat,
        rotate_bytes: args.rotate_size.map(|mb| mb.saturating_mul(1_000_000)),
        rotate_time: args.rotate_time.map(|s| s.saturating_mul(1_000_000_000)),
        rotate_events: args.rotate_events,
        keep: args.keep,
        most_events: args.number,
    })
}
