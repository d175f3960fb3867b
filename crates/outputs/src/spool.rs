//! Messages on disk until they are delivered: durable, ordered, at least once, bounded.
//!
//! ```text
//! engine ─► queue ─► worker ─► store (segments on disk) ─► sender ─► channel
//!                    appends                                reads, delivers, moves the position
//! ```
//!
//! The engine never waits for the disk: the queue is in between. What the worker has appended
//! survives the end of the process, however it ends; with [`Sync::Always`] that of the machine too.
//! The position moves after a delivery, so a message may be delivered twice and never not at all.
//!
//! [`segment`] is the format, [`store`] the directory.

pub mod segment;
pub mod store;

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::channel::{Channel, Failure, Progress};
use crate::courier::{Carried, Courier, Course};
use crate::message::{Batch, Message};
use crate::queue::{Listener, Notice};
use store::Store;

/// Messages between two moves of the position: so many may be delivered twice.
const STRIDE: usize = 64;
/// Bytes of refused messages that are kept.
const MAX_REFUSED: u64 = 16 << 20;

/// What happens to messages when a spool has its full size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// New ones are dropped: how an attack began is kept.
    #[default]
    DropNewest,
    /// The oldest segment is dropped.
    DropOldest,
}

/// When the disk is told to keep what was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sync {
    /// Never: the kernel does it in its own time.
    Never,
    /// Once a second.
    #[default]
    Second,
    /// After each batch.
    Always,
}

/// A spool as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpoolOptions {
    /// Its directory, of this output alone; made where it is missing.
    pub directory: PathBuf,
    /// Bytes it may take.
    pub max_bytes: u64,
    /// What happens then.
    pub when_full: WhenFull,
    /// How safe against the end of the machine.
    pub sync: Sync,
}

/// How a spool is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpoolReport {
    /// Messages that are not delivered yet.
    pub pending: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Messages that had to be dropped because it was full.
    pub dropped: u64,
    /// Damaged places that were passed over.
    pub damaged: u64,
}

pub(crate) struct Shared {
    name: Arc<str>,
    store: Mutex<State>,
    changed: Condvar,
    listener: Listener,
}

struct State {
    store: Store,
    /// Nothing more will be appended.
    complete: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn report(&self) -> SpoolReport {
        self.lock().store.report()
    }

    fn send(&self, mut courier: Courier) {
        loop {
            let batch = {
                let mut state = self.lock();
                loop {
                    if courier.course.cancelled() {
                        return self.end(courier);
                    }
                    let batch = state.store.read(STRIDE);
                    if !batch.is_empty() {
                        break batch;
                    }
                    if state.complete {
                        drop(state);
                        return self.end(courier);
                    }
                    if let Err(error) = state.store.sync_if_due() {
                        (self.listener)(Notice::Failed(&self.name, &error));
                    }
                    let moment = Duration::from_secs(1);
                    let woken = self.changed.wait_timeout(state, moment);
                    state = woken.unwrap_or_else(PoisonError::into_inner).0;
                }
            };
            let carried = courier.carry(&batch);
            let done = match carried {
                Carried::Done => batch.len(),
                Carried::Stopped(done) => done,
                Carried::Gone => 0,
            };
            let moved = self.lock().store.delivered(done);
            if let Err(error) = moved {
                (self.listener)(Notice::Failed(&self.name, &error));
            }
            if carried != Carried::Done {
                return self.end(courier);
            }
        }
    }

    fn end(&self, mut courier: Courier) {
        if let Err(error) = courier.channel.close() {
            (self.listener)(Notice::Failed(&self.name, &error));
        }
    }
}

/// Opens a spool and starts its sender, which owns the real channel. The channel that is returned
/// appends to the spool.
///
/// # Errors
/// When the directory cannot be used, or another process uses it.
pub(crate) fn start(
    options: &SpoolOptions,
    mut courier: Courier,
) -> io::Result<(Box<dyn Channel>, Arc<Shared>)> {
    let store = Store::open(options)?;
    let report = store.report();
    let shared = Arc::new(Shared {
        name: Arc::clone(&courier.name),
        store: Mutex::new(State {
            store,
            complete: false,
        }),
        changed: Condvar::new(),
        listener: Arc::clone(&courier.listener),
    });
    if report.damaged > 0 {
        let text = format!("{} damaged places were passed over", report.damaged);
        (shared.listener)(Notice::Spool(&shared.name, &text));
    }
    let refused = options.directory.join("refused.log");
    courier.dead = Some(Box::new(move |message| bury(&refused, message)));
    let course = Arc::clone(&courier.course);
    let sender = thread::Builder::new()
        .name(format!("spool {}", shared.name))
        .spawn({
            let shared = Arc::clone(&shared);
            move || shared.send(courier)
        })?;
    let channel = SpoolChannel {
        shared: Arc::clone(&shared),
        sender: Some(sender),
        course,
    };
    Ok((Box::new(channel), shared))
}

/// Keeps a message that the receiver refused. It is counted elsewhere; where it cannot be kept, that
/// is all.
fn bury(path: &Path, message: Message<'_>) {
    let small = std::fs::metadata(path).map_or(true, |metadata| metadata.len() < MAX_REFUSED);
    if small && let Ok(mut file) = OpenOptions::new().append(true).create(true).open(path) {
        let _ = file.write_all(&[message.line, b"\n"].concat());
    }
}

/// The worker's end of a spool.
struct SpoolChannel {
    shared: Arc<Shared>,
    sender: Option<JoinHandle<()>>,
    course: Arc<Course>,
}

impl Channel for SpoolChannel {
    fn deliver(&mut self, batch: &Batch, progress: &mut Progress<'_>) -> Result<(), Failure> {
        let mut state = self.shared.lock();
        let dropped = state.store.report().dropped;
        let (appended, result) = state.store.append(batch, progress.done());
        let now = state.store.report().dropped;
        drop(state);
        self.shared.changed.notify_all();
        progress.delivered(appended);
        if now > dropped && (dropped == 0 || now / 10_000 > dropped / 10_000) {
            let text = format!("the spool is full; {now} messages have been dropped so far");
            (self.shared.listener)(Notice::Spool(&self.shared.name, &text));
        }
        result.map_err(Failure::Again)
    }

    fn close(&mut self) -> io::Result<()> {
        self.shared.lock().complete = true;
        self.course.close();
        self.shared.changed.notify_all();
        if let Some(sender) = self.sender.take() {
            let _ = sender.join();
        }
        self.shared.lock().store.sync()
    }
}
