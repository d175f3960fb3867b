//! Texts as a batch of records, in the form that Kafka has had since 0.11.
//!
//! ```text
//! first i64 | length i32 | epoch i32 | form u8 = 2 | checksum u32
//! ┌─ over these ──────────────────────────────────────────────────────────────────────────────┐
//! │ flags i16 | last i32 | first time i64 | last time i64 | producer i64 i16 i32 | count i32   │
//! │ record …  (compressed together, where the flags say so)                                    │
//! └────────────────────────────────────────────────────────────────────────────────────────────┘
//! record    length | flags u8 | time | number | length, key | length, text | headers
//! ```
//!
//! Numbers inside a record take as many bytes as they need, seven bits in each, their sign in the
//! lowest. The checksum is CRC-32C.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Flag of a batch that is compressed with gzip.
const GZIP: i16 = 1;

/// A batch; `now` are milliseconds since 1970.
pub(super) fn encode(texts: &[&[u8]], key: &[u8], now: i64, gzip: bool) -> Vec<u8> {
    let mut records = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        let mut record = vec![0];
        varint(&mut record, 0);
        varint(&mut record, number);
        varint(&mut record, key.len());
        record.extend_from_slice(key);
        varint(&mut record, text.len());
        record.extend_from_slice(text);
        varint(&mut record, 0);
        varint(&mut records, record.len());
        records.extend_from_slice(&record);
    }
    let compressed = gzip.then(|| compress(&records)).flatten();
    let flags = if compressed.is_some() { GZIP } else { 0 };
    let count = i32::try_from(texts.len()).unwrap_or(i32::MAX);

    let mut inner = Vec::new();
    inner.extend_from_slice(&flags.to_be_bytes());
    inner.extend_from_slice(&(count - 1).to_be_bytes());
    inner.extend_from_slice(&now.to_be_bytes());
    inner.extend_from_slice(&now.to_be_bytes());
    inner.extend_from_slice(&[0xff; 8 + 2 + 4]);
    inner.extend_from_slice(&count.to_be_bytes());
    inner.extend_from_slice(&compressed.unwrap_or(records));

    let length = i32::try_from(4 + 1 + 4 + inner.len()).unwrap_or(i32::MAX);
    let mut batch = vec![0; 8];
    batch.extend_from_slice(&length.to_be_bytes());
    batch.extend_from_slice(&[0xff; 4]);
    batch.push(2);
    batch.extend_from_slice(&crc32c(&inner).to_be_bytes());
    batch.extend_from_slice(&inner);
    batch
}

fn compress(records: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(records).ok()?;
    encoder.finish().ok()
}

fn varint(out: &mut Vec<u8>, number: usize) {
    // The sign is the lowest bit; ours are never negative.
    let mut rest = (number as u64) << 1;
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// The remainder of each byte, polynomial of Castagnoli.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut rest = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            rest = if rest & 1 == 1 {
                (rest >> 1) ^ 0x82f6_3b78
            } else {
                rest >> 1
            };
            bit += 1;
        }
        table[byte] = rest;
        byte += 1;
    }
    table
};

fn crc32c(bytes: &[u8]) -> u32 {
    let step =
        |rest: u32, byte: &u8| (rest >> 8) ^ TABLE[((rest ^ u32::from(*byte)) & 0xff) as usize];
    !bytes.iter().fold(!0, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_castagnolis() {
        // The check value of the catalogues, and a line of RFC 3720, B.4.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn numbers_take_what_they_need() {
        let mut out = Vec::new();
        for number in [0, 1, 63, 64, 300] {
            varint(&mut out, number);
        }
        assert_eq!(out, [0, 2, 126, 0x80, 1, 0xd8, 4]);
    }

    #[test]
    fn lengths_of_a_batch_agree() {
        for gzip in [false, true] {
            let batch = encode(&[b"one", b"", b"three"], b"node", 1_700_000_000_000, gzip);
            let length = i32::from_be_bytes(batch[8..12].try_into().unwrap());
            assert_eq!(length as usize, batch.len() - 12);
            assert_eq!(batch[16], 2);
            assert_eq!(batch[17..21], crc32c(&batch[21..]).to_be_bytes());
            assert_eq!(batch[57..61], 3_i32.to_be_bytes());
            assert_eq!(batch[22], u8::from(gzip));
        }
    }
}
