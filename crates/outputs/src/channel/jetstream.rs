//! What a stream of JetStream is asked, and what it answers.
//!
//! ```text
//! HPUB falco.alerts _INBOX.5f2c.0 LENGTH-OF-HEAD LENGTH      publish, answer to that inbox
//! NATS/1.0
//! Nats-Msg-Id: 8c1d…                                         the stream takes an id once
//!
//! {"output": …}
//!                                                            and in the inbox:
//! {"stream":"ALERTS","seq":812}                              it is stored
//! {"error":{"code":503,"err_code":10077,"description":"…"}}  it is not
//! NATS/1.0 503                                               no stream has this subject
//! ```
//!
//! An id is made of the text, under a key that is this process's own: a message whose answer was lost
//! with its connection is sent again and stored once. Two runs over one capture have different ids.

use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::sync::LazyLock;

use serde_json::Value;

use crate::channel::{Failure, about, fault};

/// Under which key ids are made.
static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// The number with which a stream refuses a message that is larger than it takes.
const TOO_LARGE: u64 = 10_054;

/// A subject of our own, for answers.
pub(crate) struct Inbox {
    prefix: String,
}

impl Inbox {
    /// One that nobody else has.
    pub(crate) fn new() -> Self {
        let number = RandomState::new().hash_one(std::process::id());
        Self {
            prefix: format!("_INBOX.{number:016x}."),
        }
    }

    /// The line that asks for what comes to it.
    pub(crate) fn subscription(&self) -> String {
        format!("SUB {}* 1\r\n", self.prefix)
    }

    /// Writes all of a publication that comes before its text; its size with that text.
    pub(crate) fn publication(
        &self,
        out: &mut Vec<u8>,
        subject: &str,
        number: usize,
        text: &[u8],
    ) -> usize {
        let id = KEY.hash_one(text);
        let head = format!("NATS/1.0\r\nNats-Msg-Id: {id:016x}\r\n\r\n");
        let size = head.len() + text.len();
        let prefix = &self.prefix;
        let first = format!("HPUB {subject} {prefix}{number} {} {size}\r\n", head.len());
        let written = out.write_all(first.as_bytes());
        debug_assert!(written.is_ok(), "memory takes what is written");
        out.extend_from_slice(head.as_bytes());
        size
    }

    /// Which publication the answer under this subject is to.
    pub(crate) fn number(&self, subject: &str) -> Option<usize> {
        subject.strip_prefix(&self.prefix)?.parse().ok()
    }
}

/// The answers to publications that were sent together.
pub(crate) struct Answers {
    all: Vec<Option<Answer>>,
    missing: usize,
}

enum Answer {
    Stored,
    TooLarge(String),
    NotNow(String),
}

impl Answers {
    pub(crate) fn of(publications: usize) -> Self {
        Self {
            all: (0..publications).map(|_| None).collect(),
            missing: publications,
        }
    }

    pub(crate) fn complete(&self) -> bool {
        self.missing == 0
    }

    /// Takes the answer to a publication; one to none of ours is passed over.
    pub(crate) fn take(&mut self, number: Option<usize>, status: Option<u16>, body: &[u8]) {
        if let Some(place) = number.and_then(|number| self.all.get_mut(number))
            && place.is_none()
        {
            *place = Some(Answer::read(status, body));
            self.missing -= 1;
        }
    }

    /// How many from the first on are stored, and what is wrong with the next one.
    pub(crate) fn verdict(self, address: &str, subject: &str) -> (usize, Option<Failure>) {
        let told = |text: String| about(&format!("{address}, subject {subject}"), &fault(text));
        let mut stored = 0;
        for answer in self.all.into_iter().flatten() {
            match answer {
                Answer::Stored => stored += 1,
                Answer::TooLarge(text) => return (stored, Some(Failure::Refused(told(text)))),
                Answer::NotNow(text) => return (stored, Some(Failure::Again(told(text)))),
            }
        }
        (stored, None)
    }
}

impl Answer {
    fn read(status: Option<u16>, body: &[u8]) -> Self {
        if let Some(503) = status {
            return Self::NotNow("no stream stores it".to_owned());
        }
        let Ok(answer) = serde_json::from_slice::<Value>(body) else {
            return Self::NotNow("the answer is none of a stream".to_owned());
        };
        let error = &answer["error"];
        if error.is_null() && answer["stream"].is_string() {
            return Self::Stored;
        }
        let text = format!(
            "the stream says {}",
            error["description"].as_str().unwrap_or("nothing of use")
        );
        if error["err_code"].as_u64() == Some(TOO_LARGE) {
            Self::TooLarge(text)
        } else {
            Self::NotNow(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_is_not_stored_ends_the_count() {
        let inbox = Inbox::new();
        let mut answers = Answers::of(4);
        let subject = |n: usize| format!("{}{n}", inbox.prefix);
        let refusal =
            br#"{"error":{"code":400,"err_code":10054,"description":"too large"},"stream":"A"}"#;
        let number = |n| inbox.number(&subject(n));
        // In any order, some twice, some for nobody.
        answers.take(
            number(1),
            None,
            br#"{"stream":"A","seq":2,"duplicate":true}"#,
        );
        answers.take(number(9), None, b"{}");
        answers.take(inbox.number("_INBOX.other.0"), None, b"{}");
        answers.take(number(2), None, refusal);
        answers.take(number(2), None, b"{}");
        answers.take(number(3), None, br#"{"stream":"A","seq":3}"#);
        assert!(!answers.complete());
        answers.take(number(0), None, br#"{"stream":"A","seq":1}"#);
        assert!(answers.complete());
        let (stored, complaint) = answers.verdict("host:1", "a.b");
        assert_eq!(stored, 2);
        assert!(matches!(complaint, Some(Failure::Refused(_))));
    }

    #[test]
    fn what_is_no_answer_of_a_stream_waits() {
        for (status, body) in [
            (Some(503), b"".as_slice()),
            (None, b"hello"),
            (None, b"{}"),
            (None, br#"{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"}}"#),
        ] {
            let mut answers = Answers::of(1);
            answers.take(Some(0), status, body);
            let (stored, complaint) = answers.verdict("host:1", "a.b");
            assert_eq!(stored, 0);
            assert!(matches!(complaint, Some(Failure::Again(_))), "{body:?}");
        }
    }

    #[test]
    fn a_text_has_one_id() {
        let inbox = Inbox::new();
        let written = |text: &[u8]| {
            let mut out = Vec::new();
            let size = inbox.publication(&mut out, "a.b", 7, text);
            (size, String::from_utf8(out).unwrap())
        };
        let (size, one) = written(b"one");
        assert_eq!(one, written(b"one").1);
        assert_ne!(one, written(b"two").1);
        let (first, head) = one.split_once("\r\n").unwrap();
        let expected = format!("HPUB a.b {}7 {} {size}", inbox.prefix, head.len());
        assert_eq!(first, expected);
    }
}
