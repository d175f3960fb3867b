//! The server's certificate, and whom it lets in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::server::Error;

/// Where key and certificates lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// One PEM file with the private key and the chain of certificates.
    pub certificate: PathBuf,
    /// Certificates that sign those of clients; `None`: clients need none.
    pub client_ca: Option<PathBuf>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// When a file cannot be read, or holds no key or no certificate that fits.
    pub(crate) fn load(&self) -> Result<Arc<ServerConfig>, Error> {
        let path = &self.certificate;
        let fault = |what: String| unfit(path, what);
        let pem = read(path)?;
        let chain = certificates(path, &pem)?;
        let key = PrivateKeyDer::from_pem_slice(&pem)
            .map_err(|error| fault(format!("no private key in it ({error})")))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| fault(error.to_string()))?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(ca) => {
                let mut roots = RootCertStore::empty();
                for certificate in certificates(ca, &read(ca)?)? {
                    let added = roots.add(certificate);
                    added.map_err(|error| unfit(ca, error.to_string()))?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .map_err(|error| unfit(ca, error.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let config = builder.with_single_cert(chain, key);
        Ok(Arc::new(config.map_err(|error| fault(error.to_string()))?))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| unfit(path, error.to_string()))
}

fn unfit(path: &Path, fault: String) -> Error {
    Error::Certificate {
        path: path.to_owned(),
        fault,
    }
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Error> {
    let fault = |what: String| unfit(path, what);
    let all: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| fault(error.to_string()))?;
    if all.is_empty() {
        return Err(fault("no certificate in it".to_owned()));
    }
    Ok(all)
}
