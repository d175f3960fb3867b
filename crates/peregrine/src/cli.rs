//! The commands for people, as clap sees them.

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Matches rules against what programs do, and explains itself.
#[derive(Debug, Parser)]
#[command(name = "peregrine", version, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Names of all commands; any other first argument belongs to Falco's flags.
pub const NAMES: [&str; 5] = ["replay", "read", "check", "list", "explain"];

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Match the rules against the events of a capture file
    Replay(Replay),
    /// Print the events of a capture file
    Read(Read),
    /// Check rule files and configuration files
    Check(Check),
    /// List fields, events, rules, macros or lists
    List(List),
    /// Explain an error or warning by its code
    Explain(Explain),
}

/// Which rules, and how they run.
#[derive(Debug, Args)]
pub struct Rules {
    /// Rule file or directory; may be repeated. Without it the shipped rules are taken
    #[arg(short, long = "rules", value_name = "PATH")]
    pub rules: Vec<String>,
    /// Configuration file
    #[arg(short, long, value_name = "PATH")]
    pub config: Option<String>,
    /// Set a key of the configuration, such as json_output=true; may be repeated
    #[arg(short, long = "option", value_name = "KEY=VALUE")]
    pub option: Vec<String>,
}

/// `peregrine replay`
#[derive(Debug, Args)]
pub struct Replay {
    /// Capture file that sysdig, Falco, Stratoshark or Peregrine wrote; - is standard input
    pub file: String,
    #[command(flatten)]
    pub rules: Rules,
    /// Write alerts as JSON
    #[arg(long)]
    pub json: bool,
    /// Let every matching rule raise an alert, not only the first
    #[arg(long)]
    pub all: bool,
    /// Stop after so many seconds, measured by the events
    #[arg(short = 'M', long, value_name = "SECONDS", default_value_t = 0)]
    pub seconds: u64,
    /// No summary at the end
    #[arg(short, long)]
    pub quiet: bool,
}

/// `peregrine read`
#[derive(Debug, Args)]
pub struct Read {
    /// Capture file; - is standard input
    pub file: String,
    /// Print only events that fulfil this condition
    #[arg(num_args = 0.., allow_negative_numbers = true)]
    pub filter: Vec<String>,
    /// Print this, fields written as %evt.num
    #[arg(short, long, value_name = "FORMAT")]
    pub print: Option<String>,
    /// Print the fields of the format as JSON, an object for each event
    #[arg(short, long)]
    pub json: bool,
    /// Show events as they were recorded: old ones unconverted, enter and exit apart
    #[arg(long)]
    pub raw: bool,
    /// Stop after so many printed events
    #[arg(short, value_name = "N")]
    pub number: Option<u64>,
}

/// `peregrine check`
#[derive(Debug, Args)]
pub struct Check {
    /// Rule files in the order of loading, and configuration files
    #[arg(required = true)]
    pub files: Vec<String>,
    /// Form of the findings
    #[arg(long, value_enum, default_value_t = CheckForm::Text)]
    pub format: CheckForm,
    /// Let warnings count as errors
    #[arg(long)]
    pub strict: bool,
}

/// Form of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CheckForm {
    /// For people
    Text,
    /// For editors and build servers
    Json,
}

/// `peregrine list`
#[derive(Debug, Args)]
pub struct List {
    /// What to list
    #[arg(value_enum)]
    pub what: Listed,
    #[command(flatten)]
    pub rules: Rules,
    /// As Markdown
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Listed {
    /// Fields of conditions and outputs
    Fields,
    /// Events and their parameters
    Events,
    /// Rules
    Rules,
    /// Macros
    Macros,
    /// Lists
    Lists,
}

/// `peregrine explain`
#[derive(Debug, Args)]
pub struct Explain {
    /// Code as messages show it, such as P0605; without it all codes are listed
    pub code: Option<String>,
}
