//! Instants and ages as data: nothing below the shell reads a clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch. Arithmetic saturates: a clock that steps back is an age of zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: u64) -> Timestamp {
        Timestamp(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero where it is before.
    pub const fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// How many whole seconds after `earlier` this is; zero where it is before.
    pub const fn seconds_since(self, earlier: Timestamp) -> u64 {
        self.0.saturating_sub(earlier.0) / 1000
    }

    /// This many seconds before.
    pub const fn minus_seconds(self, seconds: u64) -> Timestamp {
        Timestamp(self.0.saturating_sub(seconds.saturating_mul(1000)))
    }

    /// So much later.
    #[allow(clippy::cast_possible_truncation, reason = "milliseconds since 1970 and a duration of ours")]
    pub const fn plus(self, duration: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(duration.as_millis() as u64))
    }

    /// So much earlier.
    #[allow(clippy::cast_possible_truncation, reason = "milliseconds since 1970 and a duration of ours")]
    pub const fn minus(self, duration: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(duration.as_millis() as u64))
    }
}
