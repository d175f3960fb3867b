//! What rules need of the kernel, and that nothing is lost with what is left out.

#![allow(clippy::unwrap_used, reason = "a test")]

use engine::needs::{Access, Filter, Kept, Need};
use engine::{Engine, Matching};
use event::codes as c;
use fields::Catalogue;
use rules::{Loader, Options, RuleSet};
use state::needs::Effect;

fn load(catalogue: &Catalogue, conditions: &[&str]) -> RuleSet {
    let mut text = String::new();
    for (i, condition) in conditions.iter().enumerate() {
        text.push_str(&format!(
            "- rule: r{i}\n  desc: d\n  condition: {condition}\n  output: \"%proc.name %evt.arg.mode\"\n  priority: INFO\n",
        ));
    }
    let mut loader = Loader::new(&[("syscall", catalogue)], Options::new());
    let loaded = loader.load("rules.yaml", text.as_bytes());
    assert!(
        loaded.successful(),
        "{}",
        loaded.text(loader.sources(), false)
    );
    loader.finish()
}

fn needs(conditions: &[&str]) -> Vec<Need> {
    let catalogue = Catalogue::new([]);
    let mut rules = load(&catalogue, conditions);
    let order = rules.select(&[]);
    let engine = Engine::new(&rules, &order, &catalogue, "syscall", Matching::First).unwrap();
    engine.needs(&rules, &catalogue)
}

fn of(all: &[Need], code: u16) -> &Need {
    all.iter().find(|need| need.code.number() == code).unwrap()
}

#[test]
fn types_that_nobody_wants_are_not_there() {
    let all = needs(&["evt.type = mkdir and proc.name = sh"]);
    let has = |code| all.iter().any(|need| need.code.number() == code);
    assert!(has(c::SYSCALL_MKDIR_2_X));
    assert!(has(c::SYSCALL_EXECVE_19_X), "for the state");
    assert!(!has(c::SYSCALL_RMDIR_2_X));
    assert!(!has(c::SYSCALL_GETUID_X));
}

#[test]
fn failed_calls() {
    let failed = |except_pending| Filter::Failed { except_pending };
    let all = needs(&[
        "evt.type = openat and evt.is_open_write = true and fd.num >= 0",
        "evt.type = connect and evt.rawres in (0, 5) and fd.sport = 1",
        "evt.type = mkdir and fs.path.name startswith /etc",
    ]);
    assert!(
        of(&all, c::SYSCALL_OPENAT_2_X)
            .filters
            .contains(&failed(false))
    );
    assert!(
        of(&all, c::SOCKET_CONNECT_X)
            .filters
            .contains(&failed(true))
    );
    assert!(
        of(&all, c::SYSCALL_MKDIR_2_X)
            .filters
            .contains(&failed(false))
    );
    // For the state alone nothing of a failed call is wanted.
    assert!(
        of(&all, c::SYSCALL_CLOSE_X)
            .filters
            .contains(&failed(false))
    );
    for condition in [
        "evt.type = openat and evt.is_open_write = true",
        "evt.type = openat and (fd.num >= 0 or evt.failed = true)",
        "evt.type = openat and evt.res = ENOENT",
        "evt.type = openat and evt.rawres < 1",
        "evt.type = openat and not evt.res = SUCCESS",
        "evt.type = openat and not fs.path.name startswith /etc",
    ] {
        let all = needs(&["evt.type = openat and evt.failed = false", condition]);
        let need = of(&all, c::SYSCALL_OPENAT_2_X);
        assert_eq!(need.kept[0], Kept::FailedByRule(1), "{condition}");
        assert!(!need.filters.contains(&failed(false)), "{condition}");
    }
}

#[test]
fn descriptors_processes_and_paths() {
    let all = needs(&[
        "evt.type = read and fd.type in (ipv4, ipv6) and proc.name = sh",
        "evt.type = rmdir and fs.path.name startswith /etc and not proc.name in (a, b) and proc.pname = x",
        "evt.type = rmdir and evt.arg.path in (/srv, /opt) and user.uid = 0",
        "evt.type = fstat and fd.name contains x",
    ]);
    let read = of(&all, c::SYSCALL_READ_X);
    assert_eq!(read.effect, Effect::SuccessOnSocket);
    assert!(read.filters.contains(&Filter::Descriptor("file")));
    assert!(read.kept.contains(&Kept::ByState));
    let removed = of(&all, c::SYSCALL_RMDIR_2_X);
    let paths = ["/etc", "/opt", "/srv"].map(|path| path.as_bytes().to_vec());
    assert!(removed.filters.contains(&Filter::Path(paths.to_vec())));
    // Nothing of the parent: it may change without a word from this process.
    let processes = ["not proc.name in (a, b)", "user.uid = 0"].map(str::to_owned);
    assert!(
        removed
            .filters
            .contains(&Filter::Process(processes.to_vec()))
    );
    let stat = of(&all, c::SYSCALL_FSTAT_X);
    assert!(!stat.filters.contains(&Filter::Descriptor("file")));
}

#[test]
fn descriptors_that_are_not_known() {
    let kinds = |condition: &str| -> Vec<Filter> {
        let all = needs(&[condition]);
        let mut filters = of(&all, c::SYSCALL_LSEEK_X).filters.clone();
        filters.retain(|filter| matches!(filter, Filter::Descriptor(_)));
        filters
    };
    // Of a descriptor that nobody saw come, no type is known.
    assert_eq!(kinds("evt.type = lseek and not fd.type = file"), []);
    assert_eq!(kinds("evt.type = lseek and not fd.type in (ipv4)"), []);
    // What is a directory or a pipe may be known as a file.
    let file = Filter::Descriptor("file");
    assert_eq!(
        kinds("evt.type = lseek and fd.type in (directory, ipv4)"),
        [file.clone(), Filter::Descriptor("pipe")]
    );
    assert_eq!(kinds("evt.type = lseek and fd.typechar = 'f'"), []);
}

#[test]
fn outcomes_of_which_one_is_read() {
    let has = |condition: &str, code, filter: &Filter| {
        let all = needs(&[condition]);
        of(&all, code).filters.contains(filter)
    };
    let removal = c::SYSCALL_RMDIR_2_X;
    for condition in [
        "evt.type = rmdir and evt.failed = true",
        "evt.type = rmdir and evt.res in (EPERM, EACCES)",
        "evt.type = rmdir and not evt.res = SUCCESS",
    ] {
        assert!(has(condition, removal, &Filter::Succeeded), "{condition}");
    }
    for condition in [
        "evt.type = rmdir",
        "evt.type = rmdir and evt.rawres < 0",
        "evt.type = rmdir and evt.res != EPERM",
    ] {
        assert!(!has(condition, removal, &Filter::Succeeded), "{condition}");
    }
    // The state wants it.
    let open = c::SYSCALL_OPENAT_2_X;
    let failed = "evt.type = openat and evt.failed = true";
    assert!(!has(failed, open, &Filter::Succeeded));
    let write = "evt.type = openat and evt.is_open_write = true";
    assert!(has(write, open, &Filter::FailedOpen(Access::Read)));
    assert!(!has(write, open, &Filter::FailedOpen(Access::Both)));
    assert!(!has(failed, open, &Filter::FailedOpen(Access::Read)));
}

#[test]
fn parameters() {
    let all = needs(&["evt.type = openat and evt.is_open_write = true"]);
    // openat: fd, dirfd, name, flags, mode, dev, ino
    let open = of(&all, c::SYSCALL_OPENAT_2_X);
    assert_eq!(
        (open.conditions, open.outputs, open.state),
        (0b1_1001, 0b1_0000, 0x7f)
    );
    // read: res, data, fd, size
    let read = of(&all, c::SYSCALL_READ_X);
    assert_eq!((read.conditions, read.outputs, read.state), (0, 0, 0b101));
}
