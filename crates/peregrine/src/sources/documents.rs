//! Bytes of files into audit events: JSON lines, documents over several lines, lists.

use std::collections::VecDeque;

use audit::split::{Piece, lines};
use audit::{Body, Limits, Splitter};
use event::{EventCode, RecordBuilder, codes};

use crate::log;

/// Faults that are told one by one; of further ones, those at which their number has doubled.
const TOLD: u64 = 20;

/// Takes bytes and gives records.
pub(super) struct Documents {
    name: String,
    limits: Limits,
    splitter: Splitter,
    ready: VecDeque<Vec<u8>>,
    faults: u64,
}

impl Documents {
    /// None yet.
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            name: String::new(),
            splitter: Splitter::new(limits.body),
            limits,
            ready: VecDeque::new(),
            faults: 0,
        }
    }

    /// Another file begins.
    pub(super) fn begin(&mut self, name: &str) {
        name.clone_into(&mut self.name);
        self.splitter = Splitter::new(self.limits.body);
    }

    /// Takes bytes of the file.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.splitter.push(bytes);
        while let Some(piece) = self.splitter.next_piece() {
            self.piece(&piece);
        }
    }

    /// The file is at its end: what is left is a document as well.
    pub(super) fn finish(&mut self) {
        while let Some(piece) = self.splitter.finish() {
            self.piece(&piece);
        }
        self.splitter = Splitter::new(self.limits.body);
    }

    /// The next event's record.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        self.ready.pop_front()
    }

    /// Whether no event is ready.
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// Lines and events that could not be read.
    pub(super) fn faults(&self) -> u64 {
        self.faults
    }

    fn fault(&mut self, line: u64, what: &str) {
        self.faults += 1;
        if self.faults <= TOLD || self.faults.is_power_of_two() {
            log::error(&format!(
                "{}:{line}: {what}; the events of this line are left out ({} so far)",
                self.name, self.faults
            ));
        }
    }

    /// A piece of several lines that makes no sense is taken line by line.
    fn piece(&mut self, piece: &Piece) {
        match piece {
            Piece::TooLarge(line) => {
                let limit = self.limits.body;
                self.fault(*line, &format!("a document of more than {limit} bytes"));
            }
            Piece::Document(line, text) => {
                if text.contains(&b'\n') && Body::parse(text, &self.limits).is_err() {
                    for (line, text) in lines(*line, text) {
                        self.document(line, text);
                    }
                } else {
                    self.document(*line, text);
                }
            }
        }
    }

    fn document(&mut self, line: u64, text: &[u8]) {
        match Body::parse(text, &self.limits) {
            Ok(body) => {
                self.ready.extend(records(&body));
                for skipped in body.skipped() {
                    self.fault(line, &skipped.to_string());
                }
            }
            Err(refusal) => self.fault(line, &refusal.to_string()),
        }
    }
}

/// Records of the events in a body, as captures hold them.
pub(super) fn records(body: &Body) -> impl Iterator<Item = Vec<u8>> {
    body.events().map(|event| {
        RecordBuilder::new(EventCode::new(codes::PLUGINEVENT_E), event.time, -1)
            .u32(audit::PLUGIN_ID)
            .bytes(event.node.json())
            .finish()
    })
}
