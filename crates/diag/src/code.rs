//! Codes: a stable number for each kind of finding, with the text that `explain` prints.
//!
//! A code is never reused for something else. Each crate declares its own table of [`Code`]s in
//! its own hundred, so that this crate need not know what rules or configurations are.

/// A kind of finding.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// The stable name, such as `P0101`.
    pub id: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// What it means, why it matters and how to mend it: a few sentences of plain text.
    pub explanation: &'static str,
}

/// Declares codes as statics, `NAME = "P0101", "title", "explanation";` each, and `ALL` of them.
#[macro_export]
macro_rules! codes {
    ($($name:ident = $id:literal, $title:literal, $explanation:literal;)*) => {
        $(
            #[doc = $title]
            pub static $name: $crate::Code =
                $crate::Code { id: $id, title: $title, explanation: $explanation };
        )*
        /// All of them, by number.
        pub static ALL: &[&$crate::Code] = &[$(&$name),*];
    };
}

/// Looks a code up in some tables, without regard to case.
#[must_use]
pub fn find<'c>(tables: &[&'c [&'static Code]], id: &str) -> Option<&'c &'static Code> {
    tables
        .iter()
        .flat_map(|t| t.iter())
        .find(|c| c.id.eq_ignore_ascii_case(id))
}
