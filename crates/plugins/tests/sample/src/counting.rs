//! A source: as many events as its parameter says, `n=1`, `n=2`, ...

use std::ffi::{CStr, CString};

use falco_plugin::anyhow::{self, Error};
use falco_plugin::base::Plugin;
use falco_plugin::event::events::Event;
use falco_plugin::source::{
    EventBatch, EventInput, PluginEvent, SourcePlugin, SourcePluginInstance,
};
use falco_plugin::tables::TablesInput;
use falco_plugin::{FailureReason, plugin, source_plugin};

struct Counting;

impl Plugin for Counting {
    const NAME: &'static CStr = c"counting";
    const PLUGIN_VERSION: &'static CStr = c"1.2.3";
    const DESCRIPTION: &'static CStr = c"Counts";
    const CONTACT: &'static CStr = c"nobody";
    type ConfigType = ();

    fn new(_: Option<&TablesInput>, (): ()) -> Result<Self, Error> {
        Ok(Self)
    }
}

struct Instance {
    next: u64,
    last: u64,
}

impl SourcePlugin for Counting {
    type Instance = Instance;
    const EVENT_SOURCE: &'static CStr = c"counting";
    const PLUGIN_ID: u32 = 999;
    type Event<'a> = Event<PluginEvent<&'a [u8]>>;

    fn open(&mut self, params: Option<&str>) -> Result<Self::Instance, Error> {
        let last = params.unwrap_or("").trim().parse()?;
        Ok(Instance { next: 1, last })
    }

    fn event_to_string(&mut self, event: &EventInput<Self::Event<'_>>) -> Result<CString, Error> {
        Ok(CString::new(event.event()?.params.event_data)?)
    }
}

impl SourcePluginInstance for Instance {
    type Plugin = Counting;

    fn next_batch(&mut self, _: &mut Counting, batch: &mut EventBatch) -> Result<(), Error> {
        if self.next > self.last {
            return Err(anyhow::anyhow!("counted").context(FailureReason::Eof));
        }
        for _ in 0..3 {
            if self.next > self.last {
                break;
            }
            let text = format!("n={}", self.next);
            batch.add(Self::plugin_event(text.as_bytes()))?;
            self.next += 1;
        }
        Ok(())
    }
}

plugin!(Counting);
source_plugin!(Counting);
