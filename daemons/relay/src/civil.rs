//! Times as clients of older relays expect them: ISO 8601 in UTC, with milliseconds.

const DAY_S: u64 = 86_400;
/// Days of 400 years, after which the calendar repeats.
const ERA_DAYS: u64 = 146_097;
/// Days from the first of March of the year 0, with which an era begins, to 1970.
const TO_1970_DAYS: u64 = 719_468;

/// Text of a Unix time in milliseconds.
#[must_use]
pub(crate) fn iso_of(unix_ms: u64) -> String {
    let (seconds, millis) = (unix_ms / 1_000, unix_ms % 1_000);
    let (days, second) = (seconds / DAY_S + TO_1970_DAYS, seconds % DAY_S);
    // Years begin with March here, so that a leap day is the last of its year (Howard Hinnant's algorithm).
    let (era, of_era) = (days / ERA_DAYS, days % ERA_DAYS);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

#[cfg(test)]
mod tests {
    #[test]
    fn times_are_told_as_clients_read_them() {
        for (unix_ms, expect) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_709_164_800_001, "2024-02-29T00:00:00.001Z"),
            (1_796_043_661_007, "2026-11-30T13:01:01.007Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(super::iso_of(unix_ms), expect);
        }
    }
}
