//! One audit event as a [`FieldSource`]: from numbers to values.
//!
//! Values borrow from the document; what escapes, decoding or joining composes lives in the scratch arena. An event
//! without `auditID` has no `ka.*` value at all: it is not from an API server.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use filter::{Argument, FieldRef, FieldSource, Purpose, Value};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::catalogue::{AS_TEXT, List, Property, ROWS, Row, Rule, Time};
use crate::json::{Kind, Node};
use crate::{image, uri, walk};

/// An audit event.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    event: Node<'a>,
    time: u64,
    identified: bool,
    zone: Option<&'a TimeZone>,
}

/// What an extractor gets.
#[derive(Clone, Copy)]
struct Ask<'f, 's> {
    event: Node<'s>,
    arg: &'f Argument,
    scratch: &'s Bump,
}

type Texts<'s> = BumpVec<'s, Value<'s>>;

impl<'a> View<'a> {
    /// A view of an event of this time, in nanoseconds since the epoch.
    #[must_use]
    pub fn new(event: Node<'a>, time: u64) -> Self {
        let identified = event
            .get("auditID")
            .is_some_and(|id| id.kind() != Kind::Null);
        Self {
            event,
            time,
            identified,
            zone: None,
        }
    }

    /// With a zone for local times; otherwise they are in UTC.
    #[must_use]
    pub fn with_zone(mut self, zone: &'a TimeZone) -> Self {
        self.zone = Some(zone);
        self
    }

    /// The event itself.
    #[must_use]
    pub fn event(&self) -> Node<'a> {
        self.event
    }

    fn time_text(&self, form: Time) -> Option<String> {
        if form == Time::Nanoseconds {
            return Some(self.time.to_string());
        }
        let time = Timestamp::from_nanosecond(self.time.into()).ok()?;
        let zone = self
            .zone
            .filter(|_| form == Time::Day)
            .cloned()
            .unwrap_or(TimeZone::UTC);
        let pattern = if form == Time::Day {
            "%H:%M:%S.%9f"
        } else {
            "%Y-%m-%dT%H:%M:%S.%9fZ"
        };
        Some(time.to_zoned(zone).strftime(pattern).to_string())
    }
}

impl FieldSource for View<'_> {
    fn extract<'s>(&'s self, field: &FieldRef, _: Purpose, scratch: &'s Bump) -> Option<Value<'s>> {
        self.value(field.id, &field.arg, scratch)
    }
}

impl View<'_> {
    /// The value of the field with this number.
    #[must_use]
    pub fn value<'s>(
        &'s self,
        number: u16,
        arg: &Argument,
        scratch: &'s Bump,
    ) -> Option<Value<'s>> {
        let row = ROWS.get(usize::from(number & !AS_TEXT))?;
        if !self.identified && row.name.starts_with("ka.") {
            return None;
        }
        let ask = Ask {
            event: self.event,
            arg,
            scratch,
        };
        if number & AS_TEXT != 0 {
            return ask.as_text(row);
        }
        if row.list {
            let values = ask.list(row.rule)?;
            return (!values.is_empty()).then(|| Value::List(values.into_bump_slice()));
        }
        match row.rule {
            Rule::Time(form) => Some(Value::Bytes(
                scratch.alloc_str(&self.time_text(form)?).as_bytes(),
            )),
            rule => ask.scalar(rule),
        }
    }
}

/// A value's text: strings as they are, anything else as JSON. `null` has none.
fn text<'s>(node: Node<'s>, scratch: &'s Bump) -> Option<&'s [u8]> {
    match node.kind() {
        Kind::Null => None,
        Kind::String(_) => Some(match node.string()? {
            std::borrow::Cow::Borrowed(text) => text,
            std::borrow::Cow::Owned(text) => scratch.alloc_slice_copy(&text),
        }),
        _ => Some(node.json()),
    }
}

fn truth<'s>(is: bool) -> Value<'s> {
    Value::Bytes(if is { b"true" } else { b"false" })
}

impl<'s> Ask<'_, 's> {
    fn index(&self) -> Option<u32> {
        match self.arg {
            Argument::Index(index) => Some(*index),
            _ => None,
        }
    }

    fn key(&self) -> Option<&str> {
        match self.arg {
            Argument::Key(key) => Some(key),
            _ => None,
        }
    }

    fn value(&self, node: Node<'s>) -> Option<Value<'s>> {
        text(node, self.scratch).map(Value::Bytes)
    }

    /// The first value at a path.
    fn first(&self, path: &[&str]) -> Option<Node<'s>> {
        walk::at(self.event, path, None, self.scratch)
            .first()
            .copied()
    }

    fn object(&self, name: &str) -> Option<Node<'s>> {
        self.event.get(name)
    }

    fn texts(&self) -> Texts<'s> {
        Texts::new_in(self.scratch)
    }

    fn scalar(&self, rule: Rule) -> Option<Value<'s>> {
        match rule {
            Rule::At(path) => self.value(self.first(path)?),
            Rule::Annotation(name) => self.value(self.object("annotations")?.get(name)?),
            Rule::UriParameter => {
                let request = text(self.first(&["requestURI"])?, self.scratch)?;
                let found = uri::parameter(request, self.key()?)?;
                Some(Value::Bytes(self.scratch.alloc_slice_copy(&found)))
            }
            Rule::TargetPod => {
                let target = self.object("objectRef")?;
                if !target.get("resource")?.is("pods") || target.get("subresource").is_some() {
                    return None;
                }
                self.value(self.first(&["responseObject", "metadata", "name"])?)
            }
            Rule::HasName => {
                let wanted = self.key()?;
                let subjects = self.first(&["requestObject", "subjects"])?;
                let has = subjects
                    .elements()
                    .any(|s| s.get("name").is_some_and(|n| n.is(wanted)));
                Some(truth(has))
            }
            Rule::HostPath => {
                let wanted = self.key()?.as_bytes();
                let volumes = self.first(&["requestObject", "spec", "volumes"])?;
                let fits = volumes.elements().any(|volume| {
                    let path = volume.get("hostPath").and_then(|host| host.get("path"));
                    let path = path.and_then(|path| text(path, self.scratch));
                    path.is_some_and(|path| match wanted.strip_suffix(b"*") {
                        Some(prefix) => path.starts_with(prefix),
                        None => path == wanted,
                    })
                });
                Some(truth(fits))
            }
            Rule::FirstImage | Rule::FirstRepository => {
                let container = self.chosen_container()?;
                let whole = text(container.get("image")?, self.scratch)?;
                Some(Value::Bytes(match rule {
                    Rule::FirstImage => whole,
                    _ => image::short_repository(whole),
                }))
            }
            Rule::AnyPrivileged => {
                let containers = self.containers(List::Containers)?;
                let mut chosen = walk::chosen(containers, self.index()).peekable();
                chosen.peek()?;
                Some(truth(chosen.any(|container| {
                    let security = container.get("securityContext");
                    security
                        .and_then(|s| s.get("privileged"))
                        .is_some_and(|p| p.json() == b"true")
                })))
            }
            Rule::Pointer => self.value(self.event.pointer(self.key()?)?),
            Rule::Whole(false) => Some(Value::Bytes(self.event.json())),
            Rule::Whole(true) => {
                let mut out = Vec::new();
                self.event.pretty(&mut out);
                Some(Value::Bytes(self.scratch.alloc_slice_copy(&out)))
            }
            _ => None,
        }
    }

    fn containers(&self, list: List) -> Option<Node<'s>> {
        let spec = self.object("requestObject")?.get("spec")?;
        // A container for debugging is added by an object that holds nothing else in early versions.
        let direct = || self.object("requestObject")?.get(list.key());
        spec.get(list.key())
            .or_else(direct)
            .filter(|list| list.kind() == Kind::Array)
    }

    fn chosen_container(&self) -> Option<Node<'s>> {
        let index = self.index().unwrap_or(0);
        self.containers(List::Containers)?
            .elements()
            .nth(index as usize)
    }

    /// Values of a list; `None` where there is no list at all.
    fn list(&self, rule: Rule) -> Option<Texts<'s>> {
        let mut values = self.texts();
        match rule {
            Rule::Each(path) => {
                // Where the path ends at one array, the index is for that one.
                let found = walk::at(self.event, path, self.index(), self.scratch);
                for node in found {
                    self.open(node, self.index(), &mut values);
                }
            }
            Rule::SourceIps => {
                self.open(self.object("sourceIPs")?, self.index(), &mut values);
            }
            Rule::RoleRules(path) => {
                for node in walk::at(self.event, path, self.index(), self.scratch) {
                    self.open(node, None, &mut values);
                }
            }
            Rule::Subjects(kind, with_namespace) => {
                let subjects = self.first(&["requestObject", "subjects"])?;
                for subject in subjects.elements() {
                    if subject.get("kind").is_some_and(|k| k.is(kind)) {
                        values.extend(self.subject(subject, with_namespace));
                    }
                }
            }
            Rule::VolumeTypes => {
                let volumes = self.first(&["requestObject", "spec", "volumes"])?;
                for volume in walk::chosen(volumes, self.index()) {
                    let keys = volume
                        .members()
                        .map(|(key, _)| key)
                        .filter(|key| !key.is("name"));
                    values.extend(keys.filter_map(|key| self.value(key)));
                }
            }
            Rule::Container(list, property) => {
                for container in walk::chosen(self.containers(list)?, self.index()) {
                    self.property(container, property, &mut values)?;
                }
            }
            _ => return None,
        }
        Some(values)
    }

    /// An array's elements, or the value itself.
    fn open(&self, node: Node<'s>, index: Option<u32>, values: &mut Texts<'s>) {
        if node.kind() == Kind::Array {
            values.extend(walk::chosen(node, index).filter_map(|element| self.value(element)));
        } else {
            values.extend(self.value(node));
        }
    }

    fn subject(&self, subject: Node<'s>, with_namespace: bool) -> Option<Value<'s>> {
        let name = text(subject.get("name")?, self.scratch)?;
        if !with_namespace {
            return Some(Value::Bytes(name));
        }
        let namespace = text(subject.get("namespace")?, self.scratch)?;
        let joined = [namespace, b":", name].concat();
        Some(Value::Bytes(self.scratch.alloc_slice_copy(&joined)))
    }

    /// Adds the values of a container's property; `None` makes the whole field missing.
    fn property(
        &self,
        container: Node<'s>,
        property: Property,
        values: &mut Texts<'s>,
    ) -> Option<()> {
        let security = |name: &str| container.get("securityContext").and_then(|s| s.get(name));
        match property {
            Property::Text(name) => values.push(self.value(container.get(name)?)?),
            Property::Repository => {
                let whole = text(container.get("image")?, self.scratch)?;
                values.push(Value::Bytes(image::repository(whole)));
            }
            Property::Words(name) => {
                let Some(words) = container.get(name) else {
                    return Some(());
                };
                let mut line = BumpVec::new_in(self.scratch);
                for (n, word) in words.elements().enumerate() {
                    if n > 0 {
                        line.push(b' ');
                    }
                    line.extend_from_slice(text(word, self.scratch)?);
                }
                values.push(Value::Bytes(line.into_bump_slice()));
            }
            Property::Ports => {
                let ports = container
                    .get("ports")
                    .into_iter()
                    .flat_map(|p| p.elements());
                let port = |p: Node<'s>| p.get("hostPort").or_else(|| p.get("containerPort"));
                values.extend(ports.filter_map(port).filter_map(|p| self.value(p)));
            }
            Property::Security(name) => {
                values.extend(security(name).and_then(|v| self.value(v)));
            }
            Property::Effective(name) => {
                let pod = || {
                    let path = ["requestObject", "spec", "securityContext", name];
                    self.first(&path).and_then(|v| self.value(v))
                };
                let own = security(name).and_then(|v| self.value(v));
                values.push(own.or_else(pod).unwrap_or(Value::Bytes(b"0")));
            }
            Property::Capabilities => {
                let added = security("capabilities").and_then(|c| c.get("add"));
                if let Some(added) = added {
                    self.open(added, None, values);
                }
            }
        }
        Some(())
    }

    /// A list as the text that the first generation had for it: the JSON of each array on the way, joined by blanks.
    fn as_text(&self, row: &Row) -> Option<Value<'s>> {
        let json = match row.rule {
            Rule::RoleRules(path) => walk::at(self.event, path, self.index(), self.scratch),
            Rule::Each(path) if self.index().is_none() => {
                walk::at(self.event, path, None, self.scratch)
            }
            _ => walk::Found::new_in(self.scratch),
        };
        let mut out = BumpVec::new_in(self.scratch);
        let mut add = |piece: &[u8]| {
            if !out.is_empty() {
                out.push(b' ');
            }
            out.extend_from_slice(piece);
        };
        if json.iter().any(|node| node.kind() == Kind::Array) {
            json.iter().for_each(|node| add(node.json()));
        } else {
            for value in self.list(row.rule)? {
                if let Value::Bytes(piece) = value {
                    add(piece);
                }
            }
        }
        (!out.is_empty()).then(|| Value::Bytes(out.into_bump_slice()))
    }
}

/// What an exec or attach request runs, of which pod and container, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The request: its end is told under the same.
    pub id: Vec<u8>,
    /// Who asked.
    pub user: Vec<u8>,
    /// The groups of who asked.
    pub groups: Vec<Vec<u8>>,
    /// Namespace of the pod.
    pub namespace: Vec<u8>,
    /// Name of the pod.
    pub pod: Vec<u8>,
    /// Name of the container; empty where the request leaves it to the default.
    pub container: Vec<u8>,
    /// The command with its arguments; none for attach.
    pub command: Vec<Vec<u8>>,
    /// Whether it attaches to what runs already.
    pub attach: bool,
    /// Nanoseconds since the epoch.
    pub time: u64,
}

impl Session {
    /// The session that an event begins, if it does: an exec or attach request that was let through.
    #[must_use]
    pub fn of(event: Node<'_>, time: u64) -> Option<Self> {
        let own = |node: Option<Node<'_>>| {
            node.and_then(|n| n.string())
                .map(std::borrow::Cow::into_owned)
        };
        let target = event.get("objectRef")?;
        if !target.get("resource")?.is("pods") {
            return None;
        }
        let subresource = target.get("subresource")?;
        let attach = subresource.is("attach");
        if !attach && !subresource.is("exec") {
            return None;
        }
        // The stage at which the connection stands; what is refused never gets there.
        let code = event.get("responseStatus").and_then(|s| s.get("code"));
        let refused = code.is_some_and(|c| !matches!(c.json(), b"101" | b"200"));
        if refused || !event.get("stage")?.is("ResponseStarted") {
            return None;
        }
        let who = event
            .get("impersonatedUser")
            .filter(|u| u.kind() == Kind::Object);
        let who = who.or_else(|| event.get("user"))?;
        let groups = who.get("groups").into_iter().flat_map(|g| g.elements());
        let request = own(event.get("requestURI")).unwrap_or_default();
        Some(Self {
            id: own(event.get("auditID")).unwrap_or_default(),
            user: own(who.get("username"))?,
            groups: groups.filter_map(|g| own(Some(g))).collect(),
            namespace: own(target.get("namespace")).unwrap_or_default(),
            pod: own(target.get("name"))?,
            container: uri::parameter(&request, "container").unwrap_or_default(),
            command: uri::parameters(&request, "command"),
            attach,
            time,
        })
    }

    /// The request that an event ends, if it does: the connection of an attach is closed.
    #[must_use]
    pub fn ended(event: Node<'_>) -> Option<Vec<u8>> {
        let target = event.get("objectRef")?;
        let attach = target.get("resource")?.is("pods") && target.get("subresource")?.is("attach");
        if !attach || !event.get("stage")?.is("ResponseComplete") {
            return None;
        }
        let id = event.get("auditID")?.string()?.into_owned();
        (!id.is_empty()).then_some(id)
    }
}
