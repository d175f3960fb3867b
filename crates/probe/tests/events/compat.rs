//! 32-bit programs: other numbers, other registers, the same events.

use event::{codes, constants as k};

use crate::elf::Program32;
use crate::network::{inet, told};
use crate::process::born;
use crate::raw::{ChildCall, Word, spawn};
use crate::stage::{Actor, Row, Want, ends, wait};
use crate::value::none;

pub(crate) const ROWS: &[Row] = row![compat];

fn generic(name: &str) -> Want {
    let call = event::syscalls::X86_64_SYSCALLS
        .iter()
        .find(|call| call.name == name)
        .unwrap();
    want!(GENERIC_X, call.code, call.number)
}

fn compat(a: &mut Actor) {
    let fd = 500i64;
    let null = call!(a, SYS_open, c"/dev/null", libc::O_RDWR);
    assert_eq!(call!(a, SYS_dup2, null, fd), fd);
    let mut p = Program32::new();
    let mut wants: Vec<Want> = Vec::new();
    let missing = a.path("missing");
    let name = p.data(missing.as_bytes_with_nul());
    let text = p.data(b"written by 32 bits");

    // open, openat, creat
    p.call(5, &[name, libc::O_RDWR as u32, 0]);
    wants.push(want!(
        SYSCALL_OPEN_X,
        -2i64,
        &missing,
        k::O_RDWR,
        0u32,
        0u32,
        0u64
    ));
    p.call(
        295,
        &[libc::AT_FDCWD as u32, name, libc::O_WRONLY as u32, 0],
    );
    let flags = k::O_WRONLY;
    wants.push(want!(
        SYSCALL_OPENAT_2_X,
        -2i64,
        -100i64,
        &missing,
        flags,
        0u32,
        0u32,
        0u64
    ));
    // write, and writev with pieces of 32 bits
    p.call(4, &[fd as u32, text, 18]);
    wants.push(want!(
        SYSCALL_WRITE_X,
        18i64,
        &b"written by 32 bits"[..],
        fd,
        18u32
    ));
    let pieces: Vec<u8> = [text, 7, text + 8, 2]
        .iter()
        .flat_map(|n: &u32| n.to_le_bytes())
        .collect();
    let vector = p.data(&pieces);
    p.call(146, &[fd as u32, vector, 2]);
    wants.push(want!(SYSCALL_WRITEV_X, 9i64, &b"writtenby"[..], fd, 9u32));
    // lseek with a negative offset
    p.call(19, &[-1i32 as u32, -5i32 as u32, 2]);
    wants.push(want!(
        SYSCALL_LSEEK_X,
        -9i64,
        -1i64,
        0xffff_fffbu64,
        k::SEEK_END as u8
    ));
    // socketcall: socket, connect, bind
    let socket = p.data(&words(&[libc::AF_INET as u32, libc::SOCK_DGRAM as u32, 99]));
    p.call(102, &[1, socket]);
    let (domain, kind) = (libc::AF_INET as u32, libc::SOCK_DGRAM as u32);
    wants.push(want!(SOCKET_SOCKET_X, -93i64, domain, kind, 99u32, 0u32));
    let address = p.data(&inet([127, 0, 0, 1], 4321));
    let connect = p.data(&words(&[-1i32 as u32, address, 16]));
    let addr = told(libc::AF_INET, &[127, 0, 0, 1], 4321);
    p.call(102, &[3, connect]);
    wants.push(want!(SOCKET_CONNECT_X, -9i64, none(), -1i64, addr.clone()));
    // the calls of their own
    p.call(362, &[-1i32 as u32, address, 16]);
    wants.push(want!(SOCKET_CONNECT_X, -9i64, none(), -1i64, addr.clone()));
    p.call(361, &[-1i32 as u32, address, 16]);
    wants.push(want!(SOCKET_BIND_X, -9i64, addr, -1i64));
    // unlink, kill, mprotect
    p.call(10, &[name]);
    wants.push(want!(SYSCALL_UNLINK_2_X, -2i64, &missing));
    p.call(37, &[0x3fff_ffff, 15]);
    wants.push(want!(SYSCALL_KILL_X, -3i64, 0x3fff_ffffi64, 15u8));
    p.call(125, &[1, 4096, 7]);
    let all = k::PROT_READ | k::PROT_WRITE | k::PROT_EXEC;
    wants.push(want!(SYSCALL_MPROTECT_X, -22i64, 1u64, 4096u64, all));
    // getppid: no event of its own
    p.call(64, &[]);
    wants.push(generic("getppid"));
    // execve that fails
    p.call(252, &[9]);

    let path = a.file("program32", &p.file());
    call!(a, SYS_chmod, &path, 0o755);
    let argv = [path.as_ptr().word(), 0];
    let envp = [0u64];
    let child = spawn(
        libc::SYS_fork,
        [0; 5],
        ChildCall {
            number: libc::SYS_execve,
            args: [
                (&path).word(),
                argv.as_ptr().word(),
                envp.as_ptr().word(),
                0,
                0,
            ],
        },
    );
    let status = wait(child);
    if status == 7 << 8 {
        // Refused: this kernel runs no 32-bit programs.
        eprintln!("left out: this kernel runs no 32-bit programs");
        return;
    }
    assert_eq!(status, 9 << 8, "the 32-bit program");
    let birth = born(codes::SYSCALL_FORK_20_X, a.tid, child, child, 0);
    let mut all = vec![birth, crate::exec::any_run(child, &path)];
    all.extend(wants);
    all.push(ends(9 << 8));
    a.child_sees(child, all);
}

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|n| n.to_le_bytes()).collect()
}
