//! As much of the state as one event's fields can ask for, kept while the state itself goes on.
//!
//! An alert that waits for a container's metadata must show its event as it was. What a thread is
//! made of is shared by reference count, so an excerpt costs a few small allocations for each
//! ancestor. It is for reading only; the relations of threads are those that fields walk: leader,
//! group, parents and leaders of sessions and process groups.

use crate::container::Metadata;
use crate::context::{Context, Options};
use crate::state::State;
use crate::thread::{Links, Thread, ThreadIx};

/// Most threads in an excerpt: deeper ancestors are left out.
const THREADS_MAX: usize = 64;

impl State {
    /// The part of the state that an event's fields are taken from, and the event's context in it.
    /// `tid`: the thread that the event's record names.
    #[must_use]
    pub fn excerpt(&self, context: &Context, tid: i64) -> (State, Context) {
        let mut part = State::new(Options {
            engines: crate::Engines::none(),
            local_users: Vec::new(),
            local_groups: Vec::new(),
            ..self.options
        });
        part.threads = crate::table::ThreadTable::small();
        part.accounts = self.accounts.clone();
        part.interfaces.clone_from(&self.interfaces);
        part.machine = self.machine.clone();
        part.programs = self.programs.clone();
        part.number = self.number;
        part.first_ts = self.first_ts;
        part.container_wait_ns = self.container_wait_ns;
        let mut context = context.clone();
        if context.descriptor.is_none()
            && let (Some(ix), Some(fd)) = (context.thread, context.fd)
            && let Some(table) = self.descriptors(ix)
        {
            context.descriptor = table.shared(fd).cloned();
        }
        let start = context.thread.or_else(|| self.by_tid(tid));
        context.thread = context
            .thread
            .and_then(|ix| self.copy_thread(ix, &mut part));
        if let Some(ix) = start {
            self.copy_relatives(ix, &mut part);
        }
        part.take_containers(self);
        (part, context)
    }

    fn copy_relatives(&self, ix: ThreadIx, part: &mut State) {
        let leaders = [
            self.session_leader(ix),
            self.pgid_leader(ix),
            self.vpgid_leader(ix),
        ];
        let near = [Some(ix), self.main_thread(ix)].into_iter().chain(leaders);
        let ancestors = self
            .main_thread(ix)
            .into_iter()
            .flat_map(|main| self.ancestors(main));
        let wanted: Vec<ThreadIx> = near.flatten().chain(ancestors).take(THREADS_MAX).collect();
        for ix in wanted {
            self.copy_thread(ix, part);
            if let Some(main) = self.main_thread(ix) {
                self.copy_thread(main, part);
            }
        }
    }

    /// A thread without its waiting enter event; its group keeps the counts that it has here.
    fn copy_thread(&self, ix: ThreadIx, part: &mut State) -> Option<ThreadIx> {
        let old = self.threads.at(ix);
        if let Some(there) = part.threads.find(old.tid) {
            return Some(there);
        }
        if part.threads.len() >= 2 * THREADS_MAX {
            return None;
        }
        let children = old.links.children;
        let copy = Thread {
            enter: None,
            links: Links::default(),
            // Its ancestors may be left out.
            tree: self.tree(ix),
            ..old.clone()
        };
        let there = part.threads.insert(copy);
        if let Some(group) = self.threads.group_of(ix) {
            part.threads.join_group(there);
            if let Some(new) = part.threads.at(there).links.group {
                let new = part.threads.group_mut(new);
                (new.members, new.alive) = (group.members, group.alive);
            }
        }
        part.threads.at_unseen(there).links.children = children;
        Some(there)
    }

    /// Takes what `all` knows of containers now, and of their users.
    pub fn take_containers(&mut self, all: &State) {
        self.threads.new_epoch();
        self.accounts = all.accounts.clone();
        self.sightings.awaited = all.sightings.awaited;
        let ids: Vec<Vec<u8>> = self
            .threads
            .iter()
            .map(|(_, thread)| thread.container_id().to_vec())
            .filter(|id| !id.is_empty())
            .collect();
        for id in ids {
            if all.accounts_pending(&id) {
                self.sightings.expect_accounts(&id);
            } else {
                self.sightings.have_read(&id);
            }
            match all.containers.get(&id) {
                Some(container) => {
                    let sandbox = &container.pod_sandbox_id;
                    let sandbox = &sandbox[..sandbox.len().min(12)];
                    if let Some(sandbox) = all.containers.get(sandbox) {
                        self.containers.insert(sandbox.id.clone(), sandbox.clone());
                    }
                    self.containers.insert(id, container.clone());
                }
                None if all.container_metadata(&id) == Metadata::Pending => {
                    self.sightings.expect(&id);
                }
                None => self.sightings.settle(&id),
            }
        }
    }

    /// Whether what an event asked for has come, or will not come any more.
    #[must_use]
    pub fn has_answers(&self, excerpt: &State) -> bool {
        let mut threads = excerpt.threads.iter();
        threads.all(|(_, t)| {
            let id = t.container_id();
            self.container_metadata(id) != Metadata::Pending
                && !self.accounts_pending(id)
                && !self.awaits_program_of(t)
        })
    }

    /// Whether a program that an event asked for is still being read.
    #[must_use]
    pub fn awaits_programs_in(&self, excerpt: &State) -> bool {
        let mut threads = excerpt.threads.iter();
        threads.any(|(_, thread)| self.awaits_program_of(thread))
    }

    /// Bytes that keeping an excerpt takes, roughly: what it shares with the state not counted.
    #[must_use]
    pub fn excerpt_size(&self) -> usize {
        2048 + self.threads.len() * (size_of::<Thread>() + 64)
    }
}

#[cfg(test)]
mod tests {
    use event::snapshot::Process;
    use event::{EventCode, Record, RecordBuilder, RecordFlags, codes};

    use super::*;

    #[test]
    fn an_event_s_surroundings_outlive_the_event() {
        let mut state = State::new(Options::default());
        state.await_containers(500);
        let id = "0123456789abcdef".repeat(4);
        let cgroups = format!("cpuset=/docker/{id}\0").into_bytes();
        for (tid, ptid, comm) in [
            (1, 0, &b"init"[..]),
            (5, 1, b"sh"),
            (7, 5, b"cat"),
            (8, 1, b"x"),
        ] {
            let own = if tid >= 5 { &cgroups[..] } else { b"" };
            state.load_process(&Process {
                tid,
                pid: tid,
                ptid,
                comm,
                vtid: tid,
                vpid: tid,
                sid: 5,
                cwd: b"/tmp",
                cgroups: own,
                ..Process::default()
            });
        }
        state.finish_load();
        let open = EventCode::new(codes::SYSCALL_OPENAT_2_X);
        let bytes = RecordBuilder::new(open, 1_000, 7)
            .i64(3)
            .i64(-100)
            .text("notes")
            .u32(1)
            .u32(0)
            .u32(0)
            .u64(42)
            .finish();
        let record = Record::parse(&bytes, 0, RecordFlags::default()).unwrap();
        let context = state.process(&record);
        let (mut part, context) = state.excerpt(&context, 7);
        assert!(!state.has_answers(&part));
        assert_eq!(part.container_metadata(b"0123456789ab"), Metadata::Pending);

        // The thread and its parent are gone, the container is known.
        for tid in [7, 5] {
            let ix = state.by_tid(tid).unwrap();
            state.remove_thread(ix, &mut crate::NoLookup);
        }
        let json = r#"{"container":{"id":"0123456789ab","name":"web"}}"#;
        state.container_added(&mut Context::default(), json.as_bytes());
        assert!(!state.has_answers(&part), "its users are still being read");
        state.sightings.have_read(b"0123456789ab");
        assert!(state.has_answers(&part));
        part.take_containers(&state);

        let ix = context.thread.unwrap();
        assert_eq!(part.thread(ix).comm(), b"cat");
        let ancestors: Vec<_> = part.ancestors(ix).map(|a| part.thread(a).comm()).collect();
        assert_eq!(ancestors, [&b"sh"[..], b"init"]);
        assert_eq!(
            part.event_descriptor(&context).unwrap().name(),
            b"/tmp/notes"
        );
        assert_eq!(part.session_leader(ix), part.by_tid(5));
        assert_eq!(part.cwd(ix), b"/tmp/");
        assert_eq!(part.container(b"0123456789ab").unwrap().name, b"web");
        assert_eq!(part.thread_count(), 3);
    }
}
