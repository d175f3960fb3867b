//! Containers that were seen and of which nothing is known yet.
//!
//! The state asks nobody. It notes each unknown container once, for whoever watches the machine to
//! take ([`crate::State::take_sightings`]), and remembers how the question ended. In a capture
//! nobody answers but the capture itself, so nothing is waited for, unless its recorder did.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Container, Family, Identity};

/// What is known of a container (`container.metadata`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metadata {
    /// There is a record; or it is the host.
    Complete,
    /// Somebody is asking.
    Pending,
    /// Nobody knew, or nobody was asked.
    Unknown,
}

impl Metadata {
    /// The field's text.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Pending => "pending",
            Self::Unknown => "unknown",
        }
    }
}

/// A container, and the first process that was seen in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighting {
    /// Who it says it is.
    pub identity: Identity,
    /// The control group's path.
    pub path: Box<[u8]>,
    /// A process in it.
    pub pid: i64,
    /// Whether there was a record already.
    pub is_known: bool,
    /// Whether the process runs a program of the container's: then its root is the container's too.
    pub runs: bool,
    /// Whether nobody lives in it any more.
    pub ended: bool,
    /// The record, where the path itself says all that there is.
    pub own: Option<Arc<Container>>,
}

/// How far a question is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Asked,
    /// Nobody knew.
    Failed,
}

/// How far the reading of a container's accounts is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Reading {
    underway: bool,
    /// The process ended too soon: the next one is asked.
    again: bool,
    tries: u8,
}

/// Most processes that are tried.
const TRIES_MAX: u8 = 8;

/// Most sightings that wait to be taken.
const QUEUE_MAX: usize = 4096;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    /// Whether somebody answers.
    pub(crate) awaited: bool,
    queue: Vec<Sighting>,
    phases: BTreeMap<Box<[u8]>, (Family, Phase)>,
    seen: BTreeSet<Box<[u8]>>,
    /// Containers in which something was executed.
    ran: BTreeMap<Box<[u8]>, Reading>,
    /// How many of `phases` are asked about, and how many of `ran` are being read: the event path asks for
    /// no more than whether there are any.
    asked: usize,
    underway: usize,
}

impl Sightings {
    /// Notes a container when its first process is seen. `max`: most that are remembered.
    pub(crate) fn note(&mut self, sighting: Sighting, max: usize) {
        let id = &sighting.identity.id;
        if !self.awaited
            || self.seen.contains(id)
            || self.queue.len() >= QUEUE_MAX
            || self.seen.len() >= max
        {
            return;
        }
        self.seen.insert(id.clone());
        if !sighting.is_known {
            let phase = (sighting.identity.family, Phase::Asked);
            let id = id.clone();
            self.set_phase(&id, Some(phase));
        }
        self.queue.push(sighting);
    }

    /// Notes the first process of a container that runs a program of its own: before, it may still
    /// be in the host's root.
    pub(crate) fn note_program(&mut self, identity: &Identity, pid: i64, max: usize) {
        let before = self.ran.get(&identity.id).copied();
        if !self.awaited
            || before.is_some_and(|reading| !reading.again)
            || self.queue.len() >= QUEUE_MAX
            || (before.is_none() && self.ran.len() >= max)
        {
            return;
        }
        let reading = Reading {
            underway: true,
            again: false,
            tries: before.map_or(0, |reading| reading.tries) + 1,
        };
        self.set_reading(&identity.id, Some(reading));
        self.queue.push(Sighting {
            identity: identity.clone(),
            path: Box::default(),
            pid,
            is_known: true,
            runs: true,
            ended: false,
            own: None,
        });
    }

    /// Notes a container without processes. If it comes to life again, it is noted anew.
    pub(crate) fn note_end(&mut self, sighting: Sighting) {
        if self.queue.len() < QUEUE_MAX {
            self.seen.remove(&sighting.identity.id);
            self.set_reading(&sighting.identity.id, None);
            self.queue.push(sighting);
        }
    }

    /// Notes that more is known of a container whose record is our own.
    pub(crate) fn note_more(&mut self, sighting: Sighting) {
        if self.awaited && self.queue.len() < QUEUE_MAX {
            self.queue.push(sighting);
        }
    }

    /// Containers of which anything is remembered here.
    pub(crate) fn seen(&self) -> impl Iterator<Item = &Box<[u8]>> {
        let all = self.seen.iter().chain(self.phases.keys());
        all.chain(self.ran.keys())
    }

    /// Whether a container's accounts are being read.
    pub(crate) fn is_read(&self, id: &[u8]) -> bool {
        self.ran.get(id).is_some_and(|reading| reading.underway)
    }

    /// Containers whose accounts are being read.
    pub(crate) fn being_read(&self) -> impl Iterator<Item = &[u8]> {
        let underway = self.ran.iter().filter(|(_, reading)| reading.underway);
        underway.map(|(id, _)| &**id)
    }

    /// A container's accounts have been read, as far as it has any.
    pub(crate) fn have_read(&mut self, id: &[u8]) {
        if let Some(mut reading) = self.ran.get(id).copied() {
            reading.underway = false;
            self.set_reading(id, Some(reading));
        }
    }

    /// The process whose container's accounts were wanted was gone.
    pub(crate) fn too_late(&mut self, id: &[u8]) {
        if let Some(mut reading) = self.ran.get(id).copied() {
            reading.underway = false;
            reading.again = reading.tries < TRIES_MAX;
            self.set_reading(id, Some(reading));
        }
    }

    /// Marks a container's accounts as being read.
    pub(crate) fn expect_accounts(&mut self, id: &[u8]) {
        let mut reading = self.ran.get(id).copied().unwrap_or_default();
        reading.underway = true;
        self.set_reading(id, Some(reading));
    }

    /// Marks a container as asked for.
    pub(crate) fn expect(&mut self, id: &[u8]) {
        self.set_phase(id, Some((Family::Runtime, Phase::Asked)));
    }

    pub(crate) fn take(&mut self) -> Vec<Sighting> {
        std::mem::take(&mut self.queue)
    }

    pub(crate) fn any(&self) -> bool {
        !self.queue.is_empty()
    }

    /// A record came.
    pub(crate) fn settle(&mut self, id: &[u8]) {
        self.set_phase(id, None);
    }

    /// The container went.
    pub(crate) fn forget(&mut self, id: &[u8]) {
        self.set_phase(id, None);
        self.seen.remove(id);
        self.set_reading(id, None);
    }

    /// Nobody knows the container. It keeps its id: an answer that comes sooner or later must not make
    /// one process belong to two places.
    pub(crate) fn fail(&mut self, id: &[u8]) {
        let family = self
            .phases
            .get(id)
            .map_or(Family::Runtime, |(family, _)| *family);
        self.set_phase(id, Some((family, Phase::Failed)));
    }

    pub(crate) fn is_pending(&self, id: &[u8]) -> bool {
        matches!(self.phases.get(id), Some((_, Phase::Asked)))
    }

    /// Whether anything at all may be on its way.
    #[inline]
    pub(crate) fn may_await(&self) -> bool {
        self.asked + self.underway > 0
    }

    fn set_phase(&mut self, id: &[u8], phase: Option<(Family, Phase)>) {
        let is_asked = |phase| matches!(phase, Some((_, Phase::Asked)));
        let old = match phase {
            Some(phase) => self.phases.insert(id.into(), phase),
            None => self.phases.remove(id),
        };
        self.asked += usize::from(is_asked(phase));
        self.asked -= usize::from(is_asked(old));
    }

    fn set_reading(&mut self, id: &[u8], reading: Option<Reading>) {
        let is_underway = |reading: Option<Reading>| reading.is_some_and(|one| one.underway);
        let old = match reading {
            Some(reading) => self.ran.insert(id.into(), reading),
            None => self.ran.remove(id),
        };
        self.underway += usize::from(is_underway(reading));
        self.underway -= usize::from(is_underway(old));
    }

    pub(crate) fn clear(&mut self) {
        self.queue.clear();
        self.phases.clear();
        self.seen.clear();
        self.ran.clear();
        (self.asked, self.underway) = (0, 0);
    }
}
