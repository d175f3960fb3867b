//! Sees all events, and logs how many when it is asked for its counters.

use std::ffi::CStr;

use falco_event::events::RawEvent;
use falco_plugin::anyhow::Error;
use falco_plugin::base::{Metric, MetricLabel, MetricType, MetricValue, Plugin};
use falco_plugin::parse::{EventInput, ParseInput, ParsePlugin};
use falco_plugin::tables::TablesInput;
use falco_plugin::{parse_plugin, plugin};

struct Watching {
    seen: u64,
}

impl Plugin for Watching {
    const NAME: &'static CStr = c"watching";
    const PLUGIN_VERSION: &'static CStr = c"0.1.0";
    const DESCRIPTION: &'static CStr = c"Watches";
    const CONTACT: &'static CStr = c"nobody";
    type ConfigType = ();

    fn new(_: Option<&TablesInput>, (): ()) -> Result<Self, Error> {
        Ok(Self { seen: 0 })
    }

    fn get_metrics(&mut self) -> impl IntoIterator<Item = Metric> {
        let label = MetricLabel::new(c"seen", MetricType::Monotonic);
        [label.with_value(MetricValue::U64(self.seen))]
    }
}

impl ParsePlugin for Watching {
    type Event<'a> = RawEvent<'a>;

    fn parse_event(&mut self, event: &EventInput<RawEvent>, _: &ParseInput) -> Result<(), Error> {
        event.event()?;
        self.seen += 1;
        Ok(())
    }
}

plugin!(Watching);
parse_plugin!(Watching);
