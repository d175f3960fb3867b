//! Events as rows.

use std::path::Path;

use anyhow::{Result, anyhow};
use bumpalo::Bump;
use fields::{Catalogue, Environment};
use filter::render::{self, Buffers};
use filter::schema::{FieldDef, Format};
use filter::{FieldSource, Filter, Memo, Purpose, Schema, Type, Value, json};

use super::table::{GROUP_ROWS, Kind, Table};
use super::{Written, finish};
use crate::cli;
use crate::commands::read::condition;
use crate::commands::read::events::{Audited, Converted, Events};
use crate::commands::read::explained::{Explained, is_foreign};
use crate::hostname::hostname;
use crate::source;
use crate::sources::{AuditFile, looks_like_json};

/// Columns when none are chosen: who did what to what, where.
const USUAL: &str = "evt.num evt.rawtime evt.type evt.category evt.cpu evt.res evt.rawres evt.failed evt.args \
    proc.pid thread.tid proc.ppid proc.sid proc.name proc.pname proc.exepath proc.cmdline proc.cwd proc.tty \
    user.uid user.name user.loginuid group.gid fd.num fd.type fd.name fd.l4proto fd.cip fd.cport fd.sip fd.sport \
    container.id container.name container.image.repository container.image.tag k8s.ns.name k8s.pod.name";
/// The same of audit events.
const USUAL_AUDIT: &str = "evt.num evt.rawtime ka.auditid ka.stage ka.verb ka.uri ka.user.name ka.user.groups ka.impuser.name \
    ka.target.namespace ka.target.resource ka.target.subresource ka.target.name ka.response.code ka.response.reason \
    ka.sourceips ka.useragent";

/// What is taken of every input.
pub(super) struct Exporter {
    explained: Explained,
    filter: Option<Filter>,
    /// As asked for.
    fields: Option<Vec<FieldDef>>,
    rows: usize,
}

impl Exporter {
    /// Checks what is asked for.
    ///
    /// # Errors
    /// A field or a condition that does not compile, or a configuration that does not load.
    pub(super) fn new(args: &cli::Export) -> Result<Self> {
        let catalogue = Catalogue::new([]).with_removed();
        let loaded = match &args.config {
            None => None,
            Some(path) => Some(
                crate::configuration::load(Some(path.as_ref()), &[]).map_err(|rejected| {
                    crate::configuration::show(&rejected.findings, &rejected.sources);
                    anyhow!("the configuration {path} is refused")
                })?,
            ),
        };
        let settings = loaded.as_ref().map(|loaded| &loaded.settings);
        let explained = Explained::new(&catalogue, settings)?;
        let filter = match args.filter.as_deref().map(str::trim) {
            None | Some("") => None,
            Some(text) => Some(condition(text, &explained.schema)?),
        };
        let fields = match args.fields.as_slice() {
            [] => None,
            names => Some(resolved(names.iter().map(String::as_str), &explained)?),
        };
        Ok(Self {
            explained,
            filter,
            fields,
            rows: args.rows.unwrap_or(GROUP_ROWS),
        })
    }

    /// Rows of a group.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Writes the events of a capture, or of a file of audit events.
    pub(super) fn export(&self, file: &str, place: &Path) -> Result<Written> {
        if looks_like_json(file) {
            let events = Audited::new(AuditFile::open(file, audit::Limits::default())?);
            return self.rows_of(events, place, USUAL_AUDIT);
        }
        let capture = source::open(file, false)?;
        self.rows_of(Converted::new(capture.reader), place, USUAL)
    }

    fn rows_of(&self, mut events: impl Events, place: &Path, usual: &str) -> Result<Written> {
        let usual = resolved(usual.split_ascii_whitespace(), &self.explained)?;
        let fields = self.fields.as_ref().unwrap_or(&usual);
        let columns: Vec<(String, Kind)> = fields
            .iter()
            .map(|field| (field.name.clone(), kind(field)))
            .collect();
        let mut rows = Rows {
            table: Table::begin(place, &columns, self.rows)?,
            fields,
            filter: self.filter.as_ref(),
            memo: Memo::new(),
            scratch: Bump::new(),
            text: Vec::new(),
        };
        let mut env = Environment {
            hostname: hostname(),
            zone: &fields::UTC,
            ..Environment::default()
        };
        let mut written = Ok(());
        let ended = events.each(&mut env, &mut |view| {
            written = if is_foreign(view) {
                self.explained.with(view, |view| rows.add(view))
            } else {
                rows.add(view)
            };
            written.is_ok()
        });
        written?;
        finish(rows.table, ended.err())
    }
}

fn resolved<'n>(
    names: impl Iterator<Item = &'n str>,
    explained: &Explained,
) -> Result<Vec<FieldDef>> {
    let mut fields: Vec<FieldDef> = Vec::new();
    for name in names {
        let name = name.trim().trim_start_matches('%');
        let field = explained.schema.resolve(name).map_err(|error| {
            anyhow!("the field '{name}': {error}; `peregrine list fields` lists all")
        })?;
        if fields.iter().all(|other| other.name != field.name) {
            fields.push(field);
        }
    }
    Ok(fields)
}

/// What a field's column holds.
fn kind(field: &FieldDef) -> Kind {
    if field.list || matches!(field.format, Format::Hex | Format::Octal) {
        return Kind::Text;
    }
    match field.ty {
        Type::AbsTime => Kind::Time,
        Type::Bool => Kind::Truth,
        Type::Double => Kind::Double,
        Type::Int8
        | Type::Int16
        | Type::Int32
        | Type::Int64
        | Type::Errno
        | Type::Fd
        | Type::Pid => Kind::Signed,
        Type::Uint8
        | Type::Uint16
        | Type::Uint32
        | Type::Uint64
        | Type::SyscallId
        | Type::SigType
        | Type::RelTime
        | Type::Port
        | Type::Flags8
        | Type::Flags16
        | Type::Flags32
        | Type::Mode
        | Type::Uid
        | Type::Gid => Kind::Unsigned,
        _ => Kind::Text,
    }
}

struct Rows<'f> {
    table: Table,
    fields: &'f [FieldDef],
    filter: Option<&'f Filter>,
    memo: Memo,
    scratch: Bump,
    text: Vec<u8>,
}

impl Rows<'_> {
    fn add<S: FieldSource>(&mut self, view: &S) -> Result<()> {
        if let Some(filter) = self.filter
            && !filter.matches(view, &mut self.memo)
        {
            return Ok(());
        }
        self.scratch.reset();
        for (at, field) in self.fields.iter().enumerate() {
            let Some(value) = view.extract(&field.field, Purpose::Json, &self.scratch) else {
                continue;
            };
            cell(&mut self.table, at, field, &value, &mut self.text);
        }
        self.table.end_row()
    }
}

fn cell(table: &mut Table, at: usize, field: &FieldDef, value: &Value<'_>, text: &mut Vec<u8>) {
    match (kind(field), value) {
        (Kind::Text, value) => {
            text.clear();
            match value {
                Value::List(_) => json::value(field, Some(value), Buffers::Text, text),
                value => render::text(field, value, Buffers::Text, text),
            }
            table.text(at, text);
        }
        (Kind::Signed | Kind::Unsigned | Kind::Time, Value::Signed(number)) => {
            table.whole(at, *number);
        }
        (Kind::Signed | Kind::Unsigned | Kind::Time, Value::Unsigned(number)) => {
            table.whole(at, number.cast_signed());
        }
        (Kind::Double, Value::Double(number)) => table.double(at, *number),
        (Kind::Truth, Value::Bool(truth)) => table.truth(at, *truth),
        _ => {}
    }
}
