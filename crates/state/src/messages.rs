//! Events that are about no thread: users and groups.

use std::sync::Arc;

use event::snapshot::{Group, User};
use event::{Record, codes as c};

use crate::state::State;

impl State {
    pub(crate) fn account_changed(&mut self, r: &Record<'_>) {
        let text = |i: usize| {
            if r.param(i).is_empty() {
                &b""[..]
            } else {
                r.text(i)
            }
        };
        let Some(id) = r.u32(0) else { return };
        self.threads.new_epoch();
        match r.code.number() {
            c::USER_ADDED_E => {
                Arc::make_mut(&mut self.accounts).known = true;
                let user = User {
                    uid: id,
                    gid: r.u32(1).unwrap_or(u32::MAX),
                    name: text(2).to_vec(),
                    home: text(3).to_vec(),
                    shell: text(4).to_vec(),
                };
                self.add_user(text(5), user);
            }
            c::USER_DELETED_E => Arc::make_mut(&mut self.accounts).remove_user(text(5), id),
            c::GROUP_ADDED_E => {
                self.add_group(
                    text(2),
                    Group {
                        gid: id,
                        name: text(1).to_vec(),
                    },
                );
            }
            _ => Arc::make_mut(&mut self.accounts).remove_group(text(2), id),
        }
    }
}
