//! What a plugin's fields are to conditions and outputs.

use std::net::IpAddr;

use bumpalo::Bump;
use filter::{Argument, FieldDef, FieldRef, ResolveError, Type, Value};

use crate::info::FieldInfo;

/// A value that a plugin took from an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Datum {
    /// A number or a time.
    Number(u64),
    /// A text.
    Text(Vec<u8>),
    /// Truth.
    Bool(bool),
    /// An address.
    Ip(IpAddr),
}

impl Datum {
    /// As conditions see it.
    #[must_use]
    pub fn value<'s>(&self, scratch: &'s Bump) -> Value<'s> {
        match self {
            Self::Number(number) => Value::Unsigned(*number),
            Self::Text(text) => Value::Bytes(scratch.alloc_slice_copy(text)),
            Self::Bool(is) => Value::Bool(*is),
            Self::Ip(ip) => Value::Ip(*ip),
        }
    }
}

/// A field with its argument, as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// Number of the field in its plugin.
    pub field: u32,
    /// The text of the argument, if there is one.
    pub argument: Option<String>,
}

/// The fields of one plugin.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    all: Vec<FieldInfo>,
}

impl Fields {
    /// Of these descriptions.
    #[must_use]
    pub fn new(all: Vec<FieldInfo>) -> Self {
        Self { all }
    }

    /// Their descriptions.
    #[must_use]
    pub fn infos(&self) -> &[FieldInfo] {
        &self.all
    }

    /// Resolves a field; its number is that of the field in the plugin.
    ///
    /// # Errors
    /// As a schema has them.
    pub fn resolve(&self, text: &str) -> Result<FieldDef, ResolveError> {
        let bracket = text.find('[').unwrap_or(text.len());
        let (name, rest) = text.split_at(bracket);
        let number = self.all.iter().position(|info| info.name == name);
        let number = number.ok_or(ResolveError::Unknown)?;
        let info = &self.all[number];
        let arg = argument(info, rest)?;
        let field = FieldRef {
            id: u16::try_from(number).map_err(|_| ResolveError::Unknown)?,
            arg,
        };
        Ok(FieldDef {
            list: info.list,
            ..FieldDef::new(text, field, field_type(info.ftype))
        })
    }
}

fn field_type(ftype: u32) -> Type {
    match ftype {
        8 => Type::Uint64,
        20 => Type::RelTime,
        21 => Type::AbsTime,
        25 => Type::Bool,
        40 => Type::IpAddr,
        41 => Type::IpNet,
        _ => Type::CharBuf,
    }
}

/// Checks what stands behind a name. The text is kept: it is a number and a key at once where a field takes both.
fn argument(info: &FieldInfo, rest: &str) -> Result<Argument, ResolveError> {
    let name = &info.name;
    let fail = |text: String| Err(ResolveError::Argument(text));
    let Some(inner) = rest.strip_prefix('[') else {
        if info.required {
            return fail(format!("{name} requires an argument but none provided"));
        }
        return Ok(Argument::None);
    };
    let Some(inner) = inner.strip_suffix(']') else {
        return fail(format!("{name} has unbalanced argument brackets"));
    };
    if !info.index && !info.key {
        return fail(format!(
            "{name} does not allow nor require an argument but one is provided: {inner}"
        ));
    }
    if info.index && !info.key {
        if !inner.bytes().all(|b| b.is_ascii_digit()) || inner.is_empty() {
            return fail(format!(
                "{name} has an invalid index argument not composed only by digits: {inner}"
            ));
        }
        if inner.len() > 1 && inner.starts_with('0') {
            return fail(format!(
                "{name} has an invalid index argument starting with 0: {inner}"
            ));
        }
        if inner.parse::<u64>().is_err() {
            return fail(format!(
                "{name} has an invalid index argument not representable on 64 bit: {inner}"
            ));
        }
    }
    Ok(Argument::Key(inner.into()))
}

/// The number that an argument is, if it is one.
pub(crate) fn index(argument: &str) -> Option<u64> {
    let digits = !argument.is_empty() && argument.bytes().all(|b| b.is_ascii_digit());
    if !digits || (argument.len() > 1 && argument.starts_with('0')) {
        return None;
    }
    argument.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_checked() {
        let info = |name: &str, index, key, required| FieldInfo {
            name: name.to_owned(),
            ftype: 9,
            index,
            key,
            required,
            ..FieldInfo::default()
        };
        let fields = Fields::new(vec![
            info("p.plain", false, false, false),
            info("p.index", true, false, false),
            info("p.key", false, true, true),
            info("p.both", true, true, false),
        ]);
        for good in [
            "p.plain",
            "p.index",
            "p.index[0]",
            "p.index[12]",
            "p.key[a b]",
            "p.both",
            "p.both[01]",
        ] {
            assert!(fields.resolve(good).is_ok(), "{good}");
        }
        for bad in [
            "p.plain[1]",
            "p.index[a]",
            "p.index[01]",
            "p.index[]",
            "p.key",
            "p.key[x",
            "p.index[99999999999999999999]",
        ] {
            assert!(
                matches!(fields.resolve(bad), Err(ResolveError::Argument(_))),
                "{bad}"
            );
        }
        assert!(matches!(
            fields.resolve("p.none"),
            Err(ResolveError::Unknown)
        ));
        assert_eq!(
            (index("7"), index("07"), index("a"), index("")),
            (Some(7), None, None, None)
        );
    }
}
