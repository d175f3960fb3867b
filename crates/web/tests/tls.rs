//! HTTPS, with and without certificates of clients.

#![allow(
    clippy::unwrap_used,
    reason = "a fault of the harness is a failed test"
)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use web::{Error, Options, Response, Router, Server, Tls};

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Certificate and key as PEM.
fn signed(by: &CertifiedIssuer<'_, KeyPair>) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    (
        params.signed_by(&key, by).unwrap().pem(),
        key.serialize_pem(),
    )
}

fn ask(server: &Server, ca: &str, client: Option<&(String, String)>) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match client {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            )
            .unwrap(),
    };
    let name = "localhost".try_into().unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(server.address())?);
    stream.write_all(b"GET /secure HTTP/1.0\r\n\r\n")?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn start(certificate: &Path, client_ca: Option<&Path>) -> Result<Server, Error> {
    let mut router = Router::new();
    router.get("/secure", |request| {
        Response::text(200, request.secure.to_string())
    });
    let tls = Tls {
        certificate: certificate.to_owned(),
        client_ca: client_ca.map(Path::to_owned),
    };
    let options = Options {
        tls: Some(tls),
        ..Options::new(([127, 0, 0, 1], 0).into())
    };
    Server::start(&options, router)
}

#[test]
fn encrypted_and_with_client_certificates() {
    let dir = tempfile::tempdir().unwrap();
    let (pem, ca) = (dir.path().join("server.pem"), dir.path().join("ca.pem"));
    let authority = authority();
    let (certificate, key) = signed(&authority);
    std::fs::write(&pem, format!("{key}{certificate}")).unwrap();
    std::fs::write(&ca, authority.pem()).unwrap();

    let server = start(&pem, None).unwrap();
    assert!(
        ask(&server, &authority.pem(), None)
            .unwrap()
            .ends_with("\r\n\r\ntrue")
    );

    let server = start(&pem, Some(&ca)).unwrap();
    assert!(
        ask(&server, &authority.pem(), None).is_err(),
        "no certificate"
    );
    let stranger = signed(&self::authority());
    assert!(
        ask(&server, &authority.pem(), Some(&stranger)).is_err(),
        "a foreign certificate"
    );
    let client = signed(&authority);
    assert!(
        ask(&server, &authority.pem(), Some(&client))
            .unwrap()
            .ends_with("true")
    );
}

#[test]
fn files_of_no_use_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.pem");
    let fault = |path: &Path| start(path, None).err().unwrap().to_string();
    assert!(fault(&path).contains("server.pem"));
    let (certificate, key) = signed(&authority());
    for text in ["", "rubbish", &certificate, &key] {
        std::fs::write(&path, text).unwrap();
        assert!(fault(&path).contains("server.pem"), "{text}");
    }
    let (_, other) = signed(&authority());
    std::fs::write(&path, format!("{other}{certificate}")).unwrap();
    assert!(
        fault(&path).contains("server.pem"),
        "key and certificate do not belong together"
    );
}
