//! Bytes that a sender may append: so many at once, which come back with time.

/// Bytes that may be appended at once, and how many come back per second: a transaction of six blobs per slot.
const BURST_BYTES: f64 = 16.0 * 1_048_576.0;
const BYTES_PER_S: f64 = 65_536.0;
/// Bytes that a transaction counts at least.
const LEAST_BYTES: u64 = 512;
const MS_PER_S: f64 = 1_000.0;

/// Bytes that are left, and the Unix time in milliseconds as of which that holds.
#[derive(Debug)]
pub(super) struct Bucket {
    left: f64,
    at_ms: u64,
}

impl Default for Bucket {
    fn default() -> Self {
        Self { left: BURST_BYTES, at_ms: 0 }
    }
}

impl Bucket {
    /// Takes bytes, if so many are left.
    pub(super) fn take(&mut self, bytes: u64, now_ms: u64) -> bool {
        self.refill(now_ms);
        // A clock that was ahead must not stop a sender until that time has come.
        self.at_ms = now_ms;
        let wanted = counted(bytes);
        let enough = self.left >= wanted;
        if enough {
            self.left -= wanted;
        }
        enough
    }

    /// Takes bytes that were appended already, by the clock of whoever took them; what is not left is owed.
    pub(super) fn spend(&mut self, bytes: u64, taken_ms: u64, now_ms: u64) {
        self.refill(taken_ms.min(now_ms));
        self.left = (self.left - counted(bytes)).max(-BURST_BYTES);
    }

    fn refill(&mut self, to_ms: u64) {
        let past_ms = u32::try_from(to_ms.saturating_sub(self.at_ms)).unwrap_or(u32::MAX);
        self.left = (f64::from(past_ms) / MS_PER_S).mul_add(BYTES_PER_S, self.left).min(BURST_BYTES);
        self.at_ms = self.at_ms.max(to_ms);
    }
}

fn counted(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes.max(LEAST_BYTES)).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::Bucket;

    const NOW_MS: u64 = 1_700_000_000_000;
    const LARGE: u64 = 128 << 10;

    #[test]
    fn bytes_come_back_with_time() {
        let mut bucket = Bucket::default();
        let taken = (0..=255).take_while(|_| bucket.take(LARGE, NOW_MS)).count();
        assert_eq!(taken, 128, "16 MiB in all");
        assert!(bucket.take(LARGE, NOW_MS + 2_000) && !bucket.take(LARGE, NOW_MS + 2_000));
        assert!(!bucket.take(1, NOW_MS + 2_000), "512 bytes at least");
        assert!(!bucket.take(LARGE, NOW_MS - 3_600_000), "the clock was ahead");
        assert!(bucket.take(LARGE, NOW_MS - 3_600_000 + 2_000));
    }

    #[test]
    fn what_others_appended_counts_from_when_they_did() {
        let mut bucket = Bucket::default();
        for _ in 0..128 {
            bucket.spend(LARGE, NOW_MS - 256_000, NOW_MS);
        }
        assert!(bucket.take(16 << 20, NOW_MS), "all of it has come back");
        for _ in 0..1_000 {
            bucket.spend(LARGE, u64::MAX, NOW_MS);
        }
        assert!(!bucket.take(1, NOW_MS + 255_000) && bucket.take(1, NOW_MS + 257_000), "no more is owed");
    }
}
