//! What a ring holds, for hunts: segment after segment, from its directory or from the service that has
//! it in memory.
//!
//! The ring moves on meanwhile. A segment that went before it was reached is missing, which the next one
//! shows by its number; the newest may end in the middle of a frame, as any does whose writer was killed.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use capture::{Item, Reader};

use crate::directory;
use crate::segment::SegmentId;
use crate::socket::{GREETING, LINE};

/// A service that says nothing for so long has hung.
const PATIENCE: Duration = Duration::from_secs(30);

/// A segment to be read, as the capture that it is.
pub struct Held {
    /// Which it is.
    pub id: SegmentId,
    /// Its bytes.
    pub input: Box<dyn Read>,
}

/// The segments, the oldest first.
pub struct Segments {
    from: From,
    /// All have been given: whoever asks again hears the same.
    ended: bool,
    /// Time of the newest event, nanoseconds since the epoch; 0: there is none.
    pub newest: u64,
}

enum From {
    Directory(VecDeque<(SegmentId, PathBuf)>),
    Service {
        stream: Rc<RefCell<BufReader<UnixStream>>>,
        /// Bytes of the segment before that were not read.
        left: Rc<RefCell<u64>>,
    },
}

impl Segments {
    /// Those in a directory.
    ///
    /// # Errors
    /// When it cannot be read, or holds none.
    pub fn in_directory(path: &Path) -> io::Result<Self> {
        let found = directory::segments(path)?;
        let Some((_, last, _)) = found.last() else {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "there are no segments of a flight recorder (files flight-*.scap)",
            ));
        };
        let newest = newest(last);
        let files = found.into_iter().map(|(id, path, _)| (id, path));
        Ok(Self {
            from: From::Directory(files.collect()),
            ended: false,
            newest,
        })
    }

    /// Those that a running service has, over its socket.
    ///
    /// # Errors
    /// When nobody answers there, or something else.
    pub fn of_service(socket: &Path) -> io::Result<Self> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(format!("{GREETING}\n").as_bytes())?;
        let mut stream = BufReader::new(stream);
        let line = line(&mut stream)?;
        let newest = line
            .strip_prefix(GREETING)
            .and_then(|rest| rest.trim().parse().ok())
            .ok_or_else(|| strange(&line))?;
        Ok(Self {
            from: From::Service {
                stream: Rc::new(RefCell::new(stream)),
                left: Rc::default(),
            },
            ended: false,
            newest,
        })
    }

    /// The next segment.
    ///
    /// # Errors
    /// When it cannot be read.
    #[allow(
        clippy::should_implement_trait,
        reason = "what it gives is read before the next is asked for"
    )]
    pub fn next(&mut self) -> io::Result<Option<Held>> {
        if self.ended {
            return Ok(None);
        }
        match &mut self.from {
            From::Directory(files) => {
                while let Some((id, path)) = files.pop_front() {
                    match File::open(&path) {
                        Ok(file) => {
                            let input = Box::new(file);
                            return Ok(Some(Held { id, input }));
                        }
                        // The ring went on without it.
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        Err(error) => {
                            let text = format!("{}: {error}", path.display());
                            return Err(io::Error::new(error.kind(), text));
                        }
                    }
                }
                Ok(None)
            }
            From::Service { stream, left } => {
                let mut rest = Part {
                    stream: Rc::clone(stream),
                    left: Rc::clone(left),
                };
                io::copy(&mut rest, &mut io::sink())?;
                let line = line(&mut stream.borrow_mut())?;
                if line == "end" {
                    self.ended = true;
                    return Ok(None);
                }
                let (id, length) = announced(&line).ok_or_else(|| strange(&line))?;
                *left.borrow_mut() = length;
                let input = Box::new(rest);
                Ok(Some(Held { id, input }))
            }
        }
    }
}

/// `segment NAME LENGTH`
fn announced(line: &str) -> Option<(SegmentId, u64)> {
    let (name, length) = line.strip_prefix("segment ")?.split_once(' ')?;
    Some((SegmentId::from_file_name(name)?, length.parse().ok()?))
}

fn strange(line: &str) -> io::Error {
    let text = match line.strip_prefix("error ") {
        Some(error) => error.to_owned(),
        None => format!("no flight recorder answers: '{}'", line.escape_debug()),
    };
    io::Error::new(io::ErrorKind::InvalidData, text)
}

fn line(stream: &mut BufReader<UnixStream>) -> io::Result<String> {
    let mut line = Vec::new();
    stream.take(LINE).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the service broke off; the ring went on faster than it was read, or the service ended",
        ));
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

/// One segment of the service's answer.
struct Part {
    stream: Rc<RefCell<BufReader<UnixStream>>>,
    left: Rc<RefCell<u64>>,
}

impl Read for Part {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut left = self.left.borrow_mut();
        let most = usize::try_from(*left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        if most == 0 {
            return Ok(0);
        }
        let length = self.stream.borrow_mut().read(&mut buffer[..most])?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        *left -= length as u64;
        Ok(length)
    }
}

/// Time of the last event in a file, as far as it can be read.
fn newest(path: &Path) -> u64 {
    let Ok(file) = File::open(path) else { return 0 };
    let Ok(mut reader) = Reader::new(file) else {
        return 0;
    };
    let mut newest = 0;
    while let Ok(Some(item)) = reader.next() {
        if let Item::Event(record) = item
            && record.ts != u64::MAX
        {
            newest = newest.max(record.ts);
        }
    }
    newest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements_are_read_and_nonsense_is_not() {
        let id = SegmentId {
            start: 5,
            run: 6,
            number: 7,
        };
        assert_eq!(announced(&format!("segment {id} 99")), Some((id, 99)));
        for line in [
            "",
            "segment",
            "segment x 1",
            &format!("segment {id} -1"),
            "end",
        ] {
            assert_eq!(announced(line), None, "{line}");
        }
    }

    #[test]
    fn a_folder_without_segments_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Segments::in_directory(folder.path()).is_err());
        std::fs::write(folder.path().join("flight-1.scap"), "x").unwrap();
        assert!(Segments::in_directory(folder.path()).is_err());
        assert!(Segments::in_directory(&folder.path().join("none")).is_err());
    }
}
