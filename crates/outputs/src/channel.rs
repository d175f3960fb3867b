//! The one shape of all channels.

pub mod file;
pub mod http;
pub mod jetstream;
pub mod kafka;
pub mod nats;
pub mod otlp;
pub mod program;
pub mod relp;
pub mod rotation;
pub mod socket;
pub mod stream;
pub mod syslog;
pub mod wire;

use std::io;

use crate::message::Batch;
use crate::pulse::Pulse;

/// Carries messages out of the program.
pub trait Channel: Send {
    /// Delivers the messages of `batch` that are not done yet, in order, and says so to `progress`
    /// as it goes: after a failure it is called again for the rest.
    ///
    /// # Errors
    /// [`Failure`]: what is to become of the first message that is not done.
    fn deliver(&mut self, batch: &Batch, progress: &mut Progress<'_>) -> Result<(), Failure>;

    /// Opens the target anew: log rotation, SIGUSR1.
    ///
    /// # Errors
    /// What the operating system said, with the target.
    fn reopen(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Ends: what was opened is closed and waited for.
    ///
    /// # Errors
    /// As [`reopen`](Self::reopen).
    fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Why a message was not delivered, and what that means for it.
#[derive(Debug)]
pub enum Failure {
    /// The receiver cannot be reached or is busy: the message waits, however long that takes.
    Again(io::Error),
    /// It took too long: one more attempt at once, and then as `Again`.
    Slow(io::Error),
    /// The receiver failed on this message. It may be the message: attempts are limited, or an
    /// attacker who finds a text that a receiver stumbles over would stop all that follow.
    Stumbled(io::Error),
    /// The receiver will never take this message.
    Refused(io::Error),
    /// Nobody will ever read again.
    Gone,
}

impl Failure {
    /// What happened.
    #[must_use]
    pub fn error(&self) -> Option<&io::Error> {
        match self {
            Self::Again(error)
            | Self::Slow(error)
            | Self::Stumbled(error)
            | Self::Refused(error) => Some(error),
            Self::Gone => None,
        }
    }
}

/// How far a batch has been delivered.
#[derive(Debug)]
pub struct Progress<'p> {
    done: usize,
    pulse: &'p Pulse,
}

impl<'p> Progress<'p> {
    /// Nothing is delivered yet.
    #[must_use]
    pub fn new(pulse: &'p Pulse) -> Self {
        Self { done: 0, pulse }
    }

    /// Messages at the front of the batch that need no more attention.
    #[must_use]
    pub fn done(&self) -> usize {
        self.done
    }

    /// So many more have been delivered.
    pub fn delivered(&mut self, messages: usize) {
        self.done += messages;
        self.pulse.delivered(messages as u64);
    }

    /// The next one is given up.
    pub(crate) fn skip(&mut self) {
        self.done += 1;
        self.pulse.begin();
    }

    /// A message was cut to what the transport takes.
    pub fn truncated(&mut self) {
        self.pulse.truncated();
    }
}

/// An error that says what it was about.
pub(crate) fn about(target: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{target}: {error}"))
}

/// An error of our own.
pub(crate) fn fault(text: impl Into<String>) -> io::Error {
    io::Error::other(text.into())
}

/// A failure to reach `target`, or to be answered by it: the message waits.
pub(crate) fn trouble(target: &str, error: &io::Error) -> Failure {
    let told = about(target, error);
    if is_timeout(error) {
        Failure::Slow(told)
    } else {
        Failure::Again(told)
    }
}

/// Whether an error means that time ran out.
pub(crate) fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
    )
}
