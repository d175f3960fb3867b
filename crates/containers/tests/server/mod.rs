//! Servers that answer as a test tells them to, over Unix sockets and loopback.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use containers::{Containers, Message, Settings, Sockets};
use state::{Family, Identity, Sighting};

pub(crate) const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
pub(crate) const OTHER: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";

/// Longest time that a test waits for what must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What a server does with a connection: path and query in, answer out.
pub(crate) type Answer = Arc<dyn Fn(&str, &mut dyn Write) + Send + Sync>;

fn talk(stream: impl Read + Write, answer: &Answer) {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    if reader.read_line(&mut first).is_err() {
        return;
    }
    loop {
        let mut line = String::new();
        match reader.read_line(&mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) if line.trim().is_empty() => break,
            Ok(_) => {}
        }
    }
    let path = first
        .split_whitespace()
        .nth(1)
        .unwrap_or_default()
        .to_owned();
    answer(&path, reader.get_mut());
}

/// Listens on a Unix socket until the test ends.
pub(crate) fn unix(path: &Path, answer: &Answer) {
    let listener = UnixListener::bind(path).unwrap();
    let answer = Arc::clone(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || talk(stream, &answer));
        }
    });
}

/// Listens on loopback until the test ends; the address as `http://...`.
pub(crate) fn tcp(answer: &Answer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::clone(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || talk(stream, &answer));
        }
    });
    address
}

pub(crate) fn json(out: &mut dyn Write, body: &str) {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let _ = out.write_all(head.as_bytes());
    let _ = out.write_all(body.as_bytes());
}

pub(crate) fn missing(out: &mut dyn Write) {
    let _ = out.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}");
}

/// The head of a body that comes in lines and does not end.
pub(crate) fn stream(out: &mut dyn Write) {
    let _ = out.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n");
    let _ = out.flush();
}

/// Keeps a connection open without a word.
pub(crate) fn hang() {
    std::thread::sleep(Duration::from_secs(3600));
}

/// A Docker that knows one container.
pub(crate) fn docker(labels: &serde_json::Value) -> Answer {
    let labels = labels.clone();
    Arc::new(move |path, out| {
        if path.starts_with("/events") {
            stream(out);
            hang();
        } else if path.starts_with("/containers/json") {
            json(out, &format!("[{{\"Id\":\"{ID}\"}}]"));
        } else if path.starts_with(&format!("/containers/{ID}/json")) {
            let answer = serde_json::json!({"Id": ID, "Name": "/web", "Image": "sha256:00",
                "Config": {"Image": "nginx:1", "Labels": labels}});
            json(out, &answer.to_string());
        } else {
            missing(out);
        }
    })
}

pub(crate) fn settings(docker: &Path) -> Settings {
    Settings {
        docker: Sockets::at(&docker.display().to_string()),
        podman: Sockets::off(),
        cri: Sockets::off(),
        containerd: Sockets::off(),
        time_limit: Duration::from_millis(300),
        retry: Duration::from_millis(200),
        accounts: false,
        ..Settings::default()
    }
}

pub(crate) fn sighting(full_id: &str) -> Sighting {
    Sighting {
        identity: Identity {
            id: full_id.as_bytes()[..12].into(),
            full_id: full_id.as_bytes().into(),
            family: Family::Runtime,
            end: 0,
        },
        path: b"/docker/x"[..].into(),
        pid: 1,
        is_known: false,
        runs: false,
        ended: false,
        own: None,
    }
}

/// Waits for the first message that fits; the others are dropped.
pub(crate) fn until<T>(
    containers: &Containers,
    what: &str,
    fits: impl Fn(&Message) -> Option<T>,
) -> T {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        if let Some(message) = containers.wait(Duration::from_millis(50))
            && let Some(found) = fits(&message)
        {
            return found;
        }
    }
    panic!("{what} does not come; {:?}", containers.counters());
}

/// Waits until something else than a message shows.
pub(crate) fn until_so(what: &str, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < PATIENCE, "{what} does not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

pub(crate) fn named(message: &Message, wanted: &str) -> Option<String> {
    match message {
        Message::Container { json, .. } if json.contains(&format!("\"name\":\"{wanted}\"")) => {
            Some(json.clone())
        }
        _ => None,
    }
}

/// A list that several threads write.
pub(crate) type Shared<T> = Arc<Mutex<Vec<T>>>;
