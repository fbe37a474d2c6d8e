//! Where the URLs come from: a release's manifest, sitemaps, lists. Only URLs of the site are ever wanted.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};

use rimward_edge::release::manifest::Manifest;
use rimward_edge::release::table::Release;
use url::Url;

use super::sitemap::{Sitemap, parse_sitemap, unpack};
use super::visits::{AskedAs, Wanted};
use crate::client::SiteUrl;
use crate::diagnostic::Diagnostic;

/// Longest line of a list, and longest URL of all.
const URL_LIMIT_BYTES: usize = 8 * 1024;
/// Most sitemaps of one run: an index may name 50,000, of 50,000 URLs each.
const SITEMAPS_LIMIT: usize = 1_000;
/// Findings of one list that are shown.
const SHOWN_LIMIT: usize = 10;

/// Gathers URLs of a site, each once.
#[derive(Debug)]
pub struct Sources {
    site: SiteUrl,
    /// Other hosts at which the same site is known: its URLs are asked of [`Sources::site`].
    hosts: Vec<String>,
    wanted: Vec<Wanted>,
    seen: HashSet<String>,
    findings: Vec<Diagnostic>,
}

/// What a text says that should be a URL of the site.
#[derive(Debug, PartialEq, Eq)]
enum Adopted {
    Ours(Url),
    /// Of this host.
    Elsewhere(String),
    /// Why it is no URL.
    Wrong(&'static str),
}

impl Sources {
    /// Nothing yet. `hosts` are names of the same site.
    pub fn new(site: SiteUrl, hosts: &[String]) -> Sources {
        Sources { site, hosts: hosts.to_vec(), wanted: Vec::new(), seen: HashSet::new(), findings: Vec::new() }
    }

    /// What was gathered, in the order in which it was named, and what was wrong.
    pub fn finish(self) -> (Vec<Wanted>, Vec<Diagnostic>) {
        (self.wanted, self.findings)
    }

    /// Something that could not be read.
    pub fn unreadable(&mut self, called: &str, why: impl Into<String>, hint: &str) {
        self.findings.push(Diagnostic::error(called, "unreadable", why).hint(hint));
    }

    /// Every document and every asset of a release, pages first: they are what visitors ask for first.
    pub fn add_release(&mut self, id: &str, manifest: &Manifest) {
        let release = Release::current(id, manifest);
        let documents = manifest.documents.keys().map(|path| (path.as_str(), AskedAs::Page));
        let assets = manifest.assets.values().map(|asset| (asset.path.as_str(), AskedAs::Part));
        for (path, asked_as) in documents.chain(assets) {
            let url = release.document(path).and_then(|file| self.site.join(&file.url));
            if let Some(url) = url {
                self.want(url, asked_as);
            }
        }
    }

    /// A list: a URL or a path on each line; `#` begins a comment.
    pub fn add_list(&mut self, called: &str, text: &str) {
        let mut elsewhere = BTreeMap::new();
        let mut wrong = 0_usize;
        let mut offset = 0;
        for line in text.split_inclusive('\n') {
            let start = offset;
            offset += line.len();
            let written = line.trim_start_matches('\u{feff}').trim();
            if written.is_empty() || written.starts_with('#') {
                continue;
            }
            match self.adopt(written) {
                Adopted::Ours(url) => self.want(url, AskedAs::Page),
                Adopted::Elsewhere(host) => *elsewhere.entry(host).or_insert(0) += 1,
                Adopted::Wrong(why) => {
                    wrong += 1;
                    if wrong <= SHOWN_LIMIT {
                        let finding = Diagnostic::error(called, "wrong-url", why).over(text, start..offset);
                        self.findings
                            .push(finding.hint("each line is a URL of the site, or a path that begins with `/`"));
                    }
                }
            }
        }
        if wrong > SHOWN_LIMIT {
            let more = format!("{} more lines are no URLs", wrong - SHOWN_LIMIT);
            self.findings.push(Diagnostic::error(called, "wrong-url", more).hint("is it a list of URLs?"));
        }
        self.report_elsewhere(called, &elsewhere);
    }

    /// A sitemap, or an index of sitemaps, which are fetched if they are of the site.
    pub fn add_sitemap(&mut self, called: &str, bytes: Vec<u8>, fetch: &dyn Fn(&Url) -> Result<Vec<u8>, String>) {
        let mut waiting = match self.read_sitemap(called, bytes) {
            Some(Sitemap::Index(listed)) => self.sitemaps_of(called, &listed),
            Some(Sitemap::Pages(_)) | None => VecDeque::new(),
        };
        while let Some(url) = waiting.pop_front() {
            let called = url.as_str();
            let read = match fetch(&url) {
                Ok(bytes) => self.read_sitemap(called, bytes),
                Err(why) => {
                    self.unreadable(called, why, "an index names it: is it where the site is?");
                    None
                }
            };
            if let Some(Sitemap::Index(_)) = read {
                let finding = Diagnostic::error(called, "wrong-sitemap", "it is an index, and an index names it");
                self.findings.push(finding.hint("indexes do not nest: name it by --sitemap itself"));
            }
        }
    }

    /// The URL of a sitemap, where it is of the site.
    pub fn sitemap_url(&self, text: &str) -> Option<Url> {
        match self.adopt(text) {
            Adopted::Ours(url) => Some(url),
            Adopted::Elsewhere(_) | Adopted::Wrong(_) => None,
        }
    }

    /// Wants the pages of a sitemap; an index is for the caller.
    fn read_sitemap(&mut self, called: &str, bytes: Vec<u8>) -> Option<Sitemap> {
        let sitemap = match unpack(bytes).and_then(|bytes| parse_sitemap(&bytes)) {
            Ok(sitemap) => sitemap,
            Err(error) => {
                let finding = Diagnostic::error(called, "wrong-sitemap", format!("this is no sitemap: {error}"));
                self.findings
                    .push(finding.hint("a sitemap is XML with `urlset` or `sitemapindex`, perhaps packed by gzip"));
                return None;
            }
        };
        if let Sitemap::Pages(pages) = &sitemap {
            for url in self.adopt_listed(called, pages) {
                self.want(url, AskedAs::Page);
            }
        }
        Some(sitemap)
    }

    fn sitemaps_of(&mut self, called: &str, listed: &[String]) -> VecDeque<Url> {
        let mut sitemaps: VecDeque<Url> = self.adopt_listed(called, listed).into();
        let mut seen = BTreeSet::new();
        sitemaps.retain(|url| seen.insert(url.to_string()));
        if sitemaps.len() > SITEMAPS_LIMIT {
            let text = format!("it names {} sitemaps: the first {SITEMAPS_LIMIT} are read", sitemaps.len());
            let finding = Diagnostic::error(called, "too-many", text);
            self.findings.push(finding.hint("name the others by --sitemap, in further runs"));
            sitemaps.truncate(SITEMAPS_LIMIT);
        }
        sitemaps
    }

    /// Those of a sitemap's URLs that are of the site; what is wrong with the others is reported.
    fn adopt_listed(&mut self, called: &str, listed: &[String]) -> Vec<Url> {
        let mut elsewhere = BTreeMap::new();
        let mut wrong: Vec<&str> = Vec::new();
        let mut ours = Vec::new();
        for text in listed {
            match self.adopt(text) {
                Adopted::Ours(url) => ours.push(url),
                Adopted::Elsewhere(host) => *elsewhere.entry(host).or_insert(0) += 1,
                Adopted::Wrong(_) => wrong.push(text),
            }
        }
        if let Some(first) = wrong.first() {
            let text = format!("it lists what is no URL, {} in all: {:?} is the first", wrong.len(), shortened(first));
            self.findings.push(
                Diagnostic::error(called, "wrong-url", text).hint("each is a whole URL: https://shop.example.com/"),
            );
        }
        self.report_elsewhere(called, &elsewhere);
        ours
    }

    fn report_elsewhere(&mut self, called: &str, elsewhere: &BTreeMap<String, usize>) {
        let Some((host, _)) = elsewhere.iter().max_by_key(|(_, count)| **count) else { return };
        let count: usize = elsewhere.values().sum();
        let others = match elsewhere.len() - 1 {
            0 => String::new(),
            1 => " and one other".to_owned(),
            others => format!(" and {others} others"),
        };
        let text = format!("URLs of other hosts are left out, {count} in all: `{}`{others}", shortened(host));
        let hint = format!("only {} is asked; `hosts` of `[site]` names the hosts of the same site", self.site);
        self.findings.push(Diagnostic::warning(called, "other-host", text).hint(hint));
    }

    fn adopt(&self, text: &str) -> Adopted {
        if text.len() > URL_LIMIT_BYTES {
            return Adopted::Wrong("this is too long for a URL");
        }
        if text.chars().any(char::is_whitespace) {
            return Adopted::Wrong("this is no URL: it holds spaces");
        }
        if text.starts_with('/') && !text.starts_with("//") {
            return self
                .site
                .join(text)
                .map_or(Adopted::Wrong("this is no path"), |url| Adopted::Ours(without_fragment(url)));
        }
        match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => self.adopt_url(&url),
            _ => Adopted::Wrong("this is no URL"),
        }
    }

    fn adopt_url(&self, url: &Url) -> Adopted {
        let host = url.host_str().unwrap_or_default();
        if !self.site.holds(url) && !self.hosts.iter().any(|own| own == host) {
            return Adopted::Elsewhere(url.origin().ascii_serialization());
        }
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        match self.site.join(&format!("{}{query}", url.path())) {
            Some(url) => Adopted::Ours(url),
            None => Adopted::Wrong("this is no path"),
        }
    }

    fn want(&mut self, url: Url, asked_as: AskedAs) {
        if self.seen.insert(url.as_str().to_owned()) {
            self.wanted.push(Wanted { url, asked_as });
        }
    }
}

fn without_fragment(mut url: Url) -> Url {
    url.set_fragment(None);
    url
}

/// As much of a foreign text as a person wants to see.
fn shortened(text: &str) -> &str {
    text.char_indices().nth(100).map_or(text, |(at, _)| &text[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> Sources {
        Sources::new("http://localhost:8787".parse().unwrap(), &["shop.example.com".to_owned()])
    }

    fn gathered(sources: Sources) -> (Vec<String>, Vec<String>) {
        let (wanted, findings) = sources.finish();
        let urls =
            wanted.iter().map(|wanted| wanted.url.as_str().trim_start_matches("http://localhost:8787").to_owned());
        (
            urls.collect(),
            findings.iter().map(|finding| finding.to_string().lines().next().unwrap().to_owned()).collect(),
        )
    }

    fn no_fetch(url: &Url) -> Result<Vec<u8>, String> {
        panic!("{url} must not be fetched")
    }

    #[test]
    fn urls_of_the_site_are_asked_of_the_site_and_others_of_nobody() {
        let mut sources = sources();
        sources.add_list(
            "urls.txt",
            "\u{feff}# pages\n/\n\n  /about#team  \r\n/about\nhttps://shop.example.com/café?b=1&a\nhttp://localhost:8787/x\n\
             https://localhost:8787/x\nhttps://shop.example.com.evil.example/\n//evil.example/\n/\\evil.example/\nabout\nftp://shop.example.com/\n/a b\n",
        );
        let (urls, findings) = gathered(sources);
        assert_eq!(urls, ["/", "/about", "/caf%C3%A9?b=1&a", "/x"]);
        assert_eq!(
            findings,
            [
                "urls.txt:10:1: error: this is no URL",
                "urls.txt:11:1: error: this is no path",
                "urls.txt:12:1: error: this is no URL",
                "urls.txt:13:1: error: this is no URL",
                "urls.txt:14:1: error: this is no URL: it holds spaces",
                "urls.txt: warning: URLs of other hosts are left out, 2 in all: `https://shop.example.com.evil.example` and one other",
            ]
        );
    }

    #[test]
    fn a_list_that_is_none_is_not_shown_line_by_line() {
        let mut sources = sources();
        sources.add_list("x", &"nonsense\n".repeat(10_000));
        let (_, findings) = gathered(sources);
        assert_eq!(findings.len(), SHOWN_LIMIT + 1);
        assert_eq!(findings[SHOWN_LIMIT], "x: error: 9990 more lines are no URLs");
    }

    #[test]
    fn an_index_leads_to_sitemaps_of_the_site_alone() {
        let index = "<sitemapindex><sitemap><loc>https://shop.example.com/a.xml</loc></sitemap><sitemap><loc>https://shop.example.com/a.xml</loc></sitemap>\
            <sitemap><loc>https://evil.example/b.xml</loc></sitemap><sitemap><loc>/c.xml</loc></sitemap><sitemap><loc>/gone.xml</loc></sitemap></sitemapindex>";
        let fetched = std::cell::RefCell::new(Vec::new());
        let fetch = |url: &Url| {
            fetched.borrow_mut().push(url.to_string());
            match url.path() {
                "/a.xml" => Ok(b"<urlset><url><loc>https://shop.example.com/1</loc></url></urlset>".to_vec()),
                "/c.xml" => Ok(index.as_bytes().to_vec()),
                _ => Err("it answered 404".to_owned()),
            }
        };
        let mut sources = sources();
        sources.add_sitemap("sitemap.xml", index.as_bytes().to_vec(), &fetch);
        let (urls, findings) = gathered(sources);
        assert_eq!(urls, ["/1"]);
        assert_eq!(*fetched.borrow(), ["a", "c", "gone"].map(|name| format!("http://localhost:8787/{name}.xml")));
        assert_eq!(
            findings,
            [
                "sitemap.xml: warning: URLs of other hosts are left out, 1 in all: `https://evil.example`",
                "http://localhost:8787/c.xml: error: it is an index, and an index names it",
                "http://localhost:8787/gone.xml: error: it answered 404",
            ]
        );
    }

    #[test]
    fn an_index_of_too_many_sitemaps_is_read_up_to_the_limit() {
        let items: Vec<String> =
            (0..=SITEMAPS_LIMIT).map(|number| format!("<sitemap><loc>/{number}.xml</loc></sitemap>")).collect();
        let fetched = std::cell::Cell::new(0);
        let fetch = |_: &Url| {
            fetched.set(fetched.get() + 1);
            Ok(b"<urlset/>".to_vec())
        };
        let mut sources = sources();
        sources.add_sitemap("s", format!("<sitemapindex>{}</sitemapindex>", items.concat()).into_bytes(), &fetch);
        assert_eq!(fetched.get(), SITEMAPS_LIMIT);
        assert_eq!(gathered(sources).1, ["s: error: it names 1001 sitemaps: the first 1000 are read"]);
    }

    #[test]
    fn a_sitemap_that_is_none_hides_no_other() {
        let mut sources = sources();
        sources.add_sitemap("a", b"<html/>".to_vec(), &no_fetch);
        sources.add_sitemap(
            "b",
            b"<urlset><url><loc>/1</loc></url><url><loc>1</loc></url></urlset>".to_vec(),
            &no_fetch,
        );
        let (urls, findings) = gathered(sources);
        assert_eq!(urls, ["/1"]);
        assert_eq!(
            findings,
            [
                "a: error: this is no sitemap: its root is `html`, not `urlset` or `sitemapindex`",
                "b: error: it lists what is no URL, 1 in all: \"1\" is the first",
            ]
        );
    }

    #[test]
    fn a_release_is_asked_for_by_the_urls_that_answer() {
        let content = |media_type: &str| serde_json::json!({ "type": media_type, "size": 1, "sha256": "00" });
        let mut asset = content("text/javascript");
        asset["path"] = "assets/app.0123456789.js".into();
        asset["aliases"] = serde_json::json!(["assets/app-Bx1.js"]);
        let manifest = serde_json::json!({
            "format": 1,
            "base": "/shop/",
            "assets": { "assets/app.js": asset },
            "documents": { "index.html": content("text/html"), "docs/a b.html": content("text/html"), "robots.txt": content("text/plain") },
        });
        let mut sources = sources();
        sources.add_release("r1", &serde_json::from_value(manifest).unwrap());
        let (urls, findings) = gathered(sources);
        assert_eq!(urls, ["/shop/docs/a%20b", "/shop/", "/shop/robots.txt", "/shop/assets/app.0123456789.js"]);
        assert_eq!(findings, [""; 0]);
    }
}
