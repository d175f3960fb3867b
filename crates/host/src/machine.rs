//! What is there once: the machine, its users and groups, its interfaces.

use std::net::IpAddr;

use event::snapshot::{Group, Interface, MachineInfo, User, UserList};

use crate::Host;
use crate::read::{self, field, number, words};

impl Host {
    /// CPUs, memory, name and time of boot.
    #[must_use]
    pub fn machine(&self) -> MachineInfo {
        let stat = std::fs::read(self.path("proc/stat")).unwrap_or_default();
        let lines = || stat.split(|&b| b == b'\n');
        let cpus = lines().filter(|line| is_cpu(line)).count();
        let boot: u64 = lines()
            .find_map(|line| line.strip_prefix(b"btime "))
            .and_then(number)
            .unwrap_or(0);
        let memory = read::bytes(&self.path("proc/meminfo"));
        let kilobytes: u64 = field(&memory, "MemTotal")
            .and_then(|line| number(words(line).next()?))
            .unwrap_or(0);
        let mut hostname = read::bytes(&self.path("proc/sys/kernel/hostname"));
        hostname.truncate(hostname.trim_ascii_end().len().min(128));
        MachineInfo {
            cpus: u32::try_from(cpus).unwrap_or(u32::MAX),
            memory: kilobytes.saturating_mul(1024),
            max_pid: number(&read::bytes(&self.path("proc/sys/kernel/pid_max"))).unwrap_or(0),
            hostname,
            boot_time: boot.saturating_mul(1_000_000_000),
            flags: 0,
        }
    }

    /// Users and groups of `/etc/passwd` and `/etc/group`.
    #[must_use]
    pub fn users(&self) -> UserList {
        let passwd = std::fs::read(self.path("etc/passwd")).unwrap_or_default();
        let group = std::fs::read(self.path("etc/group")).unwrap_or_default();
        UserList {
            users: passwd.split(|&b| b == b'\n').filter_map(user).collect(),
            groups: group
                .split(|&b| b == b'\n')
                .filter_map(group_line)
                .collect(),
        }
    }

    /// Addresses of the network interfaces of the namespace this process is in.
    #[must_use]
    pub fn interfaces(&self) -> Vec<Interface> {
        let Ok(found) = if_addrs::get_if_addrs() else {
            return Vec::new();
        };
        found
            .into_iter()
            .map(|interface| {
                let (address, netmask, broadcast) = match &interface.addr {
                    if_addrs::IfAddr::V4(v4) => (
                        IpAddr::V4(v4.ip),
                        IpAddr::V4(v4.netmask),
                        IpAddr::V4(v4.broadcast.unwrap_or(std::net::Ipv4Addr::UNSPECIFIED)),
                    ),
                    if_addrs::IfAddr::V6(v6) => (
                        IpAddr::V6(v6.ip),
                        IpAddr::V6(v6.netmask),
                        IpAddr::V6(v6.broadcast.unwrap_or(std::net::Ipv6Addr::UNSPECIFIED)),
                    ),
                };
                Interface {
                    name: interface.name.into_bytes(),
                    address,
                    netmask,
                    broadcast,
                    link_speed: None,
                }
            })
            .collect()
    }
}

fn is_cpu(line: &[u8]) -> bool {
    line.strip_prefix(b"cpu")
        .is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_digit))
}

/// `NAME:PASSWORD:UID:GID:COMMENT:HOME:SHELL`
fn user(line: &[u8]) -> Option<User> {
    let fields: Vec<&[u8]> = line.split(|&b| b == b':').collect();
    let text = |i: usize| fields.get(i).copied().unwrap_or_default().to_vec();
    Some(User {
        uid: number(fields.get(2)?)?,
        gid: number(fields.get(3)?)?,
        name: text(0),
        home: text(5),
        shell: text(6),
    })
}

/// `NAME:PASSWORD:GID:MEMBERS`
fn group_line(line: &[u8]) -> Option<Group> {
    let mut fields = line.split(|&b| b == b':');
    let name = fields.next()?.to_vec();
    Some(Group {
        gid: number(fields.nth(1)?)?,
        name,
    })
}
