//! What is done between two events, besides looking at signals: metrics, reloads, signs of life.

use std::fs::OpenOptions;
use std::io::Write;
use std::sync::{Arc, PoisonError};

use config::Settings;
use config::settings::EngineKind;
use live::{LookupCounters, LookupMeter};
use outputs::{Formatter, Internal, Statistics};
use probe::{LossMeter, Losses};
use rules::Priority;
use state::State;

use super::Alerting;
use super::images::Images;
use super::keeper::Keeper;
use super::shared::SharedOutputs;
use crate::daemon::board::Board;
use crate::daemon::notify::Supervisor;
use crate::daemon::page::Teller;
use crate::daemon::reload::{Outcome, Slot};
use crate::daemon::telemetry::{Look, Telemetry};
use crate::watch::Wanted;
use crate::{clock, log};

const SNAPSHOT: &str = "Falco internal: metrics snapshot";
const FAILURE: &str = "Falco internal: hot restart failure";

/// What it needs.
pub(crate) struct Upkeep {
    pub(super) telemetry: Telemetry,
    pub(super) board: Option<Arc<Board>>,
    pub(super) reloads: Option<Arc<Slot>>,
    /// Tells the local page.
    pub(super) teller: Option<Teller>,
    /// What the new rules want to see, until the source was told.
    pub(super) wanted: Option<Wanted>,
    /// Reloads that took effect, and that did not.
    counts: (u64, u64),
    supervisor: Supervisor,
}

impl Upkeep {
    pub(super) fn new(settings: &Settings, hostname: &[u8]) -> Self {
        let engine = match settings.engine.kind {
            EngineKind::Kmod | EngineKind::ModernEbpf => "modern_bpf",
            EngineKind::Replay => "savefile",
            EngineKind::Nodriver => "nodriver",
        };
        Self {
            telemetry: Telemetry::new(&settings.metrics, engine, hostname),
            board: None,
            reloads: None,
            teller: None,
            wanted: None,
            counts: (0, 0),
            supervisor: Supervisor::new(),
        }
    }

    pub(super) fn adopted(&mut self, settings: &Settings) {
        self.telemetry.adopt(&settings.metrics);
        self.counts.0 += 1;
    }
}

impl Alerting {
    /// How often the machine was asked so far.
    pub(crate) fn lookups(&self) -> LookupCounters {
        self.asked
            .as_ref()
            .map(LookupMeter::counters)
            .unwrap_or_default()
    }

    /// What was lost so far.
    pub(crate) fn losses(&self) -> Losses {
        self.meter.as_ref().map(LossMeter::lost).unwrap_or_default()
    }

    /// What fired, of all sources.
    pub(super) fn all_statistics(&self) -> Statistics {
        let mut all = self.statistics.clone();
        for other in &self.elsewhere {
            all.add(&other.lock().unwrap_or_else(PoisonError::into_inner));
        }
        all
    }

    /// Counts an event of this CPU.
    #[inline]
    pub(super) fn count_cpu(&mut self, cpu: u16) {
        let cpu = usize::from(cpu);
        match self.by_cpu.get_mut(cpu) {
            Some(count) => *count += 1,
            // A capture may name any number; a machine of more has no series for them.
            None if cpu < CPUS_MAX => {
                self.by_cpu.resize(cpu + 1, 0);
                self.by_cpu[cpu] += 1;
            }
            None => {}
        }
    }

    /// Has the kernel side leave out what no rule reads. Plugins may look at every event, and so may
    /// what knows sessions and who reads a capture that is written: then nothing is left out.
    pub(super) fn leave_out(&mut self) {
        let others_look = self.sessions.is_some()
            || self.tape.is_some()
            || self.flight.is_some()
            || !self.running.is_empty()
            || !self.others.is_empty();
        if others_look {
            self.compiled.wanted.filters = probe::Filters::default();
            self.compiled.images = Images::default();
        }
        self.upkeep.wanted = Some(self.compiled.wanted.clone());
    }

    /// Does what is due.
    pub(super) fn keep_up(&mut self, state: &State) {
        self.upkeep.supervisor.alive();
        self.hear_flight();
        if let Some(outcome) = self.upkeep.reloads.as_ref().and_then(|slot| slot.take()) {
            self.reload(outcome);
        }
        let due = |teller: &Teller| teller.is_due();
        if self.upkeep.teller.as_ref().is_some_and(due) {
            let lost = self.meter.as_ref().map_or(0, |meter| meter.lost().total());
            let statistics = self.all_statistics();
            let alerts = statistics.total();
            let rules = self.compiled.subjects.iter().map(|s| s.rule.as_str());
            if let Some(teller) = &mut self.upkeep.teller {
                teller.tell(self.events, lost, alerts, &self.costs, rules, &statistics);
            }
        }
        let asked = self.upkeep.board.as_ref().is_some_and(|board| board.beat());
        let watched = self
            .upkeep
            .board
            .as_ref()
            .is_some_and(|board| board.is_watched());
        if watched != self.activity.is_some() {
            self.activity = watched.then(Box::default);
        }
        let due = self.upkeep.telemetry.is_due();
        if !asked && !due {
            return;
        }
        let statistics = self.all_statistics();
        let outputs = self.outputs.read().report();
        let look = Look {
            events: self.events,
            throttled: self.gate.throttle.held_back,
            statistics: &statistics,
            subjects: &self.compiled.subjects,
            meter: self.meter.as_ref(),
            lookups: self.lookups(),
            asking: self.asking.as_ref().map(containers::Meter::read),
            waits: self.waiting.counts(),
            state,
            outputs: &outputs,
            queue_drops: self.outputs.read().dropped(),
            origins: &self.compiled.origins,
            reloads: self.upkeep.counts,
            costs: &self.costs,
            by_cpu: &self.by_cpu,
            remembered: self.compiled.engine.remembered().collect(),
            flight: self.flight_counts(),
            not_kept: self.keeper.as_ref().map_or(0, Keeper::missed),
            plugins: self.guests.metrics(),
            repeats: self.gate.is_set().then_some(statistics.repeats),
        };
        let telemetry = &mut self.upkeep.telemetry;
        let told = asked.then(|| telemetry.collect(&look, false));
        let fields = due.then(|| telemetry.snapshot(&look));
        if let (Some(board), Some(metrics)) = (&self.upkeep.board, told) {
            let names = self.compiled.subjects.iter().map(|s| s.rule.as_str());
            let costs = self.costs.by_rule().iter().copied();
            let activity = self.activity.as_mut();
            let activity = activity.map(|activity| activity.tell(state, names.zip(costs)));
            board.tell(metrics, outputs, activity.unwrap_or_default());
        }
        if let Some(fields) = fields {
            self.snapshot(&fields);
        }
    }

    fn snapshot(&mut self, fields: &[(String, String)]) {
        let (alert, file, number) = self.upkeep.telemetry.targets();
        if !file.is_empty() {
            let pairs: Vec<String> = fields
                .iter()
                .map(|(key, value)| format!("\"{key}\":{value}"))
                .collect();
            let line = format!(
                "{{\"sample\":{number},\"output_fields\":{{{}}}}}\n",
                pairs.join(",")
            );
            let written = OpenOptions::new()
                .append(true)
                .create(true)
                .open(file)
                .and_then(|mut file| file.write_all(line.as_bytes()));
            if let Err(error) = written {
                log::error(&format!("metrics.output_file {file}: {error}"));
            }
        }
        if alert {
            let fields: Vec<(&str, String)> = fields
                .iter()
                .map(|(key, value)| (key.as_str(), value.clone()))
                .collect();
            self.internal(
                SNAPSHOT,
                Priority::Informational,
                "Falco metrics snapshot",
                &fields,
            );
        }
    }

    pub(super) fn internal(
        &mut self,
        rule: &str,
        priority: Priority,
        text: &str,
        fields: &[(&str, String)],
    ) {
        let internal = Internal {
            time: clock::now(),
            priority,
            rule,
            text,
        };
        send_internal(&internal, fields, &mut self.formatter, &self.outputs);
    }

    fn reload(&mut self, outcome: Outcome) {
        let fault = match outcome {
            Outcome::Failed(fault) => fault,
            Outcome::Ready(compiled) => {
                let rules = compiled.subjects.len();
                match self.adopt(*compiled) {
                    Ok(()) => {
                        self.leave_out();
                        log::info(&format!("configuration and rules reloaded: {rules} rules"));
                        return;
                    }
                    Err(error) => format!("{error:#}"),
                }
            }
        };
        self.upkeep.counts.1 += 1;
        Supervisor::status("the last reload was refused, the rules before it are in force");
        log::error(&format!(
            "nothing is reloaded, the rules before stay in force: {fault}"
        ));
        self.internal(
            FAILURE,
            Priority::Critical,
            &format!("{FAILURE}: {fault}"),
            &[],
        );
    }
}

/// Sends an alert of our own.
pub(super) fn send_internal(
    alert: &Internal<'_>,
    fields: &[(&str, String)],
    formatter: &mut Formatter,
    outputs: &SharedOutputs,
) {
    let mut line = Vec::new();
    formatter.internal(alert, fields, &mut line);
    outputs
        .read()
        .send_internal(alert.rule, alert.priority, &line);
}

/// CPUs whose events are counted apart.
const CPUS_MAX: usize = 4096;

/// Whether metrics want events by CPU.
pub(super) fn counts_cpus(settings: &Settings) -> bool {
    let metrics = &settings.metrics;
    metrics.enabled && metrics.kernel_event_counters && metrics.kernel_event_counters_per_cpu
}
