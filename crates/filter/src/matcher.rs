//! Tests in the form in which they run: one specialised variant for each kind of comparison, with
//! searchers, sets and automata built beforehand. Nothing here allocates, but for a `regex` on
//! bytes that are not UTF-8.

use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

use bumpalo::Bump;
use hashbrown::HashSet;
use memchr::memmem::Finder;

use crate::compile::{Relation, Test};
use crate::constant::{Constant, Network};
use crate::domain::DomainSet;
use crate::glob::Glob;
use crate::operator::Modifier;
use crate::pathmatch::PathPrefixes;
use crate::pattern::Pattern;
use crate::value::Value;

/// The six comparisons of ordered values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl Order {
    #[inline]
    pub(crate) fn holds<T: PartialOrd + ?Sized>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterEqual => left >= right,
        }
    }

    pub(crate) fn of(relation: Relation) -> Option<Self> {
        Some(match relation {
            Relation::Equal => Self::Equal,
            Relation::NotEqual => Self::NotEqual,
            Relation::Less => Self::Less,
            Relation::LessEqual => Self::LessEqual,
            Relation::Greater => Self::Greater,
            Relation::GreaterEqual => Self::GreaterEqual,
            _ => return None,
        })
    }
}

/// A set of texts: a filter on the length first, then a few comparisons or one hash.
/// The hash is seeded at random, since users' values and attackers' names meet here.
#[derive(Debug)]
pub(crate) struct TextSet {
    /// Bit n: there is a member of length n; bit 63: of 63 or more.
    lengths: u64,
    few: Box<[Box<[u8]>]>,
    many: HashSet<Box<[u8]>>,
}

const FEW: usize = 4;

impl TextSet {
    fn new(mut members: Vec<Box<[u8]>>) -> Self {
        members.sort_unstable();
        members.dedup();
        let bit = |member: &[u8]| 1_u64 << member.len().min(63);
        let lengths = members.iter().fold(0, |bits, member| bits | bit(member));
        if members.len() <= FEW {
            return Self {
                lengths,
                few: members.into(),
                many: HashSet::new(),
            };
        }
        Self {
            lengths,
            few: Box::default(),
            many: members.into_iter().collect(),
        }
    }

    #[inline]
    fn has(&self, value: &[u8]) -> bool {
        if self.lengths >> value.len().min(63) & 1 == 0 {
            return false;
        }
        if self.many.is_empty() {
            return self.few.iter().any(|member| **member == *value);
        }
        self.many.contains(value)
    }
}

/// A set of numbers or addresses, sorted.
#[derive(Debug)]
pub(crate) struct SortedSet<T>(Box<[T]>);

impl<T: Ord + Hash + Copy> SortedSet<T> {
    fn new(members: impl Iterator<Item = T>) -> Self {
        let mut members: Vec<T> = members.collect();
        members.sort_unstable();
        members.dedup();
        Self(members.into())
    }

    #[inline]
    fn has(&self, value: &T) -> bool {
        if self.0.len() <= 8 {
            self.0.contains(value)
        } else {
            self.0.binary_search(value).is_ok()
        }
    }
}

/// A test of one value with constants.
#[derive(Debug)]
pub(crate) enum Matcher {
    /// There is a value.
    Always,
    Never,
    Text(Order, Box<[u8]>),
    TextIn(TextSet),
    Domains(DomainSet),
    Prefix(Box<[u8]>),
    Suffix(Box<[u8]>),
    Contains(Box<Finder<'static>>),
    /// Lower-case needle.
    IContains(Box<[u8]>),
    Glob(Box<Glob>),
    Regex(Arc<Pattern>),
    Paths(Box<PathPrefixes>),
    Signed(Order, i64),
    SignedIn(SortedSet<i64>),
    Unsigned(Order, u64),
    UnsignedIn(SortedSet<u64>),
    Double(Order, f64),
    DoubleIn(Box<[f64]>),
    Bool(bool),
    Address(Order, IpAddr),
    AddressIn(SortedSet<IpAddr>),
    Networks(Box<[Network]>),
    Not(Box<Matcher>),
    Several(Modifier, Box<[Matcher]>),
}

impl Matcher {
    /// The form of a test with constants. Tests with a field on the right are not run here.
    pub(crate) fn new(test: &Test) -> Self {
        match test {
            Test::Exists => Self::Always,
            Test::One(relation, constant) => Self::one(*relation, constant),
            Test::In(constants) => Self::member(constants),
            Test::Paths(paths) => Self::Paths(Box::new(PathPrefixes::new(
                paths.iter().map(|path| &**path),
            ))),
            Test::Several(modifier, relation, constants) => {
                Self::several(*modifier, *relation, constants)
            }
            Test::Against(..) | Test::InValues(_) => Self::Never,
        }
    }

    fn several(modifier: Modifier, relation: Relation, constants: &[Constant]) -> Self {
        match (modifier, relation) {
            _ if constants.is_empty() => Self::Never,
            (Modifier::AnyOf, Relation::Equal) => Self::member(constants),
            (Modifier::AllOf, Relation::NotEqual) => Self::Not(Box::new(Self::member(constants))),
            _ => {
                let all = constants
                    .iter()
                    .map(|constant| Self::one(relation, constant));
                Self::Several(modifier, all.collect())
            }
        }
    }

    fn one(relation: Relation, constant: &Constant) -> Self {
        let order = Order::of(relation);
        match (constant, order) {
            (Constant::Bytes(bytes), Some(order)) => Self::Text(order, bytes.clone()),
            (Constant::Bytes(bytes), None) => match relation {
                // Every text has it; no value at all has none.
                Relation::Contains if bytes.is_empty() => Self::Prefix(Box::default()),
                Relation::Contains => Self::Contains(Box::new(Finder::new(bytes).into_owned())),
                Relation::IContains => Self::IContains(bytes.to_ascii_lowercase().into()),
                Relation::StartsWith => Self::Prefix(bytes.clone()),
                Relation::EndsWith => Self::Suffix(bytes.clone()),
                Relation::IGlob => Self::Glob(Box::new(Glob::new(bytes, true))),
                _ => Self::Glob(Box::new(Glob::new(bytes, false))),
            },
            (Constant::Domain(name), Some(order)) => {
                let names = Self::Domains(DomainSet::new([name.clone()]));
                match order {
                    Order::NotEqual => Self::Not(Box::new(names)),
                    _ => names,
                }
            }
            (Constant::Pattern(pattern), _) => Self::Regex(Arc::clone(pattern)),
            (Constant::Signed(number), Some(order)) => Self::Signed(order, *number),
            (Constant::Unsigned(number), Some(order)) => Self::Unsigned(order, *number),
            (Constant::Double(number), Some(order)) => Self::Double(order, f64::from(*number)),
            (Constant::Bool(truth), Some(Order::NotEqual)) => Self::Bool(!truth),
            (Constant::Bool(truth), _) => Self::Bool(*truth),
            (Constant::Address(ip), Some(order)) => Self::Address(order, *ip),
            (Constant::Network(network), Some(Order::NotEqual)) => {
                Self::Not(Box::new(Self::Networks(Box::new([*network]))))
            }
            (Constant::Network(network), _) => Self::Networks(Box::new([*network])),
            (_, None) => Self::Never,
        }
    }

    fn member(constants: &[Constant]) -> Self {
        fn all<T>(constants: &[Constant], pick: impl Fn(&Constant) -> Option<T>) -> Vec<T> {
            constants.iter().filter_map(pick).collect()
        }
        match constants {
            [] => Self::Never,
            [only] => Self::one(Relation::Equal, only),
            [Constant::Bytes(_), ..] => Self::TextIn(TextSet::new(all(constants, |c| match c {
                Constant::Bytes(bytes) => Some(bytes.clone()),
                _ => None,
            }))),
            [Constant::Domain(_), ..] => {
                Self::Domains(DomainSet::new(all(constants, |c| match c {
                    Constant::Domain(name) => Some(name.clone()),
                    _ => None,
                })))
            }
            [Constant::Signed(_), ..] => {
                Self::SignedIn(SortedSet::new(constants.iter().filter_map(|c| match c {
                    Constant::Signed(number) => Some(*number),
                    _ => None,
                })))
            }
            [Constant::Unsigned(_), ..] => {
                Self::UnsignedIn(SortedSet::new(constants.iter().filter_map(|c| match c {
                    Constant::Unsigned(number) => Some(*number),
                    _ => None,
                })))
            }
            [Constant::Double(_), ..] => Self::DoubleIn(
                all(constants, |c| match c {
                    Constant::Double(number) => Some(f64::from(*number)),
                    _ => None,
                })
                .into(),
            ),
            [Constant::Bool(first), rest @ ..] => {
                let same = rest.iter().all(|other| *other == Constant::Bool(*first));
                if same {
                    Self::Bool(*first)
                } else {
                    Self::Always
                }
            }
            [Constant::Address(_), ..] => {
                Self::AddressIn(SortedSet::new(constants.iter().filter_map(|c| match c {
                    Constant::Address(ip) => Some(*ip),
                    _ => None,
                })))
            }
            [Constant::Network(_), ..] => Self::Networks(
                all(constants, |c| match c {
                    Constant::Network(network) => Some(*network),
                    _ => None,
                })
                .into(),
            ),
            [Constant::Pattern(_), ..] => Self::Never,
        }
    }

    /// Whether the value passes. A value of another type than the field's declared one fails.
    #[inline]
    pub(crate) fn matches(&self, value: &Value<'_>, scratch: &Bump) -> bool {
        match (self, value) {
            (Self::Text(Order::Equal, own), Value::Bytes(bytes)) => **own == **bytes,
            (Self::Text(order, own), Value::Bytes(bytes)) => order.holds(*bytes, &**own),
            (Self::TextIn(set), Value::Bytes(bytes)) => set.has(bytes),
            (Self::Domains(set), Value::Bytes(bytes)) => set.has(bytes),
            (Self::Prefix(own), Value::Bytes(bytes)) => bytes.starts_with(own),
            (Self::Suffix(own), Value::Bytes(bytes)) => bytes.ends_with(own),
            (Self::Contains(finder), Value::Bytes(bytes)) => finder.find(bytes).is_some(),
            (Self::IContains(own), Value::Bytes(bytes)) => contains_folded(bytes, own),
            (Self::Glob(glob), Value::Bytes(bytes)) => glob.matches(bytes),
            (Self::Regex(pattern), Value::Bytes(bytes)) => pattern.matches(bytes, scratch),
            (Self::Paths(paths), Value::Bytes(bytes)) => paths.matches(bytes),
            (Self::Signed(order, own), value) => {
                signed(value).is_some_and(|number| order.holds(&number, own))
            }
            (Self::SignedIn(set), value) => signed(value).is_some_and(|number| set.has(&number)),
            (Self::Unsigned(order, own), value) => {
                unsigned(value).is_some_and(|number| order.holds(&number, own))
            }
            (Self::UnsignedIn(set), value) => {
                unsigned(value).is_some_and(|number| set.has(&number))
            }
            (Self::Double(order, own), value) => {
                double(value).is_some_and(|number| order.holds(&number, own))
            }
            (Self::DoubleIn(set), value) => {
                double(value).is_some_and(|number| set.contains(&number))
            }
            (Self::Bool(own), Value::Bool(truth)) => own == truth,
            (Self::Address(order, own), Value::Ip(ip)) => order.holds(ip, own),
            (Self::AddressIn(set), Value::Ip(ip)) => set.has(ip),
            (Self::Networks(networks), Value::Ip(ip)) => {
                networks.iter().any(|network| network.contains(*ip))
            }
            (Self::Always, _) => true,
            (Self::Not(inner), value) => !inner.matches(value, scratch),
            (Self::Several(modifier, all), value) => {
                modified(*modifier, all.iter().map(|one| one.matches(value, scratch)))
            }
            _ => false,
        }
    }

    /// Whether this is `!=`, for fields with two ends.
    pub(crate) fn is_not_equal(&self) -> bool {
        matches!(
            self,
            Self::Not(_)
                | Self::Text(Order::NotEqual, _)
                | Self::Signed(Order::NotEqual, _)
                | Self::Unsigned(Order::NotEqual, _)
                | Self::Double(Order::NotEqual, _)
                | Self::Address(Order::NotEqual, _)
        )
    }
}

/// What a modifier makes of the results for each element; an empty list never matches.
pub(crate) fn modified(modifier: Modifier, mut results: impl Iterator<Item = bool>) -> bool {
    match modifier {
        Modifier::AnyOf => results.any(|holds| holds),
        Modifier::OneOf => results.filter(|&holds| holds).take(2).count() == 1,
        Modifier::AllOf => match results.next() {
            Some(first) => first && results.all(|holds| holds),
            None => false,
        },
    }
}

/// Substring without regard to ASCII case; the needle is in lower case.
pub(crate) fn contains_folded(value: &[u8], needle: &[u8]) -> bool {
    let Some(&first) = needle.first() else {
        return true;
    };
    let upper = first.to_ascii_uppercase();
    memchr::memchr2_iter(first, upper, value).any(|at| {
        value[at..]
            .get(..needle.len())
            .is_some_and(|piece| piece.eq_ignore_ascii_case(needle))
    })
}

/// Sources may give either kind of integer for a type; the type decides.
#[inline]
pub(crate) fn signed(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Signed(number) => Some(*number),
        Value::Unsigned(number) => Some(*number as i64),
        _ => None,
    }
}

#[inline]
pub(crate) fn unsigned(value: &Value<'_>) -> Option<u64> {
    match value {
        Value::Unsigned(number) => Some(*number),
        Value::Signed(number) => Some(*number as u64),
        _ => None,
    }
}

#[inline]
pub(crate) fn double(value: &Value<'_>) -> Option<f64> {
    match value {
        Value::Double(number) => Some(*number),
        Value::Unsigned(number) => Some(*number as f64),
        Value::Signed(number) => Some(*number as f64),
        _ => None,
    }
}
