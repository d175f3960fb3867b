//! Everything that is counted, put together at one moment.

mod asking;
mod flight;
mod learned;
mod remembered;
mod repeats;

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use config::settings::Metrics;
use engine::stateful::RuleMemory;
use live::LookupCounters;
use metrics::host::{Host, Usage, percent};
use metrics::{Metric, Unit, internal};
use outputs::{Repeats, Report, Statistics};
use probe::{Class, LossMeter, Losses};
use state::State;

use crate::pipeline::{Costs, Origin, RuleSubject};
use crate::version;

use asking::asking;
use learned::learned;
use remembered::remembered;
use repeats::repeats;

/// What the event loop knows at that moment.
pub(crate) struct Look<'a> {
    pub(crate) events: u64,
    pub(crate) throttled: u64,
    pub(crate) statistics: &'a Statistics,
    pub(crate) subjects: &'a [RuleSubject],
    pub(crate) meter: Option<&'a LossMeter>,
    pub(crate) lookups: LookupCounters,
    /// What runtimes were asked, where any are.
    pub(crate) asking: Option<containers::Counters>,
    /// Events that wait for a container's metadata, that did so in vain, and that could not.
    pub(crate) waits: (u64, u64, u64),
    pub(crate) state: &'a State,
    pub(crate) outputs: &'a [Report],
    pub(crate) queue_drops: u64,
    pub(crate) origins: &'a (Vec<Origin>, Vec<Origin>),
    pub(crate) reloads: (u64, u64),
    pub(crate) costs: &'a Costs,
    /// Events by CPU; empty where nobody wants to know.
    pub(crate) by_cpu: &'a [u64],
    /// What rules that remember hold.
    pub(crate) remembered: Vec<RuleMemory>,
    /// What the flight recorder did, where there is one.
    pub(crate) flight: Option<::flight::Counts>,
    /// Alerts that the store could not keep.
    pub(crate) not_kept: u64,
    /// Alerts that a line for many told, where any are grouped or limited.
    pub(crate) repeats: Option<Repeats>,
    /// What plugins count.
    pub(crate) plugins: Vec<Metric>,
}

/// What rates are reckoned from.
#[derive(Clone, Copy, Default)]
struct Before {
    at: Option<Instant>,
    events: u64,
    losses: u64,
    usage: Usage,
}

/// Collects metrics, and knows when they are due.
pub(crate) struct Telemetry {
    settings: Metrics,
    engine: &'static str,
    hostname: String,
    host: Host,
    started: u64,
    /// Seconds since the epoch; the start counts as the first.
    pub(crate) reloaded: u64,
    clock: Instant,
    due: Option<Instant>,
    before: Before,
    samples: u64,
}

fn seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

const NANOS: u64 = 1_000_000_000;

impl Telemetry {
    /// Of a run that begins now.
    pub(crate) fn new(settings: &Metrics, engine: &'static str, hostname: &[u8]) -> Self {
        let root = std::env::var_os("HOST_ROOT").filter(|root| !root.is_empty());
        let interval = Duration::from_millis(settings.interval);
        Self {
            due: settings.enabled.then(|| Instant::now() + interval),
            settings: settings.clone(),
            engine,
            hostname: String::from_utf8_lossy(hostname).into_owned(),
            host: Host::new(Path::new(root.as_deref().unwrap_or("/".as_ref()))),
            started: seconds(),
            reloaded: seconds(),
            clock: Instant::now(),
            before: Before::default(),
            samples: 0,
        }
    }

    /// Goes over to other settings.
    pub(crate) fn adopt(&mut self, settings: &Metrics) {
        self.reloaded = seconds();
        if self.settings != *settings {
            let interval = Duration::from_millis(settings.interval);
            self.due = settings.enabled.then(|| Instant::now() + interval);
            self.settings = settings.clone();
        }
    }

    /// Whether a snapshot is due; then the next is so one interval later.
    pub(crate) fn is_due(&mut self) -> bool {
        let Some(due) = self.due.filter(|due| Instant::now() >= *due) else {
            return false;
        };
        let interval = Duration::from_millis(self.settings.interval.max(100));
        self.due = Some((due + interval).max(Instant::now()));
        true
    }

    /// A snapshot as fields of the internal alert, and as a line for the file where that is wanted.
    pub(crate) fn snapshot(&mut self, look: &Look<'_>) -> Vec<(String, String)> {
        let metrics = self.collect(look, true);
        let settings = &self.settings;
        let fields = internal::fields(
            &metrics,
            settings.convert_memory_to_mb,
            settings.include_empty_values,
        );
        self.samples += 1;
        fields
    }

    /// Whether snapshots are alerts, the file they go to if any, and how many there were.
    pub(crate) fn targets(&self) -> (bool, &str, u64) {
        (
            self.settings.output_rule,
            &self.settings.output_file,
            self.samples,
        )
    }

    /// Everything. `interval`: rates are reckoned from here on.
    pub(crate) fn collect(&mut self, look: &Look<'_>, interval: bool) -> Vec<Metric> {
        let losses = look.meter.map(LossMeter::lost).unwrap_or_default();
        let now = Instant::now();
        let before = self.before;
        let span = now
            .duration_since(before.at.unwrap_or(self.clock))
            .as_secs_f64();
        let usage = self.host.usage();
        let mut out = Vec::new();
        self.base(look, &before, span, usage.boot, &mut out);
        if self.settings.rules_counters {
            rules(look, &mut out);
        }
        if self.settings.resource_utilization {
            resources(&usage, &before.usage, span, self.clock.elapsed(), &mut out);
        }
        if self.settings.state_counters {
            state_counters(look, &mut out);
        }
        if self.settings.kernel_event_counters {
            kernel(look, &losses, &before, span, &mut out);
            if self.settings.kernel_event_counters_per_cpu {
                for (cpu, events) in look.by_cpu.iter().enumerate() {
                    let field = format!("scap.n_evts_cpu_{cpu}");
                    let metric = Metric::counter(&field, "scap_n_evts_cpu", *events);
                    out.push(metric.label("cpu", &cpu.to_string()));
                }
                for (cpu, lost) in look
                    .meter
                    .map(LossMeter::by_cpu)
                    .unwrap_or_default()
                    .iter()
                    .enumerate()
                {
                    let field = format!("scap.n_drops_cpu_{cpu}");
                    let metric = Metric::counter(&field, "scap_n_drops_cpu", lost.total());
                    out.push(metric.label("cpu", &cpu.to_string()));
                }
            }
        }
        if self.settings.plugins_metrics {
            out.extend_from_slice(&look.plugins);
            container_plugin(look.state, &mut out);
        }
        ours(look, &mut out);
        if interval {
            self.before = Before {
                at: Some(now),
                events: look.events,
                losses: losses.total(),
                usage,
            };
        }
        out
    }

    fn base(&self, look: &Look<'_>, before: &Before, span: f64, boot: u64, out: &mut Vec<Metric>) {
        let kernel = rustix::system::uname()
            .release()
            .to_string_lossy()
            .into_owned();
        let time = |field: &str, name: &str, seconds: u64| {
            Metric::gauge(
                field,
                name,
                Unit::TimestampNanoseconds,
                seconds.saturating_mul(NANOS),
            )
        };
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
        let nanos = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_nanos();
        let nanos = u64::try_from(nanos).unwrap_or(0);
        out.extend([
            Metric::gauge("evt.time", "", Unit::TimestampNanoseconds, nanos),
            Metric::info("evt.source", "", "", "syscall"),
            Metric::info("evt.hostname", "evt_hostname", "hostname", &self.hostname),
            Metric::info(
                "scap.engine_name",
                "scap_engine_name",
                "engine_name",
                self.engine,
            )
            .label("evt_source", "syscall"),
            Metric::info("falco.version", "falco_version", "version", version::FALCO),
            Metric::info(
                "falco.kernel_release",
                "falco_kernel_release",
                "kernel_release",
                &kernel,
            ),
            time("falco.start_ts", "falco_start", self.started),
            time("falco.reload_ts", "falco_reload", self.reloaded),
            time("falco.host_boot_ts", "falco_host_boot", boot),
            Metric::gauge(
                "falco.duration_sec",
                "falco_duration",
                Unit::Seconds,
                self.clock.elapsed().as_secs(),
            )
            .monotonic(),
            Metric::gauge(
                "falco.host_num_cpus",
                "falco_host_num_cpus",
                Unit::Count,
                cpus,
            ),
            Metric::counter(
                "falco.outputs_queue_num_drops",
                "falco_outputs_queue_num_drops",
                look.queue_drops,
            ),
            Metric::real(
                "falco.evts_rate_sec",
                "",
                Unit::Rate,
                rate(look.events, before.events, span),
            ),
            Metric::counter("falco.num_evts", "falco_num_evts", look.events),
            Metric::counter("falco.num_evts_prev", "", before.events),
        ]);
        let (configurations, rules) = look.origins;
        for (files, kind) in [(rules, "rules"), (configurations, "config")] {
            for file in files {
                let name = file
                    .path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                let stem = file
                    .path
                    .file_stem()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                let field = format!("falco.sha256_{kind}_file.{}", sanitised(&stem));
                let metric = Metric::info(
                    &field,
                    &format!("falco_sha256_{kind}_files"),
                    "",
                    &file.sha256,
                );
                out.push(
                    metric
                        .label("file_name", &name)
                        .label("sha256", &file.sha256),
                );
            }
        }
        for interface in look.state.interfaces() {
            let name = String::from_utf8_lossy(&interface.name);
            let kind = if interface.address.is_ipv4() {
                "ipv4"
            } else {
                "ipv6"
            };
            let field = format!("falco.host_netinfo.interfaces.{name}.protocols.{kind}.addresses");
            out.push(Metric::info(&field, "", "", &interface.address.to_string()));
        }
    }
}

/// A rule's name as part of a field: letters, digits and single underscores.
fn sanitised(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        match c {
            c if c.is_ascii_alphanumeric() || c == ':' => out.push(c),
            _ if out.ends_with('_') => {}
            _ => out.push('_'),
        }
    }
    out.trim_end_matches('_').to_owned()
}

#[allow(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
fn rate(now: u64, before: u64, span: f64) -> f64 {
    if span > 0.0 {
        (now.saturating_sub(before) as f64 / span * 10.0).round() / 10.0
    } else {
        0.0
    }
}

fn rules(look: &Look<'_>, out: &mut Vec<Metric>) {
    out.push(Metric::counter(
        "falco.rules.matches_total",
        "",
        look.statistics.total(),
    ));
    for (rule, count) in look.statistics.rules() {
        let subject = look.subjects.iter().find(|subject| subject.rule == rule);
        let field = format!("falco.rules.{}", sanitised(rule));
        let mut metric =
            Metric::counter(&field, "falco_rules_matches", count).label("rule_name", rule);
        if let Some(subject) = subject {
            metric = metric
                .label("priority", &(subject.priority as u8).to_string())
                .label("source", &subject.source);
            for tag in &subject.tags {
                metric = metric.label(&format!("tag_{tag}"), "true");
            }
        }
        out.push(metric);
    }
}

#[allow(clippy::cast_precision_loss, reason = "shares need no more digits")]
fn resources(usage: &Usage, before: &Usage, span: f64, running: Duration, out: &mut Vec<Metric>) {
    let cpu = usage.cpu.saturating_sub(before.cpu).as_secs_f64();
    let span = if span > 0.0 {
        span
    } else {
        running.as_secs_f64()
    };
    let busy = usage.host_cpu.0.saturating_sub(before.host_cpu.0) as f64;
    let whole = usage.host_cpu.1.saturating_sub(before.host_cpu.1) as f64;
    let kb = |field: &str, name: &str, value| Metric::gauge(field, name, Unit::Kilobytes, value);
    out.extend([
        Metric::real(
            "falco.cpu_usage_perc",
            "falco_cpu_usage",
            Unit::Percent,
            percent(cpu, span),
        ),
        kb("falco.memory_rss_kb", "falco_memory_rss", usage.rss_kb),
        kb("falco.memory_vsz_kb", "falco_memory_vsz", usage.vsz_kb),
        kb("falco.memory_pss_kb", "falco_memory_pss", usage.pss_kb),
        Metric::gauge(
            "falco.container_memory_used_bytes",
            "falco_container_memory_used",
            Unit::Bytes,
            usage.container_memory,
        ),
        Metric::real(
            "falco.host_cpu_usage_perc",
            "falco_host_cpu_usage",
            Unit::Percent,
            percent(busy, whole),
        ),
        kb(
            "falco.host_memory_used_kb",
            "falco_host_memory_used",
            usage.host_memory_kb,
        ),
        Metric::gauge(
            "falco.host_procs_running",
            "falco_host_procs_running",
            Unit::Count,
            usage.host_running,
        ),
        Metric::gauge(
            "falco.host_open_fds",
            "falco_host_open_fds",
            Unit::Count,
            usage.host_files,
        ),
    ]);
}

/// What Falco's container plugin counts, whose work is built in.
fn container_plugin(state: &State, out: &mut Vec<Metric>) {
    let counter = |name: &str, value: u64| {
        let (field, own) = (
            format!("plugins.container.{name}"),
            format!("plugins_container_{name}"),
        );
        Metric::counter(&field, &own, value)
    };
    out.push(counter("n_containers", state.containers().count() as u64));
    let without = state.counters().containers_without_image;
    out.push(counter("n_missing_container_images", without));
}

fn state_counters(look: &Look<'_>, out: &mut Vec<Metric>) {
    let (state, asked) = (look.state, look.lookups);
    let counters = state.counters();
    let (threads_added, threads_removed) = state.thread_turnover();
    let files: usize = state
        .threads()
        .filter(|(ix, _)| state.main_thread(*ix) == Some(*ix))
        .map(|(ix, _)| state.descriptor_count(ix))
        .sum();
    let gauge = |name: &str, value: usize| {
        Metric::gauge(
            &format!("falco.{name}"),
            &format!("scap_{name}"),
            Unit::Count,
            value as u64,
        )
    };
    let counter = |name: &str, value: u64| {
        Metric::counter(&format!("falco.{name}"), &format!("scap_{name}"), value)
    };
    out.extend([
        gauge("n_threads", state.thread_count()),
        gauge("n_fds", files),
        counter("n_failed_thread_lookups", counters.threads_unknown),
        counter("n_failed_fd_lookups", counters.descriptors_unknown),
        counter("n_drops_full_threadtable", counters.threads_dropped),
        counter("n_stored_evts", counters.enters_kept),
        counter("n_store_evts_drops", counters.enters_dropped),
        // What was asked of /proc, which Falco does not tell.
        counter(
            "n_proc_thread_lookups",
            asked.threads_found + asked.threads_gone,
        ),
        counter("n_proc_thread_lookups_gone", asked.threads_gone),
        counter(
            "n_proc_fd_lookups",
            asked.descriptors_found + asked.descriptors_gone,
        ),
        counter("n_proc_fd_lookups_gone", asked.descriptors_gone),
        counter("n_proc_lookups_refused", asked.refused),
        counter("n_retrieved_evts", counters.enters_met),
        counter("n_added_threads", threads_added),
        counter("n_removed_threads", threads_removed),
        counter("n_added_fds", counters.descriptors_added),
        counter("n_removed_fds", counters.descriptors_removed),
    ]);
}

#[allow(clippy::cast_precision_loss, reason = "shares need no more digits")]
fn kernel(look: &Look<'_>, losses: &Losses, before: &Before, span: f64, out: &mut Vec<Metric>) {
    let all = look.events + losses.total();
    let all_before = before.events + before.losses;
    let recent = (
        losses.total().saturating_sub(before.losses),
        all.saturating_sub(all_before),
    );
    out.extend([
        Metric::counter("scap.n_evts", "scap_n_evts", all),
        Metric::counter("scap.n_evts_prev", "", all_before),
        Metric::real(
            "scap.evts_rate_sec",
            "",
            Unit::Rate,
            rate(all, all_before, span),
        ),
        Metric::counter("scap.n_drops", "scap_n_drops", losses.total()),
        Metric::counter("scap.n_drops_prev", "", before.losses),
        Metric::real(
            "scap.n_drops_perc",
            "",
            Unit::Percent,
            percent(recent.0 as f64, recent.1 as f64),
        ),
        Metric::real(
            "scap.evts_drop_rate_sec",
            "",
            Unit::Rate,
            rate(losses.total(), before.losses, span),
        ),
        Metric::counter("scap.n_drops_buffer_total", "", losses.buffer_full()),
        Metric::counter(
            "scap.n_drops_scratch_map",
            "scap_n_drops_scratch_map",
            losses.large,
        ),
    ]);
    for class in Class::ALL {
        let Some(name) = class.metric() else { continue };
        let field = format!("scap.n_drops_buffer_{name}");
        let (drop, dir) = name.rsplit_once('_').unwrap_or((name, "exit"));
        let metric = Metric::counter(&field, "scap_n_drops_buffer", losses.of(class));
        out.push(metric.label("drop", drop).label("dir", dir));
    }
    for drop in [
        "clone_fork",
        "execve",
        "connect",
        "open",
        "dir_file",
        "other_interest",
    ] {
        let metric = Metric::counter("", "scap_n_drops_buffer", 0);
        out.push(metric.label("drop", drop).label("dir", "enter"));
    }
}

/// What Falco has no name for.
fn ours(look: &Look<'_>, out: &mut Vec<Metric>) {
    out.extend([
        Metric::own(
            "alerts",
            true,
            look.statistics.total(),
            "Alerts that rules raised.",
        ),
        Metric::own(
            "alerts_throttled",
            true,
            look.throttled,
            "Alerts that outputs.rate held back.",
        ),
        Metric::own(
            "containers",
            false,
            look.state.containers().count() as u64,
            "Containers known.",
        ),
        Metric::own(
            "alerts_waiting",
            false,
            look.waits.0,
            "Events that wait for a container's metadata.",
        ),
        Metric::own(
            "alerts_pending",
            true,
            look.waits.1,
            "Events that waited for a container's metadata in vain.",
        ),
        Metric::own(
            "alerts_crowded",
            true,
            look.waits.2,
            "Events that could not wait for a container's metadata, as too many did.",
        ),
        Metric::own("reloads", true, look.reloads.0, "Reloads that took effect."),
        Metric::own(
            "reload_failures",
            true,
            look.reloads.1,
            "Reloads that were refused.",
        ),
        Metric::own(
            "alerts_not_kept",
            true,
            look.not_kept,
            "Alerts that the store on this machine could not keep.",
        ),
    ]);
    out.extend(look.asking.iter().flat_map(asking));
    let names = look.subjects.iter().map(|subject| subject.rule.as_str());
    look.costs.metrics(names, out);
    remembered(look, out);
    learned(look, out);
    flight::flight(look, out);
    out.extend(look.repeats.iter().flat_map(repeats));
    for output in look.outputs {
        let mut own = |name: &str, monotonic, value: u64, help| {
            let metric = Metric::own(&format!("output_{name}"), monotonic, value, help);
            out.push(metric.label("output", &output.name));
        };
        own(
            "waiting",
            false,
            output.waiting as u64,
            "Messages that wait in memory.",
        );
        own(
            "dropped",
            true,
            output.dropped,
            "Messages that a full queue dropped.",
        );
        own(
            "delivered",
            true,
            output.counts.delivered,
            "Messages that the receiver took.",
        );
        own(
            "refused",
            true,
            output.counts.refused,
            "Messages that the receiver would not have.",
        );
        own(
            "lost",
            true,
            output.counts.lost,
            "Messages that were given up.",
        );
        own(
            "failures",
            true,
            output.counts.failures,
            "Attempts to deliver that failed.",
        );
        own(
            "truncated",
            true,
            output.counts.truncated,
            "Messages cut to what the transport takes.",
        );
        own(
            "failing",
            false,
            u64::from(output.failing.is_some()),
            "Whether the last attempt failed.",
        );
        if let Some(spool) = output.spool {
            own(
                "spool_pending",
                false,
                spool.pending,
                "Messages on disk that are not delivered yet.",
            );
            own(
                "spool_bytes",
                false,
                spool.bytes,
                "Bytes of the spool on disk.",
            );
            own(
                "spool_dropped",
                true,
                spool.dropped,
                "Messages dropped because the spool was full.",
            );
            own(
                "spool_damaged",
                true,
                spool.damaged,
                "Damaged places in the spool.",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_of_rules() {
        assert_eq!(
            super::sanitised("Read a  (file), twice!"),
            "Read_a_file_twice"
        );
    }
}
