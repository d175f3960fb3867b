//! Control groups that look like those of containers and may be anybody's.
//!
//! containerd puts what is not Kubernetes' into `/NAMESPACE/NAME`, which is also what batch systems,
//! service managers and those who start a machine's sessions make. The path alone is no reason to
//! call somebody of the host a container.

use std::rc::Rc;
use std::sync::Arc;

use crate::container::{Container, Family, Identity};
use crate::state::State;
use crate::thread::ThreadIx;

impl State {
    /// Anybody may call a group `/NAME/NAME`: batch systems, service managers, what starts a
    /// machine's sessions. With a pid namespace of the host's it is a container only if containerd
    /// says so. The original takes each for one, and so do we where only a capture speaks.
    pub(crate) fn is_doubtful(&self, identity: &Identity) -> bool {
        let is_known = |record: &Arc<Container>| record.host_pid;
        identity.family == Family::Namespaced
            && self.sightings.awaited
            && !self.containers.get(&*identity.id).is_some_and(is_known)
    }

    /// Somebody answers from now on: who was taken for a container by such a path alone is none.
    pub(crate) fn doubt_threads(&mut self) {
        let is_one = |identity: &Identity| identity.family == Family::Namespaced;
        let found: Vec<ThreadIx> = self
            .threads
            .iter()
            .filter(|(_, thread)| {
                !thread.is_in_pidns() && thread.cgroups.identity().is_some_and(is_one)
            })
            .map(|(ix, _)| ix)
            .collect();
        for ix in found {
            let cgroups = self.threads.at(ix).cgroups.clone();
            if let Some(identity) = cgroups.identity().filter(|one| self.is_doubtful(one)) {
                let cgroups = Rc::new(cgroups.doubting(identity.clone()));
                self.threads.at_mut(ix).cgroups = cgroups;
            }
        }
    }

    /// containerd knows a container that has the host's pids: who is in its group is in it.
    pub(crate) fn trust_threads(&mut self, id: &[u8]) {
        let found: Vec<ThreadIx> = self
            .threads
            .iter()
            .filter(|(_, thread)| thread.cgroups.doubtful().is_some_and(|one| *one.id == *id))
            .map(|(ix, _)| ix)
            .collect();
        for ix in found {
            let (cgroups, pid) = (self.threads.at(ix).cgroups.clone(), self.threads.at(ix).pid);
            let cgroups = self.cgroups_of(cgroups.raw(), pid, true);
            self.threads.at_mut(ix).cgroups = cgroups;
        }
    }
}

#[cfg(test)]
mod tests {
    use event::{EventCode, Record, RecordBuilder, RecordFlags, codes};

    use super::*;
    use crate::Options;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn told(state: &mut State, json: &str) {
        let bytes = RecordBuilder::new(EventCode::new(codes::ASYNCEVENT_E), 1, 0)
            .u32(0)
            .text("container")
            .text(json)
            .finish();
        state.process(&Record::parse(&bytes, 0, RecordFlags::default()).unwrap());
    }

    fn at_home(state: &mut State, tid: i64, vtid: i64, cgroups: &str) -> ThreadIx {
        state.load_process(&event::snapshot::Process {
            tid,
            pid: tid,
            vtid,
            vpid: vtid,
            cgroups: format!("memory={cgroups}\0").as_bytes(),
            ..event::snapshot::Process::default()
        });
        state.by_tid(tid).unwrap()
    }

    #[test]
    fn a_group_that_anybody_may_have_made() {
        let mut state = State::new(Options::default());
        // Before anybody answers it is what the original says.
        let job = at_home(&mut state, 5, 5, "/jobs/job-1");
        let inside = at_home(&mut state, 6, 1, "/jobs/job-1");
        let whole = at_home(&mut state, 7, 7, &format!("/docker/{ID}"));
        assert_eq!(state.thread(job).container_id(), b"job-1");
        state.await_containers(500);
        assert_eq!(state.thread(job).container_id(), b"");
        assert_eq!(state.thread(inside).container_id(), b"job-1");
        assert_eq!(state.thread(whole).container_id(), b"0123456789ab");

        // A runtime's helper enters the group first, then makes the namespace.
        let list = b"memory=/default/web\0";
        let helper = state.cgroups_of(list, 8, false);
        assert_eq!(helper.container_id(), b"");
        let same = state.cgroups_like(&helper, list, 8, false);
        assert!(Rc::ptr_eq(&helper, &same));
        let first = state.cgroups_like(&helper, list, 9, true);
        assert_eq!(first.container_id(), b"web");
        assert!(state.has_sightings());
        // Nobody leaves a container by it.
        let out = state.cgroups_like(&first, b"memory=/jobs/job-2\0", 9, false);
        assert_eq!(out.container_id(), b"web");

        // A container that has the host's pids is one because its runtime says so.
        let known = r#"{"container":{"id":"job-1","type":7,"host_pid":HOST}}"#;
        for (host, id) in [("false", &b""[..]), ("true", b"job-1")] {
            told(&mut state, &known.replace("HOST", host));
            assert_eq!(state.thread(job).container_id(), id);
            let later = state.cgroups_of(b"memory=/jobs/job-1\0", 10, false);
            assert_eq!(later.container_id(), id);
        }
    }
}
