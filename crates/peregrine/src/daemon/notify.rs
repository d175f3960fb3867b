//! What systemd is told: that we are ready, alive, going.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

/// The supervisor's watchdog, where there is one.
pub(crate) struct Supervisor {
    period: Option<Duration>,
    last: Instant,
}

impl Supervisor {
    /// Asks the environment.
    pub(crate) fn new() -> Self {
        let mut micros = 0;
        let watched = sd_notify::watchdog_enabled(false, &mut micros);
        Self {
            period: (watched && micros > 0).then(|| Duration::from_micros(micros / 3)),
            last: Instant::now(),
        }
    }

    /// Says that everything has begun.
    pub(crate) fn ready() {
        // Without systemd there is nobody to tell.
        let _ = sd_notify::notify(false, &[NotifyState::Ready]);
    }

    /// Says that the end has begun.
    pub(crate) fn stopping() {
        let _ = sd_notify::notify(false, &[NotifyState::Stopping]);
    }

    /// Says something to people.
    pub(crate) fn status(text: &str) {
        let _ = sd_notify::notify(false, &[NotifyState::Status(text)]);
    }

    /// Says that the event loop is alive, as often as the supervisor wants to hear it.
    pub(crate) fn alive(&mut self) {
        if let Some(period) = self.period
            && self.last.elapsed() >= period
        {
            self.last = Instant::now();
            let _ = sd_notify::notify(false, &[NotifyState::Watchdog]);
        }
    }
}
