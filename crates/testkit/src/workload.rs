//! Synthetic workloads: long streams of plausible events for benchmarks and load tests.
//!
//! The same kind and seed give the same bytes on every machine, so that instruction counts can be
//! compared. The mixture follows what the kernel delivers today: exit events only, paths relative
//! to a directory descriptor, each process with a shell or daemon above it.

use event::{EventCode, RecordBuilder, codes};

/// What most of the events do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Processes that open files, talk to each other and end.
    Mixed,
    /// Fork, exec, exit.
    Process,
    /// Open, read, write, stat, close.
    File,
    /// Connect, accept, send, receive.
    Network,
}

impl Kind {
    /// All of them, with the names that tables print.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Mixed, "mixed"),
        (Self::Process, "process"),
        (Self::File, "file"),
        (Self::Network, "network"),
    ];
}

const PROGRAMS: [(&str, &str, &[&str]); 12] = [
    ("sh", "/usr/bin/dash", &["-c", "true"]),
    ("bash", "/usr/bin/bash", &["-lc", "make all"]),
    (
        "cc1",
        "/usr/lib/gcc/x86_64-linux-gnu/12/cc1",
        &["-quiet", "-O2", "main.c", "-o", "/tmp/x.s"],
    ),
    (
        "python3",
        "/usr/bin/python3.11",
        &["-m", "http.server", "--bind", "127.0.0.1"],
    ),
    ("nginx", "/usr/sbin/nginx", &["-g", "daemon off;"]),
    ("sed", "/usr/bin/sed", &["-e", "s/a/b/g"]),
    ("grep", "/usr/bin/grep", &["-rn", "needle", "."]),
    ("git", "/usr/bin/git", &["status", "--porcelain"]),
    ("cron", "/usr/sbin/cron", &["-f"]),
    (
        "postgres",
        "/usr/lib/postgresql/15/bin/postgres",
        &["-D", "/var/lib/postgresql/15/main"],
    ),
    (
        "curl",
        "/usr/bin/curl",
        &["-sS", "http://127.0.0.1:8080/health"],
    ),
    (
        "java",
        "/usr/lib/jvm/java-17/bin/java",
        &["-Xmx512m", "-jar", "/opt/app/service.jar"],
    ),
];

const FILES: [&str; 16] = [
    "/etc/ld.so.cache",
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/usr/lib/locale/locale-archive",
    "/proc/self/maps",
    "/etc/passwd",
    "/etc/nsswitch.conf",
    "/usr/share/zoneinfo/Etc/UTC",
    "/var/log/app/service.log",
    "/tmp/build/main.o",
    "src/include/config.h",
    "target/debug/deps/libcore.rlib",
    "/var/lib/postgresql/15/main/base/16384/2619",
    "/sys/fs/cgroup/memory.max",
    "/dev/null",
    "/home/user/project/.git/index",
    "/usr/lib/python3.11/encodings/utf_8.py",
];

const CGROUPS: &[u8] =
    b"cpuset=/\0cpu=/system.slice/app.service\0cpuacct=/system.slice/app.service\0\
io=/system.slice/app.service\0memory=/system.slice/app.service\0";
const ENV: &[u8] = b"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\0\
HOME=/root\0LANG=C.UTF-8\0SHELL=/bin/bash\0USER=root\0";

#[derive(Clone, Debug)]
struct Task {
    tid: i64,
    parent: i64,
    program: usize,
    next_fd: i64,
    files: Vec<i64>,
    sockets: Vec<i64>,
}

/// An endless stream of events.
///
/// ```
/// use testkit::workload::{Kind, Workload};
///
/// let mut workload = Workload::new(Kind::Mixed, 1);
/// let mut bytes = Vec::new();
/// workload.next_into(&mut bytes);
/// assert!(bytes.len() > 26);
/// ```
#[derive(Clone, Debug)]
pub struct Workload {
    kind: Kind,
    rng: u64,
    ts: u64,
    next_tid: i64,
    tasks: Vec<Task>,
    queue: std::collections::VecDeque<Vec<u8>>,
}

impl Workload {
    /// Starts a stream with eight long-lived processes.
    #[must_use]
    pub fn new(kind: Kind, seed: u64) -> Self {
        let mut workload = Self {
            kind,
            rng: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            ts: 1_700_000_000_000_000_000,
            next_tid: 1000,
            tasks: Vec::new(),
            queue: std::collections::VecDeque::new(),
        };
        for program in 0..8 {
            let tid = workload.fresh_tid();
            workload.tasks.push(Task {
                tid,
                parent: 1,
                program,
                next_fd: 3,
                files: Vec::new(),
                sockets: Vec::new(),
            });
            let last = workload.tasks.len() - 1;
            workload.exec(last);
        }
        workload
    }

    /// Replaces `out` by the bytes of the next event.
    pub fn next_into(&mut self, out: &mut Vec<u8>) {
        while self.queue.is_empty() {
            self.step();
        }
        let bytes = self.queue.pop_front().expect("step queues events");
        out.clear();
        out.extend_from_slice(&bytes);
    }

    fn random(&mut self, below: u64) -> u64 {
        self.rng ^= self.rng << 13;
        self.rng ^= self.rng >> 7;
        self.rng ^= self.rng << 17;
        (self.rng.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % below.max(1)
    }

    fn pick(&mut self, below: usize) -> usize {
        (self.random(1 << 30) as usize) % below.max(1)
    }

    fn fresh_tid(&mut self) -> i64 {
        self.next_tid += 1;
        self.next_tid
    }

    fn begin(&mut self, code: u16, tid: i64) -> RecordBuilder {
        self.ts += 200 + self.random(2000);
        RecordBuilder::new(EventCode::new(code), self.ts, tid)
    }

    fn push(&mut self, record: RecordBuilder) {
        self.queue.push_back(record.finish());
    }

    fn step(&mut self) {
        let task = self.pick(self.tasks.len());
        let dice = self.random(1000);
        match self.kind {
            Kind::Process => self.life(task),
            Kind::File => self.file(task, dice),
            Kind::Network => self.network(task, dice),
            Kind::Mixed if dice < 12 => self.life(task),
            Kind::Mixed if dice < 200 => self.network(task, dice * 5 % 1000),
            Kind::Mixed if dice < 260 => self.memory(task),
            Kind::Mixed => self.file(task, dice * 7 % 1000),
        }
    }

    /// A child is made, executes, opens its libraries and ends.
    fn life(&mut self, parent: usize) {
        let child = self.fresh_tid();
        self.clone_events(parent, child);
        let program = self.pick(PROGRAMS.len());
        let parent_tid = self.tasks[parent].tid;
        self.tasks.push(Task {
            tid: child,
            parent: parent_tid,
            program,
            next_fd: 3,
            files: Vec::new(),
            sockets: Vec::new(),
        });
        let last = self.tasks.len() - 1;
        self.exec(last);
        for file in &FILES[..3] {
            self.open(last, file);
            self.close(last);
        }
        self.memory(last);
        let record = self
            .begin(codes::PROCEXIT_1_E, child)
            .i64(0)
            .i64(0)
            .u8(0)
            .u8(0)
            .i64(0);
        self.push(record);
        self.tasks.pop();
    }

    fn clone_events(&mut self, parent: usize, child: i64) {
        let (tid, ptid) = (self.tasks[parent].tid, self.tasks[parent].parent);
        let (comm, exe, args) = program(self.tasks[parent].program);
        for (result, own, above) in [(child, tid, ptid), (0, child, tid)] {
            let record = self
                .begin(codes::SYSCALL_CLONE_20_X, own)
                .i64(result)
                .text(exe)
                .bytes(&args)
                .i64(own)
                .i64(own)
                .i64(above)
                .text("")
                .i64(1024)
                .u64(0)
                .u64(312)
                .u32(9212)
                .u32(5120)
                .u32(0)
                .text(comm)
                .bytes(CGROUPS)
                .u32(0x0180_0000)
                .u32(0)
                .u32(0)
                .i64(own)
                .i64(own)
                .u64(0);
            self.push(record);
        }
    }

    fn exec(&mut self, task: usize) {
        let (tid, parent) = (self.tasks[task].tid, self.tasks[task].parent);
        let (comm, exe, args) = program(self.tasks[task].program);
        let record = self
            .begin(codes::SYSCALL_EXECVE_19_X, tid)
            .i64(0)
            .text(exe)
            .bytes(&args)
            .i64(tid)
            .i64(tid)
            .i64(parent)
            .text("")
            .u64(1024)
            .u64(0)
            .u64(85)
            .u32(4096)
            .u32(1024)
            .u32(0)
            .text(comm)
            .bytes(CGROUPS)
            .bytes(ENV)
            .u32(0)
            .i64(tid)
            .u32(u32::MAX)
            .u32(1)
            .u64(0)
            .u64(0x1ff_ffff_ffff)
            .u64(0x1ff_ffff_ffff)
            .u64(131_072 + tid as u64 % 100)
            .u64(1_690_000_000_000_000_000)
            .u64(1_680_000_000_000_000_000)
            .u32(0)
            .text(exe)
            .i64(tid)
            .u32(0)
            .text(exe);
        self.push(record);
    }

    fn open(&mut self, task: usize, name: &str) {
        let tid = self.tasks[task].tid;
        let fd = self.tasks[task].next_fd;
        self.tasks[task].next_fd += 1;
        self.tasks[task].files.push(fd);
        let record = self
            .begin(codes::SYSCALL_OPENAT_2_X, tid)
            .i64(fd)
            .i64(-100)
            .text(name)
            .u32(4097)
            .u32(0)
            .u32(0x801)
            .u64(1_000_000 + fd as u64);
        self.push(record);
    }

    fn close(&mut self, task: usize) {
        let Some(fd) = self.tasks[task].files.pop() else {
            return;
        };
        if fd + 1 == self.tasks[task].next_fd {
            self.tasks[task].next_fd = fd;
        }
        let tid = self.tasks[task].tid;
        let record = self.begin(codes::SYSCALL_CLOSE_X, tid).i64(0).i64(fd);
        self.push(record);
    }

    fn memory(&mut self, task: usize) {
        let tid = self.tasks[task].tid;
        let record = self
            .begin(codes::SYSCALL_MMAP_X, tid)
            .i64(0x7f00_0000_0000)
            .u32(9212)
            .u32(5120)
            .u32(0)
            .u64(0)
            .u64(8192)
            .u32(3)
            .u32(0x22)
            .i64(-1)
            .u64(0);
        self.push(record);
        let record = self
            .begin(codes::SYSCALL_MUNMAP_X, tid)
            .i64(0)
            .u32(9200)
            .u32(5120)
            .u32(0)
            .u64(0x7f00_0000_0000)
            .u64(8192);
        self.push(record);
    }

    fn file(&mut self, task: usize, dice: u64) {
        let tid = self.tasks[task].tid;
        let name = FILES[self.pick(FILES.len())];
        if dice < 50 {
            let record = self
                .begin(codes::SYSCALL_NEWFSTATAT_X, tid)
                .i64(-2)
                .i64(-100)
                .text(name)
                .u32(0);
            self.push(record);
            return;
        }
        if dice < 80 {
            let record = self
                .begin(codes::SYSCALL_OPENAT_2_X, tid)
                .i64(-2)
                .i64(-100)
                .text(name)
                .u32(1)
                .u32(0)
                .u32(0)
                .u64(0);
            self.push(record);
            return;
        }
        self.open(task, name);
        let fd = *self.tasks[task].files.last().expect("just opened");
        let record = self.begin(codes::SYSCALL_FSTAT_X, tid).i64(0).i64(fd);
        self.push(record);
        for _ in 0..1 + self.random(4) {
            let data = [b'x'; 80];
            let write = dice > 700;
            let code = if write {
                codes::SYSCALL_WRITE_X
            } else {
                codes::SYSCALL_READ_X
            };
            let record = self.begin(code, tid).i64(80).bytes(&data).i64(fd).u32(4096);
            self.push(record);
        }
        if self.tasks[task].files.len() < 24 && dice > 900 {
            return;
        }
        self.close(task);
    }

    fn network(&mut self, task: usize, dice: u64) {
        let tid = self.tasks[task].tid;
        let port = 32768 + self.random(20000) as u16;
        if self.tasks[task].sockets.len() < 4 || dice < 60 {
            let fd = self.tasks[task].next_fd;
            self.tasks[task].next_fd += 1;
            let tuple = tuple(
                [10, 0, (port >> 8) as u8, port as u8],
                port,
                [10, 0, 0, 1],
                443,
            );
            let record = if dice.is_multiple_of(2) {
                let record = self
                    .begin(codes::SOCKET_SOCKET_X, tid)
                    .i64(fd)
                    .u32(2)
                    .u32(1)
                    .u32(0)
                    .u32(0);
                self.push(record);
                let addr = [&tuple[..1], &tuple[7..13]].concat();
                self.begin(codes::SOCKET_CONNECT_X, tid)
                    .i64(0)
                    .bytes(&tuple)
                    .i64(fd)
                    .bytes(&addr)
            } else {
                self.begin(codes::SOCKET_ACCEPT4_6_X, tid)
                    .i64(fd)
                    .bytes(&tuple)
                    .u8(0)
                    .u32(0)
                    .u32(128)
                    .u32(0)
            };
            self.push(record);
            self.tasks[task].sockets.push(fd);
            return;
        }
        let index = self.pick(self.tasks[task].sockets.len());
        let fd = self.tasks[task].sockets[index];
        if dice > 950 {
            self.tasks[task].sockets.swap_remove(index);
            if fd + 1 == self.tasks[task].next_fd {
                self.tasks[task].next_fd = fd;
            }
            let record = self.begin(codes::SYSCALL_CLOSE_X, tid).i64(0).i64(fd);
            self.push(record);
            return;
        }
        let data = [b'G'; 80];
        let record = if dice.is_multiple_of(2) {
            self.begin(codes::SOCKET_SENDTO_X, tid)
                .i64(80)
                .bytes(&data)
                .i64(fd)
                .u32(80)
                .empty()
        } else {
            self.begin(codes::SOCKET_RECVFROM_X, tid)
                .i64(80)
                .bytes(&data)
                .empty()
                .i64(fd)
                .u32(4096)
        };
        self.push(record);
        let record = self.begin(codes::SYSCALL_EPOLLWAIT_X, tid).i64(1).i64(512);
        self.push(record);
    }
}

fn program(index: usize) -> (&'static str, &'static str, Vec<u8>) {
    let (comm, exe, args) = PROGRAMS[index];
    let mut blob = Vec::new();
    for arg in args {
        blob.extend_from_slice(arg.as_bytes());
        blob.push(0);
    }
    (comm, exe, blob)
}

fn tuple(source: [u8; 4], sport: u16, dest: [u8; 4], dport: u16) -> Vec<u8> {
    let mut bytes = vec![event::sock::AF_INET];
    bytes.extend_from_slice(&source);
    bytes.extend_from_slice(&sport.to_le_bytes());
    bytes.extend_from_slice(&dest);
    bytes.extend_from_slice(&dport.to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use event::{Record, RecordFlags};

    #[test]
    fn every_event_is_a_valid_record_of_today() {
        for (kind, name) in Kind::ALL {
            let mut workload = Workload::new(kind, 7);
            let mut bytes = Vec::new();
            let mut last = 0;
            for _ in 0..20_000 {
                workload.next_into(&mut bytes);
                let record = Record::parse(&bytes, 0, RecordFlags::default()).expect(name);
                assert_eq!(record.len(), record.info.params.len(), "{}", record.info.id);
                for (i, param) in record.info.params.iter().enumerate() {
                    let len = record.param(i).len();
                    assert!(
                        len == 0 || param.ty.width().is_none_or(|w| w == len),
                        "{}",
                        param.name
                    );
                }
                assert!(record.ts > last);
                last = record.ts;
            }
        }
    }

    #[test]
    fn same_seed_same_bytes() {
        let (mut a, mut b) = (Workload::new(Kind::Mixed, 3), Workload::new(Kind::Mixed, 3));
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for _ in 0..5000 {
            a.next_into(&mut x);
            b.next_into(&mut y);
            assert_eq!(x, y);
        }
    }
}
