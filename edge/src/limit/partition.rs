//! Whom a policy counts apart. Only digests leave this module: nobody's address or cookie stands in a store or a log.

use std::fmt;
use std::net::IpAddr;

use sha2::{Digest, Sha256};

use crate::config::{LimitPolicy, Part, Precision};
use crate::field::cookie;

/// What tells clients apart.
#[derive(Clone, Copy)]
pub struct Whom<'request> {
    /// The client's address, as the settings say where to read it; `None` where nobody told.
    pub address: Option<IpAddr>,
    /// As the platform tells it; `None` where it does not.
    pub country: Option<&'request str>,
    /// The route, by its name.
    pub route: &'request str,
    /// A field of the request, its lines joined.
    pub field: &'request dyn Fn(&str) -> Option<String>,
}

/// One counter: what is counted, and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Of everything about a policy that changes what is counted. A policy that was changed is another one.
    pub policy: u64,
    /// Of whom it counts.
    pub partition: u128,
}

/// As messages and rows spell it: 16 and 32 hexadecimal digits.
impl fmt::Display for Key {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:016x}{:032x}", self.policy, self.partition)
    }
}

impl Key {
    /// From its text.
    pub fn read(text: &str) -> Option<Key> {
        let (policy, partition) = text.split_at_checked(16)?;
        let is_hexadecimal = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if partition.len() != 32 || !is_hexadecimal {
            return None;
        }
        let policy = u64::from_str_radix(policy, 16).ok()?;
        Some(Key { policy, partition: u128::from_str_radix(partition, 16).ok()? })
    }

    /// Of whom it counts, as text.
    pub fn digest(&self) -> String {
        format!("{:032x}", self.partition)
    }

    /// The object that keeps it. What several policies count of the same partition lies in one: they are asked at once.
    pub fn shard(&self) -> u8 {
        u8::try_from(self.partition >> 120).unwrap_or_default() % SHARDS
    }
}

/// How many objects share the counters of a site.
pub const SHARDS: u8 = 16;

/// The digest of what a policy counts.
pub fn policy(site: &str, policy: &LimitPolicy) -> u64 {
    let parts: Vec<String> = policy.partition.iter().map(Part::to_string).collect();
    let is_leased = policy.precision == Precision::Leased;
    let text = format!("{site}\0{}\0{}\0{}\0{is_leased}", policy.name, policy.algorithm, parts.join(" "));
    let [first, ..] = halves(&Sha256::digest(text).into());
    u64::try_from(first >> 64).unwrap_or_default()
}

/// Whom a policy with these parts counts.
pub fn partition(site: &str, parts: &[Part], whom: &Whom<'_>) -> u128 {
    let mut digest = Sha256::new();
    let mut add = |tag: u8, name: &str, value: &[u8]| {
        digest.update([tag]);
        for text in [name.as_bytes(), value] {
            // With its length: no two lists of texts are the same bytes.
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text);
        }
    };
    add(0, site, &[]);
    for part in parts {
        match part {
            Part::Global => {}
            Part::Ip => match whom.address.map(|address| address.to_canonical()) {
                Some(IpAddr::V4(address)) => add(1, "", &address.octets()),
                // A network of its own belongs to each client: it may take any address of it.
                Some(IpAddr::V6(address)) => add(2, "", &address.octets()[..8]),
                None => add(3, "", &[]),
            },
            Part::Header(name) => add(4, name, (whom.field)(name).unwrap_or_default().as_bytes()),
            Part::Cookie(name) => {
                let sent = (whom.field)("cookie").unwrap_or_default();
                add(5, name, cookie::value(&sent, name).unwrap_or_default().as_bytes());
            }
            Part::Route => add(6, whom.route, &[]),
            Part::Country => add(7, whom.country.unwrap_or("unknown"), &[]),
        }
    }
    let [first, _] = halves(&digest.finalize().into());
    first
}

/// Whether these parts tell of somebody: where a request lacks all of them, it is counted together with all that do.
pub fn is_of_somebody(parts: &[Part], whom: &Whom<'_>) -> bool {
    parts.iter().any(|part| match part {
        Part::Ip => whom.address.is_some(),
        Part::Header(name) => (whom.field)(name).is_some(),
        Part::Cookie(name) => (whom.field)("cookie").is_some_and(|sent| cookie::value(&sent, name).is_some()),
        Part::Route | Part::Country | Part::Global => false,
    })
}

fn halves(digest: &[u8; 32]) -> [u128; 2] {
    let half = |from: usize| digest[from..from + 16].iter().fold(0, |number, byte| number << 8 | u128::from(*byte));
    [half(0), half(16)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parts: &[Part], address: &str, field: &dyn Fn(&str) -> Option<String>) -> u128 {
        let whom = Whom { address: address.parse().ok(), country: None, route: "/api/*", field };
        partition("shop", parts, &whom)
    }

    #[test]
    fn whoever_is_told_apart_has_a_counter_of_his_own() {
        let nothing = |_: &str| None;
        let cookies = |_: &str| Some("a=1; session=s1; b=2".to_owned());
        let others = |_: &str| Some("session=s2".to_owned());
        let ip = [Part::Ip];
        let session = [Part::Ip, Part::Cookie("session".into())];
        let header = [Part::Ip, Part::Header("cookie".into())];
        for (left, right, same) in [
            (of(&ip, "192.0.2.1", &nothing), of(&ip, "192.0.2.1", &cookies), true),
            (of(&ip, "192.0.2.1", &nothing), of(&ip, "::ffff:192.0.2.1", &nothing), true),
            (of(&ip, "192.0.2.1", &nothing), of(&ip, "192.0.2.2", &nothing), false),
            (of(&ip, "2001:db8::1", &nothing), of(&ip, "2001:db8::2:1", &nothing), true),
            (of(&ip, "2001:db8::1", &nothing), of(&ip, "2001:db8:0:1::1", &nothing), false),
            (of(&ip, "nobody", &nothing), of(&ip, "192.0.2.1", &nothing), false),
            (of(&session, "192.0.2.1", &cookies), of(&session, "192.0.2.1", &others), false),
            (of(&session, "192.0.2.1", &cookies), of(&session, "192.0.2.2", &cookies), false),
            (of(&session, "192.0.2.1", &nothing), of(&header, "192.0.2.1", &nothing), false),
            (of(&[Part::Global], "192.0.2.1", &nothing), of(&[Part::Global], "192.0.2.2", &cookies), true),
            (of(&[Part::Route], "192.0.2.1", &nothing), of(&[Part::Country], "192.0.2.1", &nothing), false),
        ] {
            assert_eq!(left == right, same);
        }
    }

    #[test]
    fn who_names_himself_by_nothing_is_nobody() {
        let nothing = |_: &str| None;
        let cookies = |name: &str| (name == "cookie").then(|| "session=s1".to_owned());
        let [session, other, key] =
            [Part::Cookie("session".into()), Part::Cookie("other".into()), Part::Header("x-key".into())];
        for (parts, address, field, expected) in [
            (vec![Part::Ip], "192.0.2.1", &nothing as &dyn Fn(&str) -> Option<String>, true),
            (vec![Part::Ip], "nobody", &nothing, false),
            (vec![session.clone()], "192.0.2.1", &cookies, true),
            (vec![session], "192.0.2.1", &nothing, false),
            (vec![other.clone(), Part::Route, Part::Country], "192.0.2.1", &cookies, false),
            (vec![other, Part::Ip], "192.0.2.1", &cookies, true),
            (vec![key], "192.0.2.1", &cookies, false),
            (vec![Part::Global], "192.0.2.1", &cookies, false),
        ] {
            let whom = Whom { address: address.parse().ok(), country: None, route: "/api/*", field };
            assert_eq!(is_of_somebody(&parts, &whom), expected, "{parts:?} {address}");
        }
    }

    #[test]
    fn a_key_is_read_as_it_is_written() {
        let key = Key { policy: 0x1f, partition: u128::MAX - 7 };
        assert_eq!(Key::read(&key.to_string()), Some(key));
        assert_eq!(key.shard(), 255 % SHARDS);
        for text in ["", "1f", &"0".repeat(47), &"0".repeat(49), &"+".repeat(48), &"é".repeat(24)] {
            assert_eq!(Key::read(text), None, "{text}");
        }
    }

    #[test]
    fn a_changed_policy_is_another_one() {
        let read = |text: &str| LimitPolicy::try_from(text.to_owned()).unwrap();
        let first = read("a; fixed-window 5 1000");
        for (text, same) in [
            ("a; fixed-window 5 1000; shadow; deadline_ms 7", true),
            ("a; fixed-window 6 1000", false),
            ("b; fixed-window 5 1000", false),
            ("a; fixed-window 5 1000; partition global", false),
            ("a; fixed-window 5 1000; precision leased", false),
        ] {
            assert_eq!(policy("shop", &first) == policy("shop", &read(text)), same, "{text}");
        }
        assert_ne!(policy("shop", &first), policy("stop", &first));
    }
}
