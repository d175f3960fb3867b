//! Which container a thread is in, and what events say of containers.
//!
//! Names of asynchronous events: `container` and `container_removed` are those of the original;
//! the others are this engine's own, which other readers pass over:
//!
//! | name | says |
//! |---|---|
//! | `container` | a container is known now |
//! | `container_updated` | more is known of it, or it is called otherwise |
//! | `container_removed` | it has gone |
//! | `container_unknown` | nobody knows it: nobody need wait any more |
//! | `container_accounts` | its users and groups have been told, as far as it has any; `?ID`: nobody was left to ask, `+ID`: they are being read |
//! | `container_wait` | the recorder asked the runtimes, and alerts waited so many milliseconds |

use std::rc::Rc;
use std::sync::Arc;

use event::Record;

use crate::container::{
    Cgroups, Container, Family, Identity, Metadata, Pending, Sighting, is_list, parse,
};
use crate::context::Context;
use crate::state::State;
use crate::thread::{Thread, ThreadIx};

/// Name of the event that says that alerts wait for metadata.
pub const WAIT_EVENT: &str = "container_wait";
/// Name of the event that says that nobody knows a container.
pub const UNKNOWN_EVENT: &str = "container_unknown";

/// Name of the event that says that a container's accounts have been read.
pub const ACCOUNTS_EVENT: &str = "container_accounts";

/// Type number of Mesos' own containers.
const MESOS: u32 = 3;
/// Most variables of a task that are kept, and most bytes of each.
const VARIABLES_MAX: usize = 64;
const VARIABLE_MAX: usize = 1024;

/// Longest wait that an event may ask for.
const WAIT_MAX_MS: u64 = 60_000;

impl State {
    /// Control groups, with the container that they name. `inside`: the process lives in a pid
    /// namespace of its own.
    pub(crate) fn cgroups_of(&mut self, raw: &[u8], pid: i64, inside: bool) -> Rc<Cgroups> {
        self.cgroups_after(None, raw, pid, inside)
    }

    /// The same of a process that was in `old` before: who makes a group that is called like
    /// another container stays where he was.
    fn cgroups_after(
        &mut self,
        old: Option<&Identity>,
        raw: &[u8],
        pid: i64,
        inside: bool,
    ) -> Rc<Cgroups> {
        let cgroups = Cgroups::new(raw);
        let found = {
            let known =
                |id: &[u8]| self.containers.contains_key(id) || self.sightings.is_pending(id);
            let paths = cgroups.iter().map(|(_, path)| path);
            let found = self.options.engines.identify(paths, &known);
            found.map(|(identity, path)| (identity, path.to_vec()))
        };
        let Some((identity, path)) = found else {
            return Rc::new(cgroups);
        };
        if !inside && self.is_doubtful(&identity) {
            // Who comes out of a container by such a group is not on the host for it.
            let doubt = |_| cgroups.with(old.cloned());
            return Rc::new(old.map_or_else(|| cgroups.doubting(identity), doubt));
        }
        if self.is_claimed_falsely(&identity, &path) {
            self.counters.identities_refused += 1;
            return Rc::new(cgroups.with(old.cloned()));
        }
        self.sighted(&identity, &path, pid);
        Rc::new(cgroups.with(Some(identity)))
    }

    /// The groups' `Rc` if they say the same, else new ones.
    pub(crate) fn cgroups_like(
        &mut self,
        old: &Rc<Cgroups>,
        raw: &[u8],
        pid: i64,
        inside: bool,
    ) -> Rc<Cgroups> {
        let is_same = old.has(raw) && !(inside && old.doubtful().is_some());
        if is_same || !is_list(raw) {
            old.clone()
        } else {
            self.cgroups_after(old.identity(), raw, pid, inside)
        }
    }

    /// A known container lives in one control group. Who is in another one of that name made it
    /// himself.
    fn is_claimed_falsely(&mut self, identity: &Identity, path: &[u8]) -> bool {
        let own = plain(&path[..identity.end.min(path.len())]);
        if own.is_empty() || identity.family != Family::Runtime {
            return false;
        }
        match self.groups.get(&*identity.id) {
            // A reader in a namespace of control groups sees less of the path than the kernel does.
            Some(first) => !first.ends_with(own) && !own.ends_with(first),
            None => {
                if self.groups.len() < self.options.max_containers {
                    self.groups.insert(identity.id.clone(), own.into());
                }
                false
            }
        }
    }

    pub(crate) fn sighted(&mut self, identity: &Identity, path: &[u8], pid: i64) {
        let known = self.containers.contains_key(&*identity.id);
        let own = identity.family.own_kind().map(|kind| {
            let old = self.containers.get(&*identity.id).cloned();
            old.unwrap_or_else(|| Arc::new(self.own_record(identity, kind)))
        });
        let sighting = Sighting {
            identity: identity.clone(),
            path: path.into(),
            pid,
            is_known: known || own.is_some(),
            runs: false,
            ended: false,
            own: own.clone(),
        };
        self.sightings.note(sighting, self.options.max_containers);
        if let Some(own) = own.filter(|_| !known) {
            self.keep_container(own);
        }
    }

    /// A thread runs another program. `parent`: its parent's number, as the event has it.
    pub(crate) fn runs_program(&mut self, ix: ThreadIx, parent: i64) {
        self.identify_by_helper(ix, parent);
        if !self.sightings.awaited {
            return;
        }
        let thread = self.threads.at(ix);
        let (cgroups, pid) = (thread.cgroups.clone(), thread.pid);
        if let Some(identity) = cgroups.identity() {
            if identity.family == Family::Mesos {
                self.learn_of_mesos(ix, identity);
            }
            self.sightings
                .note_program(identity, pid, self.options.max_containers);
        }
    }

    /// A task of Mesos' own containers says who it is in the environment of its programs.
    #[cold]
    fn learn_of_mesos(&mut self, ix: ThreadIx, identity: &Identity) {
        let old = self.containers.get(&*identity.id);
        let Some(old) = old.filter(|old| old.kind == MESOS && old.mesos.is_none()) else {
            return;
        };
        let says = |entry: &&[u8]| {
            let starts = [&b"MESOS_"[..], b"MARATHON_", b"mesos_"];
            entry.len() <= VARIABLE_MAX && starts.iter().any(|start| entry.starts_with(start))
        };
        let env = self.threads.at(ix).env().filter(says).take(VARIABLES_MAX);
        let mut record = Container {
            env: env.map(<[u8]>::to_vec).collect(),
            ..(**old).clone()
        };
        record.find_mesos();
        if record.mesos.is_none() {
            return;
        }
        let record = Arc::new(record);
        self.keep_container(record.clone());
        self.sightings.note_more(Sighting {
            identity: identity.clone(),
            path: Box::default(),
            pid: -1,
            is_known: true,
            runs: false,
            ended: false,
            own: Some(record),
        });
    }

    /// The record of a container of which the path says all that there is.
    fn own_record(&self, identity: &Identity, kind: u32) -> Container {
        let (mut name, mut image) = (identity.id.to_vec(), Vec::new());
        if let (Family::Fixed, Some(fixed)) = (identity.family, &self.options.engines.fixed) {
            (name, image) = (fixed.name.clone(), fixed.image.clone());
        }
        let (repository, tag, digest) = split_image(&image);
        Container {
            id: identity.id.to_vec(),
            full_id: match identity.family {
                // A task's container is asked for by all of its name.
                Family::Mesos => identity.full_id.to_vec(),
                _ => Vec::new(),
            },
            name,
            kind,
            image_repository: repository.to_vec(),
            image_tag: tag.to_vec(),
            image_digest: digest.to_vec(),
            image,
            size: -1,
            ..Container::default()
        }
    }

    fn keep_container(&mut self, container: Arc<Container>) {
        if self.containers.len() >= self.options.max_containers
            && !self.containers.contains_key(&container.id)
        {
            self.counters.containers_dropped += 1;
            return;
        }
        self.threads.new_epoch();
        self.unfinished_containers += usize::from(container.pending != Pending::Nothing);
        let old = self.containers.insert(container.id.clone(), container);
        self.has_gone(old);
    }

    /// A container's record is no longer one that is known.
    fn has_gone(&mut self, record: Option<Arc<Container>>) {
        let unfinished = record.is_some_and(|record| record.pending != Pending::Nothing);
        self.unfinished_containers -= usize::from(unfinished);
    }

    // ---- events ----

    /// A container became known, or more of it.
    pub(crate) fn container_added(&mut self, cx: &mut Context, json: &[u8]) {
        if json.is_empty() {
            return;
        }
        let Some(container) = parse(json) else {
            self.counters.containers_malformed += 1;
            return;
        };
        if container.image.is_empty() && !container.is_pod_sandbox {
            self.counters.containers_without_image += 1;
        }
        let container = Arc::new(container);
        cx.container = Some(container.clone());
        if container.id.is_empty() {
            return;
        }
        self.sightings.settle(&container.id);
        let is_doubted = container.host_pid && self.sightings.awaited;
        let id = container.id.clone();
        self.keep_container(container);
        if is_doubted {
            self.trust_threads(&id);
        }
    }

    /// A message of the engine's own or of a plugin.
    pub(crate) fn asynchronous(&mut self, cx: &mut Context, r: &Record<'_>) {
        match r.text(1) {
            b"container" | b"container_updated" => self.container_added(cx, r.param(2)),
            b"container_removed" => {
                let Some(container) = parse(r.param(2)) else {
                    self.counters.containers_malformed += 1;
                    return;
                };
                self.forget_container(&container.id);
                cx.container = Some(Arc::new(container));
            }
            b"container_unknown" => {
                cx.visible = false;
                if let Some(container) = parse(r.param(2)) {
                    self.container_failed(&container.id);
                }
            }
            b"container_accounts" => {
                cx.visible = false;
                match r.text(2) {
                    [b'?', id @ ..] => self.sightings.too_late(id),
                    [b'+', id @ ..] => self.sightings.expect_accounts(id),
                    id => self.sightings.have_read(id),
                }
            }
            b"program" => {
                cx.visible = false;
                self.program_told(r);
            }
            b"names" => {
                cx.visible = false;
                self.names_told(r.text(2));
            }
            b"program_wait" => {
                cx.visible = false;
                self.await_programs();
            }
            b"container_wait" => {
                cx.visible = false;
                let text = std::str::from_utf8(r.text(2)).unwrap_or_default();
                if let Ok(ms) = text.trim().parse::<u64>() {
                    self.await_containers(ms);
                }
            }
            _ => {}
        }
    }

    fn forget_container(&mut self, id: &[u8]) {
        self.threads.new_epoch();
        let old = self.containers.remove(id);
        self.has_gone(old);
        self.groups.remove(id);
        self.sightings.forget(id);
        self.forget_names(id);
        if self.accounts.has_container(id) {
            Arc::make_mut(&mut self.accounts).remove_container(id);
        }
    }

    /// Nobody knows it.
    pub(crate) fn container_failed(&mut self, id: &[u8]) {
        if id.is_empty() || self.containers.contains_key(id) {
            return;
        }
        self.sightings.fail(id);
    }

    // ---- for those who watch a machine ----

    /// From now on unknown containers are noted and somebody answers; `ms`: how long alerts wait.
    pub fn await_containers(&mut self, ms: u64) {
        if !std::mem::replace(&mut self.sightings.awaited, true) {
            self.doubt_threads();
        }
        self.container_wait_ns = ms.min(WAIT_MAX_MS) * 1_000_000;
    }

    /// How long an alert waits for what is pending, nanoseconds; 0: not at all.
    #[must_use]
    #[inline]
    pub fn container_wait(&self) -> u64 {
        self.container_wait_ns
    }

    /// Whether the users and groups of a container are being read from its own files.
    #[must_use]
    pub fn accounts_pending(&self, id: &[u8]) -> bool {
        self.sightings.is_read(id)
    }

    /// Containers whose users and groups are being read.
    pub fn containers_being_read(&self) -> impl Iterator<Item = &[u8]> {
        self.sightings.being_read()
    }

    /// Whether [`State::take_sightings`] has any.
    #[must_use]
    #[inline]
    pub fn has_sightings(&self) -> bool {
        self.sightings.any()
    }

    /// Containers that nobody has been asked about yet.
    pub fn take_sightings(&mut self) -> Vec<Sighting> {
        self.sightings.take()
    }

    /// Users of containers' own, with their container.
    pub fn container_users(&self) -> impl Iterator<Item = (&[u8], &crate::User)> {
        self.accounts.users_of_containers()
    }

    /// Groups of containers' own, with their container.
    pub fn container_groups(&self) -> impl Iterator<Item = (&[u8], &crate::Group)> {
        self.accounts.groups_of_containers()
    }

    /// Whether something about the thread's container is on its way: what is asked of the thread until
    /// then has another answer later, and whoever asks may want to wait for it.
    #[must_use]
    #[inline]
    pub fn awaits_container_of(&self, thread: &Thread) -> bool {
        let id = thread.container_id();
        let any = self.sightings.may_await() || self.unfinished_containers > 0;
        any && !id.is_empty() && self.is_awaited(id)
    }

    #[inline(never)]
    fn is_awaited(&self, id: &[u8]) -> bool {
        self.container_metadata(id) == Metadata::Pending || self.accounts_pending(id)
    }

    /// What is known of a container; the empty id is the host.
    #[must_use]
    pub fn container_metadata(&self, id: &[u8]) -> Metadata {
        if id.is_empty() {
            Metadata::Complete
        } else if let Some(container) = self.containers.get(id) {
            match container.pending {
                Pending::Nothing => Metadata::Complete,
                _ => Metadata::Pending,
            }
        } else if self.sightings.is_pending(id) {
            Metadata::Pending
        } else {
            Metadata::Unknown
        }
    }
}

/// A path without what a namespace of control groups shows of the way to it.
fn plain(path: &[u8]) -> &[u8] {
    let mut path = path;
    while let Some(rest) = path.strip_prefix(b"/..") {
        path = rest;
    }
    path
}

/// Repository, tag and digest of an image's name, each empty where there is none.
///
/// `HOST:PORT/NAME:TAG@sha256:...`: a colon is a tag's only behind the last slash.
#[must_use]
pub fn split_image(image: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let (name, digest) = match image.iter().position(|&b| b == b'@') {
        Some(at) => (&image[..at], &image[at + 1..]),
        None => (image, &b""[..]),
    };
    let last = name.iter().rposition(|&b| b == b'/').map_or(0, |at| at + 1);
    match name[last..].iter().rposition(|&b| b == b':') {
        Some(at) => (&name[..last + at], &name[last + at + 1..], digest),
        None => (name, b"", digest),
    }
}

#[cfg(test)]
mod tests {
    use event::{EventCode, RecordBuilder, RecordFlags, codes};

    use super::*;
    use crate::Options;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const SHORT: &[u8] = b"0123456789ab";

    fn live() -> State {
        let mut state = State::new(Options::default());
        state.await_containers(500);
        state
    }

    fn message(state: &mut State, name: &str, json: &str) -> Context {
        let bytes = RecordBuilder::new(EventCode::new(codes::ASYNCEVENT_E), 1, 0)
            .u32(0)
            .text(name)
            .text(json)
            .finish();
        let record = Record::parse(&bytes, 0, RecordFlags::default()).unwrap();
        state.process(&record)
    }

    fn group(path: &str) -> Vec<u8> {
        format!("cpuset={}\0", path.replace("ID", ID)).into_bytes()
    }

    #[test]
    fn a_container_is_asked_for_once() {
        let mut state = live();
        let cgroups = state.cgroups_of(&group("/docker/ID"), 7, true);
        assert_eq!(cgroups.container_id(), SHORT);
        assert_eq!(state.container_metadata(SHORT), Metadata::Pending);
        let sightings = state.take_sightings();
        assert_eq!((sightings.len(), sightings[0].pid), (1, 7));
        assert_eq!(*sightings[0].identity.full_id, *ID.as_bytes());
        state.cgroups_of(&group("/docker/ID/below"), 8, true);
        assert!(!state.has_sightings());
        message(
            &mut state,
            "container",
            r#"{"container":{"id":"0123456789ab","name":"x"}}"#,
        );
        assert_eq!(state.container_metadata(SHORT), Metadata::Complete);
        message(
            &mut state,
            "container_updated",
            r#"{"container":{"id":"0123456789ab","name":"y"}}"#,
        );
        assert_eq!(state.container(SHORT).unwrap().name, b"y");
        message(
            &mut state,
            "container_removed",
            r#"{"container":{"id":"0123456789ab"}}"#,
        );
        assert_eq!(state.container_metadata(SHORT), Metadata::Unknown);
        assert!(state.groups.is_empty());
    }

    #[test]
    fn in_a_capture_nobody_waits() {
        let mut state = State::new(Options::default());
        state.cgroups_of(&group("/docker/ID"), 7, true);
        assert!(!state.has_sightings());
        assert_eq!(state.container_metadata(SHORT), Metadata::Unknown);
        let cx = message(&mut state, WAIT_EVENT, "250");
        assert!(!cx.visible);
        assert_eq!(state.container_wait(), 250_000_000);
        state.cgroups_of(&group("/docker/ID"), 7, true);
        assert_eq!(state.container_metadata(SHORT), Metadata::Pending);
        let cx = message(
            &mut state,
            UNKNOWN_EVENT,
            r#"{"container":{"id":"0123456789ab"}}"#,
        );
        assert!(!cx.visible);
        assert_eq!(state.container_metadata(SHORT), Metadata::Unknown);
    }

    #[test]
    fn a_container_that_nobody_knows_keeps_its_id() {
        let mut state = live();
        let process = event::snapshot::Process {
            tid: 5,
            pid: 5,
            vtid: 1,
            vpid: 1,
            cgroups: b"memory=/some/thing\0",
            ..event::snapshot::Process::default()
        };
        state.load_process(&process);
        let ix = state.by_tid(5).unwrap();
        assert_eq!(state.thread(ix).container_id(), b"thing");
        message(&mut state, UNKNOWN_EVENT, r#"{"container":{"id":"thing"}}"#);
        assert_eq!(state.thread(ix).container_id(), b"thing");
        assert_eq!(
            state
                .cgroups_of(b"memory=/some/thing\0", 6, true)
                .container_id(),
            b"thing"
        );
        message(&mut state, "container", r#"{"container":{"id":"thing"}}"#);
        assert_eq!(
            state
                .cgroups_of(b"memory=/some/thing\0", 6, true)
                .container_id(),
            b"thing"
        );
    }

    #[test]
    fn a_group_of_the_same_name_elsewhere_is_no_container() {
        let mut state = live();
        state.cgroups_of(&group("/docker/ID"), 7, true);
        let forged = state.cgroups_of(
            &group("/user.slice/user-1000.slice/docker-ID.scope"),
            8,
            true,
        );
        assert_eq!(forged.container_id(), b"");
        assert_eq!(state.counters().identities_refused, 1);
        // Who was in a container before is not on the host for it.
        let other = state.cgroups_of(
            &format!("cpuset=/docker/{}\0", "fedcba9876543210".repeat(4)).into_bytes(),
            9,
            true,
        );
        let escaped = state.cgroups_like(&other, &group("/user.slice/docker-ID.scope"), 9, true);
        assert_eq!(escaped.container_id(), b"fedcba987654");
        for same in ["/docker/ID", "/docker/ID/x", "/../docker/ID", "/../../ID"] {
            assert_eq!(
                state.cgroups_of(&group(same), 9, true).container_id(),
                SHORT,
                "{same}"
            );
        }
    }

    #[test]
    fn named_containers_have_a_record_at_once() {
        let mut state = live();
        let cgroups = state.cgroups_of(b"name=systemd=/lxc.payload.web\0", 3, true);
        assert_eq!(cgroups.container_id(), b"web");
        assert_eq!(state.container(b"web").unwrap().kind_name(), "lxc");
        assert_eq!(state.container_metadata(b"web"), Metadata::Complete);
        assert_eq!(state.take_sightings().len(), 1);
        state.cgroups_of(b"name=systemd=/lxc.payload.web/x\0", 4, true);
        assert!(!state.has_sightings());
    }

    #[test]
    fn images() {
        type Parts<'a> = (&'a str, &'a str, &'a str);
        let parts = |image: &'static str| -> Parts<'_> {
            let (a, b, c) = split_image(image.as_bytes());
            let text = |t| std::str::from_utf8(t).unwrap();
            (text(a), text(b), text(c))
        };
        assert_eq!(parts("nginx"), ("nginx", "", ""));
        assert_eq!(parts("nginx:1.2"), ("nginx", "1.2", ""));
        assert_eq!(parts("r.io:5000/a/nginx"), ("r.io:5000/a/nginx", "", ""));
        assert_eq!(
            parts("r.io:5000/a/n:1@sha256:ab"),
            ("r.io:5000/a/n", "1", "sha256:ab")
        );
        assert_eq!(parts(""), ("", "", ""));
    }
}
