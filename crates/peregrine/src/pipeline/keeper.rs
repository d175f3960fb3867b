//! Hands alerts to the store: what the message says, the event, and the processes behind it, as the
//! state knows them at that moment.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use config::Settings;
use engine::stateful::Evidence;
use engine::stateful::value::Owned;
use event::Record;
use fields::Catalogue;
use filter::{FieldSource, Schema, TemplateError};
use outputs::{Clock, Form, Formatter, RuleOutput};
use rules::{ExtraField, Rule};
use serde_json::{Map, Value};
use state::{Context, State};
use store::{Alert, Event, Feed, Process};

use super::Alerting;
use super::compiled::RuleSubject;
use super::identity::{AlertId, Identity};
use super::incidents;
use super::judge::Judge;
use super::traces::Traces;
use crate::daemon::service;
use crate::sources::SYSCALL;

/// Ancestors that are kept.
const ANCESTORS: usize = 16;
/// Longest command line that is kept, in bytes.
const COMMAND: usize = 2048;

/// Fields that are kept beside those of the message, where the source has them.
const NUMBER: &str = "evt.num";
const TYPE: &str = "evt.type";
const PARAMETERS: &str = "evt.args";

/// What is kept of each rule's alerts.
pub(crate) struct Kept {
    outputs: Vec<RuleOutput>,
    form: Form,
    subjects: Vec<RuleSubject>,
    traces: Traces,
}

impl Kept {
    /// Of no rule yet.
    pub(super) fn new(form: &Form, catalogue: &Catalogue) -> Self {
        let form = Form {
            json: true,
            include_output: false,
            include_message: true,
            include_fields: true,
            include_tags: false,
            ..form.clone()
        };
        Self {
            outputs: Vec::new(),
            form,
            subjects: Vec::new(),
            traces: Traces::new(catalogue),
        }
    }

    /// The next rule.
    ///
    /// # Errors
    /// When its output does not compile.
    pub(super) fn add(
        &mut self,
        rule: &Rule,
        subject: RuleSubject,
        schema: &dyn Schema,
    ) -> Result<(), TemplateError> {
        let mut rule = rule.clone();
        for name in [NUMBER, TYPE, PARAMETERS] {
            if schema.resolve(name).is_ok() && rule.extra_fields.iter().all(|e| e.key != name) {
                rule.extra_fields.push(ExtraField {
                    key: name.to_owned(),
                    format: None,
                });
            }
        }
        self.outputs
            .push(RuleOutput::new(&rule, &self.form, schema)?);
        self.subjects.push(subject);
        Ok(())
    }
}

/// An alert that is to be kept.
pub(super) struct Raised<'r> {
    /// The rule's number.
    pub(super) rule: usize,
    pub(super) identity: Option<&'r Identity>,
    /// What a rule that remembers kept of earlier events.
    pub(super) kept: Option<&'r Evidence>,
    /// The file that has what surrounds it.
    pub(super) capture: Option<&'r Path>,
    pub(super) record: &'r Record<'r>,
    pub(super) state: &'r State,
    pub(super) context: &'r Context,
}

/// Where alerts are kept.
#[derive(Clone)]
pub(crate) enum Shelf {
    /// The store on this machine.
    Store(Arc<Feed>),
    /// Memory.
    Memory(Arc<Mutex<Collection>>),
}

/// Alerts in memory, bounded.
#[derive(Default)]
pub(crate) struct Collection {
    /// In the order in which they were raised.
    pub(crate) alerts: Vec<Alert>,
    /// Alerts that there was no room for.
    pub(crate) missed: u64,
}

/// Alerts of a capture that are kept: as many as a store does, if nothing else was said.
const MOST: usize = 100_000;

/// Puts alerts on a shelf.
pub(crate) struct Keeper {
    shelf: Shelf,
    formatter: Formatter,
    kept: Arc<Kept>,
    line: Vec<u8>,
}

impl Keeper {
    pub(super) fn new(shelf: Shelf, kept: Arc<Kept>) -> Self {
        let clock = Clock::system();
        Self {
            shelf,
            formatter: Formatter::new(kept.form.clone(), clock),
            kept,
            line: Vec::new(),
        }
    }

    /// The same for new rules.
    pub(super) fn with(&self, kept: Arc<Kept>) -> Self {
        Self::new(self.shelf.clone(), kept)
    }

    /// Alerts that could not be kept.
    pub(super) fn missed(&self) -> u64 {
        match &self.shelf {
            Shelf::Store(feed) => feed.shared().missed(),
            Shelf::Memory(alerts) => lock(alerts).missed,
        }
    }

    /// Keeps an alert.
    #[cold]
    pub(super) fn alert(&mut self, raised: &Raised<'_>, view: &impl FieldSource) {
        let Raised {
            rule,
            record,
            state,
            context,
            ..
        } = *raised;
        let (Some(output), Some(subject)) =
            (self.kept.outputs.get(rule), self.kept.subjects.get(rule))
        else {
            return;
        };
        self.line.clear();
        self.formatter
            .alert(output, record.ts, view, &mut self.line);
        let Ok(Value::Object(mut json)) = serde_json::from_slice(&self.line) else {
            return;
        };
        let text = match json.remove("message") {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        let mut fields = match json.remove("output_fields") {
            Some(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        fields.retain(|key, _| !key.starts_with("evt.time"));
        let event = Event {
            number: context.number,
            name: text_of(fields.remove(TYPE)).unwrap_or_else(|| record.info.name.to_owned()),
            thread: if context.thread.is_some() {
                record.tid
            } else {
                0
            },
            arguments: text_of(fields.remove(PARAMETERS)).unwrap_or_default(),
        };
        fields.remove(NUMBER);
        let container = context.thread.map(|ix| state.thread(ix).container_id());
        let mut touched = Vec::new();
        if subject.source == SYSCALL {
            touched.extend(self.kept.traces.of(record, view, state, context));
            touched.extend(Traces::connections(state, context));
        }
        let (mut id, mut incident, mut earlier) = Default::default();
        if let Some(identity) = raised.identity {
            id = identity.id.to_string();
            incident = identity.incident.to_string();
            earlier = identity.earlier.iter().map(AlertId::to_string).collect();
        }
        let alert = Alert {
            alert_id: id,
            incident,
            earlier,
            touched,
            remembered: raised.kept.map(remembered).unwrap_or_default(),
            capture: raised
                .capture
                .map(|path| path.display().to_string())
                .unwrap_or_default(),
            time: record.ts,
            priority: subject.priority as u8,
            rule: subject.rule.clone(),
            source: subject.source.clone(),
            tags: subject.tags.clone(),
            container: lossy(container.unwrap_or_default()),
            text,
            event,
            processes: processes(state, context),
            fields,
        };
        match &self.shelf {
            Shelf::Store(feed) => feed.alert(alert),
            Shelf::Memory(alerts) => {
                let mut alerts = lock(alerts);
                if alerts.alerts.len() < MOST {
                    alerts.alerts.push(alert);
                } else {
                    alerts.missed += 1;
                }
            }
        }
    }
}

fn lock(alerts: &Mutex<Collection>) -> MutexGuard<'_, Collection> {
    alerts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a rule kept of earlier events, by name.
fn remembered(evidence: &Evidence) -> Map<String, Value> {
    let kept = evidence.names.iter().zip(&evidence.values);
    let kept = kept.filter_map(|(name, value)| Some((&**name, value.as_ref()?)));
    let measured = evidence.measured.iter();
    let all = kept.chain(measured.map(|(name, value)| (*name, value)));
    all.map(|(name, owned)| (name.to_owned(), value_of(owned)))
        .collect()
}

fn value_of(owned: &Owned) -> Value {
    match owned {
        Owned::Signed(number) => (*number).into(),
        Owned::Unsigned(number) => (*number).into(),
        Owned::Double(number) => (*number).into(),
        Owned::Bool(truth) => (*truth).into(),
        Owned::Bytes(bytes) => lossy(bytes).into(),
        Owned::Ip(ip) => ip.to_string().into(),
        Owned::List(all) => all.iter().map(value_of).collect(),
    }
}

impl Alerting {
    /// Opens the store for alerts, and the page that shows them, where they are wanted. The server ends
    /// with the result.
    ///
    /// # Errors
    /// When the store's file, the token or the port is of no use.
    pub(super) fn keep(
        &mut self,
        settings: &Settings,
        judges: &mut [Judge],
    ) -> Result<Option<web::Server>> {
        let Some(kept) = self.compiled.kept.clone() else {
            return Ok(None);
        };
        let feed = Arc::new(service::feed(settings)?);
        let page = service::page(settings, &feed)?;
        for judge in self.others.iter_mut().chain(judges) {
            let shelf = Shelf::Store(Arc::clone(&feed));
            judge.keep(Keeper::new(shelf, Arc::clone(&kept)));
        }
        self.keeper = Some(Keeper::new(Shelf::Store(feed), kept));
        Ok(page.map(|(teller, server)| {
            self.upkeep.teller = Some(teller);
            server
        }))
    }
}

impl Alerting {
    /// Keeps alerts in memory.
    pub(super) fn collect(&mut self, judges: &mut [Judge], collection: &Arc<Mutex<Collection>>) {
        let Some(kept) = &self.compiled.kept else {
            return;
        };
        let keeper = || Keeper::new(Shelf::Memory(Arc::clone(collection)), Arc::clone(kept));
        for judge in self.others.iter_mut().chain(judges) {
            judge.keep(keeper());
        }
        self.keeper = Some(keeper());
    }
}

fn text_of(value: Option<Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn processes(state: &State, context: &Context) -> Vec<Process> {
    let own = context.thread.map(|ix| incidents::main(state, ix));
    let chain = own
        .into_iter()
        .flat_map(|ix| std::iter::once(ix).chain(state.ancestors(ix).take(ANCESTORS)));
    chain
        .map(|ix| {
            let thread = state.thread(ix);
            let command = thread.image.cmdline();
            Process {
                pid: thread.pid,
                name: lossy(thread.comm()),
                path: lossy(thread.image.exepath()),
                command: lossy(&command[..command.len().min(COMMAND)]),
                uid: (thread.uid != u32::MAX).then_some(thread.uid),
                began: thread.clone_ts,
            }
        })
        .collect()
}
