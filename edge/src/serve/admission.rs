//! Who may use the edge's own addresses: looks the secrets up, and listens no more to whoever guesses.

use http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};

use super::ours::{self, Cause};
use super::site::Site;
use super::visit::Visit;
use crate::answer::Answer;
use crate::guard::client;
use crate::guard::secret::{self, Pass, Scope};
use crate::platform::{Platform, Request};

/// The answer to a request that does not hold the secret of a scope; `None`: it does.
pub(super) fn turned_away<P, R>(visit: &Visit<'_, P, R>, site: &Site, scope: Scope) -> Option<Answer<P::Body>>
where
    P: Platform,
    R: Request<Body = P::Body>,
{
    let secrets = scope.names().map(|name| visit.platform.variable(name));
    if secrets.iter().flatten().any(|secret| !secret.is_empty() && secret.len() < secret::SECRET_BYTES) {
        let names = scope.names().join("`, `");
        visit.log(&format!("a secret (`{names}`) is shorter than {} bytes: it counts as none", secret::SECRET_BYTES));
    }
    let pass = secret::check(visit.request.header(AUTHORIZATION.as_str()).as_deref(), &secrets);
    if pass == Pass::Closed {
        return Some(ours::error(visit, Cause::NotFound));
    }
    let now = visit.platform.now();
    let field = |name: &str| visit.request.header(name);
    let client = client::identify(&site.client_address, visit.request.peer_address().as_deref(), &field).address;
    // Whoever guesses too often is not told when one guess is right.
    let muted = visit.isolate.failures.borrow().muted(client, now);
    if let Some(left) = muted {
        let sentence = "Too many requests without the right secret.";
        let mut answer = ours::problem(visit, StatusCode::TOO_MANY_REQUESTS, "secret", sentence);
        answer.headers.insert(RETRY_AFTER, HeaderValue::from(left.as_secs() + 1));
        return Some(answer);
    }
    if pass == Pass::Granted {
        return None;
    }
    visit.isolate.failures.borrow_mut().count(client, now);
    visit.log("refused: no secret, or not the right one");
    let sentence = "`Authorization` does not hold the secret.";
    let mut answer = ours::problem(visit, StatusCode::UNAUTHORIZED, "secret", sentence);
    answer.headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"rimward\""));
    Some(answer)
}
