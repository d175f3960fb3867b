//! The event path's side: takes records, says when it needs the state, and never waits.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{SystemTime, UNIX_EPOCH};

use event::{Record, RecordFlags};

use crate::batch::Batch;
use crate::directory::{self, Directory};
use crate::lock;
use crate::press::Press;
use crate::queue::{Message, Queue};
use crate::ring::{Counters, Ring, Segment, Shared};
use crate::saver::{Form, Saver};
use crate::window::{Notice, Window, Wish};

/// A batch goes when it has grown to this, or when its first event is so old.
const BATCH: usize = 256 << 10;
const SECOND: u64 = 1_000_000_000;
/// Files that are written at once. Further alerts share one of them.
const WINDOWS: usize = 4;

/// What becomes of events that the press cannot take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// They are counted and missing: a machine does not wait.
    Lose,
    /// There are none: a capture waits.
    Wait,
}

/// How it records.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where segments are kept; in memory without it.
    pub directory: Option<PathBuf>,
    /// Most bytes of all segments, compressed.
    pub most_bytes: u64,
    /// Nanoseconds after which a segment goes.
    pub most_age: u64,
    /// Where too much comes.
    pub overflow: Overflow,
    /// Leave out environments of processes.
    pub redact_env: bool,
    /// Record all the time; otherwise only while a file is written.
    pub always: bool,
    /// Most bytes of a saved file; zero: no limit.
    pub most_file_bytes: u64,
    /// Saved files are for sysdig 0.29.3.
    pub compatible: bool,
}

/// A ring in memory that records all the time and loses nothing, however slow that makes who feeds it.
impl Default for Options {
    fn default() -> Self {
        Self {
            directory: None,
            most_bytes: 256_000_000,
            most_age: u64::MAX,
            overflow: Overflow::Wait,
            redact_env: false,
            always: true,
            most_file_bytes: 0,
            compatible: false,
        }
    }
}

/// What was done so far, and what is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events that went into the ring.
    pub events: u64,
    /// Events that are missing in it.
    pub lost: u64,
    /// Bytes before and after compression, of all that went in.
    pub unpacked: u64,
    /// See `unpacked`.
    pub packed: u64,
    /// Bytes that are there now.
    pub held: u64,
    /// Segments that are there now.
    pub segments: u64,
    /// Nanoseconds from the begin of the oldest to now.
    pub span: u64,
    /// Segments that went.
    pub evicted: u64,
    /// Times that the disk failed.
    pub faults: u64,
    /// Files that were completed.
    pub saved: u64,
    /// Files that could not be written.
    pub not_saved: u64,
    /// Alerts that share the file of another, because they lie in it or too many were being written.
    pub joined: u64,
    /// Alerts without a file, because there are as many as are allowed.
    pub refused: u64,
    /// Files for which the ring did not reach back far enough.
    pub short: u64,
}

/// The recorder.
pub struct Recorder {
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    batch: Batch,
    overflow: Overflow,
    always: bool,
    /// Records are taken.
    on: bool,
    /// Events are missing since.
    gap: bool,
    due: u64,
    /// Time of the latest event or look.
    time: u64,
    windows: Vec<Arc<Window>>,
    /// The latest end of them.
    until: u64,
    /// Segments that were begun here.
    begun: u64,
    threads: Vec<JoinHandle<()>>,
    /// Lost here, not yet among the counters.
    lost: u64,
}

impl Recorder {
    /// Opens the ring and starts the threads.
    ///
    /// # Errors
    /// When the directory cannot be used, or no thread be started.
    pub fn start(options: &Options) -> io::Result<Self> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let run = since.map_or(0, |since| since.as_nanos() as u64) ^ u64::from(std::process::id());
        let mut ring = Ring::new(run, options.most_bytes, options.most_age);
        let directory = match &options.directory {
            None => None,
            Some(path) => {
                let directory = Directory::open(path)?;
                for (id, path, bytes) in directory::segments(path)? {
                    ring.begin(Segment {
                        id,
                        frames: Vec::new(),
                        bytes,
                        path: Some(path.into()),
                    });
                }
                Some(directory)
            }
        };
        let shared = Arc::new(Shared {
            ring: Mutex::new(ring),
            changed: Condvar::new(),
            counters: Counters::default(),
            roll: false.into(),
            begun: AtomicU64::new(0),
            notices: Mutex::default(),
        });
        let queue = Arc::new(Queue::new(options.most_bytes));
        let press = Press::new(
            Arc::clone(&shared),
            Arc::clone(&queue),
            directory,
            options.redact_env,
        )?;
        let form = Form {
            most_bytes: options.most_file_bytes,
            compatible: options.compatible,
        };
        let saver = Saver::new(Arc::clone(&shared), form, options.always);
        let thread = |name: &str| thread::Builder::new().name(name.to_owned());
        let threads = vec![
            thread("flight recorder").spawn(move || press.run())?,
            thread("flight saver").spawn(move || saver.run())?,
        ];
        Ok(Self {
            shared,
            queue,
            batch: Batch::new(Vec::with_capacity(BATCH + BATCH / 8)),
            overflow: options.overflow,
            always: options.always,
            on: false,
            gap: false,
            due: u64::MAX,
            time: 0,
            windows: Vec::new(),
            until: 0,
            begun: 0,
            threads,
            lost: 0,
        })
    }

    /// Whether records are taken. While they are not, the state has to be told before the first.
    #[inline]
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// Whether it records all the time.
    #[must_use]
    pub fn is_always_on(&self) -> bool {
        self.always
    }

    /// Takes an event, with these flags in the place of its own. True: [`Recorder::begin`] is to be
    /// called, before the next event changes the state.
    #[inline]
    pub fn event(&mut self, record: &Record<'_>, flags: RecordFlags) -> bool {
        if !self.on {
            return false;
        }
        if self.gap {
            return self.lose();
        }
        self.batch.push(record, flags);
        self.batch.len() >= BATCH && self.flush()
    }

    #[cold]
    fn lose(&mut self) -> bool {
        self.lost += 1;
        self.queue.has_room()
    }

    /// Hands over what there is. True: a segment is to begin.
    fn flush(&mut self) -> bool {
        if !self.batch.is_empty() {
            self.time = self.time.max(self.batch.last);
            let batch = std::mem::replace(&mut self.batch, Batch::new(Vec::new()));
            match self.queue.batch(batch, self.overflow == Overflow::Wait) {
                Ok(buffer) => self.batch = Batch::new(buffer),
                Err(batch) => {
                    self.lost += batch.events;
                    self.gap = true;
                    self.batch = Batch::new(batch.into_buffer());
                }
            }
        }
        if self.lost > 0 {
            let lost = std::mem::take(&mut self.lost);
            self.shared.counters.lost.fetch_add(lost, Ordering::Relaxed);
        }
        self.due = self.time.saturating_add(SECOND);
        if !self.always && self.time > self.until {
            self.pause();
            return false;
        }
        if self.gap {
            return self.queue.has_room();
        }
        self.shared.begun.load(Ordering::Acquire) == self.begun
            && self.shared.roll.load(Ordering::Relaxed)
    }

    fn pause(&mut self) {
        self.on = false;
        self.due = u64::MAX;
        self.windows.clear();
        self.queue.tell(Message::Time(self.time));
        self.queue.tell(Message::Pause);
    }

    /// Begins a segment, behind the last event: `standing` is an uncompressed capture of the state as it
    /// is, without events of its own; `note` says what the ring is given, as blocks of a capture, and only
    /// hunts read it.
    pub fn begin(&mut self, time: u64, standing: Vec<u8>, note: Vec<u8>) {
        self.time = self.time.max(time);
        if !self.batch.is_empty() && !self.gap {
            self.flush();
        }
        self.queue.tell(Message::Segment {
            start: time,
            standing,
            note,
            gap: std::mem::take(&mut self.gap),
        });
        self.begun += 1;
        self.on = true;
        self.due = self.time.saturating_add(SECOND);
    }

    /// The time of events at which [`Recorder::timed`] is to be called.
    #[inline]
    #[must_use]
    pub fn due(&self) -> u64 {
        self.due
    }

    /// Does what is due. True: [`Recorder::begin`] is to be called.
    pub fn timed(&mut self, now: u64) -> bool {
        if now < self.due {
            return false;
        }
        self.time = self.time.max(now);
        let wants = self.flush();
        if self.on {
            self.queue.tell(Message::Time(now));
        }
        wants
    }

    /// Keeps what surrounds an alert, whose event was taken already. The file that will have it: the
    /// wish's own, or that of an earlier alert that lies in it.
    ///
    /// Where nothing was recorded, [`Recorder::begin`] and the event come first.
    pub fn save(&mut self, wish: &Wish) -> PathBuf {
        let (from, until) = (
            wish.time.saturating_sub(wish.before),
            wish.time.saturating_add(wish.after),
        );
        self.until = self.until.max(until);
        let time = wish.time;
        self.windows
            .retain(|window| !window.is_done() && window.until() >= time);
        let covers = |window: &&Arc<Window>| window.from <= from;
        let mut found = self.windows.iter().find(covers);
        if found.is_none() && self.windows.len() >= WINDOWS {
            found = self.windows.iter().min_by_key(|window| window.from);
        }
        if let Some(window) = found {
            window.extend(until);
            let joined = &self.shared.counters.joined;
            joined.fetch_add(1, Ordering::Relaxed);
            return window.path.clone();
        }
        let window = Arc::new(Window::new(wish));
        self.windows.push(Arc::clone(&window));
        if !self.batch.is_empty() {
            self.flush();
        }
        self.queue.tell(Message::Save(window));
        wish.path.clone()
    }

    /// Whether [`Recorder::save`] would find a file for this that is being written already.
    #[must_use]
    pub fn would_join(&self, wish: &Wish) -> bool {
        let from = wish.time.saturating_sub(wish.before);
        let open = |one: &&Arc<Window>| !one.is_done() && one.until() >= wish.time;
        let mut open = self.windows.iter().filter(open);
        open.any(|window| window.from <= from)
    }

    /// Has another segment begin soon, because what it would say of itself is different.
    pub fn renew(&self) {
        self.shared.roll.store(true, Ordering::Relaxed);
    }

    /// Counts an alert that gets no file.
    pub fn refuse(&self) {
        let refused = &self.shared.counters.refused;
        refused.fetch_add(1, Ordering::Relaxed);
    }

    /// What the threads have to say, once.
    #[must_use]
    pub fn notices(&self) -> Vec<Notice> {
        std::mem::take(&mut *lock(&self.shared.notices))
    }

    /// What was done so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let ring = lock(&self.shared.ring);
        let (held, segments) = (ring.bytes, ring.segments.len() as u64);
        let oldest = ring.segments.front().map(|segment| segment.id.start);
        let span = oldest.map_or(0, |oldest| ring.time.saturating_sub(oldest));
        drop(ring);
        let counters = &self.shared.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            events: read(&counters.events),
            lost: read(&counters.lost) + self.lost,
            unpacked: read(&counters.unpacked),
            packed: read(&counters.packed),
            held,
            segments,
            span,
            evicted: read(&counters.evicted),
            faults: read(&counters.faults),
            saved: read(&counters.saved),
            not_saved: read(&counters.not_saved),
            joined: read(&counters.joined),
            refused: read(&counters.refused),
            short: read(&counters.short),
        }
    }

    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Completes ring and files, and says what is left to say.
    #[must_use]
    pub fn finish(mut self) -> (Counts, Vec<Notice>) {
        self.flush();
        self.queue.tell(Message::End);
        for thread in self.threads.drain(..) {
            // A panic was printed.
            let _ = thread.join();
        }
        (self.counts(), self.notices())
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.queue.tell(Message::End);
    }
}
