//! What the bodies of the blocks hold, one module each. All work on bytes that lie in memory; the
//! reader brings them there.

pub(crate) mod descriptor;
pub(crate) mod event;
pub(crate) mod lists;
pub(crate) mod machine;
pub(crate) mod process;
