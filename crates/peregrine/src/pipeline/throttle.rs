//! `outputs.rate` of older releases: alerts beyond a rate are held back, and counted.

use outputs::Bucket;

/// A bucket for all rules together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Throttle {
    bucket: Option<Bucket>,
    /// Alerts that were held back.
    pub(crate) held_back: u64,
}

impl Throttle {
    /// A full bucket; `None` lets everything pass.
    pub(crate) fn new(rate: Option<(f64, f64)>) -> Self {
        Self {
            bucket: rate.map(|(rate, burst)| Bucket::new(rate, burst)),
            held_back: 0,
        }
    }

    /// With another rate; the count goes on.
    pub(crate) fn with(self, rate: Option<(f64, f64)>) -> Self {
        Self {
            held_back: self.held_back,
            ..Self::new(rate)
        }
    }

    /// Whether an alert of this time, in nanoseconds, passes.
    #[inline]
    pub(crate) fn lets_pass(&mut self, time: u64) -> bool {
        let passes = self.bucket.as_mut().is_none_or(|bucket| bucket.take(time));
        self.held_back += u64::from(!passes);
        passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_the_rate() {
        let mut throttle = Throttle::new(Some((2.0, 3.0)));
        let passed = (0..100)
            .filter(|n| throttle.lets_pass(1_000_000_000 + n * 100_000_000))
            .count();
        // Three at once, and two in each of the ten seconds.
        assert!((21..=23).contains(&passed), "{passed}");
        assert_eq!(throttle.held_back, 100 - passed as u64);
        assert!((0..1000).all(|n| Throttle::default().lets_pass(n)));
    }
}
