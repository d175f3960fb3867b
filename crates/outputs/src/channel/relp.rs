//! RELP, what relays of rsyslog speak among each other: syslog that is acknowledged.
//!
//! ```text
//! frame     NUMBER command LENGTH[ DATA]\n
//! ours      1 open 52 relp_version=0\nrelp_software=peregrine\ncommands=syslog\n
//!           2 syslog 14 <13>1 … a text\n
//! theirs    2 rsp 6 200 OK\n                      the relay has taken responsibility
//! ```
//!
//! Frames are sent without waiting, up to a window; what is not acknowledged when a connection breaks
//! is sent again.

use std::io::{self, BufRead, BufReader, Read, Write};

use crate::channel::fault;
use crate::channel::wire::Wire;

/// Frames that may be on their way.
pub(crate) const WINDOW: usize = 128;
/// Longest answer that is read.
const MAX_ANSWER: usize = 16 << 10;
/// Numbers have nine digits.
const LAST_NUMBER: u32 = 999_999_999;

const OFFER: &[u8] = b"relp_version=0\nrelp_software=peregrine\ncommands=syslog";

/// An open session.
pub(crate) struct Relp {
    stream: BufReader<Wire>,
    number: u32,
}

impl Relp {
    /// Opens a session over a connection.
    ///
    /// # Errors
    /// When the other side speaks something else, or not to us.
    pub(crate) fn open(wire: Wire) -> io::Result<Self> {
        let mut session = Self {
            stream: BufReader::new(wire),
            number: 0,
        };
        let mut out = Vec::new();
        let number = session.frame(&mut out, "open", OFFER)?;
        session.stream.get_mut().write_all(&out)?;
        session.answer(number)?;
        Ok(session)
    }

    /// Sends messages, at most [`WINDOW`]; `taken` hears of each that the relay has taken, in order.
    ///
    /// # Errors
    /// When the relay has gone or refuses the next one; those that were taken stay so.
    pub(crate) fn send(&mut self, messages: &[Vec<u8>], mut taken: impl FnMut()) -> io::Result<()> {
        let mut out = Vec::new();
        let mut numbers = Vec::new();
        for message in messages {
            numbers.push(self.frame(&mut out, "syslog", message)?);
        }
        self.stream.get_mut().write_all(&out)?;
        self.stream.get_mut().flush()?;
        for number in numbers {
            self.answer(number)?;
            taken();
        }
        Ok(())
    }

    /// Says good-bye, so that the relay does not take us for lost.
    pub(crate) fn close(mut self) {
        let mut out = Vec::new();
        if let Ok(number) = self.frame(&mut out, "close", b"")
            && self.stream.get_mut().write_all(&out).is_ok()
        {
            // Whatever it says to that, we are gone.
            let _ = self.answer(number);
        }
    }

    fn frame(&mut self, out: &mut Vec<u8>, command: &str, data: &[u8]) -> io::Result<u32> {
        self.number = self.number % LAST_NUMBER + 1;
        write!(out, "{} {command} {}", self.number, data.len())?;
        if !data.is_empty() {
            out.push(b' ');
            out.extend_from_slice(data);
        }
        out.push(b'\n');
        Ok(self.number)
    }

    /// Reads the answer to one of our frames; relays answer in order.
    fn answer(&mut self, expected: u32) -> io::Result<()> {
        let (number, _) = self.word()?;
        let (command, _) = self.word()?;
        let (length, end) = self.word()?;
        let length = length.parse().ok();
        let Some(length) = length.filter(|length: &usize| *length <= MAX_ANSWER) else {
            return Err(fault("this is no relay that speaks RELP"));
        };
        let mut data = vec![0; length];
        self.stream.read_exact(&mut data)?;
        // The newline is read already where no data stand before it.
        if end != b'\n' {
            self.stream.read_exact(&mut [0])?;
        }
        if command == "serverclose" {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if command != "rsp" || number != expected.to_string() {
            return Err(fault("the relay answers another frame"));
        }
        if data.starts_with(b"200") {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&data);
        let line = text.lines().next().unwrap_or_default();
        Err(fault(format!("the relay says {line}")))
    }

    /// A word, and the blank or newline that ended it.
    fn word(&mut self) -> io::Result<(String, u8)> {
        let mut word = String::new();
        loop {
            let byte = match self.stream.fill_buf()?.first() {
                Some(byte) => *byte,
                None => return Err(io::ErrorKind::ConnectionReset.into()),
            };
            self.stream.consume(1);
            match byte {
                b' ' | b'\n' => return Ok((word, byte)),
                byte if byte.is_ascii_alphanumeric() && word.len() < 32 => word.push(byte.into()),
                _ => return Err(fault("this is no relay that speaks RELP")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;
    use std::thread;

    use super::*;

    /// What a relay would have to send, whatever it is asked.
    fn against(said: &[u8]) -> io::Result<usize> {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        theirs.write_all(said).unwrap();
        theirs.shutdown(std::net::Shutdown::Write).unwrap();
        let reader = thread::spawn(move || {
            let mut all = Vec::new();
            let _ = theirs.read_to_end(&mut all);
            all
        });
        let mut taken = 0;
        let result = Relp::open(Wire::Unix(ours)).and_then(|mut session| {
            let messages = [b"one".to_vec(), b"a longer\none".to_vec()];
            session.send(&messages, || taken += 1)
        });
        let asked = reader.join().unwrap();
        let offer = format!("1 open {} ", OFFER.len());
        assert!(asked.starts_with(offer.as_bytes()), "{asked:?}");
        if taken == 2 {
            assert!(asked.ends_with(b"2 syslog 3 one\n3 syslog 12 a longer\none\n"));
        }
        result.map(|()| taken)
    }

    #[test]
    fn what_is_acknowledged_is_taken() {
        let opened = b"1 rsp 21 200 OK\nrelp_version=0\n".as_slice();
        let both = [opened, b"2 rsp 6 200 OK\n3 rsp 6 200 OK\n"].concat();
        assert_eq!(against(&both).unwrap(), 2);
        for end in [
            b"".as_slice(),
            b"2 rsp 6 200 OK\n",
            b"0 serverclose 0\n",
            b"2 rsp 9 500 error\n",
            b"3 rsp 6 200 OK\n2 rsp 6 200 OK\n",
            b"2 rsp 999999999 x",
        ] {
            let error = against(&[opened, end].concat());
            assert!(error.is_err(), "{}", String::from_utf8_lossy(end));
        }
        for greeting in [
            b"SSH-2.0\r\n".as_slice(),
            b"1 rsp 9 500 error\n",
            b"\n\n\n\n",
        ] {
            assert!(against(greeting).is_err());
        }
    }
}
