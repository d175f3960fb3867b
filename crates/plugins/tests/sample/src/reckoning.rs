//! Reads and writes the table of `tallying`, and walks through it.

use std::ffi::{CStr, CString};
use std::ops::ControlFlow;
use std::sync::Arc;

use falco_event::events::RawEvent;
use falco_plugin::anyhow::{Error, anyhow};
use falco_plugin::base::Plugin;
use falco_plugin::extract::{ExtractFieldInfo, ExtractPlugin, ExtractRequest, field};
use falco_plugin::parse::{EventInput, ParseInput, ParsePlugin};
use falco_plugin::tables::TablesInput;
use falco_plugin::tables::import::{Entry, Field, Table, TableMetadata};
use falco_plugin::{extract_plugin, parse_plugin, plugin};

type Tally = Entry<Arc<TallyFields>>;
type Tallies = Table<u64, Tally>;

#[derive(TableMetadata)]
#[entry_type(Tally)]
struct TallyFields {
    count: Field<u64, Tally>,
    name: Field<CStr, Tally>,
    #[custom]
    doubled: Field<u64, Tally>,
}

struct Reckoning {
    tallies: Tallies,
}

impl Plugin for Reckoning {
    const NAME: &'static CStr = c"reckoning";
    const PLUGIN_VERSION: &'static CStr = c"0.1.0";
    const DESCRIPTION: &'static CStr = c"Reckons with what tallying counts";
    const CONTACT: &'static CStr = c"nobody";
    type ConfigType = ();

    fn new(input: Option<&TablesInput>, (): ()) -> Result<Self, Error> {
        let input = input.ok_or_else(|| anyhow!("no tables"))?;
        Ok(Self { tallies: input.get_table(c"tallies")? })
    }
}

impl ParsePlugin for Reckoning {
    type Event<'a> = RawEvent<'a>;

    fn parse_event(
        &mut self,
        event: &EventInput<RawEvent>,
        input: &ParseInput,
    ) -> Result<(), Error> {
        let key = u64::try_from(event.event()?.metadata.tid)?;
        let tally = self.tallies.get_entry(&input.reader, &key)?;
        let count = tally.get_count(&input.reader)?;
        tally.set_doubled(&input.writer, &(2 * count))?;
        if self.tallies.get_entry(&input.reader, &1000).is_err() {
            let made = self.tallies.create_entry(&input.writer)?;
            made.set_count(&input.writer, &7)?;
            made.set_name(&input.writer, c"made")?;
            self.tallies.insert(&input.reader, &input.writer, &1000, made)?;
        }
        Ok(())
    }
}

impl Reckoning {
    fn tally(&self, request: &ExtractRequest<Self>) -> Result<Tally, Error> {
        let key = u64::try_from(request.event.event()?.metadata.tid)?;
        self.tallies.get_entry(request.table_reader, &key)
    }

    fn doubled(&mut self, request: ExtractRequest<Self>) -> Result<u64, Error> {
        self.tally(&request)?.get_doubled(request.table_reader)
    }

    fn name(&mut self, request: ExtractRequest<Self>) -> Result<CString, Error> {
        Ok(self.tally(&request)?.get_name(request.table_reader)?.to_owned())
    }

    /// The sum of all counts, found on a walk.
    fn sum(&mut self, request: ExtractRequest<Self>) -> Result<u64, Error> {
        let mut sum = 0;
        self.tallies.iter_entries_mut(request.table_reader, |tally| {
            sum += tally.get_count(request.table_reader).unwrap_or(0);
            ControlFlow::Continue(())
        })?;
        Ok(sum)
    }
}

impl ExtractPlugin for Reckoning {
    type Event<'a> = RawEvent<'a>;
    type ExtractContext = ();

    const EXTRACT_FIELDS: &'static [ExtractFieldInfo<Self>] = &[
        field("reckon.doubled", &Self::doubled),
        field("reckon.name", &Self::name),
        field("reckon.sum", &Self::sum),
    ];
}

plugin!(Reckoning);
parse_plugin!(Reckoning);
extract_plugin!(Reckoning);
