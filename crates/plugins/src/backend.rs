//! Where a plugin runs: in this process, in a child, or nowhere until it is started again.

use std::sync::Arc;
use std::time::Instant;

use crate::Error;
use crate::info::Info;
use crate::local::Local;
use crate::plugin::{Batch, BatchEnd, Event, Report, Spec};
use crate::remote::Remote;
use crate::tables::AsyncSink;
use crate::tables::query::Host;
use crate::wire::{Reader, Writer, ask};

pub(crate) enum Backend {
    Local(Box<Local>),
    Remote(Remote),
    /// Its child is gone; another is started then.
    Gone(Instant),
}

pub(crate) fn start(spec: &Spec) -> Result<(Backend, Info), Error> {
    let report = Arc::clone(&spec.report);
    let log = Box::new(move |severity: u32, component: &str, text: &str| {
        let (component, text) = (component.to_owned(), text.to_owned());
        report(Report::Log {
            severity,
            component,
            text,
        });
    });
    let Some(program) = &spec.program else {
        let local = Local::load(&spec.path, log)?;
        let info = local.info.clone();
        return Ok((Backend::Local(Box::new(local)), info));
    };
    let mut remote = Remote::start(&spec.path, program, spec.memory, spec.patience, log)?;
    let mut body = Writer::default();
    body.blob(spec.path.as_bytes());
    let answer = remote
        .ask(ask::LOAD, &body.0, spec.patience)
        .map_err(|error| match error {
            // The child's own words already name the file.
            Error::Plugin { text, plugin } => {
                let prefix = format!("cannot load plugin {plugin}: ");
                Error::load(&plugin, text.strip_prefix(&prefix).unwrap_or(&text))
            }
            other => other,
        })?;
    let info = read_info(&answer).ok_or_else(|| remote.nonsense())?;
    remote.rename(&info.name);
    Ok((Backend::Remote(remote), info))
}

fn read_info(answer: &[u8]) -> Option<Info> {
    serde_json::from_slice(Reader(answer).blob()?).ok()
}

pub(crate) fn init(
    backend: &mut Backend,
    spec: &Spec,
    config: &str,
    info: &Info,
    host: &mut dyn Host,
) -> Result<Info, Error> {
    match backend {
        Backend::Local(local) => {
            local.init(config, host)?;
            Ok(local.info.clone())
        }
        Backend::Remote(remote) => {
            let mut body = Writer::default();
            body.blob(config.as_bytes());
            let answer = remote.ask_with(ask::INIT, &body.0, spec.patience, host)?;
            read_info(&answer).ok_or_else(|| remote.nonsense())
        }
        Backend::Gone(_) => Ok(info.clone()),
    }
}

pub(crate) fn open(backend: &mut Backend, spec: &Spec, params: &str) -> Result<(), Error> {
    match backend {
        Backend::Local(local) => local.open(params),
        Backend::Remote(remote) => {
            let mut body = Writer::default();
            body.blob(params.as_bytes());
            remote.ask(ask::OPEN, &body.0, spec.patience).map(|_| ())
        }
        Backend::Gone(_) => Ok(()),
    }
}

pub(crate) fn start_async(
    backend: &mut Backend,
    spec: &Spec,
    source: &str,
    sink: AsyncSink,
) -> Result<(), Error> {
    match backend {
        Backend::Local(local) => local.start_async(sink),
        Backend::Remote(remote) => {
            remote.set_sink(Some(sink));
            let mut body = Writer::default();
            body.blob(source.as_bytes());
            remote
                .ask(ask::START_ASYNC, &body.0, spec.patience)
                .map(|_| ())
        }
        Backend::Gone(_) => Ok(()),
    }
}

pub(crate) fn listen(
    backend: &mut Backend,
    spec: &Spec,
    begins: bool,
    host: &mut dyn Host,
) -> Result<(), Error> {
    match backend {
        Backend::Local(local) => local.listen(begins, host),
        Backend::Remote(remote) => remote
            .ask_with(ask::LISTEN, &[u8::from(begins)], spec.patience, host)
            .map(|_| ()),
        Backend::Gone(_) => Ok(()),
    }
}

pub(crate) fn event_body(event: &Event<'_>) -> Writer {
    let mut body = Writer::default();
    body.u64(event.number)
        .blob(event.source.as_bytes())
        .blob(event.bytes);
    body
}

/// Reads a batch. Each event must be a record: the child's checks are its own.
pub(crate) fn batch(body: &mut Reader<'_>) -> Option<Batch> {
    let end = body.u8()?;
    let words = body.text()?;
    let count = body.u32()?;
    let mut events = Vec::new();
    for _ in 0..count {
        let event = body.blob()?;
        event::Record::parse(event, 0, event::RecordFlags::default()).ok()?;
        events.push(event.to_vec());
    }
    let end = match end {
        0 => BatchEnd::More,
        1 => BatchEnd::Later,
        2 => BatchEnd::End,
        _ => BatchEnd::Failed(words),
    };
    Some(Batch { events, end })
}
