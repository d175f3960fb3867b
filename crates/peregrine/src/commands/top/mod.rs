//! `peregrine top`: the running daemon on a terminal.
//!
//! It asks the daemon's web server on this machine once a second; the daemon counts who is busy only while it is
//! asked. `screen` draws.

mod screen;

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use serde_json::Value;

use super::prepare::load;
use crate::cli::{Rules, Top};
use crate::stop::Signals;
use crate::{output, terminal};

use screen::{Frame, Look};

/// Longest answer that is read.
const LONGEST: u64 = 16 << 20;
/// How long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Shows until a key or a signal ends it.
pub(crate) fn run(args: &Top) -> Result<u8> {
    let Some(address) = address(args.address.as_deref(), &args.rules)? else {
        return Ok(1);
    };
    let interval = Duration::from_millis(args.interval.clamp(200, 60_000));
    // The first answer only makes the daemon begin to count.
    let mut before = (Instant::now(), ask(address)?);
    if args.once || !std::io::stdout().is_terminal() {
        std::thread::sleep(interval);
        let now = ask(address)?;
        let look = Look {
            before: &before.1,
            now: &now,
            seconds: before.0.elapsed().as_secs_f64(),
        };
        let frame = Frame {
            width: 100,
            height: 40,
            colour: false,
        };
        output::print(&format!("{}\n", screen::draw(&look, frame)))?;
        return Ok(0);
    }
    let signals = Signals::catch().context("cannot catch signals")?;
    let _screen = Screen::enter()?;
    let mut paused = false;
    loop {
        match key(interval) {
            Some(b'q' | b'Q' | 0x1b) => return Ok(0),
            Some(b'p' | b' ') => paused = !paused,
            _ => {}
        }
        if signals.stop() {
            return Ok(0);
        }
        if paused || before.0.elapsed() < interval / 2 {
            continue;
        }
        let (width, height) = size();
        let frame = Frame {
            width: width.max(40),
            height: height.max(10),
            colour: terminal::colour_stdout(),
        };
        let text = match ask(address) {
            Ok(now) => {
                let look = Look {
                    before: &before.1,
                    now: &now,
                    seconds: before.0.elapsed().as_secs_f64(),
                };
                let text = screen::draw(&look, frame);
                before = (Instant::now(), now);
                text
            }
            Err(error) => screen::trouble(&format!("{error:#}"), frame),
        };
        // Each line clears what stood there; the rest is cleared below.
        let text = text.replace('\n', "\x1b[K\r\n");
        let mut out = std::io::stdout().lock();
        write!(out, "\x1b[H{text}\x1b[J")
            .and_then(|()| out.flush())
            .context("cannot draw")?;
    }
}

/// The key that was pressed within a time, if one was.
fn key(within: Duration) -> Option<u8> {
    let stdin = std::io::stdin();
    let mut waited = [PollFd::new(&stdin, PollFlags::IN)];
    let timeout = Timespec {
        tv_sec: i64::try_from(within.as_secs()).unwrap_or(1),
        tv_nsec: i64::from(within.subsec_nanos()),
    };
    // A signal interrupts, and is looked at by the caller.
    let ready = poll(&mut waited, Some(&timeout)).unwrap_or(0) > 0;
    if !ready {
        return None;
    }
    let mut one = [0];
    match rustix::io::read(&stdin, &mut one) {
        Ok(1) => Some(one[0]),
        // Nothing can be read any more: that shall not become a busy loop.
        _ => {
            std::thread::sleep(within);
            None
        }
    }
}

/// Columns and lines.
fn size() -> (usize, usize) {
    let size = tcgetwinsize(std::io::stdout());
    size.map_or((80, 24), |size| {
        (usize::from(size.ws_col), usize::from(size.ws_row))
    })
}

/// The terminal's other screen, with keys that come at once and unseen, until it is dropped.
struct Screen {
    before: Option<Termios>,
}

impl Screen {
    fn enter() -> Result<Self> {
        let before = tcgetattr(std::io::stdin()).ok();
        if let Some(before) = &before {
            let mut now = before.clone();
            now.local_modes
                .remove(LocalModes::ICANON | LocalModes::ECHO);
            tcsetattr(std::io::stdin(), OptionalActions::Now, &now)
                .context("cannot set the terminal")?;
        }
        let screen = Self { before };
        let mut out = std::io::stdout().lock();
        out.write_all(b"\x1b[?1049h\x1b[?25l\x1b[2J")
            .and_then(|()| out.flush())
            .context("cannot draw")?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let mut out = std::io::stdout().lock();
        let _ = out
            .write_all(b"\x1b[?25h\x1b[?1049l")
            .and_then(|()| out.flush());
        if let Some(before) = &self.before {
            let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, before);
        }
    }
}

/// Where the daemon answers: the address that was given, or what the configuration says of it. `None`: the configuration
/// is refused, which was shown.
pub(super) fn address(given: Option<&str>, rules: &Rules) -> Result<Option<SocketAddr>> {
    Ok(Some(match given {
        Some(address) => address.parse().with_context(|| {
            format!("{address} is no address with a port, such as 127.0.0.1:8765")
        })?,
        None => {
            let Some(loaded) = load(rules, Vec::new())? else {
                return Ok(None);
            };
            let server = &loaded.settings.webserver;
            if !server.enabled {
                bail!(
                    "the configuration has no web server (webserver.enabled), which the daemon would answer with"
                );
            }
            let port =
                u16::try_from(server.listen_port).context("webserver.listen_port is no port")?;
            SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
        }
    }))
}

/// What the daemon tells.
pub(super) fn ask(address: SocketAddr) -> Result<Value> {
    let cannot =
        || format!("no daemon answers at {address}; is it running, with webserver.enabled?");
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).with_context(cannot)?;
    stream
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
        .with_context(cannot)?;
    let request = format!("GET /top HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).with_context(cannot)?;
    let mut answer = Vec::new();
    stream
        .take(LONGEST)
        .read_to_end(&mut answer)
        .with_context(cannot)?;
    let split = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .with_context(|| {
            format!("{address} does not speak HTTP (behind TLS it cannot be asked)")
        })?;
    let head = String::from_utf8_lossy(&answer[..split]);
    let status = head.split_whitespace().nth(1).unwrap_or_default();
    if status != "200" {
        bail!("{address} answers with status {status}: it is another program, or an older daemon");
    }
    serde_json::from_slice(&answer[split + 4..])
        .with_context(|| format!("{address} answers something else than a daemon would"))
}
