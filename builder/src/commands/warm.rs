//! `rimward warm`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http::header::ACCEPT_ENCODING;
use serde_json::{Value, json};
use url::Url;

use super::running::interruptions;
use super::{Ended, Talk, findings_json, plan_of, site_of};
use crate::cli::WarmArgs;
use crate::client::{Client, SiteUrl};
use crate::config::Plan;
use crate::diagnostic::{Diagnostic, Severity};
use crate::fs::Real;
use crate::publish;
use crate::warm::{self, Pace, SITEMAP_LIMIT_BYTES, Sources, Summary, VISIT_LIMIT, Visit, Wall, Wanted};

/// Largest list: as many URLs as may be asked for, of 64 characters each.
const LIST_LIMIT_BYTES: usize = 64 * 1024 * 1024;

/// Warms, and says what came of it.
pub fn run(args: &WarmArgs) -> Ended {
    let talk = Talk::new();
    let (plan, mut findings) = match plan_of(&talk, &args.project, 0) {
        Ok(planned) => planned,
        Err(ended) => return ended,
    };
    let warmed = match warm(args, &plan, &talk, &mut findings) {
        Ok(warmed) => warmed,
        Err(why) => {
            talk.findings(&findings);
            talk.error(why);
            return Ended::Trouble;
        }
    };
    tell(args, &talk, &warmed, &findings);
    warmed.ended(&findings)
}

/// What was asked of whom, and what came of it.
struct Warmed {
    site: SiteUrl,
    urls: usize,
    requests: usize,
    summary: Summary,
    /// Whether it was ended before everything was answered.
    interrupted: bool,
}

impl Warmed {
    fn ended(&self, findings: &[Diagnostic]) -> Ended {
        let wrong = findings.iter().any(|finding| finding.severity == Severity::Error);
        let Summary { requests, failed, unreachable, .. } = self.summary;
        match (requests > 0 && unreachable == requests) || self.interrupted {
            true => Ended::Trouble,
            false if failed > 0 || wrong => Ended::Errors,
            false => Ended::Done,
        }
    }
}

fn warm(args: &WarmArgs, plan: &Plan, talk: &Talk, findings: &mut Vec<Diagnostic>) -> Result<Warmed, String> {
    let site = site_of(args.to.as_ref(), plan)?;
    let timeout = Duration::from_secs(args.timeout.into());
    let concurrency = usize::from(args.concurrency);
    let client = Client::new(site.clone(), timeout, concurrency).map_err(|error| error.to_string())?;
    let interruptions = interruptions().map_err(|error| format!("could not listen for Ctrl-C: {error}"))?;
    let (wanted, found) = gather(args, plan, &client)?;
    findings.extend(found);
    let visits = warm::visits(&wanted, plan.settings_file.chosen(), &args.encodings).ok_or_else(|| {
        format!("{} URLs would make more than {VISIT_LIMIT} requests: name fewer, or fewer --encodings", wanted.len())
    })?;
    talk.findings(findings);
    talk.say(format!("asking {site} for {} URLs, in {} requests", wanted.len(), visits.len()));
    let mut warmed =
        Warmed { site, urls: wanted.len(), requests: visits.len(), summary: Summary::default(), interrupted: false };
    talk.count_to(visits.len());
    warmed.interrupted = !warm::run(
        visits,
        &client,
        concurrency,
        (Pace::new(Some(args.rate)), Arc::new(Wall::start())),
        &|| interruptions.try_recv().is_ok(),
        &mut |visit: &Visit, outcome| {
            warmed.summary.add(visit, outcome);
            talk.count();
        },
    );
    Ok(warmed)
}

/// Everything that is to be asked for, and what was wrong with where it was named.
fn gather(args: &WarmArgs, plan: &Plan, client: &Client) -> Result<(Vec<Wanted>, Vec<Diagnostic>), String> {
    let mut sources = Sources::new(client.site().clone(), &plan.hosts);
    for path in &args.list {
        add_list(&mut sources, path);
    }
    for sitemap in &args.sitemap {
        add_sitemap(&mut sources, sitemap, client);
    }
    if args.release || (args.list.is_empty() && args.sitemap.is_empty()) {
        let earlier = publish::earlier(&Real, &plan.output).map_err(|error| error.to_string())?;
        let current = earlier.current_id().zip(earlier.current());
        let none = || format!("there is no release in `{}`\nhint: make one with `rimward build`", plan.settings.output);
        let (id, manifest) = current.ok_or_else(none)?;
        sources.add_release(id, manifest);
    }
    Ok(sources.finish())
}

fn add_list(sources: &mut Sources, path: &Path) {
    let is_standard_input = path == Path::new("-");
    let called = if is_standard_input { "standard input".to_owned() } else { path.display().to_string() };
    let bytes = match is_standard_input {
        true => bounded(&mut io::stdin().lock(), LIST_LIMIT_BYTES),
        false => File::open(path).and_then(|mut file| bounded(&mut file, LIST_LIMIT_BYTES)),
    };
    match bytes.map(String::from_utf8) {
        Ok(Ok(text)) => sources.add_list(&called, &text),
        Ok(Err(_)) => sources.unreadable(&called, "it is not UTF-8", "a list is text: a URL or a path on each line"),
        Err(error) => sources.unreadable(&called, format!("could not read it: {error}"), "name a list that is there"),
    }
}

fn add_sitemap(sources: &mut Sources, named: &str, client: &Client) {
    let fetch = |url: &Url| fetch(client, url);
    let is_url = named.starts_with("http://") || named.starts_with("https://");
    let read = match (is_url, sources.sitemap_url(named)) {
        (true, Some(url)) => fetch(&url),
        (true, None) => Err(format!("it is not of {}, which alone is asked", client.site())),
        (false, _) => File::open(named)
            .and_then(|mut file| bounded(&mut file, SITEMAP_LIMIT_BYTES))
            .map_err(|error| format!("could not read it: {error}")),
    };
    match read {
        Ok(bytes) => sources.add_sitemap(named, bytes, &fetch),
        Err(why) => sources.unreadable(named, why, "name a sitemap that is there: a file, or a URL of the site"),
    }
}

/// A whole sitemap of the site.
fn fetch(client: &Client, url: &Url) -> Result<Vec<u8>, String> {
    let request = Request::get(url.as_str()).header(ACCEPT_ENCODING, "identity").body(());
    let request = request.map_err(|error| error.to_string())?;
    let mut response = client.send(request).map_err(|error| format!("it {error}"))?;
    match response.status().as_u16() {
        200 => bounded(&mut response.body_mut().as_reader(), SITEMAP_LIMIT_BYTES)
            .map_err(|error| format!("could not read it: {error}")),
        status => Err(format!("it answered {status}")),
    }
}

fn bounded(reader: &mut dyn Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(limit as u64 + 1).read_to_end(&mut bytes)?;
    let too_large = || io::Error::other(format!("it is larger than {} MiB", limit / 1024 / 1024));
    if bytes.len() > limit { Err(too_large()) } else { Ok(bytes) }
}

fn tell(args: &WarmArgs, talk: &Talk, warmed: &Warmed, findings: &[Diagnostic]) {
    let Warmed { site, requests, summary, interrupted, .. } = warmed;
    for failure in &summary.failures {
        let fields = failure.fields.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>();
        talk.say(format!("{} {} ({})", failure.url, failure.why, fields.join("; ")));
    }
    if summary.failed > summary.failures.len() {
        talk.say(format!("and {} more", summary.failed - summary.failures.len()));
    }
    match args.json {
        true => println!("{:#}", output(warmed, findings)),
        false => print!("{}", summary.table()),
    }
    if *interrupted {
        talk.error(format!("ended before everything was asked for: {} of {requests} requests", summary.requests));
    } else if summary.requests > 0 && summary.unreachable == summary.requests {
        talk.error(format!("{site} could not be reached"));
    }
}

/// What `--json` prints. Fields are only ever added.
fn output(warmed: &Warmed, findings: &[Diagnostic]) -> Value {
    let Warmed { site, urls, requests, summary, interrupted } = warmed;
    json!({
        "to": site.to_string(),
        "urls": urls,
        "planned": requests,
        "interrupted": interrupted,
        "requests": summary.requests,
        "status": summary.status,
        "cache": summary.cache,
        "bytes": summary.bytes,
        "milliseconds": summary.times(),
        "failed": summary.failed,
        "failures": summary.failures,
        "findings": findings_json(findings),
    })
}
