//! `rimward route explain`: which rule answers a request, and why. Nothing is asked of anybody.

mod explain;
mod explanation;

use std::path::Path;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use rimward_edge::release::table::Release;

use super::{Ended, Talk, Trouble, ended, plan_of, site_of};
use crate::cli::{ExplainArgs, RouteArgs, RouteCommand};
use crate::config::Plan;
use crate::fs::{Files, Real};
use crate::publish;

pub use self::explain::explain;
pub use self::explanation::{Answers, Asked, Explanation, Passed, Step};

/// Explains.
pub fn run(args: &RouteArgs) -> Ended {
    let talk = Talk::new();
    let RouteCommand::Explain(args) = &args.command;
    let (plan, findings) = match plan_of(&talk, &args.project, 0) {
        Ok(planned) => planned,
        Err(ended) => return ended,
    };
    talk.findings(&findings);
    let done = explained(args, &plan).map(|explanation| {
        match args.json {
            true => println!("{:#}", serde_json::json!(explanation)),
            false => print!("{}", explanation.text()),
        }
        Ended::Done
    });
    ended(&talk, done)
}

fn explained(args: &ExplainArgs, plan: &Plan) -> Result<Explanation, Trouble> {
    let earlier = publish::earlier(&Real, &plan.output).map_err(|error| Trouble::Environment(error.to_string()))?;
    let release =
        earlier.current_id().zip(earlier.current()).map(|(id, manifest)| (Release::current(id, manifest), manifest));
    let olds = earlier.releases().filter(|(id, _)| Some(*id) != earlier.current_id());
    let olds: Vec<Release> = olds.map(|(id, manifest)| Release::earlier(id, manifest)).collect();
    let url = match args.url.strip_prefix('/') {
        // A path is of the site, wherever that is.
        Some(_) => {
            let site = site_of(None, plan).map_or_else(|_| "https://localhost".to_owned(), |site| site.to_string());
            format!("{}{}", site.trim_end_matches('/'), args.url)
        }
        None => args.url.clone(),
    };
    let asked = Asked {
        url,
        method: method(args.method.as_deref().unwrap_or(if args.data.is_some() { "POST" } else { "GET" }))?,
        headers: headers(&args.header)?,
        data: args.data.as_deref().map(data).transpose()?,
        country: args.country.as_ref().map(|country| country.to_ascii_uppercase()),
    };
    let redirects = release.as_ref().map_or(&[][..], |(_, manifest)| manifest.redirects.as_slice());
    let release = release.as_ref().map(|(release, _)| release);
    Ok(explain(plan.settings_file.chosen(), release, &olds, redirects, &asked))
}

fn method(text: &str) -> Result<Method, Trouble> {
    // Methods have a case; nobody means another one.
    let upper = text.to_ascii_uppercase();
    upper.parse().map_err(|_| Trouble::Environment(format!("`--method {text}` is no method")))
}

fn data(text: &str) -> Result<Vec<u8>, Trouble> {
    let Some(path) = text.strip_prefix('@') else { return Ok(text.into()) };
    Real.read(Path::new(path)).map_err(|error| Trouble::Environment(format!("`--data {text}` cannot be read: {error}")))
}

fn headers(lines: &[String]) -> Result<HeaderMap, Trouble> {
    let mut headers = HeaderMap::new();
    for line in lines {
        let parsed = line.split_once(':').and_then(|(name, value)| {
            let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
            Some((name, HeaderValue::from_str(value.trim()).ok()?))
        });
        let wrong = || Trouble::Environment(format!("`--header {line}` is not of the form \"name: value\""));
        let (name, value) = parsed.ok_or_else(wrong)?;
        headers.append(name, value);
    }
    Ok(headers)
}
