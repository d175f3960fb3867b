//! The threads: one takes questions in their order and sees to it that each is answered, another reads.
//!
//! A read that does not come back (a file system of the network, one that a user serves) is given up:
//! its thread is left to itself, a new one goes on. Where several hang, nothing more is read until one of
//! them returns, and every question is answered with "unknown".

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use event::{EventCode, RecordBuilder, codes};
use state::{PROGRAM_EVENT, ProgramFile, ProgramIdentity, ProgramQuestion, program_json};

use crate::file::Grip;
use crate::reader::{Outcome, Reader};

/// Most questions that wait.
const QUESTIONS_MAX: usize = 4096;
/// Longest time that one question may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Most threads that may hang.
const HANGING_MAX: usize = 4;
/// Most processes that are held on to, two descriptors each. The others are looked for when their turn comes.
const HELD_MAX: usize = 64;

/// What a program's file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The file.
    pub file: ProgramFile,
    /// What it is.
    pub identity: ProgramIdentity,
    /// Whether the next process that runs it would be told the same.
    pub is_lasting: bool,
}

impl Answer {
    /// The record of its event, at `ts` nanoseconds since the epoch.
    #[must_use]
    pub fn record(&self, ts: u64) -> Vec<u8> {
        record(
            PROGRAM_EVENT,
            &program_json(&self.file, &self.identity, self.is_lasting),
            ts,
        )
    }

    /// The record of the event that says that questions are answered.
    #[must_use]
    pub fn wait(ts: u64) -> Vec<u8> {
        record(state::PROGRAM_WAIT_EVENT, "", ts)
    }

    /// All that a state knows of programs, and of what addresses are called: for the start of a capture,
    /// without a time of its own.
    #[must_use]
    pub fn standing(state: &state::State) -> Vec<Vec<u8>> {
        let names = state.standing_names().into_iter();
        let names = names.map(|text| record(state::NAMES_EVENT, &text, u64::MAX));
        let mut all: Vec<Vec<u8>> = names.collect();
        if state.awaits_programs() {
            all.push(Self::wait(u64::MAX));
        }
        let known = state.known_programs().into_iter();
        all.extend(known.map(|(file, identity)| {
            let answer = Self {
                file,
                identity,
                is_lasting: true,
            };
            answer.record(u64::MAX)
        }));
        all
    }
}

fn record(name: &str, text: &str, ts: u64) -> Vec<u8> {
    RecordBuilder::new(EventCode::new(codes::ASYNCEVENT_E), ts, 0)
        .u32(0)
        .text(name)
        .text(text)
        .finish()
}

/// What was asked and answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Questions.
    pub asked: u64,
    /// Answers that say all there is to know.
    pub complete: u64,
    /// Answers that do not.
    pub unknown: u64,
    /// Questions that were refused because too many waited.
    pub refused: u64,
    /// Reads that were given up.
    pub given_up: u64,
    /// Bytes that were digested.
    pub read_bytes: u64,
}

#[derive(Debug, Default)]
struct Tally {
    asked: AtomicU64,
    complete: AtomicU64,
    unknown: AtomicU64,
    refused: AtomicU64,
    given_up: AtomicU64,
    read_bytes: AtomicU64,
    hanging: AtomicUsize,
    /// Processes that are held on to.
    held: AtomicUsize,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A way to read the counters from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<Tally>);

impl Meter {
    /// As they are now.
    #[must_use]
    pub fn read(&self) -> Counters {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            asked: read(&self.0.asked),
            complete: read(&self.0.complete),
            unknown: read(&self.0.unknown),
            refused: read(&self.0.refused),
            given_up: read(&self.0.given_up),
            read_bytes: read(&self.0.read_bytes),
        }
    }
}

/// A question, with what its process was held by when it came.
type Asked = (ProgramQuestion, Option<Held>);

/// A grip on a process, counted.
struct Held {
    grip: Grip,
    _count: Count,
}

struct Count(Arc<Tally>);

impl Drop for Count {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Holds on to a process, as long as there are not too many of them.
fn hold(proc: &Path, pid: i64, tally: &Arc<Tally>) -> Option<Held> {
    let before = tally.held.fetch_add(1, Ordering::Relaxed);
    let count = Count(Arc::clone(tally));
    (before < HELD_MAX).then(|| Held {
        grip: Grip::take(proc, pid),
        _count: count,
    })
}

/// Answers questions about program files. Dropping it ends the answering.
#[derive(Debug)]
pub struct Provenance {
    proc: PathBuf,
    questions: Sender<Asked>,
    answers: Receiver<Answer>,
    /// Answers to what could not be asked.
    refused: VecDeque<Answer>,
    meter: Meter,
}

impl Provenance {
    /// Starts answering for a machine whose `/proc` lies under `root`.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(root: &Path, meter: Meter) -> io::Result<Self> {
        let (questions, asked) = bounded(QUESTIONS_MAX);
        let (told, answers) = bounded(2 * QUESTIONS_MAX);
        let tally = Arc::clone(&meter.0);
        let proc = root.join("proc");
        let place = proc.clone();
        thread::Builder::new()
            .name("programs".to_owned())
            .spawn(move || supervise(&place, &asked, &told, &tally))?;
        Ok(Self {
            proc,
            questions,
            answers,
            refused: VecDeque::new(),
            meter,
        })
    }

    /// Asks; the answer comes by [`Provenance::poll`]. The process is held on to at once: most programs run for a moment.
    pub fn ask(&mut self, question: ProgramQuestion) {
        count(&self.meter.0.asked);
        let held = hold(&self.proc, question.pid, &self.meter.0);
        if let Err(refused) = self.questions.try_send((question, held)) {
            count(&self.meter.0.refused);
            self.refused.push_back(unknown(refused.into_inner().0.file));
        }
    }

    /// The next answer, if there is one.
    pub fn poll(&mut self) -> Option<Answer> {
        self.refused
            .pop_front()
            .or_else(|| self.answers.try_recv().ok())
    }
}

fn unknown(file: ProgramFile) -> Answer {
    Answer {
        file,
        identity: ProgramIdentity::default(),
        is_lasting: false,
    }
}

/// A thread that reads, and what leads to it and back.
struct Hand {
    work: Sender<Asked>,
    done: Receiver<Outcome>,
}

fn hand(proc: &Path, tally: &Arc<Tally>) -> Option<Hand> {
    let (work, asked) = bounded::<Asked>(1);
    let (told, done) = bounded(1);
    let (proc, tally) = (proc.to_owned(), Arc::clone(tally));
    let spawned = thread::Builder::new()
        .name("program files".to_owned())
        .spawn(move || {
            let mut reader = Reader::new(proc);
            for (question, held) in asked {
                let grip = held.map(|held| held.grip);
                let outcome = reader.answer(&question, grip);
                tally.read_bytes.store(reader.read(), Ordering::Relaxed);
                if told.send(outcome).is_err() {
                    // It was given up and has come back.
                    tally.hanging.fetch_sub(1, Ordering::Relaxed);
                    return;
                }
            }
        });
    spawned.ok().map(|_| Hand { work, done })
}

/// Has each question answered.
fn supervise(proc: &Path, asked: &Receiver<Asked>, told: &Sender<Answer>, tally: &Arc<Tally>) {
    let mut reader: Option<Hand> = None;
    for (question, held) in asked {
        let file = question.file.clone();
        if reader.is_none() && tally.hanging.load(Ordering::Relaxed) < HANGING_MAX {
            reader = hand(proc, tally);
        }
        let outcome = reader.as_ref().map(|hand| {
            let sent = hand.work.send((question, held));
            sent.map_err(|_| RecvTimeoutError::Disconnected)
                .and_then(|()| hand.done.recv_timeout(PATIENCE))
        });
        let answer = match outcome {
            Some(Ok(outcome)) => Answer {
                file,
                identity: outcome.identity,
                is_lasting: outcome.is_lasting,
            },
            other => {
                if matches!(other, Some(Err(RecvTimeoutError::Timeout))) {
                    count(&tally.given_up);
                    tally.hanging.fetch_add(1, Ordering::Relaxed);
                }
                reader = None;
                unknown(file)
            }
        };
        count(match answer.identity.is_complete {
            true => &tally.complete,
            false => &tally.unknown,
        });
        if told.send(answer).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;
    use std::time::Instant;

    use event::{Record, RecordFlags};

    use super::*;

    fn own_program() -> ProgramQuestion {
        let data = std::fs::metadata("/proc/self/exe").unwrap();
        let time = |seconds: i64, rest: i64| (seconds * 1_000_000_000 + rest) as u64;
        let path = std::fs::read_link("/proc/self/exe").unwrap();
        ProgramQuestion {
            file: ProgramFile {
                container: Box::default(),
                path: path.to_string_lossy().as_bytes().into(),
                ino: data.ino(),
                ctime: time(data.ctime(), data.ctime_nsec()),
                mtime: time(data.mtime(), data.mtime_nsec()),
            },
            pid: i64::from(std::process::id()),
            others: Vec::new(),
            from_memory: false,
        }
    }

    #[test]
    fn every_question_is_answered() {
        let meter = Meter::default();
        let mut provenance = Provenance::start(Path::new("/"), meter.clone()).unwrap();
        let own = own_program();
        let mut gone = own.clone();
        (gone.pid, gone.file.ino, gone.file.ctime) = (-1, 1, 1);
        provenance.ask(own.clone());
        provenance.ask(gone);
        let begun = Instant::now();
        let mut answers = Vec::new();
        while answers.len() < 2 {
            assert!(begun.elapsed() < Duration::from_secs(120), "no answer");
            match provenance.poll() {
                Some(answer) => answers.push(answer),
                None => thread::sleep(Duration::from_millis(5)),
            }
        }
        assert_eq!(answers[0].identity.hash.len(), 64);
        assert!(answers[0].identity.package.is_empty());
        assert!(!answers[1].is_lasting);
        let counters = meter.read();
        assert_eq!((counters.asked, counters.given_up), (2, 0));
        assert!(counters.read_bytes > 1000);
        // What it says is what a state understands.
        let mut state = state::State::new(state::Options::default());
        for bytes in [Answer::wait(1), answers[0].record(2)] {
            let record = Record::parse(&bytes, 0, RecordFlags::default()).unwrap();
            state.process(&record);
        }
        assert!(state.awaits_programs());
        let known = state.known_programs();
        assert_eq!(known, [(own.file, answers[0].identity.clone())]);
        assert_eq!(Answer::standing(&state).len(), 2);
    }
}
