//! Comparisons with what the original printed for the corpus.
