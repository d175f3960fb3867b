//! Puts events into the stream that is open.

use std::ffi::CStr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use falco_plugin::anyhow::Error;
use falco_plugin::async_event::{AsyncEventPlugin, AsyncHandler, BackgroundTask};
use falco_plugin::base::Plugin;
use falco_plugin::tables::TablesInput;
use falco_plugin::{async_event_plugin, plugin};

struct Injecting {
    task: Arc<BackgroundTask>,
    thread: Option<JoinHandle<Result<(), Error>>>,
}

impl Plugin for Injecting {
    const NAME: &'static CStr = c"injecting";
    const PLUGIN_VERSION: &'static CStr = c"0.1.0";
    const DESCRIPTION: &'static CStr = c"Injects";
    const CONTACT: &'static CStr = c"nobody";
    type ConfigType = ();

    fn new(_: Option<&TablesInput>, (): ()) -> Result<Self, Error> {
        Ok(Self { task: Arc::new(BackgroundTask::default()), thread: None })
    }
}

impl AsyncEventPlugin for Injecting {
    const ASYNC_EVENTS: &'static [&'static str] = &["tick"];
    const EVENT_SOURCES: &'static [&'static str] = &[];

    fn start_async(&mut self, handler: AsyncHandler) -> Result<(), Error> {
        self.stop_async()?;
        self.thread = Some(self.task.spawn(Duration::from_millis(5), move || {
            handler.emit(Self::async_event(c"tick", b"tock"))?;
            Ok(())
        })?);
        Ok(())
    }

    fn stop_async(&mut self) -> Result<(), Error> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        self.task.request_stop_and_notify()?;
        match thread.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

plugin!(Injecting);
async_event_plugin!(Injecting);
