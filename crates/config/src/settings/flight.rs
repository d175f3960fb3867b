//! Settings of the flight recorder.

use crate::read::Reader;
use crate::scalar;
use crate::tree::Node;

/// Key `flight_recorder`: the last minutes of events, kept to be looked at and saved.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the keys")]
pub struct FlightRecorder {
    pub enabled: bool,
    /// Where segments are kept; in memory if empty.
    pub directory: String,
    pub max_size_mb: u64,
    /// Nanoseconds; in the file a span of time such as 15m.
    pub max_age: u64,
    /// A condition; what it refuses is kept only where the state needs it. Empty: everything is kept.
    pub filter: String,
    /// System calls that are captured for the ring's sake; `all` are all.
    pub events: Vec<String>,
    pub redact_env: bool,
    /// Where `peregrine hunt` asks; nowhere if empty.
    pub socket: String,
}

impl FlightRecorder {
    pub(super) fn read(tree: &Node, reader: &mut Reader) -> Self {
        Self {
            enabled: reader.truth(tree, "flight_recorder.enabled", false),
            directory: reader.text(tree, "flight_recorder.directory", ""),
            max_size_mb: u64::clamp(
                reader.number(tree, "flight_recorder.max_size_mb", 256),
                1,
                1 << 20,
            ),
            max_age: max_age(tree, reader),
            filter: reader.text(tree, "flight_recorder.filter", ""),
            events: reader.texts(tree.path("flight_recorder.events")),
            redact_env: reader.truth(tree, "flight_recorder.redact_env", false),
            socket: reader.text(tree, "flight_recorder.socket", "/run/peregrine/flight.sock"),
        }
    }
}

fn max_age(tree: &Node, reader: &mut Reader) -> u64 {
    const KEY: &str = "flight_recorder.max_age";
    let text = reader.text(tree, KEY, "15m");
    let span = scalar::milliseconds(&text).filter(|span| *span >= 1000);
    let span = span.unwrap_or_else(|| {
        let message = format!("{KEY} '{text}' is no span of time of a second or more");
        reader.fatal(tree, KEY, message, "write it like 15m or 2h");
        900_000
    });
    span.saturating_mul(1_000_000)
}
