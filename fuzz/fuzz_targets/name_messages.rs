//! What a socket and a name server say to each other, over UDP and TCP: any bytes, in any order.
//!
//! Each chunk of the input is one event: a byte that says which way it goes and on which socket, one for how
//! much of it was captured, one for its length, then its data.

#![no_main]

use event::snapshot::Process;
use event::{EventCode, Record, RecordBuilder, RecordFlags, codes};
use libfuzzer_sys::fuzz_target;
use state::{Options, State};

const ENDS: [u8; 13] = [2, 10, 0, 0, 7, 0x40, 0x9c, 10, 0, 0, 53, 53, 0];

fn play(state: &mut State, builder: RecordBuilder) {
    let bytes = builder.finish();
    let record = Record::parse(&bytes, 0, RecordFlags::default()).expect("it was built");
    state.process(&record);
}

fuzz_target!(|bytes: &[u8]| {
    let mut state = State::new(Options::default());
    state.name_addresses(true);
    state.load_process(&Process { tid: 7, pid: 7, ptid: 1, ..Process::default() });
    state.finish_load();
    let event = |code, time| RecordBuilder::new(EventCode::new(code), time, 7);
    for (fd, ty) in [(3, 2u32), (4, 1)] {
        let socket = event(codes::SOCKET_SOCKET_X, 1).i64(fd).u32(2).u32(ty).u32(0).u32(0);
        play(&mut state, socket);
        let connect = event(codes::SOCKET_CONNECT_X, 2).i64(0).bytes(&ENDS).i64(fd).empty();
        play(&mut state, connect);
    }
    let (mut rest, mut time) = (bytes, 3);
    while let [which, kept, length, data @ ..] = rest {
        let (data, behind) = data.split_at((*length as usize).min(data.len()));
        rest = behind;
        time += u64::from(*kept) << 20;
        let code = if which & 1 == 0 { codes::SYSCALL_WRITE_X } else { codes::SYSCALL_READ_X };
        let captured = &data[..data.len().min(*kept as usize)];
        let event = event(code, time)
            .i64(data.len() as i64)
            .bytes(captured)
            .i64(3 + i64::from(which >> 1 & 1))
            .u32(data.len() as u32);
        play(&mut state, event);
    }
    assert!(state.named_addresses() <= bytes.len());
});
