//! What is known of the terminal.

use std::io::IsTerminal;

/// Whether colours are wanted on standard error.
pub(crate) fn colour_stderr() -> bool {
    std::io::stderr().is_terminal() && colours_allowed()
}

/// Whether colours are wanted on standard output.
pub(crate) fn colour_stdout() -> bool {
    std::io::stdout().is_terminal() && colours_allowed()
}

/// See <https://no-color.org>.
fn colours_allowed() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
