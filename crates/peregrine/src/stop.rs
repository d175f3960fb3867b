//! Signals, as flags that the event loop looks at now and then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};

/// What signals asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signals {
    stop: Arc<AtomicBool>,
    interrupted: Arc<AtomicBool>,
    reopen: Arc<AtomicBool>,
}

impl Signals {
    /// Catches SIGINT, SIGTERM (stop) and SIGUSR1 (reopen outputs).
    ///
    /// # Errors
    /// When the operating system refuses a handler.
    pub(crate) fn catch() -> std::io::Result<Self> {
        let signals = Self::default();
        for signal in [SIGINT, SIGTERM] {
            // The second signal ends the program at once, should the first have no effect.
            signal_hook::flag::register_conditional_shutdown(signal, 1, signals.stop.clone())?;
            signal_hook::flag::register(signal, signals.stop.clone())?;
        }
        signal_hook::flag::register(SIGINT, signals.interrupted.clone())?;
        signal_hook::flag::register(SIGUSR1, signals.reopen.clone())?;
        Ok(signals)
    }

    /// Whether the loop shall end.
    pub(crate) fn stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Name of the signal that ended the loop.
    pub(crate) fn name(&self) -> &'static str {
        if self.interrupted.load(Ordering::Relaxed) {
            "SIGINT"
        } else {
            "SIGTERM"
        }
    }

    /// Whether outputs shall be opened anew; true once for each signal.
    pub(crate) fn take_reopen(&self) -> bool {
        self.reopen.load(Ordering::Relaxed) && self.reopen.swap(false, Ordering::Relaxed)
    }
}
