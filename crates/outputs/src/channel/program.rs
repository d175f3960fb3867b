//! A shell command that reads messages from its standard input, a line each.
//!
//! Without `keep_alive` the command runs once for each message and is waited for, as a command
//! such as `mail` needs it.

use std::io::{self, Write};
use std::process::{Child, Command, Stdio};

use crate::channel::{Channel, about};
use crate::message::Batch;

/// The channel.
#[derive(Debug)]
pub struct ProgramChannel {
    command: String,
    keep_alive: bool,
    child: Option<Child>,
}

impl ProgramChannel {
    /// A channel that starts the command with the first message.
    #[must_use]
    pub fn new(command: impl Into<String>, keep_alive: bool) -> Self {
        Self {
            command: command.into(),
            keep_alive,
            child: None,
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.child.is_none() {
            let mut command = Command::new("/bin/sh");
            let child = command
                .arg("-c")
                .arg(&self.command)
                .stdin(Stdio::piped())
                .spawn();
            self.child = Some(child.map_err(|error| about(&self.command, &error))?);
        }
        let pipe = self.child.as_mut().and_then(|child| child.stdin.as_mut());
        let written = pipe.map_or(Ok(()), |pipe| pipe.write_all(bytes));
        if !self.keep_alive || written.is_err() {
            self.close()?;
        }
        written.map_err(|error| about(&self.command, &error))
    }
}

impl Channel for ProgramChannel {
    fn name(&self) -> &'static str {
        "program"
    }

    fn deliver(&mut self, batch: &Batch) -> io::Result<()> {
        if self.keep_alive {
            return self.write(batch.lines());
        }
        let mut line = Vec::new();
        let mut result = Ok(());
        for message in batch.messages() {
            line.clear();
            line.extend_from_slice(message.line);
            line.push(b'\n');
            // A command that does not read its input is no reason to lose the other messages.
            if let Err(error) = self.write(&line) {
                result = Err(error);
            }
        }
        result
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.close()
    }

    fn close(&mut self) -> io::Result<()> {
        let Some(mut child) = self.child.take() else {
            return Ok(());
        };
        drop(child.stdin.take());
        child
            .wait()
            .map(|_| ())
            .map_err(|error| about(&self.command, &error))
    }
}

#[cfg(test)]
mod tests {
    use rules::Priority;

    use super::*;

    #[test]
    fn a_command_for_each_message_or_for_all() {
        let dir = tempfile::tempdir().unwrap();
        let mut batch = Batch::default();
        batch.push(Priority::Notice, b"one");
        batch.push(Priority::Notice, b"two");
        for (keep_alive, expected) in [(false, "1\n1\n"), (true, "2\n")] {
            let path = dir.path().join(format!("lines-{keep_alive}"));
            let command = format!("wc -l | tr -d ' ' >> {}", path.display());
            let mut channel = ProgramChannel::new(command, keep_alive);
            channel.deliver(&batch).unwrap();
            channel.close().unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        }
    }

    #[test]
    fn a_command_that_ends_early_is_an_error_not_a_hang() {
        let mut batch = Batch::default();
        (0..20_000).for_each(|_| batch.push(Priority::Notice, b"a line that fills the pipe"));
        let mut channel = ProgramChannel::new("exit 0", true);
        assert!(channel.deliver(&batch).is_err());
    }
}
