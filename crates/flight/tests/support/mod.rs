//! A stream of events with known times, and readers that tell which of them are there.

use std::cell::RefCell;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;

use capture::{Compression, Item, Reader, Writer};
use event::snapshot::{MachineInfo, Process, UserList};
use event::{EventCode, Record, RecordBuilder, RecordFlags, codes};
use flight::{Met, Options, Recorder, Segments, Strand};

pub(crate) const SECOND: u64 = 1_000_000_000;

/// A ring that is large enough for anything here, in which nothing is lost.
pub(crate) fn options(directory: Option<&Path>) -> Options {
    Options {
        directory: directory.map(Path::to_owned),
        most_bytes: 64 << 20,
        most_age: 3600 * SECOND,
        ..Options::default()
    }
}

/// A recorder, and what was written to it.
pub(crate) struct Stream {
    pub(crate) recorder: Recorder,
    pub(crate) time: u64,
    /// Times of all events.
    pub(crate) written: Vec<u64>,
    random: u64,
}

impl Stream {
    pub(crate) fn start(options: &Options) -> Self {
        let mut stream = Self {
            recorder: Recorder::start(options).unwrap(),
            time: 1_700_000_000 * SECOND,
            written: Vec::new(),
            random: 1,
        };
        if options.always {
            stream.stand();
        }
        stream
    }

    /// Tells the state, which is the same at all times here.
    pub(crate) fn stand(&mut self) {
        let mut writer = Writer::new(Vec::new(), Compression::None).unwrap();
        writer.machine(&MachineInfo::default()).unwrap();
        let init = Process {
            tid: 1,
            pid: 1,
            comm: b"init",
            ..Process::default()
        };
        writer.process(&init).unwrap();
        writer.users(&UserList::default()).unwrap();
        let container = RecordBuilder::new(EventCode::new(codes::ASYNCEVENT_E), u64::MAX, 0);
        let container = container.u32(0).text("container").text("{}").finish();
        let container = Record::parse(&container, 0, RecordFlags::STATE_ONLY).unwrap();
        writer.event(&container).unwrap();
        let standing = writer.finish().unwrap();
        let mut writer = Writer::continuing(Vec::new(), Compression::None).unwrap();
        let note = RecordBuilder::new(EventCode::new(codes::ASYNCEVENT_E), u64::MAX, 0);
        let note = note.u32(0).text("flight_recorder").text("{}").finish();
        let note = Record::parse(&note, 0, RecordFlags::STATE_ONLY).unwrap();
        writer.event(&note).unwrap();
        let note = writer.finish().unwrap();
        self.recorder.begin(self.time, standing, note);
    }

    /// So many events, a microsecond apart, that no compressor makes nothing of.
    pub(crate) fn events(&mut self, count: usize) {
        for _ in 0..count {
            self.time += 1_000;
            self.random = self.random.wrapping_mul(6_364_136_223_846_793_005) + 1;
            let close = RecordBuilder::new(EventCode::new(codes::SYSCALL_CLOSE_X), self.time, 1)
                .i64((self.random >> 33) as i64)
                .i64((self.random >> 20) as i64)
                .finish();
            let record = Record::parse(&close, 3, RecordFlags::default()).unwrap();
            self.written.push(self.time);
            if self.recorder.event(&record, record.flags) {
                self.stand();
            }
        }
    }

    /// Time goes by without events.
    pub(crate) fn pass(&mut self, time: u64) {
        self.time += time;
        if self.recorder.timed(self.time) {
            self.stand();
        }
    }

    /// Waits until all that was handed over is in the ring, or was counted as lost.
    pub(crate) fn settle(&mut self) {
        let due = self.recorder.due();
        self.time = if due == u64::MAX {
            self.time
        } else {
            due.max(self.time)
        };
        if self.recorder.timed(self.time) {
            self.stand();
        }
        loop {
            let counts = self.recorder.counts();
            if counts.events + counts.lost >= self.written.len() as u64 {
                return;
            }
            std::thread::yield_now();
        }
    }
}

/// Records of a capture: time, and whether a reader sees it.
pub(crate) fn read(path: &Path) -> Vec<(u64, bool)> {
    let mut found = Vec::new();
    let mut reader = Reader::new(std::fs::File::open(path).unwrap()).unwrap();
    while let Some(item) = reader.next().unwrap() {
        if let Item::Event(record) = item {
            let seen = !record.flags.contains(RecordFlags::STATE_ONLY);
            found.push((record.ts, seen));
        }
    }
    found
}

/// Times of those that a reader sees.
pub(crate) fn times(events: &[(u64, bool)]) -> Vec<u64> {
    events.iter().filter(|e| e.1).map(|e| e.0).collect()
}

/// Times of all events of all segments, as far as they can be read.
pub(crate) fn held(segments: Segments) -> Vec<u64> {
    let met = Rc::new(RefCell::new(Met::default()));
    let mut found = Vec::new();
    let Ok(mut reader) = Reader::new(Strand::new(segments, &met)) else {
        return found;
    };
    loop {
        let item = match reader.next() {
            Ok(Some(item)) => item,
            // The last segment has none yet.
            Ok(None) | Err(capture::Error::NoEvents { .. }) => break,
            Err(error) => panic!("{error}"),
        };
        match item {
            Item::Event(record) if record.ts == u64::MAX => {}
            Item::Event(record) => found.push(record.ts),
            Item::Restart => assert!(met.borrow_mut().restarts.pop_front().is_some()),
            _ => {}
        }
    }
    let met = met.borrow();
    assert_eq!(
        (met.notes.len() as u64, met.restarts.len()),
        (met.segments, 0)
    );
    found
}

/// Events up to the first fault.
pub(crate) fn readable(segments: Segments) -> usize {
    let met = Rc::new(RefCell::new(Met::default()));
    let Ok(mut reader) = Reader::new(Strand::new(segments, &met)) else {
        return 0;
    };
    let mut found = 0;
    while let Ok(Some(item)) = reader.next() {
        found += usize::from(matches!(item, Item::Event(record) if record.ts != u64::MAX));
    }
    found
}

/// A disk of 1 MB, for root.
pub(crate) struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// Mounts one; only root can, and says so where it must be able to.
pub(crate) fn small_disk() -> Option<SmallDisk> {
    let folder = tempfile::tempdir().unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=1m,mode=700", "none"])
        .arg(folder.path())
        .status();
    if mounted.is_ok_and(|status| status.success()) {
        return Some(SmallDisk(folder));
    }
    assert!(
        std::env::var_os("PEREGRINE_REQUIRE_LIVE").is_none(),
        "a disk of 1 MB cannot be mounted"
    );
    eprintln!("left out: mounting a small disk takes root");
    None
}
