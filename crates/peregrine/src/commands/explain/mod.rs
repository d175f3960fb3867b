//! `peregrine explain`: what a code means, what a rule is after all files, why it did or did not
//! fire.
//!
//! `code` the codes of messages; `rule` one rule; `event` one rule before one event; `survey` one
//! rule over a whole source, `whynot` its findings in words with `hint` for near misses; `tree` how a
//! condition is shown.

mod code;
mod event;
mod hint;
mod rule;
mod survey;
mod tree;
mod whynot;

use ::event::Record;
use anyhow::{Context as _, Result, bail};
use engine::{Engine, Matching};
use fields::{Catalogue, Environment, EventView};
use filter::Tracer;
use rules::select::OldSwitches;
use rules::{Rule, RuleSet};
use state::{Context, State};

use super::prepare::{load, rules as load_rules};
use crate::cli::Explain;
use crate::event_loop::{self, Pace, Work};
use crate::hostname::hostname;
use crate::machine::state_options;
use crate::sources::Sources;
use crate::stop::Signals;
use crate::watch::{Machine, Wanted};
use crate::{output, ruleset, source};

use survey::{Rivals, Survey};
pub(super) use tree::{Line, Subject, short};
use whynot::Standing;

/// Explains what the arguments name.
pub(crate) fn run(args: &Explain) -> Result<u8> {
    if args.kernel {
        return super::kernel::run(&args.rules);
    }
    let over_events = args.rule.is_some() || args.event.is_some() || args.why_not.is_some();
    match &args.what {
        None if !over_events => code::list(),
        Some(word) if !over_events && code::is_code(word) => code::explain(word),
        what => about_rules(args, what.as_deref(), over_events),
    }
}

/// The condition of a rule as lines.
pub(super) fn lines(subject: &Subject<'_>) -> Vec<Line> {
    subject.lines()
}

/// A comparison in one line; of a long list, the beginning.
pub(super) fn clause(ast: &filter::Ast, id: filter::ExprId) -> String {
    match &ast.expr(id).kind {
        filter::ExprKind::Check(check) => short(check),
        _ => tree::phrase(ast, id),
    }
}

/// Rules as they run.
struct Rules<'a> {
    set: &'a RuleSet,
    order: &'a [usize],
    /// Whether the files alone enable each.
    enabled: &'a [bool],
    sources: &'a diag::SourceMap,
    catalogue: &'a Catalogue,
    settings: &'a config::Settings,
}

fn about_rules(args: &Explain, what: Option<&str>, over_events: bool) -> Result<u8> {
    let Some(loaded) = load(&args.rules, Vec::new())? else {
        return Ok(1);
    };
    let settings = &loaded.settings;
    let catalogue = Catalogue::new(settings.static_fields.iter().cloned());
    let event_sources = Sources::new(&catalogue, true);
    let Some(loading) = load_rules(&args.rules, settings, &catalogue, &event_sources, false)?
    else {
        return Ok(1);
    };
    let sources = loading.sources().clone();
    let mut set = loading.into_set();
    let enabled: Vec<bool> = set.rules.iter().map(|rule| rule.enabled).collect();
    let order = ruleset::select(&mut set, settings, &OldSwitches::default())?;
    let rules = Rules {
        set: &set,
        order: &order,
        enabled: &enabled,
        sources: &sources,
        catalogue: &catalogue,
        settings,
    };
    if !over_events {
        let name = what.context("name a rule, or a code such as P0605")?;
        let at = rules.find(name)?;
        let subject = rules.subject(at);
        let runs = order.contains(&at);
        let schema = event_sources
            .schema(&subject.rule.source)
            .context("the rule is of an unknown source")?;
        output::print(&rule::text(&subject, schema, runs))?;
        return Ok(0);
    }
    if let Some(name) = &args.why_not {
        return rules.why_not(name, what, args.live);
    }
    rules.on_event(args, what)
}

impl<'a> Rules<'a> {
    fn find(&self, name: &str) -> Result<usize> {
        let names = || self.set.rules.iter().map(|rule| rule.name.as_str());
        if let Some(at) = names().position(|own| own == name) {
            return Ok(at);
        }
        let mut alike = names()
            .enumerate()
            .filter(|(_, own)| own.eq_ignore_ascii_case(name));
        if let (Some((at, _)), None) = (alike.next(), alike.next()) {
            return Ok(at);
        }
        match diag::nearest::nearest(name, names()) {
            Some(near) => bail!("there is no rule \"{name}\"; there is one called \"{near}\""),
            None => bail!("there is no rule \"{name}\"; `peregrine list rules` shows all"),
        }
    }

    fn subject(&self, at: usize) -> Subject<'a> {
        Subject {
            rule: &self.set.rules[at],
            set: self.set,
            sources: self.sources,
        }
    }

    fn tracer(&self, rule: &Rule) -> Result<Tracer> {
        if rule.source != "syscall" {
            bail!(
                "rule \"{}\" is about events of {}, these are of syscall",
                rule.name,
                rule.source
            );
        }
        Tracer::new(&rule.ast, self.catalogue).context("the condition does not compile")
    }

    fn environment(&self) -> Environment {
        let statics = self.catalogue.statics();
        Environment {
            hostname: hostname(),
            zone: &fields::LOCAL,
            statics: statics.iter().map(|(_, v)| v.clone().into()).collect(),
            ..Environment::default()
        }
    }

    /// Takes a source to its end.
    fn events(&self, capture: Option<&str>, live: Option<u64>, work: &mut impl Work) -> Result<()> {
        let signals = Signals::catch().context("cannot catch signals")?;
        let mut state = State::new(state_options(self.settings));
        state.name_addresses(true);
        let pace = |seconds| Pace::new(self.settings, seconds);
        let end = match (capture, live) {
            (Some(path), None) => {
                let mut file = source::open(path, false)?;
                event_loop::drive(&mut file, &mut state, work, &signals, pace(0))
            }
            (None, Some(seconds)) => {
                let wanted = Wanted::of(self.set, self.order, self.settings);
                let mut machine = Machine::open(self.settings, &wanted, &mut state)?;
                event_loop::drive(
                    &mut machine,
                    &mut state,
                    work,
                    &signals,
                    pace(seconds.max(1)),
                )
            }
            _ => bail!("name a capture file, or watch this machine with --live SECONDS"),
        };
        end.fault.map_or(Ok(()), Err)
    }

    fn why_not(&self, name: &str, capture: Option<&str>, live: Option<u64>) -> Result<u8> {
        let at = self.find(name)?;
        let subject = self.subject(at);
        let rule = subject.rule;
        let runs = self.order.contains(&at);
        let first = self.settings.rule_matching == config::settings::RuleMatching::First;
        let rivals = if runs && first {
            let matching = Matching::First;
            let engine = Engine::new(self.set, self.order, self.catalogue, "syscall", matching)?;
            let rule = u32::try_from(at).context("too many rules")?;
            Some(Rivals { engine, rule })
        } else {
            None
        };
        let mut survey = Survey::new(rule, self.tracer(rule)?, rivals, self.environment());
        self.events(capture, live, &mut survey)?;
        let least = self.settings.priority;
        let standing = Standing {
            runs,
            enabled: self.enabled[at],
            too_low: (rule.priority > least).then(|| least.name()),
        };
        output::print(&whynot::text(&subject, &standing, &survey))?;
        Ok(0)
    }

    /// One event before the named rule, or before all that match or nearly match it.
    fn on_event(&self, args: &Explain, capture: Option<&str>) -> Result<u8> {
        let Some(number) = args.event else {
            bail!("say which event, with --event N, or ask --why-not NAME over all of them");
        };
        let asked: Vec<usize> = match &args.rule {
            Some(name) => vec![self.find(name)?],
            None => self.order.to_vec(),
        };
        let mut tracers = Vec::new();
        for at in asked {
            let rule = &self.set.rules[at];
            if args.rule.is_some() || rule.source == "syscall" {
                tracers.push((self.subject(at), self.tracer(rule)?));
            }
        }
        let mut work = OneEvent {
            number,
            named: args.rule.is_some(),
            env: self.environment(),
            tracers,
            texts: None,
        };
        self.events(capture, args.live, &mut work)?;
        let Some(texts) = work.texts else {
            bail!("there is no event {number}; `peregrine read` shows the numbers");
        };
        output::print(&texts.join("\n"))?;
        Ok(0)
    }
}

/// Waits for one event and explains rules on it.
struct OneEvent<'a> {
    number: u64,
    /// One rule was asked for; without it the misses that are not near are left out.
    named: bool,
    env: Environment,
    tracers: Vec<(Subject<'a>, Tracer)>,
    texts: Option<Vec<String>>,
}

impl Work for OneEvent<'_> {
    fn event(&mut self, record: &Record<'_>, state: &State, context: &Context) -> bool {
        if context.visible {
            self.env.see(record);
        }
        if context.number != self.number {
            return context.number < self.number;
        }
        if !context.visible {
            self.texts = Some(vec![format!(
                "Event {} ({}) only changes the state; no rule ever sees it.\n",
                self.number, record.info.name
            )]);
            return false;
        }
        let view = EventView::new(record, state, context, &self.env);
        let code = record.code.number();
        let mut texts = Vec::new();
        for (subject, tracer) in &mut self.tracers {
            tracer.next_event();
            let concerned = subject.rule.event_codes.contains(code);
            let near = concerned && tracer.failing(&view).len() <= 1;
            if self.named || near {
                texts.push(event::text(subject, tracer, &view));
            }
        }
        if texts.is_empty() {
            texts.push(format!(
                "No rule matches event {} ({}) or misses it by one clause only.\n",
                self.number,
                event::who(&view)
            ));
        }
        self.texts = Some(texts);
        false
    }
}
