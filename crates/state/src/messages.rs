//! Events that are about no thread: containers, users and groups.

use std::rc::Rc;

use event::snapshot::{Group, User};
use event::{Record, codes as c};

use crate::container::parse;
use crate::context::Context;
use crate::state::State;

impl State {
    /// A container became known, or more of it.
    pub(crate) fn container_added(&mut self, cx: &mut Context, json: &[u8]) {
        if json.is_empty() {
            return;
        }
        let Some(container) = parse(json) else {
            self.counters.containers_malformed += 1;
            return;
        };
        let container = Rc::new(container);
        cx.container = Some(container.clone());
        if container.id.is_empty() {
            return;
        }
        if self.containers.len() >= self.options.max_containers
            && !self.containers.contains_key(&container.id)
        {
            self.counters.containers_dropped += 1;
            return;
        }
        self.threads.new_epoch();
        self.containers.insert(container.id.clone(), container);
    }

    /// A message of the engine's own or of a plugin.
    pub(crate) fn asynchronous(&mut self, cx: &mut Context, r: &Record<'_>) {
        match r.text(1) {
            b"container" => self.container_added(cx, r.param(2)),
            b"container_removed" => {
                let Some(container) = parse(r.param(2)) else {
                    self.counters.containers_malformed += 1;
                    return;
                };
                self.threads.new_epoch();
                self.containers.remove(&container.id);
                self.accounts.remove_container(&container.id);
                cx.container = Some(Rc::new(container));
            }
            _ => {}
        }
    }

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
                self.accounts.known = true;
                let user = User {
                    uid: id,
                    gid: r.u32(1).unwrap_or(u32::MAX),
                    name: text(2).to_vec(),
                    home: text(3).to_vec(),
                    shell: text(4).to_vec(),
                };
                self.add_user(text(5), user);
            }
            c::USER_DELETED_E => self.accounts.remove_user(text(5), id),
            c::GROUP_ADDED_E => {
                self.add_group(
                    text(2),
                    Group {
                        gid: id,
                        name: text(1).to_vec(),
                    },
                );
            }
            _ => self.accounts.remove_group(text(2), id),
        }
    }
}
