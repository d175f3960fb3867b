//! The webhook to which an API server posts audit events.
//!
//! A body is read, judged well-formed and put into a queue of bounded size before it is answered: what was answered
//! with 200 will be looked at by every rule. A full queue makes the sender wait, then tells it to come again; an API
//! server does. A single bad event of a list is named and left out, its neighbours are taken.
//!
//! | status | when |
//! |---|---|
//! | 200 | all events that could be read are in the queue |
//! | 400 | not said to be JSON, no JSON, nested too deeply, or nothing in it is an audit event |
//! | 405 | not POST |
//! | 413 | the body is larger than the limit |
//! | 503 | the queue stayed full |

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use audit::{Body, Limits};
use capture::Item;
use event::{Record, RecordFlags};
use web::{Request, Response, Router};

use super::documents::records;
use crate::pipeline::beside::Stream;
use crate::source::Next;
use crate::{clock, log};

/// Bytes of events that may wait for their rules.
const WAITING: usize = 64 << 20;

/// How long a sender waits for room in the queue.
const ROOM: Duration = Duration::from_secs(10);

/// How long what is in the queue may take when the program ends.
const REST: Duration = Duration::from_secs(10);

/// Longest silence before the reader's loop looks at other things.
const PATIENCE: Duration = Duration::from_millis(100);

/// Events that were read and wait for their rules.
#[derive(Clone)]
pub(crate) struct Inbox {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<Waiting>,
    changed: Condvar,
    limits: Limits,
    /// Bodies and events that were refused, to be told now and then.
    refused: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    records: VecDeque<Vec<u8>>,
    bytes: usize,
    closed: bool,
}

/// What a handler answers with: a status and a text.
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// The text.
    pub(crate) text: String,
}

impl Answer {
    fn new(status: u16, text: impl Into<String>) -> Self {
        Self {
            status,
            text: text.into(),
        }
    }
}

/// Whether a header's value names JSON.
fn is_json(content_type: Option<&str>) -> bool {
    content_type.is_some_and(|value| {
        let name = value.split(';').next().unwrap_or_default().trim();
        name.eq_ignore_ascii_case("application/json")
    })
}

/// What a body brings, or how it is answered where it brings nothing.
pub(crate) fn judge(
    content_type: Option<&str>,
    body: &[u8],
    limits: &Limits,
) -> Result<Body, Answer> {
    if !is_json(content_type) {
        return Err(Answer::new(
            400,
            "Wrong Content Type: application/json is wanted\n",
        ));
    }
    Body::parse(body, limits).map_err(|refusal| {
        let too_large = matches!(refusal, audit::Refusal::TooLarge { .. });
        let status = if too_large { 413 } else { 400 };
        Answer::new(status, format!("Bad Request: {refusal}\n"))
    })
}

impl Inbox {
    /// An empty one.
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::default(),
                changed: Condvar::new(),
                limits,
                refused: AtomicU64::new(0),
            }),
        }
    }

    /// Serves a path.
    pub(crate) fn route(&self, path: &str, router: &mut Router) {
        let inbox = self.clone();
        router.post(path, self.shared.limits.body, move |request| {
            inbox.answer(request)
        });
        router.get(path, |_| {
            Response::text(405, "GET method not allowed\n").with_header("Allow", "POST")
        });
    }

    fn answer(&self, request: &Request) -> Response {
        let answer = self.take(request.header("content-type"), &request.body);
        if answer.status == 200 {
            return Response::new(200, "text/html", answer.text);
        }
        self.tell(&answer, request);
        Response::text(answer.status, answer.text)
    }

    /// Says what was refused, but not for each of a flood.
    fn tell(&self, answer: &Answer, request: &Request) {
        let count = self.shared.refused.fetch_add(1, Ordering::Relaxed) + 1;
        if count <= 10 || count.is_power_of_two() {
            let peer = request
                .peer
                .map_or_else(String::new, |peer| format!(" of {peer}"));
            log::error(&format!(
                "k8s_audit: a request{peer} was answered with {}: {} ({count} so far)",
                answer.status,
                answer.text.trim_end()
            ));
        }
    }

    /// Takes a body in.
    pub(crate) fn take(&self, content_type: Option<&str>, body: &[u8]) -> Answer {
        let body = match judge(content_type, body, &self.shared.limits) {
            Ok(body) => body,
            Err(answer) => return answer,
        };
        for skipped in body.skipped() {
            log::error(&format!("k8s_audit: {skipped}; it is left out"));
        }
        if body.is_empty() && !body.skipped().is_empty() {
            return Answer::new(
                400,
                "Bad Request: Data not recognized as a k8s audit event\n",
            );
        }
        if !self.put(&body) {
            return Answer::new(503, "events are waiting; come again\n");
        }
        Answer::new(200, "<html><body>Ok</body></html>")
    }

    /// Queues the events of a body, all or none; false where there is no room for a while.
    fn put(&self, body: &Body) -> bool {
        let shared = &*self.shared;
        let end = Instant::now() + ROOM;
        let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.bytes >= WAITING && !state.closed {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.closed {
            return false;
        }
        for record in records(body) {
            state.bytes += record.len();
            state.records.push_back(record);
        }
        shared.changed.notify_all();
        true
    }

    fn next_record(&self) -> Option<Vec<u8>> {
        let shared = &*self.shared;
        let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.records.is_empty() && !state.closed {
            let waited = shared.changed.wait_timeout(state, PATIENCE);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let record = state.records.pop_front()?;
        let full = state.bytes >= WAITING;
        state.bytes -= record.len();
        if full && state.bytes < WAITING {
            shared.changed.notify_all();
        }
        Some(record)
    }

    fn close(&self) {
        let mut state = self
            .shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        state.closed = true;
        self.shared.changed.notify_all();
    }

    fn waiting(&self) -> usize {
        let state = self.shared.state.lock();
        state.unwrap_or_else(PoisonError::into_inner).records.len()
    }
}

/// The webhook as a stream of events.
pub(crate) struct Webhook {
    inbox: Inbox,
    current: Vec<u8>,
    /// Keeps the server that fills the inbox, where it is our own.
    server: Option<web::Server>,
    /// The program ends; until then the queue may be emptied.
    until: Option<Instant>,
}

impl Webhook {
    /// Events of an inbox, and the server that fills it.
    pub(crate) fn new(inbox: Inbox, server: Option<web::Server>) -> Self {
        Self {
            inbox,
            current: Vec::new(),
            server,
            until: None,
        }
    }
}

impl Stream for Webhook {
    fn next(&mut self) -> Result<Next<'_>> {
        if self.until.is_some_and(|until| Instant::now() >= until) {
            let left = self.inbox.waiting();
            if left > 0 {
                log::error(&format!(
                    "k8s_audit: {left} events were taken and are not looked at: they take too long"
                ));
            }
            return Ok(Next::End);
        }
        let Some(record) = self.inbox.next_record() else {
            if self.until.is_some() {
                return Ok(Next::End);
            }
            return Ok(Next::Idle(clock::now()));
        };
        self.current = record;
        let record = Record::parse(&self.current, 0, RecordFlags::default())?;
        Ok(Next::Item(Item::Event(record)))
    }

    /// Nothing is answered with 200 any more; what was is in the queue.
    fn stop(&mut self) -> bool {
        self.inbox.close();
        self.until.get_or_insert_with(|| Instant::now() + REST);
        true
    }

    fn finish(&mut self) {
        self.inbox.close();
        drop(self.server.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"kind":"Event","stageTimestamp":"1970-01-01T00:00:01Z"}"#;

    #[test]
    fn every_body_gets_its_status() {
        let inbox = Inbox::new(Limits {
            body: 1000,
            ..Limits::default()
        });
        let json = Some("application/json; charset=utf-8");
        let deep = "[".repeat(500);
        let long = " ".repeat(1001);
        let list =
            format!(r#"{{"kind":"EventList","items":[{EVENT},{{"kind":"Event"}},{EVENT}]}}"#);
        for (kind, body, status) in [
            (json, EVENT.as_bytes(), 200),
            (json, list.as_bytes(), 200),
            (Some("APPLICATION/JSON"), EVENT.as_bytes(), 200),
            (json, br#"{"kind":"EventList","items":[]}"#, 200),
            (Some("text/plain"), EVENT.as_bytes(), 400),
            (Some("application/jsonx"), EVENT.as_bytes(), 400),
            (None, EVENT.as_bytes(), 400),
            (json, br#"{"kind":0}"#, 400),
            (json, b"5E5555", 400),
            (json, b"5E555555555555555555", 400),
            (json, b"", 400),
            (json, b"{", 400),
            (json, b"{\"kind\":\"Event\xff\"}", 400),
            (json, br#"{"kind":"Event"}"#, 400),
            (json, b"[]", 400),
            (json, deep.as_bytes(), 400),
            (json, long.as_bytes(), 413),
        ] {
            let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            assert_eq!(inbox.take(kind, body).status, status, "{kind:?} {shown}");
        }
        let mut stream = Webhook::new(inbox, None);
        let mut events = 0;
        while matches!(stream.next().unwrap(), Next::Item(_)) {
            events += 1;
        }
        assert_eq!(events, 4);
        stream.finish();
        assert_eq!(stream.inbox.take(json, EVENT.as_bytes()).status, 503);
    }

    #[test]
    fn what_was_taken_still_comes_at_the_end() {
        let inbox = Inbox::new(Limits::default());
        let json = Some("application/json");
        for _ in 0..3 {
            assert_eq!(inbox.take(json, EVENT.as_bytes()).status, 200);
        }
        let mut stream = Webhook::new(inbox, None);
        assert!(stream.stop());
        assert_eq!(stream.inbox.take(json, EVENT.as_bytes()).status, 503);
        for _ in 0..3 {
            assert!(matches!(stream.next().unwrap(), Next::Item(_)));
        }
        assert!(matches!(stream.next().unwrap(), Next::End));
    }
}
