//! Lists one kind of object in pages, then watches it, for ever.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Kind;
use super::credentials::Server;
use super::objects::{Event, List, Raw};
use crate::counters::count;
use crate::error::{Error, cut};
use crate::hub::Hub;

/// Objects in one page.
const PAGE: usize = 500;
/// Longest page.
const PAGE_MAX: usize = 64 << 20;
/// Most pages of one list.
const PAGES_MAX: usize = 200;
/// Longest line of a watch: one object.
const LINE_MAX: usize = 4 << 20;
/// After so many seconds the server ends a watch.
const WATCH_SECONDS: u32 = 290;
/// A watch that has not said anything for so long is dead, whatever the connection looks like.
const SILENCE: Duration = Duration::from_secs(330);
const GONE: u32 = 410;

/// Follows one kind for ever.
pub(super) async fn kind(hub: Arc<Hub>, server: Arc<Server>, kind: Kind) {
    let mut place = None;
    let mut wait = Duration::from_millis(100);
    loop {
        let begin = Instant::now();
        let ended = follow(&hub, &server, kind, &mut place).await;
        if let Err(error) = &ended {
            hub.tally.fault(error);
            if is_gone(error) || !is_transport(error) {
                place = None;
            }
        }
        if ended.is_ok() || begin.elapsed() > Duration::from_secs(10) {
            wait = Duration::from_millis(100);
        }
        sleep(wait).await;
        wait = (wait * 2).min(hub.settings.retry);
    }
}

fn is_gone(error: &Error) -> bool {
    matches!(error, Error::Refused { code: GONE, .. })
}

fn is_transport(error: &Error) -> bool {
    matches!(
        error,
        Error::Connect(_) | Error::Protocol(_) | Error::TimedOut
    )
}

fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().fold(String::new(), |mut out, b| {
        if plain(b) {
            out.push(char::from(b));
        } else {
            out.push_str(&format!("%{b:02X}"));
        }
        out
    })
}

fn selection(server: &Server, kind: Kind) -> String {
    if kind == Kind::Pod && !server.node.is_empty() {
        format!("&fieldSelector=spec.nodeName%3D{}", encoded(&server.node))
    } else {
        String::new()
    }
}

/// One list, unless a place to go on from is known, and one watch.
async fn follow(
    hub: &Hub,
    server: &Server,
    kind: Kind,
    place: &mut Option<String>,
) -> Result<(), Error> {
    if place.is_none() {
        *place = Some(list(hub, server, kind).await?);
    }
    let version = place.clone().unwrap_or_default();
    let path = server.path(&format!(
        "{}?watch=true&allowWatchBookmarks=true&timeoutSeconds={WATCH_SECONDS}&resourceVersion={}{}",
        kind.path(),
        encoded(&version),
        selection(server, kind)
    ));
    let token = server.token();
    let mut lines = server
        .get(&path, token.as_deref(), LINE_MAX)
        .lines()
        .await?;
    count(&hub.tally.connections);
    loop {
        let line = tokio::time::timeout(SILENCE, lines.next()).await;
        let Some(line) = line.map_err(|_| Error::TimedOut)?? else {
            return Ok(());
        };
        count(&hub.tally.events);
        apply(hub, kind, &line, place)?;
    }
}

fn malformed(error: &serde_json::Error) -> Error {
    Error::Malformed(cut(&error.to_string()))
}

async fn list(hub: &Hub, server: &Server, kind: Kind) -> Result<String, Error> {
    let mut uids = HashSet::new();
    let mut next = String::new();
    for _ in 0..PAGES_MAX {
        let mut path = format!("{}?limit={PAGE}{}", kind.path(), selection(server, kind));
        if !next.is_empty() {
            path = format!("{path}&continue={}", encoded(&next));
        }
        let path = server.path(&path);
        let token = server.token();
        let body = server
            .get(&path, token.as_deref(), PAGE_MAX)
            .fetch()
            .await?;
        let page: List = serde_json::from_slice(&body).map_err(|e| malformed(&e))?;
        for raw in page.items.unwrap_or_default() {
            if let Some((uid, entry)) = raw.entry() {
                uids.insert(uid.clone());
                hub.cluster.put(kind, uid, entry);
            }
        }
        match page.metadata.next.filter(|next| !next.is_empty()) {
            Some(token) => next = token,
            None => {
                hub.cluster.keep_only(kind, &uids);
                return Ok(page.metadata.resource_version);
            }
        }
    }
    Err(Error::TooLarge(PAGES_MAX * PAGE))
}

fn apply(hub: &Hub, kind: Kind, line: &[u8], place: &mut Option<String>) -> Result<(), Error> {
    let event: Event = serde_json::from_slice(line).map_err(|e| malformed(&e))?;
    if event.kind == "ERROR" {
        let code = event.object["code"]
            .as_u64()
            .and_then(|code| u32::try_from(code).ok());
        let message = event.object["message"].as_str().unwrap_or_default();
        return Err(Error::Refused {
            code: code.unwrap_or(500),
            message: cut(message),
        });
    }
    let raw: Raw = serde_json::from_value(event.object).map_err(|e| malformed(&e))?;
    let version = raw.metadata.resource_version.clone();
    match event.kind.as_str() {
        "ADDED" | "MODIFIED" => {
            if let Some((uid, entry)) = raw.entry() {
                hub.cluster.put(kind, uid, entry);
            }
        }
        "DELETED" => hub.cluster.remove(kind, &raw.metadata.uid),
        // A bookmark has a place and nothing else; of others nothing is known.
        _ => {}
    }
    if !version.is_empty() {
        *place = Some(version);
    }
    Ok(())
}
