//! Who works in which pod: requests to exec or attach, joined to the processes that they start.
//!
//! A request names the user, the pod, the container and the command; some moments around it, a process begins in that
//! container that no process of the container has started. Where all of this agrees, the process and everything that it
//! starts belong to the user's session. The two may come in either order and from two threads, so starts without a request are
//! remembered for a while, and so are requests without a start.
//!
//! A request to attach starts nothing: the user types into what runs already. So the container's first process and what it
//! has started belong to the session from the request until the connection's end is told. What others run in the
//! container by exec does not.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use audit::Session;
use bumpalo::Bump;
use event::{EventCode, codes};
use fields::{Catalogue, EventView};
use filter::{FieldRef, FieldSource, Purpose, Schema, Value};

/// How long after its request a process may begin, in nanoseconds of the events' times.
const AFTER: u64 = 10_000_000_000;
/// How long before: clocks of machines differ, and the request is told when it is answered.
const BEFORE: u64 = 3_000_000_000;
/// Requests and starts that are remembered.
const REMEMBERED: usize = 256;
/// Attached users at one time.
const ATTACHED: usize = 64;
/// Processes that belong to sessions.
const PROCESSES: usize = 1 << 16;

/// A process that began in a container from outside.
struct Start {
    tid: i64,
    time: u64,
    pod: Vec<u8>,
    namespace: Vec<u8>,
    container: Vec<u8>,
    command: Vec<u8>,
}

/// A user who is attached to what runs in a container.
struct Attached {
    session: Arc<Session>,
    /// Time of the connection's end.
    end: u64,
}

#[derive(Default)]
struct Known {
    attached: VecDeque<Attached>,
    requests: VecDeque<Arc<Session>>,
    starts: VecDeque<Start>,
    processes: HashMap<i64, Arc<Session>>,
    /// In the order of their coming, to forget the oldest.
    order: VecDeque<i64>,
}

/// Sessions of all users.
pub(crate) struct Sessions {
    known: Mutex<Known>,
    /// Whether a process has ever belonged to one.
    any: AtomicBool,
    pod: Option<FieldRef>,
    namespace: Option<FieldRef>,
    container: Option<FieldRef>,
    command: Option<FieldRef>,
    parent: Option<FieldRef>,
    virtual_parent: Option<FieldRef>,
    process: Option<FieldRef>,
}

impl Sessions {
    /// None yet.
    pub(crate) fn new(catalogue: &Catalogue) -> Self {
        let field = |name: &str| catalogue.resolve(name).ok().map(|def| def.field);
        Self {
            known: Mutex::default(),
            any: AtomicBool::new(false),
            pod: field("k8s.pod.name"),
            namespace: field("k8s.ns.name"),
            container: field("container.label[io.kubernetes.container.name]"),
            command: field("proc.cmdline"),
            parent: field("proc.ppid"),
            virtual_parent: field("proc.pvpid"),
            process: field("proc.pid"),
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request that was let through.
    pub(crate) fn begin(&self, session: Session) {
        let session = Arc::new(session);
        let mut known = self.known();
        if session.attach {
            known.attach(session);
            self.any.store(true, Ordering::Release);
            return;
        }
        let at = known.starts.iter().position(|start| fits(start, &session));
        if let Some(start) = at.and_then(|at| known.starts.remove(at)) {
            known.belongs(start.tid, &session);
            self.any.store(true, Ordering::Release);
            return;
        }
        if known.requests.len() >= REMEMBERED {
            known.requests.pop_front();
        }
        known.requests.push_back(session);
    }

    /// Notes that the connection of a request is closed.
    pub(crate) fn end(&self, request: &[u8], time: u64) {
        let mut known = self.known();
        let open = known.attached.iter_mut();
        for attached in open.filter(|attached| attached.session.id == request) {
            attached.end = attached.end.min(time);
        }
    }

    /// Whether events of this type may belong to one, or make one: most of the time there is none.
    #[inline]
    pub(crate) fn may_concern(&self, code: EventCode) -> bool {
        starts(code) || self.any.load(Ordering::Acquire)
    }

    /// The session that an event belongs to.
    pub(crate) fn of(&self, view: &EventView<'_>) -> Option<Arc<Session>> {
        let code = view.record.code.number();
        let starts = starts(view.record.code);
        if starts && !self.any.load(Ordering::Acquire) {
            // Outside of pods nothing is remembered.
            let scratch = Bump::new();
            text(view, self.pod.as_ref(), &scratch)?;
        }
        let mut known = self.known();
        if code == codes::PROCEXIT_1_E {
            let scratch = Bump::new();
            let process = number(view, self.process.as_ref(), &scratch)?;
            // Threads of a process share its number; the last of them ends it.
            return if view.record.tid == process {
                known.processes.remove(&process)
            } else {
                known.processes.get(&process).cloned()
            };
        }
        if known.processes.is_empty() && known.attached.is_empty() && !starts {
            return None;
        }
        let scratch = Bump::new();
        let process = number(view, self.process.as_ref(), &scratch)?;
        if let Some(session) = known.processes.get(&process) {
            return Some(Arc::clone(session));
        }
        let parent = number(view, self.parent.as_ref(), &scratch);
        if let Some(session) = parent.and_then(|parent| known.processes.get(&parent).cloned()) {
            known.belongs(process, &session);
            return Some(session);
        }
        if !known.attached.is_empty()
            && let Some(session) = self.attached(view, &known, &scratch)
        {
            return Some(session);
        }
        if !starts || view.record.result().is_some_and(|result| result < 0) {
            return None;
        }
        let start = self.start(view, process, &scratch)?;
        let at = known
            .requests
            .iter()
            .position(|session| fits(&start, session));
        if let Some(session) = at.and_then(|at| known.requests.remove(at)) {
            known.belongs(process, &session);
            self.any.store(true, Ordering::Release);
            return Some(session);
        }
        if known.starts.len() >= REMEMBERED {
            known.starts.pop_front();
        }
        known.starts.push_back(start);
        None
    }

    /// The session of who is attached to the process of an event, the latest of several.
    fn attached(
        &self,
        view: &EventView<'_>,
        known: &Known,
        scratch: &Bump,
    ) -> Option<Arc<Session>> {
        let own = |field: &Option<FieldRef>| text(view, field.as_ref(), scratch);
        let pod = own(&self.pod)?;
        let (namespace, container) = (own(&self.namespace), own(&self.container));
        let same = |own: &Option<Vec<u8>>, asked: &[u8]| {
            asked.is_empty() || own.as_ref().is_none_or(|own| own == asked)
        };
        let time = view.record.ts;
        let found = known.attached.iter().rev().find(|attached| {
            let session = &attached.session;
            (session.time..=attached.end).contains(&time)
                && session.pod == pod
                && same(&namespace, &session.namespace)
                && same(&container, &session.container)
        })?;
        descends_from_first(view).then(|| Arc::clone(&found.session))
    }

    /// A process that begins in a pod and whose parent is outside of it.
    fn start(&self, view: &EventView<'_>, process: i64, scratch: &Bump) -> Option<Start> {
        let own = |field: &Option<FieldRef>| text(view, field.as_ref(), scratch);
        let pod = own(&self.pod)?;
        // A parent inside has another number there than outside.
        let inside = number(view, self.virtual_parent.as_ref(), scratch);
        let outside = number(view, self.parent.as_ref(), scratch);
        if inside.is_some_and(|parent| parent > 0) && inside != outside {
            return None;
        }
        Some(Start {
            tid: process,
            time: view.record.ts,
            pod,
            namespace: own(&self.namespace).unwrap_or_default(),
            container: own(&self.container).unwrap_or_default(),
            command: own(&self.command).unwrap_or_default(),
        })
    }
}

/// Whether the process of an event is the first of its container, or was started by it.
fn descends_from_first(view: &EventView<'_>) -> bool {
    let state = view.state;
    let Some(ix) = view.context.thread else {
        return false;
    };
    let main = state.main_thread(ix).unwrap_or(ix);
    let container = state.thread(main).container_id();
    std::iter::once(main)
        .chain(state.ancestors(main))
        .map(|ix| state.thread(ix))
        .take_while(|thread| thread.container_id() == container)
        .any(|thread| thread.vpid == 1)
}

/// Whether a program begins with events of this type.
fn starts(code: EventCode) -> bool {
    matches!(
        code.number(),
        codes::SYSCALL_EXECVE_19_X | codes::SYSCALL_EXECVEAT_X
    )
}

impl Known {
    fn attach(&mut self, session: Arc<Session>) {
        if self.attached.len() >= ATTACHED {
            // Those whose end is told go first.
            let over = self.attached.iter().position(|a| a.end != u64::MAX);
            self.attached.remove(over.unwrap_or(0));
        }
        self.attached.push_back(Attached {
            session,
            end: u64::MAX,
        });
    }

    fn belongs(&mut self, process: i64, session: &Arc<Session>) {
        if self.order.len() >= PROCESSES
            && let Some(oldest) = self.order.pop_front()
        {
            self.processes.remove(&oldest);
        }
        self.processes.insert(process, Arc::clone(session));
        self.order.push_back(process);
    }
}

fn text(view: &EventView<'_>, field: Option<&FieldRef>, scratch: &Bump) -> Option<Vec<u8>> {
    match view.extract(field?, Purpose::Compare, scratch)? {
        Value::Bytes(text) if !text.is_empty() => Some(text.to_vec()),
        _ => None,
    }
}

fn number(view: &EventView<'_>, field: Option<&FieldRef>, scratch: &Bump) -> Option<i64> {
    match view.extract(field?, Purpose::Compare, scratch)? {
        Value::Signed(number) => Some(number),
        Value::Unsigned(number) => i64::try_from(number).ok(),
        _ => None,
    }
}

/// Whether a start is what a request asked for.
fn fits(start: &Start, session: &Session) -> bool {
    let same = |own: &[u8], asked: &[u8]| own.is_empty() || asked.is_empty() || own == asked;
    let in_time = start.time.saturating_add(BEFORE) >= session.time
        && start.time <= session.time.saturating_add(AFTER);
    // What runs is told with its first word as it was found on the way.
    let asked = session.command.join(&b' ');
    let name = |line: &[u8]| {
        let first = line.split(|b| *b == b' ').next().unwrap_or_default();
        let base = first.rsplit(|b| *b == b'/').next().unwrap_or_default();
        [base, line.get(first.len()..).unwrap_or_default()].concat()
    };
    let command = session.attach || asked.is_empty() || name(&start.command) == name(&asked);
    !session.attach
        && in_time
        && command
        && start.pod == session.pod
        && same(&start.namespace, &session.namespace)
        && same(&start.container, &session.container)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(command: &[&str], time: u64) -> Session {
        Session {
            id: Vec::new(),
            user: b"eve".to_vec(),
            groups: Vec::new(),
            namespace: b"shop".to_vec(),
            pod: b"web".to_vec(),
            container: b"c".to_vec(),
            command: command
                .iter()
                .map(|word| word.as_bytes().to_vec())
                .collect(),
            attach: false,
            time,
        }
    }

    fn start(command: &str, time: u64) -> Start {
        Start {
            tid: 7,
            time,
            pod: b"web".to_vec(),
            namespace: b"shop".to_vec(),
            container: b"c".to_vec(),
            command: command.as_bytes().to_vec(),
        }
    }

    #[test]
    fn what_fits() {
        const T: u64 = 100_000_000_000;
        let asked = session(&["sh", "-c", "id"], T);
        assert!(fits(&start("sh -c id", T), &asked));
        assert!(fits(&start("/bin/sh -c id", T + AFTER), &asked));
        assert!(fits(&start("sh -c id", T - BEFORE), &asked));
        assert!(!fits(&start("sh -c id", T + AFTER + 1), &asked));
        assert!(!fits(&start("sh -c id", T - BEFORE - 1), &asked));
        assert!(!fits(&start("sh -c ls", T), &asked));
        assert!(!fits(
            &Start {
                pod: b"other".to_vec(),
                ..start("sh -c id", T)
            },
            &asked
        ));
        assert!(!fits(
            &Start {
                container: b"d".to_vec(),
                ..start("sh -c id", T)
            },
            &asked
        ));
        assert!(fits(
            &Start {
                container: Vec::new(),
                ..start("sh -c id", T)
            },
            &asked
        ));
        assert!(!fits(
            &start("sh -c id", T),
            &Session {
                attach: true,
                ..asked.clone()
            }
        ));
    }
}
