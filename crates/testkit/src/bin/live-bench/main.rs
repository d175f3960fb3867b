//! What it costs to watch a machine: `live-bench PEREGRINE [seconds=S] [runs=N] [only=PART,PART] RULES...`.
//!
//! A report in Markdown on standard output, each figure as soon as it is known; parts are measured
//! in the order of [`Part::ALL`], all of them or those that are named. Loads run for `S` seconds at a
//! time (1.2 by default, with which everything takes about two minutes). The rule files are loaded
//! together; one rule on opened files is measured beside them. Wants a quiet machine and root.

#![forbid(unsafe_code)]

mod parts;
mod watcher;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use parts::{Bench, Part};

pub(crate) type Failure = Box<dyn std::error::Error>;

/// Writes some of the report, at once.
pub(crate) fn say(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

/// Processor, kernel, cores, and what hashing a byte costs.
fn machine() -> String {
    const BYTES: f64 = (64 << 20) as f64;
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|l| l.strip_prefix("model name"))
        .unwrap_or("unknown");
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let begun = Instant::now();
    let hashed = Command::new("sh")
        .args(["-c", "head -c 67108864 /dev/zero | sha256sum"])
        .stdout(Stdio::null())
        .status();
    let byte = match hashed {
        Ok(status) if status.success() => {
            format!("{:.2} ns", begun.elapsed().as_secs_f64() * 1e9 / BYTES)
        }
        _ => "unknown".to_owned(),
    };
    format!(
        "{} · {cores} cores · Linux {} · hashing a byte (sha256sum) {byte} · load before {}",
        model.trim_start_matches([' ', '\t', ':']),
        kernel.trim(),
        load.split(' ').next().unwrap_or_default(),
    )
}

fn usage() -> String {
    let parts: Vec<&str> = Part::ALL.iter().map(|(_, name)| *name).collect();
    format!(
        "usage: live-bench PEREGRINE [seconds=S] [runs=N] [only=PART,PART] RULES...; parts: {}",
        parts.join(", ")
    )
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args_os().skip(1);
    let peregrine = PathBuf::from(arguments.next().ok_or_else(usage)?);
    let mut time = Duration::from_secs_f64(1.2);
    let mut runs = 3;
    let mut wanted: Vec<Part> = Part::ALL.iter().map(|(part, _)| *part).collect();
    let mut rules = Vec::new();
    for argument in arguments {
        match argument.to_str().and_then(|text| text.split_once('=')) {
            Some(("seconds", seconds)) => time = Duration::from_secs_f64(seconds.parse()?),
            Some(("runs", number)) => runs = number.parse::<usize>()?.max(1),
            Some(("only", names)) => {
                let parts: Option<Vec<Part>> = names.split(',').map(Part::named).collect();
                wanted = parts.ok_or_else(usage)?;
            }
            _ => rules.push(PathBuf::from(argument)),
        }
    }
    let begun = Instant::now();
    let bench = Bench::new(peregrine, time, runs, &rules)?;
    say(&machine())?;
    let mut last = None;
    for part in wanted {
        bench.measure(part, last)?;
        last = Some(part);
    }
    say(&format!("\nTook {:.0} s.", begun.elapsed().as_secs_f64()))
}
