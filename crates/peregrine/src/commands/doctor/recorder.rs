//! The flight recorder and the captures of alerts: what the configuration says, and whether it could be so.

use std::path::Path;

use config::Settings;
use rules::RuleSet;

use super::{Check, Health};

const MILLION: u64 = 1_000_000;
/// What waits to be compressed, at most (`flight::Options`), on top of a ring in memory.
const WAITING: u64 = 32 * MILLION;

/// Its checks: the recorder always, the folder of captures where any are made.
pub(super) fn checks(settings: &Settings, set: &RuleSet, order: &[usize]) -> Vec<Check> {
    let rules = order.iter().map(|&at| &set.rules[at]);
    let saved = rules
        .filter(|rule| settings.capture.enabled && (settings.capture.all_rules || rule.capture));
    let saved: Vec<_> = saved.collect();
    let early = saved
        .iter()
        .filter(|rule| rule.capture_before > 0 || settings.capture.default_before > 0);
    let mut checks = vec![ring(settings, early.count())];
    if settings.capture.enabled {
        checks.push(captures(settings, saved.len()));
    }
    checks
}

fn check(health: Health, found: String, remedy: &str) -> Check {
    Check {
        name: "flight recorder",
        health,
        found,
        remedy: remedy.to_owned(),
    }
}

fn ring(settings: &Settings, early: usize) -> Check {
    let ring = &settings.flight_recorder;
    if !ring.enabled {
        return match early {
            0 => check(
                Health::Good,
                "off: nothing of what was before an alert is kept".into(),
                "",
            ),
            _ => check(
                Health::Degraded,
                format!(
                    "off, and {early} rules ask for what was before their alerts (capture_before)"
                ),
                "set flight_recorder.enabled",
            ),
        };
    }
    let most = ring.max_size_mb.saturating_mul(MILLION);
    let minutes = ring.max_age / 60_000_000_000;
    let size = format!("{} MB and {minutes} minutes at most", ring.max_size_mb);
    let directory = ring.directory.trim();
    if directory.is_empty() {
        return in_memory(&size, most);
    }
    let place = format!("in {directory}, {size}");
    match flight::survey(Path::new(directory)) {
        Err(error) => check(
            Health::Bad,
            format!("{place}: {error}; the service would not start"),
            "name a folder of the service's own in flight_recorder.directory, with mode 0700",
        ),
        Ok(site) if site.is_in_use => check(
            Health::Good,
            format!(
                "{place}; a service records there now, {} MB",
                site.held / MILLION
            ),
            "",
        ),
        Ok(site) if site.held.saturating_add(site.free) < most => check(
            Health::Degraded,
            format!("{place}, and only {} MB are free", site.free / MILLION),
            "the oldest goes where the disk is full: make room, or lower flight_recorder.max_size_mb",
        ),
        Ok(site) => check(
            Health::Good,
            format!("{place}; {} MB are free", site.free / MILLION),
            "",
        ),
    }
}

fn in_memory(size: &str, most: u64) -> Check {
    let needs = most.saturating_add(WAITING);
    let place = format!("in memory, {size}; it needs up to {} MB", needs / MILLION);
    match available() {
        Some(free) if free < needs => check(
            Health::Degraded,
            format!("{place}, and {} MB are available", free / MILLION),
            "lower flight_recorder.max_size_mb, or keep it on disk with flight_recorder.directory",
        ),
        Some(free) => check(
            Health::Good,
            format!("{place}, and {} MB are available", free / MILLION),
            "",
        ),
        None => check(Health::Good, place, ""),
    }
}

/// Bytes of memory that may still be taken.
fn available() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes.saturating_mul(1024))
}

/// Whether captures of alerts could be written.
fn captures(settings: &Settings, rules: usize) -> Check {
    let prefix = &settings.capture.path_prefix;
    let folder = Path::new(prefix).parent();
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let begin = format!("{rules} rules save captures, as {prefix}_...");
    // Whoever saves them does not make the folder.
    let room = match folder.is_dir() {
        true => flight::room(folder).map_err(|error| error.to_string()),
        false => Err("there is no such folder".to_owned()),
    };
    let (health, found, remedy) = match room {
        Ok(free) => (
            Health::Good,
            format!("{begin}; {} MB are free", free / MILLION),
            "",
        ),
        Err(error) if rules == 0 => (Health::Good, format!("{begin}, where {error}"), ""),
        Err(error) => (
            Health::Degraded,
            format!("{begin}: {error}"),
            "make the folder of capture.path_prefix, or name another",
        ),
    };
    Check {
        name: "captures of alerts",
        health,
        found,
        remedy: remedy.to_owned(),
    }
}
