//! A cluster that speaks Kafka's protocol: leaders move, all brokers go down and come back. It is librdkafka's own,
//! with which that library tests itself, and kcat reads what arrived.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::engine::{Engine, alert, missing};
use crate::node::run;

struct Cluster {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    brokers: String,
    /// Whether records name the node as their key.
    keys: bool,
}

impl Cluster {
    fn start() -> Option<Self> {
        if Command::new("kcat").arg("-V").output().is_err() {
            missing("kcat is not installed");
            return None;
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fleet/broker.py");
        let mut child = Command::new("python3")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut cluster = Self {
            commands: child.stdin.take().unwrap(),
            answers: BufReader::new(child.stdout.take().unwrap()),
            child,
            brokers: String::new(),
            keys: true,
        };
        cluster.brokers = cluster.line();
        assert!(
            cluster.brokers.contains(':'),
            "no cluster: {}",
            cluster.brokers
        );
        Some(cluster)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn command(&mut self, text: &str) {
        writeln!(self.commands, "{text}").unwrap();
        self.commands.flush().unwrap();
        assert_eq!(self.line(), "ok", "{text}");
    }
}

impl Engine for Cluster {
    fn interrupt(&mut self) {
        // Each partition is led by somebody else now: whoever led it refuses what it is sent.
        for partition in 0..4 {
            self.command(&format!("leader {partition} {}", partition % 3 + 1));
            self.command(&format!("leader {partition} {}", (partition + 1) % 3 + 1));
        }
        for broker in 1..=3 {
            self.command(&format!("down {broker}"));
        }
    }

    fn resume(&mut self) {
        for broker in 1..=3 {
            self.command(&format!("up {broker}"));
        }
    }

    fn received(&mut self) -> Vec<(String, String)> {
        let read = Command::new("kcat")
            .args([
                "-b",
                &self.brokers,
                "-C",
                "-t",
                "falco.alerts",
                "-e",
                "-q",
                "-f",
                "%k\t%s\n",
            ])
            .output()
            .unwrap();
        let text = String::from_utf8(read.stdout).unwrap();
        text.lines()
            .map(|line| {
                let (key, line) = line.split_once('\t').unwrap();
                let alert = alert(line);
                self.keys &= key == alert.0;
                alert
            })
            .collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_topic_has_every_alert() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut cluster) = Cluster::start() else {
        return;
    };
    let brokers: Vec<&str> = cluster.brokers.split(',').collect();
    let mut overrides: Vec<String> = brokers
        .iter()
        .enumerate()
        .map(|(n, broker)| format!("extra_outputs[0].brokers[{n}]={broker}"))
        .collect();
    overrides.push("extra_outputs[0].spool.path=NODE/spool".to_owned());
    let twice = run("kafka", folder.path(), &overrides, &mut cluster);
    println!("{twice} alerts arrived twice");
    assert!(cluster.keys, "records of a node have its name as their key");
}
