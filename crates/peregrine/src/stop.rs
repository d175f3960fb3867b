//! Signals, as flags that the event loop looks at now and then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};

/// What signals asked for.
#[derive(Clone, Debug, Default)]
pub struct Signals {
    stop: Arc<AtomicBool>,
    interrupted: Arc<AtomicBool>,
    reopen: Arc<AtomicBool>,
    hangup: Arc<AtomicBool>,
}

impl Signals {
    /// Catches SIGINT, SIGTERM (stop), SIGUSR1 (reopen outputs) and SIGHUP.
    ///
    /// # Errors
    /// When the operating system refuses a handler.
    pub fn catch() -> std::io::Result<Self> {
        let signals = Self::default();
        for signal in [SIGINT, SIGTERM] {
            // The second signal ends the program at once, should the first have no effect.
            signal_hook::flag::register_conditional_shutdown(signal, 1, signals.stop.clone())?;
            signal_hook::flag::register(signal, signals.stop.clone())?;
        }
        signal_hook::flag::register(SIGINT, signals.interrupted.clone())?;
        signal_hook::flag::register(SIGUSR1, signals.reopen.clone())?;
        signal_hook::flag::register(SIGHUP, signals.hangup.clone())?;
        Ok(signals)
    }

    /// Whether the loop shall end.
    pub fn stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Name of the signal that ended the loop.
    pub fn name(&self) -> &'static str {
        if self.interrupted.load(Ordering::Relaxed) { "SIGINT" } else { "SIGTERM" }
    }

    /// Whether outputs shall be opened anew; true once for each signal.
    pub fn take_reopen(&self) -> bool {
        self.reopen.load(Ordering::Relaxed) && self.reopen.swap(false, Ordering::Relaxed)
    }

    /// Whether SIGHUP came; true once for each.
    pub fn take_hangup(&self) -> bool {
        self.hangup.load(Ordering::Relaxed) && self.hangup.swap(false, Ordering::Relaxed)
    }
}
