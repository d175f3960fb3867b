//! Sample plugins, one of each capability; see the examples.
