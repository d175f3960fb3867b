//! A rule over all events of a source: how far each came, which clause failed, what came closest.

use std::collections::HashMap;

use engine::Engine;
use event::{Record, codes};
use fields::{Environment, EventView};
use filter::trace::Left;
use filter::{ExprId, Tracer};
use rules::{CodeSet, Rule};
use state::{Context, State};

use super::event::{value, who};
use crate::event_loop::Work;

/// Misses that are kept.
const KEPT: usize = 5;

/// Different values of a clause that are counted; more count as others.
const VALUES: usize = 200;

/// A rule that wins against the one in question does so by being tried first.
pub(super) struct Rivals {
    /// All rules that run, the first match ending the trial.
    pub(super) engine: Engine,
    /// Position of the rule in question in the set.
    pub(super) rule: u32,
}

/// What is counted.
pub(super) struct Survey<'a> {
    rule: &'a Rule,
    pub(super) tracer: Tracer,
    rivals: Option<Rivals>,
    env: Environment,
    /// Visible events.
    pub(super) events: u64,
    /// Types of events that came.
    pub(super) types: CodeSet,
    /// Events of types on which the rule can hold.
    pub(super) of_types: u64,
    /// Events on which the condition holds.
    pub(super) matched: u64,
    /// Of these, those that another rule took, by its position in the set.
    pub(super) taken: HashMap<u32, u64>,
    /// For each step, events that fulfil it and all before it.
    pub(super) reached: Vec<u64>,
    /// For each step, events that fail on it and on no other.
    pub(super) only: Vec<u64>,
    /// For each step, events that fail on it.
    pub(super) failed: Vec<u64>,
    /// Values of comparisons that made the first failing step fail.
    pub(super) values: HashMap<ExprId, Values>,
    /// The closest misses, closest first.
    pub(super) closest: Vec<Miss>,
    /// Notes of lost events in the capture.
    pub(super) losses: u64,
}

/// Values that a comparison met.
#[derive(Default)]
pub(super) struct Values {
    /// How often each came.
    pub(super) seen: HashMap<Vec<u8>, u64>,
    /// Those that were too many to count one by one.
    pub(super) others: u64,
    /// How often there was none.
    pub(super) missing: u64,
    /// How often there was none though the process is in a container.
    pub(super) missing_in_container: u64,
}

/// An event that nearly matched.
pub(super) struct Miss {
    /// Its number.
    pub(super) number: u64,
    /// Its type and process.
    pub(super) who: String,
    /// The steps that failed.
    pub(super) failing: Vec<usize>,
    /// The comparisons that decided the first of them, and their values.
    pub(super) clauses: Vec<(ExprId, Left)>,
}

impl<'a> Survey<'a> {
    /// Nothing counted yet.
    pub(super) fn new(
        rule: &'a Rule,
        tracer: Tracer,
        rivals: Option<Rivals>,
        env: Environment,
    ) -> Self {
        let steps = tracer.steps().len();
        Self {
            rule,
            tracer,
            rivals,
            env,
            events: 0,
            types: CodeSet::EMPTY,
            of_types: 0,
            matched: 0,
            taken: HashMap::new(),
            reached: vec![0; steps],
            only: vec![0; steps],
            failed: vec![0; steps],
            values: HashMap::new(),
            closest: Vec::new(),
            losses: 0,
        }
    }

    /// Takes the event in that `view` shows.
    fn count(tracer: &mut Tracer, counts: &mut Counts<'_>, view: &EventView<'_>) {
        let failing = tracer.failing(view);
        let first = failing.first().copied();
        let reached = first.unwrap_or(counts.reached.len());
        counts.reached[..reached].iter_mut().for_each(|n| *n += 1);
        failing.iter().for_each(|&step| counts.failed[step] += 1);
        if let [only] = failing[..] {
            counts.only[only] += 1;
        }
        let Some(first) = first else { return };
        let deciders = tracer.deciders(tracer.steps()[first], view);
        let clauses: Vec<(ExprId, Left)> = deciders
            .into_iter()
            .map(|id| (id, value(tracer, id, view)))
            .collect();
        let contained = view
            .thread()
            .is_some_and(|thread| !thread.container_id().is_empty());
        for (id, left) in &clauses {
            counts.values.entry(*id).or_default().add(left, contained);
        }
        let rank = |failing: &[usize]| (failing.len(), usize::MAX - failing[0]);
        let worst = counts.closest.last().map(|miss| rank(&miss.failing));
        if counts.closest.len() == KEPT && worst <= Some(rank(&failing)) {
            return;
        }
        let at = counts
            .closest
            .partition_point(|miss| rank(&miss.failing) <= rank(&failing));
        let miss = Miss {
            number: view.context.number,
            who: who(view),
            failing,
            clauses,
        };
        counts.closest.insert(at, miss);
        counts.closest.truncate(KEPT);
    }
}

/// The parts of a survey that one event changes.
struct Counts<'c> {
    reached: &'c mut [u64],
    only: &'c mut [u64],
    failed: &'c mut [u64],
    values: &'c mut HashMap<ExprId, Values>,
    closest: &'c mut Vec<Miss>,
}

impl Values {
    fn add(&mut self, left: &Left, contained: bool) {
        match left {
            Left::Missing => {
                self.missing += 1;
                self.missing_in_container += u64::from(contained);
            }
            Left::Text(text) => {
                if let Some(count) = self.seen.get_mut(text) {
                    *count += 1;
                } else if self.seen.len() < VALUES {
                    self.seen.insert(text.clone(), 1);
                } else {
                    self.others += 1;
                }
            }
        }
    }

    /// The most frequent ones first.
    pub(super) fn top(&self) -> Vec<(&[u8], u64)> {
        let mut all: Vec<(&[u8], u64)> = self
            .seen
            .iter()
            .map(|(text, count)| (text.as_slice(), *count))
            .collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        all
    }
}

impl Work for Survey<'_> {
    fn event(&mut self, record: &Record<'_>, state: &State, context: &Context) -> bool {
        let code = record.code.number();
        if matches!(code, codes::DROP_E | codes::DROP_X) {
            self.losses += 1;
        }
        if !context.visible {
            return true;
        }
        self.env.see(record);
        if record.info.internal {
            return true;
        }
        self.events += 1;
        self.types.insert(code);
        if !self.rule.event_codes.contains(code) {
            return true;
        }
        self.of_types += 1;
        let view = EventView::new(record, state, context, &self.env);
        self.tracer.next_event();
        if self.tracer.matches(&view) {
            self.matched += 1;
            if let Some(rivals) = &mut self.rivals {
                let first = rivals.engine.on_event(record.code, &view).first().copied();
                if let Some(other) = first.filter(|&other| other != rivals.rule) {
                    *self.taken.entry(other).or_default() += 1;
                }
            }
        }
        let mut counts = Counts {
            reached: &mut self.reached,
            only: &mut self.only,
            failed: &mut self.failed,
            values: &mut self.values,
            closest: &mut self.closest,
        };
        Self::count(&mut self.tracer, &mut counts, &view);
        true
    }
}
