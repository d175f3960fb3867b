//! Fields of the events of `counting`.

use std::ffi::{CStr, CString};

use falco_plugin::anyhow::Error;
use falco_plugin::base::Plugin;
use falco_plugin::event::events::Event;
use falco_plugin::extract::{ExtractFieldInfo, ExtractPlugin, ExtractRequest, field};
use falco_plugin::source::PluginEvent;
use falco_plugin::tables::TablesInput;
use falco_plugin::{extract_plugin, plugin};

struct Reading;

impl Plugin for Reading {
    const NAME: &'static CStr = c"reading";
    const PLUGIN_VERSION: &'static CStr = c"0.3.0";
    const DESCRIPTION: &'static CStr = c"Reads what counting counts";
    const CONTACT: &'static CStr = c"nobody";
    type ConfigType = ();

    fn new(_: Option<&TablesInput>, (): ()) -> Result<Self, Error> {
        Ok(Self)
    }
}

impl Reading {
    fn payload(request: &ExtractRequest<Self>) -> Result<String, Error> {
        Ok(String::from_utf8_lossy(request.event.event()?.params.event_data).into_owned())
    }

    fn text(&mut self, request: ExtractRequest<Self>) -> Result<CString, Error> {
        Ok(CString::new(Self::payload(&request)?)?)
    }

    fn number(&mut self, request: ExtractRequest<Self>) -> Result<u64, Error> {
        Ok(Self::payload(&request)?.trim_start_matches("n=").parse()?)
    }

    fn even(&mut self, request: ExtractRequest<Self>) -> Result<bool, Error> {
        Ok(self.number(request)? % 2 == 0)
    }

    fn times(&mut self, request: ExtractRequest<Self>, factor: u64) -> Result<u64, Error> {
        Ok(self.number(request)? * factor)
    }

    fn digits(&mut self, request: ExtractRequest<Self>) -> Result<Vec<CString>, Error> {
        let payload = Self::payload(&request)?;
        let digits = payload.trim_start_matches("n=").chars();
        digits.map(|digit| Ok(CString::new(digit.to_string())?)).collect()
    }
}

impl ExtractPlugin for Reading {
    type Event<'a> = Event<PluginEvent<&'a [u8]>>;
    type ExtractContext = ();

    const EXTRACT_FIELDS: &'static [ExtractFieldInfo<Self>] = &[
        field("count.text", &Self::text),
        field("count.n", &Self::number),
        field("count.even", &Self::even),
        field("count.times", &Self::times),
        field("count.digits", &Self::digits),
    ];
}

plugin!(Reading);
extract_plugin!(Reading);
