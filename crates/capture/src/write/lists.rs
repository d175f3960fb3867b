//! The interface list and the user list, version 2.

use event::snapshot::{Interface, UserList};

use crate::read::lists::{MAX_INTERFACE_NAME, MAX_USER_TEXT};
use crate::write::descriptor::address;
use crate::write::{sized, text};

/// IPv4 first, as readers expect.
pub(crate) fn interfaces(out: &mut Vec<u8>, list: &[Interface]) {
    for wanted in [true, false] {
        for interface in list {
            let all = [interface.address, interface.netmask, interface.broadcast];
            let v4 = all.iter().all(std::net::IpAddr::is_ipv4);
            if v4 != wanted {
                continue;
            }
            let start = out.len();
            out.extend_from_slice(&[0; 4]);
            let kind =
                if v4 { 1u16 } else { 2 } + if interface.link_speed.is_some() { 0 } else { 2 };
            out.extend_from_slice(&kind.to_le_bytes());
            let name = &interface.name[..interface.name.len().min(MAX_INTERFACE_NAME as usize)];
            out.extend_from_slice(&(name.len() as u16).to_le_bytes());
            for ip in all {
                address(out, ip, v4);
            }
            if let Some(speed) = interface.link_speed {
                out.extend_from_slice(&speed.to_le_bytes());
            }
            out.extend_from_slice(name);
            // Unlike all other entries' lengths this one doesn't count itself.
            let length = (out.len() - start - 4) as u32;
            out[start..start + 4].copy_from_slice(&length.to_le_bytes());
        }
    }
}

/// Users first, then groups.
pub(crate) fn users(out: &mut Vec<u8>, list: &UserList) {
    for user in &list.users {
        sized(out, |out| {
            out.push(0);
            out.extend_from_slice(&user.uid.to_le_bytes());
            out.extend_from_slice(&user.gid.to_le_bytes());
            for field in [&user.name, &user.home, &user.shell] {
                text(out, field, MAX_USER_TEXT);
            }
        });
    }
    for group in &list.groups {
        sized(out, |out| {
            out.push(1);
            out.extend_from_slice(&group.gid.to_le_bytes());
            text(out, &group.name, MAX_USER_TEXT);
        });
    }
}
