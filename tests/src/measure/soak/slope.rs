//! Growth of what a daemon holds, from samples: whether it may go on for weeks.
//!
//! Slopes are medians over all pairs of samples (Theil and Sen): a jump, such as a cache that is filled or files that are
//! merged, bends them little. What a run's whole growth stays below counts as noise, so that short runs say less than
//! long ones, and never more.

/// One reading: how far the run is (hours, or blocks), and the value then.
pub(super) type Sample = (f64, f64);

/// Most that a value may grow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound {
    /// Growth per hour or block that is none.
    pub(super) slope_max: f64,
    /// Growth over the whole run that is noise.
    pub(super) noise: f64,
}

/// Growth per hour or block: the median of the slopes between all pairs of samples. None without two of them.
#[must_use]
pub(super) fn slope(samples: &[Sample]) -> Option<f64> {
    let pairs = samples.iter().enumerate().flat_map(|(at, (x, y))| {
        samples.iter().skip(at + 1).map(move |(later, value)| (later - x, value - y))
    });
    let mut slopes: Vec<f64> =
        pairs.filter(|(over, _)| *over > 0.0).map(|(over, growth)| growth / over).collect();
    let middle = slopes.len() / 2;
    if slopes.is_empty() {
        return None;
    }
    Some(*slopes.select_nth_unstable_by(middle, f64::total_cmp).1)
}

/// The later half of a run: in the first one caches are filled.
#[must_use]
pub(super) fn settled(samples: &[Sample]) -> &[Sample] {
    samples.get(samples.len() / 2..).unwrap_or_default()
}

impl Bound {
    /// True if these samples grow beyond the bound, and by more than noise.
    #[must_use]
    pub(super) fn is_exceeded(&self, samples: &[Sample]) -> bool {
        let span = samples.first().zip(samples.last()).map_or(0.0, |(first, last)| last.0 - first.0);
        slope(samples).is_none_or(|slope| slope > self.slope_max && slope * span > self.noise)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(slope: f64, extra: impl Fn(u32) -> f64) -> Vec<Sample> {
        (0..60).map(|x| (f64::from(x), 100.0 + slope * f64::from(x) + extra(x))).collect()
    }

    fn close(samples: &[Sample], wanted: f64) {
        let found = slope(samples).unwrap();
        assert!((found - wanted).abs() < 0.1, "{found}, not {wanted}");
    }

    #[test]
    fn a_line_has_its_slope_whatever_shakes_it() {
        close(&line(2.0, |_| 0.0), 2.0);
        close(&line(-3.0, |x| f64::from(x % 3)), -3.0);
        // A reading of nothing, and one jump that stays.
        close(&line(2.0, |x| if x == 30 { -100.0 } else { 0.0 }), 2.0);
        close(&line(0.0, |x| if x > 50 { 90.0 } else { 0.0 }), 0.0);
    }

    #[test]
    fn a_saw_is_flat_and_a_staircase_is_not() {
        close(&line(0.0, |x| f64::from(x % 10)), 0.0);
        close(&line(0.0, |x| f64::from(x / 10) * 10.0), 1.0);
    }

    #[test]
    fn nothing_has_no_slope_and_passes_no_bound() {
        let bound = Bound { slope_max: 1.0, noise: 1.0 };
        for samples in [&[][..], &[(1.0, 1.0)], &[(1.0, 1.0), (1.0, 2.0)]] {
            assert_eq!(slope(samples), None);
            assert!(bound.is_exceeded(samples), "{samples:?}");
        }
    }

    #[test]
    fn growth_counts_when_it_is_steep_and_more_than_noise() {
        let grows = line(2.0, |_| 0.0);
        let is_exceeded = |slope_max, noise| Bound { slope_max, noise }.is_exceeded(&grows);
        assert!(is_exceeded(1.0, 100.0));
        assert!(!is_exceeded(3.0, 100.0), "slow enough");
        assert!(!is_exceeded(1.0, 200.0), "118 over the run");
        assert!(!Bound { slope_max: 0.0, noise: 0.0 }.is_exceeded(&line(-1.0, |_| 0.0)));
    }

    #[test]
    fn the_first_half_does_not_count() {
        let filled = line(0.0, |x| f64::from(x.min(20)) * 5.0);
        close(settled(&filled), 0.0);
        assert!(settled(&[]).is_empty());
    }
}
