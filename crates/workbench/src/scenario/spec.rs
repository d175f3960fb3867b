//! The written form of rule tests: what a file of tests, or the `tests:` of a rule, says.
//!
//! ```yaml
//! rules: [../peregrine_rules.yaml]     # beside form: a mapping; paths count from this file
//! tests:
//!   - name: root reads the hashes
//!     rule: Read sensitive file untrusted
//!     events:
//!       - openat: {proc.name: cat, fd.name: /etc/shadow}
//!     fires: true
//! ```

use rules::yaml::{self, Kind, Limits, NodeId, Style, Tree};
use serde_json::{Map, Value};

/// What is wrong with a file of tests, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// A sentence.
    pub message: String,
    /// The byte of the file.
    pub offset: usize,
}

/// A `Result` whose error is a [`Fault`].
pub(super) type Read<T> = Result<T, Fault>;

/// All tests of a file.
#[derive(Clone, Debug, Default)]
pub struct Suite {
    /// Rule files that the tests are about, as written; empty for a rule file itself.
    pub rules: Vec<String>,
    /// The tests.
    pub tests: Vec<Test>,
}

/// One test.
#[derive(Clone, Debug)]
pub struct Test {
    /// Its name, or its number where it has none.
    pub name: String,
    /// The rule that it is about; without it, all rules.
    pub rule: Option<String>,
    /// Where it stands.
    pub offset: usize,
    /// A capture to be replayed, as written.
    pub capture: Option<String>,
    /// What happens.
    pub events: Vec<EventSpec>,
    /// What must come of it.
    pub wanted: Wanted,
    /// Only the first rule that matches an event raises an alert.
    pub first_only: bool,
}

/// An event as written.
#[derive(Clone, Debug)]
pub struct EventSpec {
    /// `execve`, `openat`, `container`, `audit`.
    pub kind: String,
    /// Its fields, in the order of writing.
    pub fields: Vec<Given>,
    /// Where it stands.
    pub offset: usize,
}

/// A field and the value that it shall have.
#[derive(Clone, Debug)]
pub struct Given {
    /// The name.
    pub name: String,
    /// The value: a text as written, null, a list, a mapping.
    pub value: Value,
    /// Where it stands.
    pub offset: usize,
}

/// What must come of a test.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Whether the rule in question raises an alert.
    pub fires: Option<bool>,
    /// All alerts, in their order. With a rule in question only its own count.
    pub alerts: Option<Vec<AlertWanted>>,
    /// Rules that must not raise any, whatever others do.
    pub silent: Vec<String>,
}

/// An alert that is expected.
#[derive(Clone, Debug)]
pub struct AlertWanted {
    /// Its rule.
    pub rule: String,
    /// The number of the event, from 1.
    pub event: Option<u64>,
    /// A part of its text.
    pub output: Option<String>,
    /// Values of fields.
    pub fields: Vec<(String, String)>,
}

impl Suite {
    /// Reads a file of tests, or the tests in a rule file. `None`: it is neither; a rule file without tests is
    /// a suite without tests.
    ///
    /// # Errors
    /// The first [`Fault`].
    pub fn parse(text: &str) -> Result<Option<Self>, Fault> {
        let tree = yaml::parse(text, &Limits::default()).map_err(|fault| Fault {
            message: fault.message,
            offset: fault.offset,
        })?;
        let mut suite = Self::default();
        let mut found = false;
        for &document in &tree.documents {
            let reader = Reader { tree: &tree };
            match &tree.node(document).kind {
                Kind::Mapping(_) if tree.value(document, "tests").is_some() => {
                    found = true;
                    reader.beside(document, &mut suite)?;
                }
                Kind::Sequence(items) => {
                    found = true;
                    for &item in items {
                        reader.inside(item, &mut suite)?;
                    }
                }
                Kind::Null => found = true,
                _ => {}
            }
        }
        Ok(found.then_some(suite))
    }
}

struct Reader<'t> {
    tree: &'t Tree<'t>,
}

impl Reader<'_> {
    fn fault<T>(&self, at: NodeId, message: impl Into<String>) -> Read<T> {
        Err(Fault {
            message: message.into(),
            offset: self.tree.node(at).start,
        })
    }

    /// A mapping with `rules` and `tests`.
    fn beside(&self, document: NodeId, suite: &mut Suite) -> Read<()> {
        for &(key, value) in self.tree.entries(document) {
            match self.tree.text(key) {
                Some("rules") => suite.rules = self.texts(value)?,
                Some("tests") => self.tests(value, None, suite)?,
                Some(other) => {
                    return self.fault(
                        key,
                        format!("there is no key `{other}` beside `rules` and `tests`"),
                    );
                }
                None => return self.fault(key, "a key is a text"),
            }
        }
        Ok(())
    }

    /// An item of a rule file.
    fn inside(&self, item: NodeId, suite: &mut Suite) -> Read<()> {
        let Some(tests) = self.tree.value(item, "tests") else {
            return Ok(());
        };
        let rule = self
            .tree
            .value(item, "rule")
            .and_then(|rule| self.tree.text(rule));
        match rule {
            Some(rule) => self.tests(tests, Some(rule), suite),
            None => self.fault(
                tests,
                "only rules have `tests`; those of macros and lists are their rules'",
            ),
        }
    }

    fn tests(&self, node: NodeId, rule: Option<&str>, suite: &mut Suite) -> Read<()> {
        for &test in self.sequence(node, "`tests`")? {
            let number = suite.tests.len() + 1;
            suite.tests.push(self.test(test, rule, number)?);
        }
        Ok(())
    }

    fn test(&self, node: NodeId, rule: Option<&str>, number: usize) -> Read<Test> {
        if !matches!(self.tree.node(node).kind, Kind::Mapping(_)) {
            return self.fault(
                node,
                "a test is a mapping with `events` or `capture`, and `fires` or `alerts`",
            );
        }
        let mut test = Test {
            name: format!("test {number}"),
            rule: rule.map(str::to_owned),
            offset: self.tree.node(node).start,
            capture: None,
            events: Vec::new(),
            wanted: Wanted::default(),
            first_only: false,
        };
        let mut alerts = None;
        for &(key, value) in self.tree.entries(node) {
            match self.tree.text(key).unwrap_or_default() {
                "name" => test.name = self.text(value)?.to_owned(),
                "rule" => test.rule = Some(self.text(value)?.to_owned()),
                "capture" => test.capture = Some(self.text(value)?.to_owned()),
                "events" => {
                    for &event in self.sequence(value, "`events`")? {
                        test.events.push(self.event(event)?);
                    }
                }
                "fires" => test.wanted.fires = Some(self.truth(value)?),
                "alerts" => alerts = Some(value),
                "silent" => test.wanted.silent = self.texts(value)?,
                "matching" => {
                    test.first_only = match self.text(value)? {
                        "first" => true,
                        "all" => false,
                        _ => return self.fault(value, "`matching` is `first` or `all`"),
                    };
                }
                other => {
                    return self.fault(key, format!(
                        "a test has no key `{other}`; it has name, rule, capture, events, fires, alerts, silent, matching"
                    ));
                }
            }
        }
        if let Some(alerts) = alerts {
            let own = test.rule.clone();
            let all = self.sequence(alerts, "`alerts`")?.iter();
            let all = all
                .map(|&one| self.alert(one, own.as_deref()))
                .collect::<Read<_>>()?;
            test.wanted.alerts = Some(all);
        }
        if test.capture.is_some() != test.events.is_empty() {
            return self.fault(node, "a test has either `events` or a `capture`");
        }
        let wanted = &test.wanted;
        if wanted.fires.is_none() && wanted.alerts.is_none() && wanted.silent.is_empty() {
            return self.fault(
                node,
                "the test expects nothing: say `fires`, `alerts` or `silent`",
            );
        }
        if wanted.fires.is_some() && test.rule.is_none() {
            return self.fault(node, "`fires` needs the `rule` that it speaks of");
        }
        Ok(test)
    }

    fn event(&self, node: NodeId) -> Read<EventSpec> {
        let offset = self.tree.node(node).start;
        if let Some(kind) = self.tree.text(node) {
            return Ok(EventSpec {
                kind: kind.to_owned(),
                fields: Vec::new(),
                offset,
            });
        }
        let [(key, value)] = self.tree.entries(node) else {
            return self.fault(
                node,
                "an event is its type and its fields, such as `openat: {fd.name: /etc/shadow}`",
            );
        };
        let Some(kind) = self.tree.text(*key) else {
            return self.fault(*key, "the type of an event is a text");
        };
        if !matches!(self.tree.node(*value).kind, Kind::Mapping(_) | Kind::Null) {
            return self.fault(
                *value,
                "the fields of an event are a mapping of names and values",
            );
        }
        let fields = self.tree.entries(*value).iter().map(|&(name, value)| {
            let Some(text) = self.tree.text(name) else {
                return self.fault(name, "a field's name is a text");
            };
            Ok(Given {
                name: text.to_owned(),
                // Audit events are JSON, where a number is no text.
                value: self.value(value, kind == "audit"),
                offset: self.tree.node(name).start,
            })
        });
        Ok(EventSpec {
            kind: kind.to_owned(),
            fields: fields.collect::<Read<_>>()?,
            offset,
        })
    }

    fn alert(&self, node: NodeId, own: Option<&str>) -> Read<AlertWanted> {
        if let Some(rule) = self.tree.text(node) {
            return Ok(AlertWanted {
                rule: rule.to_owned(),
                event: None,
                output: None,
                fields: Vec::new(),
            });
        }
        let mut alert = AlertWanted {
            rule: own.unwrap_or_default().to_owned(),
            event: None,
            output: None,
            fields: Vec::new(),
        };
        for &(key, value) in self.tree.entries(node) {
            match self.tree.text(key).unwrap_or_default() {
                "rule" => alert.rule = self.text(value)?.to_owned(),
                "output" => alert.output = Some(self.text(value)?.to_owned()),
                "event" => {
                    let number = self.text(value)?.parse();
                    let Ok(number) = number else {
                        return self.fault(value, "`event` is the number of an event, from 1");
                    };
                    alert.event = Some(number);
                }
                "fields" => {
                    for &(name, value) in self.tree.entries(value) {
                        alert
                            .fields
                            .push((self.text(name)?.to_owned(), self.text(value)?.to_owned()));
                    }
                }
                other => return self.fault(
                    key,
                    format!(
                        "an expected alert has no key `{other}`; it has rule, event, output, fields"
                    ),
                ),
            }
        }
        if alert.rule.is_empty() {
            return self.fault(node, "an expected alert names its `rule`");
        }
        Ok(alert)
    }

    fn sequence(&self, node: NodeId, what: &str) -> Read<&[NodeId]> {
        match &self.tree.node(node).kind {
            Kind::Sequence(all) => Ok(all),
            Kind::Null => Ok(&[]),
            _ => self.fault(node, format!("{what} is a list")),
        }
    }

    fn text(&self, node: NodeId) -> Read<&str> {
        self.tree
            .text(node)
            .map_or_else(|| self.fault(node, "a text belongs here"), Ok)
    }

    fn texts(&self, node: NodeId) -> Read<Vec<String>> {
        if let Some(one) = self.tree.text(node) {
            return Ok(vec![one.to_owned()]);
        }
        let all = self.sequence(node, "this")?.iter();
        all.map(|&one| Ok(self.text(one)?.to_owned())).collect()
    }

    fn truth(&self, node: NodeId) -> Read<bool> {
        match self.text(node)? {
            "true" | "yes" => Ok(true),
            "false" | "no" => Ok(false),
            _ => self.fault(node, "`fires` is true or false"),
        }
    }

    /// A value as JSON. Texts stay texts unless `typed`.
    fn value(&self, node: NodeId, typed: bool) -> Value {
        match &self.tree.node(node).kind {
            Kind::Null => Value::Null,
            Kind::Scalar(scalar) if typed && scalar.style == Style::Plain => {
                serde_json::from_str(&scalar.value)
                    .ok()
                    .filter(|value: &Value| value.is_number() || value.is_boolean())
                    .unwrap_or_else(|| Value::String(scalar.value.to_string()))
            }
            Kind::Scalar(scalar) => Value::String(scalar.value.to_string()),
            Kind::Sequence(all) => {
                Value::Array(all.iter().map(|&one| self.value(one, typed)).collect())
            }
            Kind::Mapping(all) => {
                let entry = |&(key, value): &(NodeId, NodeId)| {
                    let key = self.tree.text(key).unwrap_or_default().to_owned();
                    (key, self.value(value, typed))
                };
                Value::Object(all.iter().map(entry).collect::<Map<_, _>>())
            }
        }
    }
}

impl Given {
    /// The value as one text; a list's elements are joined by blanks.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        match &self.value {
            Value::Null | Value::Object(_) => None,
            Value::String(text) => Some(text.clone()),
            Value::Array(_) => Some(self.words().join(" ")),
            other => Some(other.to_string()),
        }
    }

    /// The value as words: a list's elements, or a text's parts between blanks.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        match &self.value {
            Value::Array(all) => all
                .iter()
                .map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned))
                .collect(),
            _ => self
                .text()
                .unwrap_or_default()
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
        }
    }
}

impl EventSpec {
    /// A field's value.
    #[must_use]
    pub fn given(&self, name: &str) -> Option<&Given> {
        self.fields.iter().find(|given| given.name == name)
    }

    /// The text of the first of these fields that is there.
    pub(super) fn text(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.given(name)?.text())
    }

    /// A number, of the first of these fields that is there; `0x` and leading zeros as in C.
    pub(super) fn number(&self, names: &[&str]) -> Read<Option<i64>> {
        for name in names {
            if let Some(given) = self.given(name) {
                let text = given.text().unwrap_or_default();
                let Some(number) = super::value::integer(&text) else {
                    return Err(given.fault(format!("`{name}` is a number, not `{text}`")));
                };
                return Ok(Some(number));
            }
        }
        Ok(None)
    }

    /// A truth value.
    pub(super) fn truth(&self, name: &str) -> Read<Option<bool>> {
        let Some(given) = self.given(name) else {
            return Ok(None);
        };
        match given.text().as_deref() {
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            _ => Err(given.fault(format!("`{name}` is true or false"))),
        }
    }

    pub(super) fn fault(&self, message: impl Into<String>) -> Fault {
        Fault {
            message: message.into(),
            offset: self.offset,
        }
    }
}

impl Given {
    pub(super) fn fault(&self, message: impl Into<String>) -> Fault {
        Fault {
            message: message.into(),
            offset: self.offset,
        }
    }
}
