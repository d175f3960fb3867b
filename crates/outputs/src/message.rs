//! What goes to a channel: finished lines with their priority, many at a time.

use rules::Priority;

/// Some messages in order. Their texts lie in one buffer, each ended by a newline, so that a
/// channel that wants lines writes the whole at once.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    ends: Vec<(usize, Priority)>,
}

/// One message.
#[derive(Clone, Copy, Debug)]
pub struct Message<'b> {
    /// Priority of the alert.
    pub priority: Priority,
    /// The text without newline.
    pub line: &'b [u8],
}

impl Batch {
    /// Adds a message.
    pub fn push(&mut self, priority: Priority, line: &[u8]) {
        self.bytes.extend_from_slice(line);
        self.bytes.push(b'\n');
        self.ends.push((self.bytes.len(), priority));
    }

    /// All texts with their newlines.
    #[must_use]
    pub fn lines(&self) -> &[u8] {
        &self.bytes
    }

    /// The texts from the message at `first` on, with their newlines.
    #[must_use]
    pub fn lines_from(&self, first: usize) -> &[u8] {
        let start = first.checked_sub(1).map_or(0, |last| self.ends[last].0);
        &self.bytes[start..]
    }

    /// Where each message ends in [`lines`](Self::lines).
    pub(crate) fn ends(&self) -> impl Iterator<Item = usize> + '_ {
        self.ends.iter().map(|(end, _)| *end)
    }

    /// The messages one by one.
    pub fn messages(&self) -> impl Iterator<Item = Message<'_>> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(end, _)| *end));
        starts
            .zip(&self.ends)
            .map(|(start, (end, priority))| Message {
                priority: *priority,
                line: &self.bytes[start..end - 1],
            })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The bytes of all texts.
    #[must_use]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets them and keeps the memory, unless a burst made it large.
    pub fn clear(&mut self) {
        if self.bytes.capacity() > 1 << 20 {
            *self = Self::default();
        }
        self.bytes.clear();
        self.ends.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back() {
        let mut batch = Batch::default();
        batch.push(Priority::Error, b"one");
        batch.push(Priority::Debug, b"");
        batch.push(Priority::Notice, b"three");
        let back: Vec<_> = batch
            .messages()
            .map(|m| (m.priority, m.line.to_vec()))
            .collect();
        assert_eq!(back[0], (Priority::Error, b"one".to_vec()));
        assert_eq!(back[1].1, b"");
        assert_eq!(back[2].1, b"three");
        assert_eq!(batch.lines(), b"one\n\nthree\n");
        batch.clear();
        assert!(batch.is_empty());
    }
}
