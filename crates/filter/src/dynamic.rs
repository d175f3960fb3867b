//! Comparison of two values, for `val(...)` and transformers on the right side.

use bumpalo::Bump;

use crate::compile::Relation;
use crate::glob::Glob;
use crate::matcher::{Order, contains_folded, double, signed, unsigned};
use crate::value::Value;

/// Whether the relation holds between two values of one type.
pub(crate) fn holds(
    relation: Relation,
    left: &Value<'_>,
    right: &Value<'_>,
    scratch: &Bump,
) -> bool {
    if let Some(order) = Order::of(relation) {
        return ordered(order, left, right);
    }
    let (Value::Bytes(value), Value::Bytes(own)) = (left, right) else {
        return false;
    };
    match relation {
        Relation::Contains => memchr::memmem::find(value, own).is_some(),
        Relation::IContains => {
            let lower = scratch.alloc_slice_copy(own);
            lower.make_ascii_lowercase();
            contains_folded(value, lower)
        }
        Relation::StartsWith => value.starts_with(own),
        Relation::EndsWith => value.ends_with(own),
        Relation::Glob => Glob::new(own, false).matches(value),
        Relation::IGlob => Glob::new(own, true).matches(value),
        _ => false,
    }
}

fn ordered(order: Order, left: &Value<'_>, right: &Value<'_>) -> bool {
    match (left, right) {
        (Value::Bytes(left), Value::Bytes(right)) => order.holds(*left, *right),
        (Value::Bool(left), Value::Bool(right)) => order.holds(left, right),
        (Value::Ip(left), Value::Ip(right)) => order.holds(left, right),
        (Value::Double(_), _) | (_, Value::Double(_)) => match (double(left), double(right)) {
            (Some(left), Some(right)) => order.holds(&left, &right),
            _ => false,
        },
        (Value::Signed(_), _) => match (signed(left), signed(right)) {
            (Some(left), Some(right)) => order.holds(&left, &right),
            _ => false,
        },
        (Value::Unsigned(_), _) => match (unsigned(left), unsigned(right)) {
            (Some(left), Some(right)) => order.holds(&left, &right),
            _ => false,
        },
        _ => false,
    }
}

/// Whether a value is among the right side's.
pub(crate) fn among(left: &Value<'_>, right: &Value<'_>) -> bool {
    match right {
        Value::List(all) => all.iter().any(|one| ordered(Order::Equal, left, one)),
        one => ordered(Order::Equal, left, one),
    }
}
