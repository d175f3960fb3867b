//! The ring buffers: how many, of what size, and which CPU writes into which.
//!
//! Each lane has buffers of its own, so that a flood in one leaves the others alone. Every CPU that may
//! ever come has a buffer from the start: one that is offline now shares that of others until the end,
//! for a new buffer could only be handed over after its first events.

use std::os::fd::{AsFd, AsRawFd};

use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType};

use crate::Error;
use crate::options::Options;
use crate::ring::Ring;
use crate::shared::page_size;
use crate::support;

/// Lanes, by the numbers of the programs: bulk, processes, credentials.
pub(crate) const LANES: u32 = 3;

/// Lanes and the sizes of their buffers, in the order of reading. Processes' are as large as bulk's, at
/// least 2 MiB and at most 64: their events are few but large, and none may be lost while a busy machine
/// keeps the reader waiting. Credentials' are small.
fn lanes(bulk: u32) -> [(u32, u32); LANES as usize] {
    [(1, bulk.clamp(2 << 20, 64 << 20)), (2, 1 << 20), (0, bulk)]
}

/// Place in the table of rings, and the ring's descriptor.
pub(crate) type RingSlot = (u32, i32);

/// The rings, those of processes first, and what the table of rings has to hold.
pub(crate) fn make_rings(
    options: &Options,
    groups: &[Vec<usize>],
) -> Result<(Vec<Ring>, Vec<RingSlot>), Error> {
    let bulk = options.buffer.bytes();
    let mut rings = Vec::new();
    let mut slots = Vec::new();
    for (lane, size) in lanes(bulk) {
        for group in groups {
            let ring = make_ring(size)?;
            let fd = ring.fd().as_raw_fd();
            slots.extend(group.iter().map(|&cpu| (LANES * cpu as u32 + lane, fd)));
            rings.push(ring);
        }
    }
    Ok((rings, slots))
}

/// Fills the table of rings: in one call where the kernel has it (5.13), for it waits after each
/// until no program uses the old table any more, some 10 ms, which adds up over many CPUs.
pub(crate) fn fill_table(table: &impl MapCore, slots: &[RingSlot]) -> Result<(), Error> {
    let bytes = |of: fn(&RingSlot) -> [u8; 4]| slots.iter().flat_map(of).collect::<Vec<u8>>();
    let keys = bytes(|slot| slot.0.to_ne_bytes());
    let fds = bytes(|slot| slot.1.to_ne_bytes());
    let count = slots.len() as u32;
    if table
        .update_batch(&keys, &fds, count, MapFlags::ANY, MapFlags::ANY)
        .is_ok()
    {
        return Ok(());
    }
    for (slot, fd) in slots {
        table
            .update(&slot.to_ne_bytes(), &fd.to_ne_bytes(), MapFlags::ANY)
            .map_err(|e| Error::load("hand over a ring buffer", e))?;
    }
    Ok(())
}

/// The table of rings. Made before the programs are loaded, so that it can be filled meanwhile.
pub(crate) fn make_table(slots: usize) -> Result<MapHandle, Error> {
    let template = make_map(MapType::RingBuf, 0, page_size() as u32, None)?;
    make_map(
        MapType::ArrayOfMaps,
        4,
        LANES * slots as u32,
        Some(template.as_fd().as_raw_fd()),
    )
}

fn make_map(
    kind: MapType,
    width: u32,
    entries: u32,
    inner: Option<i32>,
) -> Result<MapHandle, Error> {
    let options = libbpf_sys::bpf_map_create_opts {
        sz: size_of::<libbpf_sys::bpf_map_create_opts>() as libbpf_sys::size_t,
        inner_map_fd: inner.unwrap_or(0) as u32,
        ..Default::default()
    };
    MapHandle::create(kind, Some("rings"), width, width, entries, &options)
        .map_err(|e| Error::load(format!("make a map of {entries} bytes or entries"), e))
}

fn make_ring(size: u32) -> Result<Ring, Error> {
    let map = make_map(MapType::RingBuf, 0, size, None)?;
    let fd = map
        .as_fd()
        .try_clone_to_owned()
        .map_err(|refusal| Error::System {
            action: "duplicate a descriptor".into(),
            refusal,
        })?;
    Ring::map(fd, size as usize)
}

/// CPU numbers, grouped by the buffer they share.
pub(crate) fn buffer_groups(options: &Options) -> Result<Vec<Vec<usize>>, Error> {
    let possible = support::cpus("possible");
    let usable = match options.online_only {
        true => support::cpus("online"),
        false => possible.clone(),
    };
    let per_buffer = usize::from(options.cpus_per_buffer);
    if per_buffer > usable.len() {
        return Err(Error::Options(format!(
            "{per_buffer} CPUs cannot share a buffer: there are {}",
            usable.len()
        )));
    }
    Ok(group(&usable, &possible, per_buffer))
}

/// `per_buffer` usable CPUs each, all of them if it is 0; the other possible ones are dealt out.
fn group(usable: &[usize], possible: &[usize], per_buffer: usize) -> Vec<Vec<usize>> {
    let size = match per_buffer {
        0 => usable.len().max(1),
        n => n,
    };
    let mut groups: Vec<Vec<usize>> = usable.chunks(size).map(<[usize]>::to_vec).collect();
    let absent = possible.iter().filter(|cpu| !usable.contains(cpu));
    for (turn, cpu) in absent.enumerate() {
        let turn = turn % groups.len().max(1);
        if let Some(group) = groups.get_mut(turn) {
            group.push(*cpu);
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_cpus_share_buffers() {
        assert_eq!(group(&[0, 1, 2], &[0, 1, 2], 2), [vec![0, 1], vec![2]]);
        assert_eq!(
            group(&[0, 2], &[0, 1, 2, 3, 4], 1),
            [vec![0, 1, 4], vec![2, 3]]
        );
        assert_eq!(group(&[0, 1], &[0, 1, 2], 0), [vec![0, 1, 2]]);
    }
}
