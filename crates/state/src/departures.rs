//! Containers in which nobody lives any more.
//!
//! Docker, Podman and Kubernetes' runtimes tell when they forget a container; a stopped one is
//! theirs to keep. Of all others only the processes show that they have ended: the first process of
//! a pid namespace takes the others with it, and where there is no such namespace a look at all
//! threads, now and then, finds containers without any.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::container::{Container, Family, Identity, Sighting};
use crate::state::State;
use crate::thread::ThreadIx;

/// Whether a record is all that will ever be told: nobody says when such a container goes.
const fn is_own(kind: u32) -> bool {
    matches!(kind, 1 | 2 | 3 | 9 | 12)
}

impl State {
    /// A thread leaves the table.
    #[inline]
    pub(crate) fn leaves(&mut self, ix: ThreadIx) {
        let thread = self.threads.at(ix);
        if thread.vpid == 1 && thread.vtid == 1 && self.sightings.awaited {
            self.first_process_left(ix);
        }
    }

    #[cold]
    fn first_process_left(&mut self, ix: ThreadIx) {
        let Some(identity) = self.threads.at(ix).cgroups.identity().cloned() else {
            return;
        };
        match self.containers.get(&*identity.id).cloned() {
            Some(record) if is_own(record.kind) => self.ended(identity, record),
            None if !self.sightings.is_pending(&identity.id) => self.forget_traces(&identity.id),
            _ => {}
        }
    }

    fn ended(&mut self, identity: Identity, record: Arc<Container>) {
        self.sightings.note_end(Sighting {
            identity,
            path: Box::default(),
            pid: -1,
            is_known: true,
            runs: false,
            ended: true,
            own: Some(record),
        });
    }

    /// Forgets that a container was ever seen.
    fn forget_traces(&mut self, id: &[u8]) {
        self.groups.remove(id);
        self.sightings.forget(id);
    }

    /// Looks for containers without threads: forgets those that nobody knows, and notes the end of
    /// those whose record is our own.
    pub(crate) fn sweep_containers(&mut self) {
        if !self.sightings.awaited {
            return;
        }
        let inhabited: BTreeSet<Box<[u8]>> = self
            .threads
            .iter()
            .filter_map(|(_, thread)| Some(thread.cgroups.identity()?.id.clone()))
            .collect();
        let ended: Vec<Arc<Container>> = self
            .containers
            .values()
            .filter(|record| is_own(record.kind) && !inhabited.contains(&record.id[..]))
            .cloned()
            .collect();
        for record in ended {
            let whole = match record.full_id.as_slice() {
                b"" => record.id.as_slice(),
                whole => whole,
            };
            let identity = Identity {
                id: record.id.as_slice().into(),
                full_id: whole.into(),
                family: Family::Runtime,
                end: 0,
            };
            self.ended(identity, record);
        }
        let seen = self.sightings.seen().chain(self.groups.keys());
        let lost: Vec<Box<[u8]>> = seen
            .filter(|id| {
                !inhabited.contains(&***id)
                    && !self.containers.contains_key(&***id)
                    && !self.sightings.is_pending(id)
            })
            .cloned()
            .collect();
        for id in lost {
            self.forget_traces(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use event::snapshot::Process;

    use crate::{NoLookup, Options, State};

    fn live() -> State {
        let mut state = State::new(Options::default());
        state.await_containers(500);
        state
    }

    fn load(state: &mut State, tid: i64, vtid: i64, cgroups: &str) {
        state.load_process(&Process {
            tid,
            pid: tid,
            vtid,
            vpid: vtid,
            cgroups: format!("cpuset={cgroups}\0").as_bytes(),
            ..Process::default()
        });
    }

    fn remove(state: &mut State, tid: i64) {
        let ix = state.by_tid(tid).unwrap();
        state.remove_thread(ix, &mut NoLookup);
    }

    #[test]
    fn a_container_of_lxc_ends_with_its_first_process() {
        let mut state = live();
        load(&mut state, 10, 1, "/lxc.payload.web");
        load(&mut state, 11, 2, "/lxc.payload.web");
        state.take_sightings();
        remove(&mut state, 11);
        assert!(!state.has_sightings());
        remove(&mut state, 10);
        let sightings = state.take_sightings();
        assert_eq!((sightings.len(), sightings[0].ended), (1, true));
        assert_eq!(sightings[0].own.as_ref().unwrap().kind_name(), "lxc");
        // Started again before anybody acted on it, it is told of again.
        load(&mut state, 12, 1, "/lxc.payload.web");
        let again = state.take_sightings();
        assert!(again.iter().any(|s| !s.ended && s.own.is_some()));
    }

    #[test]
    fn what_nobody_knows_leaves_no_trace() {
        let mut state = live();
        for i in 0..50 {
            load(&mut state, 100 + i, 2 + i, &format!("/jobs/job-{i}"));
            state.container_failed(format!("job-{i}").as_bytes());
        }
        state.take_sightings();
        for i in 0..49 {
            remove(&mut state, 100 + i);
        }
        state.sweep_containers();
        let left: BTreeSet<_> = state.sightings.seen().collect();
        assert_eq!(left.len(), 1);
        assert_eq!(
            state.thread(state.by_tid(149).unwrap()).container_id(),
            b"job-49"
        );
        let id = "0123456789abcdef".repeat(4);
        load(&mut state, 200, 1, &format!("/docker/{id}"));
        state.container_failed(b"0123456789ab");
        assert_eq!(state.groups.len(), 1);
        remove(&mut state, 200);
        assert!(state.groups.is_empty());
    }

    #[test]
    fn a_stopped_container_stays_its_runtime_s() {
        let mut state = live();
        let id = "0123456789abcdef".repeat(4);
        load(&mut state, 200, 1, &format!("/docker/{id}"));
        let json = r#"{"container":{"id":"0123456789ab","type":0,"name":"web"}}"#;
        state.container_added(&mut crate::Context::default(), json.as_bytes());
        state.take_sightings();
        remove(&mut state, 200);
        state.sweep_containers();
        assert!(!state.has_sightings());
        assert_eq!(state.container(b"0123456789ab").unwrap().name, b"web");
    }

    #[test]
    fn a_task_of_mesos_by_its_environment() {
        let mut state = live();
        state.load_process(&Process {
            tid: 5,
            pid: 5,
            vtid: 1,
            vpid: 1,
            env: b"PATH=/bin\0MESOS_TASK_ID=prod_web.1\0MARATHON_APP_ID=/prod/web\0",
            cgroups: b"cpuset=/mesos/01234567-89ab-cdef-0123-456789abcdef\0",
            ..Process::default()
        });
        let id = b"01234567-89ab-cdef-0123-456789abcdef";
        let record = state.container(id).unwrap();
        let mesos = record.mesos.as_ref().unwrap();
        assert_eq!(record.kind_name(), "mesos");
        assert_eq!(mesos.task.as_ref().unwrap().id, b"prod_web.1");
        assert_eq!(mesos.app.as_ref().unwrap().id, b"/prod/web");
        let told = state.take_sightings();
        assert!(
            told.iter()
                .any(|s| s.own.as_ref().is_some_and(|own| own.mesos.is_some()))
        );
    }
}
