//! Loading everything anew while the engine runs.
//!
//! ```text
//! SIGHUP, inotify ─► this thread: load, check, compile ─► slot ─► event loop: swap between two events
//! ```
//!
//! The directories of all files are watched, not the files: editors and configuration managers put
//! new files in the place of old ones, and Kubernetes swaps a link in the directory. What counts in
//! the end is whether the content of anything that was loaded is different.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io::Read as _;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use super::Daemon;
use crate::log;
use crate::pipeline::Compiled;

/// Changes come in bursts; so long without one ends a burst.
const CALM: Duration = Duration::from_millis(100);
/// Longest a burst may hold a reload up.
const BURST: u32 = 50;

/// What came of loading.
pub(crate) enum Outcome {
    /// To be swapped in.
    Ready(Box<Compiled>),
    /// Why everything stays as it is.
    Failed(String),
}

/// Hands over from the thread to the event loop.
#[derive(Default)]
pub(crate) struct Slot {
    full: AtomicBool,
    outcome: Mutex<Option<Outcome>>,
}

impl Slot {
    fn put(&self, outcome: Outcome) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        self.full.store(true, Ordering::Release);
    }

    /// What came of the last loading, once.
    pub(crate) fn take(&self) -> Option<Outcome> {
        if !self.full.load(Ordering::Acquire) {
            return None;
        }
        self.full.store(false, Ordering::Relaxed);
        self.outcome
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

/// Starts the thread. `watch`: files are watched, not only SIGHUP.
///
/// # Errors
/// When a directory cannot be watched, or the signal not be caught.
pub(crate) fn start(daemon: Daemon, watch: bool) -> Result<Arc<Slot>> {
    let (signal, sender) = UnixStream::pair().context("cannot make a pipe for SIGHUP")?;
    signal
        .set_nonblocking(true)
        .context("cannot make a pipe for SIGHUP")?;
    signal_hook::low_level::pipe::register(signal_hook::consts::SIGHUP, sender)
        .context("cannot catch SIGHUP")?;
    let mut watcher = Watcher::new(watch, signal)?;
    watcher.follow(&daemon.inputs)?;
    let slot = Arc::new(Slot::default());
    thread::Builder::new()
        .name("reload".to_owned())
        .spawn({
            let slot = Arc::clone(&slot);
            move || reloads(&daemon, &mut watcher, &slot)
        })
        .context("cannot start the thread that reloads")?;
    Ok(slot)
}

fn reloads(daemon: &Daemon, watcher: &mut Watcher, slot: &Slot) {
    let (mut inputs, mut seen) = (daemon.inputs.clone(), daemon.seen);
    loop {
        let (changed, mut signalled) = watcher.wait(None);
        for _ in 0..BURST {
            if !changed {
                break;
            }
            let (more, signal) = watcher.wait(Some(CALM));
            signalled |= signal;
            if !more {
                break;
            }
        }
        let now = fingerprint(&inputs);
        if now == seen && !signalled {
            continue;
        }
        seen = now;
        match (daemon.prepare)() {
            Ok((compiled, looked_at)) => {
                // Of the same files the older one counts: what changed while they were read shows then.
                if inputs != looked_at {
                    inputs = looked_at;
                    seen = fingerprint(&inputs);
                }
                if let Err(error) = watcher.follow(&inputs) {
                    log::error(&format!("{error:#}; only SIGHUP reloads it"));
                }
                slot.put(Outcome::Ready(Box::new(compiled)));
            }
            Err(error) => slot.put(Outcome::Failed(format!("{error:#}"))),
        }
    }
}

/// Directories that are watched, and the signal.
struct Watcher {
    inotify: Option<OwnedFd>,
    signal: UnixStream,
}

impl Watcher {
    fn new(watch: bool, signal: UnixStream) -> Result<Self> {
        let flags = CreateFlags::CLOEXEC | CreateFlags::NONBLOCK;
        let open = || inotify::init(flags).context("cannot watch files (inotify)");
        Ok(Self {
            inotify: watch.then(open).transpose()?,
            signal,
        })
    }

    /// Watches the directories of these files, and directories themselves.
    fn follow(&mut self, inputs: &[PathBuf]) -> Result<()> {
        let Some(inotify) = &self.inotify else {
            return Ok(());
        };
        let flags = WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVED_TO
            | WatchFlags::MOVED_FROM
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::ONLYDIR;
        for input in inputs {
            let parent = input
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty());
            let parent = parent.unwrap_or(Path::new("."));
            for directory in [parent, input.as_path()] {
                if directory.is_dir() {
                    inotify::add_watch(inotify, directory, flags).with_context(|| {
                        format!("could not watch file: {}", directory.display())
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Waits, for at most so long; whether a file changed, and whether SIGHUP came.
    fn wait(&mut self, longest: Option<Duration>) -> (bool, bool) {
        let longest = longest.and_then(|longest| Timespec::try_from(longest).ok());
        let mut ready = vec![PollFd::from_borrowed_fd(self.signal.as_fd(), PollFlags::IN)];
        ready.extend(
            self.inotify
                .as_ref()
                .map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)),
        );
        // Interrupted by a signal, most likely: what came is seen below.
        let _ = poll(&mut ready, longest.as_ref());
        let mut bytes = [0; 64];
        let signalled = matches!((&self.signal).read(&mut bytes), Ok(n) if n > 0);
        (self.changes(), signalled)
    }

    /// Whether something changed since the last look.
    fn changes(&self) -> bool {
        let Some(inotify) = &self.inotify else {
            return false;
        };
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(inotify, &mut buffer);
        let mut any = false;
        // What happened to which file does not matter: contents are compared.
        while events.next().is_ok() {
            any = true;
        }
        any
    }
}

/// Of names and contents: of a directory, of the files in it.
pub(crate) fn fingerprint(inputs: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for input in inputs {
        input.hash(&mut hasher);
        if input.is_dir() {
            let mut files: Vec<PathBuf> = std::fs::read_dir(input)
                .into_iter()
                .flatten()
                .flatten()
                .map(|e| e.path())
                .collect();
            files.sort();
            for file in files.iter().filter(|file| file.is_file()) {
                file.hash(&mut hasher);
                std::fs::read(file).ok().hash(&mut hasher);
            }
        } else {
            std::fs::read(input).ok().hash(&mut hasher);
        }
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_count_and_not_times() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.yaml");
        let inputs = [file.clone(), dir.path().to_owned()];
        let missing = fingerprint(&inputs);
        std::fs::write(&file, "a").unwrap();
        let first = fingerprint(&inputs);
        assert_ne!(missing, first);
        std::fs::write(&file, "a").unwrap();
        assert_eq!(first, fingerprint(&inputs));
        std::fs::write(dir.path().join("b.yaml"), "").unwrap();
        assert_ne!(first, fingerprint(&inputs), "a new file in the directory");
    }

    #[test]
    fn a_file_put_in_the_place_of_another_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.yaml");
        std::fs::write(&file, "a").unwrap();
        let (signal, mut sender) = UnixStream::pair().unwrap();
        signal.set_nonblocking(true).unwrap();
        let mut watcher = Watcher::new(true, signal).unwrap();
        watcher.follow(std::slice::from_ref(&file)).unwrap();
        assert_eq!(watcher.wait(Some(Duration::ZERO)), (false, false));
        std::fs::write(dir.path().join("new"), "b").unwrap();
        std::fs::rename(dir.path().join("new"), &file).unwrap();
        assert_eq!(watcher.wait(None), (true, false));
        std::io::Write::write_all(&mut sender, b"x").unwrap();
        assert_eq!(watcher.wait(None), (false, true));
    }
}
