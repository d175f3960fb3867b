//! The outputs, shared by all sources; only a reload changes them.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use outputs::Outputs;

/// All channels of a run.
#[derive(Clone, Default)]
pub(crate) struct SharedOutputs(Arc<RwLock<Outputs>>);

impl SharedOutputs {
    /// Of these.
    pub(super) fn new(outputs: Outputs) -> Self {
        Self(Arc::new(RwLock::new(outputs)))
    }

    /// To send something.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, Outputs> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// To change them.
    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Outputs> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// To end them; none are left.
    pub(super) fn take(&self) -> Outputs {
        std::mem::take(&mut *self.write())
    }
}
