//! The thread that writes captures of what surrounds alerts.
//!
//! It follows the ring from the segment that the first wanted event lies in. Events of that segment that
//! are too early are written for the state only, where it needs them, and no reader shows them: so the
//! file begins with the state as it was, and shows what was asked for. States at the begins of further
//! segments are passed over, as long as nothing is missing between two.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use capture::{Compression, Counted, Item, Reader, Writer};
use event::{EventFlags, Record, RecordFlags, codes};

use crate::lock;
use crate::ring::{Cursor, Frame, Ring, Shared, Step};
use crate::window::{Notice, Window};

/// How long nothing is heard before the ring is looked at all the same.
const PATIENCE: Duration = Duration::from_secs(1);
/// What a compressor may still hold when a file is closed.
const HELD_BACK: u64 = 64 << 10;

/// How files are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    /// Zero: no limit.
    pub(crate) most_bytes: u64,
    /// For sysdig 0.29.3.
    pub(crate) compatible: bool,
}

/// The saver.
pub(crate) struct Saver {
    shared: Arc<Shared>,
    form: Form,
    open: Vec<Save>,
    /// Whether the ring is kept while no file is written.
    keeps: bool,
}

/// A file that is being written.
struct Save {
    window: Arc<Window>,
    cursor: Cursor,
    /// The segment that is being read; none, where what comes next is not told apart by it.
    segment: Option<u64>,
    /// Whether a state was written.
    begun: bool,
    writer: Writer<Counted<File>>,
    bytes: Arc<AtomicU64>,
    events: u64,
    missing: u64,
    gaps: u64,
    flushed: Instant,
    full: bool,
    /// What comes now is too late.
    over: bool,
}

impl Saver {
    pub(crate) fn new(shared: Arc<Shared>, form: Form, keeps: bool) -> Self {
        Self {
            shared,
            form,
            open: Vec::new(),
            keeps,
        }
    }

    /// Works until the ring has ended and all files are complete.
    pub(crate) fn run(mut self) {
        loop {
            let shared = Arc::clone(&self.shared);
            let mut ring = lock(&shared.ring);
            let wanted = std::mem::take(&mut ring.wanted);
            let steps: Vec<Step> = self
                .open
                .iter_mut()
                .map(|save| ring.step(&mut save.cursor))
                .collect();
            let (time, ended) = (ring.time, ring.ended);
            if wanted.is_empty() && steps.iter().all(|step| matches!(step, Step::NotYet)) {
                let over = |save: &Save| ended || time > save.window.until();
                if !self.open.iter().any(over) {
                    if ended {
                        return;
                    }
                    if ring.paused && !self.keeps && self.open.is_empty() {
                        while ring.oldest().is_some() {}
                        ring.segments.clear();
                        ring.bytes = 0;
                    }
                    if self.open.is_empty() {
                        let waited = shared.changed.wait(ring);
                        drop(waited.unwrap_or_else(PoisonError::into_inner));
                    } else {
                        let waited = shared.changed.wait_timeout(ring, PATIENCE);
                        drop(waited.unwrap_or_else(PoisonError::into_inner));
                        self.flush();
                    }
                    continue;
                }
            }
            let begun: Vec<(Arc<Window>, (Cursor, u64))> = wanted
                .into_iter()
                .map(|window| {
                    let found = begin_at(&ring, &window);
                    (window, found)
                })
                .collect();
            drop(ring);
            self.take(steps, time, ended);
            for (window, found) in begun {
                self.begin(&window, found);
            }
        }
    }

    /// Writes what came, and completes what is complete.
    fn take(&mut self, steps: Vec<Step>, time: u64, ended: bool) {
        let mut open = Vec::new();
        for (mut save, step) in std::mem::take(&mut self.open).into_iter().zip(steps) {
            let over = matches!(step, Step::NotYet) && (ended || time > save.window.until());
            let taken = save.take(step, self.form.most_bytes);
            match taken {
                Err(error) => self.failed(&save.window, &error),
                Ok(()) if over || save.over || save.full => self.finish(save),
                Ok(()) => open.push(save),
            }
        }
        self.open = open;
    }

    fn begin(&mut self, window: &Arc<Window>, (cursor, missing): (Cursor, u64)) {
        match create(&window.path).and_then(|file| Save::begin(window, cursor, file, self.form)) {
            Ok(mut save) => {
                save.missing = if window.asked == 0 { 0 } else { missing };
                if save.missing > 0 {
                    let counters = &self.shared.counters;
                    counters.short.fetch_add(1, Ordering::Relaxed);
                }
                self.open.push(save);
            }
            Err(error) => self.failed(window, &error),
        }
    }

    fn finish(&self, save: Save) {
        let Save {
            window,
            writer,
            bytes,
            events,
            missing,
            gaps,
            full,
            ..
        } = save;
        let finished = writer.finish().and_then(|mut output| output.flush());
        if let Err(error) = finished {
            return self.failed(&window, &error);
        }
        window.close();
        let bytes = bytes.load(Ordering::Relaxed);
        self.shared.counters.saved.fetch_add(1, Ordering::Relaxed);
        let path = window.path.clone();
        if full {
            self.shared.notice(Notice::Full {
                path: path.clone(),
                bytes,
            });
        }
        self.shared.notice(Notice::Saved {
            path,
            events,
            bytes,
            missing,
            gaps,
        });
    }

    fn failed(&self, window: &Window, error: &io::Error) {
        window.close();
        let counters = &self.shared.counters;
        counters.not_saved.fetch_add(1, Ordering::Relaxed);
        self.shared.notice(Notice::NotSaved {
            path: window.path.clone(),
            error: error.to_string(),
        });
    }

    /// Lets files be read that wait for more.
    fn flush(&mut self) {
        let mut open = Vec::new();
        for mut save in std::mem::take(&mut self.open) {
            if save.flushed.elapsed() < PATIENCE {
                open.push(save);
                continue;
            }
            save.flushed = Instant::now();
            match save.writer.flush() {
                Ok(()) => open.push(save),
                Err(error) => self.failed(&save.window, &error),
            }
        }
        self.open = open;
    }
}

/// Where a file begins in the ring, and what is missing in front.
fn begin_at(ring: &Ring, window: &Window) -> (Cursor, u64) {
    let nowhere = Cursor {
        number: 0,
        frame: 0,
    };
    ring.seek(window.from).unwrap_or((nowhere, 0))
}

/// Makes a file anew; what was there goes, and links are not followed.
fn create(path: &Path) -> io::Result<File> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

impl Save {
    fn begin(window: &Arc<Window>, cursor: Cursor, file: File, form: Form) -> io::Result<Self> {
        let bytes = Arc::<AtomicU64>::default();
        let output = Counted::new(file, &bytes);
        Ok(Self {
            window: Arc::clone(window),
            cursor,
            segment: None,
            begun: false,
            writer: Writer::new(output, Compression::Gzip)?.compatible(form.compatible),
            bytes,
            events: 0,
            missing: 0,
            gaps: 0,
            flushed: Instant::now(),
            full: false,
            over: false,
        })
    }

    fn take(&mut self, step: Step, most: u64) -> io::Result<()> {
        match step {
            Step::NotYet => Ok(()),
            Step::Standing(_, start) if start > self.window.until() => {
                self.over = true;
                Ok(())
            }
            Step::Standing(frame, _) => {
                let number = self.cursor.number;
                let before = self.segment.take();
                // A number is left out where events are missing, and where a segment went unread.
                if before.is_some_and(|before| before + 1 == number) {
                    self.segment = Some(number);
                    return Ok(());
                }
                let Ok(unpacked) = frame.unpack() else {
                    self.torn();
                    return Ok(());
                };
                self.segment = Some(number);
                if std::mem::replace(&mut self.begun, true) {
                    self.gaps += 1;
                    self.writer.section()?;
                }
                self.standing(&unpacked)
            }
            Step::Events(frame) => self.events(&frame, most),
        }
    }

    /// Writes a state. A reader tells lists of users and interfaces behind the events that belong to the
    /// state, and in a file they stand in front.
    fn standing(&mut self, unpacked: &[u8]) -> io::Result<()> {
        let mut reader = Reader::new(unpacked).map_err(io::Error::other)?;
        let mut events = Vec::new();
        loop {
            match reader.next() {
                Ok(Some(Item::Event(record))) => {
                    events.push((record.bytes().to_vec(), record.cpu, record.flags));
                }
                Ok(Some(item)) => self.writer.item(&item)?,
                // What happened is in other frames.
                Ok(None) | Err(capture::Error::NoEvents { .. }) => break,
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        for (bytes, cpu, flags) in events {
            let record = Record::parse(&bytes, cpu, flags).map_err(io::Error::other)?;
            self.writer.event(&record)?;
        }
        Ok(())
    }

    fn events(&mut self, frame: &Frame, most: u64) -> io::Result<()> {
        if self.segment.is_none() {
            return Ok(());
        }
        let Ok(unpacked) = frame.unpack() else {
            self.torn();
            return Ok(());
        };
        let (from, until) = (self.window.from, self.window.until());
        let mut reader = Reader::continuing(unpacked.as_slice()).map_err(io::Error::other)?;
        while let Some(item) = reader.next().map_err(io::Error::other)? {
            let Item::Event(mut record) = item else {
                continue;
            };
            if record.ts > until && record.ts != u64::MAX {
                continue;
            }
            if record.ts < from {
                if !is_for_state(&record) {
                    continue;
                }
                record.flags |= RecordFlags::STATE_ONLY;
            }
            self.writer.event(&record)?;
            self.events += u64::from(!record.flags.contains(RecordFlags::STATE_ONLY));
            if most != 0 && self.bytes.load(Ordering::Relaxed) + HELD_BACK >= most {
                self.full = true;
                return Ok(());
            }
        }
        Ok(())
    }

    /// A frame went before it was read, or the disk gave back something else: the next segment is read.
    fn torn(&mut self) {
        self.segment = None;
        self.cursor = Cursor {
            number: self.cursor.number + 1,
            frame: 0,
        };
    }
}

/// Whether the state changes with it.
fn is_for_state(record: &Record<'_>) -> bool {
    record.info.flags.contains(EventFlags::MODIFIES_STATE)
        || record.code.number() == codes::ASYNCEVENT_E
}
