//! Who takes part in the sample incident, and what they have open at its start.

use std::io;

use capture::Writer;
use event::constants;
use event::snapshot::{Descriptor, L4Proto, NamedKind, Process, Target};
use event::sock::Endpoint;

use super::{ALL_CAPABILITIES, BOOT, CONTAINER, DOCKER_CAPABILITIES};

/// A process, as the story needs it.
#[derive(Clone, Debug)]
pub(super) struct Actor {
    pub(super) pid: i64,
    /// Inside the container; the same as `pid` on the host.
    pub(super) vpid: i64,
    pub(super) parent: i64,
    pub(super) session: i64,
    pub(super) comm: &'static str,
    pub(super) path: &'static str,
    pub(super) args: &'static [&'static str],
    pub(super) cwd: &'static str,
    pub(super) inside: bool,
    pub(super) uid: u32,
    pub(super) tty: u32,
    pub(super) inode: u64,
}

/// Who takes part.
pub(super) struct Cast {
    pub(super) init: Actor,
    pub(super) shim: Actor,
    pub(super) nginx: Actor,
    pub(super) worker: Actor,
    pub(super) fpm: Actor,
    pub(super) pool: Actor,
}

impl Cast {
    pub(super) fn new() -> Self {
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

    pub(super) fn at_start(&self) -> [&Actor; 6] {
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
    pub(super) fn child(
        &self,
        pid: i64,
        path: &'static str,
        args: &'static [&'static str],
    ) -> Self {
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

    pub(super) fn cgroups(&self) -> Vec<u8> {
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

    pub(super) fn arguments(&self) -> Vec<u8> {
        self.args
            .iter()
            .flat_map(|arg| [arg.as_bytes(), b"\0"].concat())
            .collect()
    }

    pub(super) fn environment(&self) -> Vec<u8> {
        let home = if self.uid == 0 { "/root" } else { "/var/www" };
        format!("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\0HOME={home}\0")
            .into_bytes()
    }

    pub(super) fn capabilities(&self) -> u64 {
        match (self.inside, self.uid) {
            (true, 0) => DOCKER_CAPABILITIES,
            (false, 0) => ALL_CAPABILITIES,
            _ => 0,
        }
    }

    pub(super) fn lower_layer(&self) -> bool {
        self.inside && !self.path.starts_with("/tmp/")
    }
}

pub(super) fn write_process(writer: &mut Writer<Vec<u8>>, actor: &Actor) -> io::Result<()> {
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

pub(super) fn endpoint(ip: [u8; 4], port: u16) -> Endpoint {
    Endpoint {
        ip: ip.into(),
        port,
    }
}

pub(super) fn open_at_start(cast: &Cast) -> Vec<Descriptor<'static>> {
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
