//! Running programs: what the kernel ran, who ran it, and what is remarkable about the file.

use std::ffi::{CStr, CString};
use std::os::linux::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;

use event::{codes, constants as k};

use crate::elf;
use crate::identity::capabilities;
use crate::process::{born, cgroups, comm};
use crate::raw::{ChildCall, Word, fork, spawn, syscall};
use crate::stage::{Actor, Row, Want, ends, wait, wanted};
use crate::value::{Value, count, has, kilobytes, none, swapped};

pub(crate) const ROWS: &[Row] = row![
    exec,
    exec_of_a_user,
    exec_of_an_own_file,
    exec_from_read_only,
    exec_from_layers,
    exec_from_memory,
    exec_in_a_folder,
    exec_by_a_thread,
    exec_fails,
    execveat_fails,
    long_arguments,
];

const USER: u32 = 54_321;
const PLAIN_USER: (u32, u32) = (USER, USER + 1);

/// A list of pointers to strings, with its end.
pub(crate) struct Strings {
    text: Vec<CString>,
    pointers: Vec<u64>,
}

impl Strings {
    pub(crate) fn new(items: &[&[u8]]) -> Self {
        let text: Vec<CString> = items.iter().map(|s| CString::new(*s).unwrap()).collect();
        let mut pointers: Vec<u64> = text.iter().map(Word::word).collect();
        pointers.push(0);
        Self { text, pointers }
    }

    fn at(&self) -> u64 {
        self.pointers.as_ptr().word()
    }

    /// Strings from number `from` on, each with its NUL.
    fn bytes(&self, from: usize) -> Vec<u8> {
        self.text
            .iter()
            .skip(from)
            .flat_map(|s| s.as_bytes_with_nul().to_vec())
            .collect()
    }
}

impl Word for &&CString {
    fn word(self) -> u64 {
        self.as_ptr() as u64
    }
}

fn arguments() -> Strings {
    Strings::new(&[b"shown as", b"second one", b"", b"\xff\n"])
}

fn environment() -> Strings {
    Strings::new(&[b"A=1", b"LONGER=two words", b""])
}

/// What an exec event says of program and credentials.
struct Run<'a> {
    argv: &'a Strings,
    envp: &'a Strings,
    tid: i64,
    ptid: i64,
    comm: Value,
    flags: u32,
    ids: (u32, u32),
    capabilities: [u64; 3],
    /// The file as /proc or a path shows it.
    image: std::path::PathBuf,
    exepath: Value,
}

/// Parameters from the result to the group; a success has more.
fn run(code: u16, res: i64, r: Run<'_>) -> Vec<Value> {
    let _ = code;
    let file = std::fs::metadata(&r.image).unwrap();
    let ns = |s: i64, n: i64| s as u64 * 1_000_000_000 + n as u64;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let tty: i32 = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split(' ')
        .nth(5)
        .unwrap()
        .parse()
        .unwrap();
    let login = std::fs::read_to_string("/proc/self/loginuid");
    let login: u32 = login.map_or(u32::MAX, |text| text.trim().parse().unwrap());
    let group = syscall(libc::SYS_getpgid, &[0]);
    let mut limit = [0u64; 2];
    syscall(
        libc::SYS_getrlimit,
        &[u64::from(libc::RLIMIT_NOFILE), (&raw mut limit).word()],
    );
    let [inheritable, permitted, effective] = r.capabilities;
    let pid = if res < 0 {
        i64::from(std::process::id())
    } else {
        r.tid
    };
    vec![
        res.into(),
        r.argv.text[0].as_c_str().into(),
        r.argv.bytes(1).into(),
        r.tid.into(),
        pid.into(),
        r.ptid.into(),
        none(),
        limit[0].into(),
        count(),
        count(),
        kilobytes(),
        swapped(),
        swapped(),
        r.comm,
        cgroups().into(),
        r.envp.bytes(0).into(),
        (tty as u32).into(),
        group.into(),
        login.into(),
        r.flags.into(),
        inheritable.into(),
        permitted.into(),
        effective.into(),
        file.st_ino().into(),
        ns(file.st_ctime(), file.st_ctime_nsec()).into(),
        ns(file.st_mtime(), file.st_mtime_nsec()).into(),
        r.ids.0.into(),
        r.exepath,
        group.into(),
        r.ids.1.into(),
    ]
}

/// A program in the row's folder.
fn program(a: &Actor, name: &str) -> CString {
    let path = a.file(name, &elf::exits(3));
    std::fs::set_permissions(a.dir.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn name_of(path: &CStr) -> Value {
    let bytes = path.to_bytes();
    let from = bytes.iter().rposition(|b| *b == b'/').map_or(0, |i| i + 1);
    let mut name = bytes[from..].to_vec();
    name.truncate(15);
    name.push(0);
    name.into()
}

/// The event of a root process that runs `path`.
fn root_runs(a: &Actor, path: &CString, child: i64, flags: u32, filename: Value) -> Want {
    let (argv, envp) = (arguments(), environment());
    let all = capabilities()[1];
    let mut params = run(
        codes::SYSCALL_EXECVE_19_X,
        0,
        Run {
            argv: &argv,
            envp: &envp,
            tid: child,
            ptid: a.tid,
            comm: name_of(path),
            flags,
            ids: (0, 0),
            capabilities: [0, all, all],
            image: std::str::from_utf8(path.as_bytes()).unwrap().into(),
            exepath: path.into(),
        },
    );
    params.push(filename);
    wanted(codes::SYSCALL_EXECVE_19_X, params)
}

fn execute(path: &CString, argv: &Strings, envp: &Strings) -> ChildCall {
    ChildCall {
        number: libc::SYS_execve,
        args: [path.word(), argv.at(), envp.at(), 0, 0],
    }
}

/// A root process runs the file; it must be told with these flags.
fn runs_with(a: &mut Actor, path: &CString, flags: u32) {
    let (argv, envp) = (arguments(), environment());
    let child = spawn(libc::SYS_fork, [0; 5], execute(path, &argv, &envp));
    assert_eq!(wait(child), 3 << 8, "{path:?}");
    let birth = born(codes::SYSCALL_FORK_20_X, a.tid, child, child, 0);
    let run = root_runs(a, path, child, flags, path.into());
    a.child_sees(child, vec![birth, run, ends(3 << 8)]);
}

fn exec(a: &mut Actor) {
    let path = program(a, "a program, long name");
    runs_with(a, &path, k::EXE_WRITABLE);
}

/// Becomes another user and runs the file.
fn user_runs(a: &mut Actor, path: &CString, flags: u32) {
    let (argv, envp) = (arguments(), environment());
    let (user, group) = PLAIN_USER;
    let (file, argv_at, envp_at) = (path.word(), argv.at(), envp.at());
    let child = fork(|| {
        syscall(libc::SYS_setgroups, &[0, 0]);
        syscall(
            libc::SYS_setresgid,
            &[group.into(), group.into(), group.into()],
        );
        syscall(
            libc::SYS_setresuid,
            &[user.into(), user.into(), user.into()],
        );
        syscall(libc::SYS_execve, &[file, argv_at, envp_at])
    });
    assert_eq!(wait(child), 3 << 8, "{path:?}");
    let mut params = run(
        codes::SYSCALL_EXECVE_19_X,
        0,
        Run {
            argv: &argv,
            envp: &envp,
            tid: child,
            ptid: a.tid,
            comm: name_of(path),
            flags,
            ids: PLAIN_USER,
            capabilities: [0; 3],
            image: std::str::from_utf8(path.as_bytes()).unwrap().into(),
            exepath: path.into(),
        },
    );
    params.push(path.into());
    a.child_has(child, wanted(codes::SYSCALL_EXECVE_19_X, params));
}

fn exec_of_a_user(a: &mut Actor) {
    let path = program(a, "of root");
    user_runs(a, &path, 0);
}

fn exec_of_an_own_file(a: &mut Actor) {
    let path = program(a, "own");
    call!(a, SYS_chown, &path, PLAIN_USER.0, 0);
    user_runs(a, &path, k::EXE_WRITABLE);
    // Writable by the group only, and by everybody.
    for (name, owner, mode) in [("group", PLAIN_USER.1, 0o575), ("all", 0, 0o557)] {
        let path = program(a, name);
        call!(a, SYS_chown, &path, 0, owner);
        call!(a, SYS_chmod, &path, mode);
        user_runs(a, &path, k::EXE_WRITABLE);
    }
}

fn exec_from_read_only(a: &mut Actor) {
    let dir = a.path("frozen");
    std::fs::create_dir(a.dir.join("frozen")).unwrap();
    assert_eq!(call!(a, SYS_mount, c"none", &dir, c"tmpfs", 0, 0), 0);
    let path = program(a, "frozen/program");
    let flags = libc::MS_REMOUNT | libc::MS_RDONLY;
    assert_eq!(call!(a, SYS_mount, c"none", &dir, c"tmpfs", flags, 0), 0);
    runs_with(a, &path, 0);
}

fn exec_from_layers(a: &mut Actor) {
    crate::files::overlay(a);
    program(a, "lower/beneath");
    program(a, "upper/above");
    let writable = k::EXE_WRITABLE;
    let (lower, upper) = (a.path("both/beneath"), a.path("both/above"));
    runs_with(a, &lower, writable | k::EXE_LOWER_LAYER);
    runs_with(a, &upper, writable | k::EXE_UPPER_LAYER);
    // A write copies it up.
    let file = std::fs::OpenOptions::new()
        .append(true)
        .open(a.dir.join("both/beneath"));
    std::io::Write::write_all(&mut file.unwrap(), b"more").unwrap();
    runs_with(a, &lower, writable | k::EXE_UPPER_LAYER);
}

fn exec_from_memory(a: &mut Actor) {
    let fd = call!(a, SYS_memfd_create, c"nowhere", 0);
    let image = elf::exits(3);
    call!(a, SYS_write, fd, image.as_ptr(), image.len());
    let (argv, envp) = (arguments(), environment());
    let child = spawn(
        libc::SYS_fork,
        [0; 5],
        ChildCall {
            number: libc::SYS_execveat,
            args: [
                fd.word(),
                c"".word(),
                argv.at(),
                envp.at(),
                libc::AT_EMPTY_PATH.word(),
            ],
        },
    );
    assert_eq!(wait(child), 3 << 8);
    let all = capabilities()[1];
    let number = fd.to_string();
    let mut params = run(
        codes::SYSCALL_EXECVE_19_X,
        0,
        Run {
            argv: &argv,
            envp: &envp,
            tid: child,
            ptid: a.tid,
            // The file's name; older kernels give the descriptor's number.
            comm: has("memfd:nowhere", move |b| {
                b == b"memfd:nowhere\0" || b.strip_suffix(b"\0") == Some(number.as_bytes())
            }),
            flags: k::EXE_WRITABLE | k::EXE_FROM_MEMFD,
            ids: (0, 0),
            capabilities: [0, all, all],
            image: format!("/proc/self/fd/{fd}").into(),
            exepath: c"memfd:nowhere".into(),
        },
    );
    let filename = CString::new(format!("/dev/fd/{fd}")).unwrap();
    params.push((&filename).into());
    let birth = born(codes::SYSCALL_FORK_20_X, a.tid, child, child, 0);
    let runs = wanted(codes::SYSCALL_EXECVE_19_X, params);
    a.child_sees(child, vec![birth, runs, ends(3 << 8)]);
}

fn exec_in_a_folder(a: &mut Actor) {
    let path = program(a, "inside");
    let dir = call!(a, SYS_open, &a.path(""), libc::O_RDONLY | libc::O_DIRECTORY);
    let (argv, envp) = (arguments(), environment());
    let child = spawn(
        libc::SYS_vfork,
        [0; 5],
        ChildCall {
            number: libc::SYS_execveat,
            args: [dir.word(), c"inside".word(), argv.at(), envp.at(), 0],
        },
    );
    assert_eq!(wait(child), 3 << 8);
    let filename = CString::new(format!("/dev/fd/{dir}/inside")).unwrap();
    let birth = born(codes::SYSCALL_VFORK_20_X, a.tid, child, child, 0);
    let runs = root_runs(a, &path, child, k::EXE_WRITABLE, (&filename).into());
    a.child_sees(child, vec![birth, runs, ends(3 << 8)]);
}

/// The new program has the number of the leader, whichever thread asked for it.
fn exec_by_a_thread(a: &mut Actor) {
    let path = program(a, "by thread");
    let (argv, envp) = (arguments(), environment());
    let plan = execute(&path, &argv, &envp);
    let stack = vec![0u64; 64];
    let flags = libc::CLONE_VM
        | libc::CLONE_FS
        | libc::CLONE_FILES
        | libc::CLONE_SIGHAND
        | libc::CLONE_THREAD
        | libc::CLONE_SYSVSEM;
    let args = [flags.word(), stack.as_ptr_range().end.word(), 0, 0, 0];
    let child = fork(|| {
        spawn(libc::SYS_clone, args, plan);
        loop {
            syscall(libc::SYS_pause, &[]);
        }
    });
    assert_eq!(wait(child), 3 << 8);
    let runs = root_runs(a, &path, child, k::EXE_WRITABLE, (&path).into());
    a.child_has(child, runs);
}

/// What is told of a failure: the arguments of the call, and the program that goes on.
fn still_runs(a: &Actor, argv: &Strings, envp: &Strings, res: i64) -> Vec<Value> {
    let me = std::fs::canonicalize("/proc/self/exe").unwrap();
    let path = CString::new(me.as_os_str().as_encoded_bytes()).unwrap();
    // Whether the test binary can be written is not what is tested here; its layer neither.
    run(
        codes::SYSCALL_EXECVE_19_X,
        res,
        Run {
            argv,
            envp,
            tid: a.tid,
            ptid: syscall(libc::SYS_getppid, &[]),
            comm: (&comm()).into(),
            flags: 0,
            ids: (0, 0),
            capabilities: capabilities(),
            image: me,
            exepath: (&path).into(),
        },
    )
}

const FLAGS: usize = 19;

fn any_exe_flags() -> Value {
    has("flags of an executable", |b| {
        b.len() == 4 && b[0] < 16 && b[1..] == [0; 3]
    })
}

fn exec_fails(a: &mut Actor) {
    let (argv, envp) = (arguments(), environment());
    let plain = a.file("no program", b"text");
    let missing = a.path("missing");
    for (path, result) in [(&missing, -2i64), (&plain, -13)] {
        assert_eq!(call!(a, SYS_execve, path, argv.at(), envp.at()), result);
        let mut params = still_runs(a, &argv, &envp, result);
        params[FLAGS] = any_exe_flags();
        params.push(path.into());
        a.sees(codes::SYSCALL_EXECVE_19_X, params);
    }
    // No arguments at all: one empty string.
    assert_eq!(call!(a, SYS_execve, &missing, 0, 0), -2);
    let mut params = still_runs(a, &Strings::new(&[b""]), &Strings::new(&[]), -2);
    params[FLAGS] = any_exe_flags();
    params.push((&missing).into());
    a.sees(codes::SYSCALL_EXECVE_19_X, params);
}

fn execveat_fails(a: &mut Actor) {
    let (argv, envp) = (arguments(), environment());
    let res = call!(a, SYS_execveat, -1, c"relative", argv.at(), envp.at(), 0);
    assert_eq!(res, -9);
    let mut params = still_runs(a, &argv, &envp, res);
    params[FLAGS] = any_exe_flags();
    a.sees(codes::SYSCALL_EXECVEAT_X, params);
}

/// Name and arguments together are cut at 4,096 bytes, the environment at as many.
fn long_arguments(a: &mut Actor) {
    let path = program(a, "long");
    let long = vec![b'x'; 100_000];
    let envs: Vec<Vec<u8>> = (0..2000)
        .map(|i| format!("V{i}=value").into_bytes())
        .collect();
    let envs: Vec<&[u8]> = envs.iter().map(Vec::as_slice).collect();
    let (argv, envp) = (Strings::new(&[b"zero", b"one", &long]), Strings::new(&envs));
    let child = spawn(libc::SYS_fork, [0; 5], execute(&path, &argv, &envp));
    assert_eq!(wait(child), 3 << 8);
    let mut runs = root_runs_with(a, &path, child, &argv, &envp);
    // The last byte that is kept is made the end of the text.
    let cut = |mut bytes: Vec<u8>, len: usize| {
        bytes.truncate(len);
        *bytes.last_mut().unwrap() = 0;
        Value::from(bytes)
    };
    runs[2] = cut(argv.bytes(1), 4096 - 5);
    runs[15] = cut(envp.bytes(0), 4096);
    a.child_has(child, wanted(codes::SYSCALL_EXECVE_19_X, runs));
}

fn root_runs_with(
    a: &Actor,
    path: &CString,
    child: i64,
    argv: &Strings,
    envp: &Strings,
) -> Vec<Value> {
    let all = capabilities()[1];
    let mut params = run(
        codes::SYSCALL_EXECVE_19_X,
        0,
        Run {
            argv,
            envp,
            tid: child,
            ptid: a.tid,
            comm: name_of(path),
            flags: k::EXE_WRITABLE,
            ids: (0, 0),
            capabilities: [0, all, all],
            image: std::str::from_utf8(path.as_bytes()).unwrap().into(),
            exepath: path.into(),
        },
    );
    params.push(path.into());
    params
}

/// The event of some program's start, of which only number and path matter.
pub(crate) fn any_run(child: i64, path: &CString) -> Want {
    let info = &event::EVENTS[usize::from(codes::SYSCALL_EXECVE_19_X)];
    let params = info.params.iter().map(|param| match param.name {
        "res" => 0i64.into(),
        "tid" | "pid" => child.into(),
        "exe" | "trusted_exepath" | "filename" => path.into(),
        name => has(name, |_| true),
    });
    wanted(codes::SYSCALL_EXECVE_19_X, params.collect())
}
