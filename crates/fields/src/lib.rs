//! Fields of system call events: which there are, and their values.
//!
//! ```
//! use fields::{Catalogue, Environment, EventView};
//! use event::{EventCode, Record, RecordBuilder, RecordFlags, codes};
//! use filter::{FieldSource, Purpose, Schema, Value};
//! use state::{Options, State};
//!
//! let catalogue = Catalogue::new([]);
//! let field = catalogue.resolve("evt.arg.fd").unwrap().field;
//!
//! let bytes = RecordBuilder::new(EventCode::new(codes::SYSCALL_CLOSE_X), 17, 100).i64(0).i64(3).finish();
//! let record = Record::parse(&bytes, 0, RecordFlags::default()).unwrap();
//! let mut state = State::new(Options::default());
//! let context = state.process(&record);
//! let env = Environment::default();
//! let view = EventView::new(&record, &state, &context, &env);
//! let scratch = bumpalo::Bump::new();
//! assert_eq!(view.extract(&field, Purpose::Text, &scratch), Some(Value::Bytes(b"3")));
//! ```
//!
//! Modules: [`catalogue`] from names to numbers, [`view`] what an event is seen with, `extract` from numbers to
//! values, [`render`] parameters as text, [`listing`] what `list fields` and `list events` print.
//!
//! [`Catalogue`] is a [`filter::Schema`], [`EventView`] a [`filter::FieldSource`]. Fields that today's Falco no
//! longer has (`mesos.*`, `span.*`, `evtin.*`, `syslog.*`) resolve to [`filter::ResolveError::Removed`] unless the catalogue
//! was made with [`Catalogue::with_removed`].

#![forbid(unsafe_code)]

pub mod catalogue;
mod extract;
pub mod listing;
pub mod reach;
pub mod render;
pub mod view;

pub use catalogue::Catalogue;
pub use extract::capability;
pub use view::{Environment, EventView, LOCAL, Resolver, UTC, keep};
