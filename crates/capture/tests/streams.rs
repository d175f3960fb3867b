//! Events in every layout, several captures in one stream, and compressed streams.

mod made;

use capture::{Compression, Error, Item, Reader};
use event::codes;
use made::{Made, converted, raw};

/// Parameters of a close event.
const CLOSE: &[&[u8]] = &[&[0; 8], &[3, 0, 0, 0, 0, 0, 0, 0]];

#[test]
fn old_headers_get_their_count() {
    for big in [false, true] {
        for code in [0x204, 0x8010_ABCD] {
            let made = Made::new(big);
            let number = made.body().u64(3).bytes;
            let result = made.body().i64(-2).bytes;
            let event = made.event_body(None, 5, 6, codes::SYSCALL_CLOSE_X, &[&result], 2);
            // Bytes behind the event: an option that an editor left.
            let body = made.body().u16(1).raw(&event.bytes).raw(&[7; 12]);
            let full = made.event_body(None, 7, -1, codes::SYSCALL_CLOSE_X, &[&result, &number], 2);
            let full = made.body().u16(2).raw(&full.bytes);
            let file = made.clone().block(code, &body).block(code, &full);
            let (found, error) = raw(&file.bytes);
            assert!(error.is_none(), "{error:?}");
            let result = (-2i64).to_le_bytes();
            assert_eq!(
                found[1],
                format!("PPME_SYSCALL_CLOSE_X ts 5 tid 6 cpu 1 flags 0 [{result:?}]")
            );
            let number = 3u64.to_le_bytes();
            assert_eq!(
                found[2],
                format!("PPME_SYSCALL_CLOSE_X ts 7 tid -1 cpu 2 flags 0 [{result:?}, {number:?}]")
            );
        }
    }
}

#[test]
fn overstated_lengths_of_notifications() {
    let made = Made::new(false);
    let mut event = made.event_body(None, 5, 6, codes::NOTIFICATION_E, &[b"id\0", b"text\0"], 2);
    let stored = (event.bytes.len() as u32 + 3).to_le_bytes();
    event.bytes[16..20].copy_from_slice(&stored);
    let body = made.body().u16(1).raw(&event.bytes).raw(&[0; 4]);
    let (found, error) = raw(&made.block(0x204, &body).bytes);
    assert!(error.is_none(), "{error:?}");
    assert!(
        found[1].ends_with("[[105, 100, 0], [116, 101, 120, 116, 0]]"),
        "{}",
        found[1]
    );
}

#[test]
fn flags_and_large_blocks() {
    for big in [false, true] {
        let made = Made::new(big);
        let number = made.body().u64(9).bytes;
        let params: [&[u8]; 2] = [&number, &number];
        let new = made.event_body(Some(2), 5, 6, codes::SYSCALL_CLOSE_X, &params, 2);
        let old = made.event_body(None, 5, 6, codes::SYSCALL_CLOSE_X, &params, 2);
        let long = vec![b'x'; 200_000];
        let id = made.body().u32(999).bytes;
        let params: [&[u8]; 3] = [&id, b"name\0", &long];
        let large = made.event_body(Some(3), 5, 6, codes::ASYNCEVENT_E, &params, 4);
        let file = made
            .clone()
            .block(0x217, &made.body().u16(1).u32(1).raw(&new.bytes))
            .block(0x208, &made.body().u16(1).u32(0xff01).raw(&old.bytes))
            .block(0x217, &made.body().u16(1).u32(2).raw(&new.bytes))
            .block(0x222, &made.body().u16(1).u32(5).raw(&large.bytes))
            .block(0x221, &made.body().u16(2).raw(&large.bytes));
        let mut reader = Reader::new(file.bytes.as_slice()).unwrap();
        let mut flags = Vec::new();
        while let Some(item) = reader.next().unwrap() {
            let Item::Event(record) = item else { continue };
            flags.push((record.flags.bits(), record.cpu));
            if record.code.number() == codes::ASYNCEVENT_E {
                assert_eq!(record.param(2), long);
                assert_eq!(record.u32(0), Some(999));
            } else {
                assert_eq!(record.u64(1), Some(9));
            }
        }
        assert_eq!(flags, [(1, 1), (1, 1), (0, 1), (1, 1), (0, 2)]);
    }
}

#[test]
fn big_endian_parameters() {
    let made = Made::new(true);
    let n = |v: u64| made.body().u64(v).bytes;
    let tuple = made
        .body()
        .u8(2)
        .raw(&[10, 0, 0, 1])
        .u16(4000)
        .raw(&[10, 0, 0, 2])
        .u16(80);
    let unix = made.body().u8(1).u64(0x1111).u64(0x2222).raw(b"/s\0");
    let addr6 = made.body().u8(10).raw(&[1; 16]).u16(53);
    let fds = made.body().u16(2).i64(4).u16(1).i64(5).u16(4);
    let option = made.body().u8(2).u32(0x0102_0304);
    let file = made
        .clone()
        .event(1, 1, codes::SOCKET_CONNECT_X, &[&n(0), &tuple.bytes, &n(3)])
        .event(2, 1, codes::SOCKET_CONNECT_X, &[&n(0), &unix.bytes, &n(3)])
        .event(3, 1, codes::SOCKET_BIND_X, &[&n(0), &addr6.bytes])
        .event(4, 1, codes::SYSCALL_POLL_X, &[&n(2), &fds.bytes])
        .event(
            5,
            1,
            codes::SOCKET_SETSOCKOPT_X,
            &[
                &n(0),
                &n(3),
                &[1],
                &[2],
                &option.bytes,
                &made.body().u32(4).bytes,
            ],
        );
    let little = Made::new(false);
    let n = |v: u64| little.body().u64(v).bytes;
    let tuple = little
        .body()
        .u8(2)
        .raw(&[10, 0, 0, 1])
        .u16(4000)
        .raw(&[10, 0, 0, 2])
        .u16(80);
    let unix = little.body().u8(1).u64(0x1111).u64(0x2222).raw(b"/s\0");
    let addr6 = little.body().u8(10).raw(&[1; 16]).u16(53);
    let fds = little.body().u16(2).i64(4).u16(1).i64(5).u16(4);
    let option = little.body().u8(2).u32(0x0102_0304);
    let same = little
        .clone()
        .event(1, 1, codes::SOCKET_CONNECT_X, &[&n(0), &tuple.bytes, &n(3)])
        .event(2, 1, codes::SOCKET_CONNECT_X, &[&n(0), &unix.bytes, &n(3)])
        .event(3, 1, codes::SOCKET_BIND_X, &[&n(0), &addr6.bytes])
        .event(4, 1, codes::SYSCALL_POLL_X, &[&n(2), &fds.bytes])
        .event(
            5,
            1,
            codes::SOCKET_SETSOCKOPT_X,
            &[
                &n(0),
                &n(3),
                &[1],
                &[2],
                &option.bytes,
                &little.body().u32(4).bytes,
            ],
        );
    assert_ne!(file.bytes, same.bytes);
    let (found, error) = raw(&file.bytes);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(found, raw(&same.bytes).0);
    assert_eq!(converted(&file.bytes).0, converted(&same.bytes).0);
}

#[test]
fn captures_one_after_the_other() {
    let first = Made::new(false).event(1, 1, codes::SYSCALL_CLOSE_X, CLOSE);
    // Of another byte order, with options in its section header, and without events.
    let second = Made::nothing(true).section(1, 0, &[1; 16]);
    let third = Made::new(false).event(2, 1, codes::SYSCALL_CLOSE_X, CLOSE);
    let all = [first.bytes, second.bytes, third.bytes].concat();
    let (found, error) = converted(&all);
    assert!(error.is_none(), "{error:?}");
    let short: Vec<&str> = found.iter().map(|f| f.split(' ').next().unwrap()).collect();
    let close = "PPME_SYSCALL_CLOSE_X";
    assert_eq!(
        short,
        [
            "Loaded", close, "Restart", "Loaded", "Restart", "Loaded", close
        ]
    );
}

#[test]
fn initial_events_come_before_the_lists() {
    let made = Made::new(false);
    let users = made.body().u8(1).u32(100).text(b"users");
    let n = |v: u32| made.body().u32(v).bytes;
    let group: [&[u8]; 3] = [&n(5), b"g\0", b"\0"];
    let file = made
        .clone()
        .block(0x206, &users)
        .event(1, -1, codes::GROUP_ADDED_E, &group)
        .event(2, 1, 0x3fff, &[])
        .event(3, 1, codes::SYSCALL_CLOSE_X, CLOSE)
        .event(4, -1, codes::GROUP_ADDED_E, &group);
    let heads = |found: &[String]| -> Vec<String> {
        found.iter().map(|f| f.chars().take(20).collect()).collect()
    };
    let (found, error) = converted(&file.bytes);
    assert!(error.is_none(), "{error:?}");
    assert_eq!(
        heads(&found),
        [
            "PPME_GROUP_ADDED_E t",
            "Users(UserList { use",
            "Loaded",
            "PPME_SYSCALL_CLOSE_X",
            "PPME_GROUP_ADDED_E t"
        ]
    );
    assert!(found[0].contains("flags 1") && found[4].contains("flags 0"));
    let (found, _) = raw(&file.bytes);
    assert_eq!(
        heads(&found)[..3],
        ["Users(UserList { use", "Loaded", "PPME_GROUP_ADDED_E t"]
    );
    assert!(found[2].contains("flags 0"));
}

#[test]
fn a_block_that_is_no_event_ends_the_events() {
    let made = Made::new(false);
    let body = made.body().raw(&[0; 20]);
    let file = made
        .event(1, 1, codes::SYSCALL_CLOSE_X, CLOSE)
        .block(0x7777, &body);
    let (found, error) = converted(&file.bytes);
    assert_eq!(found.len(), 2);
    assert!(
        matches!(error, Some(Error::UnexpectedBlock(_))),
        "{error:?}"
    );
}

#[test]
fn compressed_streams() {
    use std::io::Write as _;
    let made = Made::new(false).event(1, 1, codes::SYSCALL_CLOSE_X, CLOSE);
    let (plain, wanted) = (made.bytes.clone(), converted(&made.bytes).0);
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let (front, back) = plain.split_at(30);
    let members = [gzip(front), gzip(b""), gzip(back)].concat();
    let garbage = [gzip(&plain), b"garbage that no tool minds".to_vec()].concat();
    let half_header = [gzip(&plain), vec![0x1f, 0x8b, 9, 9, 9]].concat();
    let mut cut = gzip(&plain);
    cut.truncate(cut.len() - 5);
    let zstd = zstd::encode_all(plain.as_slice(), 3).unwrap();
    let frames = [
        zstd::encode_all(front, 3).unwrap(),
        zstd::encode_all(back, 3).unwrap(),
    ]
    .concat();
    for (what, bytes) in [
        ("members", members),
        ("garbage", garbage),
        ("half a header", half_header),
        ("cut trailer", cut),
        ("zstd", zstd),
        ("zstd frames", frames),
    ] {
        let (found, error) = converted(&bytes);
        assert_eq!(found, wanted, "{what}");
        assert!(error.is_none(), "{what}: {error:?}");
        assert_ne!(
            Reader::new(bytes.as_slice()).unwrap().compression(),
            Compression::None
        );
    }
}

#[test]
fn damaged_compression_is_named() {
    let mut made = Made::new(false);
    for i in 0..20_000u64 {
        let number = (i.wrapping_mul(0x9E37_79B9_7F4A_7C15)).to_le_bytes();
        made = made.event(i, 1, codes::SYSCALL_CLOSE_X, &[&number, &number]);
    }
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut writer, &made.bytes).unwrap();
    let bytes = writer.finish().unwrap();
    let whole = converted(&made.bytes).0;

    // The decoder may take damage for data for a while.
    let mut damaged = bytes.clone();
    let middle = bytes.len() / 2;
    damaged[middle..middle + 64].fill(0xff);
    let (found, error) = converted(&damaged);
    assert!(
        found.len() > 100 && found.len() < whole.len(),
        "{}",
        found.len()
    );
    assert!(
        found[..100] == whole[..100],
        "events before the damage are delivered"
    );
    assert!(error.is_some());

    // A wrong checksum at the end is found after the last event.
    let mut damaged = bytes;
    let checksum = damaged.len() - 6;
    damaged[checksum] ^= 0xff;
    let (found, error) = converted(&damaged);
    assert_eq!(found, whole);
    assert!(
        matches!(error, Some(Error::Compression { .. })),
        "{error:?}"
    );
}
