//! A page over a store of made-up alerts.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test uses a part; a fault of the harness is a failed test"
)]

pub(crate) mod browser;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use page::{Numbers, RuleCost, Second};
use store::{Alert, Event, Feed, Limits, Process, Store};
use web::{Options, Server};

pub(crate) const TOKEN: &str = "0123456789abcdef0123";
const START: u64 = 1_700_000_000_000_000_000;

pub(crate) struct Page {
    _dir: tempfile::TempDir,
    pub feed: Feed,
    pub numbers: Arc<Numbers>,
    server: Server,
}

impl Page {
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("a.sqlite"), Limits::default()).unwrap();
        let feed = Feed::start(store).unwrap();
        let numbers = Arc::new(Numbers::default());
        let router = page::routes::router(&feed.shared(), &numbers, TOKEN);
        let server = Server::start(&Options::new(([127, 0, 0, 1], 0).into()), router).unwrap();
        Self {
            _dir: dir,
            feed,
            numbers,
            server,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    pub(crate) fn alert(&self, number: u64, priority: u8, rule: &str, container: &str, text: &str) {
        let process = |pid: i64, name: &str, command: &str| Process {
            pid,
            name: name.into(),
            path: format!("/usr/bin/{name}"),
            command: command.into(),
            uid: Some(0),
            began: START,
        };
        self.feed.alert(Alert {
            time: START + number * 1_000_000_000,
            priority,
            rule: rule.into(),
            source: "syscall".into(),
            tags: vec!["container".into(), "mitre_execution".into()],
            container: container.into(),
            text: text.into(),
            event: Event {
                number: 4711 + number,
                name: "openat".into(),
                thread: 9,
                arguments: "fd=3 dirfd=-100 name=/etc/shadow flags=1(O_RDONLY)".into(),
            },
            processes: vec![
                process(9, "cat", "cat /etc/shadow"),
                process(7, "bash", "bash -i"),
                process(1, "systemd", "/sbin/init"),
            ],
            fields: serde_json::json!({"proc.name": "cat", "user.uid": 0, "fd.name": null})
                .as_object()
                .unwrap()
                .clone(),
            alert_id: "00000000a1b20001".into(),
            incident: "00000000a1b20000".into(),
            ..Alert::default()
        });
    }

    /// An hour's worth of numbers.
    pub(crate) fn tell(&self) {
        for at in 0..120 {
            let cost = |rule: &str, nanos| RuleCost {
                rule: rule.into(),
                asked: 512 * 9,
                nanos,
                fired: 3,
            };
            let second = Second {
                at,
                events: 40_000 + at * at * 3,
                lost: if at % 40 == 20 { 300 } else { 0 },
                alerts: 1,
                nanos: 3_000_000 + at * 20_000,
            };
            let costs = vec![
                cost("Read sensitive file untrusted", 80_000_000),
                cost("Shell in container", 20_000_000),
                cost("Write below etc", 3_000_000),
            ];
            self.numbers.tell(second, costs);
        }
    }

    /// Waits until the alert with this number is kept.
    pub(crate) fn until(&self, number: i64) {
        let shared = self.feed.shared();
        assert!(
            shared.wait(number - 1, Duration::from_secs(60)),
            "alerts never come"
        );
    }

    pub(crate) fn ask(&self, path: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\n{headers}Connection: close\r\n\r\n"
        )
        .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    /// As one who has the token.
    pub(crate) fn open(&self, path: &str) -> String {
        let head = format!("Host: localhost:1\r\nCookie: a=b; peregrine={TOKEN}\r\n");
        self.ask(path, &head)
    }
}
