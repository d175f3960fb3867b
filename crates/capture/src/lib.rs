//! Capture files: read, written, and old events brought to today's form.
//!
//! No file is opened here and no clock asked: a capture comes from any [`std::io::Read`], a pipe as
//! well as a file, and memory stays the same whatever its size. Foreign bytes are the normal case:
//! every length is checked before it is believed.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use capture::{Item, Reader, Writer};
//! use event::{EventCode, RecordBuilder, Record, RecordFlags, codes};
//!
//! let close = RecordBuilder::new(EventCode::new(codes::SYSCALL_CLOSE_X), 17, 100).i64(0).i64(3);
//! let bytes = close.finish();
//! let mut writer = Writer::new(Vec::new(), capture::Compression::Gzip)?;
//! writer.event(&Record::parse(&bytes, 0, RecordFlags::default())?)?;
//! let file = writer.finish()?;
//!
//! let mut reader = Reader::new(file.as_slice())?;
//! while let Some(item) = reader.next()? {
//!     match item {
//!         Item::Process(_process) => { /* state.load_process */ }
//!         Item::Loaded => { /* state.finish_load */ }
//!         Item::Event(record) => assert_eq!(record.info.name, "close"),
//!         Item::Restart => { /* state.reset */ }
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What a consumer does with the items: load machine, processes, descriptors, interfaces and users
//! as they come; finish loading at [`Item::Loaded`]; hand every event to the state, which numbers it.
//! Events in front of `Loaded` belong to the initial state (users, groups and containers that the
//! recorder knew): they carry [`event::RecordFlags::STATE_ONLY`], take a number, and are never shown.
//! At [`Item::Restart`] drop all state; the numbering goes on.
//!
//! Modules: [`blocks`] the format, [`reader`] and [`writer`], [`error`]; inside, `window` the
//! stretch of the stream that is in memory, `source` decompression, `read` and `write` the bodies of
//! blocks, `convert` old events, `counted`
//! how much went through.

#![forbid(unsafe_code)]

pub mod blocks;
pub mod compat;
mod convert;
mod counted;
mod cursor;
pub mod error;
mod read;
pub mod reader;
mod source;
mod window;
mod write;
pub mod writer;

pub use convert::{ConvertError, is_initial_state};
pub use counted::Counted;
pub use error::{Error, Lookalike};
pub use reader::{Item, Reader, Statistics};
pub use source::Compression;
pub use writer::Writer;
