//! A receiver of alerts over HTTP, which is killed.

use std::net::TcpStream;
use std::path::PathBuf;

use crate::engine::{Daemon, Engine, alert};
use crate::node::{examples, run, until};

struct Receiver {
    folder: PathBuf,
    port: u16,
    daemon: Option<Daemon>,
}

impl Receiver {
    fn launch(&mut self) -> Option<()> {
        let script = examples().join("http/receiver.py");
        let file = self.folder.join("alerts");
        let port = self.port.to_string();
        let args = [
            script.to_str().unwrap(),
            "127.0.0.1",
            &port,
            file.to_str().unwrap(),
        ];
        self.daemon = Some(Daemon::start("python3", &args, &self.folder.join("log"))?);
        until("the receiver listens", || {
            TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
        Some(())
    }
}

impl Engine for Receiver {
    fn interrupt(&mut self) {
        self.daemon = None;
    }

    fn resume(&mut self) {
        self.launch().unwrap();
    }

    fn received(&mut self) -> Vec<(String, String)> {
        let text = std::fs::read_to_string(self.folder.join("alerts")).unwrap_or_default();
        // The last line may be half written, now or when it was killed.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole
            .lines()
            .filter(|line| line.starts_with('{') && line.ends_with('}'))
            .map(alert)
            .collect()
    }
}

#[test]
fn a_receiver_has_every_alert() {
    let folder = tempfile::tempdir().unwrap();
    let mut receiver = Receiver {
        folder: folder.path().to_owned(),
        port: testkit::port::free(),
        daemon: None,
    };
    if receiver.launch().is_none() {
        return;
    }
    let overrides = [
        format!("http_output.url=http://127.0.0.1:{}/falco", receiver.port),
        "http_output.spool.path=NODE/spool".to_owned(),
    ];
    let twice = run("http", folder.path(), &overrides, &mut receiver);
    println!("{twice} alerts arrived twice");
}
