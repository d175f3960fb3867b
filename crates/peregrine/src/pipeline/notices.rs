//! What the flight recorder has to say of the files that it saves, and how many of them there are.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};

use flight::{Counts, Notice};
use outputs::{Formatter, Internal};
use rules::Priority;

use super::flight::Flight;
use super::judge::SharedCounts;
use super::shared::SharedOutputs;
use super::{Alerting, Compiled, upkeep};
use crate::{clock, log};

/// The internal alert on a file that reached its limit.
const FULL: &str = "Falco internal: capture size limit reached";
const SECOND: u64 = 1_000_000_000;

/// Captures of alerts with the prefix, whoever wrote them; all sources share the number.
#[derive(Clone, Debug, Default)]
pub(super) struct Files(Arc<AtomicU64>);

impl Files {
    /// Looks anew.
    pub(super) fn count(&self, prefix: &str) {
        self.0.store(files(prefix), Ordering::Relaxed);
    }

    /// One more is begun.
    pub(super) fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// As far as is known.
    pub(super) fn known(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Files that begin as captures of alerts do.
fn files(prefix: &str) -> u64 {
    let prefix = Path::new(prefix);
    let folder = prefix
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let Some(name) = prefix.file_name() else {
        return 0;
    };
    let begin = [name.as_encoded_bytes(), b"_"].concat();
    let entries = fs::read_dir(folder.unwrap_or(Path::new(".")));
    let ours = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        name.starts_with(&begin) && name.ends_with(b".scap")
    };
    entries.map_or(0, |all| all.flatten().filter(ours).count() as u64)
}

/// Passes on what a recorder has to say.
pub(super) fn hear(flight: &mut Flight, formatter: &mut Formatter, outputs: &SharedOutputs) {
    let notices = flight.recorder.notices();
    if !notices.is_empty() {
        flight.files.count(&flight.capture.path_prefix);
        let limit = flight.capture.max_file_size_mb;
        tell(notices, limit, formatter, outputs);
    }
}

/// Completes ring and files, and says what is left to say.
pub(super) fn land(flight: Flight, formatter: &mut Formatter, outputs: &SharedOutputs) {
    let limit = flight.capture.max_file_size_mb;
    tell(flight.finish(), limit, formatter, outputs);
}

fn tell(notices: Vec<Notice>, limit: u64, formatter: &mut Formatter, outputs: &SharedOutputs) {
    for notice in notices {
        match notice {
            Notice::Saved {
                path,
                events,
                bytes,
                missing,
                gaps,
            } => {
                let path = path.display();
                let text = format!("saved {path}: {events} events, {bytes} bytes");
                log::say(Priority::Informational, &text);
                if missing > 0 {
                    let seconds = missing.div_ceil(SECOND);
                    log::say(
                        Priority::Warning,
                        &format!(
                            "{path} lacks {seconds} s at its begin that the ring did not hold"
                        ),
                    );
                }
                if gaps > 0 {
                    log::say(
                        Priority::Warning,
                        &format!("{path} has {gaps} gaps where events are missing"),
                    );
                }
            }
            Notice::NotSaved { path, error } => {
                log::say(
                    Priority::Error,
                    &format!("cannot write {}: {error}", path.display()),
                );
            }
            Notice::NotHeld { error } => log::say(
                Priority::Error,
                &format!("the flight recorder holds nothing new until it can write again: {error}"),
            ),
            Notice::HeldAgain => log::info("the flight recorder writes again"),
            Notice::Full { bytes, .. } => full(bytes, limit, formatter, outputs),
        }
    }
}

fn full(bytes: u64, limit: u64, formatter: &mut Formatter, outputs: &SharedOutputs) {
    let text = format!("{FULL}. Configured limit: {limit} MB.");
    let fields = [
        ("max_file_size_mb", limit.to_string()),
        ("written_bytes", bytes.to_string()),
    ];
    let now = clock::now();
    let alert = Internal {
        time: now,
        priority: Priority::Informational,
        rule: FULL,
        text: &text,
    };
    upkeep::send_internal(&alert, &fields, formatter, outputs);
    log::log(Priority::Debug, &format!("{text} at {}", now / SECOND));
}

fn lock(counts: &SharedCounts) -> MutexGuard<'_, Option<Counts>> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Alerting {
    /// Sources with threads of their own save what surrounds their alerts themselves.
    pub(super) fn leave_to_sides(&mut self) {
        let Compiled {
            subjects, around, ..
        } = &mut self.compiled;
        let sides = &self.mailboxes;
        for (subject, around) in subjects.iter().zip(around) {
            if sides.iter().any(|(name, _)| *name == subject.source) {
                *around = None;
            }
        }
    }

    /// Goes over to what new rules want saved.
    pub(super) fn adopt_flight(&mut self) {
        if let Some(flight) = &mut self.flight {
            return flight.adopt(&self.compiled);
        }
        match Flight::open(&mut self.compiled, &self.running, &self.captures, self.live) {
            Ok(flight) => self.flight = flight,
            Err(error) => log::say(
                Priority::Error,
                &format!("no captures of alerts: {error:#}"),
            ),
        }
    }

    /// Passes on what the recorder has to say.
    pub(super) fn hear_flight(&mut self) {
        if let Some(flight) = &mut self.flight {
            hear(flight, &mut self.formatter, &self.outputs);
        }
    }

    /// What was recorded, and saved for all sources.
    pub(super) fn flight_counts(&self) -> Option<Counts> {
        let sides = self.saved.iter().filter_map(|counts| *lock(counts));
        let own = self.flight.as_ref().map(Flight::counts);
        sides.fold(own, |all, side| {
            let all = all.unwrap_or_default();
            Some(Counts {
                saved: all.saved + side.saved,
                not_saved: all.not_saved + side.not_saved,
                joined: all.joined + side.joined,
                refused: all.refused + side.refused,
                short: all.short + side.short,
                ..all
            })
        })
    }

    /// Completes ring and files.
    pub(super) fn land(&mut self) {
        if let Some(flight) = self.flight.take() {
            land(flight, &mut self.formatter, &self.outputs);
        }
    }
}
