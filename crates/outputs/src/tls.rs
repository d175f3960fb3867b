//! Whom outputs trust, and as whom they present themselves.
//!
//! One difference to plain web PKI: a certificate that was named as trusted is accepted as the
//! receiver's own, for the names in it, even if it calls itself an authority. That is what
//! `openssl req -x509` makes, what OpenSSL accepts, and what webpki alone refuses.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::channel::{about, fault};

/// Largest file that is looked at for certificates.
const MAX_FILE: u64 = 4 << 20;

/// Trust and identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// Nothing is verified.
    pub insecure: bool,
    /// A file with the one authority; comes before the others.
    pub ca_cert: Option<PathBuf>,
    /// A file with many.
    pub ca_bundle: Option<PathBuf>,
    /// A directory of them.
    pub ca_path: Option<PathBuf>,
    /// Certificate and key that are shown to the receiver.
    pub client: Option<(PathBuf, PathBuf)>,
}

impl TlsOptions {
    /// The same of options that need not be there.
    ///
    /// # Errors
    /// As [`Self::client_config`].
    pub(crate) fn of(options: Option<&Self>) -> io::Result<Option<Arc<ClientConfig>>> {
        options.map(Self::client_config).transpose()
    }

    /// Reads the files.
    ///
    /// # Errors
    /// With the file's name, when it cannot be read or holds nothing of use.
    pub fn client_config(&self) -> io::Result<Arc<ClientConfig>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?;
        let trusted = if self.insecure {
            Vec::new()
        } else {
            self.trusted()?
        };
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted.iter().cloned());
        let inner = (!roots.is_empty())
            .then(|| {
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                    .build()
            })
            .transpose()
            .map_err(io::Error::other)?;
        let verifier = Verifier {
            insecure: self.insecure,
            inner,
            named: trusted
                .iter()
                .map(|certificate| certificate.as_ref().to_vec())
                .collect(),
            provider,
        };
        let builder = builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let config = match &self.client {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates(certificate)?;
                let key_der = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| {
                    fault(format!("{}: no private key ({error})", key.display()))
                })?;
                builder
                    .with_client_auth_cert(chain, key_der)
                    .map_err(|error| {
                        let (certificate, key) = (certificate.display(), key.display());
                        fault(format!(
                            "{certificate} and {key} do not belong together: {error}"
                        ))
                    })?
            }
        };
        Ok(Arc::new(config))
    }

    fn trusted(&self) -> io::Result<Vec<CertificateDer<'static>>> {
        if let Some(file) = self.ca_cert.as_ref().or(self.ca_bundle.as_ref()) {
            return certificates(file);
        }
        match &self.ca_path {
            Some(directory) => directory_of(directory),
            None => Ok(Vec::new()),
        }
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| about(&path.display().to_string(), &error))
}

fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let all: Vec<_> = CertificateDer::pem_slice_iter(&read(path)?)
        .collect::<Result<_, _>>()
        .map_err(|error| fault(format!("{}: {error}", path.display())))?;
    if all.is_empty() {
        return Err(fault(format!("{}: no certificate in it", path.display())));
    }
    Ok(all)
}

/// All certificates in the files of a directory, each once. Files of other kinds are passed over: in
/// /etc/ssl/certs they are common.
fn directory_of(directory: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let entries = std::fs::read_dir(directory)
        .map_err(|error| about(&directory.display().to_string(), &error))?;
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        let small = std::fs::metadata(&path).is_ok_and(|m| m.is_file() && m.len() <= MAX_FILE);
        let Some(text) = small.then(|| std::fs::read(&path).ok()).flatten() else {
            continue;
        };
        for certificate in CertificateDer::pem_slice_iter(&text).flatten() {
            if seen.insert(certificate.as_ref().to_vec()) {
                all.push(certificate);
            }
        }
    }
    Ok(all)
}

#[derive(Debug)]
struct Verifier {
    insecure: bool,
    inner: Option<Arc<WebPkiServerVerifier>>,
    /// Certificates that the user named.
    named: HashSet<Vec<u8>>,
    provider: Arc<rustls::crypto::CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.insecure {
            return Ok(ServerCertVerified::assertion());
        }
        if self.named.contains(end_entity.as_ref()) {
            let parsed = ParsedCertificate::try_from(end_entity)?;
            rustls::client::verify_server_name(&parsed, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        match &self.inner {
            Some(inner) => {
                inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            None => Err(rustls::Error::General("no authority is trusted".to_owned())),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
