//! An incident out of a capture. It is read twice: the first time its alerts are raised, as a replay does it; the second
//! time everything is looked at that the incident's processes, and what descends from them, did.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, bail};
use config::Override;
use event::{Record, codes};
use fields::{Environment, EventView};
use state::{Context, State};
use store::{Process, Thing};

use super::super::prepare::Prepared;
use super::report::{PROCESSES, Report, key};
use crate::cli;
use crate::event_loop::{self, Pace, Work};
use crate::machine::state_options;
use crate::pipeline::beside::Company;
use crate::pipeline::incidents::{self, ProcessKey};
use crate::pipeline::traces::Traces;
use crate::pipeline::{self, Collection};
use crate::source;
use crate::sources::{self, AuditFile, Sources};
use crate::stop::Signals;

/// Processes that were found to be none of the incident's; then they are asked about anew.
const STRANGERS: usize = 1 << 20;
/// Bytes of a command line.
const COMMAND: usize = 2048;

/// What [`is_deed`] lets through is told in these words.
const WAYS: [&str; 10] = [
    "run",
    "written",
    "removed",
    "renamed",
    "linked",
    "made",
    "changed",
    "connected",
    "accepted",
    "listened",
];

/// A capture, and the rules that raise its alerts.
pub(super) struct Capture {
    file: String,
    prepared: Prepared,
    audit_events: bool,
    alerts: cli::Alerts,
}

impl Capture {
    /// Reads the rules; `None` where they are refused, which was shown.
    pub(super) fn open(args: &cli::Incident, file: &str) -> Result<Option<Self>> {
        if file == "-" {
            bail!("a capture is read twice, so it cannot come from standard input; name a file");
        }
        let overrides = vec![
            Override::set("engine.kind", "replay"),
            Override::set("engine.replay.capture_file", file),
            Override::set("stdout_output.enabled", "true"),
        ];
        let alerts = cli::Alerts {
            json: false,
            all: args.all,
            quiet: true,
        };
        let audit_events = sources::looks_like_json(file);
        let prepared = Prepared::read(
            &args.rules,
            &alerts,
            overrides,
            |catalogue, settings| Sources::of(catalogue, settings, true),
            audit_events,
        )?;
        Ok(prepared.map(|prepared| Self {
            file: file.to_owned(),
            prepared: prepared.keeping(),
            audit_events,
            alerts,
        }))
    }

    /// Raises its alerts. A capture that breaks off gives those before.
    pub(super) fn alerts(&self) -> Result<(Collection, Option<anyhow::Error>)> {
        let collection = Arc::new(Mutex::new(Collection::default()));
        let mut plan = self.prepared.plan(&self.alerts, 0);
        plan.collection = Some(Arc::clone(&collection));
        let company = Company::of_capture(plan.sources)?;
        let ended = if self.audit_events {
            let limits = audit::Limits::default();
            pipeline::run(&plan, company, |_| AuditFile::open(&self.file, limits))?
        } else {
            pipeline::run(&plan, company, |_| source::open(&self.file, false))?
        };
        let mut collected = collection.lock().unwrap_or_else(PoisonError::into_inner);
        Ok((std::mem::take(&mut collected), ended.fault))
    }

    /// Takes in what the processes of a report did, and what they started.
    pub(super) fn deeds(&self, report: &mut Report) -> Result<()> {
        if self.audit_events {
            return Ok(());
        }
        let plan = self.prepared.plan(&self.alerts, 0);
        let signals = Signals::catch().context("cannot catch signals")?;
        let mut state = State::new(state_options(plan.settings));
        let mut source = source::open(&self.file, false)?;
        report.forget(&WAYS);
        let first = report
            .alerts
            .iter()
            .flat_map(|alert| alert.processes.first());
        let mut follower = Follower {
            members: first.map(key).filter(|(pid, _)| *pid > 1).collect(),
            seen: HashSet::new(),
            strangers: HashSet::new(),
            traces: Traces::new(plan.catalogue),
            env: Environment::default(),
            report,
        };
        let pace = Pace::new(plan.settings, 0);
        // Where it breaks off was told the first time.
        event_loop::drive(&mut source, &mut state, &mut follower, &signals, pace);
        report.complete = true;
        report.settle();
        Ok(())
    }
}

/// Follows the processes of an incident.
struct Follower<'r> {
    /// Those that raised alerts, and their descendants.
    members: HashSet<ProcessKey>,
    /// Members that are in the report as this capture shows them.
    seen: HashSet<ProcessKey>,
    strangers: HashSet<ProcessKey>,
    traces: Traces,
    env: Environment,
    report: &'r mut Report,
}

impl Follower<'_> {
    fn is_member(&mut self, own: ProcessKey, state: &State, context: &Context) -> bool {
        if self.members.contains(&own) {
            return true;
        }
        if self.strangers.contains(&own) {
            return false;
        }
        let ix = context.thread;
        let mut line = ix.into_iter().flat_map(|ix| state.ancestors(ix));
        if line.any(|above| self.members.contains(&incidents::key(state, above))) {
            if self.members.len() < PROCESSES {
                self.members.insert(own);
            }
            return true;
        }
        if self.strangers.len() >= STRANGERS {
            self.strangers.clear();
        }
        self.strangers.insert(own);
        false
    }

    fn meet(&mut self, own: ProcessKey, state: &State, context: &Context) {
        let Some(ix) = context.thread.map(|ix| incidents::main(state, ix)) else {
            return;
        };
        let parent = state.parent(ix).map(|ix| incidents::key(state, ix));
        self.report.process(own, parent, || {
            let thread = state.thread(ix);
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let command = thread.image.cmdline();
            Process {
                pid: thread.pid,
                name: text(thread.comm()),
                path: text(thread.image.exepath()),
                command: text(&command[..command.len().min(COMMAND)]),
                uid: (thread.uid != u32::MAX).then_some(thread.uid),
                began: thread.clone_ts,
            }
        });
    }
}

impl Work for Follower<'_> {
    fn event(&mut self, record: &Record<'_>, state: &State, context: &Context) -> bool {
        let Some(ix) = context.thread.filter(|_| context.visible) else {
            return true;
        };
        let own = incidents::key(state, ix);
        if !self.is_member(own, state, context) {
            return true;
        }
        let code = record.code.number();
        let runs = matches!(code, codes::SYSCALL_EXECVE_19_X | codes::SYSCALL_EXECVEAT_X)
            && record.result() == Some(0);
        // Its end changes what it looks like, and is no deed.
        if code == codes::PROCEXIT_1_E || code == codes::PROCEXIT_E {
            return true;
        }
        if runs || self.seen.insert(own) {
            self.meet(own, state, context);
        }
        if !is_deed(record, runs) {
            return true;
        }
        let view = EventView::new(record, state, context, &self.env);
        if let Some(touched) = self.traces.of(record, &view, state, context) {
            let ordinary = touched.how == "read"
                || (touched.thing == Thing::File
                    && (touched.name.starts_with("/dev/") || touched.name.starts_with("/proc/")));
            if !ordinary {
                self.report.deed(touched, own, record.ts);
            }
        }
        true
    }
}

/// Whether an event is worth a line: something was run, changed or connected. What was only read is told where an alert
/// speaks of it.
fn is_deed(record: &Record<'_>, runs: bool) -> bool {
    const EINPROGRESS: i64 = -115;
    let result = record.result().unwrap_or(0);
    match record.info.name {
        "execve" | "execveat" => runs,
        "connect" => result >= 0 || result == EINPROGRESS,
        "open" | "openat" | "openat2" | "creat" | "unlink" | "unlinkat" | "rmdir" | "rename"
        | "renameat" | "renameat2" | "link" | "linkat" | "symlink" | "symlinkat" | "mkdir"
        | "mkdirat" | "chmod" | "fchmod" | "fchmodat" | "chown" | "lchown" | "fchown"
        | "fchownat" | "accept" | "accept4" | "bind" | "listen" => result >= 0,
        _ => false,
    }
}
