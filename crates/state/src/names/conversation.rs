//! What sockets asked of name servers and have not been answered yet.
//!
//! An answer is believed where the same socket asked that very question, by the same number, of the
//! server that answers, not long ago. Over TCP messages come in pieces, each behind its length, so what a
//! socket sent and received is put together again, as far as it was captured: behind a gap a message's
//! beginning is all that there is.
//!
//! All of it is bounded; the oldest goes first, in halves as in [`super::table`].

use event::sock::Endpoint;
use hashbrown::HashMap;

use super::message::Question;

const SECOND: u64 = 1_000_000_000;
/// An answer that comes later than this is not believed.
const PATIENCE: u64 = 30 * SECOND;
/// Most questions of one socket that wait; the oldest goes first.
const QUESTIONS_MAX: usize = 64;
/// Most sockets in each half.
const SOCKETS_MAX: usize = 1024;
/// Most bytes of a message that are kept together.
const MESSAGE_MAX: usize = 4096;

/// A socket: the process that holds it, its number there, and the port on this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Socket {
    pub(crate) pid: i64,
    pub(crate) fd: i64,
    pub(crate) port: u16,
}

#[derive(Clone, Debug)]
struct Asked {
    id: u16,
    question: Question,
    server: Endpoint,
    at: u64,
}

/// What one socket said and heard.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conversation {
    asked: Vec<Asked>,
    sent: Stream,
    received: Stream,
}

impl Conversation {
    /// Notes a question.
    pub(crate) fn ask(&mut self, id: u16, question: Question, server: Endpoint, at: u64) {
        self.asked
            .retain(|one| at.saturating_sub(one.at) < PATIENCE);
        if self.asked.len() >= QUESTIONS_MAX {
            self.asked.remove(0);
        }
        self.asked.push(Asked {
            id,
            question,
            server,
            at,
        });
    }

    /// Whether an answer is to one of the questions, which then waits no more.
    pub(crate) fn answers(
        &mut self,
        id: u16,
        question: &Question,
        server: Endpoint,
        at: u64,
    ) -> bool {
        let found = self.asked.iter().position(|one| {
            one.id == id
                && one.question == *question
                && one.server == server
                && at.saturating_sub(one.at) < PATIENCE
        });
        match found {
            Some(found) => {
                self.asked.remove(found);
                true
            }
            None => false,
        }
    }

    /// Messages that end with a piece of a stream: `data` are the first bytes of `length`.
    pub(crate) fn take(&mut self, is_sent: bool, data: &[u8], length: usize) -> Vec<Vec<u8>> {
        let stream = if is_sent {
            &mut self.sent
        } else {
            &mut self.received
        };
        stream.take(data, length)
    }
}

/// One direction of a TCP connection.
#[derive(Clone, Debug, Default)]
struct Stream {
    /// The first byte of a length whose second has not come.
    half: Option<u8>,
    /// Bytes of the message that are still to come.
    left: usize,
    /// What came of it, and whether anything of it is missing.
    message: Vec<u8>,
    has_gap: bool,
    /// A gap hid where the next message begins.
    is_lost: bool,
}

impl Stream {
    fn take(&mut self, data: &[u8], length: usize) -> Vec<Vec<u8>> {
        let mut whole = Vec::new();
        let missing = length.saturating_sub(data.len());
        let mut data = data;
        while !data.is_empty() && !self.is_lost {
            if self.left == 0 {
                let (&byte, rest) = data.split_first().expect("it is not empty");
                data = rest;
                match self.half.take() {
                    None => self.half = Some(byte),
                    Some(high) => self.left = usize::from(high) << 8 | usize::from(byte),
                }
                continue;
            }
            let (piece, rest) = data.split_at(data.len().min(self.left));
            data = rest;
            self.left -= piece.len();
            let room = MESSAGE_MAX - self.message.len();
            if !self.has_gap {
                self.message
                    .extend_from_slice(&piece[..piece.len().min(room)]);
            }
            self.has_gap |= piece.len() > room;
            self.end(&mut whole);
        }
        if missing > 0 && !self.is_lost {
            if missing > self.left {
                // Also where the gap begins inside a length.
                self.is_lost = true;
                self.left = 0;
            } else {
                self.left -= missing;
            }
            self.has_gap = true;
            self.end(&mut whole);
        }
        whole
    }

    /// Hands the message on if nothing more of it can come.
    fn end(&mut self, whole: &mut Vec<Vec<u8>>) {
        if (self.has_gap || self.left == 0) && !self.message.is_empty() {
            whole.push(std::mem::take(&mut self.message));
        }
        if self.left == 0 {
            self.has_gap = false;
        }
    }
}

/// Conversations of all sockets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conversations {
    young: HashMap<Socket, Conversation>,
    old: HashMap<Socket, Conversation>,
}

impl Conversations {
    /// That of a socket.
    pub(crate) fn of(&mut self, socket: Socket) -> &mut Conversation {
        if !self.young.contains_key(&socket) {
            let known = self.old.remove(&socket).unwrap_or_default();
            if self.young.len() >= SOCKETS_MAX {
                self.old = std::mem::take(&mut self.young);
            }
            self.young.insert(socket, known);
        }
        self.young.entry(socket).or_default()
    }

    /// That of a socket that said something before.
    pub(crate) fn known(&mut self, socket: Socket) -> Option<&mut Conversation> {
        let is_known = self.young.contains_key(&socket) || self.old.contains_key(&socket);
        is_known.then(|| self.of(socket))
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(messages: &[&[u8]]) -> Vec<u8> {
        let mut out = Vec::new();
        for message in messages {
            out.extend((message.len() as u16).to_be_bytes());
            out.extend_from_slice(message);
        }
        out
    }

    #[test]
    fn messages_come_out_however_they_are_cut() {
        let stream = framed(&[b"first", b"second message", b"third"]);
        for size in 1..stream.len() {
            let mut conversation = Conversation::default();
            let mut found = Vec::new();
            for piece in stream.chunks(size) {
                found.extend(conversation.take(false, piece, piece.len()));
            }
            assert_eq!(found, [&b"first"[..], b"second message", b"third"]);
        }
    }

    #[test]
    fn a_gap_cuts_its_own_message_only() {
        let mut one = Conversation::default();
        let stream = framed(&[b"0123456789", b"next"]);
        // Eight bytes of a read of twelve were captured.
        assert_eq!(one.take(false, &stream[..8], 12), [b"012345"]);
        assert_eq!(one.take(false, &stream[12..], 6), [b"next"]);
        // A gap over the next one's length: nothing can be said of what follows.
        let mut one = Conversation::default();
        assert_eq!(one.take(false, &stream[..8], 14), [b"012345"]);
        assert!(one.take(false, &stream[14..], 4).is_empty());
        assert!(one.take(false, &[1, 2, 3], usize::MAX).is_empty());
    }

    #[test]
    fn long_messages_are_cut() {
        let mut one = Conversation::default();
        let stream = framed(&[&[7; 60_000], b"next"]);
        let found = one.take(true, &stream, stream.len());
        assert_eq!((found.len(), found[0].len()), (2, MESSAGE_MAX));
        assert_eq!(found[1], b"next");
    }

    #[test]
    fn only_what_was_asked_is_answered_and_once() {
        let server = |ip: [u8; 4]| Endpoint {
            ip: ip.into(),
            port: 53,
        };
        let question = |name: &str, ty| Question {
            name: name.into(),
            ty,
        };
        let (own, other) = (server([10, 0, 0, 1]), server([10, 0, 0, 2]));
        let mut one = Conversation::default();
        one.ask(7, question("a", 1), own, 0);
        assert!(!one.answers(8, &question("a", 1), own, 1));
        assert!(!one.answers(7, &question("b", 1), own, 1));
        assert!(!one.answers(7, &question("a", 28), own, 1));
        assert!(!one.answers(7, &question("a", 1), other, 1));
        assert!(!one.answers(7, &question("a", 1), own, PATIENCE));
        assert!(one.answers(7, &question("a", 1), own, 1));
        assert!(!one.answers(7, &question("a", 1), own, 1));
        for n in 0..1000 {
            one.ask(n, question("a", 1), own, 0);
        }
        assert_eq!(one.asked.len(), QUESTIONS_MAX);
        assert!(one.answers(999, &question("a", 1), own, 1));
        assert!(!one.answers(0, &question("a", 1), own, 1));
    }

    #[test]
    fn sockets_are_bounded() {
        let mut all = Conversations::default();
        let socket = |n: i64| Socket {
            pid: n,
            fd: 3,
            port: 1000,
        };
        for n in 0..10_000 {
            all.of(socket(n));
        }
        assert!(all.len() <= 2 * SOCKETS_MAX);
        assert!(all.known(socket(9_999)).is_some() && all.known(socket(0)).is_none());
    }
}
