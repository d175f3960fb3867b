//! Reads and writes the host's threads, and has a table of its own for others.

use std::ffi::{CStr, CString};
use std::sync::Arc;

use falco_event::events::RawEvent;
use falco_plugin::anyhow::{Error, anyhow};
use falco_plugin::base::Plugin;
use falco_plugin::extract::{ExtractFieldInfo, ExtractPlugin, ExtractRequest, field};
use falco_plugin::parse::{EventInput, ParseInput, ParsePlugin};
use falco_plugin::tables::TablesInput;
use falco_plugin::tables::export;
use falco_plugin::tables::import::{Entry, Field, Table, TableMetadata};
use falco_plugin::{extract_plugin, parse_plugin, plugin};

type Item = Entry<Arc<ItemFields>>;
type Items = Table<u64, Item>;

#[derive(TableMetadata)]
#[entry_type(Item)]
struct ItemFields {
    value: Field<CStr, Item>,
}

type OpenFile = Entry<Arc<OpenFileFields>>;
type OpenFiles = Table<i64, OpenFile>;

#[derive(TableMetadata)]
#[entry_type(OpenFile)]
struct OpenFileFields {
    name: Field<CStr, OpenFile>,
}

type Thread = Entry<Arc<ThreadFields>>;
type Threads = Table<i64, Thread>;

#[derive(TableMetadata)]
#[entry_type(Thread)]
struct ThreadFields {
    comm: Field<CStr, Thread>,
    args: Field<Items, Thread>,
    file_descriptors: Field<OpenFiles, Thread>,
    #[custom]
    visits: Field<u64, Thread>,
    #[custom]
    container_id: Field<CStr, Thread>,
}

#[derive(export::Entry)]
struct Tally {
    count: export::Public<u64>,
    name: export::Public<CString>,
}

struct Tallying {
    threads: Threads,
    tallies: Box<export::Table<u64, Tally>>,
}

impl Plugin for Tallying {
    const NAME: &'static CStr = c"tallying";
    const PLUGIN_VERSION: &'static CStr = c"0.1.0";
    const DESCRIPTION: &'static CStr = c"Counts what threads do";
    const CONTACT: &'static CStr = c"nobody";
    type ConfigType = ();

    fn new(input: Option<&TablesInput>, (): ()) -> Result<Self, Error> {
        let input = input.ok_or_else(|| anyhow!("no tables"))?;
        Ok(Self {
            threads: input.get_table(c"threads")?,
            tallies: input.add_table(export::Table::new(c"tallies")?)?,
        })
    }
}

impl ParsePlugin for Tallying {
    type Event<'a> = RawEvent<'a>;

    fn parse_event(
        &mut self,
        event: &EventInput<RawEvent>,
        input: &ParseInput,
    ) -> Result<(), Error> {
        let tid = event.event()?.metadata.tid;
        let thread = self.threads.get_entry(&input.reader, &tid)?;
        let visits = thread.get_visits(&input.reader)? + 1;
        thread.set_visits(&input.writer, &visits)?;
        if visits == 3 {
            thread.set_comm(&input.writer, c"regular")?;
        }
        let key = u64::try_from(tid)?;
        let mut tally = self.tallies.create_entry()?;
        *tally.count = visits;
        *tally.name = thread.get_comm(&input.reader)?.to_owned();
        self.tallies.insert(&key, tally);
        Ok(())
    }
}

impl Tallying {
    fn thread(&self, request: &ExtractRequest<Self>) -> Result<Thread, Error> {
        let tid = request.event.event()?.metadata.tid;
        self.threads.get_entry(request.table_reader, &tid)
    }

    fn visits(&mut self, request: ExtractRequest<Self>) -> Result<u64, Error> {
        self.thread(&request)?.get_visits(request.table_reader)
    }

    fn name(&mut self, request: ExtractRequest<Self>) -> Result<CString, Error> {
        Ok(self.thread(&request)?.get_comm(request.table_reader)?.to_owned())
    }

    fn container(&mut self, request: ExtractRequest<Self>) -> Result<CString, Error> {
        Ok(self.thread(&request)?.get_container_id(request.table_reader)?.to_owned())
    }

    fn argument(&mut self, request: ExtractRequest<Self>, at: u64) -> Result<CString, Error> {
        let thread = self.thread(&request)?;
        let item = thread.get_args_by_key(request.table_reader, &at)?;
        Ok(item.get_value(request.table_reader)?.to_owned())
    }

    fn file(&mut self, request: ExtractRequest<Self>, at: u64) -> Result<CString, Error> {
        let thread = self.thread(&request)?;
        let number = i64::try_from(at)?;
        let file = thread.get_file_descriptors_by_key(request.table_reader, &number)?;
        Ok(file.get_name(request.table_reader)?.to_owned())
    }

    fn threads(&mut self, request: ExtractRequest<Self>) -> Result<u64, Error> {
        Ok(self.threads.get_size(request.table_reader)? as u64)
    }
}

impl ExtractPlugin for Tallying {
    type Event<'a> = RawEvent<'a>;
    type ExtractContext = ();

    const EXTRACT_FIELDS: &'static [ExtractFieldInfo<Self>] = &[
        field("tally.visits", &Self::visits),
        field("tally.name", &Self::name),
        field("tally.container", &Self::container),
        field("tally.argument", &Self::argument),
        field("tally.file", &Self::file),
        field("tally.threads", &Self::threads),
    ];
}

plugin!(Tallying);
parse_plugin!(Tallying);
extract_plugin!(Tallying);
