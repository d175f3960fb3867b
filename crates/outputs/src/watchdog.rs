//! Complains about deliveries that take too long. It only speaks: what to do about a receiver that
//! hangs is for its channel to decide.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::pulse::Pulse;
use crate::queue::{Listener, Notice};

pub(crate) struct Watchdog {
    ended: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    pub(crate) fn start(
        pulses: Vec<(Arc<str>, Arc<Pulse>)>,
        limit: Duration,
        listener: Listener,
    ) -> io::Result<Self> {
        let ended = Arc::new((Mutex::new(false), Condvar::new()));
        let period = (limit / 4).clamp(Duration::from_millis(10), Duration::from_millis(500));
        let thread = thread::Builder::new()
            .name("output watchdog".to_owned())
            .spawn({
                let ended = Arc::clone(&ended);
                move || {
                    let (flag, changed) = &*ended;
                    let mut over = flag.lock().unwrap_or_else(PoisonError::into_inner);
                    while !*over {
                        // While nobody delivers, nothing can take long yet: fewer wake-ups.
                        let busy = pulses.iter().any(|(_, pulse)| pulse.is_beating());
                        over = changed
                            .wait_timeout(over, if busy { period } else { limit.max(period) })
                            .unwrap_or_else(PoisonError::into_inner)
                            .0;
                        for (name, pulse) in &pulses {
                            if pulse.overdue(limit) {
                                listener(Notice::Slow(name));
                            }
                        }
                    }
                }
            })?;
        Ok(Self {
            ended,
            thread: Some(thread),
        })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        *self.ended.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.ended.1.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
