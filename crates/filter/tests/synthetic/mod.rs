//! The synthetic fields of the specification's cases, and a few more for two-ended fields.

#![allow(dead_code, reason = "each test uses its part")]

use std::net::IpAddr;

use bumpalo::Bump;
use filter::{
    Argument, FieldDef, FieldRef, FieldSource, Format, Lifetime, Purpose, Quantifier, ResolveError,
    Schema, Type, Value,
};

/// Name, type, list, quantifier.
pub(crate) const FIELDS: [(&str, Type, bool, Quantifier); 25] = [
    ("t.str", Type::CharBuf, false, Quantifier::One),
    ("t.str2", Type::CharBuf, false, Quantifier::One),
    ("t.none", Type::CharBuf, false, Quantifier::One),
    ("t.path", Type::FsPath, false, Quantifier::One),
    ("t.i64", Type::Int64, false, Quantifier::One),
    ("t.u64", Type::Uint64, false, Quantifier::One),
    ("t.u32", Type::Uint32, false, Quantifier::One),
    ("t.nonum", Type::Int64, false, Quantifier::One),
    ("t.bool", Type::Bool, false, Quantifier::One),
    ("t.buf", Type::ByteBuf, false, Quantifier::One),
    ("t.port", Type::Port, false, Quantifier::One),
    ("t.ip4", Type::IpAddr, false, Quantifier::One),
    ("t.ip6", Type::IpAddr, false, Quantifier::One),
    ("t.net4", Type::IpNet, false, Quantifier::One),
    ("t.net6", Type::IpNet, false, Quantifier::One),
    ("t.slist", Type::CharBuf, true, Quantifier::One),
    ("t.elist", Type::CharBuf, true, Quantifier::One),
    ("t.dbl", Type::Double, false, Quantifier::One),
    ("t.time", Type::AbsTime, false, Quantifier::One),
    ("t.keyed", Type::CharBuf, false, Quantifier::One),
    // Not in the specification's list: several values at once.
    ("t.ports", Type::Port, false, Quantifier::Ends),
    ("t.nets", Type::IpNet, false, Quantifier::Ends),
    ("t.aname", Type::CharBuf, false, Quantifier::Any),
    ("t.domain", Type::Domain, false, Quantifier::One),
    ("t.domains", Type::Domain, false, Quantifier::Ends),
];

pub(crate) struct Synthetic;

impl Schema for Synthetic {
    fn resolve(&self, text: &str) -> Result<FieldDef, ResolveError> {
        let (name, argument) = match text.split_once('[') {
            Some((name, rest)) => (name, Some(rest.strip_suffix(']').unwrap_or(rest))),
            None => (text, None),
        };
        let index = FIELDS
            .iter()
            .position(|(known, ..)| *known == name)
            .ok_or(ResolveError::Unknown)?;
        let (_, ty, list, quantifier) = FIELDS[index];
        let arg = match (name, argument) {
            ("t.keyed", Some(key)) => Argument::Key(key.into()),
            ("t.keyed", None) => return Err(ResolveError::Argument("needs a key".into())),
            (_, None) => Argument::None,
            (_, Some(_)) => return Err(ResolveError::Argument("takes no argument".into())),
        };
        Ok(FieldDef {
            name: text.to_owned(),
            field: FieldRef {
                id: index as u16,
                arg,
            },
            ty,
            list,
            quantifier,
            format: Format::Decimal,
            lifetime: if name == "t.str2" {
                Lifetime::Process
            } else {
                Lifetime::Event
            },
            rhs_allowed: quantifier == Quantifier::One,
            transformers_allowed: quantifier == Quantifier::One,
            filter_only: false,
            deprecated: false,
        })
    }

    fn names(&self) -> Vec<&str> {
        FIELDS.iter().map(|(name, ..)| *name).collect()
    }

    fn service_port(&self, name: &str) -> Option<u16> {
        match name {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        }
    }
}

/// Values of one made-up event; a field that is missing here is missing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Env {
    pub(crate) values: Vec<Option<Held>>,
}

#[derive(Clone, Debug)]
pub(crate) enum Held {
    Signed(i64),
    Unsigned(u64),
    Double(f64),
    Bool(bool),
    Bytes(Vec<u8>),
    Ip(IpAddr),
    List(Vec<Held>),
}

impl Held {
    fn value<'a>(&'a self, scratch: &'a Bump) -> Value<'a> {
        match self {
            Self::Signed(number) => Value::Signed(*number),
            Self::Unsigned(number) => Value::Unsigned(*number),
            Self::Double(number) => Value::Double(*number),
            Self::Bool(truth) => Value::Bool(*truth),
            Self::Bytes(bytes) => Value::Bytes(bytes),
            Self::Ip(ip) => Value::Ip(*ip),
            Self::List(all) => {
                Value::List(scratch.alloc_slice_fill_iter(all.iter().map(|one| one.value(scratch))))
            }
        }
    }
}

fn text(text: &str) -> Option<Held> {
    Some(Held::Bytes(text.as_bytes().to_vec()))
}

impl Env {
    /// The environment of most cases.
    pub(crate) fn standard() -> Self {
        let ip = |text: &str| Some(Held::Ip(text.parse().expect("an address")));
        let (v4, v6) = ("142.251.111.147", "2001:4860:4860::8888");
        let list =
            |all: &[&str]| Some(Held::List(all.iter().filter_map(|one| text(one)).collect()));
        let ports = Held::List(vec![Held::Unsigned(443), Held::Unsigned(50000)]);
        let nets = Held::List(vec![
            Held::Ip(v4.parse().expect("an address")),
            Held::Ip([10, 0, 0, 1].into()),
        ]);
        Self {
            values: vec![
                text("/tmp/file_to_run"),
                text("Hello World"),
                None,
                text("/opt/dir/SUBDIR/file.txt"),
                Some(Held::Signed(-22)),
                Some(Held::Unsigned(1)),
                Some(Held::Unsigned(5)),
                None,
                Some(Held::Bool(true)),
                text("hello"),
                Some(Held::Unsigned(443)),
                ip(v4),
                ip(v6),
                ip(v4),
                ip(v6),
                list(&["ipv4", "file"]),
                list(&[]),
                Some(Held::Double(3.0)),
                Some(Held::Unsigned(1000)),
                text("v"),
                Some(ports),
                Some(nets),
                list(&["bash", "sshd", "systemd"]),
                text("www.example.com"),
                list(&["www.example.com", "cdn.example.net"]),
            ],
        }
    }
}

impl FieldSource for Env {
    fn extract<'a>(
        &'a self,
        field: &FieldRef,
        _purpose: Purpose,
        scratch: &'a Bump,
    ) -> Option<Value<'a>> {
        self.values[usize::from(field.id)]
            .as_ref()
            .map(|held| held.value(scratch))
    }
}
