//! Opens the sources beside system calls that the configuration asks for.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result, bail};
use audit::Limits;
use config::Settings;
use web::{Options, Router, Server, Tls};

use super::plugin::PluginStream;
use super::webhook::{Inbox, Webhook};
use super::{AuditFile, FollowedFile, Injecting, SYSCALL, Sources, audit_plugin};
use crate::log;
use crate::pipeline::beside::{Beside, Company, Stream};

/// Opens those of the chosen sources that are no system calls.
///
/// # Errors
/// When one cannot be opened.
pub(crate) fn open(settings: &Settings, sources: &Sources, chosen: &[String]) -> Result<Company> {
    let mut company = Company::default();
    for name in chosen.iter().filter(|name| *name != SYSCALL) {
        let running = sources.plugins().start(name, true)?;
        let stream: Box<dyn Stream> = match sources.plugins().source(name) {
            Some(plugin) => Box::new(PluginStream::open(plugin, &running)?),
            None if name == audit::SOURCE => audit_events(settings, &mut company.router)?,
            None => bail!("nothing brings events of source '{name}'"),
        };
        company.beside.push(Beside {
            name: name.clone(),
            stream: Box::new(Injecting::prepare(&running).around(stream)),
            running,
        });
    }
    Ok(company)
}

/// Audit events: where the plugin's settings say, else at the web server's endpoint.
fn audit_events(settings: &Settings, router: &mut Router) -> Result<Box<dyn Stream>> {
    let (inbox, server) = match audit_plugin(settings) {
        Some(plugin) if !plugin.open_params.trim().is_empty() => {
            let params = plugin.open_params.trim();
            let (_, limits) = keys(plugin)?;
            if let Some(path) = params.strip_prefix("file://") {
                let followed = FollowedFile::new(path, limits);
                // Only now: what is written after this line is read.
                log::info(&format!(
                    "Kubernetes audit events are read as they come to {path}"
                ));
                return Ok(Box::new(followed));
            }
            if !params.contains("://") {
                log::info(&format!("Kubernetes audit events are read from {params}"));
                return Ok(Box::new(AuditFile::open(params, limits)?));
            }
            let listen = Listen::parse(plugin)?;
            let inbox = Inbox::new(listen.limits);
            let server = serve(&inbox, listen.address, &listen.path, listen.tls)?;
            (inbox, server)
        }
        _ => {
            let inbox = Inbox::new(Limits::default());
            let web = &settings.webserver;
            let path = web.k8s_audit_endpoint.as_deref().unwrap_or("/k8s-audit");
            if web.enabled {
                inbox.route(path, router);
                let secure = if web.ssl_enabled { "https" } else { "http" };
                let address = SocketAddr::new(
                    web.listen_address,
                    u16::try_from(web.listen_port).context("webserver.listen_port")?,
                );
                log::info(&format!(
                    "Kubernetes audit events are taken at {secure}://{address}{path}"
                ));
                return Ok(Box::new(Webhook::new(inbox, None)));
            }
            let port = u16::try_from(web.listen_port).context("webserver.listen_port")?;
            let tls = web.ssl_enabled.then(|| Tls {
                certificate: web.ssl_certificate.clone().into(),
                client_ca: (!web.ssl_client_ca.is_empty())
                    .then(|| web.ssl_client_ca.clone().into()),
            });
            let server = serve(&inbox, (web.listen_address, port).into(), path, tls)?;
            (inbox, server)
        }
    };
    Ok(Box::new(Webhook::new(inbox, Some(server))))
}

fn serve(inbox: &Inbox, address: SocketAddr, path: &str, tls: Option<Tls>) -> Result<Server> {
    let mut router = Router::new();
    inbox.route(path, &mut router);
    let secure = if tls.is_some() { "https" } else { "http" };
    let options = Options {
        tls,
        ..Options::new(address)
    };
    let server =
        Server::start(&options, router).context("cannot listen for Kubernetes audit events")?;
    log::info(&format!(
        "Kubernetes audit events are taken at {secure}://{}{path}",
        server.address()
    ));
    Ok(server)
}

/// What the settings of the k8saudit plugin say.
struct Listen {
    address: SocketAddr,
    path: String,
    tls: Option<Tls>,
    limits: Limits,
}

impl Listen {
    fn parse(plugin: &config::settings::Plugin) -> Result<Self> {
        let params = plugin.open_params.trim();
        let (scheme, rest) = params.split_once("://").unwrap_or(("", params));
        if !matches!(scheme, "http" | "https") {
            bail!(
                "open_params '{params}' of plugin '{}': scheme \"{scheme}\" is not supported; audit events come to \
                 http://HOST:PORT/PATH or https://HOST:PORT/PATH, from file://PATH as it grows, or once from a path",
                plugin.name
            );
        }
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (name, port) = host.rsplit_once(':').unwrap_or((host, "9765"));
        let name = name.trim_start_matches('[').trim_end_matches(']');
        let ip = match name {
            "" => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            name => name.parse().with_context(|| {
                format!(
                    "'{name}' in open_params of plugin '{}' is no address",
                    plugin.name
                )
            })?,
        };
        let port: u16 = port.parse().with_context(|| {
            format!(
                "'{port}' in open_params of plugin '{}' is no port",
                plugin.name
            )
        })?;
        let (keys, limits) = keys(plugin)?;
        let text = |key: &str| keys[key].as_str().map(str::to_owned);
        Ok(Self {
            address: (ip, port).into(),
            path: format!("/{path}"),
            tls: (scheme == "https").then(|| Tls {
                certificate: text("sslCertificate")
                    .unwrap_or_else(|| "/etc/falco/falco.pem".to_owned())
                    .into(),
                client_ca: text("sslClientCA").map(Into::into),
            }),
            limits,
        })
    }
}

/// The plugin's own settings, and the limits among them.
fn keys(plugin: &config::settings::Plugin) -> Result<(serde_json::Value, Limits)> {
    let keys = if plugin.init_config.trim().is_empty() {
        serde_json::Value::Null
    } else {
        config::Node::parse(&plugin.init_config, None)
            .ok()
            .with_context(|| format!("init_config of plugin '{}' is no map", plugin.name))?
            .to_json()
    };
    let number = |key: &str, default: usize| {
        let value = keys[key].as_u64().and_then(|n| usize::try_from(n).ok());
        value.filter(|n| *n > 0).unwrap_or(default)
    };
    let defaults = Limits::default();
    let limits = Limits {
        body: number("webhookMaxBatchSize", defaults.body),
        event: number("maxEventSize", defaults.event),
        ..defaults
    };
    Ok((keys, limits))
}

#[cfg(test)]
mod tests {
    use config::settings::Plugin;

    use super::*;

    fn listen(open_params: &str, init_config: &str) -> Result<Listen> {
        Listen::parse(&Plugin {
            name: "k8saudit".to_owned(),
            library_path: "libk8saudit.so".to_owned(),
            init_config: init_config.to_owned(),
            open_params: open_params.to_owned(),
            in_process: false,
        })
    }

    #[test]
    fn where_the_plugin_listens() {
        let plain = listen("http://:9765/k8s-audit", "").unwrap();
        assert_eq!(plain.address.to_string(), "0.0.0.0:9765");
        assert_eq!(plain.path, "/k8s-audit");
        assert!(plain.tls.is_none());
        let secure = listen(
            "https://[::1]:1/a/b",
            "{\"sslCertificate\": \"/x\", \"maxEventSize\": 9}",
        )
        .unwrap();
        assert_eq!(
            (secure.address.to_string().as_str(), secure.limits.event),
            ("[::1]:1", 9)
        );
        assert_eq!(secure.tls.unwrap().certificate.to_str(), Some("/x"));
        assert!(listen("ftp://x", "").is_err());
        assert!(listen("http://:x/y", "").is_err());
        assert!(listen("http://example.invalid:1/y", "").is_err());
    }
}
