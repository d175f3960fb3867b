//! A plugin in a child process, from our side.
//!
//! One thread reads what the child says: answers go to whoever waits, events and log lines to their sinks. A child that
//! does not answer in time is killed; so is one whose answers make no sense.

use std::io::BufReader;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::Error;
use crate::child::{EATEN, MEMORY_VARIABLE};
use crate::tables::query::{Answer, Host, Nobody};
use crate::tables::{AsyncSink, LogSink};
use crate::wire::{Reader, Writer, ask, read_frame, say, write_frame};

/// Answers that wait for whoever asked. There is one request at a time.
const ANSWERS: usize = 4;

/// The child of a plugin.
pub(crate) struct Remote {
    name: String,
    child: Child,
    socket: UnixStream,
    answers: Receiver<(u8, Vec<u8>)>,
    sink: Arc<Mutex<Option<AsyncSink>>>,
    gone: bool,
}

impl Remote {
    /// Starts a child.
    pub(crate) fn start(
        name: &str,
        program: &Path,
        memory: Option<u64>,
        patience: Duration,
        log: LogSink,
    ) -> Result<Self, Error> {
        let fail = |what: &str, error: std::io::Error| {
            Error::gone(name, format!("cannot {what}: {error}"))
        };
        let (ours, theirs) = UnixStream::pair().map_err(|e| fail("make a socket", e))?;
        // A child that reads no more must not hold us up.
        ours.set_write_timeout(Some(patience))
            .map_err(|e| fail("bound a socket", e))?;
        let mut command = Command::new(program);
        command
            .arg("plugin-host")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            // Signals from the terminal are for us; we end the child.
            .process_group(0);
        if let Some(memory) = memory {
            command.env(MEMORY_VARIABLE, memory.to_string());
        }
        let child = command
            .spawn()
            .map_err(|e| fail("start a child process", e))?;
        let input = ours.try_clone().map_err(|e| fail("share a socket", e))?;
        let sink: Arc<Mutex<Option<AsyncSink>>> = Arc::default();
        let (sender, answers) = sync_channel(ANSWERS);
        std::thread::Builder::new()
            .name(format!("plugin {name}"))
            .spawn({
                let sink = Arc::clone(&sink);
                move || {
                    let mut input = BufReader::new(input);
                    while let Ok((tag, body)) = read_frame(&mut input) {
                        match tag {
                            say::OK | say::FAILED | say::TABLE => {
                                // More answers than questions: the child is mad.
                                if sender.try_send((tag, body)).is_err() {
                                    break;
                                }
                            }
                            say::INJECT => {
                                let sink = sink.lock().unwrap_or_else(PoisonError::into_inner);
                                if let Some(sink) = sink.as_ref() {
                                    let _ = sink(body);
                                }
                            }
                            say::LOG => {
                                let mut body = Reader(&body);
                                let line = (body.u32(), body.text(), body.text());
                                if let (Some(severity), Some(component), Some(text)) = line {
                                    log(severity, &component, &text);
                                }
                            }
                            _ => break,
                        }
                    }
                }
            })
            .map_err(|e| fail("start a thread", e))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            socket: ours,
            answers,
            sink,
            gone: false,
        })
    }

    /// Names it as it names itself.
    pub(crate) fn rename(&mut self, name: &str) {
        name.clone_into(&mut self.name);
    }

    /// Where events go that the plugin puts into the stream.
    pub(crate) fn set_sink(&self, sink: Option<AsyncSink>) {
        *self.sink.lock().unwrap_or_else(PoisonError::into_inner) = sink;
    }

    /// Sends a request that has no answer.
    pub(crate) fn tell(&mut self, tag: u8, body: &[u8]) -> Result<(), Error> {
        if self.gone {
            return Err(Error::gone(&self.name, "its process is gone"));
        }
        match write_frame(&mut self.socket, tag, body) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                Err(Error::plugin(&self.name, error.to_string()))
            }
            Err(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                ) =>
            {
                Err(self.end("it takes no more requests; it was ended"))
            }
            Err(_) => Err(self.end("")),
        }
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn ask(
        &mut self,
        tag: u8,
        body: &[u8],
        patience: Duration,
    ) -> Result<Vec<u8>, Error> {
        self.ask_with(tag, body, patience, &mut Nobody)
    }

    /// Likewise; what the plugin asks about tables meanwhile is answered by `host`.
    pub(crate) fn ask_with(
        &mut self,
        tag: u8,
        body: &[u8],
        patience: Duration,
        host: &mut dyn Host,
    ) -> Result<Vec<u8>, Error> {
        self.tell(tag, body)?;
        let end = Instant::now() + patience;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.answers.recv_timeout(left) {
                Ok((say::OK, body)) => return Ok(body),
                Ok((say::TABLE, body)) => {
                    let Some(query) = Reader(&body).query() else {
                        return Err(self.nonsense());
                    };
                    let mut out = Writer::default();
                    out.answer(&host.answer(query));
                    if out.0.len() >= crate::wire::MAX_FRAME {
                        out.0.clear();
                        out.answer(&Answer::Failed("the answer is too long".to_owned()));
                    }
                    self.tell(ask::ANSWER, &out.0)?;
                }
                Ok((_, body)) => {
                    return Err(Error::plugin(&self.name, String::from_utf8_lossy(&body)));
                }
                Err(RecvTimeoutError::Timeout) => {
                    return Err(self.end(&format!("no answer for {patience:?}; it was ended")));
                }
                Err(RecvTimeoutError::Disconnected) => return Err(self.end("")),
            }
        }
    }

    /// The answer made no sense.
    pub(crate) fn nonsense(&mut self) -> Error {
        self.end("its answer makes no sense; it was ended")
    }

    /// Ends the child, and says how it ended: by itself where `why` is empty.
    fn end(&mut self, why: &str) -> Error {
        self.gone = true;
        if !why.is_empty() {
            let _ = self.child.kill();
        }
        // A child whose socket is closed is about to end; one that isn't is killed.
        let mut status = None;
        for _ in 0..100 {
            status = self.child.try_wait().ok().flatten();
            if status.is_some() {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        if status.is_none() {
            let _ = self.child.kill();
            status = self.child.wait().ok();
        }
        let text = if why.is_empty() {
            ending(status)
        } else {
            why.to_owned()
        };
        Error::gone(&self.name, text)
    }
}

/// How a process ended.
fn ending(status: Option<ExitStatus>) -> String {
    match status {
        Some(status) if status.code() == Some(EATEN.into()) => {
            "it took more memory than it may; it was ended".to_owned()
        }
        Some(status) => match (status.signal(), status.code()) {
            (Some(signal), _) => format!("its process died of signal {signal}"),
            (_, Some(code)) => format!("its process ended with code {code}"),
            _ => "its process ended".to_owned(),
        },
        None => "its process is gone".to_owned(),
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        if self.gone {
            return;
        }
        // The end of the stream asks it to end; it has a moment to put its things in order.
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
        for _ in 0..200 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
