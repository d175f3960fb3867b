//! The name of this machine, as alerts carry it.

/// `FALCO_HOSTNAME` where it is set, even to nothing; else what the kernel says.
pub(crate) fn hostname() -> Vec<u8> {
    match std::env::var_os("FALCO_HOSTNAME") {
        Some(name) => name.into_encoded_bytes(),
        None => rustix::system::uname().nodename().to_bytes().to_vec(),
    }
}
