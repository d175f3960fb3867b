//! The view of the running daemon, in a terminal of `script`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use crate::support::Place;

/// Answers a few times as a daemon would.
fn daemon(times: usize) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for time in 0..times {
            let Ok((mut stream, _)) = listener.accept() else {
                return;
            };
            let mut request = [0; 1024];
            let _ = stream.read(&mut request);
            let body = format!(
                "{{\"fields\":{{\"falco.num_evts\":{},\"evt.hostname\":\"node-7\",\"falco.rules.matches_total\":{time}}},\
                 \"rules\":[{{\"rule\":\"Terminal shell in container\",\"count\":{time}}}],\
                 \"activity\":{{\"types\":[{{\"name\":\"openat\",\"rate\":41.5}}],\"containers\":[],\
                 \"processes\":[{{\"pid\":77,\"name\":\"evil\\u001b[2J\",\"container\":\"\",\"rate\":9.0}}]}}}}",
                1000 * (time + 1)
            );
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
        }
    });
    address
}

#[test]
fn one_picture_for_scripts() {
    let place = Place::new();
    let address = daemon(2).to_string();
    let run = place.run(&["top", "--once", "--interval", "200", "--address", &address]);
    run.check(
        0,
        &[
            "peregrine on node-7",
            "2000 in all",
            "41.5/s  openat",
            "+1  Terminal shell in container",
        ],
        &[],
    );
    assert!(!run.out().contains('\u{1b}'), "{}", run.out());
    place
        .run(&["top", "--once", "--address", "127.0.0.1:1"])
        .check(1, &[], &["no daemon answers at 127.0.0.1:1"]);
}

#[test]
fn a_terminal_session_that_ends_with_q() {
    let address = daemon(50).to_string();
    let command = format!(
        "stty rows 30 cols 100; {} top --interval 200 --address {address}",
        env!("CARGO_BIN_EXE_peregrine")
    );
    let script = Command::new("script")
        .args(["-q", "-e", "-c", &command, "/dev/null"])
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut script) = script else {
        println!("left out: there is no script(1) here");
        return;
    };
    let mut input = script.stdin.take().unwrap();
    let mut output = script.stdout.take().unwrap();
    // Pictures come until a key ends it.
    let mut seen = Vec::new();
    let mut chunk = [0; 4096];
    while !String::from_utf8_lossy(&seen).contains("openat") {
        let count = output.read(&mut chunk).unwrap();
        assert_ne!(count, 0, "{}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&chunk[..count]);
    }
    input.write_all(b"q").unwrap();
    input.flush().unwrap();
    output.read_to_end(&mut seen).unwrap();
    assert!(script.wait().unwrap().success());
    let seen = String::from_utf8_lossy(&seen);
    // The other screen is entered, drawn on, and left; nothing that a process is called acts on the terminal.
    assert!(
        seen.contains("\u{1b}[?1049h") && seen.trim_end().ends_with("\u{1b}[?1049l"),
        "{seen:?}"
    );
    assert!(
        seen.contains("PROCESSES") && seen.contains("evil\u{fffd}[2J"),
        "{seen:?}"
    );
}

/// A daemon that watches nothing, ended when it is dropped.
struct Daemon {
    child: Child,
    address: String,
}

impl Daemon {
    fn start(place: &Place) -> Self {
        place.write(
            "service.yaml",
            b"rules_files: [rules.yaml]\nengine: {kind: nodriver}\nlog_stderr: true\nlog_syslog: false\n\
              stdout_output: {enabled: false}\nfile_output: {enabled: true, filename: alerts}\n\
              webserver: {enabled: true, listen_address: 127.0.0.1, listen_port: 0, k8s_audit_endpoint: /k8s-audit}\n",
        );
        let mut child = Command::new(env!("CARGO_BIN_EXE_peregrine"))
            .args(["-c", "service.yaml"])
            .env("FALCO_HOSTNAME", "here")
            .current_dir(place.path("."))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = lines
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| {
                Some(
                    line.split_once("web server listens on http://")?
                        .1
                        .trim()
                        .to_owned(),
                )
            })
            .unwrap();
        // What it says later has a reader.
        std::thread::spawn(move || lines.count());
        Self { child, address }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_daemon_itself_answers() {
    let place = Place::new();
    let daemon = Daemon::start(&place);
    place
        .run(&[
            "top",
            "--once",
            "--interval",
            "200",
            "--address",
            &daemon.address,
        ])
        .check(
            0,
            &[
                "peregrine on here",
                "nodriver",
                "no alert so far",
                "none was busy",
            ],
            &[],
        );
    place
        .run(&["profile", "--daemon", "--address", &daemon.address])
        .check(
            0,
            &["Rules since the daemon's start", "0 rules were asked"],
            &[],
        );
    let configured = place.run(&[
        "top",
        "--once",
        "-c",
        "falco.yaml",
        "-o",
        "webserver.enabled=false",
    ]);
    configured.check(1, &[], &["webserver.enabled"]);
}
