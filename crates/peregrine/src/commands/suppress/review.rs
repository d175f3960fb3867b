//! Exceptions that have expired, and those that nothing uses.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use event::Record;
use fields::{Environment, EventView};
use filter::{ExprId, ExprKind, Tracer};
use jiff::civil::Date;
use state::{Context, Options, State};

use super::super::explain::Subject;
use super::super::test::files::Loaded;
use crate::cli::Suppress;
use crate::event_loop::{self, Pace, Work};
use crate::rulefiles::RuleFile;
use crate::stop::Signals;
use crate::{output, source};

/// What a comment says of the exception below it.
struct Note {
    place: String,
    owner: String,
    reason: String,
    expires: Option<Date>,
}

/// Reports. Exit code 1: something is expired.
pub(super) fn run(args: &Suppress, files: &[RuleFile], loaded: &Loaded) -> Result<u8> {
    let today = jiff::Zoned::now().date();
    let notes: Vec<Note> = files.iter().flat_map(notes).collect();
    let mut out = String::new();
    let expired: Vec<&Note> = notes
        .iter()
        .filter(|note| note.expires.is_none_or(|date| date < today))
        .collect();
    let _ = writeln!(
        out,
        "{} suppressions, {} of them expired",
        notes.len(),
        expired.len()
    );
    for note in &expired {
        let date = note.expires.map_or_else(
            || "at a date that cannot be read".to_owned(),
            |date| date.to_string(),
        );
        let _ = writeln!(
            out,
            "  {}: expired {date}; ask {}: {}",
            note.place, note.owner, note.reason
        );
    }
    if args.capture.is_empty() {
        out.push_str("Name captures with --capture to learn which exceptions nothing uses.\n");
    } else {
        unused(args, loaded, &mut out)?;
    }
    output::print(&out)?;
    Ok(u8::from(!expired.is_empty()))
}

fn notes(file: &RuleFile) -> Vec<Note> {
    let text = String::from_utf8_lossy(&file.content);
    let lines = text.lines().enumerate().filter_map(|(number, line)| {
        let rest = line.trim().strip_prefix("# suppressed:")?;
        let part = |key: &str| {
            rest.split(';')
                .find_map(|part| part.trim().strip_prefix(key))
                .unwrap_or_default()
                .to_owned()
        };
        // A reason may have semicolons of its own.
        let reason = rest
            .split_once("reason=")
            .map_or("", |(_, reason)| reason)
            .to_owned();
        Some(Note {
            place: format!("{}:{}", file.name, number + 1),
            owner: part("owner="),
            reason,
            expires: part("expires=").parse().ok(),
        })
    });
    lines.collect()
}

/// An exception of a rule, and how often it made the difference.
struct Usage<'a> {
    rule: &'a rules::Rule,
    name: String,
    expr: ExprId,
    used: u64,
}

struct Counting<'a> {
    rules: Vec<(Tracer, Vec<Usage<'a>>)>,
    env: Environment,
}

fn unused(args: &Suppress, loaded: &Loaded, out: &mut String) -> Result<()> {
    let schema = loaded
        .sources
        .schema("syscall")
        .context("there is no source of system calls")?;
    let mut rules = Vec::new();
    for rule in loaded
        .set
        .rules
        .iter()
        .filter(|rule| rule.source == "syscall" && rule.exceptions.iter().any(|e| e.used))
    {
        let subject = Subject {
            rule,
            set: &loaded.set,
            sources: &loaded.map,
        };
        let ExprKind::And(all) = &rule.ast.expr(rule.ast.root()).kind else {
            continue;
        };
        let usages = all.iter().filter_map(|&expr| {
            let name = subject.exception_of(expr)?.to_owned();
            Some(Usage {
                rule,
                name,
                expr,
                used: 0,
            })
        });
        let usages: Vec<Usage<'_>> = usages.collect();
        rules.push((
            Tracer::new(&rule.ast, schema).context("a condition does not compile")?,
            usages,
        ));
    }
    let mut counting = Counting {
        rules,
        env: Environment::default(),
    };
    let signals = Signals::catch().context("cannot catch signals")?;
    for path in &args.capture {
        let mut state = State::new(Options::default());
        let mut file = source::open(path, false)?;
        let end = event_loop::drive(
            &mut file,
            &mut state,
            &mut counting,
            &signals,
            Pace::new(&loaded.settings, 0),
        );
        if let Some(fault) = end.fault {
            return Err(fault);
        }
    }
    let all: Vec<&Usage<'_>> = counting
        .rules
        .iter()
        .flat_map(|(_, usages)| usages)
        .collect();
    let never: Vec<&&Usage<'_>> = all.iter().filter(|usage| usage.used == 0).collect();
    let _ = writeln!(
        out,
        "{} exceptions of rules, {} of them made no difference on these captures",
        all.len(),
        never.len()
    );
    for usage in never {
        let _ = writeln!(
            out,
            "  never used: {} of \"{}\"",
            usage.name, usage.rule.name
        );
    }
    for usage in all.iter().filter(|usage| usage.used > 0) {
        let _ = writeln!(
            out,
            "  used {} times: {} of \"{}\"",
            usage.used, usage.name, usage.rule.name
        );
    }
    Ok(())
}

impl Work for Counting<'_> {
    fn event(&mut self, record: &Record<'_>, state: &State, context: &Context) -> bool {
        if !context.visible {
            return true;
        }
        self.env.see(record);
        let view = EventView::new(record, state, context, &self.env);
        let code = record.code.number();
        for (tracer, usages) in &mut self.rules {
            let Some(first) = usages.first() else {
                continue;
            };
            if !first.rule.event_codes.contains(code) {
                continue;
            }
            tracer.next_event();
            let ExprKind::And(all) = tracer.ast().expr(tracer.ast().root()).kind.clone() else {
                continue;
            };
            // All that is no exception must hold, or the exception had nothing to take away.
            let own = all
                .iter()
                .filter(|id| !usages.iter().any(|usage| usage.expr == **id));
            if !own
                .copied()
                .collect::<Vec<_>>()
                .into_iter()
                .all(|id| tracer.holds(id, &view))
            {
                continue;
            }
            for usage in usages.iter_mut() {
                usage.used += u64::from(!tracer.holds(usage.expr, &view));
            }
        }
        true
    }
}
