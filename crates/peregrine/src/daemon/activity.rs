//! Who is busy: events by type, process and container, counted while somebody looks on.
//!
//! Nobody pays for it otherwise: the event loop has one where the web server was asked within the last seconds, and none
//! at all other times. Counts are bounded; what does not fit is counted as a whole.

use std::collections::HashMap;
use std::time::Instant;

use event::{EVENTS, Record};
use serde_json::{Value, json};
use state::{Context, State};

/// Different processes, and containers, that are told apart.
const MOST: usize = 8192;
/// Entries of each list that are told.
const TOLD: usize = 30;

/// See the module.
#[derive(Debug)]
pub(crate) struct Activity {
    since: Instant,
    events: u64,
    /// By event code.
    types: Vec<u64>,
    /// By number of the process, with a name.
    processes: HashMap<i64, (Vec<u8>, u64)>,
    containers: HashMap<Vec<u8>, u64>,
    others: u64,
}

impl Default for Activity {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            events: 0,
            types: vec![0; EVENTS.len()],
            processes: HashMap::new(),
            containers: HashMap::new(),
            others: 0,
        }
    }
}

impl Activity {
    /// Counts an event.
    pub(crate) fn see(&mut self, record: &Record<'_>, state: &State, context: &Context) {
        self.events += 1;
        if let Some(count) = self.types.get_mut(usize::from(record.code.number())) {
            *count += 1;
        }
        let Some(thread) = context.thread.map(|ix| state.thread(ix)) else {
            return;
        };
        let room = self.processes.len() < MOST;
        match self.processes.get_mut(&thread.pid) {
            Some((_, count)) => *count += 1,
            None if room => {
                self.processes
                    .insert(thread.pid, (thread.comm().to_vec(), 1));
            }
            None => self.others += 1,
        }
        let id = thread.container_id();
        if id.is_empty() {
            return;
        }
        let room = self.containers.len() < MOST;
        match self.containers.get_mut(id) {
            Some(count) => *count += 1,
            None if room => {
                self.containers.insert(id.to_vec(), 1);
            }
            None => {}
        }
    }

    /// What was counted since the last time, as rates; counting begins anew. Besides, for each rule that was asked, how
    /// often and for how many nanoseconds since the start.
    #[allow(clippy::cast_precision_loss, reason = "rates need no more digits")]
    pub(crate) fn tell<'n>(
        &mut self,
        state: &State,
        costs: impl Iterator<Item = (&'n str, (u64, u64))>,
    ) -> Value {
        let old = std::mem::take(self);
        let span = old.since.elapsed().as_secs_f64().max(0.001);
        let rate = |count: u64| (count as f64 / span * 10.0).round() / 10.0;
        let types = EVENTS
            .iter()
            .zip(&old.types)
            .filter(|(_, count)| **count > 0)
            .map(|(info, count)| (info.name, *count));
        let mut by_name: HashMap<&str, u64> = HashMap::new();
        types.for_each(|(name, count)| *by_name.entry(name).or_default() += count);
        let types = top(
            by_name.into_iter().collect(),
            |(name, count)| json!({"name": name, "rate": rate(*count)}),
        );
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let processes = top(
            old.processes
                .into_iter()
                .map(|(pid, (name, count))| ((pid, name), count))
                .collect(),
            |((pid, name), count)| {
                let thread = state.by_tid(*pid).map(|ix| state.thread(ix));
                let container = thread
                    .map(|thread| text(thread.container_id()))
                    .unwrap_or_default();
                json!({"pid": pid, "name": text(name), "container": container, "rate": rate(*count)})
            },
        );
        let containers = top(old.containers.into_iter().collect(), |(id, count)| {
            let known = state.container(id);
            let name = known
                .map(|container| text(&container.name))
                .unwrap_or_default();
            let image = known
                .map(|container| text(&container.image))
                .unwrap_or_default();
            json!({"id": text(id), "name": name, "image": image, "rate": rate(*count)})
        });
        let costs: Vec<Value> = costs
            .filter(|(_, (asked, _))| *asked > 0)
            .map(|(rule, (asked, nanos))| json!({"rule": rule, "asked": asked, "nanoseconds": nanos}))
            .collect();
        json!({"seconds": span, "rate": rate(old.events), "types": types, "processes": processes, "containers": containers, "others": rate(old.others), "costs": costs})
    }
}

/// The most frequent ones.
fn top<T: Ord>(mut all: Vec<(T, u64)>, render: impl Fn(&(T, u64)) -> Value) -> Vec<Value> {
    all.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    all.iter().take(TOLD).map(render).collect()
}
