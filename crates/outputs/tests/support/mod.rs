//! A web server that can be started, stopped and made to misbehave, and outputs to it.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test uses a part; a fault of the harness is a failed test"
)]

pub(crate) mod certificates;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use outputs::channel::http::HttpTarget;
use outputs::spool::{Sync, WhenFull};
use outputs::tls::TlsOptions;
use outputs::{Filter, Listener, Output, Overflow, Policy, Retry, SpoolOptions, Target};

/// What it has been sent, and how it answers.
#[derive(Default)]
pub(crate) struct Shared {
    pub bodies: Mutex<Vec<String>>,
    /// Heads of requests, lower case.
    pub heads: Mutex<Vec<String>>,
    /// The next so many requests are answered with this status.
    pub bad: Mutex<Vec<u16>>,
    /// The next so many requests are cut off before an answer.
    pub cut: AtomicU32,
    /// Milliseconds before an answer.
    pub delay: AtomicU32,
}

pub(crate) struct Receiver {
    pub address: SocketAddr,
    pub shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Receiver {
    /// At a port of its own, to which another one may come after it.
    pub(crate) fn anywhere(shared: Arc<Shared>) -> Self {
        Self::start(&format!("127.0.0.1:{}", testkit::port::free()), shared)
    }

    pub(crate) fn start(address: &str, shared: Arc<Shared>) -> Self {
        let end = Instant::now() + Duration::from_secs(20);
        let listener = loop {
            match TcpListener::bind(address) {
                Ok(listener) => break listener,
                Err(error) if Instant::now() > end => panic!("{address}: {error}"),
                Err(_) => thread::sleep(Duration::from_millis(20)),
            }
        };
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let open: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let thread = thread::spawn({
            let (stop, shared, open) = (Arc::clone(&stop), Arc::clone(&shared), Arc::clone(&open));
            move || {
                for stream in listener.incoming() {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let Ok(stream) = stream else { continue };
                    open.lock().unwrap().push(stream.try_clone().unwrap());
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || serve(stream, &shared));
                }
            }
        });
        Self {
            address,
            shared,
            stop,
            thread: Some(thread),
            open,
        }
    }

    /// Ends at once: connections are cut wherever they are.
    pub(crate) fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
        self.thread.take().unwrap().join().unwrap();
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

fn serve(stream: TcpStream, shared: &Shared) {
    stream.set_nodelay(true).unwrap();
    let mut out = stream.try_clone().unwrap();
    let mut input = BufReader::new(stream);
    loop {
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            match input.read_line(&mut line) {
                Ok(n) if n > 0 => {}
                _ => return,
            }
            let lower = line.to_ascii_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            head.push_str(&lower);
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        if input.read_exact(&mut body).is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(
            shared.delay.load(Ordering::Relaxed).into(),
        ));
        let cut = shared
            .cut
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        if cut.is_ok() {
            let _ = out.shutdown(std::net::Shutdown::Both);
            return;
        }
        let status = shared.bad.lock().unwrap().pop().unwrap_or(200);
        if status == 200 {
            shared
                .bodies
                .lock()
                .unwrap()
                .push(String::from_utf8_lossy(&body).into_owned());
        }
        let keep = !head.contains("connection: close");
        shared.heads.lock().unwrap().push(head);
        let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 2\r\n\r\nok");
        if out.write_all(answer.as_bytes()).is_err() || !keep {
            return;
        }
    }
}

pub(crate) fn http(url: &str) -> HttpTarget {
    HttpTarget {
        url: url.to_owned(),
        content_type: "application/json".to_owned(),
        otlp: None,
        user_agent: "falcosecurity/falco".to_owned(),
        headers: Vec::new(),
        tls: TlsOptions::default(),
        gzip: false,
        compressed_transfer: false,
        keep_alive: true,
        echo: false,
        timeout: Duration::from_secs(5),
    }
}

pub(crate) fn output(target: Target, spool: Option<&Path>) -> Output {
    Output {
        name: "test".to_owned(),
        target,
        filter: Filter::default(),
        retry: Retry {
            initial: Duration::from_millis(5),
            longest: Duration::from_millis(50),
            ..Retry::default()
        },
        spool: spool.map(|directory| SpoolOptions {
            directory: directory.to_owned(),
            max_bytes: 64 << 20,
            when_full: WhenFull::DropNewest,
            sync: Sync::Never,
        }),
    }
}

pub(crate) fn policy() -> Policy {
    Policy {
        overflow: Overflow::Drop(0),
        linger: Duration::from_millis(1),
    }
}

pub(crate) fn quiet() -> Listener {
    Arc::new(|_| {})
}

/// Waits, however long a busy machine takes, but not for ever.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(120);
    while !done() {
        assert!(Instant::now() < end, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}
