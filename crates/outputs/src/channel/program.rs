//! A shell command that reads messages from its standard input, a line each.
//!
//! Without `keep_alive` the command runs once for each message and is waited for, as a command
//! such as `mail` needs it. With a time-out a command that hangs is ended, and all it started.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::channel::{Channel, Failure, Progress, about, fault};
use crate::message::Batch;

/// Which command, and how it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgramTarget {
    /// For `/bin/sh -c`.
    pub command: String,
    /// One run takes all messages.
    pub keep_alive: bool,
    /// How long it may take over a message; `None`: for ever.
    pub timeout: Option<Duration>,
}

/// The channel.
#[derive(Debug)]
pub struct ProgramChannel {
    target: ProgramTarget,
    child: Option<Child>,
}

impl ProgramChannel {
    /// A channel that starts the command with the first message.
    #[must_use]
    pub fn new(target: ProgramTarget) -> Self {
        Self {
            target,
            child: None,
        }
    }

    fn start(&mut self) -> io::Result<()> {
        if self.child.is_none() {
            let mut command = Command::new("/bin/sh");
            command
                .arg("-c")
                .arg(&self.target.command)
                .stdin(Stdio::piped());
            // A group of its own: a key on the terminal ends us, and we end it when it has read all.
            self.child = Some(command.process_group(0).spawn()?);
        }
        Ok(())
    }

    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            if let Some(group) = group {
                let _ = kill_process_group(group, Signal::KILL);
            }
            let _ = child.wait();
        }
    }

    /// Writes to the command's input; it has until `end`.
    fn write(&mut self, mut bytes: &[u8], end: Option<Instant>) -> io::Result<()> {
        self.start()?;
        let Some(pipe) = self.child.as_mut().and_then(|child| child.stdin.as_mut()) else {
            return Ok(());
        };
        if end.is_some() {
            rustix::io::ioctl_fionbio(&*pipe, true)?;
        }
        while !bytes.is_empty() {
            match pipe.write(bytes) {
                Ok(length) => bytes = &bytes[length..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let left = end.map_or(Duration::MAX, |end| {
                        end.saturating_duration_since(Instant::now())
                    });
                    if left.is_zero() {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                    let left = Timespec::try_from(left.min(Duration::from_secs(1))).ok();
                    let mut ready = [PollFd::new(&*pipe, PollFlags::OUT)];
                    poll(&mut ready, left.as_ref())?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Closes the command's input and waits for its end, until `end`.
    fn wait(&mut self, end: Option<Instant>) -> io::Result<()> {
        let Some(child) = &mut self.child else {
            return Ok(());
        };
        drop(child.stdin.take());
        let Some(end) = end else {
            let waited = child.wait();
            self.child = None;
            return waited.map(|_| ());
        };
        let mut pause = Duration::from_micros(200);
        while child.try_wait()?.is_none() {
            if Instant::now() >= end {
                self.kill();
                return Err(io::ErrorKind::TimedOut.into());
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
        self.child = None;
        Ok(())
    }

    fn failure(&self, error: &io::Error) -> Failure {
        if error.kind() == io::ErrorKind::TimedOut {
            let seconds = self.target.timeout.unwrap_or_default().as_secs_f64();
            let text = format!("{}: ended after {seconds} s", self.target.command);
            return Failure::Stumbled(fault(text));
        }
        Failure::Again(about(&self.target.command, error))
    }

    fn end(&self) -> Option<Instant> {
        self.target.timeout.map(|timeout| Instant::now() + timeout)
    }
}

impl Channel for ProgramChannel {
    fn deliver(&mut self, batch: &Batch, progress: &mut Progress<'_>) -> Result<(), Failure> {
        let mut line = Vec::new();
        for message in batch.messages().skip(progress.done()) {
            line.clear();
            line.extend_from_slice(message.line);
            line.push(b'\n');
            let end = self.end();
            let written = self.write(&line, end);
            match written {
                Err(error) if self.target.keep_alive => {
                    self.kill();
                    return Err(self.failure(&error));
                }
                // A command that does not read its input is its own matter; that it hangs is not.
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    self.kill();
                    return Err(self.failure(&error));
                }
                _ => {}
            }
            if !self.target.keep_alive {
                self.wait(end).map_err(|error| self.failure(&error))?;
            }
            progress.delivered(1);
        }
        Ok(())
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.close()?;
        self.start()
            .map_err(|error| about(&self.target.command, &error))
    }

    fn close(&mut self) -> io::Result<()> {
        self.wait(self.end())
            .map_err(|error| about(&self.target.command, &error))
    }
}

impl Drop for ProgramChannel {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            drop(child.stdin.take());
            let _ = child.try_wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use rules::Priority;

    use super::*;
    use crate::pulse::Pulse;

    fn target(command: &str, keep_alive: bool) -> ProgramTarget {
        ProgramTarget {
            command: command.to_owned(),
            keep_alive,
            timeout: None,
        }
    }

    fn deliver(channel: &mut ProgramChannel, batch: &Batch) -> Result<(), Failure> {
        let pulse = Pulse::default();
        channel.deliver(batch, &mut Progress::new(&pulse))
    }

    #[test]
    fn a_command_for_each_message_or_for_all() {
        let dir = tempfile::tempdir().unwrap();
        let mut batch = Batch::default();
        batch.push(Priority::Notice, b"one");
        batch.push(Priority::Notice, b"two");
        for (keep_alive, expected) in [(false, "1\n1\n"), (true, "2\n")] {
            let path = dir.path().join(format!("lines-{keep_alive}"));
            let command = format!("wc -l | tr -d ' ' >> {}", path.display());
            let mut channel = ProgramChannel::new(target(&command, keep_alive));
            deliver(&mut channel, &batch).unwrap();
            channel.close().unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        }
    }

    #[test]
    fn a_command_that_ends_early_is_an_error_not_a_hang() {
        let mut batch = Batch::default();
        (0..20_000).for_each(|_| batch.push(Priority::Notice, b"a line that fills the pipe"));
        let mut channel = ProgramChannel::new(target("exit 0", true));
        assert!(deliver(&mut channel, &batch).is_err());
    }

    #[test]
    fn a_command_that_hangs_is_ended() {
        let mut batch = Batch::default();
        batch.push(Priority::Notice, &[b'x'; 200_000]);
        for keep_alive in [false, true] {
            let timeout = Some(Duration::from_millis(50));
            let hangs = ProgramTarget {
                timeout,
                ..target("sleep 1000; true", keep_alive)
            };
            let mut channel = ProgramChannel::new(hangs);
            assert!(matches!(
                deliver(&mut channel, &batch),
                Err(Failure::Stumbled(_))
            ));
            assert!(channel.child.is_none());
        }
    }
}
