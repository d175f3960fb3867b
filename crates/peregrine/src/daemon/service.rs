//! The web server of a service: health, versions, metrics.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use config::Settings;
use page::Numbers;
use store::{Feed, Store};
use web::{Limits, Options, Response, Router, Server, Tls};

use super::board::Board;
use super::page::Teller;
use crate::{log, version};

/// Starts it, where it is enabled, with further routes.
///
/// # Errors
/// When the address is taken or a certificate is of no use.
pub(crate) fn start(
    settings: &Settings,
    board: &Arc<Board>,
    mut router: Router,
) -> Result<Option<Server>> {
    let wanted = &settings.webserver;
    if !wanted.enabled {
        return Ok(None);
    }
    let health = Arc::clone(board);
    router.get(&wanted.k8s_healthz_endpoint, move |_| {
        let troubles = health.troubles();
        if troubles.is_empty() {
            return Response::json(r#"{"status": "ok"}"#);
        }
        let body = serde_json::json!({"status": "failing", "reasons": troubles});
        Response::json(body.to_string()).with_status(503)
    });
    router.get("/versions", |_| Response::json(version::json().to_string()));
    let busy = Arc::clone(board);
    router.get("/top", move |request| {
        // Names of processes are nobody's business but this machine's.
        if !request.peer.is_some_and(|peer| peer.is_loopback()) {
            return Response::json(r#"{"error": "only this machine is answered"}"#)
                .with_status(403);
        }
        busy.watch();
        let told = busy.ask();
        let fields = metrics::internal::fields(&told.metrics, false, true);
        let fields: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{}:{value}", serde_json::json!(name)))
            .collect();
        let rules: Vec<serde_json::Value> = told
            .metrics
            .iter()
            .filter(|metric| metric.name == "falco_rules_matches")
            .filter_map(|metric| {
                let name = metric
                    .labels
                    .iter()
                    .find(|(key, _)| key == "rule_name")
                    .map(|(_, name)| name.clone())?;
                let metrics::Value::Whole(count) = metric.value else {
                    return None;
                };
                Some(serde_json::json!({"rule": name, "count": count}))
            })
            .collect();
        let body = format!(
            "{{\"fields\":{{{}}},\"rules\":{},\"activity\":{}}}",
            fields.join(","),
            serde_json::Value::Array(rules),
            told.activity
        );
        Response::json(body)
    });
    if settings.metrics.enabled && wanted.prometheus_metrics_enabled {
        let board = Arc::clone(board);
        router.get("/metrics", move |_| {
            let text = metrics::prometheus::text(&board.ask().metrics);
            Response::new(200, "text/plain; version=0.0.4", text)
        });
    }
    let port = u16::try_from(wanted.listen_port)
        .map_err(|_| anyhow::anyhow!("webserver.listen_port {} is no port", wanted.listen_port))?;
    let mut limits = Limits::default();
    if wanted.threadiness > 0 {
        // Threads wait for slow clients here: fewer than these would shut honest ones out.
        limits.connections = limits.connections.max(wanted.threadiness as usize);
    }
    let options = Options {
        address: SocketAddr::new(wanted.listen_address, port),
        tls: wanted.ssl_enabled.then(|| Tls {
            certificate: wanted.ssl_certificate.clone().into(),
            client_ca: (!wanted.ssl_client_ca.is_empty())
                .then(|| wanted.ssl_client_ca.clone().into()),
        }),
        limits,
    };
    let server = Server::start(&options, router)?;
    let scheme = if wanted.ssl_enabled { "https" } else { "http" };
    log::info(&format!(
        "web server listens on {scheme}://{}",
        server.address()
    ));
    Ok(Some(server))
}

/// Opens the store for alerts.
///
/// # Errors
/// When its file is of no use.
pub(crate) fn feed(settings: &Settings) -> Result<Feed> {
    let wanted = &settings.alert_store;
    let limits = store::Limits {
        alerts: wanted.keep_alerts,
        days: wanted.keep_days,
        bytes: wanted.max_size_mb.saturating_mul(1 << 20),
    };
    let store = Store::open(wanted.path.as_ref(), limits).context("alert_store.path")?;
    Feed::start(store).context("cannot start the thread that keeps alerts")
}

/// Starts the local page, where it is enabled.
///
/// # Errors
/// When its token or its port is of no use.
pub(crate) fn page(settings: &Settings, feed: &Feed) -> Result<Option<(Teller, Server)>> {
    let wanted = &settings.page;
    if !wanted.enabled {
        return Ok(None);
    }
    let token = page::token::load(wanted.token_file.as_ref())
        .with_context(|| format!("page.token_file {}", wanted.token_file))?;
    let numbers = Arc::new(Numbers::default());
    let router = page::routes::router(&feed.shared(), &numbers, &token);
    let address = SocketAddr::from(([127, 0, 0, 1], wanted.listen_port));
    let server = Server::start(&Options::new(address), router)?;
    log::info(&format!(
        "local page at http://{}/, its token is in {}",
        server.address(),
        wanted.token_file
    ));
    Ok(Some((Teller::new(numbers), server)))
}
