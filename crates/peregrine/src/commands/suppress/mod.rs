//! `peregrine suppress`: an exception from an alert, and the upkeep of exceptions.
//!
//! `alert` reads alerts; `exception` writes the narrowest exception that covers one; `effect` says which past alerts it would
//! have silenced and which attacks of a suite it would hide; `review` finds exceptions that have expired, or that
//! nothing uses.

mod alert;
mod effect;
mod exception;
mod review;

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use jiff::civil::Date;

use super::test::files::{Loaded, load};
use crate::cli::Suppress;
use crate::output;
use crate::rulefiles::{self, RuleFile};

use alert::Alert;
use exception::Exception;

/// Writes an exception, or reviews those that there are.
pub(crate) fn run(args: &Suppress) -> Result<u8> {
    let files = if args.rules.is_empty() {
        rulefiles::shipped(false)?
            .into_iter()
            .chain(rulefiles::shipped(true)?)
            .collect()
    } else {
        rulefiles::collect(&args.rules, true, &mut Vec::new())?
    };
    let loaded = load(&files)?;
    if args.review {
        return review::run(args, &files, &loaded);
    }
    let kept = &loaded.settings.alert_store.path;
    let path = match &args.alerts {
        Some(path) => path,
        None if Path::new(kept).exists() => kept,
        None => bail!(
            "name a file of alerts as JSON lines or a store (there is none at {kept}), or ask for a --review"
        ),
    };
    let alerts = alert::read(path)?;
    let alert = match args.line {
        Some(number) => alerts
            .iter()
            .find(|alert| alert.line == number)
            .with_context(|| format!("line {number} of {path} is no alert"))?,
        None => alerts
            .last()
            .with_context(|| format!("there is no alert in {path}"))?,
    };
    let (Some(owner), Some(reason), Some(expires)) = (&args.owner, &args.reason, &args.expires)
    else {
        bail!(
            "say who answers for the exception (--owner), why it is (--reason) and until when (--expires 2026-12-31)"
        );
    };
    let expires: Date = expires
        .parse()
        .context("the date of expiry is written as 2026-12-31")?;
    if expires <= jiff::Zoned::now().date() {
        bail!("{expires} is past: the exception would be expired from the start");
    }
    let exception = Exception::of(alert, &loaded, &args.fields)?;
    let text = exception.yaml(owner, reason, expires);
    let with = check(&exception, alert, &files, &text)?;
    output::print(&text)?;
    report(args, &alerts, alert, &exception, &text, &with)?;
    if let Some(path) = &args.write {
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .with_context(|| format!("cannot write {path}"))?;
        let empty = file.metadata().map_or(true, |data| data.len() == 0);
        let gap = if empty { "" } else { "\n" };
        file.write_all(format!("{gap}{text}").as_bytes())
            .with_context(|| format!("cannot write {path}"))?;
        eprintln!("appended to {path}; load it after the rules");
    }
    Ok(0)
}

/// Loads the rules with the exception, and looks whether it covers the alert.
fn check(exception: &Exception, alert: &Alert, files: &[RuleFile], text: &str) -> Result<Loaded> {
    let mut all = files.to_vec();
    all.push(RuleFile {
        name: "the exception".to_owned(),
        content: text.as_bytes().to_vec(),
    });
    let with = load(&all).context("the exception does not load")?;
    if !exception.covers(alert) || !exception.holds(alert, &with)? {
        bail!(
            "no exception could be written that covers the alert; name other fields with --fields"
        );
    }
    Ok(with)
}

/// Says what the exception does.
fn report(
    args: &Suppress,
    alerts: &[Alert],
    alert: &Alert,
    exception: &Exception,
    text: &str,
    with: &Loaded,
) -> Result<()> {
    let mut past: Vec<Alert> = alerts
        .iter()
        .filter(|other| other.line != alert.line)
        .cloned()
        .collect();
    for path in &args.past {
        past.extend(alert::read(path)?);
    }
    eprint!("{}", effect::past(exception, &past));
    let mut suites: Vec<String> = args.suite.clone();
    if suites.is_empty() {
        let beside = args.rules.iter().filter_map(|path| {
            let path = Path::new(path);
            let folder = if path.is_dir() { path } else { path.parent()? };
            let tests = folder.join("tests");
            tests.is_dir().then(|| tests.display().to_string())
        });
        suites.extend(beside);
        suites.dedup();
    }
    let _ = with;
    eprint!("{}", effect::attacks(exception, text, &suites)?);
    Ok(())
}
