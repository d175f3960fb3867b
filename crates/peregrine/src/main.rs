//! Peregrine: matches rules against what programs do on a Linux machine.
//!
//! Two command lines in one program: commands for people (`peregrine replay FILE`), and, where the
//! first argument is no command, the flags of Falco, whatever name the program is called by.

#![forbid(unsafe_code)]

mod attack;
mod cli;
mod clock;
mod commands;
mod configuration;
mod containers;
mod daemon;
mod describe;
mod drops;
mod event_loop;
mod falco;
mod hostname;
mod ignored;
mod items;
mod log;
mod machine;
mod output;
mod pipeline;
mod privileges;
mod progress;
mod recording;
mod rulefiles;
mod ruleset;
mod silence;
mod source;
mod sources;
mod stop;
mod supervised;
mod support;
mod terminal;
mod version;
mod watch;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|arg| arg.to_string_lossy().into_owned())
        .collect();
    // The child of a plugin is this program again.
    if args == ["plugin-host"] {
        return ExitCode::from(plugins::child::main());
    }
    if args.first().is_some_and(|first| first == "attack") {
        return attack::run();
    }
    let is_command = args
        .first()
        .is_some_and(|first| cli::NAMES.contains(&first.as_str()));
    ExitCode::from(if is_command {
        commands::run()
    } else {
        falco::run(&args)
    })
}
