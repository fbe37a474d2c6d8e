//! What tells an origin that a request comes from here, and what tells us that a cookie does.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use super::choice;
use crate::config::{Credential, CredentialKind, Sticky};

/// What is signed of a request to an origin.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'request> {
    /// Its method.
    pub method: &'request str,
    /// The path that the origin is asked for, with the query: without scheme, host, and the prefix that the origin's URL has.
    pub target: &'request str,
    /// Seconds since 1970.
    pub at: u64,
    /// Its body: `Some` of nothing where there is none, `None` where it is a stream, which nobody can sign before it is sent.
    pub body: Option<&'request [u8]>,
}

/// The value of the credential's field.
///
/// For [`CredentialKind::Hmac`] it is `t=SECONDS,body=SHA256,v1=HMAC`, in hexadecimal; the HMAC (RFC 2104) is of the lines
/// `METHOD`, `TARGET`, `SECONDS` and `SHA256`, joined by line feeds. `SHA256` is `unsigned` where the body is a stream.
pub fn value(credential: &Credential, secret: &str, signed: &Signed<'_>) -> String {
    let Signed { method, target, at, body } = *signed;
    match credential.kind {
        CredentialKind::Secret => secret.to_owned(),
        CredentialKind::Hmac => {
            let body = body.map_or_else(|| "unsigned".to_owned(), |body| hexadecimal(&Sha256::digest(body)));
            let tag = hexadecimal(&tag(secret, &format!("{method}\n{target}\n{at}\n{body}")));
            format!("t={at},body={body},v1={tag}")
        }
    }
}

/// What the cookie of a client says that stays with an origin. Nobody can make one for an origin of his choice.
pub fn cookie(sticky: &Sticky, secret: &str, origin_url: &str) -> String {
    let name = choice::hash(origin_url.as_bytes());
    let tag = tag(secret, &format!("{}\n{name:016x}", sticky.cookie));
    format!("{name:016x}.{}", hexadecimal(&tag[..16]))
}

/// Which of the origins a client's cookie names.
pub fn stays_with<'urls>(
    sticky: &Sticky,
    secret: &str,
    said: &str,
    mut urls: impl Iterator<Item = &'urls str>,
) -> Option<usize> {
    let (name, said_tag) = said.split_once('.')?;
    let is_it = |url: &str| format!("{:016x}", choice::hash(url.as_bytes())) == name;
    let place = urls.position(is_it)?;
    let expected = hexadecimal(&tag(secret, &format!("{}\n{name}", sticky.cookie))[..16]);
    is_equal(expected.as_bytes(), said_tag.as_bytes()).then_some(place)
}

fn tag(secret: &str, text: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("keys of any length are taken");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

/// How long it takes tells nothing of where they differ.
fn is_equal(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |differing, (one, other)| differing | one ^ other) == 0
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(kind: CredentialKind) -> Credential {
        Credential { kind, header: "x-rimward-signature".to_owned(), secret: "API_SECRET".to_owned() }
    }

    const GET: Signed<'_> = Signed { method: "GET", target: "/api/a?b=1", at: 1_700_000_000, body: Some(b"") };

    /// By another implementation: `printf 'GET\n/api/a?b=1\n1700000000\n%s' "$(printf '' | sha256sum | cut -c-64)" | openssl dgst -sha256
    /// -hmac 'a secret of the origin'`.
    #[test]
    fn a_signature_is_what_others_make_of_the_same() {
        let value = value(&credential(CredentialKind::Hmac), "a secret of the origin", &GET);
        let (head, tag) = value.split_once(",v1=").unwrap();
        assert_eq!(head, "t=1700000000,body=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(tag, "294d772f02bf9c0343d764b928d5490865e65f35d04c2b7bb8d724193a6c611e");
    }

    #[test]
    fn everything_that_is_signed_counts() {
        let of = |signed: &Signed<'_>| value(&credential(CredentialKind::Hmac), "a secret", signed);
        let all = [
            of(&GET),
            of(&Signed { method: "PUT", ..GET }),
            of(&Signed { target: "/api/a?b=2", ..GET }),
            of(&Signed { at: 1_700_000_001, ..GET }),
            of(&Signed { body: Some(b"x"), ..GET }),
            of(&Signed { body: None, ..GET }),
            value(&credential(CredentialKind::Hmac), "another secret", &GET),
        ];
        let tags: std::collections::BTreeSet<&str> =
            all.iter().map(|value| value.split_once("v1=").unwrap().1).collect();
        assert_eq!(tags.len(), all.len(), "{all:?}");
        assert!(all[5].contains("body=unsigned"));
    }

    #[test]
    fn a_secret_is_sent_as_it_is() {
        assert_eq!(value(&credential(CredentialKind::Secret), "open sesame", &GET), "open sesame");
    }

    #[test]
    fn a_cookie_names_an_origin_and_cannot_be_made_up() {
        let sticky = Sticky { cookie: "rimward-api".to_owned(), max_age_s: None, secret: "KEY".to_owned() };
        let urls = ["https://a.example", "https://b.example"];
        let of = |said: &str| stays_with(&sticky, "secret", said, urls.into_iter());
        let made = cookie(&sticky, "secret", urls[1]);
        assert_eq!(of(&made), Some(1));
        let other_pool = Sticky { cookie: "rimward-web".to_owned(), ..sticky.clone() };
        for forged in [
            String::new(),
            "1".to_owned(),
            made.replace('.', ""),
            made[..made.len() - 1].to_owned(),
            format!("{made}0"),
            cookie(&sticky, "guess", urls[1]),
            cookie(&other_pool, "secret", urls[1]),
            cookie(&sticky, "secret", "https://c.example"),
        ] {
            assert_eq!(of(&forged), None, "{forged}");
        }
    }
}
