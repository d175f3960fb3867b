//! Syslog over TLS as RFC 5425 has it: each message behind its length, both sides with certificates.

#![allow(
    clippy::unwrap_used,
    reason = "a fault of the harness is a failed test"
)]

mod support;

use std::time::Duration;

use outputs::channel::syslog::{Form, Place, SyslogTarget};
use outputs::tls::TlsOptions;
use outputs::{Outputs, Target};
use rules::Priority;
use support::certificates::Certificates;
use support::{output, policy, quiet, until};

#[test]
fn messages_arrive_counted() {
    let files = Certificates::new();
    let Some((mut server, port)) = files.openssl("server", true, &["-quiet"]) else {
        assert!(
            std::env::var_os("PEREGRINE_REQUIRE_LIVE").is_none(),
            "openssl is missing"
        );
        eprintln!("left out: no openssl");
        return;
    };
    let tls = TlsOptions {
        ca_cert: Some(files.path("ca.crt")),
        client: Some((files.path("client.crt"), files.path("client.key"))),
        ..TlsOptions::default()
    };
    let target = SyslogTarget {
        place: Place::Tls(format!("localhost:{port}"), Box::new(tls)),
        form: Form::Rfc5424,
        counted: true,
        hostname: "here".to_owned(),
        timeout: Duration::from_secs(5),
        ..SyslogTarget::local("peregrine")
    };
    let output = output(Target::Syslog(target), None);
    let outputs = Outputs::start(&[output], policy(), Duration::from_secs(60), &quiet()).unwrap();
    let received = || std::fs::read_to_string(files.path("received")).unwrap_or_default();
    for text in ["first\u{fffd}line", "second"] {
        outputs.send_internal("r", Priority::Warning, text.as_bytes());
    }
    until("both came", || received().contains("second"));
    let mut rest = received();
    for text in ["first\u{fffd}line", "second"] {
        let (length, after) = rest.split_once(' ').unwrap();
        let length: usize = length.parse().unwrap();
        // Facility user, severity warning.
        assert!(after.starts_with("<12>1 "), "{after}");
        assert!(after[..length].ends_with(text), "{after}");
        rest = after[length..].to_owned();
    }
    assert_eq!(rest, "");
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(outputs.finish(Some(Duration::from_secs(5))));
}
