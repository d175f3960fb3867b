//! Falco's flags, parsed as Falco parses them.
//!
//! Short flags may stand together (`-vU`), a short flag's value may follow at once (`-pc`) or as
//! the next argument, a long one's after `=` or as the next argument; `--list` takes its value
//! only after `=`. Arguments that belong to no flag are ignored, as Falco ignores them, but not
//! silently. Flags of older releases are in [`super::past`].

use super::past;

/// What the command line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "flags are what they are")]
pub(crate) struct Flags {
    /// `-h`
    pub(crate) help: bool,
    /// `-c`
    pub(crate) config: Option<String>,
    /// `--config-schema`
    pub(crate) config_schema: bool,
    /// `--rule-schema`
    pub(crate) rule_schema: bool,
    /// `--disable-source`
    pub(crate) disable_sources: Vec<String>,
    /// `--enable-source`
    pub(crate) enable_sources: Vec<String>,
    /// `--dry-run`
    pub(crate) dry_run: bool,
    /// `-i`
    pub(crate) ignored: bool,
    /// `-L`
    pub(crate) describe_all: bool,
    /// `-l`
    pub(crate) describe: Option<String>,
    /// `--list`, with a source or an empty text
    pub(crate) list: Option<String>,
    /// `--list-events`
    pub(crate) list_events: bool,
    /// `--list-plugins`
    pub(crate) list_plugins: bool,
    /// `-M`
    pub(crate) seconds: u64,
    /// `--markdown`
    pub(crate) markdown: bool,
    /// `--format`
    pub(crate) format: Option<String>,
    /// `-N`
    pub(crate) names_only: bool,
    /// `-o`
    pub(crate) options: Vec<String>,
    /// `--plugin-info`
    pub(crate) plugin_info: Option<String>,
    /// `-p`
    pub(crate) print: Option<String>,
    /// `-P`
    pub(crate) pidfile: Option<String>,
    /// `-r`
    pub(crate) rules: Vec<String>,
    /// `--support`
    pub(crate) support: bool,
    /// `-U`
    pub(crate) unbuffered: bool,
    /// `-V`
    pub(crate) validate: Vec<String>,
    /// `-v`
    pub(crate) verbose: bool,
    /// `--version`
    pub(crate) version: bool,
    /// `--page-size`
    pub(crate) page_size: bool,
    /// Flags of older releases.
    pub(crate) past: past::Past,
    /// Arguments that belong to no flag.
    pub(crate) stray: Vec<String>,
}

/// A command line that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FlagError(pub String);

impl std::fmt::Display for FlagError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for FlagError {}

/// How a flag takes a value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Value,
    /// Only directly attached.
    Attached,
}

/// All long names of today, for suggestions.
const LONG: [&str; 19] = [
    "help",
    "config-schema",
    "rule-schema",
    "disable-source",
    "dry-run",
    "enable-source",
    "list",
    "list-events",
    "list-plugins",
    "markdown",
    "format",
    "option",
    "plugin-info",
    "print",
    "pidfile",
    "support",
    "unbuffered",
    "validate",
    "version",
];

fn takes(name: &str) -> Option<Takes> {
    Some(match name {
        "h" | "help" | "config-schema" | "rule-schema" | "dry-run" | "i" | "L" | "list-events"
        | "list-plugins" | "markdown" | "N" | "support" | "U" | "unbuffered" | "v" | "version"
        | "page-size" => Takes::Nothing,
        "list" => Takes::Attached,
        "c" | "disable-source" | "enable-source" | "l" | "M" | "format" | "o" | "option"
        | "plugin-info" | "p" | "print" | "P" | "pidfile" | "r" | "V" | "validate" => Takes::Value,
        _ => return past::takes(name),
    })
}

impl Flags {
    /// Parses the arguments after the program's name.
    ///
    /// # Errors
    /// [`FlagError`] for an unknown flag, a missing value, a value that is no number.
    pub(crate) fn parse(args: &[String]) -> Result<Self, FlagError> {
        let mut flags = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if arg == "--" {
                flags.stray.extend(args.by_ref().cloned());
            } else if let Some(long) = arg.strip_prefix("--") {
                let (name, attached) = match long.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (long, None),
                };
                // A long name has two letters at least: `--c` is no `-c`.
                let takes = takes(name)
                    .filter(|_| name.len() > 1)
                    .ok_or_else(|| unknown(arg))?;
                flags.take(name, takes, attached, &mut args)?;
            } else if let Some(short) = arg.strip_prefix('-').filter(|short| !short.is_empty()) {
                flags.short(arg, short, &mut args)?;
            } else {
                flags.stray.push(arg.clone());
            }
        }
        Ok(flags)
    }

    fn short<'a>(
        &mut self,
        arg: &str,
        short: &str,
        args: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), FlagError> {
        for (at, letter) in short.char_indices() {
            let name = &short[at..at + letter.len_utf8()];
            let rest = &short[at + letter.len_utf8()..];
            let takes = takes(name).ok_or_else(|| unknown(arg))?;
            if takes == Takes::Nothing {
                self.take(name, takes, None, args)?;
                continue;
            }
            let attached = (!rest.is_empty()).then(|| rest.to_owned());
            return self.take(name, takes, attached, args);
        }
        Ok(())
    }

    fn take<'a>(
        &mut self,
        name: &str,
        takes: Takes,
        attached: Option<String>,
        args: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), FlagError> {
        let dashes = if name.len() == 1 { "-" } else { "--" };
        let value = match (takes, attached) {
            (Takes::Nothing, None) => "true".to_owned(),
            (Takes::Nothing, Some(value)) => match value.as_str() {
                "true" | "1" => value,
                "false" | "0" => return Ok(()),
                _ => return Err(FlagError(format!("{dashes}{name} takes no value"))),
            },
            (Takes::Attached, attached) => attached.unwrap_or_default(),
            (Takes::Value, Some(value)) => value,
            (Takes::Value, None) => args
                .next()
                .cloned()
                .ok_or_else(|| FlagError(format!("{dashes}{name} needs a value")))?,
        };
        self.set(name, value)
    }

    fn set(&mut self, name: &str, value: String) -> Result<(), FlagError> {
        match name {
            "h" | "help" => self.help = true,
            "c" => self.config = Some(value),
            "config-schema" => self.config_schema = true,
            "rule-schema" => self.rule_schema = true,
            "disable-source" => self.disable_sources.push(value),
            "enable-source" => self.enable_sources.push(value),
            "dry-run" => self.dry_run = true,
            "i" => self.ignored = true,
            "L" => self.describe_all = true,
            "l" => self.describe = Some(value),
            "list" => self.list = Some(value),
            "list-events" => self.list_events = true,
            "list-plugins" => self.list_plugins = true,
            "M" => self.seconds = number(name, &value)?,
            "markdown" => self.markdown = true,
            "format" => self.format = Some(value),
            "N" => self.names_only = true,
            "o" | "option" => self.options.push(value),
            "plugin-info" => self.plugin_info = Some(value),
            "p" | "print" => self.print = Some(value),
            "P" | "pidfile" => self.pidfile = Some(value),
            "r" => self.rules.push(value),
            "support" => self.support = true,
            "U" | "unbuffered" => self.unbuffered = true,
            "V" | "validate" => self.validate.push(value),
            "v" => self.verbose = true,
            "version" => self.version = true,
            "page-size" => self.page_size = true,
            _ => self.past.set(name, value)?,
        }
        Ok(())
    }
}

pub(super) fn number(name: &str, value: &str) -> Result<u64, FlagError> {
    value
        .parse()
        .map_err(|_| FlagError(format!("-{name} needs a whole number, not '{value}'")))
}

fn unknown(arg: &str) -> FlagError {
    let name = arg.trim_start_matches('-');
    let name = name.split('=').next().unwrap_or(name);
    let mut text = format!("option '{arg}' does not exist");
    if let Some(reason) = past::refused(name) {
        text = format!("{text}: {reason}");
    } else if let Some(near) = diag::nearest::nearest(name, LONG) {
        text = format!("{text}; did you mean --{near}?");
    } else {
        text.push_str("; --help lists all options");
    }
    FlagError(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Flags, FlagError> {
        let args: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Flags::parse(&args)
    }

    #[test]
    fn values_in_all_places() {
        let flags =
            parse("-r a -rb --option=x=y -o z=1 -pc -vU -c f --list --list-events").unwrap();
        assert_eq!(flags.rules, ["a", "b"]);
        assert_eq!(flags.options, ["x=y", "z=1"]);
        assert_eq!(flags.print.as_deref(), Some("c"));
        assert!(flags.verbose && flags.unbuffered && flags.list_events);
        assert_eq!(flags.list.as_deref(), Some(""));
        assert_eq!(
            parse("--list=syscall").unwrap().list.as_deref(),
            Some("syscall")
        );
        assert_eq!(parse("-M 45").unwrap().seconds, 45);
        assert_eq!(parse("-vM45").unwrap().seconds, 45);
        assert_eq!(parse("x -v y").unwrap().stray, ["x", "y"]);
        assert_eq!(parse("-V a -V b").unwrap().validate, ["a", "b"]);
    }

    #[test]
    fn errors_name_the_option() {
        for (line, word) in [
            ("--verison", "--version"),
            ("--c x", "'--c'"),
            ("-Z", "'-Z'"),
            ("-r", "-r"),
            ("-M soon", "soon"),
            ("--support=maybe", "no value"),
            ("--gvisor-config x", "gVisor"),
        ] {
            let error = parse(line).unwrap_err().to_string();
            assert!(error.contains(word), "{line}: {error}");
        }
    }

    #[test]
    fn flags_of_the_past() {
        let flags = parse("-e f.scap -D a -t b -T c -A -b -S 100 -d -k http://x").unwrap();
        assert_eq!(flags.past.capture.as_deref(), Some("f.scap"));
        assert_eq!(flags.past.without_effect, ["-d"]);
    }
}
