//! What the files are that programs were loaded from: digest, package, whether it is as packaged.
//!
//! The state reads no file. It notes what is asked for, once for each file, for whoever watches the
//! machine to take ([`State::take_program_questions`]); the answer comes as an event:
//!
//! | name | says |
//! |---|---|
//! | `program` | what a file is, or that it cannot be known |
//! | `program_wait` | the recorder had such questions answered |
//!
//! So a recording carries the answers, and a replay waits for them as the recorder did. Nothing is asked
//! before a rule or an output wants to know: a machine whose rules do not pays nothing.
//!
//! A file is known by its container, path, inode and times. Its answer is shared by all images that were
//! loaded from it. *Invariant:* an image's answer never changes once it is there; when it comes the
//! state's epoch moves, and until then nothing is kept of what hangs on it.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use event::Record;
use hashbrown::HashMap;
use serde_json::{Map, Value, json};

use crate::state::State;
use crate::thread::Thread;

/// Name of the event that says what a program's file is.
pub const PROGRAM_EVENT: &str = "program";
/// Name of the event that says that such questions are answered.
pub const PROGRAM_WAIT_EVENT: &str = "program_wait";

/// Most files in each half of the table.
const FILES_MAX: usize = 16_384;
/// Most questions that wait to be taken.
const QUESTIONS_MAX: usize = 4096;
/// Most other processes that a question names, of ancestors and of all others.
const OTHERS_MAX: usize = 4;
/// Longest text of an answer.
const TEXT_MAX: usize = 512;

/// A program's file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProgramFile {
    /// Short id of the container; empty for the host.
    pub container: Box<[u8]>,
    /// As the kernel has it.
    pub path: Box<[u8]>,
    /// Inode.
    pub ino: u64,
    /// Change time of the inode, nanoseconds since the epoch.
    pub ctime: u64,
    /// Modification time, nanoseconds since the epoch.
    pub mtime: u64,
}

/// Somebody wants to know what a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramQuestion {
    /// The file.
    pub file: ProgramFile,
    /// A process that runs it.
    pub pid: i64,
    /// Processes of the same container, in whose root the path may be looked for when that has ended.
    pub others: Vec<i64>,
    /// It has no file but memory.
    pub from_memory: bool,
}

/// What a file is. Empty texts are unknown or there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Whether all of this could be found out.
    pub is_complete: bool,
    /// SHA-256 in hexadecimal.
    pub hash: Box<str>,
    /// Name of the package that it belongs to.
    pub package: Box<str>,
    /// Version of the package.
    pub version: Box<str>,
    /// Which database says so: `dpkg`, `rpm`, `apk`, or `none` where there is none.
    pub database: Box<str>,
    /// Whether it still is as it was packaged; `None` where it is of no package, or that cannot be told.
    pub intact: Option<bool>,
}

/// The place of an answer.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    answer: OnceCell<Identity>,
}

/// What is known of a program's file.
#[derive(Clone, Copy, Debug)]
pub enum Program<'a> {
    /// This.
    Known(&'a Identity),
    /// Somebody is finding out.
    Pending,
}

impl Program<'_> {
    /// `proc.exe_identity`.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Known(identity) if identity.is_complete => "complete",
            Self::Known(_) => "unknown",
            Self::Pending => "pending",
        }
    }
}

/// Answers and questions; an excerpt of a state shares them with it.
#[derive(Debug, Default)]
pub(crate) struct Programs {
    /// Whether somebody answers.
    awaited: Cell<bool>,
    asked: Cell<bool>,
    /// Questions that have no answer yet.
    open: Cell<usize>,
    questions: RefCell<Vec<ProgramQuestion>>,
    /// In two halves: what is asked for goes into the first; when that is full the second is dropped.
    files: RefCell<[HashMap<ProgramFile, Rc<Slot>>; 2]>,
}

impl Programs {
    fn slot(&self, file: &ProgramFile) -> Option<Rc<Slot>> {
        let mut files = self.files.borrow_mut();
        if let Some(slot) = files[0].get(file) {
            return Some(Rc::clone(slot));
        }
        let slot = files[1].remove(file)?;
        self.keep(&mut files, file.clone(), &slot);
        Some(slot)
    }

    fn keep(
        &self,
        files: &mut [HashMap<ProgramFile, Rc<Slot>>; 2],
        file: ProgramFile,
        slot: &Rc<Slot>,
    ) {
        if files[0].len() >= FILES_MAX {
            let [first, second] = files;
            let gone = std::mem::replace(second, std::mem::take(first));
            // What nobody finds any more can get no answer.
            for lost in gone.into_values() {
                self.answer(&lost, Identity::default());
            }
        }
        files[0].insert(file, Rc::clone(slot));
    }

    fn answer(&self, slot: &Slot, identity: Identity) {
        if slot.answer.set(identity).is_ok() {
            self.open.set(self.open.get().saturating_sub(1));
        }
    }

    fn new_slot(&self, file: ProgramFile) -> Rc<Slot> {
        let slot = Rc::new(Slot::default());
        self.open.set(self.open.get() + 1);
        self.keep(&mut self.files.borrow_mut(), file, &slot);
        slot
    }
}

fn unknown() -> Rc<Slot> {
    Rc::new(Slot {
        answer: OnceCell::from(Identity::default()),
    })
}

impl State {
    /// What the file is that a thread's program was loaded from. Whoever asks first has it found out.
    pub fn program<'a>(&self, thread: &'a Thread) -> Program<'a> {
        let slot = thread.image.identity.get_or_init(|| self.ask(thread));
        match slot.answer.get() {
            Some(identity) => Program::Known(identity),
            None => Program::Pending,
        }
    }

    #[cold]
    fn ask(&self, thread: &Thread) -> Rc<Slot> {
        let (image, file) = (&thread.image, &thread.image.file);
        let file = ProgramFile {
            container: thread.container_id().into(),
            path: image.exepath().into(),
            ino: file.ino,
            ctime: file.ctime,
            mtime: file.mtime,
        };
        if let Some(slot) = self.programs.slot(&file) {
            return slot;
        }
        let is_nothing = file.path.is_empty() || file.ino == 0 || thread.pid <= 0;
        let is_full = self.programs.questions.borrow().len() >= QUESTIONS_MAX;
        if !self.programs.awaited.get() || is_nothing || is_full {
            return unknown();
        }
        let others = self.companions(thread);
        self.programs.asked.set(true);
        self.programs.questions.borrow_mut().push(ProgramQuestion {
            file: file.clone(),
            pid: thread.pid,
            others,
            from_memory: image.file.from_memfd,
        });
        self.programs.new_slot(file)
    }

    /// Processes in whose root a thread's program may be found when its own has ended: its ancestors, then
    /// others of its container, which most of the time has one that lives long.
    fn companions(&self, thread: &Thread) -> Vec<i64> {
        let id = thread.container_id();
        let is_fit = |other: &Thread| {
            other.container_id() == id
                && other.pid > 0
                && other.pid != thread.pid
                && other.is_main()
                && !other.is_dead()
        };
        let own = self.by_tid(thread.tid).into_iter();
        let ancestors = own.flat_map(|ix| self.ancestors(ix));
        let ancestors = ancestors
            .map(|ix| self.thread(ix))
            .filter(|one| is_fit(one));
        let mut all: Vec<i64> = ancestors.map(|other| other.pid).take(OTHERS_MAX).collect();
        if !id.is_empty() {
            let rest = self.threads().map(|(_, other)| other);
            for other in rest.filter(|other| is_fit(other)) {
                if all.len() >= 2 * OTHERS_MAX {
                    break;
                }
                if !all.contains(&other.pid) {
                    all.push(other.pid);
                }
            }
        }
        all
    }

    /// Whether what the thread's program is was asked for and has not been answered.
    #[must_use]
    #[inline]
    pub fn awaits_program_of(&self, thread: &Thread) -> bool {
        self.programs.open.get() != 0 && thread.image.awaits_identity()
    }

    // ---- for those who watch a machine ----

    /// From now on somebody answers.
    pub fn await_programs(&self) {
        self.programs.awaited.set(true);
    }

    /// Whether somebody answers.
    #[must_use]
    pub fn awaits_programs(&self) -> bool {
        self.programs.awaited.get()
    }

    /// Whether [`State::take_program_questions`] has any.
    #[must_use]
    #[inline]
    pub fn has_program_questions(&self) -> bool {
        self.programs.asked.get()
    }

    /// Questions that nobody has been told of yet.
    #[must_use]
    pub fn take_program_questions(&self) -> Vec<ProgramQuestion> {
        self.programs.asked.set(false);
        self.programs.questions.take()
    }

    /// All that was found out and is still remembered: for the start of a capture.
    #[must_use]
    pub fn known_programs(&self) -> Vec<(ProgramFile, Identity)> {
        let files = self.programs.files.borrow();
        let all = files.iter().rev().flatten();
        let mut all: Vec<_> = all
            .filter_map(|(file, slot)| Some((file.clone(), slot.answer.get()?.clone())))
            .collect();
        all.sort_by(|(a, _), (b, _)| {
            (&a.container, &a.path, a.ino).cmp(&(&b.container, &b.path, b.ino))
        });
        all
    }

    /// An answer came.
    pub(crate) fn program_told(&mut self, record: &Record<'_>) {
        let Some((file, identity, is_lasting)) = parse(record.text(2)) else {
            self.counters.programs_malformed += 1;
            return;
        };
        self.counters.programs_told += 1;
        let slot = match self.programs.slot(&file) {
            Some(slot) => slot,
            None => self.programs.new_slot(file.clone()),
        };
        self.programs.answer(&slot, identity);
        if !is_lasting {
            // The next process that runs it may live long enough.
            let mut files = self.programs.files.borrow_mut();
            files.iter_mut().for_each(|half| {
                half.remove(&file);
            });
        }
        self.threads.new_epoch();
    }
}

impl crate::image::Image {
    /// Whether somebody is finding out what its file is.
    pub(crate) fn awaits_identity(&self) -> bool {
        self.identity
            .get()
            .is_some_and(|slot| slot.answer.get().is_none())
    }
}

// ---- the answer as text ----

/// Bytes as characters of the same number, so that any path survives JSON.
fn widened(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

fn narrowed(text: &str) -> Option<Box<[u8]>> {
    text.chars().map(|c| u8::try_from(c).ok()).collect()
}

/// An answer as the event carries it; `is_lasting`: it would be the same for the next process.
#[must_use]
pub fn program_json(file: &ProgramFile, identity: &Identity, is_lasting: bool) -> String {
    let mut program = json!({
        "container": widened(&file.container),
        "path": widened(&file.path),
        "ino": file.ino,
        "ctime": file.ctime,
        "mtime": file.mtime,
        "complete": identity.is_complete,
        "lasting": is_lasting,
    });
    for (key, text) in [
        ("hash", &identity.hash),
        ("package", &identity.package),
        ("version", &identity.version),
        ("database", &identity.database),
    ] {
        if !text.is_empty() {
            program[key] = Value::from(&**text);
        }
    }
    if let Some(intact) = identity.intact {
        program["intact"] = Value::from(intact);
    }
    json!({ "program": program }).to_string()
}

fn parse(text: &[u8]) -> Option<(ProgramFile, Identity, bool)> {
    let parsed: Value = serde_json::from_slice(text).ok()?;
    let program = parsed.get("program")?.as_object()?;
    let bytes = |key: &str| narrowed(program.get(key)?.as_str()?);
    let number = |key: &str| program.get(key)?.as_u64();
    let truth = |key: &str| program.get(key).and_then(Value::as_bool);
    let file = ProgramFile {
        container: bytes("container")?,
        path: bytes("path")?,
        ino: number("ino")?,
        ctime: number("ctime")?,
        mtime: number("mtime")?,
    };
    let identity = Identity {
        is_complete: truth("complete").unwrap_or(false),
        hash: short(program, "hash"),
        package: short(program, "package"),
        version: short(program, "version"),
        database: short(program, "database"),
        intact: truth("intact"),
    };
    Some((file, identity, truth("lasting").unwrap_or(true)))
}

/// A text of an answer; one that is too long is none.
fn short(program: &Map<String, Value>, key: &str) -> Box<str> {
    let text = program.get(key).and_then(Value::as_str);
    text.filter(|text| text.len() <= TEXT_MAX)
        .unwrap_or_default()
        .into()
}

#[cfg(test)]
mod tests {
    use event::snapshot::Process;
    use event::{EventCode, RecordBuilder, RecordFlags, codes};

    use super::*;
    use crate::Options;

    fn state() -> State {
        let mut state = State::new(Options::default());
        for (tid, ptid, ino) in [(1, 0, 1), (5, 1, 70), (6, 5, 70), (7, 5, 71)] {
            state.load_process(&Process {
                tid,
                pid: tid,
                ptid,
                vtid: tid,
                vpid: tid,
                comm: b"x",
                exepath: b"/bin/\xffx",
                exe_ino: ino,
                exe_ino_ctime: 3,
                exe_ino_mtime: 4,
                ..Process::default()
            });
        }
        state.finish_load();
        state
    }

    fn thread(state: &State, tid: i64) -> &Thread {
        state.thread(state.by_tid(tid).unwrap())
    }

    fn word(state: &State, tid: i64) -> &'static str {
        state.program(thread(state, tid)).word()
    }

    fn tell(state: &mut State, name: &str, text: &str) {
        let bytes = RecordBuilder::new(EventCode::new(codes::ASYNCEVENT_E), 9, 0)
            .u32(0)
            .text(name)
            .text(text)
            .finish();
        let record = Record::parse(&bytes, 0, RecordFlags::default()).unwrap();
        assert!(!state.process(&record).visible);
    }

    fn identity() -> Identity {
        Identity {
            is_complete: true,
            hash: "ab".repeat(32).into(),
            package: "coreutils".into(),
            version: "9.1-1".into(),
            database: "dpkg".into(),
            intact: Some(false),
        }
    }

    #[test]
    fn a_file_is_asked_for_once() {
        let mut state = state();
        state.await_programs();
        assert!(!state.has_program_questions());
        assert_eq!((word(&state, 5), word(&state, 6)), ("pending", "pending"));
        assert_eq!(word(&state, 7), "pending");
        let asked = state.take_program_questions();
        assert_eq!(asked.len(), 2);
        assert_eq!((asked[0].pid, &asked[0].others[..]), (5, &[1][..]));
        assert!(state.awaits_program_of(thread(&state, 6)));
        assert!(!state.awaits_program_of(thread(&state, 1)));
        let epoch = state.epoch();
        tell(
            &mut state,
            PROGRAM_EVENT,
            &program_json(&asked[0].file, &identity(), true),
        );
        assert_ne!(state.epoch(), epoch);
        for tid in [5, 6] {
            let Program::Known(known) = state.program(thread(&state, tid)) else {
                panic!("{tid}");
            };
            assert_eq!(*known, identity());
        }
        assert_eq!((word(&state, 6), word(&state, 7)), ("complete", "pending"));
        assert_eq!(
            state.known_programs(),
            [(asked[0].file.clone(), identity())]
        );
        assert!(!state.has_program_questions());
    }

    #[test]
    fn what_came_too_late_is_asked_again_for_the_next() {
        let mut state = state();
        state.await_programs();
        word(&state, 5);
        let asked = state.take_program_questions();
        let gone = program_json(&asked[0].file, &Identity::default(), false);
        tell(&mut state, PROGRAM_EVENT, &gone);
        assert_eq!(word(&state, 5), "unknown");
        assert_eq!(word(&state, 6), "pending");
        assert_eq!(state.take_program_questions().len(), 1);
    }

    #[test]
    fn in_a_capture_the_recording_answers_or_nobody() {
        let mut other = state();
        assert_eq!(word(&other, 5), "unknown");
        assert!(!other.has_program_questions());
        tell(&mut other, PROGRAM_WAIT_EVENT, "");
        assert_eq!((word(&other, 5), word(&other, 7)), ("unknown", "pending"));
        // An answer may stand in the capture before anybody asks.
        let mut state = state();
        let file = ProgramFile {
            container: Box::default(),
            path: b"/bin/\xffx"[..].into(),
            ino: 71,
            ctime: 3,
            mtime: 4,
        };
        tell(
            &mut state,
            PROGRAM_EVENT,
            &program_json(&file, &identity(), true),
        );
        assert_eq!(word(&state, 7), "complete");
    }

    #[test]
    fn what_is_no_answer() {
        let mut state = state();
        for text in [
            "",
            "{}",
            "[]",
            r#"{"program":{}}"#,
            r#"{"program":{"path":7}}"#,
            "\u{0}",
        ] {
            tell(&mut state, PROGRAM_EVENT, text);
        }
        assert_eq!(state.counters().programs_malformed, 6);
        let file = ProgramFile {
            container: Box::default(),
            path: Box::default(),
            ino: 1,
            ctime: 1,
            mtime: 1,
        };
        let long = Identity {
            package: "x".repeat(5000).into(),
            ..identity()
        };
        tell(&mut state, PROGRAM_EVENT, &program_json(&file, &long, true));
        assert!(state.known_programs()[0].1.package.is_empty());
    }

    #[test]
    fn the_table_is_bounded_and_leaves_nobody_waiting() {
        let mut state = state();
        state.await_programs();
        word(&state, 5);
        let told = identity();
        for ino in 0..3 * FILES_MAX as u64 {
            let file = ProgramFile {
                container: Box::default(),
                path: b"/x"[..].into(),
                ino,
                ctime: 1,
                mtime: 1,
            };
            tell(&mut state, PROGRAM_EVENT, &program_json(&file, &told, true));
        }
        assert!(state.known_programs().len() <= 2 * FILES_MAX);
        assert_eq!(word(&state, 5), "unknown");
        assert_eq!(state.programs.open.get(), 0);
    }
}
