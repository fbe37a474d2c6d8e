//! What is to be checked, as one text: isolates write it from their settings, so that the object needs no settings of its own.
//!
//! Each member is its length in bytes, a colon, and itself: whatever stands in it, it ends nothing.

use std::fmt::Write;

use crate::config::{Health, Pool};

/// The origins of one pool, and how they are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The pool's name.
    pub pool: String,
    /// How.
    pub health: Health,
    /// Their URLs.
    pub origins: Vec<String>,
}

/// A text that is no list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("what is to be checked is in a form of another version")]
pub struct NoList;

/// The list of those of `pools` that have checks. Empty where none has.
pub fn write<'p>(pools: impl Iterator<Item = (&'p String, &'p Pool)>) -> String {
    let mut text = String::new();
    for (name, pool) in pools {
        let Some(health) = &pool.health else { continue };
        let Health { path, status, body, interval_ms, timeout_ms, unhealthy_after, healthy_after } = health;
        let (low, high) = status;
        let numbers = format!("{low} {high} {interval_ms} {timeout_ms} {unhealthy_after} {healthy_after}");
        member(&mut text, name);
        member(&mut text, path);
        member(&mut text, body.as_deref().unwrap_or_default());
        member(&mut text, &numbers);
        member(&mut text, &pool.origins.len().to_string());
        pool.origins.iter().for_each(|origin| member(&mut text, &origin.url));
    }
    text
}

/// What a text of [`write()`] says. Numbers that would be no check are made ones that are.
pub fn read(text: &str) -> Result<Vec<Checked>, NoList> {
    let mut rest = text;
    let mut list = Vec::new();
    while !rest.is_empty() {
        list.push(checked(&mut rest).ok_or(NoList)?);
    }
    Ok(list)
}

fn checked(rest: &mut &str) -> Option<Checked> {
    let (pool, path, body) = (take(rest)?.to_owned(), take(rest)?.to_owned(), take(rest)?);
    let mut numbers = take(rest)?.split(' ').map(|number| number.parse::<u64>().ok());
    let mut number = || numbers.next().flatten();
    let status = (u16::try_from(number()?).ok()?, u16::try_from(number()?).ok()?);
    let interval_ms = number()?.max(1000);
    let timeout_ms = number()?.clamp(1, interval_ms);
    let unhealthy_after = u8::try_from(number()?).ok()?.max(1);
    let healthy_after = u8::try_from(number()?).ok()?.max(1);
    let body = Some(body.to_owned()).filter(|body| !body.is_empty());
    let count: usize = take(rest)?.parse().ok()?;
    let mut origins = Vec::new();
    for _ in 0..count {
        origins.push(take(rest)?.to_owned());
    }
    let health = Health { path, status, body, interval_ms, timeout_ms, unhealthy_after, healthy_after };
    Some(Checked { pool, health, origins })
}

fn member(text: &mut String, member: &str) {
    let _ = write!(text, "{}:{member}", member.len());
}

fn take<'t>(rest: &mut &'t str) -> Option<&'t str> {
    let (length, behind) = rest.split_once(':')?;
    let (member, behind) = behind.split_at_checked(length.parse().ok()?)?;
    *rest = behind;
    Some(member)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::{Origin, Timeout};

    pub(in crate::health) fn health(interval_ms: u64, unhealthy_after: u8, healthy_after: u8) -> Health {
        let (path, status) = ("/healthz".to_owned(), (200, 299));
        let timeout_ms = interval_ms.min(2000);
        Health { path, status, body: None, interval_ms, timeout_ms, unhealthy_after, healthy_after }
    }

    pub(in crate::health) fn pool(health: Option<Health>, origins: &[&str]) -> Pool {
        let timeout = Timeout { answer_ms: 10_000, idle_ms: None, total_ms: None };
        Pool { health, ..Pool::new(origins.iter().map(|url| Origin::new(url)).collect(), timeout) }
    }

    fn text(name: &str, pool: &Pool) -> String {
        write([(&name.to_owned(), pool)].into_iter())
    }

    #[test]
    fn only_pools_with_checks_are_told_of() {
        assert_eq!(text("api", &pool(None, &["http://a"])), "");
        assert_eq!(read(""), Ok(vec![]));
        let told = text("api", &pool(Some(health(1000, 3, 2)), &["http://a"]));
        assert_eq!(told, "3:api8:/healthz0:21:200 299 1000 1000 3 21:18:http://a");
    }

    #[test]
    fn what_is_no_list_is_refused() {
        let whole = text("api", &pool(Some(health(1000, 3, 2)), &["http://a", "http://é"]));
        assert!(read(&whole).is_ok());
        for end in (1..whole.len()).filter(|end| whole.is_char_boundary(*end)) {
            assert_eq!(read(&whole[..end]), Err(NoList), "{}", &whole[..end]);
        }
        assert_eq!(read(&whole.replace("1000 3 2", "soon 3 2")), Err(NoList));
        assert_eq!(read("9999999999999999999999:api"), Err(NoList));
    }

    #[test]
    fn numbers_that_would_be_no_check_become_some_that_are() {
        let odd = Health { interval_ms: 0, timeout_ms: 0, unhealthy_after: 0, healthy_after: 0, ..health(1000, 1, 1) };
        let read = read(&text("api", &pool(Some(odd), &["http://a"]))).unwrap();
        assert_eq!(read[0].health, Health { timeout_ms: 1, ..health(1000, 1, 1) });
    }

    proptest! {
        #[test]
        fn a_list_is_read_as_it_is_written(
            name in "[a-z-]{1,9}",
            path in "/[ -~]{0,20}",
            body in prop::option::of("(?s).{1,20}"),
            origins in prop::collection::vec("https?://[a-z.]{1,20}(:[0-9]{1,4})?", 0..5),
        ) {
            let health = Health { path, body, ..health(30_000, 3, 2) };
            let urls: Vec<&str> = origins.iter().map(String::as_str).collect();
            let pool = pool(Some(health.clone()), &urls);
            let both = [(&name, &pool), (&name, &pool)];
            let checked = Checked { pool: name.clone(), health, origins: origins.clone() };
            prop_assert_eq!(read(&write(both.into_iter())), Ok(vec![checked.clone(), checked]));
        }
    }
}
