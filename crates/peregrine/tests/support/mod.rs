//! A capture, rules and a configuration in a temporary folder, and the binary to run on them.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use capture::{Compression, Writer};
use event::snapshot::{MachineInfo, Process};
use event::{EventCode, Record, RecordBuilder, RecordFlags, codes};

/// Time of the first event, 2023-11-14 22:13:20 UTC.
pub(crate) const START: u64 = 1_700_000_000_000_000_000;
const SECOND: u64 = 1_000_000_000;

/// A rule that fires on each open, one that fires on the shadow file first.
pub(crate) const RULES: &str = r#"
- macro: opens
  condition: evt.type = openat

- rule: Shadow opened
  desc: Somebody reads the shadow file.
  condition: opens and fd.name = /etc/shadow
  output: shadow read by %proc.name
  priority: WARNING
  tags: [files, secrets]

- rule: File opened
  desc: Somebody opens a file.
  condition: opens
  output: opened %fd.name
  priority: INFO
  tags: [files]
"#;

/// Falco's form prints nothing that is not asked for.
pub(crate) const CONFIG: &str = "\
stdout_output: {enabled: true}
log_stderr: true
log_syslog: false
";

/// The folder.
pub(crate) struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    /// With `capture.scap`, `rules.yaml` and `falco.yaml`.
    pub(crate) fn new() -> Self {
        let place = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        place.write(
            "capture.scap",
            &capture(&["/tmp/a", "/etc/shadow", "/tmp/b\nc"]),
        );
        place.write("rules.yaml", RULES.as_bytes());
        place.write("falco.yaml", CONFIG.as_bytes());
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) {
        std::fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// The binary, started in the folder.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::cargo_bin("peregrine").unwrap();
        command.current_dir(self.dir.path()).args(args);
        command
            .env("TZ", "UTC")
            .env("FALCO_HOSTNAME", "here")
            .env("NO_COLOR", "1");
        command.timeout(std::time::Duration::from_secs(180));
        command
    }

    /// Runs the binary.
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        Run(self.command(args).output().unwrap())
    }

    /// Runs it over the capture with the rules, in Falco's form, with further arguments.
    pub(crate) fn falco(&self, args: &[&str]) -> Run {
        let mut all = vec![
            "-c",
            "falco.yaml",
            "-r",
            "rules.yaml",
            "-o",
            "engine.kind=replay",
        ];
        all.extend(["-o", "engine.replay.capture_file=capture.scap"]);
        all.extend(args);
        self.run(&all)
    }
}

/// What a run gave.
pub(crate) struct Run(Output);

impl Run {
    pub(crate) fn code(&self) -> i32 {
        self.0.status.code().expect("it was not ended by a signal")
    }

    pub(crate) fn out(&self) -> String {
        String::from_utf8_lossy(&self.0.stdout).into_owned()
    }

    pub(crate) fn err(&self) -> String {
        String::from_utf8_lossy(&self.0.stderr).into_owned()
    }

    /// Checks the exit code and that a stream holds all texts.
    #[track_caller]
    pub(crate) fn check(&self, code: i32, out: &[&str], err: &[&str]) {
        let (stdout, stderr) = (self.out(), self.err());
        assert_eq!(self.code(), code, "\n{stdout}\n{stderr}");
        for text in out {
            assert!(stdout.contains(text), "no {text:?} in\n{stdout}\n{stderr}");
        }
        for text in err {
            assert!(stderr.contains(text), "no {text:?} in\n{stderr}");
        }
    }
}

/// A capture in which process `cat` opens these files, one a second.
pub(crate) fn capture(paths: &[&str]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), Compression::None).unwrap();
    writer.machine(&MachineInfo::default()).unwrap();
    let cat = Process {
        tid: 7,
        pid: 7,
        ptid: 1,
        comm: b"cat",
        cwd: b"/",
        ..Process::default()
    };
    writer.process(&cat).unwrap();
    for (n, path) in paths.iter().enumerate() {
        let open = EventCode::new(codes::SYSCALL_OPENAT_2_X);
        let bytes = RecordBuilder::new(open, START + n as u64 * SECOND, 7)
            .i64(3)
            .i64(-100)
            .text(path)
            .u32(1)
            .u32(0)
            .u32(0)
            .u64(42)
            .finish();
        let record = Record::parse(&bytes, 0, RecordFlags::default()).unwrap();
        writer.event(&record).unwrap();
    }
    writer.finish().unwrap()
}

/// A Python that knows a module of PyPI: below `target/tools/python`, where `.ci/run` makes one, or the environment that
/// PEREGRINE_PYTHON names. `None`, and a word about it, where there is none: these come over the network.
pub(crate) fn python(module: &str) -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/python");
    let root = std::env::var_os("PEREGRINE_PYTHON").map_or(tools, PathBuf::from);
    let python = root.join("bin/python3");
    let knows = std::process::Command::new(&python)
        .args(["-c", &format!("import {module}")])
        .output()
        .is_ok_and(|run| run.status.success());
    if !knows {
        eprintln!(
            "left out: no {module} in {} (pip install {module})",
            root.display()
        );
    }
    knows.then_some(python)
}
