//! From the event loop to the store. What the disk is too slow for is not kept, and counted: the loop
//! never waits.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::alert::Alert;
use crate::database::{Error, Store};

/// Alerts that may wait for the disk.
const WAITING: usize = 4096;
/// Alerts that are written together.
const TOGETHER: usize = 500;

/// The store as others see it while it is written to.
#[derive(Debug)]
pub struct Shared {
    store: Mutex<Store>,
    /// Number of the newest alert.
    newest: Mutex<i64>,
    changed: Condvar,
    missed: AtomicU64,
    fault: Mutex<Option<String>>,
}

impl Shared {
    /// The store. Writing waits meanwhile.
    pub fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of the newest alert.
    #[must_use]
    pub fn newest(&self) -> i64 {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for an alert with a higher number than `seen`, for at most so long. True: there is one.
    pub fn wait(&self, seen: i64, longest: Duration) -> bool {
        let newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .changed
            .wait_timeout_while(newest, longest, |newest| *newest <= seen);
        *waited.unwrap_or_else(PoisonError::into_inner).0 > seen
    }

    /// Alerts that could not be kept.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    /// Why the last attempt to write failed; `None`: it did not.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        self.fault
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn add(&self, alerts: &[Alert]) {
        let added = self.store().add(alerts);
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        match added {
            Ok(last) => {
                *fault = None;
                *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = last;
                self.changed.notify_all();
            }
            Err(error) => {
                *fault = Some(error.to_string());
                self.missed
                    .fetch_add(alerts.len() as u64, Ordering::Relaxed);
            }
        }
    }
}

/// The event loop's end. Dropping it writes what waits.
#[derive(Debug)]
pub struct Feed {
    sender: Option<SyncSender<Alert>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Feed {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// When there is none to be had, or the store does not answer.
    pub fn start(store: Store) -> io::Result<Self> {
        let newest = store
            .newest()
            .map_err(|error: Error| io::Error::other(error.to_string()))?;
        let shared = Arc::new(Shared {
            store: Mutex::new(store),
            newest: Mutex::new(newest),
            changed: Condvar::new(),
            missed: AtomicU64::new(0),
            fault: Mutex::new(None),
        });
        let (sender, receiver) = sync_channel(WAITING);
        let thread = thread::Builder::new().name("store".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || write(&receiver, &shared)
        })?;
        Ok(Self {
            sender: Some(sender),
            shared,
            thread: Some(thread),
        })
    }

    /// What readers need.
    #[must_use]
    pub fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Hands an alert over, without waiting.
    pub fn alert(&self, alert: Alert) {
        let sender = self.sender.as_ref();
        if sender.is_none_or(|sender| sender.try_send(alert).is_err()) {
            self.shared.missed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn write(receiver: &Receiver<Alert>, shared: &Shared) {
    while let Ok(first) = receiver.recv() {
        let mut alerts = vec![first];
        alerts.extend(receiver.try_iter().take(TOGETHER - 1));
        shared.add(&alerts);
    }
}
