//! Which of several pools answers a client: the same one each time, by a number that its browser keeps.

use crate::config::Share;

/// The cookie that holds a client's number.
pub const COOKIE: &str = "rimward-split";

/// Numbers are below this one.
pub const BUCKETS: u32 = 10_000;

/// For so long a browser keeps its number, in seconds: a year.
const MAX_AGE_S: u32 = 365 * 24 * 60 * 60;

/// The number of a client that has one.
pub fn known(cookie: Option<&str>) -> Option<u32> {
    let digits = cookie.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok().filter(|bucket| *bucket < BUCKETS)
}

/// The number of a client that has none yet.
#[allow(clippy::cast_possible_truncation, reason = "below 10,000")]
pub fn drawn(random: u128) -> u32 {
    (random % u128::from(BUCKETS)) as u32
}

/// What a browser is told to keep.
pub fn set_cookie(bucket: u32, scheme: &str) -> String {
    let secure = if scheme == "https" { "; Secure" } else { "" };
    format!("{COOKIE}={bucket}; Path=/; Max-Age={MAX_AGE_S}; HttpOnly; SameSite=Lax{secure}")
}

/// The pool of a number: shares lie one behind the other, so that raising the last one's moves nobody out of it.
pub fn pool(shares: &[Share], bucket: u32) -> Option<&str> {
    let total: u64 = shares.iter().map(|share| u64::from(share.weight)).sum();
    let mut end = 0;
    for Share { pool, weight } in shares {
        end += u64::from(*weight);
        if u64::from(bucket) * total < end * u64::from(BUCKETS) {
            return Some(pool);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shares(weights: &[u32]) -> Vec<Share> {
        weights.iter().enumerate().map(|(at, weight)| Share { pool: at.to_string(), weight: *weight }).collect()
    }

    fn count(shares: &[Share], name: &str) -> u32 {
        (0..BUCKETS).filter(|bucket| pool(shares, *bucket) == Some(name)).count().try_into().unwrap()
    }

    #[test]
    fn clients_are_split_as_the_weights_say() {
        for (weights, expected) in [
            (&[95, 5][..], &[9500, 500][..]),
            (&[1, 1, 1], &[3334, 3333, 3333]),
            (&[0, 7], &[0, 10_000]),
            (&[1], &[10_000]),
        ] {
            let shares = shares(weights);
            let found: Vec<u32> = shares.iter().map(|share| count(&shares, &share.pool)).collect();
            assert_eq!(found, expected);
        }
        assert_eq!(pool(&shares(&[0, 0]), 0), None);
    }

    proptest! {
        #[test]
        fn raising_the_last_share_moves_nobody_out_of_it(weights in prop::collection::vec(0u32..10_000, 2..5), more in 1u32..10_000) {
            let before = shares(&weights);
            let mut after = before.clone();
            after.last_mut().unwrap().weight += more;
            let last = &after.last().unwrap().pool;
            for bucket in (0..BUCKETS).step_by(7) {
                if pool(&before, bucket) == Some(last) {
                    prop_assert_eq!(pool(&after, bucket), Some(last.as_str()));
                }
            }
        }
    }

    #[test]
    fn only_a_number_in_range_is_a_clients_own() {
        for (cookie, expected) in [
            (Some("0"), Some(0)),
            (Some("9999"), Some(9999)),
            (Some("10000"), None),
            (Some("-1"), None),
            (Some("+1"), None),
            (Some(" 1"), None),
            (Some("99999999999"), None),
            (Some(""), None),
            (None, None),
        ] {
            assert_eq!(known(cookie), expected, "{cookie:?}");
        }
        assert!(drawn(u128::MAX) < BUCKETS);
    }
}
