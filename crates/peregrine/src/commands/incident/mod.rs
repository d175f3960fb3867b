//! `peregrine incident`: what belongs to an alert, in one picture.
//!
//! Alerts come from the store on this machine, or are raised anew from a capture ([`capture`]), which also tells what
//! the processes did besides. [`report`] puts processes, files and connections together, [`text`] (with [`folding`]) and [`json`] show it.

mod capture;
mod folding;
mod json;
mod report;
mod text;

use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use store::{Alert, Incident, Store};

use super::prepare;
use crate::cli;
use crate::output;

use report::Report;

/// Alerts of an incident that are looked at, the latest.
const ALERTS: u32 = 20_000;
/// Incidents that an id which is too short may name.
const NAMED: u32 = 10;
/// How a store's file begins.
const STORE: &[u8] = b"SQLite format 3\0";

/// Shows an incident, or lists the latest.
pub(crate) fn run(args: &cli::Incident) -> Result<u8> {
    let asked = Asked::of(args)?;
    match (&asked.capture, &asked.id) {
        (Some(file), id) => in_capture(args, file, id.as_deref()),
        (None, id) => in_store(args, asked.store.as_deref(), id.as_deref()),
    }
}

/// What the arguments ask for.
struct Asked {
    id: Option<String>,
    capture: Option<String>,
    store: Option<String>,
}

impl Asked {
    fn of(args: &cli::Incident) -> Result<Self> {
        let mut asked = Self {
            id: None,
            capture: args.capture.clone(),
            store: args.store.clone(),
        };
        for text in &args.what {
            let (place, value) = if !Path::new(text).exists() {
                if !is_id(text) {
                    bail!(
                        "'{text}' is neither a file nor an id; ids have 4 to 16 hexadecimal digits, and \
                         `peregrine incident` lists them"
                    );
                }
                (&mut asked.id, text.to_lowercase())
            } else if is_store(text) {
                (&mut asked.store, text.clone())
            } else {
                (&mut asked.capture, text.clone())
            };
            if place.replace(value).is_some() {
                bail!("'{text}' is one too many: name one id and one file");
            }
        }
        if asked.capture.is_some() && asked.store.is_some() {
            bail!("name a capture or a store, not both");
        }
        Ok(asked)
    }
}

fn is_id(text: &str) -> bool {
    (4..=16).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_hexdigit())
}

fn is_store(path: &str) -> bool {
    let mut begin = [0; STORE.len()];
    let file = std::fs::File::open(path);
    file.is_ok_and(|mut file| file.read_exact(&mut begin).is_ok() && begin == *STORE)
}

fn in_store(args: &cli::Incident, path: Option<&str>, id: Option<&str>) -> Result<u8> {
    let path = match path {
        Some(path) => path.to_owned(),
        None => {
            let Some(loaded) = prepare::load(&args.rules, Vec::new())? else {
                return Ok(1);
            };
            loaded.settings.alert_store.path
        }
    };
    if !Path::new(&path).exists() {
        bail!(
            "there is no store at {path}; `alert_store: {{enabled: true}}` in the configuration keeps alerts there, and \
             `peregrine incident -e FILE` looks at a capture"
        );
    }
    let store = Store::read(Path::new(&path)).context("the store cannot be read")?;
    let cannot = || format!("the store {path} cannot be read");
    let Some(id) = id else {
        let all = store.incidents(args.number).with_context(cannot)?;
        return list(args, &all, &path);
    };
    let named = store.incidents_of(id, NAMED).with_context(cannot)?;
    let Some(incident) = one(id, &named, &path)? else {
        return Ok(1);
    };
    let (alerts, all) = store.incident(incident, ALERTS).with_context(cannot)?;
    let alerts: Vec<Alert> = alerts.into_iter().map(|kept| kept.alert).collect();
    let mut report = Report::of(incident, alerts);
    report.left_out = all.saturating_sub(report.alerts.len() as u64);
    show(args, &report)
}

fn in_capture(args: &cli::Incident, file: &str, id: Option<&str>) -> Result<u8> {
    let Some(capture) = capture::Capture::open(args, file)? else {
        return Ok(1);
    };
    let (collected, fault) = capture.alerts()?;
    if let Some(fault) = fault {
        eprintln!("warning: {fault:#}; what came before is shown");
    }
    if collected.missed > 0 {
        eprintln!(
            "warning: only the first {} alerts are looked at, {} came after them",
            collected.alerts.len(),
            collected.missed
        );
    }
    let Some(id) = id else {
        let mut all = report::incidents(&collected.alerts);
        all.truncate(args.number as usize);
        return list(args, &all, file);
    };
    let mut named: Vec<String> = Vec::new();
    for alert in &collected.alerts {
        let meant = alert.alert_id.starts_with(id) || alert.incident.starts_with(id);
        if meant && !named.contains(&alert.incident) {
            named.push(alert.incident.clone());
        }
    }
    let Some(incident) = one(id, &named, file)? else {
        return Ok(1);
    };
    let alerts = collected.alerts.into_iter();
    let alerts = alerts.filter(|alert| alert.incident == *incident).collect();
    let mut report = Report::of(incident, alerts);
    capture.deeds(&mut report)?;
    show(args, &report)
}

/// The incident that is meant; `None` where there are several, which was shown.
fn one<'n>(id: &str, named: &'n [String], place: &str) -> Result<Option<&'n str>> {
    match named {
        [] => bail!("no alert of the id {id} in {place}; `peregrine incident` lists what is there"),
        [one] => Ok(Some(one)),
        several => {
            eprintln!("error: {id} may be any of:");
            several.iter().for_each(|one| eprintln!("  {one}"));
            Ok(None)
        }
    }
}

fn list(args: &cli::Incident, all: &[Incident], place: &str) -> Result<u8> {
    if args.json {
        output::print(&format!("{}\n", json::list(all)))?;
    } else if all.is_empty() {
        output::print(&format!("no incidents in {place}\n"))?;
    } else {
        output::print(&text::list(all))?;
    }
    Ok(0)
}

fn show(args: &cli::Incident, report: &Report) -> Result<u8> {
    let shown = if args.json {
        format!("{}\n", json::report(report))
    } else {
        text::report(report)
    };
    output::print(&shown)?;
    Ok(0)
}
