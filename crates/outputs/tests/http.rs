//! The HTTP output against receivers that are slow, gone, back, failing, cutting off, encrypted.

#![allow(
    clippy::unwrap_used,
    reason = "a fault of the harness is a failed test"
)]

mod support;

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use outputs::channel::http::HttpTarget;
use outputs::tls::TlsOptions;
use outputs::{Outputs, Target};
use rules::Priority;
use support::certificates::Certificates;
use support::{Receiver, Shared, http, output, policy, quiet, until};

fn start(target: HttpTarget) -> Outputs {
    let output = output(Target::Http(target), None);
    Outputs::start(&[output], policy(), Duration::from_secs(60), &quiet()).unwrap()
}

fn send(outputs: &Outputs, texts: &[&str]) {
    for text in texts {
        outputs.send_internal("r", Priority::Notice, text.as_bytes());
    }
}

#[test]
fn what_a_request_looks_like() {
    let shared = Arc::new(Shared::default());
    let receiver = Receiver::anywhere(Arc::clone(&shared));
    let headers = vec![("X-Token".to_owned(), "secret".to_owned())];
    let target = HttpTarget {
        headers,
        ..http(&format!("http://{}/a?b=c", receiver.address))
    };
    let outputs = start(target);
    send(&outputs, &["{\"a\":1}", "two"]);
    assert!(outputs.finish(None));
    assert_eq!(*shared.bodies.lock().unwrap(), ["{\"a\":1}", "two"]);
    let head = shared.heads.lock().unwrap()[0].clone();
    for part in [
        "post /a?b=c http/1.1\r\n",
        "content-type: application/json\r\n",
        "user-agent: falcosecurity/falco\r\n",
        "x-token: secret\r\n",
        "content-length: 7\r\n",
    ] {
        assert!(head.contains(part), "{part} is not in {head}");
    }
    receiver.stop();
}

#[test]
fn compressed_bodies() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let outputs = start(HttpTarget {
        gzip: true,
        keep_alive: false,
        ..http(&url)
    });
    let text = "alert ".repeat(1000);
    send(&outputs, &[&text]);
    let (mut stream, _) = listener.accept().unwrap();
    let mut bytes = vec![0; 4096];
    let mut length = 0;
    let body = loop {
        length += stream.read(&mut bytes[length..]).unwrap();
        if let Some(at) = bytes[..length].windows(4).position(|w| w == b"\r\n\r\n") {
            let mut inflated = String::new();
            let mut decoder = flate2::read::GzDecoder::new(&bytes[at + 4..length]);
            if decoder.read_to_string(&mut inflated).is_ok() {
                assert!(
                    String::from_utf8_lossy(&bytes[..at])
                        .to_lowercase()
                        .contains("content-encoding: gzip")
                );
                break inflated;
            }
        }
    };
    assert_eq!(body, text);
}

#[test]
fn gone_back_again_failing_and_cut_off() {
    let shared = Arc::new(Shared::default());
    let receiver = Receiver::anywhere(Arc::clone(&shared));
    let address = receiver.address.to_string();
    let target = HttpTarget {
        // Longer than any answer takes on a busy machine: each comes once then.
        timeout: Duration::from_secs(60),
        ..http(&format!("http://{address}/"))
    };
    let outputs = start(target);
    send(&outputs, &["first"]);
    until("the first comes", || {
        shared.bodies.lock().unwrap().len() == 1
    });
    // Gone, and back.
    receiver.stop();
    send(&outputs, &["while it was gone"]);
    until("it is noticed", || outputs.report()[0].failing.is_some());
    let receiver = Receiver::start(&address, Arc::clone(&shared));
    until("the second comes", || {
        shared.bodies.lock().unwrap().len() == 2
    });
    // Failing: for now, then on a message, then for good.
    *shared.bad.lock().unwrap() = vec![404, 500, 500, 503, 503, 429];
    send(&outputs, &["refused at the end of it", "after it"]);
    until("the third comes", || {
        shared.bodies.lock().unwrap().len() == 3
    });
    // Cut off in the middle.
    shared.cut.store(3, Ordering::Relaxed);
    send(&outputs, &["cut off thrice"]);
    until("the fourth comes", || {
        shared.bodies.lock().unwrap().len() == 4
    });
    until("it is known", || outputs.report()[0].waiting == 0);
    let report = outputs.report().remove(0);
    assert_eq!(
        (
            report.counts.delivered,
            report.counts.refused,
            report.counts.lost
        ),
        (4, 1, 0)
    );
    assert_eq!((report.dropped, report.failing), (0, None));
    assert_eq!(shared.bodies.lock().unwrap()[2], "after it");
    assert!(outputs.finish(Some(Duration::from_secs(30))));
    receiver.stop();
}

/// What a receiver took nevertheless comes more than once.
#[test]
fn slower_than_its_time() {
    let shared = Arc::new(Shared::default());
    let receiver = Receiver::anywhere(Arc::clone(&shared));
    let outputs = start(HttpTarget {
        timeout: Duration::from_millis(300),
        ..http(&format!("http://{}/", receiver.address))
    });
    shared.delay.store(1000, Ordering::Relaxed);
    send(&outputs, &["slow"]);
    until("time runs out", || outputs.report()[0].counts.failures > 0);
    shared.delay.store(0, Ordering::Relaxed);
    until("it comes and is known", || {
        outputs.report()[0].counts.delivered == 1
    });
    let report = outputs.report().remove(0);
    let lost = (report.counts.refused, report.counts.lost, report.dropped);
    assert_eq!((lost, report.waiting), ((0, 0, 0), 0));
    assert!(
        shared
            .bodies
            .lock()
            .unwrap()
            .iter()
            .all(|body| body == "slow")
    );
    assert!(outputs.finish(Some(Duration::from_secs(30))));
    receiver.stop();
}

#[test]
fn a_message_that_a_receiver_stumbles_over_does_not_stop_the_others() {
    let shared = Arc::new(Shared::default());
    let receiver = Receiver::anywhere(Arc::clone(&shared));
    *shared.bad.lock().unwrap() = vec![500; 10];
    let outputs = start(http(&format!("http://{}/", receiver.address)));
    send(&outputs, &["poison", "good"]);
    until("the other comes", || {
        shared.bodies.lock().unwrap().len() == 1
    });
    assert_eq!(*shared.bodies.lock().unwrap(), ["good"]);
    assert!(outputs.finish(None));
    receiver.stop();
}

/// Sends a text to OpenSSL's server, which prints what it gets and never answers: an attempt that went
/// well shows there, however it ends.
fn deliver(files: &Certificates, url: &str, tls: &TlsOptions, text: &str) -> Outputs {
    let target = HttpTarget {
        tls: tls.clone(),
        timeout: Duration::from_millis(500),
        ..http(url)
    };
    let before = std::fs::read_to_string(files.path("received")).unwrap();
    assert!(!before.contains(text));
    let outputs = start(target);
    send(&outputs, &[text]);
    outputs
}

/// Waits until the text is there.
fn arrives(files: &Certificates, url: &str, tls: &TlsOptions, text: &str) {
    let outputs = deliver(files, url, tls, text);
    until(text, || {
        let received = std::fs::read_to_string(files.path("received")).unwrap();
        received.contains(text)
    });
    let _ = outputs.finish(Some(Duration::ZERO));
}

/// Waits until an attempt fails for a reason of TLS.
fn is_refused(files: &Certificates, url: &str, tls: &TlsOptions, text: &str) {
    let outputs = deliver(files, url, tls, text);
    until(text, || {
        let error = outputs.report()[0].error.clone().unwrap_or_default();
        let words = ["ertificate", "alert", "authority"];
        words.iter().any(|word| error.contains(word))
    });
    let received = std::fs::read_to_string(files.path("received")).unwrap();
    assert!(!received.contains(text), "{text}: it came nevertheless");
    let _ = outputs.finish(Some(Duration::ZERO));
}

#[test]
fn trust_and_client_certificates_against_openssl() {
    let files = Certificates::new();
    let Some((mut server, port)) = files.openssl("server", true, &["-quiet"]) else {
        assert!(
            std::env::var_os("PEREGRINE_REQUIRE_LIVE").is_none(),
            "openssl is missing"
        );
        eprintln!("left out: no openssl");
        return;
    };
    let url = format!("https://localhost:{port}/");
    let client = Some((files.path("client.crt"), files.path("client.key")));
    let trusted = TlsOptions {
        ca_cert: Some(files.path("ca.crt")),
        client,
        ..TlsOptions::default()
    };
    arrives(&files, &url, &trusted, "both know each other");
    let without = TlsOptions {
        client: None,
        ..trusted.clone()
    };
    is_refused(&files, &url, &without, "a client without certificate");
    let stranger = TlsOptions {
        ca_cert: Some(files.path("alone.crt")),
        ..trusted.clone()
    };
    is_refused(&files, &url, &stranger, "an unknown authority");
    let by_number = format!("https://127.0.0.1:{port}/");
    is_refused(
        &files,
        &by_number,
        &trusted,
        "another name than the certificate's",
    );
    server.kill().unwrap();
    server.wait().unwrap();

    let (mut server, port) = files.openssl("alone", false, &["-quiet"]).unwrap();
    let url = format!("https://localhost:{port}/");
    let own = TlsOptions {
        ca_cert: Some(files.path("alone.crt")),
        ..TlsOptions::default()
    };
    arrives(
        &files,
        &url,
        &own,
        "a certificate that is its own authority",
    );
    is_refused(&files, &url, &TlsOptions::default(), "nobody is trusted");
    let insecure = TlsOptions {
        insecure: true,
        ..TlsOptions::default()
    };
    let by_number = format!("https://127.0.0.1:{port}/");
    arrives(&files, &by_number, &insecure, "nothing is verified");
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn files_of_no_use_stop_the_start() {
    let files = Certificates::new();
    std::fs::write(files.path("rubbish"), "rubbish").unwrap();
    let fault = |tls: TlsOptions, url: &str| {
        let output = output(Target::Http(HttpTarget { tls, ..http(url) }), None);
        Outputs::start(&[output], policy(), Duration::from_secs(1), &quiet())
            .err()
            .unwrap()
            .to_string()
    };
    let ca = |name: &str| TlsOptions {
        ca_cert: Some(files.path(name)),
        ..TlsOptions::default()
    };
    assert!(fault(ca("missing"), "https://x/").contains("missing"));
    assert!(fault(ca("rubbish"), "https://x/").contains("rubbish"));
    let client = Some((files.path("client.crt"), files.path("server.key")));
    let mixed = TlsOptions {
        client,
        ..TlsOptions::default()
    };
    assert!(fault(mixed, "https://x/").contains("client.crt"));
    assert!(fault(TlsOptions::default(), "ftp://x/").contains("ftp://x/"));
}
