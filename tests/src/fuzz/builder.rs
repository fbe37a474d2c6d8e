//! The builder's parsers: the settings and rules that people write, and every format that a source folder holds, each
//! through a whole build in memory.

use std::path::Path;

use rimward::cache::Cache;
use rimward::client::SiteUrl;
use rimward::config::{Choices, plan};
use rimward::diagnostic::{Diagnostic, Place};
use rimward::fs::Memory;
use rimward::pipeline::{self, BuildError};
use rimward::publish::Earlier;
use rimward::settings as rules_of;
use rimward::warm::Sources;
use rimward_edge::release::manifest::Manifest;

/// `rimward.toml`: whatever it says, findings are at places that the text has.
pub(super) fn settings(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (compiled, findings) = rules_of::compile(text, "rimward.toml", None);
    expect_places(text, &findings);
    assert!(compiled.is_some() || !findings.is_empty(), "settings without meaning and without a finding");
}

/// `_headers` and `_redirects`.
pub(super) fn rules(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (headers, findings) = rules_of::parse_headers(text, "/shop/");
    expect_places(text, &findings);
    for (name, value) in headers.iter().flat_map(|rule| &rule.set) {
        name.parse::<http::HeaderName>().expect("a field name");
        http::HeaderValue::from_str(value).expect("a field value");
    }
    let (redirects, findings) = rules_of::parse_redirects(text, "/shop/");
    expect_places(text, &findings);
    for rule in redirects {
        assert!(matches!(rule.status, 200 | 301 | 302 | 303 | 307 | 308), "{rule:?}");
    }
}

/// A sitemap, and the same bytes as a list: only the site itself is ever asked, for URLs and for further sitemaps.
pub(super) fn sitemap(bytes: &[u8]) {
    let site: SiteUrl = "https://shop.example".parse().expect("a site");
    let mut sources = Sources::new(site.clone(), &["shop.example.com".to_owned()]);
    sources.add_sitemap("sitemap.xml", bytes.to_vec(), &|url| {
        assert!(site.holds(url), "{url} is of another site");
        Ok(bytes.to_vec())
    });
    if let Ok(text) = std::str::from_utf8(bytes) {
        sources.add_list("urls.txt", text);
    }
    let (wanted, findings) = sources.finish();
    for wanted in wanted {
        assert!(site.holds(&wanted.url) && wanted.url.fragment().is_none(), "{}", wanted.url);
    }
    for finding in findings {
        assert!(!finding.message.contains('\n') && finding.hint.is_some(), "{finding}");
    }
}

/// A page, with inline style and scripts.
pub(super) fn page(bytes: &[u8]) {
    build("index.html", bytes);
}

/// A style sheet.
pub(super) fn style(bytes: &[u8]) {
    build("assets/style-Bq3dk1xZ.css", bytes);
}

/// A script, and the same bytes as its source map.
pub(super) fn script(bytes: &[u8]) {
    build("assets/index-C81kq0aP.js", bytes);
    build("assets/index-C81kq0aP.js.map", bytes);
}

/// JSON, a web manifest, a picture in XML.
pub(super) fn data(bytes: &[u8]) {
    for name in ["manifest.webmanifest", "assets/data-D0pLq93m.json", "assets/picture-DXAi6NNO.svg"] {
        build(name, bytes);
    }
}

/// A release of a small app in which one file has these bytes: made, twice the same, or refused with reasons.
fn build(name: &str, bytes: &[u8]) {
    let files = app(name, bytes);
    let made = make(&files);
    match made {
        Ok((manifest, bytes)) => {
            assert_eq!(bytes, make(&files).expect("the same input").1, "the same input gives the same bytes");
            assert!(manifest.documents.contains_key("index.html"));
        }
        Err(BuildError::Source(findings)) => assert!(!findings.is_empty(), "refused without a reason"),
        Err(other) => panic!("{other:?}"),
    }
}

fn make(files: &Memory) -> Result<(Manifest, Vec<Vec<u8>>), BuildError> {
    let choices = Choices { here: "/shop".into(), jobs: 1, ..Choices::default() };
    let (plan, _) = plan(files, &choices).expect("settings without a mistake");
    let release = pipeline::make(&plan, files, &Earlier::default(), &Cache::none(), &|_| {})?.release;
    let bytes = release.files.values().map(|file| file.to_vec()).collect();
    Ok((release.manifest, bytes))
}

fn app(name: &str, bytes: &[u8]) -> Memory {
    let files = Memory::new([
        ("/shop/rimward.toml", &b"[build]\nencodings = []\n"[..]),
        (
            "/shop/dist/index.html",
            b"<!doctype html><link rel=manifest href=/manifest.webmanifest><link rel=stylesheet href=/assets/style-Bq3dk1xZ.css>\
              <script type=module src=/assets/index-C81kq0aP.js></script>",
        ),
        ("/shop/dist/assets/style-Bq3dk1xZ.css", b"a{background:url(picture-DXAi6NNO.svg)}"),
        ("/shop/dist/assets/index-C81kq0aP.js", b"import(\"./about-D0pLq93m.js\");"),
        ("/shop/dist/assets/about-D0pLq93m.js", b"export default 1;"),
        ("/shop/dist/assets/picture-DXAi6NNO.svg", b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>"),
        ("/shop/dist/manifest.webmanifest", b"{}"),
    ]);
    files.put(Path::new("/shop/dist").join(name).to_str().expect("a path of ours"), bytes);
    files
}

fn expect_places(text: &str, findings: &[Diagnostic]) {
    let end = Place::of(text, text.len());
    for finding in findings {
        assert!(finding.place.is_none_or(|place| place <= end), "{finding} is behind the end of {text:?}");
        assert!(!finding.message.is_empty() && !finding.message.contains('\n'), "{finding}");
    }
}
