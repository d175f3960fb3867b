//! Which alerts belong together: those of a process and what descends from it, and those of one process tree in one
//! container, as long as it is not quiet for too long.
//!
//! Trees are those of [`state::State::tree`]: given at birth, so that neither a double fork nor a new session nor an exec leaves
//! them. A process is its number and the time of its begin: a number that is given out again is another process. Time
//! is the events' own. *Invariant:* bounded in everything; the incident that was quiet for longest is forgotten first.

use std::collections::{BTreeSet, HashMap, VecDeque};

use state::{Context, State, ThreadIx};

use super::identity::{AlertId, Identity};

/// Incidents that are remembered.
const INCIDENTS: usize = 4096;
/// Alerts that a later one names.
const EARLIER: usize = 16;
/// Processes of an incident by which descendants find it.
const PROCESSES: usize = 256;
/// Trees of an incident: one for each container that it reached.
const TREES: usize = 16;
/// Ancestors among which an earlier alert is looked for.
const ANCESTORS: usize = 64;
/// Nanoseconds after which a quiet tree's next alert is another incident.
const QUIET: u64 = 6 * 3_600_000_000_000;

/// A process for good: its number, and when it began.
pub(crate) type ProcessKey = (i64, u64);

/// Where an alert happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scene {
    /// Name of the tree, and container.
    pub(crate) tree: (u64, Vec<u8>),
    /// The process and its ancestors, nearest first; the machine's first process is not among them.
    pub(crate) processes: Vec<ProcessKey>,
}

impl Scene {
    /// Of an event; `None` where no process caused it.
    pub(crate) fn of(state: &State, context: &Context) -> Option<Self> {
        let ix = main(state, context.thread?);
        let tree = (state.tree(ix), state.thread(ix).container_id().to_vec());
        let line = std::iter::once(ix).chain(state.ancestors(ix).take(ANCESTORS));
        let processes = line.map(|ix| key(state, ix)).filter(|(pid, _)| *pid != 1);
        Some(Self {
            tree,
            processes: processes.collect(),
        })
    }
}

/// The thread that stands for a thread's process.
pub(crate) fn main(state: &State, ix: ThreadIx) -> ThreadIx {
    state.main_thread(ix).unwrap_or(ix)
}

/// A thread's process.
pub(crate) fn key(state: &State, ix: ThreadIx) -> ProcessKey {
    let thread = state.thread(main(state, ix));
    (thread.pid, thread.clone_ts)
}

#[derive(Debug)]
struct Incident {
    last: u64,
    alerts: u64,
    /// With the number of their event.
    recent: VecDeque<(AlertId, u64)>,
    processes: VecDeque<ProcessKey>,
    trees: Vec<(u64, Vec<u8>)>,
    /// Its place among those that are remembered.
    turn: u64,
}

/// All that are remembered.
#[derive(Debug, Default)]
pub(crate) struct Incidents {
    all: HashMap<AlertId, Incident>,
    by_process: HashMap<ProcessKey, AlertId>,
    by_tree: HashMap<(u64, Vec<u8>), AlertId>,
    /// The least recently used first.
    turns: BTreeSet<(u64, AlertId)>,
    turn: u64,
}

impl Incidents {
    /// What an alert would be called. Alerts of the same event are not earlier ones.
    pub(crate) fn identify(
        &self,
        id: AlertId,
        scene: Option<&Scene>,
        (time, event): (u64, u64),
    ) -> Identity {
        let found = scene.and_then(|scene| self.find(scene, time));
        let Some((incident, known)) = found else {
            return Identity {
                id,
                incident: id,
                earlier: Vec::new(),
                number: 1,
            };
        };
        let earlier = known.recent.iter().filter(|(_, of)| *of != event);
        let earlier: Vec<AlertId> = earlier.map(|(id, _)| *id).collect();
        let first = earlier.len().saturating_sub(EARLIER);
        Identity {
            id,
            incident,
            earlier: earlier[first..].to_vec(),
            number: known.alerts + 1,
        }
    }

    fn find(&self, scene: &Scene, time: u64) -> Option<(AlertId, &Incident)> {
        let of = |id: &AlertId| {
            let incident = self.all.get(id)?;
            (time.saturating_sub(incident.last) <= QUIET).then_some((*id, incident))
        };
        let mut line = scene.processes.iter();
        line.find_map(|process| self.by_process.get(process).and_then(of))
            .or_else(|| self.by_tree.get(&scene.tree).and_then(of))
    }

    /// Takes an alert in that was identified.
    pub(crate) fn note(
        &mut self,
        identity: &Identity,
        scene: Option<Scene>,
        (time, event): (u64, u64),
    ) {
        let Some(scene) = scene else { return };
        self.turn += 1;
        let id = identity.incident;
        let incident = self.all.entry(id).or_insert_with(|| Incident {
            last: time,
            alerts: 0,
            recent: VecDeque::new(),
            processes: VecDeque::new(),
            trees: Vec::new(),
            turn: 0,
        });
        self.turns.remove(&(incident.turn, id));
        incident.turn = self.turn;
        self.turns.insert((self.turn, id));
        incident.last = incident.last.max(time);
        incident.alerts += 1;
        incident.recent.push_back((identity.id, event));
        if incident.recent.len() > 2 * EARLIER {
            incident.recent.pop_front();
        }
        if let Some(&process) = scene.processes.first()
            && self.by_process.get(&process) != Some(&id)
        {
            self.by_process.insert(process, id);
            incident.processes.push_back(process);
            if incident.processes.len() > PROCESSES
                && let Some(oldest) = incident.processes.pop_front()
                && self.by_process.get(&oldest) == Some(&id)
            {
                self.by_process.remove(&oldest);
            }
        }
        let taken = self.by_tree.get(&scene.tree);
        let free = taken.is_none_or(|taken| {
            let other = self.all.get(taken);
            other.is_none_or(|other| time.saturating_sub(other.last) > QUIET)
        });
        if free
            && let Some(incident) = self.all.get_mut(&id)
            && incident.trees.len() < TREES
        {
            incident.trees.push(scene.tree.clone());
            self.by_tree.insert(scene.tree, id);
        }
        if self.all.len() > INCIDENTS {
            self.forget();
        }
    }

    /// Forgets the one that was quiet for longest.
    fn forget(&mut self) {
        let Some((_, id)) = self.turns.pop_first() else {
            return;
        };
        let Some(incident) = self.all.remove(&id) else {
            return;
        };
        for process in incident.processes {
            if self.by_process.get(&process) == Some(&id) {
                self.by_process.remove(&process);
            }
        }
        for tree in incident.trees {
            if self.by_tree.get(&tree) == Some(&id) {
                self.by_tree.remove(&tree);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn scene(tree: u64, container: &str, processes: &[i64]) -> Scene {
        Scene {
            tree: (tree, container.as_bytes().to_vec()),
            processes: processes.iter().map(|pid| (*pid, 7)).collect(),
        }
    }

    /// Raises alerts one after the other, and tells their incidents.
    fn raise(incidents: &mut Incidents, scenes: &[(u64, Scene)]) -> Vec<(u64, usize, u64)> {
        let first = incidents.turn;
        let raised = scenes.iter().zip(first..).map(|((time, scene), n)| {
            let at = (*time, n);
            let identity = incidents.identify(AlertId(n), Some(scene), at);
            incidents.note(&identity, Some(scene.clone()), at);
            (identity.incident.0, identity.earlier.len(), identity.number)
        });
        raised.collect()
    }

    #[test]
    fn trees_and_descendants_belong_together_containers_do_not() {
        let mut incidents = Incidents::default();
        let raised = raise(
            &mut incidents,
            &[
                (0, scene(1, "", &[10, 5])),
                (1, scene(1, "", &[11, 5])),
                (2, scene(1, "c1", &[20, 19])),
                // Out of the container: a descendant of what alerted in it.
                (3, scene(1, "", &[21, 20, 19])),
                (4, scene(2, "", &[30])),
                // Its parents are gone, the tree is the same.
                (5, scene(1, "", &[12])),
                (QUIET + 6, scene(1, "", &[13])),
            ],
        );
        assert_eq!(
            raised,
            [
                (0, 0, 1),
                (0, 1, 2),
                (2, 0, 1),
                (2, 1, 2),
                (4, 0, 1),
                (0, 2, 3),
                (6, 0, 1)
            ]
        );
    }

    #[test]
    fn a_number_that_is_given_out_again_is_another_process() {
        let mut incidents = Incidents::default();
        let mut again = scene(9, "", &[10]);
        again.processes[0].1 = 8;
        let raised = raise(&mut incidents, &[(0, scene(1, "", &[10])), (1, again)]);
        assert_eq!(raised, [(0, 0, 1), (1, 0, 1)]);
    }

    #[test]
    fn alerts_of_one_event_are_not_earlier_ones() {
        let mut incidents = Incidents::default();
        let one = scene(1, "", &[10]);
        for n in 0..3 {
            let identity = incidents.identify(AlertId(n), Some(&one), (5, 77));
            assert!(identity.earlier.is_empty() && identity.incident == AlertId(0));
            incidents.note(&identity, Some(one.clone()), (5, 77));
        }
        let next = incidents.identify(AlertId(9), Some(&one), (6, 78));
        assert_eq!((next.earlier.len(), next.number), (3, 4));
        let alone = incidents.identify(AlertId(9), None, (6, 78));
        assert_eq!((alone.incident, alone.number), (AlertId(9), 1));
    }

    #[test]
    fn nothing_grows_without_end() {
        let mut incidents = Incidents::default();
        // A fork bomb in one tree, each child with an alert.
        let bomb: Vec<_> = (0..20_000)
            .map(|n| (n, scene(1, "", &[100 + n as i64, 99 + n as i64])))
            .collect();
        let raised = raise(&mut incidents, &bomb);
        assert!(raised.iter().all(|(incident, ..)| *incident == 0));
        assert_eq!(raised.last().unwrap().1, EARLIER);
        assert_eq!(incidents.all.len(), 1);
        assert!(incidents.by_process.len() <= PROCESSES);
        // And as many trees.
        let trees: Vec<_> = (0..20_000u64)
            .map(|n| (SECOND, scene(n + 2, "", &[n as i64])))
            .collect();
        raise(&mut incidents, &trees);
        assert_eq!(incidents.all.len(), INCIDENTS);
        assert_eq!(incidents.turns.len(), INCIDENTS);
        assert!(incidents.by_tree.len() <= INCIDENTS && incidents.by_process.len() <= INCIDENTS);
    }
}
