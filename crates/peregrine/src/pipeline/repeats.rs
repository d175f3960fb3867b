//! Between an alert and the outputs: groups of alerts that are alike, limits of rules, and the throttle of
//! older releases. What does not go out by itself is told by a line for many; see `docs/alerts.md`.

use std::sync::Arc;

use anyhow::{Result, bail};
use config::Settings;
use config::settings::AlertMatch;
use filter::Schema;
use outputs::{
    Filter, Formatter, Groups, Limits, Repeat, Route, RuleGrouping, RuleLimit, RuleOutput,
    Statistics,
};
use rules::Rule;

use super::Alerting;
use super::compiled::RuleSubject;
use super::judge::Judge;
use super::shared::SharedOutputs;
use super::throttle::Throttle;
use crate::sources::Sources;

/// What the configuration says of each rule's repetitions, by the number of the rule.
#[derive(Clone, Default)]
pub(crate) struct RepeatRules {
    groupings: Option<(Arc<[Option<RuleGrouping>]>, usize)>,
    limits: Option<Arc<[Option<RuleLimit>]>>,
}

impl RepeatRules {
    /// # Errors
    /// A field that no source has.
    pub(super) fn new(settings: &Settings, rules: &[Rule], sources: &Sources) -> Result<Self> {
        let grouping = &settings.alert_grouping;
        let mut repeats = Self::default();
        if grouping.enabled {
            let policies = grouping.entries.iter().map(|(_, policy)| policy);
            for field in policies
                .chain([&grouping.policy])
                .flat_map(|policy| &policy.fields)
            {
                known(field, sources)?;
            }
            let of = |rule: &Rule| {
                let entries = grouping.entries.iter();
                let mut fitting = entries.filter(|(which, _)| takes(which, rule));
                let policy = fitting
                    .next()
                    .map_or(&grouping.policy, |(_, policy)| policy);
                let schema: &dyn Schema = sources.schema(&rule.source)?;
                policy.enabled.then(|| {
                    RuleGrouping::new(policy.window, policy.examples, &policy.fields, schema)
                })
            };
            repeats.groupings = Some((rules.iter().map(of).collect(), grouping.max_groups));
        }
        if !settings.alert_limits.is_empty() {
            let of = |rule: &Rule| {
                let mut entries = settings.alert_limits.iter();
                let limit = entries.find(|limit| takes(&limit.of, rule))?;
                Some(RuleLimit {
                    rate: limit.rate,
                    burst: limit.burst,
                    text: limit.text.clone(),
                    tell: limit.tell,
                })
            };
            repeats.limits = Some(rules.iter().map(of).collect());
        }
        Ok(repeats)
    }
}

fn takes(which: &AlertMatch, rule: &Rule) -> bool {
    let filter = Filter {
        priority: which.priority,
        tags: which.tags.clone(),
        sources: which.sources.clone(),
        rules: which.rules.clone(),
    };
    filter.takes(&RuleSubject::of(rule).subject())
}

fn known(field: &str, sources: &Sources) -> Result<()> {
    let token = format!("%{field}");
    let mut schemas = sources.names().filter_map(|name| sources.schema(name));
    if schemas.any(|schema| filter::Template::parse(&token, schema).is_ok()) {
        return Ok(());
    }
    let mut names = sources.names().filter_map(|name| sources.schema(name));
    let near =
        names.find_map(|schema| diag::nearest::nearest(field, schema.names()).map(str::to_owned));
    let help = near.map_or_else(String::new, |near| format!("; there is `{near}`"));
    bail!("alert_grouping: no event source has the field `{field}`{help}")
}

/// An alert about to go out.
pub(super) struct Candidate<'c> {
    pub(super) rule: usize,
    pub(super) repeat: Option<Repeat>,
    /// The file that has what surrounds it.
    pub(super) path: Option<&'c [u8]>,
}

/// Decides which alerts of a source go out.
pub(super) struct Gate {
    /// `outputs.rate`
    pub(super) throttle: Throttle,
    groups: Option<Box<Groups>>,
    limits: Option<Box<Limits>>,
    due: u64,
}

/// What lines for many alerts are made and sent with.
pub(super) struct Lines<'l> {
    pub(super) rule_outputs: &'l [RuleOutput],
    pub(super) subjects: &'l [RuleSubject],
    pub(super) formatter: &'l mut Formatter,
    pub(super) routes: &'l [Route],
    pub(super) outputs: &'l SharedOutputs,
    pub(super) statistics: &'l mut Statistics,
}

impl Gate {
    /// An open one.
    pub(super) fn new(settings: &Settings, repeats: &RepeatRules) -> Self {
        let groups = repeats.groupings.as_ref();
        let limits = repeats.limits.as_ref();
        Self {
            throttle: Throttle::new(settings.outputs.throttle),
            groups: groups.map(|(rules, most)| Box::new(Groups::new(Arc::clone(rules), *most))),
            limits: limits.map(|rules| Box::new(Limits::new(rules))),
            due: u64::MAX,
        }
    }

    /// Whether anything is grouped or limited.
    pub(super) fn is_set(&self) -> bool {
        self.groups.is_some() || self.limits.is_some()
    }

    /// Goes over to what a reload says. Everything was told before ([`Gate::tell`]).
    pub(super) fn adopt(&mut self, settings: &Settings, before: &Settings, repeats: &RepeatRules) {
        let throttle = self.throttle;
        *self = Self::new(settings, repeats);
        let rate = settings.outputs.throttle;
        self.throttle = if rate == before.outputs.throttle {
            throttle
        } else {
            throttle.with(rate)
        };
    }

    /// Time of events at which there is something to tell. Asked for every event.
    #[inline]
    pub(super) fn due(&self) -> u64 {
        self.due
    }

    fn settle(&mut self) {
        let groups = self.groups.as_ref().map_or(u64::MAX, |groups| groups.due());
        let limits = self.limits.as_ref().map_or(u64::MAX, |limits| limits.due());
        self.due = groups.min(limits);
    }

    /// What an alert is known by, where such alerts are grouped.
    pub(super) fn repeat(
        &self,
        rule: usize,
        source: &impl filter::FieldSource,
        message: impl FnOnce(&mut Vec<u8>),
    ) -> Option<Repeat> {
        self.groups.as_ref()?.repeat(rule, source, message)
    }

    /// Whether an alert goes out by itself. False besides when nobody reads the lines any more.
    pub(super) fn lets_pass(
        &mut self,
        alert: Candidate<'_>,
        time: u64,
        lines: &mut Lines<'_>,
    ) -> (bool, bool) {
        let open = self.tell(Some(time), lines);
        let (passes, still) = self.decide(alert, time, lines);
        self.settle();
        (passes, open && still)
    }

    fn decide(
        &mut self,
        Candidate { rule, repeat, path }: Candidate<'_>,
        time: u64,
        lines: &mut Lines<'_>,
    ) -> (bool, bool) {
        if let (Some(groups), Some(repeat)) = (&mut self.groups, &repeat)
            && groups.joins(repeat, rule, time, path)
        {
            lines.statistics.repeats.grouped += 1;
            return (false, true);
        }
        if let Some(limits) = &mut self.limits
            && !limits.lets_pass(rule, time, path)
        {
            lines.statistics.repeats.limited += 1;
            return (false, true);
        }
        if !self.throttle.lets_pass(time) {
            return (false, true);
        }
        let mut open = true;
        if let (Some(groups), Some(repeat)) = (&mut self.groups, repeat) {
            if !groups.has_room() {
                lines.statistics.repeats.crowded += 1;
                if let Some(group) = groups.crowded() {
                    open &= lines.group(&group);
                }
            }
            groups.begin(repeat, rule, time);
        }
        (true, open)
    }

    /// Sends the lines that are due at a time of events; `None`: all. False when nobody reads them any more.
    pub(super) fn tell(&mut self, time: Option<u64>, lines: &mut Lines<'_>) -> bool {
        if time.is_some_and(|time| time < self.due()) {
            return true;
        }
        let mut open = true;
        if let Some(groups) = &mut self.groups {
            match time {
                Some(time) => {
                    while let Some(group) = groups.ended(time) {
                        open &= lines.group(&group);
                    }
                }
                None => {
                    for group in groups.end_all() {
                        open &= lines.group(&group);
                    }
                }
            }
        }
        if let Some(limits) = &mut self.limits {
            let held = match time {
                Some(time) => limits.ended(time),
                None => limits.end_all(),
            };
            for held in held {
                let rate = limits.of(held.rule).map_or("", |limit| &limit.text);
                open &= lines.held(&held, rate);
            }
        }
        self.settle();
        open
    }
}

impl Alerting {
    /// Sends the lines for many alerts that are due at a time of events; `None`: all. Those of other sources in the main
    /// one, too.
    pub(super) fn tell(&mut self, time: Option<u64>) {
        let mut lines = Lines {
            rule_outputs: &self.compiled.rule_outputs,
            subjects: &self.compiled.subjects,
            formatter: &mut self.formatter,
            routes: &self.routes,
            outputs: &self.outputs,
            statistics: &mut self.statistics,
        };
        self.gate.tell(time, &mut lines);
        for judge in &mut self.others {
            judge.tell(time, &self.outputs);
        }
    }

    /// Time of events at which there is something to tell.
    #[inline]
    pub(super) fn tells_at(&self) -> u64 {
        let judges = self.others.iter().map(Judge::due).min();
        self.gate.due().min(judges.unwrap_or(u64::MAX))
    }
}

impl Lines<'_> {
    fn group(&mut self, group: &outputs::Group) -> bool {
        let mut line = Vec::new();
        self.formatter
            .group(&self.rule_outputs[group.rule], group, &mut line);
        self.send(group.rule, &line)
    }

    fn held(&mut self, held: &outputs::Held, rate: &str) -> bool {
        let mut line = Vec::new();
        let name = &self.subjects[held.rule].rule;
        let output = &self.rule_outputs[held.rule];
        self.formatter.held(output, (name, rate), held, &mut line);
        self.send(held.rule, &line)
    }

    fn send(&mut self, rule: usize, line: &[u8]) -> bool {
        self.statistics.repeats.told += 1;
        let priority = self.rule_outputs[rule].priority();
        self.outputs
            .read()
            .send_to(self.routes[rule], priority, line)
    }
}
