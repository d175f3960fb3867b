//! A node: Peregrine with an example's configuration over a capture that comes through a pipe, so that it lives as
//! long as the test wants, and the end: what arrived against what was raised.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use crate::engine::Engine;
use crate::support::{RULES, capture};

const NODES: usize = 3;
/// Alerts of each node.
const ALERTS: usize = 600;

/// Where the examples are.
pub fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/fleet")
}

/// Waits for something to become true.
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(120);
    while !condition() {
        assert!(Instant::now() < end, "never: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

struct Node {
    child: Child,
    events: Option<ChildStdin>,
    log: PathBuf,
}

impl Node {
    fn start(setup: &str, number: usize, folder: &Path, overrides: &[String]) -> Self {
        let folder = folder.join(format!("node-{number}"));
        std::fs::create_dir(&folder).unwrap();
        let example = examples().join(setup).join("peregrine.yaml");
        let config = format!(
            "config_files: [{}]\nrules_files: [rules.yaml]\nlog_stderr: true\nlog_syslog: false\n\
             engine: {{kind: replay, replay: {{capture_file: /dev/stdin}}}}\n",
            example.display()
        );
        std::fs::write(folder.join("peregrine.yaml"), config).unwrap();
        std::fs::write(folder.join("rules.yaml"), RULES).unwrap();
        let log = folder.join("log");
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("peregrine"));
        command
            .args(["-c", "peregrine.yaml"])
            .current_dir(&folder)
            .env("FALCO_HOSTNAME", format!("node-{number}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap());
        for text in overrides {
            let text = text.replace("NODE", folder.to_str().unwrap());
            command.args(["-o", &text]);
        }
        let mut child = command.spawn().unwrap();
        Self {
            events: child.stdin.take(),
            child,
            log,
        }
    }

    fn feed(&mut self, events: &[u8]) {
        let written = self.events.as_mut().unwrap().write_all(events);
        assert!(written.is_ok(), "{written:?}: {}", self.said());
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn end(mut self) {
        drop(self.events.take());
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.said());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Has nodes raise alerts while the engine is there, while it is not, and when it is back; checks that nothing is
/// missing, and returns how many arrived twice. `NODE` in an override is the node's own folder.
pub fn run(setup: &str, folder: &Path, overrides: &[String], engine: &mut dyn Engine) -> usize {
    let paths: Vec<String> = (0..ALERTS).map(|n| format!("/tmp/{n}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let events = capture(&paths);
    let (first, rest) = events.split_at(events.len() / 3);
    let (second, third) = rest.split_at(rest.len() / 2);
    let mut nodes: Vec<Node> = (0..NODES)
        .map(|number| Node::start(setup, number, folder, overrides))
        .collect();
    let said = |nodes: &[Node]| nodes.iter().map(Node::said).collect::<String>();

    nodes.iter_mut().for_each(|node| node.feed(first));
    until("alerts of every node arrive", || {
        let received = engine.received();
        (0..NODES).all(|number| {
            let name = format!("node-{number}");
            received.iter().any(|(node, _)| *node == name)
        })
    });
    engine.interrupt();
    nodes.iter_mut().for_each(|node| node.feed(second));
    until("a node notices", || said(&nodes).contains("output "));
    engine.resume();
    nodes.iter_mut().for_each(|node| node.feed(third));

    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    let end = Instant::now() + Duration::from_secs(120);
    while counts.len() < NODES * ALERTS {
        assert!(
            Instant::now() < end,
            "{} of {} alerts arrived: {}",
            counts.len(),
            NODES * ALERTS,
            said(&nodes)
        );
        std::thread::sleep(Duration::from_millis(200));
        counts.clear();
        for alert in engine.received() {
            *counts.entry(alert).or_default() += 1;
        }
    }
    nodes.into_iter().for_each(Node::end);
    for number in 0..NODES {
        for path in &paths {
            let alert = (format!("node-{number}"), (*path).to_owned());
            assert!(counts.contains_key(&alert), "{alert:?} is missing");
        }
    }
    assert_eq!(counts.len(), NODES * ALERTS, "nothing else arrived");
    counts.values().map(|times| times - 1).sum()
}
