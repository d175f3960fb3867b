//! What is kept comes back, within its limits, to more than one reader; and what is no store is told.

#![allow(clippy::unwrap_used, reason = "in tests a panic is the finding")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;
use store::{Alert, Event, Feed, Limits, Process, Query, Store, Thing, Touched};

const START: u64 = 1_700_000_000_000_000_000;

fn alert(number: u64) -> Alert {
    Alert {
        time: START + number * 1_000_000_000,
        priority: u8::try_from(number % 8).unwrap(),
        rule: format!("Rule {}", number % 3),
        source: "syscall".into(),
        tags: vec!["host".into()],
        container: if number.is_multiple_of(2) {
            String::new()
        } else {
            "7c1d5e0a94b3".into()
        },
        text: format!("text {number}"),
        event: Event {
            number,
            name: "openat".into(),
            thread: 9,
            arguments: "fd=3 name=/etc/shadow".into(),
        },
        processes: vec![
            Process {
                pid: 9,
                name: "cat".into(),
                uid: Some(0),
                ..Process::default()
            },
            Process {
                pid: 1,
                name: "init".into(),
                ..Process::default()
            },
        ],
        fields: json!({"proc.name": "cat", "user.uid": 0, "fd.name": null})
            .as_object()
            .unwrap()
            .clone(),
        ..Alert::default()
    }
}

fn texts(store: &Store, query: &Query) -> Vec<String> {
    let found = store.find(query, 1000).unwrap();
    found.into_iter().map(|kept| kept.alert.text).collect()
}

fn open(path: &Path, limits: Limits) -> Store {
    Store::open(path, limits).unwrap()
}

#[test]
fn alerts_come_back_whole_and_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.sqlite");
    let mut store = open(&path, Limits::default());
    let all: Vec<Alert> = (0..20).map(alert).collect();
    let last = store.add(&all).unwrap();
    assert_eq!(store.one(last).unwrap().unwrap().alert, all[19]);
    assert!(store.one(last + 1).unwrap().is_none());
    let query = |change: fn(&mut Query)| {
        let mut query = Query::default();
        change(&mut query);
        texts(&store, &query)
    };
    assert_eq!(query(|_| {})[..2], ["text 19", "text 18"]);
    assert_eq!(query(|q| q.rule = "Rule 1".into()).len(), 7);
    assert_eq!(query(|q| q.source = "k8s_audit".into()).len(), 0);
    assert_eq!(query(|q| q.container = Some(String::new())).len(), 10);
    assert_eq!(query(|q| q.priority = Some(1)).len(), 6);
    assert_eq!(
        query(|q| {
            q.since = Some(START + 5_000_000_000);
            q.until = Some(START + 6_000_000_000);
        }),
        ["text 6", "text 5"]
    );
    let newer = Query {
        after: Some(last - 2),
        ..Query::default()
    };
    assert_eq!(texts(&store, &newer), ["text 18", "text 19"]);
    // Beside the writer, and without a right to write.
    let reader = Store::read(&path).unwrap();
    assert_eq!(texts(&reader, &Query::default()).len(), 20);
    store.add(&[alert(20)]).unwrap();
    assert_eq!(texts(&reader, &Query::default())[0], "text 20");
    let counts = reader.counts().unwrap();
    assert_eq!((counts.all, counts.minutes.iter().sum::<u64>()), (21, 21));
    assert_eq!(counts.rules[0], ("Rule 0".to_owned(), 7));
    assert_eq!(counts.containers[0], (String::new(), 11));
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn limits_hold() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits {
        alerts: 50,
        days: 1,
        ..Limits::default()
    };
    let mut store = open(&dir.path().join("a.sqlite"), limits);
    for number in 0..100 {
        store.add(&[alert(number)]).unwrap();
    }
    assert_eq!(texts(&store, &Query::default()).len(), 50);
    // Two days later the old ones are gone.
    store.add(&[alert(200_000)]).unwrap();
    assert_eq!(texts(&store, &Query::default()), ["text 200000"]);

    let path = dir.path().join("b.sqlite");
    let bytes = 1 << 20;
    let mut store = open(
        &path,
        Limits {
            bytes,
            ..Limits::default()
        },
    );
    let long = Alert {
        text: "x".repeat(1 << 20),
        ..alert(1)
    };
    let mut last = 0;
    for _ in 0..100 {
        last = store.add(std::slice::from_ref(&long)).unwrap();
    }
    let kept = store.find(&Query::default(), 1000).unwrap();
    assert!(kept.len() > 10 && kept.len() < 60, "{}", kept.len());
    assert_eq!(kept[0].id, last);
    assert!(std::fs::metadata(&path).unwrap().len() < 2 * bytes);
}

#[test]
fn what_is_no_store_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let fault = |name: &str| {
        let path = dir.path().join(name);
        let error = Store::open(&path, Limits::default()).unwrap_err();
        error.to_string()
    };
    std::fs::write(dir.path().join("rubbish"), "no database at all".repeat(100)).unwrap();
    assert!(fault("rubbish").contains("rubbish: file is not a database"));
    assert!(fault("no/such/folder").contains("no/such/folder"));
    drop(open(&dir.path().join("newer"), Limits::default()));
    let connection = rusqlite::Connection::open(dir.path().join("newer")).unwrap();
    connection.pragma_update(None, "user_version", 7).unwrap();
    drop(connection);
    assert!(fault("newer").contains("newer release (form 7"));
    assert!(Store::read(&dir.path().join("missing")).is_err());
}

#[test]
fn a_feed_keeps_what_it_was_given_and_wakes_who_waits() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.sqlite");
    let feed = Feed::start(open(&path, Limits::default())).unwrap();
    let shared = feed.shared();
    let waiting = std::thread::spawn({
        let shared = feed.shared();
        move || shared.wait(0, std::time::Duration::from_secs(60))
    });
    feed.alert(alert(1));
    assert!(waiting.join().unwrap());
    for number in 2..=100 {
        feed.alert(alert(number));
    }
    drop(feed);
    assert_eq!((shared.newest(), shared.missed()), (100, 0));
    // A new run goes on with its numbers.
    let feed = Feed::start(open(&path, Limits::default())).unwrap();
    feed.alert(alert(101));
    assert!(feed.shared().wait(100, std::time::Duration::from_secs(60)));
}

/// An alert of an incident: its id, and that of the first.
fn of_incident(number: u64, incident: u64) -> Alert {
    Alert {
        alert_id: format!("{number:016x}"),
        incident: format!("{incident:016x}"),
        earlier: vec![format!("{incident:016x}")],
        touched: vec![Touched {
            thing: Thing::Connection,
            how: "connected".into(),
            name: "10.0.0.1:1->10.0.0.2:2 tcp".into(),
        }],
        remembered: json!({"first.fd.name": "/tmp/x"})
            .as_object()
            .unwrap()
            .clone(),
        ..alert(number % 16)
    }
}

#[test]
fn alerts_of_an_incident_are_found_by_any_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(&dir.path().join("a.sqlite"), Limits::default());
    let ids = [
        (0xa1b2_0000, 0xa1b2_0000),
        (0xa1b2_0001, 0xa1b2_0000),
        (0xffff_0002, 0xffff_0002),
    ];
    let alerts: Vec<Alert> = ids
        .iter()
        .map(|(own, all)| of_incident(*own, *all))
        .collect();
    store.add(&alerts).unwrap();
    // Of a release before there were any.
    store.add(&[alert(0)]).unwrap();
    let first = "00000000a1b20000".to_owned();
    assert_eq!(
        store.incidents_of("00000000a1b20001", 9).unwrap(),
        std::slice::from_ref(&first)
    );
    assert_eq!(
        store.incidents_of("00000000a1b2", 9).unwrap(),
        std::slice::from_ref(&first)
    );
    assert_eq!(store.incidents_of("00000000", 9).unwrap().len(), 2);
    for nothing in ["0000000012", "", "000", "' OR ''='", "%%%%", "00000000A1B2"] {
        assert!(
            store.incidents_of(nothing, 9).unwrap().is_empty(),
            "{nothing}"
        );
    }
    let (found, all) = store.incident(&first, 9).unwrap();
    let found: Vec<Alert> = found.into_iter().map(|kept| kept.alert).collect();
    assert_eq!((found.as_slice(), all), (&alerts[..2], 2));
    assert_eq!(store.incident(&first, 1).unwrap().0[0].alert, alerts[1]);
    let list = store.incidents(9).unwrap();
    assert_eq!((list.len(), list[0].alerts, list[1].alerts), (2, 1, 2));
    assert_eq!(
        (list[1].id.as_str(), list[1].process.as_str()),
        (first.as_str(), "cat")
    );
    assert_eq!(
        (list[1].first, list[1].last),
        (alerts[0].time, alerts[1].time)
    );
}

/// A file of the release before this one, which did not know incidents.
#[test]
fn a_file_of_before_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.sqlite");
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(
        "CREATE TABLE alerts (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            time INTEGER NOT NULL, priority INTEGER NOT NULL, rule TEXT NOT NULL, source TEXT NOT NULL,
            container TEXT NOT NULL, text TEXT NOT NULL, tags TEXT NOT NULL, event TEXT NOT NULL,
            processes TEXT NOT NULL, fields TEXT NOT NULL
        );
        INSERT INTO alerts VALUES (1, 1700000000000000000, 4, 'Old', 'syscall', '', 'old', '[]', '{}', '[]', '{}');
        PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(old);
    let reader = Store::read(&path).unwrap();
    assert_eq!(texts(&reader, &Query::default()), ["old"]);
    assert_eq!(reader.one(1).unwrap().unwrap().alert.incident, "");
    assert!(reader.incidents(9).unwrap().is_empty());
    assert!(reader.incidents_of("00000000", 9).unwrap().is_empty());
    assert!(reader.incident("", 9).unwrap().0.is_empty());
    drop(reader);
    let mut store = open(&path, Limits::default());
    store.add(&[of_incident(0xa1b2_0000, 0xa1b2_0000)]).unwrap();
    drop(store);
    let store = open(&path, Limits::default());
    assert_eq!(texts(&store, &Query::default()), ["text 0", "old"]);
    assert_eq!(store.incidents(9).unwrap().len(), 1);
}

/// Somebody holds the file: that is told, and nobody waits for ever.
#[test]
fn a_locked_store_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.sqlite");
    drop(open(&path, Limits::default()));
    let holder = rusqlite::Connection::open(&path).unwrap();
    holder
        .pragma_update(None, "locking_mode", "EXCLUSIVE")
        .unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE; INSERT INTO alerts (time, priority, rule, source, container, text, tags, event, processes, fields) VALUES (1,1,'','','','','','','','');").unwrap();
    let fault = Store::read(&path)
        .and_then(|store| store.incidents(9))
        .unwrap_err();
    assert!(fault.to_string().contains("locked"), "{fault}");
}
