//! Whether the kernel still tells us anything.
//!
//! Where events come there is nothing to ask. Where none come for a while, a thread of our own ends,
//! which the probe always sees: a machine on which nothing happens answers, a probe that is gone does
//! not.

use std::thread;
use std::time::{Duration, Instant};

/// A silence that is asked about, and the time an answer may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Listens for the kernel.
#[derive(Debug)]
pub(super) struct Heartbeat {
    /// Events until the last look.
    events: u64,
    /// When the last event was noticed.
    heard: Instant,
    /// When a thread was ended to be told of.
    asked: Option<Instant>,
}

impl Heartbeat {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            events: 0,
            heard: now,
            asked: None,
        }
    }

    /// To be called now and then with the number of events so far. `ask` makes one happen. The result
    /// is how long nothing has come, once an answer is overdue.
    pub(super) fn look(
        &mut self,
        now: Instant,
        events: u64,
        ask: impl FnOnce(),
    ) -> Option<Duration> {
        if events != self.events {
            self.events = events;
            self.heard = now;
            self.asked = None;
            return None;
        }
        let silence = now.duration_since(self.heard);
        match self.asked {
            None if silence >= PATIENCE => {
                self.asked = Some(now);
                ask();
                None
            }
            Some(asked) if now.duration_since(asked) >= PATIENCE => Some(silence),
            _ => None,
        }
    }
}

/// A thread that begins and ends. Without one there is no answer, and that is said too: a process that
/// can start none is in trouble.
pub(super) fn end_a_thread() {
    let thread = thread::Builder::new().name("heartbeat".to_owned());
    if let Ok(thread) = thread.spawn(|| {}) {
        let _ = thread.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_asked_about_once_and_then_told() {
        let start = Instant::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        let mut heartbeat = Heartbeat::new(start);
        let mut asked = 0;
        let mut look = |heartbeat: &mut Heartbeat, seconds, events| {
            let silence = heartbeat.look(at(seconds), events, || asked += 1);
            (silence.map(|silence| silence.as_secs()), asked)
        };
        assert_eq!(look(&mut heartbeat, 1, 10), (None, 0));
        assert_eq!(look(&mut heartbeat, 2, 20), (None, 0));
        assert_eq!(look(&mut heartbeat, 4, 20), (None, 0));
        assert_eq!(look(&mut heartbeat, 5, 20), (None, 1));
        assert_eq!(look(&mut heartbeat, 7, 20), (None, 1));
        // The answer came.
        assert_eq!(look(&mut heartbeat, 7, 21), (None, 1));
        assert_eq!(look(&mut heartbeat, 11, 21), (None, 2));
        // This time none does.
        assert_eq!(look(&mut heartbeat, 14, 21), (Some(7), 2));
        assert_eq!(look(&mut heartbeat, 20, 21), (Some(13), 2));
        assert_eq!(look(&mut heartbeat, 21, 22), (None, 2));
    }
}
