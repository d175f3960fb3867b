//! Servers of the test's own: of an orchestrator, and between Peregrine and a runtime.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Answers each path with JSON, or hangs where there is none; gives its address as `http://...`.
pub(crate) fn http(answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream);
                let mut first = String::new();
                let _ = reader.read_line(&mut first);
                let mut line = String::new();
                while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                    line.clear();
                }
                let path = first.split_whitespace().nth(1).unwrap_or_default();
                let stream = reader.get_mut();
                let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
                match answer(path) {
                    Some(body) => {
                        let length = body.len();
                        let _ = write!(stream, "{head}Content-Length: {length}\r\n\r\n{body}");
                    }
                    None => {
                        let _ = write!(stream, "{head}\r\n");
                        std::thread::sleep(Duration::from_secs(3600));
                    }
                }
            });
        }
    });
    address
}

/// Hands bytes on between a socket of the test's and a runtime's, later or not at all.
pub(crate) struct Between {
    socket: PathBuf,
    runtime: PathBuf,
    ms: Arc<AtomicU64>,
    streams: Arc<Mutex<Vec<UnixStream>>>,
}

impl Between {
    pub(crate) fn new(socket: &Path, runtime: &Path) -> Self {
        let between = Self {
            socket: socket.to_owned(),
            runtime: runtime.to_owned(),
            ms: Arc::default(),
            streams: Arc::default(),
        };
        between.open();
        between
    }

    /// Listens, again.
    pub(crate) fn open(&self) {
        let listener = UnixListener::bind(&self.socket).unwrap();
        let runtime = self.runtime.clone();
        let (ms, streams) = (Arc::clone(&self.ms), Arc::clone(&self.streams));
        std::thread::spawn(move || {
            for asker in listener.incoming().map_while(Result::ok) {
                let Ok(asked) = UnixStream::connect(&runtime) else {
                    continue;
                };
                let mut kept = streams.lock().unwrap();
                kept.push(asker.try_clone().unwrap());
                kept.push(asked.try_clone().unwrap());
                let back = (asked.try_clone().unwrap(), asker.try_clone().unwrap());
                let ms = Arc::clone(&ms);
                std::thread::spawn(move || hand_on(asker, asked, &AtomicU64::new(0)));
                std::thread::spawn(move || hand_on(back.0, back.1, &ms));
            }
        });
    }

    /// From now on every answer takes so much longer.
    pub(crate) fn delay(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap();
        self.ms.store(ms, Ordering::SeqCst);
    }

    /// Breaks all connections.
    pub(crate) fn cut(&self) {
        for stream in self.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }

    /// Takes the socket away, and breaks all connections.
    pub(crate) fn close(&self) {
        std::fs::remove_file(&self.socket).unwrap();
        self.cut();
    }
}

fn hand_on(mut from: UnixStream, mut to: UnixStream, ms: &AtomicU64) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        std::thread::sleep(Duration::from_millis(ms.load(Ordering::SeqCst)));
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}
