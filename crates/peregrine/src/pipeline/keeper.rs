//! Hands alerts to the store: what the message says, the event, and the processes behind it, as the
//! state knows them at that moment.

use std::sync::Arc;

use anyhow::Result;
use config::Settings;
use event::Record;
use filter::{FieldSource, Schema, TemplateError};
use outputs::{Clock, Form, Formatter, RuleOutput};
use rules::{ExtraField, Rule};
use serde_json::{Map, Value};
use state::{Context, State};
use store::{Alert, Event, Feed, Process};

use super::Alerting;
use super::compiled::RuleSubject;
use super::judge::Judge;
use crate::daemon::service;

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
}

impl Kept {
    /// Of no rule yet.
    pub(super) fn new(form: &Form) -> Self {
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

/// Writes to the store's feed.
pub(crate) struct Keeper {
    feed: Arc<Feed>,
    formatter: Formatter,
    kept: Arc<Kept>,
    line: Vec<u8>,
}

impl Keeper {
    pub(super) fn new(feed: Arc<Feed>, kept: Arc<Kept>) -> Self {
        let clock = Clock::new(jiff::tz::TimeZone::system());
        Self {
            feed,
            formatter: Formatter::new(kept.form.clone(), clock),
            kept,
            line: Vec::new(),
        }
    }

    /// The same for new rules.
    pub(super) fn with(&self, kept: Arc<Kept>) -> Self {
        Self::new(Arc::clone(&self.feed), kept)
    }

    /// Alerts that could not be kept.
    pub(super) fn missed(&self) -> u64 {
        self.feed.shared().missed()
    }

    /// Keeps an alert of the rule at this position.
    #[cold]
    pub(super) fn alert(
        &mut self,
        rule: usize,
        record: &Record<'_>,
        view: &impl FieldSource,
        state: &State,
        context: &Context,
    ) {
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
        self.feed.alert(Alert {
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
        });
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
            judge.keep(Keeper::new(Arc::clone(&feed), Arc::clone(&kept)));
        }
        self.keeper = Some(Keeper::new(feed, kept));
        Ok(page.map(|(teller, server)| {
            self.upkeep.teller = Some(teller);
            server
        }))
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
    let chain = context
        .thread
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
