//! What is told of a request: who answers it, and why.

use std::fmt::Write as _;

use http::{HeaderMap, Method};
use serde::Serialize;

/// A request.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Absolute.
    pub url: String,
    /// The method.
    pub method: Method,
    /// What it says.
    pub headers: HeaderMap,
    /// Its body.
    pub data: Option<Vec<u8>>,
    /// Where its client is, if that is known.
    pub country: Option<String>,
}

/// Which rule answers a request, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// What was asked.
    pub method: String,
    /// What was asked.
    pub url: String,
    /// Who answers.
    pub answers: Answers,
    /// Routes for its path that are not for it, in order, up to the one that answers.
    pub passed: Vec<Passed>,
    /// What leads there, and what follows, in order.
    pub steps: Vec<Step>,
}

/// Who answers a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Answers {
    /// It does not pass.
    Refused {
        /// The status of the answer.
        status: u16,
    },
    /// Something of Rimward's own.
    Own,
    /// A redirect: of `[[redirect]]`, of `_redirects`, of a route, or to a page's one URL.
    Redirect {
        /// The status of the answer.
        status: u16,
        /// Where to.
        location: String,
    },
    /// A route.
    Route {
        /// Its path.
        path: String,
        /// Its pool; of several the one of the client that is asked about, if that has a number.
        pool: Option<String>,
        /// What an origin of each pool would be asked.
        asks: Vec<String>,
        /// Under which key what is kept lies, where anything is.
        key: Option<String>,
    },
    /// A preflight that the edge answers for a route.
    Preflight {
        /// Its path.
        path: String,
    },
    /// A file of the release.
    File {
        /// Its URL.
        url: String,
    },
    /// The page that answers navigations to unknown paths.
    Fallback {
        /// Its URL.
        url: String,
    },
    /// Options: what may be asked of a release.
    Options,
    /// Nothing is there.
    Nothing,
}

/// A route that was passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Passed {
    /// Its place among the routes, from 1.
    pub number: usize,
    /// Its path.
    pub path: String,
    /// Why.
    pub why: String,
}

/// A sentence without full stop, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// `address`, `routes`, `pool`.
    pub about: &'static str,
    /// What there is to say.
    pub says: String,
}

impl Explanation {
    /// As a person reads it.
    pub fn text(&self) -> String {
        let mut text = format!("{} {}\n", self.method, self.url);
        let mut last = "";
        for Step { about, says } in &self.steps {
            let label = if *about == last { "" } else { *about };
            writeln!(text, "  {label:<11}{says}").expect("a string takes whatever is written");
            last = about;
        }
        text
    }
}
