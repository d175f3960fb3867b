//! A bucket of tokens that fills with the events' time.

/// So many at once, and then so many a second.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    /// Tokens a second.
    rate: f64,
    /// How many it holds.
    burst: f64,
    tokens: f64,
    filled: Option<u64>,
}

impl Bucket {
    /// A full one.
    #[must_use]
    pub fn new(rate: f64, burst: f64) -> Self {
        Self {
            rate,
            burst,
            tokens: burst,
            filled: None,
        }
    }

    /// Takes a token at this time, in nanoseconds; false: there is none. A time before the last one
    /// counts as no later.
    #[inline]
    pub fn take(&mut self, time: u64) -> bool {
        let filled = self.filled.unwrap_or(time);
        #[allow(
            clippy::cast_precision_loss,
            reason = "fractions of a token are enough"
        )]
        let seconds = time.saturating_sub(filled) as f64 / 1e9;
        self.tokens = (self.tokens + seconds * self.rate).min(self.burst);
        self.filled = Some(filled.max(time));
        let taken = self.tokens >= 1.0;
        if taken {
            self.tokens -= 1.0;
        }
        taken
    }

    /// When it is full again if nobody takes anything.
    #[must_use]
    pub fn full_at(&self) -> u64 {
        let missing = (self.burst - self.tokens) / self.rate * 1e9;
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is not negative, and a cast goes to the greatest number"
        )]
        let wait = missing.ceil() as u64;
        self.filled.unwrap_or(0).saturating_add(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_fills_with_time_and_not_beyond_its_size() {
        let second = 1_000_000_000;
        let mut bucket = Bucket::new(2.0, 3.0);
        assert_eq!((0..5).filter(|_| bucket.take(second)).count(), 3);
        assert_eq!(bucket.full_at(), second + second * 3 / 2);
        assert!(!bucket.take(0), "time does not run back");
        assert!(bucket.take(second + second / 2));
        assert_eq!((0..9).filter(|_| bucket.take(100 * second)).count(), 3);
    }
}
