//! `peregrine record`: what happens, into a capture file.

use std::io::IsTerminal;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use capture::Compression;
use config::{Override, Settings};
use fields::{Catalogue, Environment};
use filter::Filter;
use probe::Losses;
use state::State;

use super::read::condition;
use crate::cli::{self, Packing};
use crate::event_loop::{self, LoopEnd, Pace};
use crate::hostname::hostname;
use crate::machine::state_options;
use crate::pipeline::beside::Main;
use crate::pipeline::summary;
use crate::recording::{Form, Recorder};
use crate::source::Source;
use crate::sources::{self, Injecting, Running, SYSCALL, Sources};
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
    if args.source == audit::SOURCE {
        // Its server is our own here.
        overrides.push(Override::set("webserver.enabled", "false"));
    }
    let config = args.config.as_deref().map(Path::new);
    let loaded = match crate::configuration::load(config, &overrides) {
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
    let sources = Sources::of(&catalogue, settings, args.source == audit::SOURCE)?;
    if !sources.has(&args.source) {
        let all: Vec<&str> = sources.names().collect();
        bail!(
            "there is no event source '{}'; there are: {}",
            args.source,
            all.join(", ")
        );
    }
    let signals = Signals::catch().context("cannot catch signals")?;
    let mut state = State::new(state_options(settings));
    if args.source == SYSCALL {
        let running = sources.plugins().start(SYSCALL, true)?;
        let wanted = Wanted {
            names: args.identify,
            ..Wanted::everything()
        };
        let mut machine = Machine::open(settings, &wanted, &mut state)?;
        // What waited while `/proc` was read belongs to what stands.
        machine.catch_up(&mut state)?;
        let source = Injecting::prepare(&running).around(machine);
        let recorder = begin(form, filter, &state, &running)?;
        return drive(
            args, settings, &catalogue, &signals, source, state, recorder,
        );
    }
    if !args.command.is_empty() {
        bail!("a command can be recorded by system calls only");
    }
    let mut company = sources::open(settings, &sources, std::slice::from_ref(&args.source))?;
    let beside = company.beside.pop().context("the source does not open")?;
    let recorder = begin(form, filter, &state, &beside.running)?;
    let source = Main(beside.stream);
    drive(
        args, settings, &catalogue, &signals, source, state, recorder,
    )
}

/// Begins the file with what stands, and with what plugins know.
fn begin(
    form: Form,
    filter: Option<Filter>,
    state: &State,
    running: &[Running],
) -> Result<Recorder> {
    let env = Environment {
        hostname: hostname(),
        zone: &fields::LOCAL,
        ..Environment::default()
    };
    Recorder::begin(form, filter, env, state, Running::dump_states(running))
}

fn drive<S: Source>(
    args: &cli::Record,
    settings: &Settings,
    catalogue: &Catalogue,
    signals: &Signals,
    mut source: S,
    mut state: State,
    recorder: Recorder,
) -> Result<u8> {
    let started = Instant::now();
    let pace = Pace::new(settings, args.seconds);
    if !args.quiet {
        eprintln!("recording to {}; Ctrl-C ends it", args.file);
    }
    let (end, recorder, code) = if args.command.is_empty() {
        let mut recorder = recorder;
        let end = event_loop::drive(&mut source, &mut state, &mut recorder, signals, pace);
        (end, recorder, 0)
    } else {
        let child = Child::start(&args.command)?;
        let mut work = Supervised::new(recorder, child, Deeds::new(catalogue));
        let end = event_loop::drive(&mut source, &mut state, &mut work, signals, pace);
        let code = work.exit_code();
        (end, work.inner, code)
    };
    source.finish();
    let lost = source.losses().map(|meter| meter.lost());
    finish(args, recorder, end, &lost.unwrap_or_default(), started)?;
    Ok(code)
}

fn finish(
    args: &cli::Record,
    mut recorder: Recorder,
    end: LoopEnd,
    lost: &Losses,
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
        summary::print_losses(lost);
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
        identify: args.identify,
        compat: args.compat,
        rotate_bytes: args.rotate_size.map(|mb| mb.saturating_mul(1_000_000)),
        rotate_time: args.rotate_time.map(|s| s.saturating_mul(1_000_000_000)),
        rotate_events: args.rotate_events,
        keep: args.keep,
        most_events: args.number,
    })
}
