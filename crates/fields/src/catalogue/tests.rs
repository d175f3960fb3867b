//! Names, arguments and flags of fields.

use super::*;

fn resolve(text: &str) -> Result<FieldDef, ResolveError> {
    Catalogue::new([("site".to_owned(), "north".to_owned())]).resolve(text)
}

#[test]
fn numbers_are_positions() {
    for (number, row) in ROWS.iter().enumerate() {
        let id = Id::from_number(number as u16).unwrap();
        assert_eq!(id as usize, number);
        assert_eq!(id.row().name, row.name);
    }
    assert_eq!(Id::from_number(ROWS.len() as u16), None);
}

#[test]
fn names_are_unique_and_described() {
    let mut names: Vec<_> = ROWS.iter().map(|r| r.name).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|w| w[0] != w[1]));
    assert!(ROWS.iter().all(|r| r.text.ends_with('.')));
}

#[test]
fn arguments() {
    for text in [
        "evt.type",
        "proc.aname",
        "proc.aname[2]",
        "proc.aname[-1]",
        "proc.env",
        "proc.env[A B]",
        "proc.aenv[2]",
        "proc.aenv[HOME]",
        "evt.arg.flags",
        "evt.arg[0]",
        "evt.rawarg.res",
        "evt.type.is.open",
        "evt.type.is.3",
        "evt.abspath",
        "evt.abspath.src",
        "thread.cgroup.cpu",
        "thread.cgroups",
        "fd.types",
        "fd.types[0]",
        "static.site",
        "k8s.pod.label[app]",
        "container.mount[/etc]",
        "container.mount[0]",
        "evt.around[5]",
        "fd.cip.name",
        "evt.time.iso8601",
        "proc.args[0]",
        "k8s.rc.name",
        "container.label[a.b/c]",
    ] {
        assert_eq!(resolve(text).map(|d| d.name), Ok(text.to_owned()), "{text}");
    }
    for text in [
        "evt",
        "evt.nothing",
        "proc.namex",
        "proc.name.x",
        "evt.arg.no_such",
        "evt.args.x",
        "evt.abspath.other",
        "static.other",
        "proc.aname[2",
        "proc.aname.1",
        "",
    ] {
        assert_eq!(
            resolve(text).map(|d| d.name),
            Err(ResolveError::Unknown),
            "{text}"
        );
    }
    for text in [
        "evt.arg",
        "evt.rawarg",
        "evt.type.is",
        "evt.around",
        "thread.cgroup",
        "proc.name[1]",
        "proc.aname[x]",
        "evt.type.is.nothing",
        "k8s.pod.label",
        "container.mount",
        "evt.arg[name]",
    ] {
        assert!(
            matches!(resolve(text), Err(ResolveError::Argument(_))),
            "{text}"
        );
    }
}

#[test]
fn fields_of_the_past_need_to_be_asked_for() {
    for text in [
        "mesos.task.id",
        "span.id",
        "syslog.message",
        "evtin.span.id",
        "span.tag[a]",
    ] {
        assert!(
            matches!(resolve(text), Err(ResolveError::Removed { .. })),
            "{text}"
        );
        assert!(
            Catalogue::new([]).with_removed().resolve(text).is_ok(),
            "{text}"
        );
    }
}

#[test]
fn quantifiers_follow_the_argument() {
    let quantifier = |text| resolve(text).unwrap().quantifier;
    assert_eq!(quantifier("proc.aname"), Quantifier::Any);
    assert_eq!(quantifier("proc.aname[1]"), Quantifier::One);
    assert_eq!(quantifier("proc.aenv[1]"), Quantifier::Any);
    assert_eq!(quantifier("proc.aenv[HOME]"), Quantifier::One);
    assert_eq!(quantifier("fd.ip"), Quantifier::Ends);
    assert_eq!(quantifier("evt.around[1]"), Quantifier::Within);
    assert_eq!(quantifier("proc.aargs"), Quantifier::One);
}

#[test]
fn raw_arguments_take_the_parameter_s_type() {
    assert_eq!(resolve("evt.rawarg.res").unwrap().ty, Type::Errno);
    assert_eq!(resolve("evt.rawarg.name").unwrap().ty, Type::FsPath);
}

#[test]
fn event_names_are_checked() {
    let catalogue = Catalogue::new([]);
    let field = catalogue.resolve("evt.type").unwrap();
    for name in ["open", "openat2", "getppid", "container", "procexit"] {
        assert_eq!(
            catalogue.check_constant(&field, name.as_bytes()),
            Ok(()),
            "{name}"
        );
    }
    assert!(catalogue.check_constant(&field, b"ope").is_err());
    let other = catalogue.resolve("syscall.type").unwrap();
    assert_eq!(catalogue.check_constant(&other, b"ope"), Ok(()));
}
