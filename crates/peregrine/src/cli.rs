//! The commands for people, as clap sees them.

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Matches rules against what programs do, and explains itself.
#[derive(Debug, Parser)]
#[command(name = "peregrine", version, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Names of all commands; any other first argument belongs to Falco's flags.
pub(crate) const NAMES: [&str; 21] = [
    "run", "record", "doctor", "replay", "read", "check", "config", "list", "explain", "test",
    "fmt", "diff", "lsp", "profile", "suppress", "top", "manual", "migrate", "export", "hunt",
    "incident",
];

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Watch this machine with the rules, or one command and what it starts (root)
    Run(Run),
    /// Write what this machine, or one command, does to a capture file (root)
    Record(Record),
    /// Tell what can be watched on this machine, and which rules lose by what cannot (root)
    Doctor(Doctor),
    /// Match the rules against the events of a capture file
    Replay(Replay),
    /// Match rules against the last minutes, which the flight recorder holds (root)
    Hunt(Hunt),
    /// Print the events of a capture file
    Read(Read),
    /// Write events of captures, or alerts, as Parquet tables
    Export(Export),
    /// Show what belongs to an alert: its process tree, files, connections and other alerts
    Incident(Incident),
    /// Check rule files and configuration files
    Check(Check),
    /// Print the effective configuration, and where each value comes from
    Config(Config),
    /// List fields, events, rules, macros or lists
    List(List),
    /// Explain a code, a rule, or why a rule did or did not fire
    Explain(Explain),
    /// Write manual pages and completions for shells, for packages
    #[command(hide = true)]
    Manual(Manual),
    /// Tell what becomes of a Falco installation, and write its configuration for Peregrine
    Migrate(Migrate),
    /// Run the tests of rules
    Test(Test),
    /// Lay rule files out
    Fmt(Fmt),
    /// Say what changes between two sets of rule files
    Diff(Diff),
    /// Serve an editor that edits rule files
    Lsp(Lsp),
    /// Measure what each rule and comparison costs, on a capture or on this machine
    Profile(Profile),
    /// Write an exception that covers an alert, or review the exceptions that there are
    Suppress(Suppress),
    /// Show the running daemon on a terminal
    Top(Top),
}

/// Which rules, and how they run.
#[derive(Debug, Args)]
pub(crate) struct Rules {
    /// Rule file or directory; may be repeated. Without it the shipped rules are taken
    #[arg(short, long = "rules", value_name = "PATH")]
    pub(crate) rules: Vec<String>,
    /// Configuration file
    #[arg(short, long, value_name = "PATH")]
    pub(crate) config: Option<String>,
    /// Set a key of the configuration, such as json_output=true; may be repeated
    #[arg(short, long = "option", value_name = "KEY=VALUE")]
    pub(crate) option: Vec<String>,
}

/// How alerts are raised and written.
#[derive(Debug, Args)]
pub(crate) struct Alerts {
    /// Write alerts as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Let every matching rule raise an alert, not only the first
    #[arg(long)]
    pub(crate) all: bool,
    /// No summary at the end
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

/// `peregrine run`
#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) rules: Rules,
    #[command(flatten)]
    pub(crate) alerts: Alerts,
    /// Stop after so many seconds
    #[arg(short = 'M', long, value_name = "SECONDS", default_value_t = 0)]
    pub(crate) seconds: u64,
    /// Watch only this command and what it starts, until it ends; its exit code is ours
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

/// `peregrine record`
#[derive(Debug, Args)]
pub(crate) struct Record {
    /// Capture file to write; - is standard output
    pub(crate) file: String,
    /// Show only events that fulfil this condition; what the state needs is kept besides
    #[arg(num_args = 0.., allow_negative_numbers = true)]
    pub(crate) filter: Vec<String>,
    /// Bytes kept of what is read and written
    #[arg(short, long, value_name = "BYTES", default_value_t = 80,
          value_parser = clap::value_parser!(u32).range(1..=65_000))]
    pub(crate) snaplen: u32,
    /// Compression of the file; Falco and sysdig read gzip and none
    #[arg(long, value_enum, default_value_t = Packing::Gzip)]
    pub(crate) compression: Packing,
    /// Leave environments of processes out
    #[arg(long)]
    pub(crate) redact_env: bool,
    /// Find out what each program's file is (digest, package) and keep messages of name servers whole, for
    /// rules that ask
    #[arg(long)]
    pub(crate) identify: bool,
    /// Write what sysdig 0.29.3 understands
    #[arg(long)]
    pub(crate) compat: bool,
    /// Begin a new file after so many megabytes
    #[arg(short = 'C', long, value_name = "MB")]
    pub(crate) rotate_size: Option<u64>,
    /// Begin a new file after so many seconds
    #[arg(short = 'G', long, value_name = "SECONDS")]
    pub(crate) rotate_time: Option<u64>,
    /// Begin a new file after so many events
    #[arg(long, value_name = "N")]
    pub(crate) rotate_events: Option<u64>,
    /// Keep so many files, the newest
    #[arg(short = 'W', long, value_name = "N")]
    pub(crate) keep: Option<usize>,
    /// Stop after so many events
    #[arg(short, value_name = "N")]
    pub(crate) number: Option<u64>,
    /// Stop after so many seconds
    #[arg(short = 'M', long, value_name = "SECONDS", default_value_t = 0)]
    pub(crate) seconds: u64,
    /// Set a key of the configuration, such as engine.modern_ebpf.buf_size_preset=6
    #[arg(short, long = "option", value_name = "KEY=VALUE")]
    pub(crate) option: Vec<String>,
    /// Configuration with plugins
    #[arg(short, long, value_name = "PATH")]
    pub(crate) config: Option<String>,
    /// Record this event source: syscall, k8s_audit, or one of a plugin
    #[arg(long, value_name = "SOURCE", default_value = "syscall")]
    pub(crate) source: String,
    /// Say nothing
    #[arg(short, long)]
    pub(crate) quiet: bool,
    /// Record only this command and what it starts, until it ends; its exit code is ours
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

/// Compression of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Packing {
    /// Read by everything
    Gzip,
    /// Smaller and faster; read by Peregrine only
    Zstd,
    /// None
    None,
}

/// `peregrine doctor`
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) rules: Rules,
    /// Form of the findings
    #[arg(long, value_enum, default_value_t = CheckForm::Text)]
    pub(crate) format: CheckForm,
}

/// `peregrine replay`
#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// Capture file that sysdig, Falco, Stratoshark or Peregrine wrote; - is standard input
    pub(crate) file: String,
    #[command(flatten)]
    pub(crate) rules: Rules,
    #[command(flatten)]
    pub(crate) alerts: Alerts,
    /// Stop after so many seconds, measured by the events
    #[arg(short = 'M', long, value_name = "SECONDS", default_value_t = 0)]
    pub(crate) seconds: u64,
}

/// `peregrine hunt`
#[derive(Debug, Args)]
pub(crate) struct Hunt {
    /// Rule files and directories
    #[arg(required = true, value_name = "RULES")]
    pub(crate) rules: Vec<String>,
    /// Read the ring in this directory; no service need run
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "socket")]
    pub(crate) from: Option<String>,
    /// Ask the service that listens here; without it the configuration tells
    #[arg(long, value_name = "PATH")]
    pub(crate) socket: Option<String>,
    /// Only so much of the time up to the newest event, such as 15m or 1h
    #[arg(long, value_name = "SPAN")]
    pub(crate) last: Option<String>,
    #[command(flatten)]
    pub(crate) alerts: Alerts,
    /// Configuration file of the service
    #[arg(short, long, value_name = "PATH")]
    pub(crate) config: Option<String>,
    /// Set a key of the configuration; may be repeated
    #[arg(short, long = "option", value_name = "KEY=VALUE")]
    pub(crate) option: Vec<String>,
}

/// `peregrine read`
#[derive(Debug, Args)]
pub(crate) struct Read {
    /// Capture file, or file of audit events as JSON; - is a capture on standard input
    pub(crate) file: String,
    /// Print only events that fulfil this condition
    #[arg(num_args = 0.., allow_negative_numbers = true)]
    pub(crate) filter: Vec<String>,
    /// Print this, fields written as %evt.num
    #[arg(short, long, value_name = "FORMAT")]
    pub(crate) print: Option<String>,
    /// Print the fields of the format as JSON, an object for each event
    #[arg(short, long)]
    pub(crate) json: bool,
    /// Show events as they were recorded: old ones unconverted, enter and exit apart
    #[arg(long)]
    pub(crate) raw: bool,
    /// Stop after so many printed events
    #[arg(short, value_name = "N")]
    pub(crate) number: Option<u64>,
    /// Configuration whose plugins explain their events
    #[arg(short, long, value_name = "PATH")]
    pub(crate) config: Option<String>,
}

/// `peregrine export`
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Captures, files of audit events, or files of alerts as JSON lines
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<String>,
    /// The Parquet file, or a folder that gets one for each input
    #[arg(long, value_name = "PLACE")]
    pub(crate) to: String,
    /// Fields that become columns, separated by commas; may be repeated. Without it the usual ones
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    pub(crate) fields: Vec<String>,
    /// Only events that fulfil this condition
    #[arg(long, value_name = "CONDITION")]
    pub(crate) filter: Option<String>,
    /// Rows of a row group: more of them are packed tighter, and take more memory
    #[arg(long, value_name = "N")]
    pub(crate) rows: Option<usize>,
    /// Configuration whose plugins explain their events
    #[arg(short, long, value_name = "PATH")]
    pub(crate) config: Option<String>,
}

/// `peregrine incident`
#[derive(Debug, Args)]
pub(crate) struct Incident {
    /// Id of an incident or of one of its alerts, or its first four digits and more; without it the latest incidents
    /// are listed. A file beside it is a capture or a store
    #[arg(value_name = "ID|FILE", num_args = 0..=2)]
    pub(crate) what: Vec<String>,
    /// Capture file: its alerts are raised anew by the rules. Without it the machine's own store is looked at
    #[arg(short = 'e', long, value_name = "FILE")]
    pub(crate) capture: Option<String>,
    /// Store to look at; without it the configuration tells
    #[arg(long, value_name = "FILE", conflicts_with = "capture")]
    pub(crate) store: Option<String>,
    #[command(flatten)]
    pub(crate) rules: Rules,
    /// Let every matching rule raise an alert, not only the first
    #[arg(long)]
    pub(crate) all: bool,
    /// As JSON, complete
    #[arg(long)]
    pub(crate) json: bool,
    /// So many incidents in the list
    #[arg(short, value_name = "N", default_value_t = 20)]
    pub(crate) number: u32,
}

/// `peregrine check`
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Rule files in the order of loading, and configuration files
    #[arg(required = true)]
    pub(crate) files: Vec<String>,
    /// Form of the findings
    #[arg(long, value_enum, default_value_t = CheckForm::Text)]
    pub(crate) format: CheckForm,
    /// Let warnings count as errors
    #[arg(long)]
    pub(crate) strict: bool,
    /// Make the edits that change no meaning
    #[arg(long)]
    pub(crate) fix: bool,
    /// Show all advice, however often it comes
    #[arg(long)]
    pub(crate) all: bool,
    /// Give no advice, only errors and warnings
    #[arg(long)]
    pub(crate) no_lints: bool,
}

/// `peregrine migrate`
#[derive(Debug, Args)]
pub(crate) struct Migrate {
    /// Folder of falco.yaml, or the file itself; /etc/falco without it
    #[arg(value_name = "PATH", conflicts_with = "helm")]
    pub(crate) from: Option<String>,
    /// Read the values of Falco's Helm chart instead
    #[arg(long, value_name = "VALUES")]
    pub(crate) helm: Option<String>,
    /// Write the new configuration, with the rule files, into this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<String>,
    /// Take Peregrine's rules in the place of Falco's own, which have the same names
    #[arg(long)]
    pub(crate) own_rules: bool,
    /// Overwrite what stands there
    #[arg(long)]
    pub(crate) force: bool,
    /// Form of the report
    #[arg(long, value_enum, default_value_t = CheckForm::Text)]
    pub(crate) format: CheckForm,
    /// List what stays as it is too
    #[arg(long)]
    pub(crate) all: bool,
    /// Exit with 1 when something has no counterpart
    #[arg(long)]
    pub(crate) strict: bool,
}

/// `peregrine config`
#[derive(Debug, Args)]
pub(crate) struct Config {
    /// Configuration file; without it the machine's own is taken
    pub(crate) file: Option<String>,
    /// The same
    #[arg(short, long, value_name = "PATH", conflicts_with = "file")]
    pub(crate) config: Option<String>,
    /// Set a key of the configuration, such as json_output=true; may be repeated
    #[arg(short, long = "option", value_name = "KEY=VALUE")]
    pub(crate) option: Vec<String>,
    /// Only what is set somewhere
    #[arg(long)]
    pub(crate) changed: bool,
    /// Form of the output
    #[arg(long, value_enum, default_value_t = CheckForm::Text)]
    pub(crate) format: CheckForm,
}

/// Form of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckForm {
    /// For people
    Text,
    /// For editors and build servers
    Json,
}

/// `peregrine list`
#[derive(Debug, Args)]
pub(crate) struct List {
    /// What to list
    #[arg(value_enum)]
    pub(crate) what: Listed,
    #[command(flatten)]
    pub(crate) rules: Rules,
    /// As Markdown
    #[arg(long, conflicts_with = "json")]
    pub(crate) markdown: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Listed {
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
pub(crate) struct Explain {
    /// A code as messages show it (P0605), the name of a rule, or a capture file; without it all codes
    /// are listed
    pub(crate) what: Option<String>,
    /// Explain this rule on one event of the capture
    #[arg(long, value_name = "NAME", requires = "event")]
    pub(crate) rule: Option<String>,
    /// Explain on the event of this number; without --rule, all rules that match or nearly do
    #[arg(long, value_name = "N", conflicts_with = "why_not")]
    pub(crate) event: Option<u64>,
    /// Why this rule raised no alert, over all events of the capture
    #[arg(long, value_name = "NAME")]
    pub(crate) why_not: Option<String>,
    /// Watch this machine for so many seconds instead of a capture (root)
    #[arg(long, value_name = "SECONDS", conflicts_with = "what")]
    pub(crate) live: Option<u64>,
    /// Say what these rules need of the kernel, what is left out, and why no alert is lost with it
    #[arg(long, conflicts_with_all = ["what", "rule", "event", "why_not", "live"])]
    pub(crate) kernel: bool,
    #[command(flatten)]
    pub(crate) rules: Rules,
}

/// `peregrine manual`
#[derive(Debug, Args)]
pub(crate) struct Manual {
    /// Folder to write to
    pub(crate) folder: String,
}

/// `peregrine test`
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Rule files with `tests:`, files of tests beside them, or folders with either (and their folder `tests`)
    #[arg(required = true)]
    pub(crate) files: Vec<String>,
    #[command(flatten)]
    pub(crate) rules: TestRules,
    /// Only tests whose name, or whose rule's name, holds this
    #[arg(long, value_name = "TEXT")]
    pub(crate) only: Option<String>,
    /// List the clauses that never were true, or never false
    #[arg(long)]
    pub(crate) coverage: bool,
    /// Name the tests that passed, too
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Form of the result
    #[arg(long, value_enum, default_value_t = TestForm::Text)]
    pub(crate) format: TestForm,
}

/// Rules that tests are about.
#[derive(Debug, Args)]
pub(crate) struct TestRules {
    /// Rule file to load before a rule file's own, or in the place of those that a file of tests names; may be repeated
    #[arg(short, long = "rules", value_name = "PATH")]
    pub(crate) rules: Vec<String>,
}

/// Form of the result of tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TestForm {
    /// For people
    Text,
    /// For tools
    Json,
    /// JUnit's XML, for build servers
    Junit,
}

/// `peregrine fmt`
#[derive(Debug, Args)]
pub(crate) struct Fmt {
    /// Rule files and folders; - reads standard input and writes standard output
    #[arg(required = true)]
    pub(crate) files: Vec<String>,
    /// Change nothing; name the files that are not laid out, and fail if there are any
    #[arg(long)]
    pub(crate) check: bool,
}

/// `peregrine diff`
#[derive(Debug, Args)]
pub(crate) struct Diff {
    /// A rule file or folder, or several joined by commas, in the order of loading
    pub(crate) before: String,
    /// What is compared with it
    pub(crate) after: String,
    /// Form of the differences
    #[arg(long, value_enum, default_value_t = CheckForm::Text)]
    pub(crate) format: CheckForm,
}

/// `peregrine lsp`
#[derive(Debug, Args)]
pub(crate) struct Lsp {
    /// Rule file or folder that is loaded before the edited ones; may be repeated
    #[arg(short, long = "rules", value_name = "PATH")]
    pub(crate) rules: Vec<String>,
    /// Speak over standard input and output, as is done anyhow; editors like to say it
    #[arg(long)]
    pub(crate) stdio: bool,
}

/// `peregrine profile`
#[derive(Debug, Args)]
pub(crate) struct Profile {
    /// Capture file
    pub(crate) capture: Option<String>,
    /// Watch this machine for so many seconds instead, with the same rules as the daemon's and beside it (root)
    #[arg(long, value_name = "SECONDS", conflicts_with = "capture")]
    pub(crate) live: Option<u64>,
    #[command(flatten)]
    pub(crate) rules: Rules,
    /// Ask the running daemon what its rules have cost since it started
    #[arg(long, conflicts_with_all = ["capture", "live"])]
    pub(crate) daemon: bool,
    /// Address and port of the daemon's web server; without it the configuration tells
    #[arg(long, value_name = "ADDRESS", requires = "daemon")]
    pub(crate) address: Option<String>,
    /// Lines of each table
    #[arg(long, value_name = "N", default_value_t = 15)]
    pub(crate) top: usize,
    /// Form of the result
    #[arg(long, value_enum, default_value_t = CheckForm::Text)]
    pub(crate) format: CheckForm,
}

/// `peregrine suppress`
#[derive(Debug, Args)]
pub(crate) struct Suppress {
    /// File of alerts as JSON lines, such as the file output writes, or a store; - is standard input. Without it the
    /// machine's own store is taken
    pub(crate) alerts: Option<String>,
    /// The alert in this line, or of this number in the store; without it the last one
    #[arg(long, value_name = "N")]
    pub(crate) line: Option<u64>,
    /// Rule file or directory; may be repeated. Without it the shipped rules are taken
    #[arg(short, long = "rules", value_name = "PATH")]
    pub(crate) rules: Vec<String>,
    /// Who answers for the exception
    #[arg(long)]
    pub(crate) owner: Option<String>,
    /// Why it is right
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// Day after which it is to be looked at again, as 2026-12-31
    #[arg(long, value_name = "DATE")]
    pub(crate) expires: Option<String>,
    /// Compare only these fields of the alert
    #[arg(long, value_name = "FIELD", value_delimiter = ',')]
    pub(crate) fields: Vec<String>,
    /// More past alerts; may be repeated
    #[arg(long, value_name = "FILE")]
    pub(crate) past: Vec<String>,
    /// Tests of attacks that it must not hide; without it those in the folder tests beside the rules. May be repeated
    #[arg(long, value_name = "PATH")]
    pub(crate) suite: Vec<String>,
    /// Append the exception to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) write: Option<String>,
    /// Report exceptions that have expired, and with --capture those that nothing uses
    #[arg(long)]
    pub(crate) review: bool,
    /// Capture on which exceptions are counted; may be repeated
    #[arg(long, value_name = "FILE", requires = "review")]
    pub(crate) capture: Vec<String>,
}

/// `peregrine top`
#[derive(Debug, Args)]
pub(crate) struct Top {
    /// Address and port of the daemon's web server; without it the configuration tells
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) address: Option<String>,
    /// Milliseconds between two pictures
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    pub(crate) interval: u64,
    /// Print one picture and end
    #[arg(long)]
    pub(crate) once: bool,
    #[command(flatten)]
    pub(crate) rules: Rules,
}
