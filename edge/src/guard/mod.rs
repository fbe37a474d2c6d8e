//! Who may pass: what is not a sane request for this site is refused before anything else looks at it.

pub mod client;
pub mod request_id;
pub mod secret;
pub mod target;

use http::StatusCode;

use self::target::Target;
use crate::path::BadPath;

/// Paths longer than this are refused: twice the 8 KB that common servers allow.
pub const PATH_LIMIT_BYTES: usize = 16 * 1024;

/// Why a request does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Two `Host` lines arrive so, and so do addresses with a user.
    #[error("the request's address is not a URL of this site")]
    BadUrl,
    /// A spelling that servers read in more than one way.
    #[error("the path is spelled in a way that is not allowed: {0}")]
    BadPath(BadPath),
    /// Past [`PATH_LIMIT_BYTES`].
    #[error("the address is longer than {PATH_LIMIT_BYTES} bytes")]
    TooLong,
    /// Not one of `[site] hosts`.
    #[error("this host is not served here")]
    UnknownHost,
    /// Below `_rimward/`, in any spelling.
    #[error("not found")]
    Private,
    /// `TRACE` echoes what a proxy adds; `CONNECT` is for tunnels.
    #[error("this method is not allowed")]
    BadMethod,
    /// `Connection` names a field that is not the connection's.
    #[error("`Connection` names a field that belongs to the whole way, such as `Host`")]
    BadConnection,
    /// The request went through this site before.
    #[error("the request came back to this site: a pool's origin leads here again")]
    Loop,
}

impl Refusal {
    /// The status that says so.
    pub fn status(self) -> StatusCode {
        match self {
            Refusal::BadUrl | Refusal::BadPath(_) | Refusal::BadConnection => StatusCode::BAD_REQUEST,
            Refusal::TooLong => StatusCode::URI_TOO_LONG,
            Refusal::UnknownHost => StatusCode::MISDIRECTED_REQUEST,
            Refusal::Private => StatusCode::NOT_FOUND,
            Refusal::BadMethod => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::Loop => StatusCode::LOOP_DETECTED,
        }
    }
}

/// Whether a request's target may be asked here. `hosts` empty: any host.
pub fn admit(target: &Target<'_>, hosts: &[String]) -> Result<(), Refusal> {
    if !hosts.is_empty() && !hosts.iter().any(|host| host.eq_ignore_ascii_case(target.host)) {
        return Err(Refusal::UnknownHost);
    }
    if target.is_private() { Err(Refusal::Private) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, hosts: &[&str], expected: Result<(), Refusal>) {
        let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
        assert_eq!(Target::parse(url).and_then(|target| admit(&target, &hosts)), expected, "{url}");
    }

    #[test]
    fn only_named_hosts_are_answered_whatever_port_and_case() {
        let hosts = ["shop.example.com"];
        check("https://shop.example.com/", &hosts, Ok(()));
        check("https://SHOP.example.com:8443/", &hosts, Ok(()));
        check("https://shop.example.com./", &hosts, Ok(()));
        check("https://evil.example.com/", &hosts, Err(Refusal::UnknownHost));
        check("https://shop.example.com.evil.com/", &hosts, Err(Refusal::UnknownHost));
        check("https://anything/", &[], Ok(()));
    }

    #[test]
    fn no_spelling_of_the_private_folder_passes() {
        for path in [
            "/_rimward",
            "/_rimward/",
            "/_rimward/settings.json",
            "/_RimWard/settings.json",
            "/%5frimward/settings.json",
            "/%5Frimw%61rd/settings.json",
            "/%255frimward/settings.json",
            "/%25255frimward/x",
            "//_rimward/x",
            "/shop/_rimward/x",
            "/shop//%5frimward",
        ] {
            check(&format!("https://h{path}"), &[], Err(Refusal::Private));
        }
        for path in [
            "/rimward/x",
            "/_rimwards/x",
            "/x_rimward/",
            "/a?_rimward/x",
            "/.rimward/health",
            "/100%25",
            "/50%25%20off",
            "/%2525_x",
        ] {
            check(&format!("https://h{path}"), &[], Ok(()));
        }
    }
}
