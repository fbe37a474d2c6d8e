//! The edge's parsers: its files and the fields of requests.

use std::fmt::Debug;

use rimward_edge::config::SettingsFile;
use rimward_edge::field::accept::Codings;
use rimward_edge::field::range::{self, Ranges};
use rimward_edge::field::{etag, list};
use rimward_edge::guard::target::Target;
use rimward_edge::json::{self, Value};
use rimward_edge::path;
use rimward_edge::release::manifest::{Coding, Manifest, Releases};
use rimward_edge::release::table::{Found, Release};
use rimward_edge::release::{negotiate, verify};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// JSON of whatever form: what our reader takes, another takes as the same, and it is written as it was read.
pub(super) fn json(bytes: &[u8]) {
    let theirs = serde_json::from_slice::<serde_json::Value>(bytes);
    let Ok(ours) = Value::parse(bytes) else {
        assert!(theirs.is_err(), "{}", String::from_utf8_lossy(bytes));
        return;
    };
    let written = ours.to_string();
    assert_eq!(Value::parse(written.as_bytes()), Ok(ours));
    match theirs {
        Ok(theirs) => assert_eq!(serde_json::from_str::<serde_json::Value>(&written).ok(), Some(theirs)),
        // We keep numbers as they are spelled, however large they are.
        Err(error) => assert!(error.to_string().starts_with("number out of range"), "{written}: {error}"),
    }
}

/// Reads a file: another reader has to take what ours takes, as the same, and what was written can be read again.
fn read<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) -> Option<T> {
    let value: T = json::read(bytes).ok()?;
    assert_eq!(Some(&value), serde_json::from_slice(bytes).ok().as_ref());
    let written = serde_json::to_vec(&value).expect("plain data");
    assert_eq!(Ok(&value), json::read(&written).as_ref(), "what was written can be read");
    Some(value)
}

/// A manifest, or the list of releases: read again after being written it is the same, and a release of it can be asked.
pub(super) fn manifest(bytes: &[u8]) {
    let _ = verify::releases(bytes);
    let _ = read::<Releases>(bytes);
    let Some(manifest) = read::<Manifest>(bytes) else { return };
    let release = Release::current("0123456789", &manifest);
    for asset in manifest.assets.values() {
        let url = format!("{}{}", manifest.base, asset.path);
        let private = url.split('/').any(|segment| segment.eq_ignore_ascii_case("_rimward"));
        assert!(!private || matches!(release.find(&url), Found::Nothing), "{url}");
    }
    for path in ["/", "", "/_rimward/releases.json", "/index.html", "/a/", "//"] {
        let _ = release.find(path);
    }
}

/// The compiled settings.
pub(super) fn policy(bytes: &[u8]) {
    let Some(file) = read::<SettingsFile>(bytes) else { return };
    for rule in &file.settings.headers {
        let text = rule.path.as_str().to_owned();
        if let Some(caught) = rule.path.matches(&text) {
            let _ = caught.fill(&text);
        }
    }
}

/// The URL of a request: taken apart as it was put together, private in every spelling.
pub(super) fn request(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(target) = Target::parse(text) {
        assert!(text.contains(target.raw_path) || target.raw_path == "/");
        let again = path::canonical(&target.path).expect("a canonical path is a path");
        assert_eq!(again.path, target.path, "canonical is canonical");
        let decoded = target.decoded.as_deref().unwrap_or_default();
        let private = decoded.split(['/', '\\']).any(|segment| segment.eq_ignore_ascii_case("_rimward"));
        assert!(!private || target.is_private(), "{text}");
    }
    let _ = path::encode(text);
}

/// The fields that decide which form of a file is sent: the first line is `Accept-Encoding`, the second `Range`, the third
/// `If-None-Match`.
pub(super) fn fields(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.splitn(3, '\n');
    let (accept, asked, tags) = (lines.next(), lines.next().unwrap_or(""), lines.next().unwrap_or(""));
    let offers = [(None, 1000), (Some(Coding::Br), 300), (Some(Coding::Gzip), 400)];
    let codings = Codings::new(accept);
    match negotiate::choose(codings, &offers).map(|chosen| offers[chosen].0) {
        Some(Some(coding)) => assert!(codings.weight(coding.token()) > 0, "{accept:?} refuses {coding:?}"),
        Some(None) => assert_ne!(codings.identity(), Some(0), "{accept:?} refuses identity"),
        None => assert_eq!(codings.identity(), Some(0), "{accept:?} refuses nothing"),
    }
    for size in [0, 1, 1000, u64::MAX] {
        if let Ranges::Parts(parts) = range::parse(asked, size) {
            assert!(parts.iter().all(|part| part.start < part.end && part.end <= size), "{asked}: {parts:?}");
            assert!(parts.windows(2).all(|pair| pair[0].end < pair[1].start), "{asked}: {parts:?}");
        }
    }
    let strong = etag::any_strongly(tags, "\"abc\"");
    assert!(!strong || etag::any_weakly(tags, "\"abc\""), "{tags}: a strong match is a weak one");
    for member in list::members(tags) {
        assert!(!member.is_empty(), "{tags}");
        assert!(list::weight(member) <= 1000, "{tags}");
    }
}
