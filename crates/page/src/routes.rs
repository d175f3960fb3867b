//! What the page's server answers.
//!
//! Four locks: it listens on the loopback address; the `Host` must be that address, so that no name of
//! a stranger can be pointed at it; the server refuses what another site caused; and without the
//! token, kept in a cookie that scripts do not see, there is nothing but a field to enter it in.
//! Nothing can be changed through it: every route reads.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use store::{Kept, Query, Shared};
use web::{Request, Response, Router};

use crate::numbers::Numbers;
use crate::token::equal;

const HTML: &str = include_str!("assets/index.html");
const ENTRY: &str = include_str!("assets/entry.html");
const SCRIPT: &str = include_str!("assets/page.js");
const STYLE: &str = include_str!("assets/page.css");
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    frame-ancestors 'none'; base-uri 'none'; form-action 'self'";
/// Longest life of a stream; the browser asks again.
const STREAM: Duration = Duration::from_secs(600);
/// Streams at a time.
const STREAMS: usize = 8;
/// A stream says at least so often that it is there, and so learns that nobody listens.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// Alerts in one answer.
const ALERTS: u32 = 100;
/// Seconds in one answer.
const SECONDS: usize = 300;
/// Rules in one answer.
const RULES: usize = 25;

/// Where the routes get what they show.
#[derive(Clone)]
struct Sources {
    shared: Arc<Shared>,
    numbers: Arc<Numbers>,
    streams: Arc<AtomicUsize>,
    token: Arc<str>,
}

/// Routes of the page, over what a feed shares.
#[must_use]
pub fn router(shared: &Arc<Shared>, numbers: &Arc<Numbers>, token: &str) -> Router {
    let sources = Sources {
        shared: Arc::clone(shared),
        numbers: Arc::clone(numbers),
        streams: Arc::default(),
        token: token.into(),
    };
    type Answer = fn(&Sources, &Request) -> Response;
    let answers: [(&str, Answer); 7] = [
        ("/", index),
        ("/page.js", |_, _| text("text/javascript", SCRIPT)),
        ("/page.css", |_, _| text("text/css", STYLE)),
        ("/alerts", alerts),
        ("/alert", alert),
        ("/numbers", numbers_now),
        ("/stream", stream),
    ];
    let mut router = Router::new();
    for (path, answer) in answers {
        let sources = sources.clone();
        router.get(path, move |request| {
            let refused = stranger(request).or_else(|| locked(&sources, request));
            guarded(refused.unwrap_or_else(|| answer(&sources, request)))
        });
    }
    router
}

/// Refuses who is not this machine's own browser on this page.
fn stranger(request: &Request) -> Option<Response> {
    let own = |authority: &str| {
        let name = match authority.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
            _ => authority,
        };
        ["127.0.0.1", "localhost", "[::1]"].contains(&name)
    };
    let host = request.header("host").unwrap_or_default();
    if !own(host) {
        return Some(Response::text(403, "this page is for this machine\n"));
    }
    None
}

/// Refuses who has not shown the token.
fn locked(sources: &Sources, request: &Request) -> Option<Response> {
    let cookies = request.header("cookie").unwrap_or_default();
    let open = cookies
        .split(';')
        .filter_map(|cookie| cookie.trim().strip_prefix("peregrine="))
        .any(|token| equal(token, &sources.token));
    // A token in the address becomes a cookie, and the address is without it again.
    let entering = request.path == "/" && request.parameter("token").is_some();
    if open && !entering {
        return None;
    }
    // The way in needs its own looks, and they are no secret.
    if request.path == "/page.css" {
        return None;
    }
    Some(Response::new(401, "text/html; charset=utf-8", ENTRY)).filter(|_| !entering)
}

fn index(sources: &Sources, request: &Request) -> Response {
    match request.parameter("token") {
        None => text("text/html", HTML),
        Some(token) if equal(token.trim(), &sources.token) => {
            let cookie = format!(
                "peregrine={}; HttpOnly; SameSite=Strict; Path=/",
                sources.token
            );
            Response::text(303, "")
                .with_header("Location", "/")
                .with_header("Set-Cookie", &cookie)
        }
        Some(_) => Response::new(401, "text/html; charset=utf-8", ENTRY),
    }
}

fn text(kind: &str, body: &str) -> Response {
    Response::new(200, &format!("{kind}; charset=utf-8"), body)
}

fn guarded(response: Response) -> Response {
    response
        .with_header("Content-Security-Policy", POLICY)
        .with_header("Referrer-Policy", "no-referrer")
        .with_header("Cross-Origin-Resource-Policy", "same-origin")
        .with_header("Cross-Origin-Opener-Policy", "same-origin")
}

fn query(request: &Request) -> Query {
    let number = |name: &str| request.parameter(name).and_then(|text| text.parse().ok());
    Query {
        rule: request.parameter("rule").unwrap_or_default(),
        // The host's alerts are in no container: a word stands for that.
        container: match request.parameter("container").as_deref() {
            None | Some("") => None,
            Some("host") => Some(String::new()),
            Some(id) => Some(id.to_owned()),
        },
        priority: request
            .parameter("priority")
            .and_then(|text| text.parse().ok()),
        before: number("before"),
        ..Query::default()
    }
}

/// A line of the list.
fn line(kept: &Kept) -> Value {
    let alert = &kept.alert;
    json!({
        "id": kept.id,
        "time": milliseconds(alert.time),
        "priority": alert.priority,
        "rule": alert.rule,
        "container": alert.container,
        "text": alert.text,
    })
}

/// As scripts have time: nanoseconds are beyond what their numbers hold.
fn milliseconds(time: u64) -> u64 {
    time / 1_000_000
}

fn answer(found: Result<Value, store::Error>) -> Response {
    match found {
        Ok(value) => Response::json(value.to_string()),
        Err(error) => Response::text(500, format!("the store does not answer: {error}\n")),
    }
}

fn alerts(sources: &Sources, request: &Request) -> Response {
    let found = sources.shared.store().find(&query(request), ALERTS);
    answer(found.map(|all| all.iter().map(line).collect()))
}

fn alert(sources: &Sources, request: &Request) -> Response {
    let Some(id) = request.parameter("id").and_then(|text| text.parse().ok()) else {
        return Response::text(400, "which one?\n");
    };
    let found = sources.shared.store().one(id);
    match found {
        Ok(None) => Response::text(404, "it is not kept any more\n"),
        Ok(Some(kept)) => {
            let mut all = json!(kept);
            all["time"] = milliseconds(kept.alert.time).into();
            answer(Ok(all))
        }
        Err(error) => answer(Err(error)),
    }
}

fn numbers_now(sources: &Sources, _: &Request) -> Response {
    let counts = sources.shared.store().counts();
    let numbers = &sources.numbers;
    answer(counts.map(|counts| {
        json!({
            "counts": counts,
            "seconds": numbers.seconds(SECONDS),
            "costs": numbers.costs(RULES),
            "missed": sources.shared.missed(),
            "fault": sources.shared.fault(),
        })
    }))
}

/// One open stream, counted until it ends.
struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn stream(sources: &Sources, request: &Request) -> Response {
    let open = Open(Arc::clone(&sources.streams));
    if open.0.fetch_add(1, Ordering::Relaxed) >= STREAMS {
        return Response::text(503, "too many are looking\n");
    }
    let shared = Arc::clone(&sources.shared);
    let number = |text: Option<String>| text.and_then(|text| text.parse().ok());
    let last = request.header("last-event-id").map(str::to_owned);
    let seen = number(last).or_else(|| number(request.parameter("after")));
    // Who comes from a store that is no more has numbers from there.
    let mut seen: i64 = seen.unwrap_or(i64::MAX).min(shared.newest());
    Response::stream("text/event-stream", move |out: &mut dyn Write| {
        let _open = open;
        let end = Instant::now() + STREAM;
        out.write_all(b"retry: 2000\n\n")?;
        out.flush()?;
        while Instant::now() < end {
            if !shared.wait(seen, SIGN_OF_LIFE) {
                out.write_all(b": still here\n\n")?;
                out.flush()?;
                continue;
            }
            let newer = Query {
                after: Some(seen),
                ..Query::default()
            };
            let found = shared.store().find(&newer, ALERTS).unwrap_or_default();
            if found.is_empty() {
                // They are forgotten already.
                seen = shared.newest();
            }
            for kept in &found {
                seen = kept.id;
                write!(out, "id: {seen}\ndata: {}\n\n", line(kept))?;
            }
            out.flush()?;
        }
        Ok(())
    })
}
