//! An entry of a descriptor list, version 2.

use std::net::IpAddr;

use event::snapshot::{Descriptor, Target};

use crate::read::descriptor::{MAX_NAME, NAMED};
use crate::write::{sized, text};

pub(crate) fn write(out: &mut Vec<u8>, descriptor: &Descriptor<'_>) {
    sized(out, |out| {
        out.extend_from_slice(&descriptor.fd.to_le_bytes());
        out.extend_from_slice(&descriptor.ino.to_le_bytes());
        target(out, &descriptor.target);
    });
}

fn target(out: &mut Vec<u8>, target: &Target<'_>) {
    match *target {
        Target::Unknown => out.push(0),
        Target::OldFile { name } => {
            out.push(1);
            text(out, name, MAX_NAME);
        }
        Target::File {
            name,
            open_flags,
            dev,
        } => {
            out.push(16);
            out.extend_from_slice(&open_flags.to_le_bytes());
            text(out, name, MAX_NAME);
            out.extend_from_slice(&dev.to_le_bytes());
        }
        Target::Connection { source, dest, l4 } => {
            let v4 = source.ip.is_ipv4() && dest.ip.is_ipv4();
            out.push(if v4 { 3 } else { 4 });
            address(out, source.ip, v4);
            address(out, dest.ip, v4);
            out.extend_from_slice(&source.port.to_le_bytes());
            out.extend_from_slice(&dest.port.to_le_bytes());
            out.push(l4.code());
        }
        Target::Server { local, l4 } => {
            let v4 = local.ip.is_ipv4();
            out.push(if v4 { 5 } else { 6 });
            address(out, local.ip, v4);
            out.extend_from_slice(&local.port.to_le_bytes());
            out.push(l4.code());
        }
        Target::Unix { source, dest, name } => {
            out.push(8);
            out.extend_from_slice(&source.to_le_bytes());
            out.extend_from_slice(&dest.to_le_bytes());
            text(out, name, MAX_NAME);
        }
        Target::Named { kind, name } => {
            let code = NAMED
                .iter()
                .find(|(_, named)| *named == kind)
                .map_or(10, |(code, _)| *code);
            out.push(code);
            text(out, name, MAX_NAME);
        }
    }
}

/// An address in network order; as IPv6 where the other end is.
pub(crate) fn address(out: &mut Vec<u8>, ip: IpAddr, v4: bool) {
    match ip {
        IpAddr::V4(ip) if v4 => out.extend_from_slice(&ip.octets()),
        IpAddr::V4(ip) => out.extend_from_slice(&ip.to_ipv6_mapped().octets()),
        IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
    }
}
