//! From written conditions to whole ones: lists inserted as text, macros as trees.

pub(crate) mod lists;
pub(crate) mod macros;
pub(crate) mod text;
