//! Accounts of the machine that made the golden files: a replay shows them where a capture has no list.

use std::fmt::Write as _;

use event::snapshot::{Group, User};

const NOLOGIN: &str = "/usr/sbin/nologin";

const USERS: [(u32, &str, &str, &str); 20] = [
    (0, "root", "/root", "/bin/bash"),
    (1, "daemon", "/usr/sbin", NOLOGIN),
    (2, "bin", "/bin", NOLOGIN),
    (3, "sys", "/dev", NOLOGIN),
    (4, "sync", "/bin", "/bin/sync"),
    (5, "games", "/usr/games", NOLOGIN),
    (6, "man", "/var/cache/man", NOLOGIN),
    (7, "lp", "/var/spool/lpd", NOLOGIN),
    (8, "mail", "/var/mail", NOLOGIN),
    (9, "news", "/var/spool/news", NOLOGIN),
    (10, "uucp", "/var/spool/uucp", NOLOGIN),
    (13, "proxy", "/bin", NOLOGIN),
    (33, "www-data", "/var/www", NOLOGIN),
    (34, "backup", "/var/backups", NOLOGIN),
    (38, "list", "/var/list", NOLOGIN),
    (39, "irc", "/run/ircd", NOLOGIN),
    (100, "_apt", "/nonexistent", NOLOGIN),
    (101, "postgres", "/var/lib/postgresql", "/bin/bash"),
    (102, "redis", "/var/lib/redis", NOLOGIN),
    (65534, "nobody", "/nonexistent", NOLOGIN),
];

const GROUPS: [(u32, &str); 40] = [
    (0, "root"),
    (1, "daemon"),
    (2, "bin"),
    (3, "sys"),
    (4, "adm"),
    (5, "tty"),
    (6, "disk"),
    (7, "lp"),
    (8, "mail"),
    (9, "news"),
    (10, "uucp"),
    (12, "man"),
    (13, "proxy"),
    (15, "kmem"),
    (20, "dialout"),
    (21, "fax"),
    (22, "voice"),
    (24, "cdrom"),
    (25, "floppy"),
    (26, "tape"),
    (27, "sudo"),
    (29, "audio"),
    (30, "dip"),
    (33, "www-data"),
    (34, "backup"),
    (37, "operator"),
    (38, "list"),
    (39, "irc"),
    (40, "src"),
    (42, "shadow"),
    (43, "utmp"),
    (44, "video"),
    (45, "sasl"),
    (50, "staff"),
    (60, "games"),
    (100, "users"),
    (102, "messagebus"),
    (103, "ssl-cert"),
    (106, "rdma"),
    (107, "redis"),
];

/// Its users.
#[must_use]
pub fn users() -> Vec<User> {
    let user = |(uid, name, home, shell): (u32, &str, &str, &str)| User {
        uid,
        gid: uid,
        name: name.into(),
        home: home.into(),
        shell: shell.into(),
    };
    USERS.into_iter().map(user).collect()
}

/// Its groups.
#[must_use]
pub fn groups() -> Vec<Group> {
    GROUPS
        .into_iter()
        .map(|(gid, name)| Group {
            gid,
            name: name.into(),
        })
        .collect()
}

/// Its `/etc/passwd`.
#[must_use]
pub fn passwd() -> String {
    USERS
        .iter()
        .fold(String::new(), |mut text, (uid, name, home, shell)| {
            let _ = writeln!(text, "{name}:x:{uid}:{uid}:{name}:{home}:{shell}");
            text
        })
}

/// Its `/etc/group`.
#[must_use]
pub fn group() -> String {
    GROUPS.iter().fold(String::new(), |mut text, (gid, name)| {
        let _ = writeln!(text, "{name}:x:{gid}:");
        text
    })
}
