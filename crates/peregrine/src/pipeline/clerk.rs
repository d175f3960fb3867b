//! From a rule that fired to what becomes of its alert: its id and incident, its line, the counts, the store, and whether it
//! goes out by itself or in a line for many.

use std::os::unix::ffi::OsStrExt as _;

use engine::stateful::Evidence;
use event::Record;
use filter::FieldSource;
use outputs::{Formatter, Repeat, Route, RuleOutput, Statistics};
use state::{Context, State};

use super::compiled::RuleSubject;
use super::flight::Flight;
use super::identity::{Identified, Identity, Ids};
use super::incidents::{Incidents, Scene};
use super::keeper::{Keeper, Raised};
use super::repeats::{Candidate, Gate, Lines};
use super::shared::SharedOutputs;

/// Who gives alerts their ids.
#[derive(Default)]
pub(super) struct Registry {
    ids: Ids,
    incidents: Incidents,
}

/// All that an alert needs, borrowed from where it lives.
pub(super) struct Clerk<'c> {
    pub(super) rule_outputs: &'c [RuleOutput],
    pub(super) subjects: &'c [RuleSubject],
    pub(super) formatter: &'c mut Formatter,
    pub(super) statistics: &'c mut Statistics,
    pub(super) gate: &'c mut Gate,
    /// Gives ids, where anybody asks for them.
    pub(super) registry: Option<&'c mut Registry>,
    /// Keeps alerts, where that is wanted.
    pub(super) keeper: Option<&'c mut Keeper>,
    /// Saves what surrounds them, where that is wanted.
    pub(super) flight: Option<&'c mut Flight>,
    pub(super) routes: &'c [Route],
    pub(super) outputs: &'c SharedOutputs,
    pub(super) state: &'c State,
    pub(super) context: &'c Context,
}

/// An alert whose line is written, before it counts.
pub(super) struct Draft {
    rule: usize,
    repeat: Option<Repeat>,
    named: Option<Box<Named>>,
}

struct Named {
    identity: Identity,
    plain: u64,
    scene: Option<Scene>,
}

impl Clerk<'_> {
    /// Writes the line of a rule's alert; nothing is changed by it. It asks for all that the alert will need, so that it
    /// shows what has to be waited for.
    pub(super) fn draft(
        &mut self,
        rule: usize,
        record: &Record<'_>,
        view: &impl FieldSource,
        line: &mut Vec<u8>,
    ) -> Draft {
        let named = self.name(rule, record);
        let view = Identified {
            event: view,
            identity: named.as_ref().map(|named| &named.identity),
        };
        let output = &self.rule_outputs[rule];
        line.clear();
        self.formatter.alert(output, record.ts, &view, line);
        let formatter = &*self.formatter;
        let repeat = self.gate.repeat(rule, &view, |text| {
            formatter.message(output, &view, text);
        });
        Draft {
            rule,
            repeat,
            named,
        }
    }

    fn name(&self, rule: usize, record: &Record<'_>) -> Option<Box<Named>> {
        let registry = self.registry.as_ref()?;
        let subject = &self.subjects[rule];
        let (id, plain) = registry.ids.next(&subject.source, &subject.rule, record);
        let scene = Scene::of(self.state, self.context);
        let at = (record.ts, self.context.number);
        let identity = registry.incidents.identify(id, scene.as_ref(), at);
        Some(Box::new(Named {
            identity,
            plain,
            scene,
        }))
    }

    /// Counts, keeps and sends an alert; false when nobody reads them any more.
    pub(super) fn send(
        &mut self,
        draft: Draft,
        record: &Record<'_>,
        view: &impl FieldSource,
        line: &[u8],
    ) -> bool {
        self.send_with(draft, (record, None), view, line)
    }

    /// The same with what a rule that remembers kept of earlier events.
    pub(super) fn send_with(
        &mut self,
        draft: Draft,
        (record, kept): (&Record<'_>, Option<&Evidence>),
        view: &impl FieldSource,
        line: &[u8],
    ) -> bool {
        let Draft {
            rule,
            repeat,
            named,
        } = draft;
        let priority = self.rule_outputs[rule].priority();
        self.statistics.count(rule, priority);
        let flight = self.flight.as_mut();
        let capture = flight.and_then(|f| f.alert(rule, record, self.state, self.context));
        if let Some(keeper) = &mut self.keeper {
            let identity = named.as_ref().map(|named| &named.identity);
            let alert = Raised {
                rule,
                identity,
                kept,
                capture: capture.as_deref(),
                record,
                state: self.state,
                context: self.context,
            };
            keeper.alert(&alert, view);
        }
        if let (Some(registry), Some(named)) = (&mut self.registry, named) {
            registry.ids.taken(named.plain, record.ts);
            let at = (record.ts, self.context.number);
            registry.incidents.note(&named.identity, named.scene, at);
        }
        let mut lines = Lines {
            rule_outputs: self.rule_outputs,
            subjects: self.subjects,
            formatter: self.formatter,
            routes: self.routes,
            outputs: self.outputs,
            statistics: self.statistics,
        };
        let path = capture.as_deref().map(|path| path.as_os_str().as_bytes());
        let alert = Candidate { rule, repeat, path };
        let (passes, open) = self.gate.lets_pass(alert, record.ts, &mut lines);
        if !passes {
            return open;
        }
        let flight = self.flight.as_ref();
        let told = flight.and_then(|flight| flight.tell(capture.as_deref()?, line));
        let sent = self.outputs.read();
        let line = told.as_deref().unwrap_or(line);
        sent.send_to(self.routes[rule], priority, line) && open
    }
}
