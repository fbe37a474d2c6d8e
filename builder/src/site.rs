//! A running site's own addresses (`/.rimward/…`), as whoever holds the secret of a scope asks them.

use std::fmt;
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Request, Response};
use rimward_edge::guard::secret::Scope;
use serde_json::Value;
use ureq::Body;

use crate::client::{CallError, CertificatesError, Client, SiteUrl};

/// How long one request may take: longer than the edge itself waits for its log.
const WITHIN: Duration = Duration::from_secs(30);

/// How often a request is sent that got no answer, or was told to come again.
const TRIES: u32 = 4;

/// The pause before the second try; it doubles with each further one, unless the site says how long.
const PAUSE: Duration = Duration::from_millis(500);

/// No pause is longer, whatever the site asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A site and the secret of one of its scopes.
pub struct Site {
    client: Client,
    /// The variable that holds the secret, here and in the Worker.
    name: &'static str,
    authorization: HeaderValue,
}

/// Why a site did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// The environment lacks the secret.
    #[error("the environment variable {0} is not set\n  hint: it holds the secret that the Worker has under that name")]
    NoSecret(&'static str),
    /// The environment's secret is none.
    #[error("the environment variable {0} cannot be sent: a secret is of visible ASCII characters")]
    BadSecret(&'static str),
    /// There is nobody to be believed.
    #[error(transparent)]
    Certificates(#[from] CertificatesError),
    /// Nobody answers.
    #[error("{site}: {cause}")]
    NoAnswer {
        /// Where it was asked.
        site: String,
        /// Why.
        cause: CallError,
    },
    /// It has no such address, or no such secret.
    #[error(
        "{site} has nothing at {path}\n  hint: is it a site of Rimward's, and has its Worker the secret {name}, of 16 bytes or more?"
    )]
    Closed {
        /// Where it was asked.
        site: String,
        /// For what.
        path: String,
        /// Of the secret.
        name: &'static str,
    },
    /// It takes another secret.
    #[error("{site} does not take the secret in {name}")]
    Refused {
        /// Where it was asked.
        site: String,
        /// Of the secret.
        name: &'static str,
    },
    /// The request is none.
    #[error("{0}")]
    Bad(String),
    /// It could not do it, or it is none of ours.
    #[error("{site} answered {status}: {why}")]
    Failed {
        /// Where it was asked.
        site: String,
        /// Of the answer.
        status: u16,
        /// In its words.
        why: String,
    },
}

impl fmt::Debug for Site {
    /// The secret stays unsaid.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Site").field("client", &self.client).field("name", &self.name).finish_non_exhaustive()
    }
}

impl Site {
    /// A site with the secret of a scope, which `variable` reads.
    pub fn new(site: SiteUrl, scope: Scope, variable: &dyn Fn(&str) -> Option<String>) -> Result<Site, SiteError> {
        let [name, _] = scope.names();
        let secret = variable(name).filter(|secret| !secret.is_empty()).ok_or(SiteError::NoSecret(name))?;
        if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SiteError::BadSecret(name));
        }
        let authorization = HeaderValue::from_str(&format!("Bearer {secret}"));
        let mut authorization = authorization.map_err(|_| SiteError::BadSecret(name))?;
        authorization.set_sensitive(true);
        Ok(Site { client: Client::new(site, WITHIN, 1)?, name, authorization })
    }

    /// Where it is asked.
    pub fn url(&self) -> &SiteUrl {
        self.client.site()
    }

    /// Reads something.
    pub fn read(&self, path: &str) -> Result<Value, SiteError> {
        self.asked(path, &|| {
            let request = Request::get(format!("{}{path}", self.url())).header(AUTHORIZATION, &self.authorization);
            self.client.send(request.body(()).expect("an address and a field that were checked"))
        })
    }

    /// Does something that may be done twice: it is sent again where no answer comes.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, SiteError> {
        let body = body.to_string();
        self.asked(path, &|| {
            let request = Request::post(format!("{}{path}", self.url()))
                .header(AUTHORIZATION, &self.authorization)
                .header(CONTENT_TYPE, "application/json");
            self.client.send(request.body(body.clone()).expect("an address and fields that were checked"))
        })
    }

    fn asked(&self, path: &str, send: &dyn Fn() -> Result<Response<Body>, CallError>) -> Result<Value, SiteError> {
        let mut pause = PAUSE;
        for _ in 1..TRIES {
            let asked_for = match send() {
                Ok(answer) if may_succeed_later(answer.status().as_u16()) => retry_after(&answer),
                Ok(answer) => return self.said(path, answer),
                Err(_) => None,
            };
            std::thread::sleep(asked_for.unwrap_or(pause).min(LONGEST_PAUSE));
            pause *= 2;
        }
        match send() {
            Ok(answer) => self.said(path, answer),
            Err(cause) => Err(SiteError::NoAnswer { site: self.url().to_string(), cause }),
        }
    }

    fn said(&self, path: &str, mut answer: Response<Body>) -> Result<Value, SiteError> {
        let status = answer.status().as_u16();
        let (site, name) = (self.url().to_string(), self.name);
        let text = match answer.body_mut().read_to_string() {
            Ok(text) => text,
            Err(error) => return Err(SiteError::NoAnswer { site, cause: CallError::from(error) }),
        };
        let value = serde_json::from_str::<Value>(&text).unwrap_or_default();
        let why = || value["detail"].as_str().unwrap_or("it does not say why").to_owned();
        match status {
            200 if !value.is_null() => Ok(value),
            401 => Err(SiteError::Refused { site, name }),
            404 => Err(SiteError::Closed { site, path: path.to_owned(), name }),
            400 | 409 | 413 => Err(SiteError::Bad(why())),
            _ => Err(SiteError::Failed { site, status, why: why() }),
        }
    }
}

fn may_succeed_later(status: u16) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
}

fn retry_after(answer: &Response<Body>) -> Option<Duration> {
    let seconds = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
    seconds.parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_needed_and_stays_unsaid() {
        let site = |secret: Option<&str>| {
            let url = "https://shop.example".parse().unwrap();
            Site::new(url, Scope::Purge, &|name| {
                assert_eq!(name, "RIMWARD_PURGE_SECRET");
                secret.map(str::to_owned)
            })
        };
        assert!(matches!(site(None), Err(SiteError::NoSecret("RIMWARD_PURGE_SECRET"))));
        assert!(matches!(site(Some("")), Err(SiteError::NoSecret(_))));
        for odd in ["line\nfeed", "two words", "é"] {
            assert!(matches!(site(Some(odd)), Err(SiteError::BadSecret(_))), "{odd}");
        }
        let said = format!("{:?}", site(Some("correct-horse-battery")).unwrap());
        assert!(said.contains("RIMWARD_PURGE_SECRET") && !said.contains("horse"), "{said}");
    }
}
