//! The HTTP client of the commands that talk to a running edge: whom it asks, as whom, for how long.
//!
//! It asks one site, never follows a redirect, and hands bodies over as they are sent.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use http::header::USER_AGENT;
use http::{HeaderValue, Request, Response};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{AsSendBody, Body};
use url::Url;

/// Names a file of certificates (PEM) to be believed instead of those of Mozilla, as for OpenSSL and curl.
pub const CERTIFICATES_VARIABLE: &str = "SSL_CERT_FILE";

/// Where a site is reached: scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteUrl(Url);

/// Why a text does not say where a site is reached.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SiteUrlError {
    /// Or not one of http.
    #[error("it must be a URL of https or http, for example https://shop.example.com")]
    NotHttp,
    /// Secrets in command lines are seen by everyone on the machine.
    #[error("it must not hold a user or a password")]
    Credentials,
    /// The settings say which paths there are.
    #[error("it must be scheme, host and port alone: {0}")]
    MoreThanOrigin(String),
}

impl SiteUrl {
    /// A path of the site; `None` for what is no path that begins with one slash.
    pub fn join(&self, path: &str) -> Option<Url> {
        let is_path = path.starts_with('/') && !path.starts_with("//") && !path.contains('\\');
        let joined = is_path.then(|| self.0.join(path).ok())??;
        self.holds(&joined).then_some(joined)
    }

    /// Whether a URL is of this very site.
    pub fn holds(&self, url: &Url) -> bool {
        url.origin() == self.0.origin()
    }

    /// Its host.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }
}

impl FromStr for SiteUrl {
    type Err = SiteUrlError;

    fn from_str(text: &str) -> Result<SiteUrl, SiteUrlError> {
        let url = Url::parse(text).map_err(|_| SiteUrlError::NotHttp)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(SiteUrlError::NotHttp);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(SiteUrlError::Credentials);
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(SiteUrlError::MoreThanOrigin(url.origin().ascii_serialization()));
        }
        Ok(SiteUrl(url))
    }
}

impl fmt::Display for SiteUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

/// Asks one site.
#[derive(Debug, Clone)]
pub struct Client {
    agent: ureq::Agent,
    site: SiteUrl,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
#[error("could not read the certificates that {CERTIFICATES_VARIABLE} names: {0}")]
pub struct CertificatesError(String);

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Nothing was sent: no address, no connection, no trust.
    #[error("could not be reached: {0}")]
    Unreachable(String),
    /// Not within the time that it was given.
    #[error("no answer in time")]
    TimedOut,
    /// It broke off, or was no HTTP.
    #[error("the answer broke off: {0}")]
    Broken(String),
}

impl Client {
    /// `timeout` is for a whole answer, `connections` is how many requests there will be at once.
    pub fn new(site: SiteUrl, timeout: Duration, connections: usize) -> Result<Client, CertificatesError> {
        let config = ureq::Agent::config_builder()
            .tls_config(TlsConfig::builder().root_certs(certificates()?).build())
            .timeout_global(Some(timeout))
            .max_idle_connections(connections)
            .max_idle_connections_per_host(connections)
            .max_redirects(0)
            .http_status_as_error(false)
            // What a request accepts is its own matter.
            .accept("")
            .accept_encoding("");
        Ok(Client { agent: config.build().new_agent(), site })
    }

    /// The site that is asked.
    pub fn site(&self) -> &SiteUrl {
        &self.site
    }

    /// Sends a request and waits for the head of its answer, whatever its status.
    pub fn send(&self, mut request: Request<impl AsSendBody>) -> Result<Response<Body>, CallError> {
        let uri = request.uri().to_string();
        if !Url::parse(&uri).is_ok_and(|url| self.site.holds(&url)) {
            return Err(CallError::Unreachable(format!("{uri} is not of {}", self.site)));
        }
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(USER_AGENT_VALUE));
        self.agent.run(request).map_err(before_head)
    }
}

/// Before the head of an answer all trouble is on the way there, but where a connection was there and ended.
fn before_head(error: ureq::Error) -> CallError {
    use std::io::ErrorKind as Kind;
    let ended =
        |kind| matches!(kind, Kind::UnexpectedEof | Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe);
    match error {
        ureq::Error::Io(error) if !ended(error.kind()) => match CallError::from(error) {
            CallError::Broken(why) => CallError::Unreachable(why),
            error => error,
        },
        error => CallError::from(error),
    }
}

const USER_AGENT_VALUE: &str = concat!("rimward/", env!("CARGO_PKG_VERSION"));

fn certificates() -> Result<RootCerts, CertificatesError> {
    let Some(path) = std::env::var_os(CERTIFICATES_VARIABLE).filter(|path| !path.is_empty()) else {
        return Ok(RootCerts::WebPki);
    };
    let pem = std::fs::read(path).map_err(|error| CertificatesError(error.to_string()))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&pem) {
        match item {
            Ok(PemItem::Certificate(certificate)) => certificates.push(certificate),
            Ok(_) => {}
            Err(error) => return Err(CertificatesError(error.to_string())),
        }
    }
    match certificates.is_empty() {
        true => Err(CertificatesError("there is none in it".to_owned())),
        false => Ok(RootCerts::Specific(Arc::new(certificates))),
    }
}

impl From<ureq::Error> for CallError {
    fn from(error: ureq::Error) -> CallError {
        match error {
            ureq::Error::Timeout(_) => CallError::TimedOut,
            ureq::Error::HostNotFound => CallError::Unreachable("its host name has no address".to_owned()),
            ureq::Error::Io(error) => CallError::from(error),
            error @ (ureq::Error::ConnectionFailed
            | ureq::Error::ConnectProxyFailed(_)
            | ureq::Error::InvalidProxyUrl
            | ureq::Error::Rustls(_)
            | ureq::Error::Tls(_)
            | ureq::Error::TlsRequired) => CallError::Unreachable(error.to_string()),
            error => CallError::Broken(error.to_string()),
        }
    }
}

impl From<std::io::Error> for CallError {
    fn from(error: std::io::Error) -> CallError {
        use std::io::ErrorKind as Kind;
        // What ends a body early comes as an error of the reader, wrapped.
        match error.downcast::<ureq::Error>() {
            Ok(error) => CallError::from(error),
            Err(error) => match error.kind() {
                Kind::TimedOut | Kind::WouldBlock => CallError::TimedOut,
                Kind::ConnectionRefused | Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown => {
                    CallError::Unreachable(error.to_string())
                }
                // A handshake that fails says so as invalid data.
                Kind::InvalidData if error.get_ref().is_some_and(|inner| inner.to_string().contains("certificate")) => {
                    CallError::Unreachable(error.to_string())
                }
                _ => CallError::Broken(error.to_string()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_scheme_host_and_port() {
        for (text, expected) in [
            ("https://shop.example.com", "https://shop.example.com"),
            ("https://Shop.example.com:443/", "https://shop.example.com"),
            ("http://localhost:8787/", "http://localhost:8787"),
            ("http://[::1]:8787", "http://[::1]:8787"),
        ] {
            assert_eq!(text.parse::<SiteUrl>().map(|site| site.to_string()).as_deref(), Ok(expected), "{text}");
        }
        for (text, expected) in [
            ("shop.example.com", SiteUrlError::NotHttp),
            ("ftp://shop.example.com", SiteUrlError::NotHttp),
            ("data:x", SiteUrlError::NotHttp),
            ("https://a:b@shop.example.com", SiteUrlError::Credentials),
            ("https://e.example/shop/", SiteUrlError::MoreThanOrigin("https://e.example".to_owned())),
            ("https://e.example/?x", SiteUrlError::MoreThanOrigin("https://e.example".to_owned())),
        ] {
            assert_eq!(text.parse::<SiteUrl>(), Err(expected), "{text}");
        }
    }

    #[test]
    fn no_path_leads_to_another_site() {
        let site: SiteUrl = "https://e.example".parse().unwrap();
        assert_eq!(site.join("/a?b=1").unwrap().as_str(), "https://e.example/a?b=1");
        for path in ["", "a", "//other.example/a", "/\\other.example/a", "https://other.example/", "\\\\other.example"]
        {
            assert_eq!(site.join(path), None, "{path}");
        }
        assert!(site.holds(&Url::parse("https://e.example:443/x").unwrap()));
        for other in ["http://e.example/", "https://e.example:444/", "https://e.example.evil.example/", "https://e/"] {
            assert!(!site.holds(&Url::parse(other).unwrap()), "{other}");
        }
    }

    #[test]
    fn a_host_that_has_no_address_is_not_reached() {
        // A label of more than 63 letters is no name: nobody is asked for it.
        let site = format!("http://{}.example", "a".repeat(64));
        let client = Client::new(site.parse().unwrap(), Duration::from_secs(10), 1).unwrap();
        let sent = client.send(Request::get(&site).body(()).unwrap());
        assert!(matches!(sent, Err(CallError::Unreachable(_))), "{:?}", sent.err());
    }

    #[test]
    fn a_request_to_another_site_is_not_sent() {
        let client = Client::new("http://127.0.0.1:1".parse().unwrap(), Duration::from_secs(1), 1).unwrap();
        let sent = client.send(Request::get("http://127.0.0.1:2/").body(()).unwrap());
        let expected = "http://127.0.0.1:2/ is not of http://127.0.0.1:1".to_owned();
        assert_eq!(sent.err(), Some(CallError::Unreachable(expected)));
    }
}
