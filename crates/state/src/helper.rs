//! Containers without a control group of their own.
//!
//! A user's Podman that may not make control groups leaves its containers in the group of whoever
//! started them. Who they are shows in the process tree then: each is a child of a `conmon` whose
//! arguments name the container.
//!
//! The tree is looked at when a process of the container is born and again whenever it runs another
//! program: the runtime between both leaves soon, and who takes over its children is the one thing of
//! a tree that is seen twice, by the one who leaves and by those who stay.
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
    /// Looks for a helper above a thread whose control groups name no container. `parent`: who its
    /// latest event says is its parent, if that is anybody.
    pub(crate) fn identify_by_helper(&mut self, ix: ThreadIx, parent: i64) {
        let thread = self.threads.at(ix);
        if thread.cgroups.identity().is_some()
            || !thread.is_in_pidns()
            || !self.options.engines.podman
        {
            return;
        }
        let told = self.threads.find(parent).filter(|&told| told != ix);
        let told = told.into_iter();
        let above_told = told.clone().flat_map(|told| self.ancestors(told));
        let Some(full) = self
            .helper_in(self.ancestors(ix))
            .or_else(|| self.helper_in(told.chain(above_told)))
        else {
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

    fn helper_in(&self, line: impl Iterator<Item = ThreadIx>) -> Option<Box<[u8]>> {
        for above in line.take(LEVELS) {
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
    use event::{EventCode, Record, RecordBuilder, RecordFlags, codes};

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

    /// A clone event of the child: its numbers outside and inside, and its parent.
    fn born(state: &mut State, ts: u64, tid: i64, vtid: i64, ptid: i64) {
        let mut builder = RecordBuilder::new(EventCode::new(codes::SYSCALL_CLONE_20_X), ts, tid)
            .i64(0)
            .text("runc")
            .empty()
            .i64(tid)
            .i64(tid)
            .i64(ptid)
            .text("");
        for _ in 7..13 {
            builder = builder.empty();
        }
        let builder = builder
            .text("runc")
            .bytes(b"cpuset=/\0")
            .u32(0)
            .u32(0)
            .u32(0);
        feed(state, builder.i64(vtid).i64(vtid).u64(0));
    }

    /// An exec event, with the parent that the kernel has by then.
    fn executes(state: &mut State, ts: u64, tid: i64, ptid: i64) {
        let mut builder = RecordBuilder::new(EventCode::new(codes::SYSCALL_EXECVE_19_X), ts, tid)
            .i64(0)
            .text("sleep")
            .empty()
            .i64(tid)
            .i64(tid)
            .i64(ptid)
            .text("");
        for _ in 7..13 {
            builder = builder.empty();
        }
        let mut builder = builder.text("sleep").bytes(b"cpuset=/\0");
        for _ in 15..27 {
            builder = builder.empty();
        }
        feed(state, builder.text("sleep"));
    }

    fn feed(state: &mut State, builder: RecordBuilder) {
        let bytes = builder.finish();
        state.process(&Record::parse(&bytes, 0, RecordFlags::default()).unwrap());
    }

    /// `conmon`, the runtime below it and the machine's first process.
    fn with_runtime() -> State {
        let mut state = State::new(Options::default());
        state.await_containers(500);
        load(&mut state, 1, 0, 1, b"init", "");
        load(
            &mut state,
            10,
            1,
            10,
            b"conmon",
            &format!("-c\u{0}{ID}\u{0}"),
        );
        load(&mut state, 13, 10, 13, b"runc", "");
        state.finish_load();
        state
    }

    fn id(state: &State, tid: i64) -> Vec<u8> {
        let ix = state.by_tid(tid).unwrap();
        state.thread(ix).container_id().to_vec()
    }

    #[test]
    fn from_birth_on_whoever_is_its_parent_later() {
        let mut state = with_runtime();
        born(&mut state, 1_000, 14, 1, 13);
        assert_eq!(id(&state, 14), b"0123456789ab");
        assert_eq!(state.take_sightings().len(), 1);
        // The runtime has gone, and nobody saw whom its child went to.
        let runtime = state.by_tid(13).unwrap();
        state.erase(runtime);
        executes(&mut state, 2_000, 14, 1);
        assert_eq!(id(&state, 14), b"0123456789ab");
    }

    /// A machine that shows one parent for everybody.
    struct Shows(i64);

    impl crate::Lookup for Shows {
        fn thread(&mut self, tid: i64) -> Option<Process<'_>> {
            (tid == 14).then(|| Process {
                tid,
                pid: tid,
                ptid: self.0,
                ..Process::default()
            })
        }

        fn descriptors(&mut self, _: i64, _: &mut dyn FnMut(&event::snapshot::Descriptor<'_>)) {}

        fn descriptor(&mut self, _: i64, _: i64) -> Option<event::snapshot::Descriptor<'_>> {
            None
        }

        fn is_alive(&mut self, _: i64) -> bool {
            true
        }
    }

    #[test]
    fn orphans_whose_reaper_is_not_known_are_asked_themselves() {
        for (shown, parent) in [(10, 10), (77, 1)] {
            let mut state = with_runtime();
            born(&mut state, 1_000, 14, 14, 13);
            let runtime = state.by_tid(13).unwrap();
            // Another thread of it was named, whose end came first.
            state.threads.at_mut(runtime).reaper_tid = 99;
            state.remove_thread(runtime, &mut Shows(shown));
            let child = state.thread(state.by_tid(14).unwrap());
            assert_eq!(child.ptid, parent);
        }
    }

    #[test]
    fn the_event_of_an_exec_names_the_parent_too() {
        let mut state = with_runtime();
        // Its parent was gone before its birth was told.
        born(&mut state, 1_000, 14, 1, 99);
        assert_eq!(id(&state, 14), b"");
        executes(&mut state, 2_000, 14, 10);
        assert_eq!(id(&state, 14), b"0123456789ab");
        born(&mut state, 3_000, 15, 1, 99);
        executes(&mut state, 4_000, 15, 1);
        assert_eq!(id(&state, 15), b"");
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
