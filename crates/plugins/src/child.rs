//! The child process: serves requests over the socket that is its standard input.
//!
//! Requests are answered one after the other, on one thread, as the interface wants it. A second thread looks after the
//! process: it ends it when the parent is gone, even if the plugin hangs, and when the plugin has eaten too much memory.

use std::io::Write;
use std::os::fd::FromRawFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::Error;
use crate::local::Local;
use crate::plugin::{BatchEnd, Event};
use crate::tables::query::{Answer, Host, Query};
use crate::wire::{Reader, Writer, ask, read_frame, say, write_frame};

/// Exit code of a child whose plugin has eaten too much memory.
pub(crate) const EATEN: u8 = 77;

/// Bytes that a plugin may take, where the parent says nothing else.
const MEMORY: u64 = 1 << 30;

/// Environment variable with that number.
pub(crate) const MEMORY_VARIABLE: &str = "PEREGRINE_PLUGIN_MEMORY";

type Shared = Arc<Mutex<UnixStream>>;

/// Runs the child to its end; the exit code.
#[must_use]
pub fn main() -> u8 {
    // The socket moves away from standard input, so that a plugin that reads or closes that does no harm.
    // SAFETY: plain system calls; descriptor 0 is ours and is replaced at once.
    let socket = unsafe {
        let socket = libc::fcntl(0, libc::F_DUPFD_CLOEXEC, 3);
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        if socket < 0 || null < 0 {
            return 2;
        }
        libc::dup2(null, 0);
        libc::close(null);
        UnixStream::from_raw_fd(socket)
    };
    let Ok(mut input) = socket.try_clone() else {
        return 2;
    };
    watch();
    let shared: Shared = Arc::new(Mutex::new(socket));
    let Ok(answers) = input.try_clone() else {
        return 2;
    };
    let mut served = Served {
        plugin: None,
        host: Parent {
            input: answers,
            shared: Arc::clone(&shared),
        },
        shared,
    };
    // The end of the stream is the parent's way to say that it is over.
    while let Ok((tag, body)) = read_frame(&mut input) {
        if !served.request(tag, &body) {
            return 1;
        }
    }
    0
}

/// Starts the thread that looks after the process.
fn watch() {
    let limit = std::env::var(MEMORY_VARIABLE)
        .ok()
        .and_then(|text| text.parse().ok());
    let limit = limit.unwrap_or(MEMORY);
    // SAFETY: takes nothing and cannot fail.
    let parent = unsafe { libc::getppid() };
    let _ = std::thread::Builder::new()
        .name("watch".to_owned())
        .spawn(move || {
            loop {
                std::thread::sleep(Duration::from_millis(200));
                // SAFETY: as above.
                if unsafe { libc::getppid() } != parent {
                    exit(0);
                }
                if resident().is_some_and(|bytes| bytes > limit) {
                    exit(EATEN);
                }
            }
        });
}

/// Ends the process without asking the plugin, which may be what hangs.
fn exit(code: u8) -> ! {
    // SAFETY: never returns, runs no handlers.
    unsafe { libc::_exit(code.into()) }
}

/// Bytes of memory that the process has.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    // SAFETY: takes a number, gives one.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    Some(pages * u64::try_from(size).ok()?)
}

fn send(shared: &Shared, tag: u8, body: &[u8]) -> bool {
    let mut socket = shared.lock().unwrap_or_else(PoisonError::into_inner);
    write_frame(&mut *socket, tag, body)
        .and_then(|()| socket.flush())
        .is_ok()
}

/// Asks the parent about tables. Nothing is in the socket then but its answer: it waits for ours to its request.
struct Parent {
    input: UnixStream,
    shared: Shared,
}

impl Host for Parent {
    fn answer(&mut self, query: Query) -> Answer {
        let mut out = Writer::default();
        out.query(&query);
        if !send(&self.shared, say::TABLE, &out.0) {
            exit(0);
        }
        loop {
            match read_frame(&mut self.input) {
                Ok((ask::ANSWER, body)) => {
                    let answer = Reader(&body).answer();
                    return answer.unwrap_or_else(|| Answer::Failed("no answer".to_owned()));
                }
                // Nobody asks two things at once.
                Ok(_) => {}
                Err(_) => exit(0),
            }
        }
    }
}

struct Served {
    plugin: Option<Local>,
    host: Parent,
    shared: Shared,
}

impl Served {
    /// Serves one request; false when there is nobody to answer.
    fn request(&mut self, tag: u8, body: &[u8]) -> bool {
        let mut out = Writer::default();
        let result = self.serve(tag, &mut Reader(body), &mut out);
        if tag == ask::PARSE {
            return true;
        }
        match result {
            Ok(()) => send(&self.shared, say::OK, &out.0),
            Err(text) => send(&self.shared, say::FAILED, text.as_bytes()),
        }
    }

    fn serve(&mut self, tag: u8, body: &mut Reader<'_>, out: &mut Writer) -> Result<(), String> {
        const MALFORMED: &str = "malformed request";
        let text = |error: Error| match error {
            Error::Plugin { text, .. } => text,
            other => other.to_string(),
        };
        if tag == ask::LOAD {
            let path = body.text().ok_or(MALFORMED)?;
            let shared = Arc::clone(&self.shared);
            let log = Box::new(move |severity: u32, component: &str, message: &str| {
                let mut line = Writer::default();
                line.u32(severity)
                    .blob(component.as_bytes())
                    .blob(message.as_bytes());
                send(&shared, say::LOG, &line.0);
            });
            let plugin = Local::load(&path, log).map_err(text)?;
            out.blob(
                serde_json::to_string(&plugin.info)
                    .map_err(|e| e.to_string())?
                    .as_bytes(),
            );
            self.plugin = Some(plugin);
            return Ok(());
        }
        let plugin = self.plugin.as_mut().ok_or("no plugin is loaded")?;
        let host = &mut self.host;
        match tag {
            ask::INIT => {
                let config = body.text().ok_or(MALFORMED)?;
                plugin.init(&config, host).map_err(text)?;
                out.blob(
                    serde_json::to_string(&plugin.info)
                        .map_err(|e| e.to_string())?
                        .as_bytes(),
                );
            }
            ask::OPEN => plugin.open(&body.text().ok_or(MALFORMED)?).map_err(text)?,
            ask::CLOSE => plugin.close(),
            ask::NEXT => {
                let batch = plugin.next_batch().map_err(text)?;
                let (end, words) = match &batch.end {
                    BatchEnd::More => (0, ""),
                    BatchEnd::Later => (1, ""),
                    BatchEnd::End => (2, ""),
                    BatchEnd::Failed(words) => (3, words.as_str()),
                };
                out.u8(end)
                    .blob(words.as_bytes())
                    .u32(batch.events.len() as u32);
                for event in &batch.events {
                    out.blob(event);
                }
            }
            ask::EXTRACT | ask::PARSE | ask::PARSE_ASKED | ask::DESCRIBE => {
                let number = body.u64().ok_or(MALFORMED)?;
                let source = body.text().ok_or(MALFORMED)?;
                let bytes = body.blob().ok_or(MALFORMED)?;
                let event = Event {
                    number,
                    source: &source,
                    bytes,
                };
                match tag {
                    ask::EXTRACT => {
                        let wanted = body.wanted().ok_or(MALFORMED)?;
                        out.values(&plugin.extract(&event, &wanted, host).map_err(text)?);
                    }
                    ask::PARSE | ask::PARSE_ASKED => plugin.parse(&event, host).map_err(text)?,
                    _ => {
                        out.blob(plugin.describe(&event).unwrap_or_default().as_bytes());
                    }
                }
            }
            ask::START_ASYNC => {
                let shared = Arc::clone(&self.shared);
                let source = body.text().ok_or(MALFORMED)?;
                let info = plugin.info.clone();
                let sink = Box::new(move |event: Vec<u8>| {
                    crate::injected::admitted(&info, &source, &event)?;
                    if send(&shared, say::INJECT, &event) {
                        Ok(())
                    } else {
                        Err("the host is gone".to_owned())
                    }
                });
                plugin.start_async(sink).map_err(text)?;
            }
            ask::STOP_ASYNC => plugin.stop_async(),
            ask::LISTEN => plugin
                .listen(body.u8().ok_or(MALFORMED)? != 0, host)
                .map_err(text)?,
            ask::TABLE => {
                let query = body.query().ok_or(MALFORMED)?;
                out.answer(&plugin.asked(&query, host));
            }
            ask::SET_CONFIG => plugin
                .set_config(&body.text().ok_or(MALFORMED)?)
                .map_err(text)?,
            ask::DUMP => {
                let events = plugin.dump_state().map_err(text)?;
                out.u32(events.len() as u32);
                for event in &events {
                    out.blob(event);
                }
            }
            ask::OPEN_PARAMS => {
                out.blob(plugin.open_params().unwrap_or_default().as_bytes());
            }
            ask::METRICS => {
                let metrics = plugin.metrics();
                out.u32(metrics.len() as u32);
                for metric in metrics {
                    out.blob(metric.name.as_bytes())
                        .blob(metric.value.as_bytes())
                        .u8(metric.monotonic.into());
                }
            }
            _ => return Err(MALFORMED.to_owned()),
        }
        Ok(())
    }
}
