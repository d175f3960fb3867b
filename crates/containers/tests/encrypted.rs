//! Kubernetes' API server over TLS: whom we believe, and how we show who we are.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

mod server;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use containers::settings::Kubernetes;
use containers::{Containers, Settings};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use server::{docker, named, settings, unix, until, until_so};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Certificate and key as PEM.
fn signed(by: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, by).unwrap();
    (certificate.pem(), key.serialize_pem())
}

fn roots(of: &Authority) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(of.pem().as_bytes()).unwrap();
    roots.add(certificate).unwrap();
    roots
}

/// An API server: who may ask, and what was shown to it.
struct Api {
    url: String,
    /// The only token that counts; empty: any.
    token: Arc<Mutex<String>>,
    refused: Arc<Mutex<usize>>,
}

fn api(own: &Authority, clients: Option<&Authority>) -> Api {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let (certificate, key) = signed(own, "127.0.0.1");
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let roots = Arc::new(roots(clients));
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = Arc::new(builder.with_single_cert(chain, key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let api = Api {
        url: format!("https://{}", listener.local_addr().unwrap()),
        token: Arc::default(),
        refused: Arc::default(),
    };
    let (token, refused) = (Arc::clone(&api.token), Arc::clone(&api.refused));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let (token, refused) = (Arc::clone(&token), Arc::clone(&refused));
            std::thread::spawn(move || {
                let mut reader = BufReader::new(StreamOwned::new(connection, stream));
                let (mut head, mut line) = (String::new(), String::new());
                while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                    head.push_str(&std::mem::take(&mut line));
                }
                let wanted = token.lock().unwrap().clone();
                let shown = head
                    .to_lowercase()
                    .contains(&format!("authorization: bearer {wanted}\r"));
                let mut out = reader.into_inner();
                if head.is_empty() || (!wanted.is_empty() && !shown) {
                    *refused.lock().unwrap() += 1;
                    let _ =
                        out.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
                } else if head.contains("watch=true") {
                    server::stream(&mut out);
                    server::hang();
                } else if head.starts_with("GET /api/v1/namespaces?") {
                    let items = json!([{"metadata": {"name": "prod", "uid": "n-1"}}]);
                    server::json(&mut out, &page(&items));
                } else {
                    server::json(&mut out, &page(&json!([])));
                }
                out.conn.send_close_notify();
                let _ = out.flush();
            });
        }
    });
    api
}

fn page(items: &Value) -> String {
    json!({"metadata": {"resourceVersion": "7"}, "items": items}).to_string()
}

fn write(dir: &Path, name: &str, text: &str) -> String {
    let path: PathBuf = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn ask(dir: &Path, kubernetes: Kubernetes) -> Containers {
    let socket = dir.join("docker.sock");
    let labels = json!({"io.kubernetes.pod.name": "web-1", "io.kubernetes.pod.namespace": "prod"});
    unix(&socket, &docker(&labels));
    Containers::start(Settings {
        kubernetes: Some(kubernetes),
        ..settings(&socket)
    })
    .unwrap()
}

fn knows_the_namespace(containers: &Containers) {
    until(containers, "the namespace", |message| {
        let record: Value = serde_json::from_str(&named(message, "web")?).unwrap();
        (record["container"]["kubernetes"]["namespace"]["id"] == "n-1").then_some(())
    });
}

#[test]
fn with_certificates_on_both_sides_and_a_token_that_is_renewed() {
    let dir = tempfile::tempdir().unwrap();
    let (own, clients) = (authority(), authority());
    let api = api(&own, Some(&clients));
    "second".clone_into(&mut api.token.lock().unwrap());
    let (certificate, key) = signed(&clients, "peregrine");
    let token = write(dir.path(), "token", "first\n");
    let containers = ask(
        dir.path(),
        Kubernetes {
            url: api.url.clone(),
            ca_file: write(dir.path(), "ca.pem", &own.pem()),
            client_certificate: write(dir.path(), "client.pem", &certificate),
            client_key: write(dir.path(), "client.key", &key),
            token_file: token,
            ..Kubernetes::default()
        },
    );
    // The kubelet writes another token into the file; nobody has to be told.
    until_so("a refusal", || *api.refused.lock().unwrap() > 0);
    write(dir.path(), "token", "second\n");
    knows_the_namespace(&containers);
}

#[test]
fn without_a_certificate_of_ours() {
    let dir = tempfile::tempdir().unwrap();
    let (own, clients) = (authority(), authority());
    let api = api(&own, Some(&clients));
    let containers = ask(
        dir.path(),
        Kubernetes {
            url: api.url.clone(),
            ca_file: write(dir.path(), "ca.pem", &own.pem()),
            ..Kubernetes::default()
        },
    );
    until_so("the fault to be counted", || {
        containers.counters().broken > 0
    });
}

#[test]
fn of_somebody_whom_nobody_vouches_for() {
    let dir = tempfile::tempdir().unwrap();
    let api = api(&authority(), None);
    let stranger = Kubernetes {
        url: api.url.clone(),
        ca_file: write(dir.path(), "ca.pem", &authority().pem()),
        ..Kubernetes::default()
    };
    let containers = ask(dir.path(), stranger.clone());
    until_so("the fault to be counted", || {
        containers.counters().broken > 2
    });
    let unaware = until(&containers, "the container", |message| {
        named(message, "web")
    });
    assert!(!unaware.contains("n-1"));
    drop(containers);

    // Unless the user says that it does not matter.
    let second = tempfile::tempdir().unwrap();
    let insecure = Kubernetes {
        insecure: true,
        ..stranger
    };
    knows_the_namespace(&ask(second.path(), insecure));
}

#[test]
fn files_that_are_missing_are_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let own = authority();
    let api = api(&own, None);
    let path = dir.path().join("ca.pem");
    let containers = ask(
        dir.path(),
        Kubernetes {
            url: api.url.clone(),
            ca_file: path.display().to_string(),
            ..Kubernetes::default()
        },
    );
    until_so("the fault to be counted", || {
        containers.counters().broken > 0
    });
    write(dir.path(), "ca.pem", &own.pem());
    knows_the_namespace(&containers);
}
