//! `peregrine-attack`: performs attacks harmlessly, and says which rule should fire.

#![forbid(unsafe_code)]

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use attack::audit::{self, AuditCase};
use attack::case::{self, ANY_RULE, Case, Place};
use attack::monitor::{Alerts, Plan};
use attack::mutation::{self, Source, Subject};
use attack::operator::{Service, meant, rules, summary};
use attack::performance::{Performance, token};
use attack::verdict::{judge, report};
use clap::{Args, CommandFactory as _, Parser, Subcommand};

/// Performs what the rules are about, harmlessly, on a stage of its own: own root, processes and network, nothing remains
#[derive(Parser)]
#[command(name = "peregrine-attack", version, disable_help_subcommand = true)]
struct Line {
    /// Read the cases from the .attacks files of this folder instead of those built in
    #[arg(long, global = true, value_name = "FOLDER")]
    cases: Option<PathBuf>,
    #[command(subcommand)]
    word: Word,
}

#[derive(Subcommand)]
enum Word {
    /// Print the rules that can be tried; with --rule, each of their attacks and near misses
    List(Choice),
    /// Perform attacks, and say which rule should fire: one for each rule, or all of those named (root)
    Run(Run),
    /// Start a Peregrine of one's own, perform everything before it, and compare (root)
    Verify(Verify),
    /// Perform while Peregrine records into a file (root)
    Record(Recording),
    /// Compare what a recording raises with what it should
    Replay(Recording),
    /// Print events for the rules about Kubernetes audit events, a line each
    Events(Choice),
    /// Change the rules a word at a time, and count the changes that the suite notices in a recording
    Mutate(Mutate),
    /// Print the coverage page
    Coverage(Page),
    /// Print the manual page, for packages
    #[command(hide = true)]
    Manual,
}

#[derive(Args)]
struct Recording {
    /// The file
    file: PathBuf,
    #[command(flatten)]
    verify: Verify,
}

#[derive(Args)]
struct Mutate {
    #[command(flatten)]
    recording: Recording,
    /// Try every so manieth change only
    #[arg(long, value_name = "N", default_value_t = 1)]
    step: usize,
    /// Fail if a smaller share than this is caught
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0)]
    least: f64,
}

#[derive(Args)]
struct Page {
    /// A recording, and Falco's rule files, to set them side by side
    #[arg(long, num_args = 2.., value_names = ["RECORDING", "RULES"])]
    beside: Vec<PathBuf>,
    /// The program to start
    #[arg(long, value_name = "PATH", default_value = "target/release/peregrine")]
    peregrine: PathBuf,
}

#[derive(Args)]
struct Choice {
    /// Only this rule, or those that have this in their name; may be repeated
    #[arg(long, value_name = "NAME")]
    rule: Vec<String>,
}

#[derive(Args)]
struct Run {
    #[command(flatten)]
    choice: Choice,
    /// Perform near misses as well, for which the rule should stay silent
    #[arg(long)]
    near_misses: bool,
    /// Perform all attacks of all rules
    #[arg(long)]
    all: bool,
    /// Wait for each alert in this file, to which a running Peregrine or Falco writes them as JSON; - is standard input
    #[arg(long, value_name = "FILE")]
    alerts: Option<PathBuf>,
    /// Wait so long for an alert
    #[arg(long, value_name = "SECONDS", default_value_t = 3, requires = "alerts")]
    patience: u64,
}

#[derive(Args)]
struct Verify {
    #[command(flatten)]
    choice: Choice,
    /// The program to start
    #[arg(long, value_name = "PATH", default_value = "target/release/peregrine")]
    peregrine: PathBuf,
    /// Rule files instead of the shipped ones; may be repeated
    #[arg(short, long, value_name = "FILE")]
    rules: Vec<PathBuf>,
    /// Print every case, not only what went wrong
    #[arg(long)]
    all: bool,
}

fn main() -> ExitCode {
    match run(&Line::parse()) {
        Ok(code) => code,
        Err(why) => {
            // Whoever reads has seen enough: `list | head`.
            let closed = why
                .downcast_ref::<std::io::Error>()
                .is_some_and(|why| why.kind() == ErrorKind::BrokenPipe);
            if closed {
                return ExitCode::SUCCESS;
            }
            eprintln!("peregrine-attack: {why:#}");
            ExitCode::from(2)
        }
    }
}

fn say(text: &str) -> Result<()> {
    let mut output = std::io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()?;
    Ok(())
}

fn run(line: &Line) -> Result<ExitCode> {
    let cases = match &line.cases {
        Some(folder) => case::of_folder(folder)?,
        None => case::all()?,
    };
    match &line.word {
        Word::List(choice) => list(choice, &cases)?,
        Word::Run(run) => return perform(run, &cases),
        Word::Verify(verify) => return self::verify(verify, &cases),
        Word::Record(recording) => record(recording, &cases)?,
        Word::Replay(recording) => return replay(recording, &cases),
        Word::Events(choice) => {
            for case in chosen_events(choice)? {
                say(&format!("{}\n", case.event))?;
            }
        }
        Word::Mutate(mutate) => return self::mutate(mutate, &cases),
        Word::Coverage(page) => coverage(page, &cases)?,
        Word::Manual => {
            let page = clap_mangen::Man::new(Line::command()).section("8");
            page.render(&mut std::io::stdout().lock())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// All rules that the choice means; nothing if it names none.
fn names<'a>(choice: &Choice, known: impl Iterator<Item = &'a str>) -> Result<Vec<String>> {
    let mut all: Vec<String> = known.map(str::to_owned).collect();
    all.dedup();
    let mut found = Vec::new();
    for name in &choice.rule {
        found.extend(meant(name, &all)?);
    }
    Ok(found)
}

fn chosen(choice: &Choice, cases: &[Case]) -> Result<Vec<Case>> {
    if choice.rule.is_empty() {
        return Ok(cases.to_vec());
    }
    let names = names(choice, cases.iter().map(|case| case.rule.as_str()))?;
    let mut cases = cases.to_vec();
    cases.retain(|case| names.contains(&case.rule));
    Ok(cases)
}

fn chosen_events(choice: &Choice) -> Result<Vec<AuditCase>> {
    let mut cases = audit::all()?;
    if !choice.rule.is_empty() {
        let names = names(choice, cases.iter().map(|case| case.rule.as_str()))?;
        cases.retain(|case| names.contains(&case.rule));
    }
    Ok(cases)
}

fn list(choice: &Choice, cases: &[Case]) -> Result<()> {
    let events = audit::all()?;
    if choice.rule.is_empty() {
        return say(&summary(cases, &events));
    }
    let own = cases.iter().map(|case| case.rule.as_str());
    let names = names(
        choice,
        own.chain(events.iter().map(|case| case.rule.as_str())),
    )?;
    let mut last = "";
    let own = cases.iter().map(|case| {
        (
            &case.rule,
            case.fires,
            format!("{} ({})", case.title, case.place),
        )
    });
    let events = events.iter().map(|case| {
        (
            &case.rule,
            case.fires,
            format!("{} (an audit event)", case.title),
        )
    });
    for (rule, fires, words) in own.chain(events).filter(|(rule, ..)| names.contains(rule)) {
        if rule != last {
            say(&format!("{rule}\n"))?;
            last = rule;
        }
        say(&format!("  {}: {words}\n", should(fires)))?;
    }
    Ok(())
}

fn should(fires: bool) -> &'static str {
    if fires { "fires" } else { "stays silent" }
}

/// What an operator asked for: all of the named rules, or the first attack of each.
fn programme(run: &Run, cases: &[Case]) -> Result<Vec<Case>> {
    let mut found = chosen(&run.choice, cases)?;
    found.retain(|case| (case.fires || run.near_misses) && case.rule != ANY_RULE);
    if run.choice.rule.is_empty() && !run.all {
        let mut had = std::collections::BTreeSet::new();
        found.retain(|case| had.insert((case.rule.clone(), case.fires)));
    }
    Ok(found)
}

/// Why no alert need come of an attack, on a machine that is as it was.
fn excuse(case: &Case, off: &[String]) -> Option<&'static str> {
    if off.contains(&case.rule) {
        return Some("as the rule is off by default");
    }
    match case.place {
        Place::Privileged | Place::Described(_) => {
            Some("as no container runtime knows of the stage (verify plays one)")
        }
        Place::Host | Place::Container => None,
    }
}

fn perform(run: &Run, cases: &[Case]) -> Result<ExitCode> {
    let cases = programme(run, cases)?;
    let mut service = run.alerts.as_deref().map(Service::follow).transpose()?;
    let mut performance = Performance::open(&cases)?;
    let (mut right, mut wrong, mut undone) = (0, 0, 0);
    let off: Vec<String> = rules()
        .into_iter()
        .filter(|rule| !rule.enabled)
        .map(|rule| rule.name)
        .collect();
    for (index, case) in cases.iter().enumerate() {
        say(&format!(
            "{:>4}/{} {} should {}: {} ({})",
            index + 1,
            cases.len(),
            case.rule,
            if case.fires { "fire" } else { "stay silent" },
            case.title,
            case.place,
        ))?;
        if let Some(service) = &mut service {
            service.forget();
        }
        let complete = performance.one(index)?;
        if !complete {
            undone += 1;
            say(" ... this machine does not let it be done whole\n")?;
            continue;
        }
        let Some(service) = &mut service else {
            say("\n")?;
            continue;
        };
        let fired = service.fired(&case.rule, Duration::from_secs(run.patience));
        let others = service.others(&case.rule);
        let beside = if others.is_empty() {
            String::new()
        } else {
            format!(" (also: {})", others.join(", "))
        };
        let excuse = excuse(case, &off);
        say(&match (fired, case.fires, excuse) {
            (true, true, _) => format!(" ... it fired{beside}\n"),
            (false, false, _) => format!(" ... silent{beside}\n"),
            (false, true, Some(why)) => format!(" ... no alert, {why}{beside}\n"),
            (false, true, None) => format!(" ... NO ALERT{beside}\n"),
            (true, false, _) => format!(" ... IT FIRED{beside}\n"),
        })?;
        if fired == case.fires {
            right += 1;
        } else if case.fires && excuse.is_some() {
            undone += 1;
        } else {
            wrong += 1;
        }
    }
    drop(performance);
    if service.is_some() {
        say(&format!(
            "{right} as they should, {wrong} not; of {undone} nothing can be said\n"
        ))?;
    } else {
        say("Done; nothing of it remains. Now look for the alerts.\n")?;
    }
    Ok(if wrong == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn plan(verify: &Verify) -> Plan {
    let shipped = attack::RULE_FILES.map(PathBuf::from).to_vec();
    let own = !verify.rules.is_empty();
    Plan {
        program: verify.peregrine.clone(),
        tuning: if own { "" } else { attack::TUNING },
        rules: if own { verify.rules.clone() } else { shipped },
    }
}

fn audit_plan(verify: &Verify) -> Plan {
    Plan {
        program: verify.peregrine.clone(),
        tuning: audit::TUNING,
        rules: vec![PathBuf::from(audit::RULE_FILE)],
    }
}

fn verify(verify: &Verify, cases: &[Case]) -> Result<ExitCode> {
    let cases = chosen(&verify.choice, cases)?;
    let (complete, alerts) = attack::live(&plan(verify), &cases)?;
    settle(verify, &cases, &complete, &alerts)
}

fn settle(verify: &Verify, cases: &[Case], complete: &[bool], alerts: &Alerts) -> Result<ExitCode> {
    let outcomes = judge(cases, complete, alerts);
    if outcomes.is_empty() {
        bail!("there is no case, so nothing was compared");
    }
    say(&report(cases, &outcomes, alerts, verify.all))?;
    Ok(if outcomes.iter().all(|outcome| outcome.is_right()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn record(recording: &Recording, cases: &[Case]) -> Result<()> {
    let cases = chosen(&recording.verify.choice, cases)?;
    let complete = attack::record(&recording.verify.peregrine, &cases, &recording.file)?;
    let done = complete.iter().filter(|complete| **complete).count();
    say(&format!(
        "{done} of {} cases could be done whole\n",
        cases.len()
    ))
}

fn replay(recording: &Recording, cases: &[Case]) -> Result<ExitCode> {
    let cases = chosen(&recording.verify.choice, cases)?;
    let alerts = attack::monitor::replay(&plan(&recording.verify), &recording.file)?;
    settle(&recording.verify, &cases, &vec![true; cases.len()], &alerts)
}

/// Subjects whose rule is not among the wanted ones stay, as they are: their tokens count by place.
fn wanted(choice: &Choice, subjects: &mut [Subject], names: &[String]) {
    for subject in subjects {
        if !choice.rule.is_empty() && !names.contains(&subject.rule) {
            subject.rule.clear();
        }
    }
}

fn mutate(mutate: &Mutate, cases: &[Case]) -> Result<ExitCode> {
    let verify = &mutate.recording.verify;
    let file = &mutate.recording.file;
    let plan = plan(verify);
    let fired = attack::fired(cases, &attack::monitor::replay(&plan, file)?);
    let mut subjects: Vec<Subject> = cases
        .iter()
        .enumerate()
        .map(|(index, case)| Subject {
            rule: case.rule.clone(),
            token: token(index),
            fires: fired[index],
        })
        .collect();
    let events = audit::all()?;
    let mut audited: Vec<Subject> = events
        .iter()
        .enumerate()
        .map(|(index, case)| Subject {
            rule: case.rule.clone(),
            token: token(index),
            fires: case.fires,
        })
        .collect();
    let all = subjects.iter().chain(&audited);
    let names = names(&verify.choice, all.map(|subject| subject.rule.as_str()))?;
    wanted(&verify.choice, &mut subjects, &names);
    wanted(&verify.choice, &mut audited, &names);
    let mut shares = mutation::run(&plan, Source::Syscalls, file, &subjects, mutate.step)?;
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("audit.log");
    audit::write(&events, &log)?;
    let plan = audit_plan(verify);
    shares.extend(mutation::run(
        &plan,
        Source::AuditEvents,
        &log,
        &audited,
        mutate.step,
    )?);
    say(&mutation::report(&shares, verify.all))?;
    let enough = mutation::percent(&shares) >= mutate.least;
    Ok(if enough {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn coverage(page: &Page, cases: &[Case]) -> Result<()> {
    let mut files = Vec::new();
    for file in attack::RULE_FILES.iter().chain([&audit::RULE_FILE]) {
        files.push(std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?);
    }
    let others = match page.beside.as_slice() {
        [recording, rules @ ..] => attack::beside(&page.peregrine, cases, recording, rules)?,
        _ => attack::kept_table(
            &std::fs::read_to_string(Path::new("docs/coverage.md")).unwrap_or_default(),
        ),
    };
    say(&attack::coverage::page(
        &files,
        cases,
        &audit::all()?,
        &others,
    ))
}
