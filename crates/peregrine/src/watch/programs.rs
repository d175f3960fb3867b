//! Who finds out what program files are: begun with the first question, for most rules never ask one.

use std::path::{Path, PathBuf};

use provenance::{Answer, Meter, Provenance};
use state::ProgramQuestion;

use crate::log;

/// Answers questions about this machine's programs.
pub(super) struct Programs {
    root: PathBuf,
    provenance: Option<Provenance>,
    pub(super) meter: Meter,
    /// It could not be begun: nobody answers, and alerts wait in vain.
    is_broken: bool,
}

impl Programs {
    /// For a machine whose `/proc` lies under `root`.
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            provenance: None,
            meter: Meter::default(),
            is_broken: false,
        }
    }

    /// Takes questions.
    pub(super) fn ask(&mut self, questions: Vec<ProgramQuestion>) {
        if self.provenance.is_none() && !self.is_broken {
            match Provenance::start(&self.root, self.meter.clone()) {
                Ok(provenance) => self.provenance = Some(provenance),
                Err(error) => {
                    self.is_broken = true;
                    log::error(&format!("cannot look at program files: {error}"));
                }
            }
        }
        if let Some(provenance) = &mut self.provenance {
            questions.into_iter().for_each(|one| provenance.ask(one));
        }
    }

    /// The next answer, if there is one.
    #[inline]
    pub(super) fn poll(&mut self) -> Option<Answer> {
        self.provenance.as_mut()?.poll()
    }
}
