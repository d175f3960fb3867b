//! Containers without a control group of their own.
//!
//! A user's Podman that may not make control groups leaves its containers in the group of whoever
//! started them. Who they are shows in the process tree then: each is a child of a `conmon` whose
//! arguments name the container.
//!
//! Anybody can call a program like that. So it counts only for processes in a pid namespace of
//! their own whose control group says nothing, and never for a container that has a control group.

use std::rc::Rc;

use crate::container::{Family, Identity};
use crate::state::State;
use crate::thread::ThreadIx;

const HELPER: &[u8] = b"conmon";
/// Most ancestors that are looked at: the runtime may stand between.
const LEVELS: usize = 8;
const FULL_ID: usize = 64;
const SHORT_ID: usize = 12;

impl State {
    /// Looks for a helper above a thread whose control groups name no container.
    pub(crate) fn identify_by_helper(&mut self, ix: ThreadIx) {
        let thread = self.threads.at(ix);
        if thread.cgroups.identity().is_some()
            || !thread.is_in_pidns()
            || !self.options.engines.podman
        {
            return;
        }
        let Some(full) = self.helper_above(ix) else {
            return;
        };
        let id: Box<[u8]> = full[..SHORT_ID].into();
        if self.groups.contains_key(&id) {
            self.counters.identities_refused += 1;
            return;
        }
        let identity = Identity {
            id,
            full_id: full,
            family: Family::Runtime,
            end: 0,
        };
        let (cgroups, pid) = (self.threads.at(ix).cgroups.clone(), self.threads.at(ix).pid);
        self.sighted(&identity, b"", pid);
        let thread = self.threads.at_mut(ix);
        thread.cgroups = Rc::new(cgroups.with(Some(identity)));
    }

    fn helper_above(&self, ix: ThreadIx) -> Option<Box<[u8]>> {
        for above in self.ancestors(ix).take(LEVELS) {
            let thread = self.threads.at(above);
            if thread.comm() != HELPER || thread.is_in_pidns() {
                continue;
            }
            let mut args = thread.image.args();
            args.find(|arg| *arg == b"-c")?;
            let id = args.next()?;
            let is_id = id.len() == FULL_ID && id.iter().all(u8::is_ascii_hexdigit);
            return is_id.then(|| id.into());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use event::snapshot::Process;

    use crate::{Options, State};

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn load(state: &mut State, tid: i64, ptid: i64, vtid: i64, comm: &[u8], args: &str) {
        state.load_process(&Process {
            tid,
            pid: tid,
            ptid,
            vtid,
            vpid: vtid,
            comm,
            args: args.as_bytes(),
            cgroups: b"cpuset=/\0",
            ..Process::default()
        });
    }

    #[test]
    fn a_container_of_a_user_s_podman() {
        let mut state = State::new(Options::default());
        state.await_containers(500);
        let args = format!("--api-version\u{0}1\u{0}-c\u{0}{ID}\u{0}-u\u{0}{ID}\u{0}");
        load(&mut state, 10, 1, 10, b"conmon", &args);
        load(&mut state, 11, 10, 1, b"sh", "");
        load(&mut state, 12, 11, 2, b"cat", "");
        load(&mut state, 13, 10, 13, b"runc", "");
        state.finish_load();
        let id = |tid| {
            state
                .thread(state.by_tid(tid).unwrap())
                .container_id()
                .to_vec()
        };
        assert_eq!(
            (id(11), id(12)),
            (b"0123456789ab".to_vec(), b"0123456789ab".to_vec())
        );
        assert_eq!((id(10), id(13)), (vec![], vec![]));
        let sightings = state.take_sightings();
        assert_eq!(*sightings[0].identity.full_id, *ID.as_bytes());
    }

    #[test]
    fn who_only_calls_himself_so() {
        let mut state = State::new(Options::default());
        let cgroups = format!("cpuset=/docker/{ID}\u{0}");
        state.load_process(&Process {
            tid: 5,
            pid: 5,
            cgroups: cgroups.as_bytes(),
            ..Process::default()
        });
        load(
            &mut state,
            10,
            1,
            10,
            b"conmon",
            &format!("-c\u{0}{ID}\u{0}"),
        );
        load(&mut state, 11, 10, 1, b"sh", "");
        load(&mut state, 20, 1, 20, b"conmon", "-c\u{0}../../x\u{0}");
        load(&mut state, 21, 20, 1, b"sh", "");
        state.finish_load();
        for tid in [11, 21] {
            assert_eq!(state.thread(state.by_tid(tid).unwrap()).container_id(), b"");
        }
        assert!(state.counters().identities_refused > 0);
    }
}
