//! Where the event loop tells others how it is doing.
//!
//! Numbers are collected by the loop itself, between two events, when somebody asks: so they belong
//! together, and a loop that does not answer is known to hang.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use metrics::Metric;
use outputs::Report;
use serde_json::Value;

/// The loop looks at least four times a second; that it does not for so long is a fault.
const PATIENCE: Duration = Duration::from_secs(5);

/// Health is answered from what was told within this time: whoever asks for it in a row does not
/// keep the loop busy.
const FRESH: Duration = Duration::from_secs(1);

/// Milliseconds for which who is busy is counted after it was asked for.
const WATCHED: u64 = 10_000;

/// What was told last.
#[derive(Clone, Default)]
pub(crate) struct Told {
    /// Counts up.
    number: u64,
    at: Option<Instant>,
    /// The metrics.
    pub(crate) metrics: Arc<Vec<Metric>>,
    /// The outputs.
    pub(crate) outputs: Arc<Vec<Report>>,
    /// Who is busy, where somebody looks on.
    pub(crate) activity: Arc<Value>,
}

/// Shared by the loop and the server.
pub(crate) struct Board {
    start: Instant,
    /// Milliseconds from the start to the last look of the loop.
    beat: AtomicU64,
    /// The same to the last question who is busy, plus one; 0: there was none.
    watched: AtomicU64,
    asked: AtomicBool,
    told: Mutex<Told>,
    changed: Condvar,
    /// How long an output may fail or hang before the service calls itself unhealthy.
    patience: Duration,
    /// Why no events come although the loop turns.
    source: Mutex<Option<String>>,
    /// Whether the last is set, so that the loop need not lock to say that all is well.
    troubled: AtomicBool,
    /// Why other sources have ended.
    ended: Mutex<Vec<String>>,
}

impl Board {
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            start: Instant::now(),
            beat: AtomicU64::new(0),
            watched: AtomicU64::new(0),
            asked: AtomicBool::new(true),
            told: Mutex::default(),
            changed: Condvar::new(),
            patience,
            source: Mutex::default(),
            troubled: AtomicBool::new(false),
            ended: Mutex::default(),
        }
    }

    /// How it is with the source of events.
    pub(crate) fn source(&self, trouble: Option<String>) {
        if trouble.is_some() || self.troubled.load(Ordering::Relaxed) {
            self.troubled.store(trouble.is_some(), Ordering::Relaxed);
            *self.source.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        }
    }

    /// A source beside the main one has ended with a fault.
    pub(crate) fn ended(&self, why: String) {
        self.ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(why);
    }

    /// The loop is alive. True: somebody wants to know more.
    pub(crate) fn beat(&self) -> bool {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.beat.store(now, Ordering::Relaxed);
        self.asked.load(Ordering::Relaxed)
    }

    /// Somebody looks on: who is busy is to be counted for some seconds.
    pub(crate) fn watch(&self) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.watched.store(now.saturating_add(1), Ordering::Relaxed);
    }

    /// Whether somebody looks on.
    pub(crate) fn is_watched(&self) -> bool {
        let asked = self.watched.load(Ordering::Relaxed);
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        asked != 0 && now.saturating_sub(asked) < WATCHED
    }

    /// The loop tells.
    pub(crate) fn tell(&self, metrics: Vec<Metric>, outputs: Vec<Report>, activity: Value) {
        self.asked.store(false, Ordering::Relaxed);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.number += 1;
        told.at = Some(Instant::now());
        told.metrics = Arc::new(metrics);
        told.outputs = Arc::new(outputs);
        told.activity = Arc::new(activity);
        self.changed.notify_all();
    }

    /// Asks the loop, and takes what it told before if it does not answer within a second.
    pub(crate) fn ask(&self) -> Told {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let before = told.number;
        self.asked.store(true, Ordering::Relaxed);
        let end = Instant::now() + Duration::from_secs(1);
        while told.number == before {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            told = self
                .changed
                .wait_timeout(told, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        told.clone()
    }

    /// How long the loop has not looked.
    fn silence(&self) -> Duration {
        self.start
            .elapsed()
            .saturating_sub(Duration::from_millis(self.beat.load(Ordering::Relaxed)))
    }

    /// What is wrong; empty: all is well.
    pub(crate) fn troubles(&self) -> Vec<String> {
        let mut troubles = Vec::new();
        let told = self
            .told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let fresh = told.at.is_some_and(|at| at.elapsed() < FRESH);
        let outputs = if fresh {
            told.outputs
        } else {
            self.ask().outputs
        };
        let silence = self.silence();
        if silence > PATIENCE {
            troubles.push(format!(
                "the event loop has not moved for {} s",
                silence.as_secs()
            ));
        }
        let source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        troubles.extend(source.clone());
        drop(source);
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        troubles.extend(ended.iter().cloned());
        drop(ended);
        for output in outputs.iter() {
            if let Some(age) = output.failing.filter(|age| *age > self.patience) {
                let error = output.error.as_deref().unwrap_or("no reason given");
                troubles.push(format!(
                    "output {} has failed for {} s: {error}",
                    output.name,
                    age.as_secs()
                ));
            } else if let Some(age) = output.busy.filter(|age| *age > self.patience) {
                troubles.push(format!(
                    "output {} has hung for {} s",
                    output.name,
                    age.as_secs()
                ));
            }
        }
        troubles
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_answers_and_one_that_does_not() {
        let board = Arc::new(Board::new(Duration::from_secs(30)));
        assert!(board.beat(), "the first numbers are always wanted");
        board.tell(Vec::new(), Vec::new(), Value::Null);
        assert!(!board.beat());
        let asking = std::thread::spawn({
            let board = Arc::clone(&board);
            move || board.ask().metrics.len()
        });
        while !board.beat() {
            std::thread::yield_now();
        }
        board.tell(vec![Metric::counter("a", "a", 1)], Vec::new(), Value::Null);
        assert_eq!(asking.join().unwrap(), 1);
        assert!(board.troubles().is_empty());
    }

    #[test]
    fn troubles_of_outputs_and_sources() {
        let board = Board::new(Duration::from_secs(30));
        let report = |name: &str, failing, busy| Report {
            name: name.to_owned(),
            waiting: 1,
            dropped: 0,
            counts: outputs::Counts::default(),
            busy,
            failing,
            error: Some("connection refused".to_owned()),
            spool: None,
        };
        let (short, long) = (Duration::from_secs(29), Duration::from_secs(31));
        let outputs = vec![
            report("fails for a moment", Some(short), None),
            report("fails", Some(long), None),
            report("hangs", None, Some(long)),
        ];
        board.tell(Vec::new(), outputs, serde_json::Value::Null);
        let troubles = board.troubles();
        assert_eq!(
            troubles,
            [
                "output fails has failed for 31 s: connection refused",
                "output hangs has hung for 31 s"
            ]
        );
        board.tell(Vec::new(), Vec::new(), serde_json::Value::Null);
        board.source(Some("the kernel is silent".to_owned()));
        board.ended("plugin x broke".to_owned());
        assert_eq!(board.troubles(), ["the kernel is silent", "plugin x broke"]);
        board.source(None);
        assert_eq!(board.troubles(), ["plugin x broke"]);
    }
}
