//! The conformance runner: the real binary, seen from outside, against the corpus.
//!
//! Every kind of cases is one function from a [`Bench`] to a [`Tally`]. A part of the corpus that is
//! missing is skipped and said, so the runner works on any folder of the corpus' structure. Texts that
//! are sentences of the original are compared by code, item and place ([`sentences`]); rule names, keys,
//! values and positions are compared as they are.
//!
//! Modules: [`program`] runs the binary, [`statistics`] reads its closing statistics, [`regression`],
//! [`selftest`](loader) and the others hold the kinds.

pub mod alerts;
pub mod captures;
pub mod describe;
pub mod events;
pub mod listings;
pub mod loader;
pub mod program;
pub mod regression;
pub mod sentences;
pub mod statistics;
pub mod stock;
pub mod validation;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use tempfile::TempDir;

use crate::golden::accounts;
use crate::{Corpus, Tally, jsonl};

pub use program::{Program, Run};

/// What every kind needs: the corpus, the binary, a folder for scratch files.
#[derive(Debug)]
pub struct Bench {
    /// The corpus.
    pub corpus: Corpus,
    /// The binary under test, run inside the corpus.
    pub program: Program,
    scratch: TempDir,
    jobs: usize,
}

/// One kind of cases.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Its name, as on the command line and in `tests/known-differences/`.
    pub name: &'static str,
    /// What it compares, in a few words.
    pub about: &'static str,
    /// Runs it.
    pub run: fn(&Bench) -> Tally,
}

macro_rules! regression_kind {
    ($name:literal, $about:literal) => {
        Kind {
            name: $name,
            about: $about,
            run: |bench| regression::run(bench, $name),
        }
    };
}

/// All kinds, quick ones first.
pub const KINDS: &[Kind] = &[
    regression_kind!("cli", "information flags"),
    regression_kind!("validate", "faults in rule files"),
    regression_kind!("validate-exceptions", "faults in rule exceptions"),
    regression_kind!("load-error", "rule files that must not load"),
    regression_kind!("detect", "rules that fire on a capture"),
    regression_kind!("selection", "rules chosen by name, tag and priority"),
    regression_kind!("exceptions", "rule exceptions at work"),
    regression_kind!("output", "formats and channels"),
    regression_kind!("k8s-audit", "rules that fire on Kubernetes audit events"),
    regression_kind!("drops", "actions on lost events, simulated"),
    Kind {
        name: "loader",
        about: "the rule loader, step by step",
        run: loader::run,
    },
    Kind {
        name: "golden-cases",
        about: "the regression cases as the original runs them today",
        run: regression::golden,
    },
    Kind {
        name: "validation",
        about: "validation of every rule file",
        run: validation::run,
    },
    Kind {
        name: "listings",
        about: "lists of fields, events, schemas",
        run: listings::run,
    },
    Kind {
        name: "describe",
        about: "descriptions of rule sets",
        run: describe::run,
    },
    Kind {
        name: "golden-events",
        about: "events of captures with all fields",
        run: events::run,
    },
    Kind {
        name: "raw-counts",
        about: "events as recorded",
        run: captures::counts,
    },
    Kind {
        name: "raw-fields",
        about: "fields of events as recorded",
        run: captures::fields,
    },
    Kind {
        name: "filter-counts",
        about: "filters over events",
        run: captures::filters,
    },
    Kind {
        name: "stock",
        about: "stock rules over every capture",
        run: stock::run,
    },
    Kind {
        name: "alerts",
        about: "alerts as JSON, and their counts",
        run: alerts::json,
    },
    Kind {
        name: "alerts-text",
        about: "alerts as text",
        run: alerts::text,
    },
];

/// The configuration under which the golden results were made.
const GOLDEN_CONFIG: &str = "\
json_include_message_property: true
append_output: []
log_level: error
log_stderr: true
log_syslog: false
stdout_output:
  enabled: true
syslog_output:
  enabled: false
plugins:
  - name: container
    library_path: libcontainer.so
    init_config:
      engines:
        docker: {enabled: false}
        podman: {enabled: false}
        cri: {enabled: false}
        containerd: {enabled: false}
        lxc: {enabled: false}
        libvirt_lxc: {enabled: false}
        bpm: {enabled: false}
        static: {enabled: false}
load_plugins: [container]
";

/// What differs from it in the regression suites: they read the log.
const REGRESSION_CONFIG: &str = "\
append_output: []
log_level: info
log_stderr: true
log_syslog: false
stdout_output:
  enabled: true
syslog_output:
  enabled: false
";

impl Bench {
    /// A bench for the program at `path`, with `jobs` runs at a time.
    ///
    /// # Errors
    /// When the folder for scratch files cannot be made.
    pub fn new(corpus: Corpus, path: &Path, jobs: usize) -> io::Result<Self> {
        let scratch = tempfile::tempdir()?;
        std::fs::write(scratch.path().join("golden.yaml"), GOLDEN_CONFIG)?;
        std::fs::write(scratch.path().join("regression.yaml"), REGRESSION_CONFIG)?;
        let host = scratch.path().join("host");
        std::fs::create_dir_all(host.join("etc"))?;
        std::fs::write(host.join("etc/passwd"), accounts::passwd())?;
        std::fs::write(host.join("etc/group"), accounts::group())?;
        let program = Program::new(path, corpus.root(), &host);
        Ok(Self {
            corpus,
            program,
            scratch,
            jobs: jobs.max(1),
        })
    }

    /// The configuration file under which the golden results were made. Its container plugin has no
    /// engine on, as the stub had that stood in for it: every process belongs to the host.
    #[must_use]
    pub fn golden_config(&self) -> String {
        self.scratch
            .path()
            .join("golden.yaml")
            .display()
            .to_string()
    }

    /// The configuration file for regression cases that name none.
    #[must_use]
    pub fn regression_config(&self) -> String {
        self.scratch
            .path()
            .join("regression.yaml")
            .display()
            .to_string()
    }

    /// A fresh folder for one case.
    ///
    /// # Panics
    /// When the file system refuses it.
    #[must_use]
    pub fn folder(&self, id: &str) -> PathBuf {
        let name: String = id
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let path = self.scratch.path().join(name);
        std::fs::create_dir_all(&path).expect("the scratch folder is ours");
        path
    }

    /// Reads a JSON document of the corpus; a missing or broken one is noted in `tally`.
    pub fn document(&self, relative: &str, tally: &mut Tally) -> Option<Value> {
        let Some(path) = self.corpus.existing(relative) else {
            tally.skip(format!("{relative}: not in this corpus"));
            return None;
        };
        jsonl::document(&path)
            .map_err(|e| tally.fail(relative, e.to_string()))
            .ok()
    }

    /// Calls `run` for every item, several at a time; results in the items' order.
    pub fn each<T: Sync, R: Send>(&self, items: &[T], run: impl Fn(&T) -> R + Sync) -> Vec<R> {
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.min(items.len()) {
                scope.spawn(|| {
                    while let Some((at, item)) = {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        items.get(at).map(|item| (at, item))
                    } {
                        let result = run(item);
                        done.lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push((at, result));
                    }
                });
            }
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(at, _)| *at);
        done.into_iter().map(|(_, result)| result).collect()
    }
}

/// The strings in a JSON array; none if it is no array.
pub(crate) fn strings(value: &Value) -> Vec<String> {
    let items = value.as_array().map_or(&[][..], Vec::as_slice);
    items
        .iter()
        .filter_map(|v| v.as_str().map(str::to_owned))
        .collect()
}

/// Cuts a text for a report.
pub(crate) fn brief(text: &str) -> String {
    const LIMIT: usize = 600;
    match text.char_indices().nth(LIMIT) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
