//! A capture that is written beside the alerts: `-w FILE`.

use std::fs::File;

use anyhow::{Context as _, Result};
use event::Record;
use fields::Environment;
use state::{Context, State};

use crate::event_loop::Work;
use crate::hostname::hostname;
use crate::recording::{Dump, Form, Recorder};

/// Writes all events to a file, from the first on before which all is known that stood.
pub(super) struct Tape {
    form: Form,
    /// What plugins know; the recorder takes it.
    dump: Option<Dump>,
    recorder: Option<Recorder>,
    /// Why it could not be begun.
    fault: Option<anyhow::Error>,
}

impl Tape {
    /// To this file, which is emptied; what `dump` gives is written at its begin.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn new(path: &str, dump: Dump) -> Result<Self> {
        if path != "-" {
            File::create(path).with_context(|| format!("cannot write the capture {path}"))?;
        }
        Ok(Self {
            form: Form {
                path: path.to_owned(),
                ..Form::default()
            },
            dump: Some(dump),
            recorder: None,
            fault: None,
        })
    }

    /// Takes in one event; false when it cannot be written, which [`Tape::finish`] tells.
    pub(super) fn event(&mut self, record: &Record<'_>, state: &State, context: &Context) -> bool {
        if state.is_settled()
            && let Some(dump) = self.dump.take()
        {
            let env = Environment {
                hostname: hostname(),
                zone: &fields::LOCAL,
                ..Environment::default()
            };
            match Recorder::begin(self.form.clone(), None, env, state, dump) {
                Ok(recorder) => self.recorder = Some(recorder),
                Err(fault) => {
                    self.fault = Some(fault);
                    return false;
                }
            }
        }
        self.recorder
            .as_mut()
            .is_none_or(|recorder| recorder.event(record, state, context))
    }

    /// Time of events at which [`Tape::timed`] is to be called.
    pub(super) fn due(&self) -> u64 {
        self.recorder.as_ref().map_or(u64::MAX, Work::due)
    }

    /// Writes out what waits, if that is due.
    pub(super) fn timed(&mut self, time: u64, events: u64, state: &State) -> Result<()> {
        match &mut self.recorder {
            Some(recorder) if recorder.due() <= time => recorder.timed(time, events, state),
            _ => Ok(()),
        }
    }

    /// Completes the file.
    ///
    /// # Errors
    /// When it could not be written, now or before.
    pub(super) fn finish(self) -> Result<()> {
        match (self.fault, self.recorder) {
            (Some(fault), _) => Err(fault),
            (None, Some(mut recorder)) => recorder.finish(),
            (None, None) => Ok(()),
        }
    }
}
