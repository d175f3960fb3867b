//! How a hunt reads the ring of a running service: over a socket that only root and the service's own
//! user may open.
//!
//! ```text
//! client   peregrine-flight 1
//! server   peregrine-flight 1 TIME-OF-THE-NEWEST-EVENT
//!          segment NAME LENGTH     followed by so many bytes; and so on
//!          end
//! ```
//!
//! One client at a time. One segment at a time is held for it: what the ring drops meanwhile is missing
//! in the answer, and memory stays bounded however slowly somebody reads.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;

use crate::lock;
use crate::recorder::Recorder;
use crate::ring::{Segment, Shared};
use crate::segment::SegmentId;

/// The version of what is spoken.
pub(crate) const GREETING: &str = "peregrine-flight 1";
/// Longest line.
pub(crate) const LINE: u64 = 512;

/// A client that asks nothing for so long is sent away.
const ASKING: Duration = Duration::from_secs(2);
/// And one that takes nothing for so long.
const TAKING: Duration = Duration::from_secs(20);

/// Answers until it is dropped.
pub struct Server {
    path: PathBuf,
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens there. What an earlier run left goes.
    ///
    /// # Errors
    /// When it cannot, or somebody answers there already.
    pub fn start(path: &Path, recorder: &Recorder) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)?;
        }
        if UnixStream::connect(path).is_ok() {
            return Err(io::Error::other("another service answers there"));
        }
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
        let end = Arc::<AtomicBool>::default();
        let thread = thread::Builder::new()
            .name("flight socket".to_owned())
            .spawn({
                let (shared, end) = (recorder.shared(), Arc::clone(&end));
                move || serve(&listener, &shared, &end)
            })?;
        Ok(Self {
            path: path.to_owned(),
            end,
            thread: Some(thread),
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        // It waits for somebody to come.
        let woken = UnixStream::connect(&self.path);
        let _ = std::fs::remove_file(&self.path);
        if woken.is_ok()
            && let Some(thread) = self.thread.take()
            && thread.is_finished()
        {
            let _ = thread.join();
        }
    }
}

fn serve(listener: &UnixListener, shared: &Shared, end: &AtomicBool) {
    for stream in listener.incoming() {
        if end.load(Ordering::Relaxed) {
            return;
        }
        match stream {
            // Who went away has no answer.
            Ok(stream) => drop(answer(stream, shared, end)),
            // Out of descriptors, it may be: not as fast as it goes.
            Err(_) => thread::sleep(Duration::from_millis(100)),
        }
    }
}

fn answer(mut stream: UnixStream, shared: &Shared, end: &AtomicBool) -> io::Result<()> {
    stream.set_read_timeout(Some(ASKING))?;
    stream.set_write_timeout(Some(TAKING))?;
    let user = socket_peercred(&stream)?.uid;
    if !user.is_root() && user != geteuid() {
        return stream.write_all(b"error only root and the service's own user may read the ring\n");
    }
    let mut asked = Vec::new();
    BufReader::new(stream.try_clone()?.take(LINE)).read_until(b'\n', &mut asked)?;
    if asked.trim_ascii_end() != GREETING.as_bytes() {
        return stream.write_all(b"error this service speaks another version\n");
    }
    let ring = lock(&shared.ring);
    let last = ring.segments.back().map(|segment| segment.id);
    let time = ring.time;
    drop(ring);
    stream.write_all(format!("{GREETING} {time}\n").as_bytes())?;
    let mut before = None;
    while let Some(segment) = next(shared, before, last) {
        if end.load(Ordering::Relaxed) {
            return Ok(());
        }
        before = Some(segment.id);
        send(&mut stream, &segment)?;
    }
    stream.write_all(b"end\n")
}

/// The oldest segment behind `before`, up to `last`.
fn next(shared: &Shared, before: Option<SegmentId>, last: Option<SegmentId>) -> Option<Segment> {
    let ring = lock(&shared.ring);
    // In the order of the ring, which clocks that were set back do not change.
    let at = match before {
        None => 0,
        Some(before) => match ring.segments.iter().position(|one| one.id == before) {
            Some(at) => at + 1,
            None => ring.segments.iter().position(|one| one.id > before)?,
        },
    };
    if before.is_some() && before == last {
        return None;
    }
    ring.segments.get(at).cloned()
}

fn send(stream: &mut UnixStream, segment: &Segment) -> io::Result<()> {
    let mut file = match &segment.path {
        Some(path) => match File::open(path) {
            Ok(file) => Some(file),
            // It went this moment.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        },
        None => None,
    };
    let (id, length) = (segment.id, segment.bytes);
    stream.write_all(format!("segment {id} {length}\n").as_bytes())?;
    if let Some(file) = &mut file {
        let sent = io::copy(&mut file.take(length), stream)?;
        if sent < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        return Ok(());
    }
    for frame in &segment.frames {
        stream.write_all(&frame.bytes()?)?;
    }
    Ok(())
}
