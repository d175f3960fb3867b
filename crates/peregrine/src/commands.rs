//! The commands for people. Exit codes: 0 fine, 1 findings or refused input, 2 usage or failure.

mod check;
mod config;
mod diff;
mod doctor;
mod explain;
mod export;
mod fmt;
mod hunt;
mod incident;
mod kernel;
mod list;
mod lsp;
mod manual;
mod migrate;
mod prepare;
mod profile;
mod read;
mod record;
mod replay;
mod run;
mod suppress;
mod test;
mod top;

use clap::Parser;

use crate::cli::{Cli, Command};

/// Runs the command that the arguments name.
pub(crate) fn run() -> u8 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too, and then there is no error.
            let _ = error.print();
            return if error.use_stderr() { 2 } else { 0 };
        }
    };
    let result = match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Record(args) => record::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Hunt(args) => hunt::run(&args),
        Command::Read(args) => read::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Config(args) => config::run(&args),
        Command::List(args) => list::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Incident(args) => incident::run(&args),
        Command::Manual(args) => manual::run(&args),
        Command::Migrate(args) => migrate::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Fmt(args) => fmt::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Lsp(args) => lsp::run(&args),
        Command::Profile(args) => profile::run(&args),
        Command::Suppress(args) => suppress::run(&args),
        Command::Top(args) => top::run(&args),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            1
        }
    }
}
