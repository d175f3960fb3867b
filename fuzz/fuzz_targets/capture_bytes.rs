//! Reads arbitrary bytes as a capture, converted and raw, and writes what it gets.

#![no_main]

use capture::{Compression, Item, Reader, Writer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(mut reader) = Reader::new(bytes) {
        while let Ok(Some(item)) = reader.next() {
            if let Item::Event(record) = item {
                assert!(record.len() <= record.info.params.len());
            }
        }
        assert!(matches!(reader.next(), Ok(None) | Err(_)));
    }
    if let Ok(mut reader) = Reader::raw(bytes) {
        let mut writer = Writer::new(Vec::new(), Compression::None).expect("memory takes all");
        let mut written = 0u64;
        while let Ok(Some(item)) = reader.next() {
            if matches!(item, Item::Event(_)) {
                written += 1;
            }
            writer.item(&item).expect("memory takes all");
        }
        let copy = writer.finish().expect("memory takes all");
        let mut reader = Reader::raw(copy.as_slice()).expect("own files begin well");
        let mut read = 0u64;
        loop {
            match reader.next() {
                Ok(Some(Item::Event(_))) => read += 1,
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(capture::Error::NoEvents { .. }) => break,
                Err(error) => panic!("own file is refused: {error}"),
            }
        }
        assert_eq!(read, written);
    }
});
