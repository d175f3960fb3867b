//! An OpenTelemetry collector, which is restarted: Rotel, of PyPI (`.ci/run` fetches it to `target/tools/python`).

use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;

use crate::engine::{Daemon, Engine};
use crate::node::{examples, run, until};
use crate::support::python;

struct Collector {
    program: PathBuf,
    folder: PathBuf,
    port: u16,
    daemon: Option<Daemon>,
}

/// The program lies beside the module of that name.
fn program() -> Option<PathBuf> {
    let script =
        "import os, rotel; print(os.path.join(os.path.dirname(rotel.__file__), 'rotel-agent'))";
    let said = Command::new(python("rotel")?)
        .args(["-c", script])
        .output()
        .unwrap();
    Some(PathBuf::from(
        String::from_utf8(said.stdout).unwrap().trim_end(),
    ))
}

impl Collector {
    fn launch(&mut self) -> Option<()> {
        let mut command = Command::new(&self.program);
        command.arg("start");
        let settings = std::fs::read_to_string(examples().join("opentelemetry/rotel.env")).unwrap();
        let lines = settings.lines().filter(|line| !line.starts_with('#'));
        for (key, value) in lines.filter_map(|line| line.split_once('=')) {
            command.env(key, value);
        }
        command
            .env(
                "ROTEL_OTLP_HTTP_ENDPOINT",
                format!("127.0.0.1:{}", self.port),
            )
            .env(
                "ROTEL_OTLP_GRPC_ENDPOINT",
                format!("127.0.0.1:{}", testkit::port::free()),
            )
            // What it took is told on its standard output instead of to an engine.
            .env("ROTEL_EXPORTER", "blackhole")
            .env("ROTEL_DEBUG_LOG", "logs")
            .env("ROTEL_DEBUG_LOG_VERBOSITY", "detailed");
        self.daemon = Some(Daemon::of(
            &mut command,
            &self.folder.join("collector.log"),
        )?);
        until("the collector listens", || {
            TcpStream::connect(("127.0.0.1", self.port)).is_ok()
        });
        Some(())
    }
}

impl Engine for Collector {
    fn interrupt(&mut self) {
        // A collector has what it answers for in memory: it may end in order.
        self.daemon.take().unwrap().end();
    }

    fn resume(&mut self) {
        self.launch().unwrap();
    }

    fn received(&mut self) -> Vec<(String, String)> {
        let text = std::fs::read_to_string(self.folder.join("collector.log")).unwrap_or_default();
        let value = |line: &str, key: &str| {
            let rest = line.trim().strip_prefix("-> ")?.strip_prefix(key)?;
            Some(rest.strip_prefix(": Str(")?.strip_suffix(')')?.to_owned())
        };
        let (mut host, mut all) = (String::new(), Vec::new());
        for line in text.lines() {
            if let Some(name) = value(line, "host.name") {
                host = name;
            }
            if let Some(file) = value(line, "fd.name") {
                all.push((host.clone(), file));
            }
        }
        all
    }
}

#[test]
fn a_collector_has_every_alert() {
    let Some(program) = program() else {
        eprintln!(
            "left out: no collector (python3 -m venv target/tools/python, its pip install rotel)"
        );
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut collector = Collector {
        program,
        folder: folder.path().to_owned(),
        port: testkit::port::free(),
        daemon: None,
    };
    if collector.launch().is_none() {
        return;
    }
    let overrides = [
        format!(
            "extra_outputs[0].url=http://127.0.0.1:{}/v1/logs",
            collector.port
        ),
        "extra_outputs[0].spool.path=NODE/spool".to_owned(),
    ];
    let twice = run("opentelemetry", folder.path(), &overrides, &mut collector);
    println!("{twice} alerts arrived twice");
}
