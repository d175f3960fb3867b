//! Bytes that someone made to hurt: truncated, flipped, endless, or nothing of the kind.

mod made;

use std::io::Read;

use capture::{Error, Item, Lookalike, Reader};
use event::codes;
use made::{Made, converted};

/// A small capture with a block of every sort.
fn sample(big: bool) -> Vec<u8> {
    let made = Made::new(big);
    let host = made
        .body()
        .u32(1)
        .u64(2)
        .u64(3)
        .raw(&[b'h'; 128])
        .u64(0)
        .u64(0)
        .u64(0)
        .u64(0);
    let interface = made.body().u16(3).u16(2).raw(&[1; 12]).raw(b"lo");
    let user = made
        .body()
        .u8(0)
        .u32(1)
        .u32(1)
        .text(b"u")
        .text(b"/")
        .text(b"sh");
    let process = made
        .body()
        .i64(1)
        .i64(1)
        .i64(0)
        .i64(1)
        .i64(1)
        .text(b"init")
        .text(b"/sbin/init")
        .text(b"/sbin/init")
        .text(b"x\0")
        .text(b"/")
        .i64(10)
        .u32(0)
        .u32(0)
        .u32(0)
        .u32(1)
        .u32(2)
        .u32(3)
        .u64(4)
        .u64(5)
        .text(b"A=B\0")
        .i64(1)
        .i64(1)
        .text(b"cpu=/\0")
        .text(b"/")
        .u64(1)
        .u32(2)
        .u32(3)
        .raw(&[0; 60]);
    let fd = made
        .body()
        .i64(3)
        .u64(4)
        .u8(16)
        .u32(1)
        .text(b"/etc/passwd")
        .u32(5);
    let n = made.body().i64(3).bytes;
    let size = made.body().u32(3).bytes;
    made.clone()
        .block(0x201, &host)
        .block(0x219, &made.body().sized(&interface, false))
        .block(0x220, &made.body().sized(&user, true))
        .block(0x215, &made.body().sized(&process, true))
        .block(0x218, &made.body().i64(1).sized(&fd, true))
        .old_event(1, 1, codes::SYSCALL_READ_E, &[&n, &size])
        .old_event(2, 1, codes::SYSCALL_READ_X, &[&n, b"data"])
        .event(3, 1, codes::SYSCALL_CLOSE_X, &[&n, &n])
        .block(0x217, &{
            let event = made.event_body(Some(1), 4, 1, codes::SYSCALL_CLOSE_E, &[&n], 2);
            made.body().u16(0).u32(1).raw(&event.bytes)
        })
        .event(5, 1, codes::SYSCALL_CLOSE_X, &[&n])
        .bytes
}

/// Reads to the end; returns the items delivered before it.
fn survive(bytes: &[u8]) -> (usize, Option<Error>) {
    let end = |reader: Result<Reader<&[u8]>, Error>| match reader {
        Ok(reader) => {
            let (mut found, error) = made::items(reader);
            // Said at the end of a file that ends too soon, too.
            found.retain(|item| item != "Loaded");
            (found.len(), error)
        }
        Err(error) => (0, Some(error)),
    };
    let raw = end(Reader::raw(bytes));
    drop(raw);
    end(Reader::new(bytes))
}

#[test]
fn truncated_anywhere() {
    for big in [false, true] {
        let whole = sample(big);
        let (all, error) = survive(&whole);
        assert!(error.is_none(), "{error:?}");
        assert_eq!(all, 8, "five of the initial state, three events");
        let mut last = 0;
        for cut in 0..whole.len() {
            let (found, error) = survive(&whole[..cut]);
            assert!(found >= last && found <= all, "nothing is taken back");
            last = found;
            if found == all {
                continue;
            }
            match error {
                Some(error) => {
                    let text = error.to_string();
                    assert!(!text.is_empty());
                    let expected = matches!(
                        error,
                        Error::Truncated { .. } | Error::Empty | Error::NoEvents { .. }
                    );
                    assert!(expected, "cut at {cut}: {error}");
                }
                // Between two events a file may end.
                None => assert!(found > 4, "cut at {cut}"),
            }
        }
    }
}

#[test]
fn flipped_bits() {
    for big in [false, true] {
        let whole = sample(big);
        let mut errors = 0;
        for at in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[at / 8] ^= 1 << (at % 8);
            errors += u32::from(survive(&bytes).1.is_some());
        }
        assert!(errors > 1000, "{errors}");
        // Many at once.
        let mut dice = 0x2545_F491_4F6C_DD1Du64;
        for _ in 0..20_000 {
            let mut bytes = whole.clone();
            for _ in 0..4 {
                dice ^= dice << 13;
                dice ^= dice >> 7;
                dice ^= dice << 17;
                let at = (dice >> 8) as usize % bytes.len();
                bytes[at] = dice as u8;
            }
            survive(&bytes);
        }
    }
}

/// Every four bytes in turn say that something is endless.
#[test]
fn endless_lengths() {
    for big in [false, true] {
        let whole = sample(big);
        for at in 0..whole.len() - 4 {
            for length in [u32::MAX, u32::MAX - 3, 0x7fff_ffff, 0x4000_0000, 65536, 0] {
                let mut bytes = whole.clone();
                bytes[at..at + 4].copy_from_slice(&length.to_le_bytes());
                survive(&bytes);
            }
        }
    }
}

/// The process's peak memory in bytes.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status
        .lines()
        .find_map(|l| l.strip_prefix("VmHWM:"))
        .unwrap_or("0");
    line.trim()
        .trim_end_matches(" kB")
        .parse::<u64>()
        .unwrap_or(0)
        * 1024
}

/// Repeats bytes without end, up to a limit.
struct Repeat<'a> {
    bytes: &'a [u8],
    at: usize,
    left: u64,
}

impl Read for Repeat<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let count = out
            .len()
            .min(self.bytes.len() - self.at)
            .min(self.left as usize);
        out[..count].copy_from_slice(&self.bytes[self.at..self.at + count]);
        self.at = (self.at + count) % self.bytes.len();
        self.left -= count as u64;
        Ok(count)
    }
}

#[test]
fn memory_stays_small() {
    const FILE: u64 = 256 << 20;
    let before = peak_memory();
    // Enter events of ever other threads, none of which returns, in a long file.
    let n = 7u64.to_le_bytes();
    let mut events = Made::nothing(false);
    for tid in 0..2000i64 {
        events = events.event(1, tid, codes::SYSCALL_CLOSE_E, &[&n]);
        events = events.event(
            1,
            (tid + 1) << 32,
            codes::SYSCALL_OPENAT_E,
            &[&n, &[b'x'; 60_000], &n, &n],
        );
        events = events.event(1, tid, codes::SYSCALL_CLOSE_X, &[&n]);
    }
    let head = Made::new(false).bytes;
    let tail = Repeat {
        bytes: &events.bytes,
        at: 0,
        left: FILE,
    };
    let mut reader = Reader::new(head.as_slice().chain(tail)).expect("a capture");
    let mut count = 0u64;
    while let Ok(Some(item)) = reader.next() {
        count += u64::from(matches!(item, Item::Event(_)));
    }
    assert!(count > 3_000, "{count}");
    assert!(reader.statistics().bytes > FILE / 2);

    // Blocks that claim 4 GiB: one that is passed over, lists, and an event.
    for code in [
        0x7777u32, 0x215, 0x218, 0x202, 0x203, 0x219, 0x220, 0x205, 0x206, 0x201, 0x216, 0x221,
    ] {
        let mut head = Made::new(false).bytes;
        head.extend_from_slice(&code.to_le_bytes());
        head.extend_from_slice(&u32::MAX.to_le_bytes());
        for fill in [&[0u8][..], &[0xff], &[1, 0, 0, 0]] {
            let tail = Repeat {
                bytes: fill,
                at: 0,
                left: FILE / 8,
            };
            let mut reader = Reader::new(head.as_slice().chain(tail)).expect("a capture");
            let error = loop {
                match reader.next() {
                    Ok(Some(_)) => {}
                    Ok(None) => break None,
                    Err(error) => break Some(error),
                }
            };
            assert!(error.is_some(), "block {code:x}");
        }
    }
    let grown = peak_memory().saturating_sub(before);
    assert!(grown < 200 << 20, "grew by {} MiB", grown >> 20);
}

#[test]
fn other_files_are_named() {
    let named = |bytes: &[u8]| match Reader::new(bytes) {
        Err(Error::NotCapture(what)) => what,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("taken for a capture"),
    };
    assert!(matches!(Reader::new(&b""[..]), Err(Error::Empty)));
    assert_eq!(named(b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00"), Lookalike::Pcap);
    assert_eq!(named(b"\x7fELF\x02\x01\x01\x00"), Lookalike::Elf);
    assert_eq!(named(b"hello, world\n"), Lookalike::Text);
    assert_eq!(named(b"{\"a\": 1}\n"), Lookalike::Json);
    assert_eq!(named(b"BZh91AY&SY"), Lookalike::Compressed("bzip2"));
    assert_eq!(named(&[0; 600]), Lookalike::Zeros);
    assert_eq!(named(b"ab"), Lookalike::TooShort(2));
    assert_eq!(
        named(b"\x01\x02\x03\x04\x05"),
        Lookalike::Data([1, 2, 3, 4])
    );
    let zipped = {
        use std::io::Write as _;
        let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        zip.write_all(b"only text, no capture").expect("memory");
        zip.finish().expect("memory")
    };
    assert_eq!(named(&zipped), Lookalike::Text);
    // A packet capture has the same header; its blocks tell.
    let made = Made::new(false);
    let interface = made.body().u16(1).u16(0).u32(65535);
    let packet = made.body().u32(0).u64(0).u32(4).u32(4).raw(b"data");
    let file = made.clone().block(1, &interface).block(6, &packet);
    let (_, error) = converted(&file.bytes);
    assert!(
        matches!(error, Some(Error::NotCapture(Lookalike::Pcapng))),
        "{error:?}"
    );
    // A format of the future.
    let newer = Made::nothing(false).section(2, 1, &[]);
    assert!(matches!(
        Reader::new(newer.bytes.as_slice()),
        Err(Error::NewerFormat { major: 2, minor: 1 })
    ));
    // A folder cannot be read at all.
    let folder = std::fs::File::open(env!("CARGO_MANIFEST_DIR")).expect("a folder");
    assert!(matches!(Reader::new(folder), Err(Error::Io { .. })));
}

#[test]
fn faults_say_where_and_what() {
    let made = Made::new(false);
    let n = 7u64.to_le_bytes();
    let told = |file: Made| converted(&file.bytes).1.expect("a fault").to_string();
    let mut short = made.clone().event(1, 1, codes::SYSCALL_CLOSE_X, &[&n, &n]);
    short.bytes.truncate(70);
    assert_eq!(
        told(short),
        "event (0x216) block at byte 28: event needs 60 bytes, 42 are left; is the file truncated?"
    );
    let mut trailer = made.clone().block(0x202, &made.body());
    let last = trailer.bytes.len() - 4;
    trailer.bytes[last] = 99;
    assert_eq!(
        told(trailer),
        "process list (0x202) block at byte 28: the length at its end is 99, at its start 12; \
         is the file damaged?"
    );
    let long = made
        .body()
        .i64(1)
        .i64(1)
        .i64(1)
        .u16(2000)
        .raw(&[b'x'; 2000]);
    assert_eq!(
        told(made.clone().block(0x202, &long)),
        "process list (0x202) block at byte 28: length of a process's comm is 2000, \
         expected at most 1024; is the file damaged?"
    );
    let entry = made.body().u32(3).raw(&[0; 20]);
    assert!(told(made.clone().block(0x215, &entry)).contains("length of a process is 3"));
    let event = made
        .clone()
        .event(1, 1, codes::SYSCALL_CLOSE_X, &[&n, &n, &n]);
    assert!(told(event).contains("has 3 parameters, 2 are known"));
    let body = made.body().u16(0).raw(&[0; 30]);
    assert!(told(made.clone().block(0x204, &body)).contains("fits no number of parameters"));
    let large = made.body().raw(&vec![0; 70_000]);
    assert!(told(made.clone().block(0x216, &large)).contains("expected at most 65544"));
    assert!(
        told(
            made.clone()
                .block(0x219, &made.body().sized(&made.body().u16(9).u16(0), false))
        )
        .contains("interface type is 9, expected a number from 1 to 4")
    );
    assert!(told(made).contains("ends at byte 28 without any event"));
}
