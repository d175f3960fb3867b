//! The directory of a spool.
//!
//! ```text
//! 00000000000000000007.spool    segments in the order of their numbers
//! 00000000000000000008.spool    the last is appended to, the first is read from
//! position                      how far has been delivered: two slots, written in turn
//! lock                          held by the process that uses the spool
//! refused.log                   what the receiver would not have
//! ```
//!
//! A slot of the position is `turn u64 │ segment u64 │ offset u64 │ CRC-32 of these u32`: whichever of
//! the two is whole and has the higher turn counts, so that a torn write costs one step at most.

use std::collections::VecDeque;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use crate::channel::{about, fault};
use crate::message::Batch;
use crate::spool::segment::{self, MAGIC};
use crate::spool::{SpoolOptions, SpoolReport, Sync, WhenFull};

/// Bytes of a segment, roughly; a smaller spool has smaller ones.
const SEGMENT: u64 = 8 << 20;
/// Bytes that are read ahead for one batch.
const READ_AHEAD: u64 = 256 << 10;
/// Bytes of one slot of the position.
const SLOT: usize = 28;

struct Segment {
    number: u64,
    /// Bytes that count.
    length: u64,
    records: u64,
}

/// Records that are to be written together.
#[derive(Default)]
struct Block {
    bytes: Vec<u8>,
    /// Where each record ends.
    ends: Vec<usize>,
}

impl Block {
    /// The first records, of so many bytes, are written.
    fn forget(&mut self, records: usize, bytes: usize) {
        self.bytes.drain(..bytes);
        self.ends.drain(..records);
        self.ends.iter_mut().for_each(|end| *end -= bytes);
    }
}

/// A spool, open.
pub struct Store {
    options: SpoolOptions,
    segments: VecDeque<Segment>,
    /// The last segment.
    writing: File,
    /// The first segment, once it was read from.
    reading: Option<(u64, File)>,
    /// Where the next undelivered message of the first segment begins.
    offset: u64,
    /// Delivered records of the first segment.
    delivered: u64,
    /// Lengths of the records that were read and are not delivered.
    ahead: VecDeque<u64>,
    position: File,
    turn: u64,
    dropped: u64,
    damaged: u64,
    synced: Instant,
    unsynced: bool,
    /// Held as long as this lives.
    _lock: File,
}

impl Store {
    /// Opens the directory, finds what is not delivered yet, and passes over what is damaged.
    ///
    /// # Errors
    /// When the directory cannot be used, or another process uses it.
    pub fn open(options: &SpoolOptions) -> io::Result<Self> {
        let directory = &options.directory;
        let named = |error: io::Error| about(&format!("spool {}", directory.display()), &error);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(named)?;
        let lock = private()
            .write(true)
            .create(true)
            .open(directory.join("lock"))
            .map_err(named)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| named(fault("another process uses it")))?;
        let mut damaged = 0;
        let mut segments = VecDeque::new();
        for number in numbers(directory).map_err(named)? {
            let path = path(directory, number);
            let bytes = std::fs::read(&path).map_err(named)?;
            let Some((records, length)) = segment::scan(&bytes) else {
                // Not even its head was written, or it is something else.
                damaged += u64::from(!bytes.is_empty() && !MAGIC.starts_with(&bytes));
                std::fs::remove_file(&path).map_err(named)?;
                continue;
            };
            damaged += u64::from(length < bytes.len());
            segments.push_back(Segment {
                number,
                length: length as u64,
                records,
            });
        }
        let position = private()
            .read(true)
            .write(true)
            .create(true)
            .open(directory.join("position"));
        let position = position.map_err(named)?;
        let (turn, at, offset) = read_position(&position);
        let next = segments.back().map_or(at, |last| last.number.max(at)) + 1;
        // A new process begins a new segment: the torn end of an old one stays as it is.
        let writing = create(directory, next).map_err(named)?;
        segments.push_back(Segment {
            number: next,
            length: MAGIC.len() as u64,
            records: 0,
        });
        let mut store = Self {
            options: options.clone(),
            segments,
            writing,
            reading: None,
            offset: MAGIC.len() as u64,
            delivered: 0,
            ahead: VecDeque::new(),
            position,
            turn,
            dropped: 0,
            damaged,
            synced: Instant::now(),
            unsynced: false,
            _lock: lock,
        };
        while store.segments.len() > 1 && store.segments[0].number < at {
            store.forget_first().map_err(named)?;
        }
        if store.segments[0].number == at {
            store.skip_to(offset).map_err(named)?;
        }
        store.save_position().map_err(named)?;
        Ok(store)
    }

    /// How it is doing.
    #[must_use]
    pub fn report(&self) -> SpoolReport {
        let records: u64 = self.segments.iter().map(|segment| segment.records).sum();
        SpoolReport {
            pending: records - self.delivered,
            bytes: self.segments.iter().map(|segment| segment.length).sum(),
            dropped: self.dropped,
            damaged: self.damaged,
        }
    }

    /// Appends the messages from `first` on. The number of those that need no more attention, because
    /// they are on disk or had to be dropped, and why it stopped before the end.
    pub fn append(&mut self, batch: &Batch, first: usize) -> (usize, io::Result<()>) {
        let segment_bytes = SEGMENT.min(self.options.max_bytes / 8).max(4096);
        let mut done = 0;
        let mut block = Block::default();
        for message in batch.messages().skip(first) {
            let size = (segment::HEAD + message.line.len()) as u64;
            if !self.make_room(block.bytes.len() as u64 + size) {
                self.dropped += 1;
                // In order: those before it are written first.
                if let Err(error) = self.write(&mut block, &mut done) {
                    self.dropped -= 1;
                    return (done, Err(error));
                }
                done += 1;
                continue;
            }
            segment::write(message.priority, message.line, &mut block.bytes);
            block.ends.push(block.bytes.len());
            let full = self.last().length + block.bytes.len() as u64 >= segment_bytes;
            if full || block.bytes.len() >= 1 << 20 {
                let written = self.write(&mut block, &mut done);
                let written =
                    written.and_then(|()| if full { self.next_segment() } else { Ok(()) });
                if let Err(error) = written {
                    return (done, Err(error));
                }
            }
        }
        let result = self.write(&mut block, &mut done);
        let synced = match self.options.sync {
            Sync::Always => self.sync(),
            Sync::Second => self.sync_if_due(),
            Sync::Never => Ok(()),
        };
        (done, result.and(synced))
    }

    fn last(&mut self) -> &mut Segment {
        self.segments
            .back_mut()
            .expect("there is always one to write to")
    }

    /// Writes records at the end of what counts: a torn write is written over by the next. Where the
    /// disk has room for some of them only, these count: a batch larger than what is left would never
    /// be written as a whole.
    fn write(&mut self, block: &mut Block, done: &mut usize) -> io::Result<()> {
        if block.ends.is_empty() {
            return Ok(());
        }
        let mut failed = self.write_some(block, done).err();
        if failed.is_some() && self.renew() {
            failed = self.write_some(block, done).err();
        }
        match failed {
            None => Ok(()),
            Some(error) => {
                let directory = self.options.directory.display();
                Err(about(&format!("spool {directory}"), &error))
            }
        }
    }

    /// Writes as many records of a block as go; those are taken out of it.
    fn write_some(&mut self, block: &mut Block, done: &mut usize) -> io::Result<()> {
        let end = self.last().length;
        let (written, failed) = write_at(&self.writing, &block.bytes, end);
        let records = block.ends.partition_point(|end| *end <= written);
        let whole = records.checked_sub(1).map_or(0, |last| block.ends[last]);
        if failed.is_some() {
            let _ = self.writing.set_len(end + whole as u64);
        }
        let last = self.last();
        last.length += whole as u64;
        last.records += records as u64;
        *done += records;
        self.unsynced |= records > 0;
        block.forget(records, whole);
        failed.map_or(Ok(()), Err)
    }

    /// Gives back the disk that an only segment takes whose messages are all delivered. It goes on
    /// under the next number, so that a position saved before never points into what comes after.
    fn renew(&mut self) -> bool {
        let empty = MAGIC.len() as u64;
        let (number, length) = (self.segments[0].number, self.segments[0].length);
        if self.segments.len() > 1 || self.offset < length || length <= empty {
            return false;
        }
        let directory = &self.options.directory;
        let renewed = self.writing.set_len(empty).and_then(|()| {
            self.segments[0].length = empty;
            self.segments[0].records = 0;
            (self.offset, self.delivered, self.reading) = (empty, 0, None);
            self.ahead.clear();
            std::fs::rename(path(directory, number), path(directory, number + 1))
        });
        if renewed.is_err() {
            return false;
        }
        self.segments[0].number = number + 1;
        self.save_position().is_ok()
    }

    fn next_segment(&mut self) -> io::Result<()> {
        if self.options.sync != Sync::Never {
            self.sync()?;
        }
        let number = self.last().number + 1;
        self.writing = create(&self.options.directory, number)?;
        self.segments.push_back(Segment {
            number,
            length: MAGIC.len() as u64,
            records: 0,
        });
        Ok(())
    }

    /// Whether so many more bytes fit, old messages being dropped for them where that is the rule.
    fn make_room(&mut self, bytes: u64) -> bool {
        loop {
            let taken: u64 = self.segments.iter().map(|segment| segment.length).sum();
            if taken + bytes <= self.options.max_bytes {
                return true;
            }
            if self.options.when_full == WhenFull::DropNewest || self.segments.len() < 2 {
                return false;
            }
            self.dropped += self.segments[0].records - self.delivered;
            if self.forget_first().is_err() || self.save_position().is_err() {
                return false;
            }
        }
    }

    /// Deletes the first segment.
    fn forget_first(&mut self) -> io::Result<()> {
        let first = self
            .segments
            .pop_front()
            .expect("the last is never forgotten");
        self.reading = None;
        self.ahead.clear();
        self.offset = MAGIC.len() as u64;
        self.delivered = 0;
        std::fs::remove_file(path(&self.options.directory, first.number))
    }

    /// At the start: passes over what was delivered before.
    fn skip_to(&mut self, offset: u64) -> io::Result<()> {
        while self.offset < offset.min(self.segments[0].length) {
            let batch = self.read(1024);
            if batch.is_empty() {
                break;
            }
            let mut reached = self.offset;
            let mut count = 0;
            for length in &self.ahead {
                if reached + length > offset {
                    break;
                }
                reached += length;
                count += 1;
            }
            if count == 0 {
                break;
            }
            let number = self.segments[0].number;
            self.advance(count)?;
            if self.segments[0].number != number {
                break;
            }
        }
        Ok(())
    }

    /// The next messages that are not delivered, at most so many; empty where there are none.
    pub fn read(&mut self, most: usize) -> Batch {
        let mut batch = Batch::default();
        self.ahead.clear();
        while batch.is_empty() {
            let first = &self.segments[0];
            if self.offset >= first.length {
                if self.segments.len() < 2 || self.forget_first().is_err() {
                    break;
                }
                continue;
            }
            let left = first.length - self.offset;
            match self.records(left, most) {
                Ok(bytes) => {
                    let mut rest = bytes.as_slice();
                    while batch.len() < most
                        && let Some((priority, text, length)) = segment::read(rest)
                    {
                        batch.push(priority, text);
                        self.ahead.push_back(length as u64);
                        rest = &rest[length..];
                    }
                }
                Err(_) => break,
            }
            if batch.is_empty() {
                // It counted when it was written: the disk has lost it.
                self.damaged += 1;
                self.dropped += self.segments[0].records - self.delivered;
                self.delivered = self.segments[0].records;
                self.offset = self.segments[0].length;
            }
        }
        batch
    }

    /// Bytes of the first segment from the offset on: at least one record.
    fn records(&mut self, left: u64, most: usize) -> io::Result<Vec<u8>> {
        let number = self.segments[0].number;
        if self
            .reading
            .as_ref()
            .is_none_or(|(open, _)| *open != number)
        {
            self.reading = Some((number, File::open(path(&self.options.directory, number))?));
        }
        let Some((_, file)) = &self.reading else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let mut head = [0; 4];
        file.read_exact_at(&mut head, self.offset)?;
        let one = u64::from(u32::from_le_bytes(head)) + segment::HEAD as u64;
        let ahead = if most > 1 { READ_AHEAD } else { 0 };
        let mut bytes = vec![0; usize::try_from(left.min(ahead.max(one))).unwrap_or(0)];
        file.read_exact_at(&mut bytes, self.offset)?;
        Ok(bytes)
    }

    /// So many of the messages that were read are delivered.
    ///
    /// # Errors
    /// When the position cannot be saved; they may then be delivered again one day.
    pub fn delivered(&mut self, messages: usize) -> io::Result<()> {
        if messages == 0 {
            return Ok(());
        }
        self.advance(messages)?;
        self.save_position()
    }

    fn advance(&mut self, messages: usize) -> io::Result<()> {
        // Where the segment was dropped meanwhile, nothing is ahead any more.
        let count = messages.min(self.ahead.len());
        self.offset += self.ahead.drain(..count).sum::<u64>();
        self.delivered += count as u64;
        while self.segments.len() > 1 && self.offset >= self.segments[0].length {
            self.forget_first()?;
        }
        Ok(())
    }

    fn save_position(&mut self) -> io::Result<()> {
        self.turn += 1;
        let mut slot = [0; SLOT];
        slot[..8].copy_from_slice(&self.turn.to_le_bytes());
        slot[8..16].copy_from_slice(&self.segments[0].number.to_le_bytes());
        slot[16..24].copy_from_slice(&self.offset.to_le_bytes());
        let sum = crc32fast::hash(&slot[..24]);
        slot[24..].copy_from_slice(&sum.to_le_bytes());
        self.position
            .write_all_at(&slot, (self.turn % 2) * SLOT as u64)
    }

    /// Has the disk keep what was written.
    ///
    /// # Errors
    /// What the disk said.
    pub fn sync(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.unsynced) {
            self.writing.sync_data()?;
        }
        self.synced = Instant::now();
        Ok(())
    }

    /// The same, once a second and where that is wanted.
    ///
    /// # Errors
    /// What the disk said.
    pub fn sync_if_due(&mut self) -> io::Result<()> {
        let due =
            self.options.sync == Sync::Second && self.synced.elapsed() >= Duration::from_secs(1);
        if due && self.unsynced {
            self.sync()
        } else {
            Ok(())
        }
    }
}

/// Writes until all is written or the disk says no; how much was written.
fn write_at(file: &File, bytes: &[u8], at: u64) -> (usize, Option<io::Error>) {
    let mut written = 0;
    while written < bytes.len() {
        match file.write_at(&bytes[written..], at + written as u64) {
            Ok(0) => return (written, Some(io::ErrorKind::WriteZero.into())),
            Ok(more) => written += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (written, Some(error)),
        }
    }
    (written, None)
}

/// Alerts tell of secrets: only the owner reads them.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:020}.spool"))
}

fn numbers(directory: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".spool"));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn create(directory: &Path, number: u64) -> io::Result<File> {
    let file = private()
        .read(true)
        .write(true)
        .create_new(true)
        .open(path(directory, number))?;
    if let Err(error) = file.write_all_at(MAGIC, 0) {
        let _ = std::fs::remove_file(path(directory, number));
        return Err(error);
    }
    Ok(file)
}

/// Turn, segment and offset of the better slot.
fn read_position(file: &File) -> (u64, u64, u64) {
    let mut best = (0, 0, 0);
    for slot in 0..2 {
        let mut bytes = [0; SLOT];
        if file.read_exact_at(&mut bytes, slot * SLOT as u64).is_err() {
            continue;
        }
        let number =
            |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let sum = u32::from_le_bytes(bytes[24..].try_into().expect("four bytes"));
        if sum == crc32fast::hash(&bytes[..24]) && number(0) > best.0 {
            best = (number(0), number(8), number(16));
        }
    }
    best
}
