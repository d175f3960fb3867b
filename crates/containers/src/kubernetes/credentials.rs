//! How the API server is reached and how we prove who we are.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::error::{Error, cut};
use crate::http::{Get, Peer};
use crate::settings::Kubernetes;

/// Where a pod finds what it needs.
const POD_CA: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";
const POD_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// The API server.
#[derive(Debug)]
pub(super) struct Server {
    peer: Peer,
    base: String,
    token_file: String,
    pub(super) node: String,
    time: Duration,
}

fn file(path: &str, reason: impl std::fmt::Display) -> Error {
    Error::File {
        path: cut(path),
        reason: cut(&reason.to_string()),
    }
}

/// Where to ask and with what.
///
/// # Errors
/// A file that cannot be read, or an address that is none.
pub(super) fn server(settings: &Kubernetes, time: Duration) -> Result<Server, Error> {
    let tls = match settings.url.starts_with("https://") {
        true => Some(Arc::new(configuration(settings)?)),
        false => None,
    };
    let (peer, base) = Peer::parse(&settings.url, tls)?;
    let token_file = match settings.token_file.as_str() {
        "" if std::path::Path::new(POD_TOKEN).exists() => POD_TOKEN,
        named => named,
    };
    Ok(Server {
        peer,
        base,
        token_file: token_file.to_owned(),
        node: settings.node.clone(),
        time,
    })
}

fn configuration(settings: &Kubernetes) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::Malformed(cut(&e.to_string())))?;
    let builder = if settings.insecure {
        let verifier = Arc::new(Anyone(provider));
        builder
            .dangerous()
            .with_custom_certificate_verifier(verifier)
    } else {
        let ca = match settings.ca_file.as_str() {
            "" => POD_CA,
            named => named,
        };
        let mut roots = RootCertStore::empty();
        let certificates = CertificateDer::pem_file_iter(ca).map_err(|e| file(ca, e))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|e| file(ca, e))?;
            roots.add(certificate).map_err(|e| file(ca, e))?;
        }
        builder.with_root_certificates(roots)
    };
    if settings.client_certificate.is_empty() {
        return Ok(builder.with_no_client_auth());
    }
    let path = &settings.client_certificate;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path)
        .map_err(|e| file(path, e))?
        .collect();
    let chain = chain.map_err(|e| file(path, e))?;
    let key = match settings.client_key.as_str() {
        "" => path,
        key => key,
    };
    let key = PrivateKeyDer::from_pem_file(key).map_err(|e| file(key, e))?;
    builder
        .with_client_auth_cert(chain, key)
        .map_err(|e| file(path, e))
}

impl Server {
    /// The token as it is now: the kubelet renews it.
    pub(super) fn token(&self) -> Option<String> {
        if self.token_file.is_empty() {
            return None;
        }
        let text = std::fs::read_to_string(&self.token_file).ok()?;
        Some(text.trim().to_owned()).filter(|token| !token.is_empty())
    }

    /// The path below the server's own.
    pub(super) fn path(&self, below: &str) -> String {
        format!("{}{below}", self.base)
    }

    pub(super) fn get<'a>(
        &'a self,
        path: &'a str,
        token: Option<&'a str>,
        limit: usize,
    ) -> Get<'a> {
        Get {
            peer: &self.peer,
            path,
            token,
            limit,
            time: self.time,
        }
    }
}

/// Takes any certificate: only where the user says so.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
