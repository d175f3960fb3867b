//! `peregrine-attack`: performs attacks harmlessly, and says which rule should fire.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use attack::case::{self, Case};
use attack::monitor::{Monitor, Plan};
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

fn verify(verify: &Verify) -> Result<ExitCode> {
    let cases = chosen(&verify.choice)?;
    let shipped = attack::RULE_FILES.map(PathBuf::from).to_vec();
    let plan = Plan {
        program: verify.peregrine.clone(),
        tuned: verify.rules.is_empty(),
        rules: if verify.rules.is_empty() {
            shipped
        } else {
            verify.rules.clone()
        },
    };
    let mut performance = Performance::open(&cases)?;
    let mut monitor = Monitor::start(&plan)?;
    let mut ready = false;
    for _ in 0..120 {
        let token = performance.sentinel()?;
        if monitor.until(&token, Duration::from_millis(500))? {
            ready = true;
            break;
        }
    }
    if !ready {
        bail!("the monitor sees nothing");
    }
    let complete = performance.all()?;
    let token = performance.sentinel()?;
    if !monitor.until(&token, Duration::from_secs(60))? {
        bail!("the monitor did not come to the end");
    }
    drop(performance);
    let alerts = monitor.stop();
    let outcomes = judge(&cases, &complete, &alerts);
    print!("{}", report(&cases, &outcomes, &alerts, verify.all));
    if outcomes.is_empty() {
        return Err(anyhow::anyhow!("no case")).context("nothing was compared");
    }
    Ok(if outcomes.iter().all(|outcome| outcome.is_right()) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
