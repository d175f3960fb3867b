//! Certificates, and OpenSSL with them.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
};

use super::until;

/// Files of an authority, a server and a client.
pub(crate) struct Certificates {
    dir: tempfile::TempDir,
}

impl Certificates {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // Each has a name of its own: a certificate whose subject is its issuer's passes for one that
        // signed itself, and OpenSSL trusts none that it does not know.
        let params = |name: &str| {
            let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
            params.distinguished_name = DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, name);
            params
        };
        let authority = |name: &str| {
            let mut params = params(name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let issuer =
                CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
            std::fs::write(dir.path().join(format!("{name}.crt")), issuer.pem()).unwrap();
            std::fs::write(
                dir.path().join(format!("{name}.key")),
                issuer.key().serialize_pem(),
            )
            .unwrap();
            issuer
        };
        let ca = authority("ca");
        authority("alone");
        for name in ["server", "client"] {
            let key = KeyPair::generate().unwrap();
            let certificate = params(name).signed_by(&key, &ca).unwrap().pem();
            std::fs::write(dir.path().join(format!("{name}.crt")), certificate).unwrap();
            std::fs::write(dir.path().join(format!("{name}.key")), key.serialize_pem()).unwrap();
        }
        Self { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A server of OpenSSL; what it prints goes into the file `received`.
    pub(crate) fn openssl(
        &self,
        name: &str,
        client_ca: bool,
        options: &[&str],
    ) -> Option<(Child, u16)> {
        let port = testkit::port::free();
        let mut command = Command::new("openssl");
        command.args(["s_server", "-accept", &format!("127.0.0.1:{port}")]);
        command.args(options);
        command.arg("-cert").arg(self.path(&format!("{name}.crt")));
        command.arg("-key").arg(self.path(&format!("{name}.key")));
        if client_ca {
            command
                .args(["-Verify", "1", "-verify_return_error"])
                .arg("-CAfile")
                .arg(self.path("ca.crt"));
        }
        let received = std::fs::File::create(self.path("received")).unwrap();
        let child = command
            .stdin(Stdio::piped())
            .stdout(received)
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        until("openssl listens", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Some((child, port))
    }
}
