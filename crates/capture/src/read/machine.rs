//! Machine information: 180 bytes in every version so far.
//!
//! ```text
//! | cpus u32 | memory u64 | max_pid u64 | hostname 128 bytes | boot u64 | flags u64 | 2 x u64 |
//! ```

use event::snapshot::MachineInfo;

use crate::cursor::{Cursor, Fault, Order};

/// Bytes of the body that are known.
pub(crate) const LEN: usize = 180;
/// Bytes of the host name's field.
pub(crate) const HOSTNAME_LEN: usize = 128;

pub(crate) fn parse(body: &[u8], order: Order) -> Result<MachineInfo, Fault> {
    let mut c = Cursor::new(body, order);
    let cpus = c.u32("number of CPUs")?;
    let memory = c.u64("memory size")?;
    let max_pid = c.u64("largest process id")?;
    let name = c.take("host name", HOSTNAME_LEN)?;
    let hostname = name.split(|&b| b == 0).next().unwrap_or(name).to_vec();
    let boot_time = c.u64("boot time")?;
    let flags = c.u64("machine flags")?;
    c.take("reserved bytes", 16)?;
    Ok(MachineInfo {
        cpus,
        memory,
        max_pid,
        hostname,
        boot_time,
        flags,
    })
}
