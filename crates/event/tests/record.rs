//! The record's view and socket addresses, on good bytes and on hostile ones.

use std::net::{IpAddr, Ipv4Addr};

use event::record::{HEADER_LEN, MAX_PARAMS};
use event::sock::Endpoint;
use event::{
    EventCode, Record, RecordBuilder, RecordError, RecordFlags, SockAddr, SockTuple, codes,
};

fn parse(bytes: &[u8]) -> Result<Record<'_>, RecordError> {
    Record::parse(bytes, 1, RecordFlags::default())
}

fn close() -> Vec<u8> {
    RecordBuilder::new(EventCode::new(codes::SYSCALL_CLOSE_X), 17, -1)
        .i64(-9)
        .i64(3)
        .finish()
}

#[test]
fn parameters_are_read_in_place() {
    let bytes = close();
    let record = parse(&bytes).unwrap();
    assert_eq!(
        (record.ts, record.tid, record.cpu, record.len()),
        (17, -1, 1, 2)
    );
    assert_eq!(
        (record.result(), record.i64(1), record.u64(1)),
        (Some(-9), Some(3), Some(3))
    );
    assert_eq!(record.param_named("fd"), Some(&bytes[bytes.len() - 8..]));
    // Another width, or beyond the end, is no value.
    assert_eq!(
        (record.u32(1), record.u16(1), record.u8(1)),
        (None, None, None)
    );
    assert_eq!((record.param(2), record.i64(99)), (&b""[..], None));
}

#[test]
fn texts_end_at_their_nul() {
    let event = RecordBuilder::new(EventCode::new(codes::SYSCALL_OPENAT_2_X), 1, 1);
    let bytes = event.i64(3).i64(-100).bytes(b"a\0b\0").finish();
    assert_eq!(parse(&bytes).unwrap().text(2), b"a");
    let event = RecordBuilder::new(EventCode::new(codes::SYSCALL_OPENAT_2_X), 1, 1);
    let bytes = event.bytes(b"(NULL)\0").bytes(b"no end").empty().finish();
    let record = parse(&bytes).unwrap();
    assert_eq!(
        (record.text(0), record.text(1), record.text(2)),
        (&b"<NA>"[..], &b"no end"[..], &b"<NA>"[..])
    );
}

#[test]
fn hostile_lengths() {
    let good = close();
    for cut in 0..good.len() {
        let error = parse(&good[..cut]).unwrap_err();
        assert!(
            matches!(error, RecordError::Short | RecordError::Length),
            "{cut}: {error}"
        );
    }
    let with = |at: usize, value: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        parse(&bytes).map(|r| (0..=MAX_PARAMS).map(|i| r.param(i).len()).sum::<usize>())
    };
    assert_eq!(with(16, &25u32.to_le_bytes()), Err(RecordError::Length));
    assert_eq!(with(16, &u32::MAX.to_le_bytes()), Err(RecordError::Length));
    assert_eq!(
        with(20, &u16::MAX.to_le_bytes()),
        Err(RecordError::UnknownType(u16::MAX))
    );
    assert_eq!(
        with(22, &33u32.to_le_bytes()),
        Err(RecordError::ParamCount(33))
    );
    assert_eq!(
        with(22, &u32::MAX.to_le_bytes()),
        Err(RecordError::ParamCount(u32::MAX))
    );
    assert_eq!(with(22, &32u32.to_le_bytes()), Err(RecordError::Params));
    assert_eq!(with(26, &u16::MAX.to_le_bytes()), Err(RecordError::Params));
    assert_eq!(with(26, &16u16.to_le_bytes()), Err(RecordError::Params));
    assert_eq!(with(26, &9u16.to_le_bytes()), Err(RecordError::Params));
    assert_eq!(with(26, &0u16.to_le_bytes()), Ok(8));
    // Bytes behind the length field are not the event's.
    let longer = [good.clone(), vec![1; 40]].concat();
    assert_eq!(parse(&longer).unwrap().bytes(), good);
}

#[test]
fn wide_lengths_and_long_parameters() {
    let long = vec![b'x'; 200_000];
    let event = RecordBuilder::new(EventCode::new(codes::ASYNCEVENT_E), 1, -1);
    let bytes = event.u32(7).text("name").bytes(&long).finish();
    let record = parse(&bytes).unwrap();
    assert_eq!((record.u32(0), record.text(1)), (Some(7), &b"name"[..]));
    assert!(record.param(2) == long);
    let mut lying = bytes.clone();
    for at in [26, 30, 34] {
        lying[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(parse(&lying).unwrap_err(), RecordError::Params);
    }
    // Narrow lengths whose sum does not fit 16 bits.
    let event = RecordBuilder::new(EventCode::new(codes::SYSCALL_CLONE_20_X), 1, 1);
    let bytes = event
        .i64(5)
        .bytes(&long[..60_000])
        .bytes(&long[..60_000])
        .i64(9)
        .finish();
    let record = parse(&bytes).unwrap();
    let lengths: Vec<usize> = (0..5).map(|i| record.param(i).len()).collect();
    assert_eq!(lengths, [8, 60_000, 60_000, 8, 0]);
    assert_eq!((record.i64(0), record.i64(3)), (Some(5), Some(9)));
}

#[test]
fn more_parameters_than_known_are_not_seen() {
    let event = RecordBuilder::new(EventCode::new(codes::SYSCALL_CLOSE_X), 1, 1);
    let bytes = event.i64(0).i64(3).i64(4).finish();
    let record = parse(&bytes).unwrap();
    assert_eq!((record.len(), record.param(2)), (2, &b""[..]));
    assert!(!record.is_empty());
    let none = RecordBuilder::new(EventCode::new(codes::SYSCALL_CLOSE_X), 1, 1).finish();
    assert_eq!(none.len(), HEADER_LEN);
    assert!(parse(&none).unwrap().is_empty() && parse(&none).unwrap().result().is_none());
}

fn endpoint(ip: [u8; 4], port: u16) -> Endpoint {
    Endpoint {
        ip: IpAddr::V4(Ipv4Addr::from(ip)),
        port,
    }
}

#[test]
fn socket_addresses() {
    let v4 = [2, 10, 0, 0, 1, 80, 0];
    assert_eq!(
        SockAddr::parse(&v4),
        Some(SockAddr::Inet(endpoint([10, 0, 0, 1], 80)))
    );
    let mut v6 = [0; 19];
    (v6[0], v6[16], v6[17], v6[18]) = (10, 1, 0x39, 0x30);
    let local = Endpoint {
        ip: "::1".parse().unwrap(),
        port: 12345,
    };
    assert_eq!(SockAddr::parse(&v6), Some(SockAddr::Inet(local)));
    assert_eq!(
        SockAddr::parse(b"\x01/run/s\0"),
        Some(SockAddr::Unix(b"/run/s"))
    );
    assert_eq!(SockAddr::parse(&[16]), Some(SockAddr::Other(16)));
    for whole in [&v4[..], &v6[..]] {
        for cut in 0..whole.len() {
            assert_eq!(SockAddr::parse(&whole[..cut]), None, "{cut}");
        }
    }
    assert_eq!(SockAddr::parse(b"\x01/no/end"), None);
    assert_eq!(SockAddr::parse(b"\x01"), None);
}

#[test]
fn socket_tuples() {
    let v4 = [2, 10, 0, 0, 1, 1, 2, 10, 0, 0, 2, 80, 0];
    let (source, dest) = (endpoint([10, 0, 0, 1], 513), endpoint([10, 0, 0, 2], 80));
    assert_eq!(
        SockTuple::parse(&v4),
        Some(SockTuple::Inet { source, dest })
    );
    let mut v6 = [0; 37];
    (v6[0], v6[16], v6[17], v6[34], v6[35]) = (10, 1, 5, 2, 6);
    let end = |ip: &str, port| Endpoint {
        ip: ip.parse().unwrap(),
        port,
    };
    let (source, dest) = (end("::1", 5), end("::2", 6));
    assert_eq!(
        SockTuple::parse(&v6),
        Some(SockTuple::Inet { source, dest })
    );
    let mut unix = vec![1];
    unix.extend_from_slice(&7u64.to_le_bytes());
    unix.extend_from_slice(&8u64.to_le_bytes());
    unix.extend_from_slice(b"/s\0");
    let wanted = SockTuple::Unix {
        source: 7,
        dest: 8,
        path: b"/s",
    };
    assert_eq!(SockTuple::parse(&unix), Some(wanted));
    for whole in [&v4[..], &v6[..], &unix[..]] {
        for cut in 0..whole.len() {
            assert_eq!(SockTuple::parse(&whole[..cut]), None, "{cut}");
        }
    }
    assert_eq!(SockTuple::parse(&[9, 1, 2]), Some(SockTuple::Other(9)));
}

#[test]
fn parameters_lie_where_their_lengths_say() {
    // Types with few and many parameters, lengths of either width, values of all sizes.
    for info in event::EVENTS {
        for count in 0..=info.params.len() {
            let mut builder = RecordBuilder::new(EventCode::new(info.code), 1, 1);
            let values: Vec<Vec<u8>> = (0..count)
                .map(|i| vec![i as u8 + 1; (i * 37 + count * 11) % 70])
                .collect();
            for value in &values {
                builder = builder.bytes(value);
            }
            let bytes = builder.finish();
            let record = parse(&bytes).unwrap();
            let spread = record.spread();
            for i in 0..=MAX_PARAMS + 1 {
                let expected = values.get(i).map_or(&b""[..], |v| v);
                assert_eq!(record.param(i), expected, "{} {i}", info.id);
                assert_eq!(spread.param(i), expected, "{} {i}", info.id);
                assert_eq!(spread.text(i), record.text(i), "{} {i}", info.id);
                assert_eq!(spread.u64(i), record.u64(i), "{} {i}", info.id);
            }
            for cut in HEADER_LEN..bytes.len() {
                assert!(parse(&bytes[..cut]).is_err());
            }
        }
    }
}
