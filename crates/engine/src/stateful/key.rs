//! Keys: the values that events have in common, as 128 bits.
//!
//! Whoever is watched chooses these values, so they are hashed with a secret key: nobody can make
//! two that collide, or many that fall into one bucket. What is kept is the hash alone, of the same
//! size whatever the values are.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use filter::Value;
use siphasher::sip128::{Hasher128, SipHasher13};

/// Makes keys. Equal values give equal keys under the same secret, in this process or the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keyer {
    secret: [u64; 2],
}

impl Keyer {
    /// A new secret.
    #[must_use]
    pub fn random() -> Self {
        let number = || RandomState::new().build_hasher().finish();
        Self::with_secret([number(), number()])
    }

    /// A known one.
    #[must_use]
    pub const fn with_secret(secret: [u64; 2]) -> Self {
        Self { secret }
    }

    /// The secret, to be kept where nobody else reads it.
    #[must_use]
    pub const fn secret(&self) -> [u64; 2] {
        self.secret
    }

    /// Begins a key.
    #[must_use]
    pub fn begin(&self) -> KeyMaker {
        let [a, b] = self.secret;
        KeyMaker(SipHasher13::new_with_keys(a, b))
    }
}

/// A key on its way.
#[derive(Clone, Copy, Debug)]
pub struct KeyMaker(SipHasher13);

impl KeyMaker {
    /// Adds a value. Its type and length go in, so that no two lists of values are one text.
    pub fn add(&mut self, value: &Value<'_>) {
        let state = &mut self.0;
        match value {
            Value::Signed(number) => {
                state.write_u8(1);
                state.write_u64(*number as u64);
            }
            Value::Unsigned(number) => {
                state.write_u8(2);
                state.write_u64(*number);
            }
            Value::Double(number) => {
                state.write_u8(3);
                state.write_u64(number.to_bits());
            }
            Value::Bool(truth) => {
                state.write_u8(4);
                state.write_u8(u8::from(*truth));
            }
            Value::Bytes(bytes) => {
                state.write_u8(5);
                state.write_u64(bytes.len() as u64);
                state.write(bytes);
            }
            Value::Ip(std::net::IpAddr::V4(ip)) => {
                state.write_u8(6);
                state.write(&ip.octets());
            }
            Value::Ip(std::net::IpAddr::V6(ip)) => {
                state.write_u8(7);
                state.write(&ip.octets());
            }
            Value::List(all) => {
                state.write_u8(8);
                state.write_u64(all.len() as u64);
                all.iter().for_each(|one| self.add(one));
            }
        }
    }

    /// The key.
    #[must_use]
    pub fn finish(self) -> u128 {
        self.0.finish128().as_u128()
    }
}
