//! A bar on standard error while a long replay runs; nothing where that is no terminal.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

/// Smaller files are read before anybody could look at a bar.
const WORTH_A_BAR: u64 = 8 << 20;

/// The bar, if there is one.
pub(crate) struct Progress {
    bar: Option<(ProgressBar, Arc<AtomicU64>)>,
}

impl Progress {
    /// A bar for an input of `size` bytes whose reader counts in `position`.
    pub(crate) fn new(size: Option<u64>, position: &Arc<AtomicU64>) -> Self {
        let size = size.filter(|size| *size >= WORTH_A_BAR);
        let bar = size
            .filter(|_| std::io::stderr().is_terminal())
            .map(|size| {
                let bar = ProgressBar::new(size);
                let style =
                    "{elapsed_precise} {wide_bar} {binary_bytes}/{binary_total_bytes} {eta}";
                if let Ok(style) = ProgressStyle::with_template(style) {
                    bar.set_style(style);
                }
                (bar, Arc::clone(position))
            });
        Self { bar }
    }

    /// Shows how far reading came.
    pub(crate) fn update(&self) {
        if let Some((bar, position)) = &self.bar {
            bar.set_position(position.load(Ordering::Relaxed));
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Some((bar, _)) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
