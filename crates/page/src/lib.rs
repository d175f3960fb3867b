//! The local page: recent alerts as they come, by rule, priority and container; for each its event,
//! its processes and its fields; rates, losses and the cost of each rule as plots. It needs no
//! internet, and its code is what lies in `assets`.
//!
//! Alerts come out of the [`store`]; [`numbers`] are what the event loop tells once a second;
//! [`routes`] serves both to this machine's own browser and to who has the [`token`].

#![forbid(unsafe_code)]

pub mod numbers;
pub mod routes;
pub mod token;

pub use numbers::{Numbers, RuleCost, Second};
