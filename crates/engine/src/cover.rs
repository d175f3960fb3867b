//! What a match requires: a few values of which at least one must be there.
//!
//! The cover of a condition is a set of anchors such that the condition can only hold if one of
//! them does. An `and` has the cover of its best operand, an `or` the union of all its operands'
//! covers, a negation none.

use std::net::IpAddr;
use std::sync::Arc;

use filter::{FieldDef, Graph, Modifier, Node, NodeId, Operator, Predicate, Type};

/// A test of one field that an index can answer without asking each rule.
#[derive(Clone, Debug)]
pub struct Anchor {
    /// The field.
    pub field: Arc<FieldDef>,
    /// What its value must be.
    pub wanted: Wanted,
}

/// What an anchor wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// These bytes.
    Text(Box<[u8]>),
    /// Bytes that begin so.
    Prefix(Box<[u8]>),
    /// Bytes that end so.
    Suffix(Box<[u8]>),
    /// A path whose first components, each ended by a slash, are these.
    Path(Box<[u8]>),
    /// This number, as 64 bits.
    Number(u64),
    /// This address.
    Address(IpAddr),
}

/// At least one of these holds where the condition does.
pub type Cover = Vec<Anchor>;

/// More anchors than this for one rule, and filing it everywhere costs more than it saves.
const MOST_ANCHORS: usize = 4096;

/// The cover of a node, if it has one.
#[must_use]
pub fn of(graph: &Graph, id: NodeId) -> Option<Cover> {
    let (cover, _) = best(graph, id)?;
    Some(cover)
}

/// The cover and what it promises: the smaller, the rarer an event is that passes it.
fn best(graph: &Graph, id: NodeId) -> Option<(Cover, u32)> {
    match graph.node(id) {
        Node::And(all) => all
            .iter()
            .filter_map(|&one| best(graph, one))
            .min_by_key(|(cover, rank)| (*rank, cover.len())),
        Node::Or(all) => {
            let mut union = Cover::new();
            let mut rank = 0;
            for &one in all {
                let (cover, its) = best(graph, one)?;
                union.extend(cover);
                rank = rank.max(its);
                if union.len() > MOST_ANCHORS {
                    return None;
                }
            }
            Some((union, rank))
        }
        Node::Not(_) => None,
        Node::Check(predicate) => check(predicate),
    }
}

fn check(predicate: &Predicate) -> Option<(Cover, u32)> {
    let field = match &predicate.left {
        Some(field) => field,
        None => predicate.last_component_of.as_ref()?,
    };
    let is_part = predicate.left.is_none();
    let any = matches!(predicate.modifier, None | Some(Modifier::AnyOf));
    if predicate.against_field || field.list || !any {
        return None;
    }
    let rank = rank(&field.name)?;
    let mut cover = Cover::with_capacity(predicate.constants.len());
    for constant in &predicate.constants {
        let wanted = if is_part {
            last_component(predicate.operator, field.ty, constant)?
        } else {
            wanted(predicate.operator, field.ty, constant)?
        };
        cover.push(Anchor {
            field: Arc::clone(field),
            wanted,
        });
    }
    (!cover.is_empty() && cover.len() <= MOST_ANCHORS).then_some((cover, rank))
}

fn wanted(operator: Operator, ty: Type, constant: &[u8]) -> Option<Wanted> {
    let text = matches!(ty, Type::CharBuf | Type::FsPath | Type::FsRelPath);
    match operator {
        Operator::Equal | Operator::DoubleEqual | Operator::In | Operator::Intersects if text => {
            Some(Wanted::Text(constant.into()))
        }
        Operator::StartsWith if text && !constant.is_empty() => {
            Some(Wanted::Prefix(constant.into()))
        }
        Operator::EndsWith if text && !constant.is_empty() => Some(Wanted::Suffix(constant.into())),
        Operator::Glob if text => {
            let plain = constant
                .iter()
                .position(|b| b"*?[\\".contains(b))
                .unwrap_or(constant.len());
            (plain > 0).then(|| Wanted::Prefix(constant[..plain].into()))
        }
        Operator::PMatch if text => path(constant).map(Wanted::Path),
        Operator::Equal | Operator::DoubleEqual | Operator::In => {
            let constant = std::str::from_utf8(constant).ok()?;
            match ty {
                Type::IpAddr | Type::Ipv4Addr | Type::Ipv6Addr => {
                    constant.parse().ok().map(Wanted::Address)
                }
                // Only numbers that no width changes.
                Type::Port
                | Type::Uint16
                | Type::Uint32
                | Type::Uint64
                | Type::Int64
                | Type::Pid => constant
                    .parse::<u16>()
                    .ok()
                    .map(|n| Wanted::Number(n.into())),
                _ => None,
            }
        }
        _ => None,
    }
}

/// What the whole must be where its last component is wanted so: that is what it ends with.
fn last_component(operator: Operator, ty: Type, constant: &[u8]) -> Option<Wanted> {
    let text = matches!(ty, Type::CharBuf | Type::FsPath | Type::FsRelPath);
    match operator {
        Operator::Equal
        | Operator::DoubleEqual
        | Operator::In
        | Operator::Intersects
        | Operator::EndsWith
            if text && !constant.is_empty() =>
        {
            Some(Wanted::Suffix(constant.into()))
        }
        _ => None,
    }
}

/// The components before the first that is a pattern; `None` if there are none.
fn path(pattern: &[u8]) -> Option<Box<[u8]>> {
    let mut out = Vec::new();
    for part in pattern
        .split(|&b| b == b'/')
        .filter(|part| !part.is_empty())
    {
        if part.iter().any(|b| b"*?[".contains(b)) {
            break;
        }
        out.extend_from_slice(part);
        out.push(b'/');
    }
    (!out.is_empty()).then(|| out.into())
}

/// How rare a given value of the field is; `None` for fields of few values, which are no anchors.
fn rank(field: &str) -> Option<u32> {
    Some(match field {
        "fd.name" | "fs.path.name" | "fs.path.source" | "fs.path.target" | "fd.nameraw"
        | "fs.path.nameraw" | "fs.path.sourceraw" | "fs.path.targetraw" => 0,
        "fd.filename" | "fd.directory" => 1,
        "proc.exepath" | "proc.cmdline" | "proc.exeline" | "proc.args" => 2,
        "proc.name" | "proc.exe" => 3,
        "fd.sip" | "fd.cip" | "fd.rip" | "fd.lip" | "fd.ip" => 3,
        "proc.pname" | "proc.pexe" | "proc.pexepath" | "proc.pcmdline" | "proc.cwd" => 4,
        "fd.sport" | "fd.cport" | "fd.rport" | "fd.lport" | "fd.port" => 5,
        "container.image.repository" | "container.image" | "container.name" | "k8s.ns.name" => 6,
        _ => return None,
    })
}
