//! Outputs against the real daemons of Debian: rsyslog and the NATS server.

#![allow(
    clippy::unwrap_used,
    reason = "a fault of the harness is a failed test"
)]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use outputs::channel::nats::NatsTarget;
use outputs::channel::socket::SocketTarget;
use outputs::channel::syslog::{Form, Place, SyslogTarget};
use outputs::{Output, Outputs, Target};
use rules::Priority;
use support::{output, policy, quiet, until};

/// A daemon that ends with the test.
struct Daemon(Child);

impl Daemon {
    /// `None`, and a word about it, where the program is not installed.
    fn start(program: &str, args: &[&str]) -> Option<Self> {
        let mut command = Command::new(program);
        command
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        match command.spawn() {
            Ok(child) => Some(Self(child)),
            Err(error) => {
                assert!(
                    std::env::var_os("PEREGRINE_REQUIRE_LIVE").is_none(),
                    "{program}: {error}"
                );
                eprintln!("left out: no {program}");
                None
            }
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn named(name: &str, target: Target) -> Output {
    Output {
        name: name.to_owned(),
        ..output(target, None)
    }
}

fn start(outputs: &[Output]) -> Outputs {
    Outputs::start(outputs, policy(), Duration::from_secs(60), &quiet()).unwrap()
}

fn rsyslog(dir: &Path, port: u16) -> Option<Daemon> {
    let file = |name: &str| dir.join(name).display().to_string();
    let config = format!(
        "module(load=\"imudp\")\nmodule(load=\"imtcp\")\nmodule(load=\"imuxsock\" SysSock.Use=\"off\")\n\
         input(type=\"imuxsock\" Socket=\"{}\")\n\
         input(type=\"imudp\" port=\"{port}\" address=\"127.0.0.1\")\n\
         input(type=\"imtcp\" port=\"{port}\" address=\"127.0.0.1\")\n\
         template(name=\"t\" type=\"string\" string=\"%inputname% %protocol-version% \
         %syslogfacility-text%.%syslogseverity-text% %app-name%%msg%\\n\")\n\
         *.* action(type=\"omfile\" file=\"{}\" template=\"t\")\n",
        file("log"),
        file("out"),
    );
    std::fs::write(dir.join("rsyslog.conf"), config).unwrap();
    let daemon = Daemon::start(
        "rsyslogd",
        &["-n", "-f", &file("rsyslog.conf"), "-i", &file("pid")],
    )?;
    until("rsyslog listens", || {
        dir.join("log").exists() && TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    Some(daemon)
}

#[test]
fn syslog_in_every_form_and_through_a_restart() {
    let (dir, port) = (tempfile::tempdir().unwrap(), testkit::port::free());
    let Some(daemon) = rsyslog(dir.path(), port) else {
        return;
    };
    let address = format!("127.0.0.1:{port}");
    let local = SyslogTarget {
        hostname: "here".to_owned(),
        ..SyslogTarget::local("peregrine")
    };
    let targets = [
        (
            "unix",
            SyslogTarget {
                place: Place::Local(dir.path().join("log")),
                facility: 10,
                ..local.clone()
            },
        ),
        (
            "udp",
            SyslogTarget {
                place: Place::Udp(address.clone()),
                form: Form::Rfc5424,
                ..local.clone()
            },
        ),
        (
            "tcp",
            SyslogTarget {
                place: Place::Tcp(address.clone()),
                ..local.clone()
            },
        ),
        (
            "counted",
            SyslogTarget {
                place: Place::Tcp(address),
                form: Form::Rfc5424,
                counted: true,
                facility: 19,
                ..local
            },
        ),
    ];
    let list: Vec<Output> = targets
        .into_iter()
        .map(|(name, target)| named(name, Target::Syslog(target)))
        .collect();
    let outputs = start(&list);
    let lines = || {
        let text = std::fs::read_to_string(dir.path().join("out")).unwrap_or_default();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    outputs.send_internal("r", Priority::Critical, b"first");
    until("all four forms arrive", || lines().len() >= 4);
    assert_eq!(
        lines(),
        [
            "imtcp 0 user.crit peregrine first",
            "imtcp 1 local3.crit peregrinefirst",
            "imudp 1 user.crit peregrinefirst",
            "imuxsock 0 authpriv.crit peregrine first",
        ]
    );
    drop(daemon);
    let _ = std::fs::remove_file(dir.path().join("log"));
    let _daemon = rsyslog(dir.path(), port).unwrap();
    // A stream learns of the end of the other side only when it is used: the check before a write
    // finds it.
    outputs.send_internal("r", Priority::Warning, b"second");
    until("they arrive after a restart", || {
        lines()
            .iter()
            .filter(|line| line.ends_with("second"))
            .count()
            >= 4
    });
    assert!(outputs.finish(Some(Duration::from_secs(30))));
}

/// Reads what is published until so many messages have come.
fn subscribe(port: u16) -> TcpStream {
    until("NATS listens", || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .write_all(
            b"CONNECT {\"verbose\":false,\"user\":\"u\",\"pass\":\"p\"}\r\nSUB a.> 1\r\nPING\r\n",
        )
        .unwrap();
    let mut text = String::new();
    while !text.contains("PONG") {
        let mut bytes = [0; 4096];
        let length = stream.read(&mut bytes).unwrap();
        assert!(length > 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&bytes[..length]));
    }
    stream
}

fn receive(stream: &mut TcpStream, text: &str) -> String {
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut all = String::new();
    while !all.contains(text) {
        let mut bytes = [0; 65536];
        let length = stream.read(&mut bytes).unwrap();
        assert!(length > 0, "{all}");
        all.push_str(&String::from_utf8_lossy(&bytes[..length]));
    }
    all
}

#[test]
fn nats_with_a_login_and_through_a_restart() {
    let port = testkit::port::free();
    let text = port.to_string();
    let args = ["-a", "127.0.0.1", "-p", &text, "--user", "u", "--pass", "p"];
    let Some(daemon) = Daemon::start("nats-server", &args) else {
        return;
    };
    let mut subscriber = subscribe(port);
    let target = NatsTarget {
        address: format!("127.0.0.1:{port}"),
        subject: "a.alerts".to_owned(),
        login: Some(("u".to_owned(), "p".to_owned())),
        jetstream: false,
        tls: None,
        timeout: Duration::from_secs(5),
    };
    let stranger = NatsTarget {
        login: None,
        ..target.clone()
    };
    let outputs = start(&[
        named("good", Target::Nats(target)),
        named("bad", Target::Nats(stranger)),
    ]);
    for number in 0..1000 {
        outputs.send_internal(
            "r",
            Priority::Notice,
            format!("{{\"n\":{number}}}").as_bytes(),
        );
    }
    outputs.send_internal("r", Priority::Notice, &[b'x'; 2 << 20]);
    outputs.send_internal("r", Priority::Notice, b"last");
    let all = receive(&mut subscriber, "last");
    assert_eq!(all.matches("MSG a.alerts 1 ").count(), 1001);
    until("they are acknowledged", || {
        outputs.report()[0].counts.delivered == 1001
    });
    until("the stranger is sent away", || {
        outputs.report()[1].error.is_some()
    });
    let report = outputs.report();
    assert_eq!(report[0].counts.refused, 1, "larger than the server takes");
    assert_eq!(report[1].counts.delivered, 0);
    assert!(
        report[1].error.as_ref().unwrap().contains("Authorization"),
        "{:?}",
        report[1].error
    );
    drop(daemon);
    outputs.send_internal("r", Priority::Notice, b"while it is away");
    until("it is noticed", || outputs.report()[0].failing.is_some());
    let _daemon = Daemon::start("nats-server", &args).unwrap();
    // Core NATS hands messages to who listens at that moment; what counts here is that it is taken.
    until("it is taken after all", || {
        outputs.report()[0].counts.delivered == 1002
    });
    let _ = outputs.finish(Some(Duration::from_millis(100)));
}

#[test]
fn a_unix_socket_that_is_bound_anew() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let target = SocketTarget {
        path: path.clone(),
        datagram: false,
        timeout: Duration::from_secs(5),
    };
    let outputs = start(&[named("socket", Target::Socket(target))]);
    for text in ["one", "two"] {
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        outputs.send_internal("r", Priority::Notice, text.as_bytes());
        let (mut stream, _) = listener.accept().unwrap();
        let mut bytes = [0; 64];
        let length = stream.read(&mut bytes).unwrap();
        assert_eq!(&bytes[..length], format!("{text}\n").as_bytes());
    }
    assert!(outputs.finish(Some(Duration::from_secs(30))));
}
