//! Runs the rows under a probe, and holds what came against what they said would come.
//!
//! Every call of a row stands between two marks (closing a descriptor that cannot exist), so what
//! the language's run-time does in between is not looked at. Children are followed from their first
//! event on; what a row says of a child is all that the child did.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use event::codes;
use probe::{Backend, BufferSize, Options, Probe, SelfFilter, Syscalls, Tracepoints};

use crate::raw::{self, syscall};
use crate::value::{Value, shown};

/// Name and piece of program.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) act: fn(&mut Actor),
}

/// An event that must come.
pub(crate) struct Want {
    code: u16,
    params: Vec<Value>,
}

struct Step {
    what: String,
    mark: i64,
    result: i64,
    wants: Vec<Want>,
}

/// The thread that plays a row.
pub(crate) struct Actor {
    row: &'static str,
    /// A folder of this row's own.
    pub(crate) dir: PathBuf,
    /// Its thread.
    pub(crate) tid: i64,
    steps: Vec<Step>,
    children: Vec<(i64, Part, Vec<Want>)>,
}

/// Which of a descendant's events are looked at.
#[derive(Clone, Copy)]
enum Part {
    All,
    Last,
    OfType,
}

/// Descriptors from here on are marks.
const MARKS: i64 = 1_000_000_000;

macro_rules! row {
    ($($name:ident),* $(,)?) => { &[$($crate::stage::Row { name: stringify!($name), act: $name }),*] };
}

/// Makes a call: `call!(actor, SYS_dup, fd)`.
macro_rules! call {
    ($actor:expr, $number:ident $(, $arg:expr)* $(,)?) => {
        $actor.call(stringify!($number), libc::$number, &[$($crate::raw::Word::word($arg)),*])
    };
}

/// The last call caused this event: `sees!(actor, SYSCALL_DUP_1_X, res, fd)`.
macro_rules! sees {
    ($actor:expr, $code:ident $(, $value:expr)* $(,)?) => {
        $actor.sees(event::codes::$code, vec![$($crate::value::Value::from($value)),*])
    };
}

/// An event of a child: `want!(SYSCALL_DUP_1_X, res, fd)`.
macro_rules! want {
    ($code:ident $(, $value:expr)* $(,)?) => {
        $crate::stage::wanted(event::codes::$code, vec![$($crate::value::Value::from($value)),*])
    };
}

pub(crate) fn wanted(code: u16, params: Vec<Value>) -> Want {
    Want { code, params }
}

impl Actor {
    pub(crate) fn call(&mut self, what: &str, number: i64, args: &[u64]) -> i64 {
        self.step(what, || syscall(number, args))
    }

    /// Several calls as one step, or one that is no plain call.
    pub(crate) fn step(&mut self, what: &str, act: impl FnOnce() -> i64) -> i64 {
        let mark = self.steps.len() as i64 * 2;
        syscall(libc::SYS_close, &[(MARKS + mark) as u64]);
        let result = act();
        syscall(libc::SYS_close, &[(MARKS + mark + 1) as u64]);
        self.steps.push(Step {
            what: what.trim_start_matches("SYS_").to_owned(),
            mark,
            result,
            wants: Vec::new(),
        });
        result
    }

    pub(crate) fn sees(&mut self, code: u16, params: Vec<Value>) {
        self.want(Want { code, params });
    }

    /// The last call caused this event.
    pub(crate) fn want(&mut self, want: Want) {
        let step = self.steps.last_mut().expect("a call comes first");
        step.wants.push(want);
    }

    /// All that the child (or thread) `tid` did from its birth to its end.
    pub(crate) fn child_sees(&mut self, tid: i64, wants: Vec<Want>) {
        self.children.push((tid, Part::All, wants));
    }

    /// The last event of a descendant.
    pub(crate) fn child_ends(&mut self, tid: i64, want: Want) {
        self.children.push((tid, Part::Last, vec![want]));
    }

    /// The only event of its type of a descendant.
    pub(crate) fn child_has(&mut self, tid: i64, want: Want) {
        self.children.push((tid, Part::OfType, vec![want]));
    }

    /// A path in the row's folder.
    pub(crate) fn path(&self, name: &str) -> CString {
        CString::new(self.dir.join(name).into_os_string().into_encoded_bytes()).unwrap()
    }

    /// A file of the row's folder with this content.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> CString {
        std::fs::write(self.dir.join(name), content).unwrap();
        self.path(name)
    }
}

/// An event, out of the buffer.
struct Kept {
    ts: u64,
    code: u16,
    params: Vec<Vec<u8>>,
}

impl Kept {
    fn number(&self, index: usize) -> Option<i64> {
        let bytes = self.params.get(index)?;
        Some(i64::from_le_bytes(bytes.as_slice().try_into().ok()?))
    }
}

/// What came of all rows.
pub(crate) struct Outcome {
    pub(crate) rows: usize,
    pub(crate) compared: usize,
    /// Results seen by event type: (some did not fail, some failed).
    pub(crate) seen: BTreeMap<u16, (bool, bool)>,
    pub(crate) faults: Vec<String>,
}

/// A folder on a file system of its own in memory: known device, inodes and times; gone at the end.
pub(crate) struct Theatre(tempfile::TempDir);

impl Theatre {
    fn open() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("peregrine-events-")
            .tempdir()
            .unwrap();
        let path = CString::new(dir.path().as_os_str().as_encoded_bytes()).unwrap();
        let none = c"none".as_ptr() as u64;
        let tmpfs = c"tmpfs".as_ptr() as u64;
        let options = c"mode=755".as_ptr() as u64;
        let done = syscall(
            libc::SYS_mount,
            &[none, path.as_ptr() as u64, tmpfs, 0, options],
        );
        assert_eq!(done, 0, "mounting a tmpfs");
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Theatre {
    fn drop(&mut self) {
        let path = CString::new(self.path().as_os_str().as_encoded_bytes()).unwrap();
        syscall(
            libc::SYS_umount2,
            &[path.as_ptr() as u64, libc::MNT_DETACH as u64],
        );
    }
}

/// The way of attaching: the one that sees every call unless PEREGRINE_BACKEND names another.
pub(crate) fn backend() -> Backend {
    std::env::var("PEREGRINE_BACKEND").map_or(Backend::Dispatch, |way| way.parse().unwrap())
}

fn options() -> Options {
    Options {
        syscalls: Syscalls::all(),
        tracepoints: Tracepoints {
            signal: true,
            switch: true,
            page_fault: true,
        },
        enter_openat: true,
        buffer: BufferSize::preset(7).unwrap(),
        cpus_per_buffer: 1,
        own_events: SelfFilter::Off,
        backend: backend(),
        ..Options::default()
    }
}

/// Plays all rows (or those that PEREGRINE_ROWS names) and compares.
pub(crate) fn perform(rows: &[Row]) -> Outcome {
    let picked = std::env::var("PEREGRINE_ROWS").ok();
    let rows: Vec<Row> = rows
        .iter()
        .filter(|row| {
            picked
                .as_ref()
                .is_none_or(|p| p.split(',').any(|n| n == row.name))
        })
        .copied()
        .collect();
    let theatre = Theatre::open();
    let mut probe = Probe::open(&options()).unwrap_or_else(|error| panic!("{error}"));
    let ended = AtomicBool::new(false);
    let mut outcome = Outcome {
        rows: rows.len(),
        compared: 0,
        seen: BTreeMap::new(),
        faults: Vec::new(),
    };
    let (actors, events) = std::thread::scope(|scope| {
        let players = scope.spawn(|| {
            let mut actors = Vec::new();
            for row in &rows {
                actors.push(play(*row, theatre.path()));
            }
            ended.store(true, Ordering::SeqCst);
            actors
        });
        let events = collect(&mut probe, &ended);
        (players.join().unwrap(), events)
    });
    let lost = probe.counters().lost();
    if lost.total() != 0 {
        outcome.faults.push(format!("events were lost: {lost:?}"));
    }
    drop(probe);
    for actor in actors {
        match actor {
            Ok(actor) => compare(&actor, &events, &mut outcome),
            Err(fault) => outcome.faults.push(fault),
        }
    }
    outcome
}

fn play(row: Row, theatre: &Path) -> Result<Actor, String> {
    let dir = theatre.join(row.name);
    std::fs::create_dir(&dir).map_err(|e| format!("{}: {e}", row.name))?;
    let thread = std::thread::Builder::new().name(row.name.chars().take(15).collect());
    let played = thread.spawn(move || {
        let mut actor = Actor {
            row: row.name,
            dir,
            tid: syscall(libc::SYS_gettid, &[]),
            steps: Vec::new(),
            children: Vec::new(),
        };
        (row.act)(&mut actor);
        actor
    });
    played.unwrap().join().map_err(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        format!("{}: {}", row.name, text.unwrap_or_default())
    })
}

/// The events of this process' threads and of their descendants, by thread, until all rows ended.
fn collect(probe: &mut Probe, ended: &AtomicBool) -> HashMap<i64, Vec<Kept>> {
    let mut family = HashSet::from([i64::from(std::process::id())]);
    let mut events: HashMap<i64, Vec<Kept>> = HashMap::new();
    let mut until = u64::MAX;
    loop {
        while let Some(event) = probe.next() {
            let r = &event.record;
            if r.ts > until {
                return sorted(events);
            }
            if is_birth(r) && !family.contains(&r.tid) {
                // Parameters 4 and 5: the process it is in, and the thread that is its parent.
                let kin = [r.i64(4), r.i64(5)];
                if kin.iter().flatten().any(|id| family.contains(id)) {
                    family.insert(r.tid);
                }
            }
            if family.contains(&r.tid) {
                events.entry(r.tid).or_default().push(Kept {
                    ts: r.ts,
                    code: r.code.number(),
                    params: (0..r.len()).map(|i| r.param(i).to_vec()).collect(),
                });
            }
        }
        let any = probe.wait(Duration::from_millis(50)).unwrap();
        if until == u64::MAX && ended.load(Ordering::SeqCst) {
            until = probe.now();
        } else if !any && until != u64::MAX {
            return sorted(events);
        }
    }
}

fn sorted(mut events: HashMap<i64, Vec<Kept>>) -> HashMap<i64, Vec<Kept>> {
    for list in events.values_mut() {
        list.sort_by_key(|event| event.ts);
    }
    events
}

fn is_birth(record: &event::Record<'_>) -> bool {
    matches!(record.info.name, "clone" | "clone3" | "fork" | "vfork") && record.result() == Some(0)
}

/// Events that come when they like: looked at only where a step asks for them.
fn is_incidental(code: u16) -> bool {
    matches!(code, codes::SCHEDSWITCH_6_E | codes::PAGE_FAULT_E)
}

fn compare(actor: &Actor, events: &HashMap<i64, Vec<Kept>>, outcome: &mut Outcome) {
    let nothing = Vec::new();
    let own = events.get(&actor.tid).unwrap_or(&nothing);
    let position = |mark: i64| {
        own.iter()
            .position(|e| e.code == codes::SYSCALL_CLOSE_X && e.number(1) == Some(MARKS + mark))
    };
    for step in actor.steps.iter().filter(|step| !step.wants.is_empty()) {
        let place = format!("{}: {} (result {})", actor.row, step.what, step.result);
        let (Some(from), Some(to)) = (position(step.mark), position(step.mark + 1)) else {
            outcome
                .faults
                .push(format!("{place}: its marks are missing"));
            continue;
        };
        let found: Vec<&Kept> = own[from + 1..to].iter().collect();
        // A call that this kernel does not have has no tracepoint and no function.
        if found.is_empty()
            && step.result == -i64::from(libc::ENOSYS)
            && backend() != Backend::Dispatch
        {
            continue;
        }
        compare_list(&place, &step.wants, &found, outcome);
    }
    for (tid, part, wants) in &actor.children {
        let place = format!("{}: child {tid}", actor.row);
        let found = events.get(tid).unwrap_or(&nothing);
        let found: Vec<&Kept> = match part {
            Part::All => found.iter().collect(),
            Part::Last => {
                let last = found.iter().rfind(|e| !is_incidental(e.code));
                last.into_iter().collect()
            }
            Part::OfType => found.iter().filter(|e| e.code == wants[0].code).collect(),
        };
        compare_list(&place, wants, &found, outcome);
    }
}

fn compare_list(place: &str, wants: &[Want], found: &[&Kept], outcome: &mut Outcome) {
    let name = |code: u16| {
        event::EVENTS[usize::from(code)]
            .id
            .trim_start_matches("PPME_")
    };
    for want in wants.iter().filter(|want| is_incidental(want.code)) {
        let fits = |e: &Kept| {
            e.code == want.code
                && e.params.len() == want.params.len()
                && e.params.iter().zip(&want.params).all(|(b, v)| v.holds(b))
        };
        if found.iter().any(|e| fits(e)) {
            outcome.compared += 1;
            outcome.seen.insert(want.code, (true, true));
        } else {
            let code = name(want.code);
            outcome
                .faults
                .push(format!("{place}: no {code} with the wanted values"));
        }
    }
    let wants: Vec<&Want> = wants.iter().filter(|w| !is_incidental(w.code)).collect();
    let found: Vec<&Kept> = found
        .iter()
        .filter(|e| !is_incidental(e.code))
        .copied()
        .collect();
    let list = |codes: &mut dyn Iterator<Item = u16>| codes.map(name).collect::<Vec<_>>().join(" ");
    if wants.len() != found.len() || wants.iter().zip(&found).any(|(w, f)| w.code != f.code) {
        outcome.faults.push(format!(
            "{place}: wanted {}; came {}",
            list(&mut wants.iter().map(|w| w.code)),
            list(&mut found.iter().map(|f| f.code))
        ));
        return;
    }
    for (want, found) in wants.iter().zip(&found) {
        let info = &event::EVENTS[usize::from(want.code)];
        if want.params.len() != found.params.len() || found.params.len() != info.params.len() {
            outcome.faults.push(format!(
                "{place}: {}: wanted {} parameters, came {}, the table has {}",
                name(want.code),
                want.params.len(),
                found.params.len(),
                info.params.len()
            ));
            continue;
        }
        for (i, (value, bytes)) in want.params.iter().zip(&found.params).enumerate() {
            if !value.holds(bytes) {
                outcome.faults.push(format!(
                    "{place}: {}.{}: wanted {value}, came {}",
                    name(want.code),
                    info.params[i].name,
                    shown(bytes)
                ));
            }
        }
        outcome.compared += 1;
        note_result(want.code, found, outcome);
    }
}

fn note_result(code: u16, found: &Kept, outcome: &mut Outcome) {
    let result = found.number(0).unwrap_or(0);
    let entered = event::EVENTS[usize::from(code)].is_enter();
    let failed = !entered && (-4095..0).contains(&result);
    let entry = outcome.seen.entry(code).or_default();
    entry.0 |= !failed;
    entry.1 |= failed;
}

/// A child's end.
pub(crate) fn ends(status: i32) -> Want {
    ends_with_children(status, 0)
}

/// A child's end, when it leaves children to `reaper`.
pub(crate) fn ends_with_children(status: i32, reaper: i64) -> Want {
    wanted(
        codes::PROCEXIT_1_E,
        vec![
            i64::from(status).into(),
            i64::from(status >> 8 & 0xff).into(),
            ((status & 0x7f) as u8).into(),
            u8::from(status & 0x80 != 0).into(),
            reaper.into(),
        ],
    )
}

/// Waits for a child of the actor.
pub(crate) fn wait(pid: i64) -> i32 {
    assert!(pid > 0, "no child: {pid}");
    raw::wait(pid)
}
