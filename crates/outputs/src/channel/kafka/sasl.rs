//! Who we are, before anything else is asked: SASL with PLAIN (RFC 4616) or SCRAM (RFC 5802, 7677).
//!
//! PLAIN shows the password to the broker and wants TLS around it. SCRAM shows neither side's secret,
//! and the broker proves that it knows ours.

use std::io;
use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac, pbkdf2};

use crate::channel::fault;
use crate::channel::kafka::protocol::{Answer, Link, Request, code};

const HANDSHAKE: (i16, i16) = (17, 1);
const AUTHENTICATE: (i16, i16) = (36, 0);
/// Most rounds that a broker may ask of us: each costs time.
const MAX_ROUNDS: u32 = 1_000_000;

/// How a login is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// The password itself.
    Plain,
    /// A proof over SHA-256.
    ScramSha256,
    /// A proof over SHA-512.
    ScramSha512,
}

/// A name and what proves it.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// How.
    pub mechanism: Mechanism,
    /// The name.
    pub user: String,
    /// The secret.
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("mechanism", &self.mechanism)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

pub(super) fn log_in(link: &mut Link, login: &Login) -> io::Result<()> {
    let name = match login.mechanism {
        Mechanism::Plain => "PLAIN",
        Mechanism::ScramSha256 => "SCRAM-SHA-256",
        Mechanism::ScramSha512 => "SCRAM-SHA-512",
    };
    let mut request = Request::default();
    request.text(name);
    let answer = link.call(HANDSHAKE, &request.0)?;
    let mut answer = Answer(&answer);
    if answer.i16()? != code::NONE {
        let offered = answer.list(Answer::text)?.join(", ");
        return Err(fault(format!("the broker has no {name}, but {offered}")));
    }
    if login.mechanism == Mechanism::Plain {
        let token = format!("\0{}\0{}", login.user, login.password);
        return authenticate(link, token.as_bytes()).map(|_| ());
    }
    let mut random = [0; 18];
    let made = SystemRandom::new().fill(&mut random);
    made.map_err(|_| fault("the system has no random numbers"))?;
    let scram = Scram::new(login, &STANDARD.encode(random));
    let challenge = authenticate(link, scram.first().as_bytes())?;
    let (proof, expected) = scram.last(&challenge)?;
    let verdict = authenticate(link, proof.as_bytes())?;
    if verdict.split(',').next() != Some(&expected) {
        return Err(fault("the broker does not know our password"));
    }
    Ok(())
}

fn authenticate(link: &mut Link, token: &[u8]) -> io::Result<String> {
    let mut request = Request::default();
    request.bytes(token);
    let answer = link.call(AUTHENTICATE, &request.0)?;
    let mut answer = Answer(&answer);
    let (error, why) = (answer.i16()?, answer.text()?);
    if error != code::NONE {
        let what = code::text(error);
        return Err(fault(format!("{what} {why}").trim_end().to_owned()));
    }
    Ok(String::from_utf8_lossy(answer.bytes()?).into_owned())
}

/// One exchange.
struct Scram<'l> {
    login: &'l Login,
    nonce: String,
    hmac: hmac::Algorithm,
    digest: &'static digest::Algorithm,
    pbkdf2: pbkdf2::Algorithm,
}

impl<'l> Scram<'l> {
    fn new(login: &'l Login, nonce: &str) -> Self {
        let (hmac, digest, pbkdf2) = if login.mechanism == Mechanism::ScramSha512 {
            (
                hmac::HMAC_SHA512,
                &digest::SHA512,
                pbkdf2::PBKDF2_HMAC_SHA512,
            )
        } else {
            (
                hmac::HMAC_SHA256,
                &digest::SHA256,
                pbkdf2::PBKDF2_HMAC_SHA256,
            )
        };
        Self {
            login,
            nonce: nonce.to_owned(),
            hmac,
            digest,
            pbkdf2,
        }
    }

    fn bare(&self) -> String {
        let user = self.login.user.replace('=', "=3D").replace(',', "=2C");
        format!("n={user},r={}", self.nonce)
    }

    fn first(&self) -> String {
        format!("n,,{}", self.bare())
    }

    /// The answer to the broker's challenge, and what the broker has to say to it.
    fn last(&self, challenge: &str) -> io::Result<(String, String)> {
        let part = |name: &str| {
            challenge
                .split(',')
                .find_map(|part| part.strip_prefix(name))
        };
        let wrong = || fault("the broker's challenge is none");
        let (Some(nonce), Some(salt), Some(rounds)) = (part("r="), part("s="), part("i=")) else {
            return Err(wrong());
        };
        let salt = STANDARD.decode(salt).map_err(|_| wrong())?;
        let rounds: NonZeroU32 = rounds.parse().map_err(|_| wrong())?;
        if !nonce.starts_with(&self.nonce) || rounds.get() > MAX_ROUNDS {
            return Err(wrong());
        }
        let mut salted = vec![0; self.digest.output_len()];
        let password = self.login.password.as_bytes();
        pbkdf2::derive(self.pbkdf2, rounds, &salt, password, &mut salted);
        let key = hmac::Key::new(self.hmac, &salted);
        let client = hmac::sign(&key, b"Client Key");
        let stored = digest::digest(self.digest, client.as_ref());
        let server = hmac::sign(&key, b"Server Key");

        let bare = format!("c=biws,r={nonce}");
        let told = format!("{},{challenge},{bare}", self.bare());
        let signed = |key: &[u8]| hmac::sign(&hmac::Key::new(self.hmac, key), told.as_bytes());
        let signature = signed(stored.as_ref());
        let proof: Vec<u8> = client
            .as_ref()
            .iter()
            .zip(signature.as_ref())
            .map(|(a, b)| a ^ b)
            .collect();
        let answer = format!("{bare},p={}", STANDARD.encode(proof));
        let expected = format!("v={}", STANDARD.encode(signed(server.as_ref())));
        Ok((answer, expected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login() -> Login {
        Login {
            mechanism: Mechanism::ScramSha256,
            user: "user".to_owned(),
            password: "pencil".to_owned(),
        }
    }

    #[test]
    fn the_exchange_of_rfc_7677() {
        let login = login();
        let scram = Scram::new(&login, "rOprNGfwEbeRWgbNEkqO");
        assert_eq!(scram.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let challenge = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                         s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
        let (proof, expected) = scram.last(challenge).unwrap();
        assert_eq!(
            proof,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        assert_eq!(expected, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn a_challenge_of_somebody_else_is_refused() {
        let login = login();
        let scram = Scram::new(&login, "mine");
        for challenge in [
            "",
            "r=mine1,s=AAAA",
            "r=other,s=AAAA,i=4096",
            "r=mine1,s=AAAA,i=0",
            "r=mine1,s=AAAA,i=4000000000",
            "r=mine1,s=?,i=4096",
        ] {
            assert!(scram.last(challenge).is_err(), "{challenge}");
        }
    }

    #[test]
    fn a_password_is_never_printed() {
        assert!(!format!("{:?}", login()).contains("pencil"));
    }
}
