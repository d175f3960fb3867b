//! A stream of JetStream, whose server is killed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::engine::{Daemon, Engine, alert};
use crate::node::{examples, run, until};

struct Server {
    folder: PathBuf,
    port: u16,
    daemon: Option<Daemon>,
}

impl Server {
    fn start(folder: &Path) -> Option<Self> {
        let port = testkit::port::free();
        let store = folder.join("jetstream");
        let config = std::fs::read_to_string(examples().join("nats/server.conf")).unwrap();
        let config = config
            .replace("0.0.0.0:4222", &format!("127.0.0.1:{port}"))
            .replace("/var/lib/nats", store.to_str().unwrap())
            .replace("100GB", "1GB");
        std::fs::write(folder.join("server.conf"), config).unwrap();
        let mut server = Self {
            folder: folder.to_owned(),
            port,
            daemon: None,
        };
        server.launch()?;
        Some(server)
    }

    fn launch(&mut self) -> Option<()> {
        let config = self.folder.join("server.conf");
        let log = self.folder.join("server.log");
        let args = ["-c", config.to_str().unwrap()];
        self.daemon = Some(Daemon::start("nats-server", &args, &log)?);
        until("NATS listens", || {
            TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
        Some(())
    }

    fn make_stream(&self) {
        let stream = std::fs::read_to_string(examples().join("nats/stream.json")).unwrap();
        let mut stream: Value = serde_json::from_str(&stream).unwrap();
        // More than the disk of a test machine may have.
        stream["max_bytes"] = json!(100_000_000);
        let mut client = Client::connect(self.port);
        until("the stream is made", || {
            let answer = client.ask("$JS.API.STREAM.CREATE.ALERTS", &stream);
            assert!(answer["error"].is_null(), "{answer}");
            answer["config"]["name"] == "ALERTS"
        });
    }
}

impl Engine for Server {
    fn interrupt(&mut self) {
        self.daemon = None;
    }

    fn resume(&mut self) {
        self.launch().unwrap();
    }

    fn received(&mut self) -> Vec<(String, String)> {
        Client::connect(self.port).everything()
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(port: u16) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        stream
            .write_all(b"CONNECT {\"verbose\":false}\r\nSUB answers 1\r\nSUB alerts 2\r\n")
            .unwrap();
        Self(BufReader::new(stream))
    }

    /// The next message: which subscription it is for, and its text.
    fn next(&mut self) -> (String, String) {
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            match words.first() {
                Some(&"PING") => self.0.get_mut().write_all(b"PONG\r\n").unwrap(),
                Some(&kind @ ("MSG" | "HMSG")) => {
                    let number = |word: &str| word.parse::<usize>().unwrap();
                    let head = if kind == "HMSG" {
                        number(words[words.len() - 2])
                    } else {
                        0
                    };
                    let mut bytes = vec![0; number(words[words.len() - 1]) + 2];
                    self.0.read_exact(&mut bytes).unwrap();
                    let text = String::from_utf8_lossy(&bytes[head..])
                        .trim_end()
                        .to_owned();
                    return (words[2].to_owned(), text);
                }
                _ => assert!(!line.is_empty() && !line.starts_with("-ERR"), "{line}"),
            }
        }
    }

    fn ask(&mut self, subject: &str, question: &Value) -> Value {
        let text = question.to_string();
        let request = format!("PUB {subject} answers {}\r\n{text}\r\n", text.len());
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        loop {
            let (subscription, text) = self.next();
            if subscription == "1" {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    /// All that the stream holds.
    fn everything(&mut self) -> Vec<(String, String)> {
        let info = self.ask("$JS.API.STREAM.INFO.ALERTS", &json!({}));
        let count = info["state"]["messages"].as_u64().unwrap();
        let consumer = json!({"stream_name": "ALERTS", "config": {
            "deliver_subject": "alerts", "deliver_policy": "all", "ack_policy": "none",
        }});
        let text = consumer.to_string();
        let request = format!(
            "PUB $JS.API.CONSUMER.CREATE.ALERTS answers {}\r\n{text}\r\n",
            text.len()
        );
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let mut all = Vec::new();
        while (all.len() as u64) < count {
            let (subscription, text) = self.next();
            if subscription == "2" {
                all.push(alert(&text));
            }
        }
        all
    }
}

#[test]
fn a_stream_has_every_alert_once() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut server) = Server::start(folder.path()) else {
        return;
    };
    server.make_stream();
    let overrides = [
        format!("extra_outputs[0].address=127.0.0.1:{}", server.port),
        "extra_outputs[0].spool.path=NODE/spool".to_owned(),
    ];
    let twice = run("nats", folder.path(), &overrides, &mut server);
    assert_eq!(twice, 0, "the stream knows a message by its id");
}

#[test]
fn without_a_stream_nothing_counts_as_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut server) = Server::start(folder.path()) else {
        return;
    };
    struct Late<'s>(&'s mut Server, bool);
    impl Engine for Late<'_> {
        fn interrupt(&mut self) {}
        fn resume(&mut self) {
            self.0.make_stream();
            self.1 = true;
        }
        fn received(&mut self) -> Vec<(String, String)> {
            if self.1 {
                return self.0.received();
            }
            // Nobody stores anything yet; the nodes go on as if it had arrived.
            (0..3)
                .map(|n| (format!("node-{n}"), String::new()))
                .collect()
        }
    }
    let overrides = [
        format!("extra_outputs[0].address=127.0.0.1:{}", server.port),
        "extra_outputs[0].spool.path=NODE/spool".to_owned(),
    ];
    run(
        "nats",
        folder.path(),
        &overrides,
        &mut Late(&mut server, false),
    );
}
