//! What is learned of addresses from name servers, and of programs from their files, on the running machine,
//! and in a replay of what was recorded meanwhile.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::watch::{Place, Watch, live, peregrine, sh, signal};

/// Where the test's name server listens: an address of this machine that nobody else has.
const SERVER: &str = "127.83.71.53:53";

/// A question for an address, and the answer to it.
fn messages(name: &str, ip: [u8; 4]) -> (Vec<u8>, Vec<u8>) {
    let mut question = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        question.push(label.len() as u8);
        question.extend(label.as_bytes());
    }
    question.extend([0, 0, 1, 0, 1]);
    let mut answer = question.clone();
    (answer[2], answer[3], answer[7]) = (0x81, 0x80, 1);
    answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
    answer.extend(ip);
    (question, answer)
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}

/// Asks over UDP, from a socket that is connected or not.
fn ask_udp(server: &UdpSocket, name: &str, ip: [u8; 4], connects: bool) {
    let (question, answer) = messages(name, ip);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    if connects {
        client.connect(SERVER).unwrap();
        client.send(&question).unwrap();
    } else {
        client.send_to(&question, SERVER).unwrap();
    }
    let mut heard = [0; 512];
    let (_, from) = server.recv_from(&mut heard).unwrap();
    server.send_to(&answer, from).unwrap();
    if connects {
        client.recv(&mut heard).unwrap();
    } else {
        client.recv_from(&mut heard).unwrap();
    }
}

/// Asks over TCP, as C libraries do: the answer's length is read before the rest.
fn ask_tcp(server: &TcpListener, name: &str, ip: [u8; 4]) {
    let (question, answer) = messages(name, ip);
    let mut client = TcpStream::connect(SERVER).unwrap();
    let (mut served, _) = server.accept().unwrap();
    client.write_all(&framed(&question)).unwrap();
    let mut heard = vec![0; question.len() + 2];
    served.read_exact(&mut heard).unwrap();
    served.write_all(&framed(&answer)).unwrap();
    client.read_exact(&mut [0; 2]).unwrap();
    client.read_exact(&mut vec![0; answer.len()]).unwrap();
}

fn fields(alerts: &[Value], rule: &str, field: &str) -> Vec<String> {
    let mut all: Vec<String> = alerts
        .iter()
        .filter(|alert| alert["rule"] == rule)
        .map(|alert| match &alert["output_fields"][field] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
        .collect();
    all.sort();
    all
}

#[test]
fn connections_are_called_what_was_asked_for() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let own = std::process::id();
    let rules = format!(
        r#"
- rule: Named
  desc: A connection to what is called so.
  condition: evt.type = connect and proc.pid = {own} and fd.sip.dns in (.named.example)
  output: "%fd.name %fd.sip.dns"
  priority: WARNING

- rule: Asked
  desc: Somebody asks for a name.
  condition: evt.type in (sendto, write) and proc.pid = {own} and dns.query endswith .example
  output: "%dns.query"
  priority: WARNING
"#
    );
    let udp = UdpSocket::bind(SERVER).unwrap();
    let tcp = TcpListener::bind(SERVER).unwrap();
    let watch = Watch::start(&place, &rules, &[]);
    let mut reached = Vec::new();
    for (number, name) in [
        (1, Some("udp.named.example")),
        (2, Some("loose.NAMED.example")),
        (3, Some("tcp.named.example")),
        (4, Some("other.example")),
        (5, None),
    ] {
        let ip = [127, 83, 71, 100 + number];
        match (number, name) {
            (3, Some(name)) => ask_tcp(&tcp, name, ip),
            (_, Some(name)) => ask_udp(&udp, name, ip, number != 2),
            _ => {}
        }
        let listener = TcpListener::bind((std::net::Ipv4Addr::from(ip), 0)).unwrap();
        let to = listener.local_addr().unwrap();
        let _there = TcpStream::connect(to).unwrap();
        reached.push(to);
    }
    let (alerts, said, status) = watch.stop();
    assert!(status.success(), "{said}");
    assert_eq!(
        fields(&alerts, "Named", "fd.sip.dns"),
        [
            "loose.named.example",
            "tcp.named.example",
            "udp.named.example"
        ],
        "{reached:?}"
    );
    let asked = fields(&alerts, "Asked", "dns.query");
    for name in ["udp.named", "loose.named", "tcp.named", "other"] {
        assert!(asked.contains(&format!("{name}.example")), "{asked:?}");
    }
}

#[test]
fn programs_are_what_their_files_are() {
    let Some(_one) = live() else { return };
    if Command::new("dpkg").arg("--version").output().is_err() {
        eprintln!("left out: this machine has no dpkg");
        return;
    }
    let place = Place::new();
    let mark = place.mark().to_owned();
    let rules = format!(
        r#"
- rule: Program
  desc: What a program is.
  condition: >
    evt.type = execve and evt.failed = false and proc.args contains {mark} and proc.exe_identity = complete
  output: "%proc.args %proc.exe_package %proc.exe_package_intact %proc.exe_package_db %proc.exe_hash"
  priority: WARNING
"#
    );
    // However busy the machine is: an answer that comes is waited for.
    let options = ["-o", "container_metadata.wait_ms=10000"];
    let watch = Watch::start(&place, &rules, &options);
    let changed = place.path("changed");
    sh(&format!(
        "/bin/true {mark} packaged; cp /bin/true {0}; {0} {mark} copied; \
         cp /bin/true {0}.gone; {0}.gone {mark} gone & rm -f {0}.gone; wait",
        changed.display()
    ));
    let told = |what: &'static str| {
        watch.expect(move |alert| {
            let output = alert["output"].as_str().unwrap_or_default();
            alert["rule"] == "Program" && output.contains(what)
        })
    };
    let sum = sh("sha256sum /bin/true | cut -c1-64");
    for (what, package) in [
        (" packaged ", "coreutils true dpkg"),
        (" copied ", "<NA> <NA> dpkg"),
    ] {
        let alert = told(what);
        let output = alert["output"].as_str().unwrap();
        assert!(
            output.contains(&format!("{package} {}", sum.trim())),
            "{output}"
        );
    }
    let (_, said, status) = watch.stop();
    assert!(status.success(), "{said}");
}

/// What a recording was told to find out, its replay knows.
#[test]
fn recordings_hold_what_was_learned() {
    let Some(_one) = live() else { return };
    let place = Place::new();
    let mark = place.mark().to_owned();
    let file = place.path("seen.scap");
    let mut recorder = peregrine()
        .args(["record", "-q", "--identify", "--compression", "none"])
        .args(["-o", "container_metadata.wait_ms=10000"])
        .arg(&file)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let holds = |text: &str| {
        let bytes = std::fs::read(&file).unwrap_or_default();
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    // What happens before the machine is watched is not in the file: again, until it is.
    let udp = UdpSocket::bind(SERVER).unwrap();
    let listener = TcpListener::bind("127.83.71.100:0").unwrap();
    let begun = Instant::now();
    let own = place.path("own");
    let own = own.display();
    let make = format!("cp /bin/true {own}; echo {mark} >> {own}");
    let sum = sh(&format!("{make}; sha256sum {own} | cut -c1-64"));
    while !holds(sum.trim()) {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "nothing is recorded"
        );
        sh(&format!("{own} {mark}"));
        ask_udp(&udp, "www.named.example", [127, 83, 71, 100], true);
        TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        std::thread::sleep(Duration::from_millis(200));
    }
    signal(recorder.id(), "INT");
    assert!(recorder.wait().unwrap().success());
    let rules = format!(
        r#"
- rule: Program
  desc: What a program is.
  condition: evt.type = execve and proc.args = {mark} and proc.exe_identity = complete
  output: "%proc.exe_hash"
  priority: WARNING

- rule: Named
  desc: A connection to what is called so.
  condition: evt.type = connect and fd.sip.dns = www.named.example and fd.l4proto = tcp
  output: "%fd.sip.dns"
  priority: WARNING
"#
    );
    let rules = place.write("rules.yaml", rules.as_bytes());
    let output = peregrine()
        .args(["replay", "--json"])
        .arg(&file)
        .arg("-r")
        .arg(rules)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter(|line| line.starts_with('{'));
    let alerts: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let hashes = fields(&alerts, "Program", "proc.exe_hash");
    assert!(hashes.contains(&sum.trim().to_owned()), "{text}");
    let names = fields(&alerts, "Named", "fd.sip.dns");
    assert!(
        names.iter().any(|name| name == "www.named.example"),
        "{text}"
    );
}
