//! `peregrine manual`: manual pages and completions for shells, made from the definitions of the
//! command line, for packages.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::{Cli, Manual};
use crate::falco::HELP;

/// Section of administration programs.
const SECTION: &str = "8";

/// Writes `man8/*.8` and `completions/*` into the folder.
pub(super) fn run(args: &Manual) -> Result<u8> {
    let folder = Path::new(&args.folder);
    let pages = folder.join("man8");
    let completions = folder.join("completions");
    for one in [&pages, &completions] {
        fs::create_dir_all(one).with_context(|| format!("cannot make '{}'", one.display()))?;
    }
    let command = Cli::command();
    let program = main_page(command.clone())?;
    write(&pages.join("peregrine.8"), &program)?;
    for one in command.get_subcommands().filter(|one| !one.is_hide_set()) {
        let name = format!("peregrine-{}", one.get_name());
        let page = Man::new(one.clone().display_name(name.clone()))
            .section(SECTION)
            .title(name.to_uppercase());
        let mut text = Vec::new();
        page.render(&mut text)?;
        write(&pages.join(format!("{name}.8")), &text)?;
    }
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut command.clone(), "peregrine", &completions)
            .with_context(|| format!("cannot write to '{}'", completions.display()))?;
    }
    Ok(0)
}

/// The page of the program: its commands, Falco's flags, files, signals and exit codes.
fn main_page(command: Command) -> Result<Vec<u8>> {
    let page = Man::new(command).section(SECTION).title("PEREGRINE");
    let mut text = Vec::new();
    page.render(&mut text)?;
    writeln!(text, ".SH \"FLAGS OF FALCO\"")?;
    writeln!(
        text,
        "Where the first argument is none of these commands, the flags of Falco hold:\n.PP\n.nf"
    )?;
    for line in HELP.lines() {
        // A backslash begins an escape; a line that begins with a dot or a quote is a request.
        writeln!(text, "\\&{}", line.replace('\\', "\\e").replace('-', "\\-"))?;
    }
    write!(
        text,
        ".fi
.SH FILES
.TP
.I /etc/peregrine/peregrine.yaml
The configuration.
.TP
.I /etc/peregrine/peregrine_rules.yaml
The shipped rules; own ones belong into
.IR /etc/peregrine/rules.d .
.SH SIGNALS
.TP
.B SIGHUP
Configuration and rules are read again; a faulty file leaves the old ones in force.
.TP
.B SIGUSR1
Files of outputs are opened anew.
.TP
.BR SIGTERM ,\\ SIGINT
Outputs are drained, then it ends.
.SH EXIT STATUS
0: fine; 1: findings, or input that is refused; 2: wrong usage. A watched command's own with
.BR \"peregrine run \\-\\- \" .
"
    )?;
    Ok(text)
}

fn write(path: &Path, text: &[u8]) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write '{}'", path.display()))
}
