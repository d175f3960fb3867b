//! Nodes, a relay of rsyslog, a centre: the relay is restarted, and then the centre killed. Not at the same time:
//! what a relay has sent and nobody acknowledged is in its memory only, and lost when it ends.

use std::net::TcpStream;
use std::path::{Path, PathBuf};

use crate::engine::{Daemon, Engine, alert, missing};
use crate::node::{examples, run, until};

struct Relays {
    folder: PathBuf,
    relay_port: u16,
    centre_port: u16,
    relay: Option<Daemon>,
    centre: Option<Daemon>,
}

impl Relays {
    /// An example with our ports and folders in it.
    fn configure(&self, name: &str, port: u16) {
        let text = std::fs::read_to_string(examples().join(format!("syslog/{name}.conf"))).unwrap();
        let folder = self.folder.to_str().unwrap();
        let (input, rest) = text.split_once("input(").unwrap();
        let rest = rest.replacen("2514", &port.to_string(), 1);
        let text = format!("{input}input({rest}")
            .replace("centre.example", "127.0.0.1")
            .replace("port=\"2514\"", &format!("port=\"{}\"", self.centre_port))
            .replace("/var/spool/rsyslog", folder)
            .replace("/var/log/peregrine-fleet.json", &format!("{folder}/alerts"));
        std::fs::write(self.folder.join(format!("{name}.conf")), text).unwrap();
    }

    fn launch(&self, name: &str, port: u16) -> Option<Daemon> {
        let file = |ending: &str| {
            self.folder
                .join(format!("{name}.{ending}"))
                .display()
                .to_string()
        };
        let pid = file("pid");
        let _ = std::fs::remove_file(&pid);
        let args = ["-n", "-f", &file("conf"), "-i", &pid];
        let daemon = Daemon::start("rsyslogd", &args, Path::new(&file("log")))?;
        until("rsyslog listens", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Some(daemon)
    }
}

impl Engine for Relays {
    fn interrupt(&mut self) {
        self.relay.take().unwrap().end();
    }

    fn resume(&mut self) {
        self.relay = self.launch("relay", self.relay_port);
        self.centre = None;
        self.centre = self.launch("centre", self.centre_port);
    }

    fn received(&mut self) -> Vec<(String, String)> {
        let text = std::fs::read_to_string(self.folder.join("alerts")).unwrap_or_default();
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole
            .lines()
            .filter(|line| line.starts_with('{'))
            .map(alert)
            .collect()
    }
}

#[test]
fn a_relay_hands_on_every_alert() {
    let modules = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/usr/lib64",
    ];
    if !modules
        .iter()
        .any(|at| Path::new(at).join("rsyslog/imrelp.so").exists())
    {
        return missing("rsyslog-relp is not installed");
    }
    let folder = tempfile::tempdir().unwrap();
    let mut relays = Relays {
        folder: folder.path().to_owned(),
        relay_port: testkit::port::free(),
        centre_port: testkit::port::free(),
        relay: None,
        centre: None,
    };
    relays.configure("relay", relays.relay_port);
    relays.configure("centre", relays.centre_port);
    relays.centre = relays.launch("centre", relays.centre_port);
    relays.relay = relays.launch("relay", relays.relay_port);
    if relays.relay.is_none() {
        return;
    }
    let overrides = [
        format!(
            "extra_outputs[0].address=relp://127.0.0.1:{}",
            relays.relay_port
        ),
        "extra_outputs[0].spool.path=NODE/spool".to_owned(),
    ];
    let twice = run("syslog", folder.path(), &overrides, &mut relays);
    println!("{twice} alerts arrived twice");
}
