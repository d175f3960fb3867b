//! Hears of captures, and works on a thread of the host's while one goes on.

use std::ffi::CStr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use falco_plugin::anyhow::Error;
use falco_plugin::base::{Metric, MetricLabel, MetricType, MetricValue, Plugin};
use falco_plugin::listen::{CaptureListenInput, CaptureListenPlugin, Routine};
use falco_plugin::tables::TablesInput;
use falco_plugin::{capture_listen_plugin, plugin};

struct Listening {
    tasks: Vec<Routine>,
    opened: u64,
    closed: u64,
    worked: Arc<AtomicU64>,
}

impl Plugin for Listening {
    const NAME: &'static CStr = c"listening";
    const PLUGIN_VERSION: &'static CStr = c"0.1.0";
    const DESCRIPTION: &'static CStr = c"Listens";
    const CONTACT: &'static CStr = c"nobody";
    type ConfigType = ();

    fn new(_: Option<&TablesInput>, (): ()) -> Result<Self, Error> {
        Ok(Self { tasks: Vec::new(), opened: 0, closed: 0, worked: Arc::default() })
    }

    fn get_metrics(&mut self) -> impl IntoIterator<Item = Metric> {
        let metric = |name, value| {
            MetricLabel::new(name, MetricType::Monotonic).with_value(MetricValue::U64(value))
        };
        [
            metric(c"opened", self.opened),
            metric(c"closed", self.closed),
            metric(c"worked", u64::from(self.worked.load(Ordering::Relaxed) > 0)),
        ]
    }
}

impl CaptureListenPlugin for Listening {
    fn capture_open(&mut self, input: &CaptureListenInput) -> Result<(), Error> {
        self.opened += 1;
        let worked = Arc::clone(&self.worked);
        self.tasks.push(input.thread_pool.subscribe(move || {
            worked.fetch_add(1, Ordering::Relaxed);
            ControlFlow::Continue(())
        })?);
        Ok(())
    }

    fn capture_close(&mut self, input: &CaptureListenInput) -> Result<(), Error> {
        self.closed += 1;
        for task in self.tasks.drain(..) {
            input.thread_pool.unsubscribe(&task)?;
        }
        Ok(())
    }
}

plugin!(Listening);
capture_listen_plugin!(Listening);
