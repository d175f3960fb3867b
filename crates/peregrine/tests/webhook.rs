//! The webhook for Kubernetes audit events, as an API server and as an attacker see it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use testkit::corpus::workspace_root;

const EVENT: &str = r#"{"kind":"Event","auditID":"1","stage":"ResponseComplete","verb":"create","stageTimestamp":"2024-05-01T10:00:00Z","user":{"username":"eve"},"objectRef":{"resource":"namespaces","name":"mine"},"responseStatus":{"code":201}}"#;

/// The program with no source but the webhook.
struct Daemon {
    child: Child,
    port: u16,
    dir: tempfile::TempDir,
}

impl Daemon {
    fn start(options: &[String]) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        // Another test may take the port in between: then another one is tried.
        for _ in 0..5 {
            let port = testkit::port::free();
            let config = dir.path().join("falco.yaml");
            let alerts = dir.path().join("alerts");
            std::fs::write(
                &config,
                format!(
                    "engine: {{kind: nodriver}}\njson_output: true\nlog_stderr: true\nlog_syslog: false\n\
                     file_output: {{enabled: true, keep_alive: \"true\", filename: {}}}\n\
                     webserver: {{enabled: false, listen_port: {port}, listen_address: 127.0.0.1, \
                     k8s_audit_endpoint: /k8s-audit}}\n",
                    alerts.display()
                ),
            )
            .expect("written");
            let mut child = Command::new(env!("CARGO_BIN_EXE_peregrine"))
                .args([
                    "-c",
                    &config.display().to_string(),
                    "-r",
                    "rules/k8s_audit_rules.yaml",
                ])
                .args(options.iter().flat_map(|option| ["-o", option]))
                .current_dir(workspace_root())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the binary is built");
            let mut log = BufReader::new(child.stderr.take().expect("piped"));
            let mut line = String::new();
            while log.read_line(&mut line).is_ok_and(|length| length > 0) {
                if line.contains("events are taken at") {
                    // The rest of the log must not block the program.
                    std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
                    return Self { child, port, dir };
                }
            }
            assert!(line.contains("listen"), "{line}");
            let _ = child.wait();
        }
        panic!("no port was to be had");
    }

    fn request(&self, head: &str, body: &[u8]) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("connected");
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .expect("set");
        let length = body.len();
        let _ = stream.write_all(
            format!("{head}\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n")
                .as_bytes(),
        );
        // An oversized body is refused before it is read.
        let _ = stream.write_all(body);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let text = String::from_utf8_lossy(&answer).into_owned();
        text.split(' ').nth(1).unwrap_or("").to_owned()
    }

    fn post(&self, body: &[u8]) -> String {
        self.request(
            "POST /k8s-audit HTTP/1.1\r\nContent-Type: application/json",
            body,
        )
    }

    /// Waits until so many alerts are in the file.
    fn alerts(&self, wanted: usize) -> Vec<String> {
        let limit = Instant::now() + Duration::from_secs(60);
        loop {
            let text = std::fs::read_to_string(self.dir.path().join("alerts")).unwrap_or_default();
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            if lines.len() >= wanted {
                return lines;
            }
            assert!(Instant::now() < limit, "{} of {wanted} alerts", lines.len());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn good_and_bad_bodies() {
    let daemon = Daemon::start(&[]);
    let deep = "[".repeat(100_000);
    let huge = vec![b' '; 13 << 20];
    for (body, status) in [
        (EVENT.as_bytes(), "200"),
        (b"{\"kind\":0}", "400"),
        (b"5E5555", "400"),
        (b"", "400"),
        (b"{\"kind\":\"Event\"", "400"),
        (b"{\"kind\":\"\xff\xfe\"}", "400"),
        (deep.as_bytes(), "400"),
        (&huge, "413"),
    ] {
        assert_eq!(
            daemon.post(body),
            status,
            "{:?}",
            String::from_utf8_lossy(&body[..body.len().min(40)])
        );
    }
    let plain = "POST /k8s-audit HTTP/1.1\r\nContent-Type: text/plain";
    assert_eq!(daemon.request(plain, EVENT.as_bytes()), "400");
    assert_eq!(daemon.request("GET /k8s-audit HTTP/1.1", b""), "405");
    assert_eq!(
        daemon.request(
            "POST /other HTTP/1.1\r\nContent-Type: application/json",
            b"{}"
        ),
        "404"
    );
    // Of a list the good ones count; the same event twice is two events.
    let list = format!(r#"{{"kind":"EventList","items":[{EVENT},{{"kind":"Event"}},{EVENT}]}}"#);
    assert_eq!(daemon.post(list.as_bytes()), "200");
    let alerts = daemon.alerts(3);
    assert_eq!(alerts.len(), 3, "{alerts:#?}");
    assert!(
        alerts
            .iter()
            .all(|a| a.contains("Disallowed K8s User") && a.contains("\"source\":\"k8s_audit\""))
    );
}

#[test]
fn slow_senders_hold_up_nobody() {
    let daemon = Daemon::start(&[]);
    let slow: Vec<TcpStream> = (0..8)
        .map(|_| {
            let mut stream = TcpStream::connect(("127.0.0.1", daemon.port)).expect("connected");
            let head = "POST /k8s-audit HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
            stream.write_all(head.as_bytes()).expect("written");
            stream
        })
        .collect();
    for _ in 0..10 {
        assert_eq!(daemon.post(EVENT.as_bytes()), "200");
    }
    assert_eq!(daemon.alerts(10).len(), 10);
    drop(slow);
}

fn openssl(dir: &Path, args: &str) {
    let status = Command::new("openssl")
        .args(args.split(' '))
        .current_dir(dir)
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .expect("openssl is there");
    assert!(status.success(), "openssl {args}");
}

#[test]
fn https_with_client_certificates() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name);
    let new = "req -x509 -newkey rsa:2048 -nodes -days 2";
    openssl(
        dir.path(),
        &format!("{new} -keyout ca.key -out ca.pem -subj /CN=ca"),
    );
    for (name, extension) in [
        ("server", "subjectAltName=IP:127.0.0.1"),
        ("client", "extendedKeyUsage=clientAuth"),
    ] {
        std::fs::write(at("ext"), extension).expect("written");
        openssl(
            dir.path(),
            &format!(
                "req -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"
            ),
        );
        openssl(
            dir.path(),
            &format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out {name}.pem"
            ),
        );
    }
    let both = [
        std::fs::read(at("server.key")),
        std::fs::read(at("server.pem")),
    ];
    std::fs::write(at("both.pem"), both.map(Result::unwrap_or_default).concat()).expect("written");
    let daemon = Daemon::start(&[
        "webserver.ssl_enabled=true".to_owned(),
        format!("webserver.ssl_certificate={}", at("both.pem").display()),
        format!("webserver.ssl_client_ca={}", at("ca.pem").display()),
    ]);
    let curl = |more: &[&str]| {
        let output = Command::new("curl")
            .args([
                "-s",
                "-o",
                "/dev/null",
                "-w",
                "%{http_code}",
                "--cacert",
                "ca.pem",
            ])
            .args(["-H", "Content-Type: application/json", "-d", EVENT])
            .args(more)
            .arg(format!("https://127.0.0.1:{}/k8s-audit", daemon.port))
            .current_dir(dir.path())
            .output()
            .expect("curl is there");
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    assert_eq!(
        curl(&["--cert", "client.pem", "--key", "client.key"]),
        (true, "200".to_owned())
    );
    assert!(!curl(&[]).0, "a client without a certificate is let in");
    assert_eq!(daemon.alerts(1).len(), 1);
}
