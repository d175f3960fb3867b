//! The text of `--help`.

/// Printed by `peregrine --help` and `falco --help`.
pub(crate) const HELP: &str = "\
Peregrine watches what programs do on a Linux machine and raises an alert when a rule is broken.
It reads the rules, the configuration and the captures of Falco.

Usage:
  peregrine COMMAND [ARGUMENTS]
  peregrine [OPTION...]         as falco [OPTION...], for which it stands in

Commands:
  run [-- COMMAND]              Watch this machine, or one command and what it starts (root).
  record FILE [-- COMMAND]      Write what happens to a capture file (root).
  doctor                        Tell what can be watched here, and which rules lose by what cannot.
  replay FILE                   Match the rules against the events of a capture file.
  read FILE [FILTER]            Print the events of a capture file.
  top                           Show the running daemon on a terminal.
  config [FILE]                 Print the effective configuration and the origin of each value.
  list WHAT                     List fields, events, rules, macros or lists.
  export INPUT...               Turn captures and alerts into Parquet tables.
  migrate [PATH]                Tell what becomes of a Falco installation, and write its configuration.
  incident [ID|FILE]            Tell what belongs to an alert: processes, files, connections.
  attack                        Perform what the rules are about, harmlessly (peregrine-attack).

  check FILE...                 Check rule files and configuration files; --fix makes safe edits.
  explain WHAT                  Explain a code, a rule, or why a rule did or did not fire.
  test FILE...                  Run the tests of rules.
  fmt FILE...                   Lay rule files out.
  diff BEFORE AFTER             Say what changes between two sets of rule files.
  lsp                           Serve an editor that edits rule files.
  profile FILE                  Measure what each rule and comparison costs and brings.
  suppress ALERTS               Write an exception that covers an alert.

  `peregrine COMMAND --help` tells more about each.

Options:
  -h, --help                    Print this text.
  -c <path>                     Read the configuration from here instead of /etc/falco/falco.yaml
                                or /etc/peregrine/peregrine.yaml.
  -r <path>                     Load rules from this file or directory instead of those the
                                configuration names. May be repeated; the order counts. In a
                                directory, files ending in .yaml or .yml are taken.
  -o, --option <key>=<value>    Set a key of the configuration, over what the file says. Levels are
                                separated by dots, items of a sequence chosen by [N] and appended
                                by []; a backslash takes the next character as it is. A value
                                between braces is read as YAML.
  -p, --print <format>          Append a text with fields to the output of every rule. Old; the key
                                append_output does it better. -pc and -pk do nothing any more.
  -U, --unbuffered              Write every alert at once.
  -v                            Log at level debug.
  -M <seconds>                  Stop after this time, measured by the events.
  -P, --pidfile <path>          Write the process id to a file.
      --dry-run                 Do everything but read events: checks configuration and rules.
      --enable-source <name>    Take events from this source only. May be repeated.
      --disable-source <name>   Take no events from this source. May be repeated.

Checks and listings, after which the program ends:
  -V, --validate <path>         Check a rule file. May be repeated; later files see the earlier ones.
                                With json_output=true the result is JSON.
  -L                            Describe all rules; with json_output=true also macros and lists, in
                                JSON, as compiled.
  -l <rule>                     Describe one rule.
      --list [=<source>]        List all fields, or those of one source.
  -N                            With --list: only names.
      --list-events             List all events and their parameters.
      --format <form>           Form of the two lists: text, markdown or json.
      --markdown                Old spelling of --format markdown.
  -i                            List the system calls that are left out unless base_syscalls.all.
      --list-plugins            List the loaded plugins.
      --plugin-info <name>      Describe a plugin.
      --config-schema           Print the JSON schema of the configuration.
      --rule-schema             Print the JSON schema of rule files.
      --page-size               Print the page size of this system.
      --support                 Print version, system, configuration and rules as JSON.
      --version                 Print versions.

Options of earlier Falco releases that still work, with a warning: -A -b -D -e -S -t -T. Exit status:
0 when all went well, 1 otherwise.
";
