//! `peregrine read`: the events of a capture, as lines or JSON.

mod events;

use std::io::{self, BufWriter, LineWriter, Write};

use anyhow::{Result, anyhow};
use bumpalo::Bump;
use fields::{Catalogue, Environment, EventView};
use filter::render::Buffers;
use filter::{FieldSource, Filter, Memo, Purpose, Rendering, Template, json};
use jiff::tz::TimeZone;

use crate::cli::Read;
use crate::hostname::hostname;
use crate::source;
use events::{Converted, Events, Raw};

/// What sysdig prints of an event.
const LINE: &str = "*%evt.num %evt.outputtime %evt.cpu %proc.name (%thread.tid) %evt.dir \
                    %evt.type %evt.info";

/// Prints the events that fulfil the filter.
pub(crate) fn run(args: &Read) -> Result<u8> {
    let catalogue = Catalogue::new([]).with_removed();
    let text = args.filter.join(" ");
    let filter = if text.trim().is_empty() {
        None
    } else {
        Some(condition(&text, &catalogue)?)
    };
    let format = args.print.as_deref().unwrap_or(LINE);
    let template = Template::parse(format, &catalogue)
        .map_err(|error| anyhow!("the format '{format}' does not compile: {error}"))?
        .permissive();
    let printer = Printer {
        template,
        json: args.json,
        limit: args.number.unwrap_or(u64::MAX),
    };
    let env = Environment {
        hostname: hostname(),
        zone: TimeZone::system(),
        ..Environment::default()
    };
    if args.raw {
        printer.print(
            Raw::open(&args.file)?,
            filter.as_ref(),
            env,
            args.file == "-",
        )
    } else {
        let capture = source::open(&args.file, false)?;
        printer.print(
            Converted::new(capture.reader),
            filter.as_ref(),
            env,
            args.file == "-",
        )
    }
}

pub(super) fn condition(text: &str, catalogue: &Catalogue) -> Result<Filter> {
    Filter::compile(text, catalogue).map_err(|error| {
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

struct Printer {
    template: Template,
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
            if filter.is_some_and(|filter| !filter.matches(view, &mut memo)) {
                return true;
            }
            line.clear();
            self.line(view, &mut line);
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

    fn line(&self, view: &EventView<'_>, line: &mut Vec<u8>) {
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
