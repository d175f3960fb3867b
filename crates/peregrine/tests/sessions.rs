//! Who runs kubectl exec: an audit event and the processes that it starts, in one capture.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

mod support;

use capture::{Compression, Writer};
use event::snapshot::{MachineInfo, Process};
use event::{EventCode, Record, RecordBuilder, RecordFlags, codes};
use support::{Place, START};

const ID: &str = "3ad7b26ded6d0123456789abcdef0123456789abcdef0123456789abcdef0123";

const RULES: &str = r#"
- rule: By kubectl
  desc: What somebody does in a pod by way of the API server.
  condition: evt.type in (execve, openat) and k8s.user.name = eve and k8s.user.groups intersects (dev)
  output: user=%k8s.user.name groups=%k8s.user.groups pod=%k8s.pod.name type=%evt.type command=%proc.cmdline
  priority: NOTICE
"#;

fn send(writer: &mut Writer<Vec<u8>>, builder: RecordBuilder) {
    let bytes = builder.finish();
    let record = Record::parse(&bytes, 0, RecordFlags::default()).unwrap();
    writer.event(&record).unwrap();
}

fn at(code: u16, milliseconds: u64, tid: i64) -> RecordBuilder {
    RecordBuilder::new(EventCode::new(code), START + milliseconds * 1_000_000, tid)
}

fn execve(
    writer: &mut Writer<Vec<u8>>,
    milliseconds: u64,
    tid: i64,
    parent: i64,
    name: &str,
    args: &[u8],
) {
    let mut builder = at(codes::SYSCALL_EXECVE_19_X, milliseconds, tid)
        .i64(0)
        .text(name)
        .bytes(args)
        .i64(tid)
        .i64(tid)
        .i64(parent)
        .text("/")
        .i64(512)
        .u64(0)
        .u64(0)
        .u32(0)
        .u32(0)
        .u32(0)
        .text(name)
        .bytes(format!("cpu=/docker/{ID}\0").as_bytes())
        .bytes(b"A=1\0")
        .u32(0)
        .i64(tid);
    for _ in 18..27 {
        builder = builder.empty();
    }
    send(writer, builder.text(format!("/bin/{name}")));
}

fn openat(writer: &mut Writer<Vec<u8>>, milliseconds: u64, tid: i64) {
    let builder = at(codes::SYSCALL_OPENAT_2_X, milliseconds, tid);
    send(
        writer,
        builder
            .i64(3)
            .i64(-100)
            .text("/etc/x")
            .u32(1)
            .u32(0)
            .u32(0)
            .u64(42),
    );
}

/// A shim on the host, two processes in a container that the shim has started, a child of the second.
fn standing() -> Writer<Vec<u8>> {
    let mut writer = Writer::new(Vec::new(), Compression::None).unwrap();
    writer.machine(&MachineInfo::default()).unwrap();
    let cgroups = format!("cpu=/docker/{ID}\0");
    for (tid, ptid, vtid, comm, inside) in [
        (50, 1, 50, &b"shim"[..], false),
        (100, 50, 1, b"server", true),
        (200, 50, 7, b"runc", true),
        (300, 200, 8, b"runc", true),
        (400, 100, 9, b"server", true),
    ] {
        let process = Process {
            tid,
            pid: tid,
            ptid,
            vtid,
            vpid: vtid,
            comm,
            exe: comm,
            cwd: b"/",
            cgroups: if inside { cgroups.as_bytes() } else { b"" },
            ..Process::default()
        };
        writer.process(&process).unwrap();
    }
    let json = format!(
        r#"{{"container":{{"id":"{}","full_id":"{ID}","name":"c","type":0,"labels":{{"io.kubernetes.pod.name":"web","io.kubernetes.pod.namespace":"shop","io.kubernetes.container.name":"c"}}}}}}"#,
        &ID[..12]
    );
    let container = at(codes::ASYNCEVENT_E, 0, -1).u32(0).text("container");
    send(
        &mut writer,
        container.bytes(&[json.as_bytes(), b"\0"].concat()),
    );
    writer
}

fn audited(writer: &mut Writer<Vec<u8>>, milliseconds: u64, event: &str) {
    let record = at(codes::PLUGINEVENT_E, milliseconds, -1);
    send(writer, record.u32(1).bytes(event.as_bytes()));
}

fn capture(request_first: bool) -> Vec<u8> {
    let mut writer = standing();
    let request = |writer: &mut Writer<Vec<u8>>| {
        let event = r#"{"kind":"Event","auditID":"1","stage":"ResponseStarted","stageTimestamp":"2023-11-14T22:13:20.5Z","verb":"get","requestURI":"/x?command=sh&command=-i&container=c","user":{"username":"eve","groups":["dev"]},"objectRef":{"resource":"pods","subresource":"exec","namespace":"shop","name":"web"},"responseStatus":{"code":101}}"#;
        audited(writer, 500, event);
    };
    // The server's own work is nobody's.
    openat(&mut writer, 100, 100);
    if request_first {
        request(&mut writer);
    }
    execve(&mut writer, 700, 200, 50, "sh", b"-i\0");
    if !request_first {
        request(&mut writer);
    }
    openat(&mut writer, 800, 200);
    execve(&mut writer, 900, 300, 200, "cat", b"/etc/x\0");
    openat(&mut writer, 1000, 300);
    openat(&mut writer, 1100, 100);
    writer.finish().unwrap()
}

fn alerts(capture: &[u8]) -> Vec<String> {
    let place = Place::new();
    place.write("capture.scap", capture);
    place.write("rules.yaml", RULES.as_bytes());
    let run = place.falco(&["--enable-source", "k8s_audit"]);
    run.check(0, &[], &[]);
    let out = run.out();
    let alerts = out.lines().filter(|line| line.contains("user="));
    alerts
        .map(|line| line.split("Notice ").nth(1).unwrap_or("").to_owned())
        .collect()
}

#[test]
fn a_session_is_joined_to_what_it_starts() {
    let line = |kind: &str, command: &str| {
        format!("user=eve groups=(dev) pod=web type={kind} command={command}")
    };
    let later = [
        line("openat", "sh -i"),
        line("execve", "cat /etc/x"),
        line("openat", "cat /etc/x"),
    ];
    let whole = [vec![line("execve", "sh -i")], later.to_vec()].concat();
    assert_eq!(alerts(&capture(true)), whole);
    // Told after the process began: what it does from then on is joined.
    assert_eq!(alerts(&capture(false)), later);
}

#[test]
fn who_attaches_has_the_first_process_and_what_it_starts() {
    let mut writer = standing();
    let attach = |stage: &str, second: u32| {
        format!(
            r#"{{"kind":"Event","auditID":"9","stage":"{stage}","stageTimestamp":"2023-11-14T22:13:{second}Z","verb":"create","requestURI":"/x?container=c&stdin=true","user":{{"username":"eve","groups":["dev"]}},"objectRef":{{"resource":"pods","subresource":"attach","namespace":"shop","name":"web"}},"responseStatus":{{"code":101}}}}"#
        )
    };
    // Before anybody is attached.
    openat(&mut writer, 100, 100);
    audited(&mut writer, 1000, &attach("ResponseStarted", 21));
    openat(&mut writer, 1100, 100);
    // A child of the first process; and one that somebody else brought in, with its child.
    execve(&mut writer, 1200, 400, 100, "sh", b"-i\0");
    openat(&mut writer, 1300, 400);
    openat(&mut writer, 1400, 200);
    openat(&mut writer, 1500, 300);
    // What is on the host is nobody's.
    openat(&mut writer, 1600, 50);
    audited(&mut writer, 2000, &attach("ResponseComplete", 22));
    openat(&mut writer, 2100, 100);
    openat(&mut writer, 2200, 400);
    let line = |kind: &str, command: &str| {
        format!("user=eve groups=(dev) pod=web type={kind} command={command}")
    };
    assert_eq!(
        alerts(&writer.finish().unwrap()),
        [
            line("openat", "server"),
            line("execve", "sh -i"),
            line("openat", "sh -i")
        ]
    );
}
