//! What the actors of the sample incident do, as records.

use event::{EventCode, RecordBuilder, codes, constants};

use super::cast::Actor;
use super::{BOOT, CURRENT_FOLDER, SHOP, START};

/// The records of the story while they are told.
#[derive(Debug, Default)]
pub(super) struct Story {
    pub(super) now: u64,
    pub(super) records: Vec<(u16, Vec<u8>)>,
}

pub(super) fn socket_tuple(from: ([u8; 4], u16), to: ([u8; 4], u16)) -> Vec<u8> {
    let mut raw = vec![event::sock::AF_INET];
    for (ip, port) in [from, to] {
        raw.extend_from_slice(&ip);
        raw.extend_from_slice(&port.to_le_bytes());
    }
    raw
}

impl Story {
    pub(super) fn begin(&mut self, code: u16, actor: &Actor, pause: u64) -> RecordBuilder {
        self.now += pause;
        RecordBuilder::new(EventCode::new(code), START + self.now, actor.pid)
    }

    pub(super) fn push(&mut self, actor: &Actor, record: RecordBuilder) {
        self.records.push((actor.pid as u16 % 4, record.finish()));
    }

    /// The parent's and the child's return from making the child.
    pub(super) fn fork(&mut self, parent: &Actor, child: &Actor) {
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

    pub(super) fn exec(&mut self, actor: &Actor) {
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
    pub(super) fn run(&mut self, parent: &Actor, child: &Actor) {
        self.fork(parent, child);
        self.exec(child);
        self.read_file(child, 3, "/etc/ld.so.cache", 240);
    }

    pub(super) fn open(&mut self, actor: &Actor, fd: i64, path: &str, flags: u32) {
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

    pub(super) fn transfer(&mut self, code: u16, actor: &Actor, fd: i64, data: &[u8]) {
        let seen = &data[..data.len().min(80)];
        let record = self
            .begin(code, actor, 28_000)
            .i64(data.len() as i64)
            .bytes(seen)
            .i64(fd)
            .u32(4096.max(data.len() as u32));
        self.push(actor, record);
    }

    pub(super) fn read(&mut self, actor: &Actor, fd: i64, data: &[u8]) {
        self.transfer(codes::SYSCALL_READ_X, actor, fd, data);
    }

    pub(super) fn write(&mut self, actor: &Actor, fd: i64, data: &[u8]) {
        self.transfer(codes::SYSCALL_WRITE_X, actor, fd, data);
    }

    pub(super) fn close(&mut self, actor: &Actor, fd: i64) {
        let record = self
            .begin(codes::SYSCALL_CLOSE_X, actor, 9_000)
            .i64(0)
            .i64(fd);
        self.push(actor, record);
    }

    pub(super) fn read_file(&mut self, actor: &Actor, fd: i64, path: &str, length: usize) {
        self.open(actor, fd, path, constants::O_RDONLY | constants::O_CLOEXEC);
        self.read(actor, fd, &vec![b'.'; length]);
        self.close(actor, fd);
    }

    pub(super) fn accept(&mut self, actor: &Actor, fd: i64, visitor: ([u8; 4], u16)) {
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

    pub(super) fn connect(&mut self, actor: &Actor, fd: i64, port: u16, to: ([u8; 4], u16)) {
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

    pub(super) fn duplicate(&mut self, actor: &Actor, from: i64, to: i64) {
        let record = self
            .begin(codes::SYSCALL_DUP2_X, actor, 12_000)
            .i64(to)
            .i64(from)
            .i64(to);
        self.push(actor, record);
    }

    pub(super) fn make_executable(&mut self, actor: &Actor, path: &str) {
        let record = self
            .begin(codes::SYSCALL_FCHMODAT_X, actor, 90_000)
            .i64(0)
            .i64(CURRENT_FOLDER)
            .text(path)
            .u32(0o755);
        self.push(actor, record);
    }

    pub(super) fn remove(&mut self, actor: &Actor, path: &str) {
        let record = self
            .begin(codes::SYSCALL_UNLINKAT_2_X, actor, 110_000)
            .i64(0)
            .i64(CURRENT_FOLDER)
            .text(path)
            .u32(0);
        self.push(actor, record);
    }

    pub(super) fn exit(&mut self, actor: &Actor) {
        let record = self
            .begin(codes::PROCEXIT_1_E, actor, 40_000)
            .i64(0)
            .i64(0)
            .u8(0)
            .u8(0)
            .i64(0);
        self.push(actor, record);
    }

    pub(super) fn pause(&mut self, milliseconds: u64) {
        self.now += milliseconds * 1_000_000;
    }
}
