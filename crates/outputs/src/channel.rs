//! The one shape of all channels.

pub mod file;
pub mod program;
pub mod stream;
pub mod syslog;

use std::io;

use crate::message::Batch;

/// Carries messages out of the program.
pub trait Channel: Send {
    /// Name in log lines: `stdout`, `file`, ...
    fn name(&self) -> &'static str;

    /// Delivers messages. On an error the rest of the batch is lost; the next batch is tried anew.
    ///
    /// # Errors
    /// What the operating system said, with the channel's target.
    fn deliver(&mut self, batch: &Batch) -> io::Result<()>;

    /// Opens the target anew: log rotation, SIGUSR1.
    ///
    /// # Errors
    /// As [`deliver`](Self::deliver).
    fn reopen(&mut self) -> io::Result<()> {
        Ok(())
    }

    /// Ends: what was opened is closed and waited for.
    ///
    /// # Errors
    /// As [`deliver`](Self::deliver).
    fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An error that says what it was about.
fn about(target: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{target}: {error}"))
}
