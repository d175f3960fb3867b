//! Reads arbitrary bytes as one event and as socket addresses.

#![no_main]

use event::{Record, RecordFlags, SockAddr, SockTuple};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = SockAddr::parse(bytes);
    let _ = SockTuple::parse(bytes);
    let Ok(record) = Record::parse(bytes, 0, RecordFlags::default()) else { return };
    assert!(record.bytes().len() <= bytes.len());
    let mut total = 0;
    for index in 0..=record.len() + 1 {
        let raw = record.param(index);
        total += raw.len();
        let _ = record.text(index);
        let _ = (record.u8(index), record.u16(index), record.u32(index), record.u64(index));
        let _ = (record.i32(index), record.i64(index));
        let _ = SockAddr::parse(raw);
        let _ = SockTuple::parse(raw);
    }
    assert!(total <= record.bytes().len());
    for param in record.info.params {
        let _ = record.param_named(param.name);
    }
    let _ = record.result();
});
