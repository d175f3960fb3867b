//! Alerts that repeat themselves: the first goes out at once, those that are like it are counted for a while,
//! and one line tells of them at the end.
//!
//! A group begins with an alert that went out and lasts for its rule's window, in the time of events. It ends
//! early where there are too many, at a reload and at the end of the run. *Invariant:* every alert that joined
//! a group is in exactly one [`Group`] that comes back; nothing is dropped to make room.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use bumpalo::Bump;
use filter::render::{self, Buffers};
use filter::{FieldDef, FieldSource, Purpose, Schema, Template, json};

use crate::captures::Captures;

/// Longest message that is kept, in bytes.
const MESSAGE: usize = 4096;
/// Longest example.
const EXAMPLE: usize = 1024;
/// Longest value of a field that is shown.
const VALUE: usize = 1024;

/// How alerts of a rule are grouped.
#[derive(Clone, Debug)]
pub struct RuleGrouping {
    /// Nanoseconds.
    window: u64,
    /// Messages that are shown besides the first.
    examples: usize,
    /// In which of them alerts agree; empty: in the message.
    fields: Vec<Arc<FieldDef>>,
}

impl RuleGrouping {
    /// Alerts that agree in these fields, or, where the rule's source has none of them, in their message.
    #[must_use]
    pub fn new(window: u64, examples: usize, fields: &[String], schema: &dyn Schema) -> Self {
        let known = fields.iter().filter_map(|field| {
            let token = Template::parse(&format!("%{field}"), schema).ok()?;
            token.fields().first().map(Arc::clone)
        });
        Self {
            window,
            examples,
            fields: known.collect(),
        }
    }
}

/// An alert as far as groups are concerned.
#[derive(Debug, Default)]
pub struct Repeat {
    key: u128,
    message: Vec<u8>,
    /// Name and JSON value.
    values: Vec<(String, Vec<u8>)>,
}

/// Alerts that are alike, the first of which went out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The rule's number.
    pub rule: usize,
    /// Time of the first event, nanoseconds since the epoch.
    pub first: u64,
    /// Time of the last.
    pub last: u64,
    /// Alerts that did not go out.
    pub held: u64,
    /// The message of the first.
    pub message: Vec<u8>,
    /// The fields in which they agree, with values as JSON.
    pub values: Vec<(String, Vec<u8>)>,
    /// Other messages among them.
    pub examples: Vec<Vec<u8>>,
    /// Files that have the events around those that did not go out.
    pub captures: Captures,
}

#[derive(Debug)]
struct Open {
    group: Group,
    end: u64,
    number: u64,
}

/// The groups of a source.
#[derive(Debug)]
pub struct Groups {
    rules: Arc<[Option<RuleGrouping>]>,
    most: usize,
    /// Nobody outside can find two values that fall together.
    secrets: [RandomState; 2],
    open: HashMap<u128, Open>,
    /// End, number, key.
    ends: BTreeSet<(u64, u64, u128)>,
    begun: u64,
}

impl Groups {
    /// By the number of the rule; so many are open at most.
    #[must_use]
    pub fn new(rules: Arc<[Option<RuleGrouping>]>, most: usize) -> Self {
        Self {
            rules,
            most: most.max(1),
            secrets: [RandomState::new(), RandomState::new()],
            open: HashMap::new(),
            ends: BTreeSet::new(),
            begun: 0,
        }
    }

    /// What an alert of a rule is known by; `None`: such alerts are not grouped. `message` writes its message.
    pub fn repeat(
        &self,
        rule: usize,
        source: &impl FieldSource,
        message: impl FnOnce(&mut Vec<u8>),
    ) -> Option<Repeat> {
        let grouping = self.rules.get(rule)?.as_ref()?;
        let mut repeat = Repeat::default();
        message(&mut repeat.message);
        let mut hashers = self.secrets.each_ref().map(BuildHasher::build_hasher);
        let mut add = |bytes: &[u8]| {
            for hasher in &mut hashers {
                hasher.write_usize(bytes.len());
                hasher.write(bytes);
            }
        };
        add(&rule.to_le_bytes());
        if grouping.fields.is_empty() {
            add(&repeat.message);
        }
        let scratch = Bump::new();
        let mut text = Vec::new();
        for def in &grouping.fields {
            let value = source.extract(&def.field, Purpose::Json, &scratch);
            text.clear();
            match &value {
                Some(value) => {
                    render::text(def, value, Buffers::Base64, &mut text);
                    add(&text);
                }
                None => add(&[0]),
            }
            let mut shown = Vec::new();
            json::value(def, value.as_ref(), Buffers::Text, &mut shown);
            if shown.len() > VALUE {
                shown.clear();
                json::string(cut(&text, VALUE), &mut shown);
            }
            repeat.values.push((def.name.clone(), shown));
        }
        let [low, high] = hashers.map(|hasher| u128::from(hasher.finish()));
        repeat.key = high << 64 | low;
        repeat.message.truncate(cut(&repeat.message, MESSAGE).len());
        Some(repeat)
    }

    /// Counts an alert to the group that it belongs to; false: there is none.
    /// `capture`: the file that has the events around it.
    pub fn joins(
        &mut self,
        repeat: &Repeat,
        rule: usize,
        time: u64,
        capture: Option<&[u8]>,
    ) -> bool {
        let Some(open) = self.open.get_mut(&repeat.key) else {
            return false;
        };
        let most = self.rules.get(rule).and_then(Option::as_ref);
        let most = most.map_or(0, |grouping| grouping.examples);
        let group = &mut open.group;
        group.held += 1;
        group.first = group.first.min(time);
        group.last = group.last.max(time);
        group.captures.note(capture);
        let example = cut(&repeat.message, EXAMPLE);
        if group.examples.len() < most
            && repeat.message != group.message
            && group.examples.iter().all(|known| known != example)
        {
            group.examples.push(example.to_vec());
        }
        true
    }

    /// Whether there is room for another group. Where there is none, the one that would end first goes
    /// before its time ([`crowded`](Self::crowded)).
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.open.len() < self.most
    }

    /// Ends the group that would end first.
    pub fn crowded(&mut self) -> Option<Group> {
        let (_, _, key) = self.ends.pop_first()?;
        self.close(key)
    }

    /// Begins a group with an alert that goes out.
    pub fn begin(&mut self, repeat: Repeat, rule: usize, time: u64) {
        let Some(Some(grouping)) = self.rules.get(rule) else {
            return;
        };
        let end = time.saturating_add(grouping.window);
        let number = self.begun;
        self.begun += 1;
        self.ends.insert((end, number, repeat.key));
        let group = Group {
            rule,
            first: time,
            last: time,
            held: 0,
            message: repeat.message,
            values: repeat.values,
            examples: Vec::new(),
            captures: Captures::default(),
        };
        let before = self.open.insert(repeat.key, Open { group, end, number });
        debug_assert!(before.is_none(), "who joins a group begins none");
    }

    /// A group without anything to tell is none.
    fn close(&mut self, key: u128) -> Option<Group> {
        let open = self.open.remove(&key)?;
        self.ends.remove(&(open.end, open.number, key));
        (open.group.held > 0).then_some(open.group)
    }

    /// Time of events at which a group ends.
    #[must_use]
    pub fn due(&self) -> u64 {
        self.ends.first().map_or(u64::MAX, |(end, ..)| *end)
    }

    /// The next group that has ended by this time and has something to tell.
    pub fn ended(&mut self, time: u64) -> Option<Group> {
        while let Some(&(_, _, key)) = self.ends.first().filter(|(end, ..)| *end <= time) {
            if let Some(group) = self.close(key) {
                return Some(group);
            }
        }
        None
    }

    /// Ends all. In the order of their ends.
    pub fn end_all(&mut self) -> Vec<Group> {
        let mut all = Vec::new();
        while let Some((_, _, key)) = self.ends.pop_first() {
            all.extend(self.close(key));
        }
        all
    }

    /// Groups that are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

/// The begin of a text that is too long; no letter is cut in two.
fn cut(text: &[u8], most: usize) -> &[u8] {
    if text.len() <= most {
        return text;
    }
    let mut end = most;
    while end > 0 && text[end] & 0xC0 == 0x80 {
        end -= 1;
    }
    &text[..end]
}
