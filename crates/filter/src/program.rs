//! Conditions of a [`Graph`] in the form in which they run, event after event.
//!
//! The graph is made for asking what conditions say; a program for being fast. It holds only what
//! its roots need, in two flat vectors; a negation is a bit in the reference to its operand; and
//! what hangs on the process alone is gathered:
//!
//! ```text
//! and(fd.name startswith /etc, not proc.name in (...), evt.is_open_write = true, proc.tty = 0)
//! and(and(not proc.name in (...), proc.tty = 0), fd.name startswith /etc, evt.is_open_write = true)
//!     └── one bit kept with the thread ──────────┘
//! ```
//!
//! In which order the operands of a group are asked is found out by measuring: now and then an event
//! is a sample, for which all operands are evaluated and tallied; those that decide most for the
//! least work come first afterwards. Evaluation has no effects, so no result depends on it.
//!
//! Which nodes are worth a bit: those that hang on nothing but the process and are used by something
//! that does not, the most used first. What is kept is found again in [`Workspace`].

use std::collections::VecDeque;

use bumpalo::Bump;
use hashbrown::{HashMap, HashSet};

use crate::evaluate::check;
use crate::graph::{Graph, Kind, NodeId};
use crate::schema::{FieldSource, Lifetime};
use crate::screen::Screen;
use crate::workspace::{Kept, Layout, Memory, Workspace};

/// A node of a program, perhaps negated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Operand(u32);

impl Operand {
    const fn new(op: usize) -> Self {
        Self((op as u32) << 1)
    }

    const fn negated(self) -> Self {
        Self(self.0 ^ 1)
    }

    #[inline]
    const fn op(self) -> usize {
        (self.0 >> 1) as usize
    }

    #[inline]
    const fn is_negated(self) -> bool {
        self.0 & 1 == 1
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Work {
    And,
    Or,
    /// The graph's runner at `start`.
    Check,
}

#[derive(Clone, Copy, Debug)]
struct Op {
    work: Work,
    /// Operands: `start..start + len` of the program's.
    start: u32,
    len: u32,
    /// Where the result is kept with the thread.
    kept: Kept,
}

/// What the result of a node hangs on, as far as keeping it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Basis {
    /// The thread itself.
    Own,
    /// The thread, its relatives, users, containers.
    Shared,
    /// More than that.
    Event,
}

impl Basis {
    fn of(lifetime: Lifetime) -> Self {
        match lifetime {
            Lifetime::Host | Lifetime::Process => Self::Own,
            Lifetime::Container | Lifetime::Lineage => Self::Shared,
            Lifetime::Descriptor | Lifetime::Event => Self::Event,
        }
    }
}

/// Most results of either kind that are kept for a thread.
const MOST_KEPT: usize = 512;

/// Conditions, ready to run. [`Program::add`] all of them, then [`Program::finish`].
#[derive(Debug, Default)]
pub struct Program {
    ops: Vec<Op>,
    operands: Vec<Operand>,
    bases: Vec<Basis>,
    /// How many nodes and roots that hang on more than the process use each node.
    users: Vec<u32>,
    known: HashMap<NodeId, Operand>,
    groups: HashMap<(Work, Box<[Operand]>), Operand>,
    pub(crate) screens: Vec<Screen>,
    layout: Layout,
}

impl Program {
    /// An empty program.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a condition of `graph`; always the same graph.
    pub fn add(&mut self, graph: &Graph, root: NodeId) -> Operand {
        let operand = self.node(graph, root);
        self.users[operand.op()] += 1;
        operand
    }

    /// Of what a condition requires: what hangs on the thread alone, and what on its relatives too.
    /// Where either does not hold, the condition does not.
    pub(crate) fn required_of_thread(&self, root: Operand) -> [Option<Operand>; 2] {
        let mut required = [None; 2];
        let mut seen: HashSet<Operand> = HashSet::from_iter([root]);
        let mut pending = VecDeque::from([root]);
        while let Some(one) = pending.pop_front() {
            let at = match self.bases[one.op()] {
                Basis::Own => 0,
                Basis::Shared => 1,
                Basis::Event => 2,
            };
            if at < 2 {
                required[at].get_or_insert(one);
            }
            let Op {
                work, start, len, ..
            } = self.ops[one.op()];
            if work == Work::And && !one.is_negated() && at > 0 {
                let all = &self.operands[start as usize..][..len as usize];
                pending.extend(all.iter().filter(|&&one| seen.insert(one)));
            }
        }
        required
    }

    /// Decides which results are kept with threads. Nothing may be added afterwards.
    pub fn finish(&mut self) {
        let worth = [Basis::Own, Basis::Shared].map(|basis| {
            let mut worth: Vec<usize> = (0..self.ops.len())
                .filter(|&op| self.bases[op] == basis && self.users[op] > 0)
                .collect();
            worth.sort_by_key(|&op| std::cmp::Reverse(self.users[op]));
            worth.truncate(MOST_KEPT);
            worth
        });
        let [own, shared] = worth;
        let layout = Layout {
            own: own.len().div_ceil(64),
            shared: shared.len().div_ceil(64),
            screens: self.screens.len(),
        };
        let places = [
            (own, layout.own_known(), layout.own_results()),
            (shared, layout.shared_known(), layout.shared_results()),
        ];
        for (worth, known, results) in places {
            for (bit, op) in worth.into_iter().enumerate() {
                self.ops[op].kept = Kept::new(known, results, bit);
            }
        }
        self.layout = layout;
        self.known = HashMap::new();
        self.groups = HashMap::new();
        self.users = Vec::new();
        self.bases = Vec::new();
        self.ops.shrink_to_fit();
        self.operands.shrink_to_fit();
    }

    /// What running the program needs.
    #[must_use]
    pub fn workspace(&self) -> Workspace {
        Workspace::new(self.ops.len(), self.operands.len(), self.layout)
    }

    /// Puts the operands of what was sampled into the order that the samples suggest.
    #[cold]
    pub fn reorder(&mut self, workspace: &mut Workspace) {
        let (memory, _) = workspace.parts();
        let order = &mut memory.order;
        for op in memory.sampled.drain(..) {
            memory.is_sampled[op as usize] = false;
            let Op { start, len, .. } = self.ops[op as usize];
            let places = start as usize..(start + len) as usize;
            order.clear();
            for at in places.clone() {
                let tally = memory.tallies[at];
                order.push((tally.price(), self.operands[at], tally));
            }
            order.sort_by(|a, b| a.0.total_cmp(&b.0));
            for (at, &(_, operand, tally)) in places.zip(order.iter()) {
                self.operands[at] = operand;
                memory.tallies[at] = tally.faded();
            }
        }
    }

    /// Number of results that may be kept for a thread.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.ops.iter().filter(|op| op.kept.is_some()).count()
    }

    fn node(&mut self, graph: &Graph, id: NodeId) -> Operand {
        if let Some(&known) = self.known.get(&id) {
            return known;
        }
        let operand = match &graph.nodes[id.index()] {
            Kind::Not(inner) => self.node(graph, *inner).negated(),
            Kind::Check(runner) => {
                let basis = Basis::of(graph.lifetime(id));
                self.push(Work::Check, *runner, 0, basis)
            }
            Kind::And(all) => self.group(graph, Work::And, all),
            Kind::Or(all) => self.group(graph, Work::Or, all),
        };
        self.known.insert(id, operand);
        operand
    }

    fn group(&mut self, graph: &Graph, work: Work, all: &[NodeId]) -> Operand {
        let all: Vec<Operand> = all.iter().map(|&one| self.node(graph, one)).collect();
        let of = |basis: Basis| -> Vec<Operand> {
            let has = |one: &&Operand| self.bases[one.op()] == basis;
            all.iter().filter(has).copied().collect()
        };
        let (own, shared, event) = (of(Basis::Own), of(Basis::Shared), of(Basis::Event));
        // What hangs on the thread alone stays known when its relatives change.
        let mut kept = Vec::new();
        kept.extend(self.joined(work, own));
        kept.extend(shared);
        let mut operands = Vec::new();
        operands.extend(self.joined(work, kept));
        operands.extend(event);
        self.joined(work, operands).expect("a group has operands")
    }

    /// The group of these operands; they themselves where there is one.
    fn joined(&mut self, work: Work, operands: Vec<Operand>) -> Option<Operand> {
        if operands.len() < 2 {
            return operands.first().copied();
        }
        let basis = operands.iter().map(|one| self.bases[one.op()]).max()?;
        let key = (work, operands.into_boxed_slice());
        if let Some(&known) = self.groups.get(&key) {
            return Some(known);
        }
        let start = self.operands.len() as u32;
        self.operands.extend_from_slice(&key.1);
        for one in &key.1 {
            // An own result is also worth keeping below one that moves with the relatives.
            let below = self.bases[one.op()];
            self.users[one.op()] += u32::from(below < basis);
        }
        let made = self.push(work, start, key.1.len() as u32, basis);
        self.groups.insert(key, made);
        Some(made)
    }

    fn push(&mut self, work: Work, start: u32, len: u32, basis: Basis) -> Operand {
        self.ops.push(Op {
            work,
            start,
            len,
            kept: Kept::NONE,
        });
        self.bases.push(basis);
        self.users.push(0);
        Operand::new(self.ops.len() - 1)
    }

    /// Whether a condition holds for the event that `source` stands for. Each node is evaluated at
    /// most once between two calls of [`Workspace::next_event`], and less often where its result is
    /// kept; `graph` is the one whose conditions were added.
    #[inline]
    pub fn evaluate<S: FieldSource>(
        &self,
        graph: &Graph,
        root: Operand,
        source: &S,
        workspace: &mut Workspace,
    ) -> bool {
        if workspace.parts().0.samples() {
            self.evaluated::<true, S>(graph, root, source, workspace)
        } else {
            self.evaluated::<false, S>(graph, root, source, workspace)
        }
    }

    /// The same, never as a sample.
    pub(crate) fn holds<S: FieldSource>(
        &self,
        graph: &Graph,
        root: Operand,
        source: &S,
        workspace: &mut Workspace,
    ) -> bool {
        self.evaluated::<false, S>(graph, root, source, workspace)
    }

    #[inline]
    fn evaluated<const SAMPLE: bool, S: FieldSource>(
        &self,
        graph: &Graph,
        root: Operand,
        source: &S,
        workspace: &mut Workspace,
    ) -> bool {
        let (memory, scratch) = workspace.parts();
        let run = Run {
            program: self,
            graph,
            source,
            scratch,
        };
        run.operand::<SAMPLE>(root, memory)
    }
}

/// How an operand did in samples.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    asked: u32,
    /// How often it alone decided its group.
    decided: u32,
    /// Nodes that had to be evaluated for it.
    work: u32,
}

impl Tally {
    /// Work for each decision; the lower, the earlier it should be asked.
    fn price(self) -> f64 {
        f64::from(self.work + self.asked) / (f64::from(self.decided) + 0.25)
    }

    /// Older samples count less.
    const fn faded(self) -> Self {
        Self {
            asked: self.asked / 2,
            decided: self.decided / 2,
            work: self.work / 2,
        }
    }
}

struct Run<'r, S> {
    program: &'r Program,
    graph: &'r Graph,
    source: &'r S,
    scratch: &'r Bump,
}

impl<S: FieldSource> Run<'_, S> {
    /// A look at the memory, in place: most operands of most conditions are known already.
    #[inline]
    fn operand<const SAMPLE: bool>(&self, operand: Operand, memory: &mut Memory) -> bool {
        let op = operand.op();
        let holds = match memory.known(op) {
            Some(known) => known,
            None => self.compute::<SAMPLE>(op, memory),
        };
        holds != operand.is_negated()
    }

    #[inline(never)]
    fn compute<const SAMPLE: bool>(&self, op: usize, memory: &mut Memory) -> bool {
        let Op {
            work,
            start,
            len,
            kept,
        } = self.program.ops[op];
        if kept.is_some()
            && let Some(known) = memory.recall(kept, || self.source.keep())
        {
            memory.learn(op, known);
            return known;
        }
        let operands = || self.program.operands[start as usize..][..len as usize].iter();
        if SAMPLE {
            memory.work += 1;
        }
        let holds = match work {
            Work::And | Work::Or if SAMPLE => {
                let holds = self.sample(work == Work::And, start, len, memory);
                memory.note_sample(op);
                holds
            }
            Work::And => operands().all(|&one| self.operand::<SAMPLE>(one, memory)),
            Work::Or => operands().any(|&one| self.operand::<SAMPLE>(one, memory)),
            Work::Check => {
                let runner = &self.graph.runners[start as usize];
                check(runner, self.source, self.scratch)
            }
        };
        if kept.is_some() {
            memory.keep(kept, holds);
        }
        memory.learn(op, holds);
        holds
    }

    /// Evaluates all operands of a group and tallies them.
    #[cold]
    fn sample(&self, and: bool, start: u32, len: u32, memory: &mut Memory) -> bool {
        let mut decided = false;
        for at in start as usize..(start + len) as usize {
            let before = memory.work;
            let decides = self.operand::<true>(self.program.operands[at], memory) != and;
            let work = memory.work - before;
            let tally = &mut memory.tallies[at];
            tally.asked += 1;
            tally.decided += u32::from(decides);
            tally.work += work;
            decided |= decides;
        }
        decided != and
    }
}
