//! Runtimes that hang, refuse, vanish, come back, answer garbage or far too much.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

mod server;

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use containers::{Containers, Message};
use serde_json::json;
use server::{Answer, ID, OTHER, docker, named, settings, sighting, unix, until, until_so};

fn is_unknown(message: &Message) -> Option<()> {
    matches!(message, Message::Unknown { id } if **id == ID.as_bytes()[..12]).then_some(())
}

/// Asks about a container behind a socket with such answers; nobody may know it, and asking must
/// cost the asker nothing.
fn nobody_knows(answer: &Answer) -> containers::Counters {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("docker.sock");
    unix(&path, answer);
    let containers = Containers::start(settings(&path)).unwrap();
    let begin = Instant::now();
    containers.look_up(sighting(ID));
    assert!(begin.elapsed() < Duration::from_secs(60), "asking waited");
    until(&containers, "the end of the question", is_unknown);
    containers.counters()
}

#[test]
fn a_socket_that_hangs() {
    let counters = nobody_knows(&(Arc::new(|_: &str, _: &mut dyn Write| server::hang()) as Answer));
    assert!(counters.timeouts > 0, "{counters:?}");
}

#[test]
fn garbage() {
    let answer: Answer = Arc::new(|_, out| {
        let _ = out.write_all(b"\x00\xff\x13garbage\r\n\r\n\r\n");
    });
    let counters = nobody_knows(&answer);
    assert!(counters.broken + counters.malformed > 0, "{counters:?}");
}

#[test]
fn json_that_is_none() {
    let answer: Answer = Arc::new(|_, out| server::json(out, &"[".repeat(100_000)));
    let counters = nobody_knows(&answer);
    assert!(counters.malformed > 0, "{counters:?}");
}

#[test]
fn fifty_megabytes() {
    let answer: Answer = Arc::new(|path, out| {
        if path.starts_with("/containers/0") {
            let size = 50 << 20;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n{{\"Id\":\"");
            let _ = out.write_all(head.as_bytes());
            let block = vec![b'a'; 1 << 16];
            for _ in 0..size / block.len() {
                if out.write_all(&block).is_err() {
                    return;
                }
            }
        } else {
            server::missing(out);
        }
    });
    let counters = nobody_knows(&answer);
    assert!(counters.too_large > 0, "{counters:?}");
}

#[test]
fn an_answer_about_somebody_else() {
    let answer: Answer = Arc::new(|path, out| {
        if path.starts_with("/containers/0") {
            server::json(out, &json!({"Id": OTHER, "Name": "/other"}).to_string());
        } else {
            server::missing(out);
        }
    });
    let counters = nobody_knows(&answer);
    assert_eq!(counters.found, 0);
}

#[test]
fn a_socket_that_appears_goes_and_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("docker.sock");
    let containers = Containers::start(settings(&path)).unwrap();
    containers.look_up(sighting(OTHER));
    until(&containers, "the end of the question", |message| {
        matches!(message, Message::Unknown { .. }).then_some(())
    });
    // Nobody listens behind it.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    until_so("a refused connection", || containers.counters().broken > 0);
    std::fs::remove_file(&path).unwrap();
    unix(&path, &docker(&json!({})));
    until(&containers, "the container", |message| {
        named(message, "web")
    });
    let first = containers.counters().connections;

    // The runtime is started anew; what happened meanwhile is found by asking again.
    std::fs::remove_file(&path).unwrap();
    let streams = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&streams);
    let renamed: Answer = Arc::new(move |path, out| {
        if path.starts_with("/events") {
            // The stream breaks at once, again and again.
            server::stream(out);
            count.fetch_add(1, Ordering::SeqCst);
        } else if path.starts_with("/containers/json") {
            server::json(out, &format!("[{{\"Id\":\"{OTHER}\"}}]"));
        } else if path.starts_with(&format!("/containers/{OTHER}/json")) {
            server::json(out, &json!({"Id": OTHER, "Name": "/second"}).to_string());
        } else {
            server::missing(out);
        }
    });
    let again = dir.path().join("again.sock");
    unix(&again, &renamed);
    std::fs::rename(&again, &path).unwrap();
    drop(containers);
    let containers = Containers::start(settings(&path)).unwrap();
    until(&containers, "the second container", |message| {
        named(message, "second")
    });
    until_so("another connection", || streams.load(Ordering::SeqCst) > 2);
    assert!(first > 0 && containers.counters().broken < 1000);
}

#[test]
fn questions_beyond_measure() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("docker.sock");
    unix(
        &path,
        &(Arc::new(|_: &str, _: &mut dyn Write| server::hang()) as Answer),
    );
    let containers = Containers::start(settings(&path)).unwrap();
    let begin = Instant::now();
    for i in 0..20_000u32 {
        containers.look_up(sighting(&format!("{i:064x}")));
    }
    assert!(begin.elapsed() < Duration::from_secs(60), "asking waited");
    assert!(containers.counters().dropped > 0);
}

#[test]
fn hostile_labels() {
    let mut labels = serde_json::Map::new();
    for i in 0..10_000 {
        labels.insert(format!("a-{i}\u{1}\n"), json!("\u{1b}[31m\n"));
    }
    labels.insert("io.kubernetes.pod.name".into(), json!("pod-1"));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("docker.sock");
    unix(&path, &docker(&labels.into()));
    let containers = Containers::start(settings(&path)).unwrap();
    let text = until(&containers, "the container", |message| {
        named(message, "web")
    });
    assert!(text.len() < 256 << 10 && text.contains("pod-1"));
    assert!(!text.contains('\n') && !text.contains('\u{1b}'));
}

/// A name that is told of and not described at once is known nevertheless.
#[test]
fn a_runtime_that_is_busy_when_a_container_is_renamed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("docker.sock");
    let asked = Arc::new(AtomicUsize::new(0));
    let (turns, renamed) = (Arc::clone(&asked), Arc::clone(&asked));
    let answer: Answer = Arc::new(move |path, out| {
        let container = |name: &str| json!({"Id": ID, "Name": name}).to_string();
        if path.starts_with("/events") {
            server::stream(out);
            // Until the list has been read.
            while renamed.load(Ordering::SeqCst) == 0 {
                std::thread::sleep(Duration::from_millis(5));
            }
            let event = json!({"Action": "rename", "Actor": {"ID": ID}});
            let _ = out.write_all(format!("{event}\n").as_bytes());
            server::hang();
        } else if path.starts_with("/containers/json") {
            server::json(out, &format!("[{{\"Id\":\"{ID}\"}}]"));
        } else if path.starts_with(&format!("/containers/{ID}/json")) {
            match turns.fetch_add(1, Ordering::SeqCst) {
                0 => server::json(out, &container("/before")),
                1 | 2 => {
                    let _ = out.write_all(
                        b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\n{}",
                    );
                }
                _ => server::json(out, &container("/after")),
            }
        } else {
            server::missing(out);
        }
    });
    unix(&path, &answer);
    let containers = Containers::start(settings(&path)).unwrap();
    until(&containers, "the container", |message| {
        named(message, "before")
    });
    until(&containers, "its other name", |message| {
        named(message, "after")
    });
}
