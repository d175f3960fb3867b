//! Which rules an event fires.
//!
//! A rule set compiles into one plan per event type. In it each condition is folded with what the
//! type alone decides (`evt.type in (...)` is gone by then), and the rules are filed under what a
//! match requires: a file name, a prefix of one, a program's name. An event asks the plan of its
//! type for the few rules that can match, and evaluates only those, in order, on the graph that all
//! conditions share.
//!
//! ```
//! # use filter::{FieldRef, FieldSource, Purpose, Value};
//! # use bumpalo::Bump;
//! # struct Nothing;
//! # impl FieldSource for Nothing {
//! #     fn extract<'a>(&'a self, _: &FieldRef, _: Purpose, _: &'a Bump) -> Option<Value<'a>> { None }
//! # }
//! # fn run(rules: rules::RuleSet, schema: &dyn filter::Schema) -> Result<(), engine::Error> {
//! use engine::{Engine, Matching};
//! use event::{EventCode, codes};
//!
//! let mut engine = Engine::new(&rules, &rules.clone().select(&[]), schema, "syscall", Matching::First)?;
//! for &rule in engine.on_event(EventCode::new(codes::SYSCALL_OPENAT_2_X), &Nothing) {
//!     println!("{}", rules.rules[rule as usize].name);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Modules: [`plan`] what each event type does, [`cover`] what a match requires, [`index`] from
//! values to rules, [`needs`] what all of it asks of the kernel, [`stateful`] rules that remember.
//!
//! Steps of rules that remember lie in the same plans and the same graph. An event that meets one is
//! noted; [`Engine::advance`] then takes the notes in and tells which rules are complete.

#![forbid(unsafe_code)]

pub mod cover;
pub mod index;
pub mod needs;
pub mod plan;
pub mod stateful;

use std::fmt::Write;

use event::EventCode;
use filter::{FieldSource, Graph, Keep, Program, Schema, Workspace};
use rules::RuleSet;

use crate::plan::{Entry, Plan, Root};
use crate::stateful::{Firing, Keyer, Learned, Limits, Memories, PartIndex, RuleMemory};

/// What happens when several rules match one event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Matching {
    /// The first in order fires, the others are not asked.
    #[default]
    First,
    /// All that match fire, in order.
    All,
}

/// Why a rule set does not become an engine. The rules crate has compiled each condition before,
/// so this says that schema and rule set do not belong together.
#[derive(Debug, thiserror::Error)]
#[error("rule \"{rule}\" does not compile: {reason}")]
pub struct Error {
    /// The rule.
    pub rule: String,
    /// What the compiler said.
    pub reason: String,
}

/// Position of a rule in its [`RuleSet`].
pub type RuleIndex = u32;

/// Is told when a rule's condition is evaluated. What several conditions share is evaluated once, and
/// so falls to the first that asks.
pub trait Meter {
    /// A condition is about to be evaluated.
    fn begin(&mut self);
    /// It was that of this rule.
    fn end(&mut self, rule: RuleIndex);
}

/// Measures nothing.
impl Meter for () {
    #[inline]
    fn begin(&mut self) {}

    #[inline]
    fn end(&mut self, _: RuleIndex) {}
}

/// The rules of one source, ready to run.
#[derive(Debug)]
pub struct Engine {
    graph: Graph,
    program: Program,
    workspace: Workspace,
    /// By event code.
    plans: Vec<Plan>,
    matching: Matching,
    candidates: Vec<u32>,
    fired: Vec<RuleIndex>,
    counts: Vec<u64>,
    memories: Memories,
    /// Parts that the event meets and that were not taken in yet, ascending.
    met: Vec<PartIndex>,
    firings: Vec<Firing>,
}

impl Engine {
    /// Compiles the rules of `source` among those that `order` names, in that order: what
    /// [`RuleSet::select`] returns.
    ///
    /// # Errors
    /// [`Error`] when a condition does not compile under `schema`.
    pub fn new(
        rules: &RuleSet,
        order: &[usize],
        schema: &dyn Schema,
        source: &str,
        matching: Matching,
    ) -> Result<Self, Error> {
        let mut graph = Graph::new();
        let mut roots: Vec<Root> = Vec::new();
        let mut memories = Memories::new();
        let mut parts = Vec::new();
        for &index in order {
            let rule = &rules.rules[index];
            if rule.source != source {
                continue;
            }
            let failed = |reason: String| Error {
                rule: rule.name.clone(),
                reason,
            };
            let index = RuleIndex::try_from(index).expect("fewer than 2^32 rules");
            if let Some(stateful) = &rule.stateful {
                let added = memories.add(index, rule, stateful, &mut graph, schema);
                parts.extend(added.map_err(failed)?);
                continue;
            }
            let added = graph.add(&rule.ast, schema);
            let (node, _) = added.map_err(|e| failed(e.to_string()))?;
            roots.push(Root {
                rule: index,
                part: None,
                node,
                codes: rule.event_codes,
            });
        }
        roots.append(&mut parts);
        let (plans, program) = plan::build(&mut graph, &roots);
        memories.share();
        graph.close();
        Ok(Self {
            graph,
            workspace: program.workspace(),
            program,
            plans,
            matching,
            candidates: Vec::new(),
            fired: Vec::new(),
            counts: vec![0; rules.rules.len()],
            memories,
            met: Vec::new(),
            firings: Vec::new(),
        })
    }

    /// Whether any rule can match this event type. Where not, the event need not become a view.
    #[must_use]
    #[inline]
    pub fn concerns(&self, code: EventCode) -> bool {
        self.plans
            .get(usize::from(code.number()))
            .is_some_and(|plan| !plan.is_empty())
    }

    /// Whether no rule can match this event type where the thread is the one that `keep` stands for:
    /// [`FieldSource::keep`] of the event. What the event is about need not be found out then.
    #[must_use]
    #[inline]
    pub fn rules_out(&mut self, code: EventCode, keep: Keep) -> bool {
        let plan = self.plans.get(usize::from(code.number()));
        plan.is_none_or(|plan| plan.is_ruled_out(&self.program, keep, &mut self.workspace))
    }

    /// The rules that this event fires, as positions in the rule set, in order.
    #[inline]
    pub fn on_event<S: FieldSource>(&mut self, code: EventCode, source: &S) -> &[RuleIndex] {
        self.on_event_metered(code, source, &mut ())
    }

    /// The same, and `meter` is told of each condition.
    #[inline]
    pub fn on_event_metered<S: FieldSource>(
        &mut self,
        code: EventCode,
        source: &S,
        meter: &mut impl Meter,
    ) -> &[RuleIndex] {
        self.fired.clear();
        self.met.clear();
        let Some(plan) = self.plans.get(usize::from(code.number())) else {
            return &[];
        };
        if plan.is_empty() {
            return &[];
        }
        self.workspace.next_event();
        if self.workspace.wants_order() {
            self.program.reorder(&mut self.workspace);
        }
        let Self {
            graph,
            program,
            workspace,
            candidates,
            fired,
            counts,
            matching,
            met,
            ..
        } = self;
        let few = plan.few_candidates(program, graph, source, workspace);
        if few.is_none() {
            plan.candidates(source, workspace.scratch(), candidates);
        }
        // Once a rule has fired and no other may, only the parts of rules that remember are asked.
        let mut from = 0;
        let mut ask = |candidate: u32| {
            if candidate < from {
                return;
            }
            let Entry {
                rule, root, part, ..
            } = plan.entries[candidate as usize];
            meter.begin();
            let fires = match root {
                Some(root) => program.evaluate(graph, root, source, workspace),
                None => true,
            };
            meter.end(rule);
            match part {
                _ if !fires => {}
                Some(part) => met.push(part),
                None => {
                    counts[rule as usize] += 1;
                    fired.push(rule);
                    if *matching == Matching::First {
                        from = plan.parts();
                    }
                }
            }
        };
        match few {
            Some(mut few) => {
                while few != 0 {
                    ask(few.trailing_zeros());
                    few &= few - 1;
                }
            }
            None => candidates.iter().for_each(|&candidate| ask(candidate)),
        }
        &self.fired
    }

    /// The rules that the latest event fired.
    #[must_use]
    #[inline]
    pub fn fired(&self) -> &[RuleIndex] {
        &self.fired
    }

    /// Whether the latest event meets a part of a rule that remembers and was not taken in yet.
    #[must_use]
    #[inline]
    pub fn may_advance(&self) -> bool {
        !self.met.is_empty()
    }

    /// Asks the event for all that taking it in would: for those who must know beforehand whether
    /// everything it needs is known.
    pub fn consult<S: FieldSource>(&self, source: &S) {
        self.memories
            .consult(&self.met, source, self.workspace.scratch());
    }

    /// Takes the latest event into the rules that remember; what it completes, in the order of the
    /// rules. `time` is the event's.
    pub fn advance<S: FieldSource>(&mut self, time: u64, source: &S) -> &[Firing] {
        self.firings.clear();
        if self.met.is_empty() {
            return &[];
        }
        let Self {
            memories,
            met,
            firings,
            workspace,
            counts,
            ..
        } = self;
        memories.advance(met, time, source, workspace.scratch(), firings);
        met.clear();
        for firing in firings.iter() {
            counts[firing.rule as usize] += 1;
        }
        &self.firings
    }

    /// Sets how much the rules may remember.
    pub fn limit(&mut self, limits: Limits) {
        self.memories.limit(limits);
    }

    /// Takes over what another engine remembers of rules that are defined the same here.
    pub fn inherit(&mut self, from: &mut Self) {
        self.memories.inherit(&mut from.memories);
    }

    /// Forgets what the rules remember.
    pub fn forget(&mut self) {
        self.met.clear();
        self.memories.forget();
    }

    /// What each rule that remembers holds.
    pub fn remembered(&self) -> impl Iterator<Item = RuleMemory> {
        self.memories.remembered()
    }

    /// What rules with `first_seen` have learned, and the secret under which it can be read.
    #[must_use]
    pub fn learned(&self) -> (Keyer, Vec<Learned>) {
        self.memories.learned()
    }

    /// Whether there is more to be learned from than at the last call.
    pub fn learns(&mut self) -> bool {
        self.memories.learns()
    }

    /// Takes in what was learned before, by rules that are still defined the same. Only before the
    /// first event.
    pub fn learn(&mut self, keyer: Keyer, learned: &[Learned]) {
        self.memories.learn(keyer, learned);
    }

    /// Takes back that the latest event fired what it fired: it will be asked about again.
    pub fn take_back(&mut self) {
        for rule in self.fired.drain(..) {
            self.counts[rule as usize] -= 1;
        }
        self.met.clear();
    }

    /// Keeps nothing of what the latest event showed of its thread: something was asked that is not
    /// known yet, and the next event is to ask again.
    #[cold]
    pub fn forget_kept(&mut self) {
        self.workspace.forget_kept();
    }

    /// How often each rule of the set has fired.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The graph of all conditions.
    #[must_use]
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// What each event type asks of its rules, as text: for those who tune.
    #[must_use]
    pub fn describe_plans(&self, rules: &RuleSet) -> String {
        let mut out = String::new();
        for (code, plan) in self
            .plans
            .iter()
            .enumerate()
            .filter(|(_, plan)| !plan.is_empty())
        {
            let name = event::EVENTS.get(code).map_or("?", |info| info.id);
            let _ = writeln!(
                out,
                "{name}: {} rules, {} always",
                plan.entries.len(),
                plan.always().len()
            );
            for &position in plan.always() {
                let rule = plan.entries[position as usize].rule;
                let _ = writeln!(out, "    {}", rules.rules[rule as usize].name);
            }
        }
        out
    }
}
