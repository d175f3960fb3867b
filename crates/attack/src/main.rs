//! `peregrine-attack`: performs attacks harmlessly, and says which rule should fire.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use attack::case::{self, Case};
use attack::monitor::{Alerts, Plan};
use attack::performance::Performance;
use attack::verdict::{judge, report};
use clap::{Args, Parser, Subcommand};

/// Performs what the rules are about, harmlessly, on a stage of its own
#[derive(Parser)]
#[command(name = "peregrine-attack", version)]
struct Line {
    #[command(subcommand)]
    word: Word,
}

#[derive(Subcommand)]
enum Word {
    /// Print what there is: a line for each case
    List(Choice),
    /// Perform, and say which rule should fire or stay silent; needs root
    Run(Choice),
    /// Start Peregrine, perform, and compare; needs root
    Verify(Verify),
    /// Perform while Peregrine records into a file; needs root
    Record(Recording),
    /// Compare what a recording raises with what it should
    Replay(Recording),
    /// Change the rules a word at a time, and count the changes that the suite notices in a recording
    Mutate(Recording),
    /// Print the coverage page
    Coverage(Page),
}

#[derive(Args)]
struct Recording {
    /// The file
    file: PathBuf,
    #[command(flatten)]
    verify: Verify,
}

#[derive(Args)]
struct Page {
    /// A recording, and Falco's rule file, to set them side by side
    #[arg(long, num_args = 2, value_names = ["RECORDING", "RULES"])]
    beside: Vec<PathBuf>,
    /// The program to start
    #[arg(long, value_name = "PATH", default_value = "target/release/peregrine")]
    peregrine: PathBuf,
}

#[derive(Args)]
struct Choice {
    /// Only the cases of this rule; may be repeated
    #[arg(long, value_name = "NAME")]
    rule: Vec<String>,
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
            eprintln!("peregrine-attack: {why:#}");
            ExitCode::from(2)
        }
    }
}

fn run(line: &Line) -> Result<ExitCode> {
    match &line.word {
        Word::List(choice) => {
            for case in chosen(choice)? {
                println!("{}", sentence(&case));
            }
        }
        Word::Run(choice) => perform(&chosen(choice)?)?,
        Word::Verify(verify) => return self::verify(verify),
        Word::Record(recording) => record(recording)?,
        Word::Replay(recording) => return replay(recording),
        Word::Mutate(recording) => mutate(recording)?,
        Word::Coverage(page) => coverage(page)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn chosen(choice: &Choice) -> Result<Vec<Case>> {
    let mut cases = case::all()?;
    if !choice.rule.is_empty() {
        cases.retain(|case| choice.rule.contains(&case.rule));
        if cases.is_empty() {
            bail!(
                "there is no case for {}; see peregrine-attack list",
                choice.rule.join(", ")
            );
        }
    }
    Ok(cases)
}

fn sentence(case: &Case) -> String {
    let should = if case.fires { "fires" } else { "stays silent" };
    format!("{} {should}: {} [{:?}]", case.rule, case.title, case.place)
}

fn perform(cases: &[Case]) -> Result<()> {
    let mut performance = Performance::open(cases)?;
    let complete = performance.all()?;
    for (case, complete) in cases.iter().zip(complete) {
        let how = if complete {
            ""
        } else {
            " (could not be done whole)"
        };
        println!("{}{how}", sentence(case));
    }
    Ok(())
}

fn plan(verify: &Verify) -> Plan {
    let shipped = attack::RULE_FILES.map(PathBuf::from).to_vec();
    Plan {
        program: verify.peregrine.clone(),
        tuned: verify.rules.is_empty(),
        rules: if verify.rules.is_empty() {
            shipped
        } else {
            verify.rules.clone()
        },
    }
}

fn verify(verify: &Verify) -> Result<ExitCode> {
    let cases = chosen(&verify.choice)?;
    let (complete, alerts) = attack::live(&plan(verify), &cases)?;
    settle(verify, &cases, &complete, &alerts)
}

fn settle(verify: &Verify, cases: &[Case], complete: &[bool], alerts: &Alerts) -> Result<ExitCode> {
    let outcomes = judge(cases, complete, alerts);
    if outcomes.is_empty() {
        bail!("there is no case, so nothing was compared");
    }
    print!("{}", report(cases, &outcomes, alerts, verify.all));
    Ok(if outcomes.iter().all(|outcome| outcome.is_right()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn record(recording: &Recording) -> Result<()> {
    let cases = chosen(&recording.verify.choice)?;
    let complete = attack::record(&recording.verify.peregrine, &cases, &recording.file)?;
    let done = complete.iter().filter(|complete| **complete).count();
    println!("{done} of {} cases could be done whole", cases.len());
    Ok(())
}

fn replay(recording: &Recording) -> Result<ExitCode> {
    let cases = chosen(&recording.verify.choice)?;
    let alerts = attack::monitor::replay(&plan(&recording.verify), &recording.file)?;
    settle(&recording.verify, &cases, &vec![true; cases.len()], &alerts)
}

fn mutate(recording: &Recording) -> Result<()> {
    let cases = case::all()?;
    let plan = plan(&recording.verify);
    let fired = attack::fired(&cases, &attack::monitor::replay(&plan, &recording.file)?);
    let chosen = chosen(&recording.verify.choice)?;
    let wanted: Vec<Case> = cases
        .iter()
        .map(|case| {
            let mut case = case.clone();
            if !chosen.iter().any(|other| other.rule == case.rule) {
                case.rule.clear();
            }
            case
        })
        .collect();
    let shares = attack::mutation::run(&plan, &recording.file, &wanted, &fired)?;
    print!(
        "{}",
        attack::mutation::report(&shares, recording.verify.all)
    );
    Ok(())
}

fn coverage(page: &Page) -> Result<()> {
    let cases = case::all()?;
    let mut files = Vec::new();
    for file in attack::RULE_FILES {
        files.push(std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?);
    }
    let others = match page.beside.as_slice() {
        [recording, rules] => attack::beside(&page.peregrine, &cases, recording, rules)?,
        _ => attack::kept_table(&std::fs::read_to_string("docs/coverage.md").unwrap_or_default()),
    };
    print!("{}", attack::coverage::page(&files, &cases, &others));
    Ok(())
}
