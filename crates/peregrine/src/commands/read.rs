//! `peregrine read`: the events of a capture, as lines or JSON.

pub(super) mod events;
pub(super) mod explained;

use std::io::{self, BufWriter, LineWriter, Write};

use anyhow::{Result, anyhow};
use bumpalo::Bump;
use fields::{Catalogue, Environment};
use filter::render::Buffers;
use filter::{FieldSource, Filter, Memo, Purpose, Rendering, Schema, Template, json};

use crate::cli::Read;
use crate::hostname::hostname;
use crate::source;
use crate::sources::{AuditFile, looks_like_json};
use events::{Audited, Converted, Events, Raw};
use explained::{Explained, is_foreign};

/// What sysdig prints of an event.
const LINE: &str = "*%evt.num %evt.outputtime %evt.cpu %proc.name (%thread.tid) %evt.dir \
                    %evt.type %evt.info";

/// Prints the events that fulfil the filter.
pub(crate) fn run(args: &Read) -> Result<u8> {
    let catalogue = Catalogue::new([]).with_removed();
    let loaded = match &args.config {
        None => None,
        Some(path) => match crate::configuration::load(Some(path.as_ref()), &[]) {
            Ok(loaded) => Some(loaded),
            Err(rejected) => {
                crate::configuration::show(&rejected.findings, &rejected.sources);
                return Ok(1);
            }
        },
    };
    let settings = loaded.as_ref().map(|loaded| &loaded.settings);
    let explained = Explained::new(&catalogue, settings)?;
    let text = args.filter.join(" ");
    let filter = if text.trim().is_empty() {
        None
    } else {
        Some(condition(&text, &explained.schema)?)
    };
    let audited = looks_like_json(&args.file);
    let format = args
        .print
        .as_deref()
        .unwrap_or(if audited { AUDIT_LINE } else { LINE });
    let template = Template::parse(format, &explained.schema)
        .map_err(|error| anyhow!("the format '{format}' does not compile: {error}"))?
        .permissive();
    let printer = Printer {
        template,
        explained,
        json: args.json,
        limit: args.number.unwrap_or(u64::MAX),
    };
    let env = Environment {
        hostname: hostname(),
        zone: &fields::LOCAL,
        ..Environment::default()
    };
    let (filter, at_once) = (filter.as_ref(), args.file == "-");
    if audited {
        let file = AuditFile::open(&args.file, audit::Limits::default())?;
        return printer.print(Audited::new(file), filter, env, at_once);
    }
    if args.raw {
        return printer.print(Raw::open(&args.file)?, filter, env, at_once);
    }
    let capture = source::open(&args.file, false)?;
    printer.print(Converted::new(capture.reader), filter, env, at_once)
}

pub(super) fn condition(text: &str, schema: &dyn Schema) -> Result<Filter> {
    Filter::compile(text, schema).map_err(|error| {
        let at = error.at().min(text.len());
        let column = String::from_utf8_lossy(&text.as_bytes()[..at])
            .chars()
            .count();
        anyhow!(
            "the filter does not compile: {error}\n  {text}\n  {:column$}^",
            ""
        )
    })
}

/// What is printed of an audit event.
const AUDIT_LINE: &str = "*%evt.num %evt.time %ka.user.name %ka.verb %ka.uri %ka.response.code";

struct Printer {
    template: Template,
    explained: Explained,
    json: bool,
    limit: u64,
}

impl Printer {
    fn print(
        &self,
        mut events: impl Events,
        filter: Option<&Filter>,
        mut env: Environment,
        at_once: bool,
    ) -> Result<u8> {
        let stdout = io::stdout().lock();
        // A pipe may trickle; a file doesn't.
        let mut out: Box<dyn Write> = if at_once {
            Box::new(LineWriter::new(stdout))
        } else {
            Box::new(BufWriter::with_capacity(1 << 16, stdout))
        };
        let mut memo = Memo::new();
        let mut line = Vec::new();
        let mut printed = 0;
        let mut written = Ok(());
        let ended = events.each(&mut env, &mut |view| {
            line.clear();
            let shown = if is_foreign(view) {
                self.explained
                    .with(view, |view| self.show(view, filter, &mut memo, &mut line))
            } else {
                self.show(view, filter, &mut memo, &mut line)
            };
            if !shown {
                return true;
            }
            line.push(b'\n');
            written = out.write_all(&line);
            printed += 1;
            written.is_ok() && printed < self.limit
        });
        match written.and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(0),
            Err(error) => return Err(error.into()),
            Ok(()) => {}
        }
        ended?;
        Ok(0)
    }

    /// Composes the line of an event; false where the filter leaves it out.
    fn show<S: FieldSource>(
        &self,
        view: &S,
        filter: Option<&Filter>,
        memo: &mut Memo,
        line: &mut Vec<u8>,
    ) -> bool {
        if filter.is_some_and(|filter| !filter.matches(view, memo)) {
            return false;
        }
        self.line(view, line);
        true
    }

    fn line<S: FieldSource>(&self, view: &S, line: &mut Vec<u8>) {
        if !self.json {
            let rendering = Rendering {
                buffers: Buffers::Text,
                sanitized: true,
            };
            self.template.render_with(view, rendering, line);
            return;
        }
        let scratch = Bump::new();
        line.push(b'{');
        for (n, field) in self.template.fields().iter().enumerate() {
            if n > 0 {
                line.push(b',');
            }
            json::string(field.name.as_bytes(), line);
            line.push(b':');
            let value = view.extract(&field.field, Purpose::Json, &scratch);
            json::value(field, value.as_ref(), Buffers::Text, line);
        }
        line.push(b'}');
    }
}
