//! What was read from `_rimward/` is what the builder wrote, whole, in a format that this version knows.

use std::fmt::Write as _;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::manifest::{
    FORMAT, Manifest, PRIVATE_FOLDER, RELEASES_PATH, Releases, Retained, manifest_path, settings_path,
};
use crate::config::{Settings, SettingsFile};
use crate::json;
use crate::platform::WholeFile;

/// Manifests past this are refused: 100,000 files with all that is known of them stay well below.
const FILE_LIMIT_BYTES: usize = 64 * 1024 * 1024;

/// Why a file of `_rimward/` cannot be obeyed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nothing was published, or the assets are another folder's.
    #[error("`{0}` is not among the assets: run `rimward build`, and point the assets at its output")]
    Absent(String),
    /// Not JSON, or not of that shape.
    #[error("`{path}` cannot be read: {cause}; build the release again")]
    Corrupt {
        /// Of the file.
        path: String,
        /// What is wrong with it.
        cause: String,
    },
    /// Written by a newer `rimward`.
    #[error(
        "`{path}` has format {found}, this Worker reads format {FORMAT}: deploy the Worker of the `rimward` that built it"
    )]
    Format {
        /// Of the file.
        path: String,
        /// The format it has.
        found: u64,
    },
    /// Its bytes are not those that the file naming it saw.
    #[error("`{0}` is not the file that was published: its SHA-256 differs; build the release again")]
    Digest(String),
    /// `RIMWARD_ENV` names nothing.
    #[error("`RIMWARD_ENV` is `{0}`, but the settings have no `[env.{0}]`")]
    UnknownEnv(String),
}

/// Reads `releases.json`.
pub fn releases(bytes: &[u8]) -> Result<Releases, Fault> {
    let releases: Releases = parse(RELEASES_PATH, bytes, |releases: &Releases| releases.format)?;
    let corrupt = |cause: String| Fault::Corrupt { path: RELEASES_PATH.to_owned(), cause };
    if !is_digest(&releases.settings_sha256) {
        return Err(corrupt("the digest of the settings is none".to_owned()));
    }
    if let Some(odd) = releases.releases.iter().find(|retained| !is_id(&retained.id)) {
        return Err(corrupt(format!("`{}` is no id of a release", odd.id.escape_default())));
    }
    if !releases.releases.iter().any(|retained| retained.id == releases.current) {
        return Err(corrupt("the current release is not one of the retained".to_owned()));
    }
    Ok(releases)
}

/// Reads the settings and picks those of the environment: the Worker's, else the build's.
pub fn settings(file: &WholeFile, releases: &Releases, env: Option<&str>) -> Result<Settings, Fault> {
    let path = settings_path(&releases.settings_sha256);
    check_digest(&path, file, &releases.settings_sha256)?;
    let mut file: SettingsFile = parse(&path, &file.bytes, |file: &SettingsFile| file.format)?;
    let Some(env) = env.or(file.env.as_deref()).filter(|env| !env.is_empty()).map(str::to_owned) else {
        return Ok(file.settings);
    };
    file.envs.remove(&env).ok_or(Fault::UnknownEnv(env))
}

/// Reads a release's manifest.
pub fn manifest(file: &WholeFile, retained: &Retained) -> Result<Manifest, Fault> {
    let path = manifest_path(&retained.id);
    check_digest(&path, file, &retained.manifest_sha256)?;
    let manifest: Manifest = parse(&path, &file.bytes, |manifest: &Manifest| manifest.format)?;
    let assets = manifest.assets.values().map(|asset| asset.path.as_str());
    let aliases = manifest.assets.values().flat_map(|asset| &asset.aliases).map(String::as_str);
    let documents = manifest.documents.keys().map(String::as_str);
    if let Some(odd) = assets.chain(aliases).chain(documents).find(|path| !is_public(path)) {
        return Err(Fault::Corrupt { path, cause: format!("no file may be published at `{}`", odd.escape_default()) });
    }
    if !(manifest.base.starts_with('/') && manifest.base.ends_with('/')) {
        return Err(Fault::Corrupt { path, cause: "the base does not begin and end with `/`".to_owned() });
    }
    Ok(manifest)
}

/// The SHA-256 of some bytes in lower-case hexadecimal.
pub fn hexadecimal_sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes whatever is written");
        text
    })
}

fn check_digest(path: &str, file: &WholeFile, expected: &str) -> Result<(), Fault> {
    if file.sha256 == expected { Ok(()) } else { Err(Fault::Digest(path.to_owned())) }
}

fn parse<T: DeserializeOwned>(path: &str, bytes: &[u8], format: impl Fn(&T) -> u32) -> Result<T, Fault> {
    #[derive(Deserialize)]
    struct Probe {
        format: u64,
    }
    let corrupt = |cause: String| Fault::Corrupt { path: path.to_owned(), cause };
    let later = |found: u64| Fault::Format { path: path.to_owned(), found };
    if bytes.len() > FILE_LIMIT_BYTES {
        return Err(corrupt(format!("it has {} bytes, past the limit of {FILE_LIMIT_BYTES}", bytes.len())));
    }
    match json::read::<T>(bytes) {
        Ok(value) if format(&value) == FORMAT => Ok(value),
        Ok(value) => Err(later(u64::from(format(&value)))),
        // A later format may have another shape: that it is later says more than where the shapes differ.
        Err(error) => match json::read::<Probe>(bytes) {
            Ok(probe) if probe.format != u64::from(FORMAT) => Err(later(probe.format)),
            _ => Err(corrupt(error.to_string())),
        },
    }
}

fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Whether a path may be the path of a file: relative, without tricks, and not below the private folder.
fn is_public(path: &str) -> bool {
    let odd = |segment: &str| matches!(segment, "" | "." | "..") || segment.eq_ignore_ascii_case(PRIVATE_FOLDER);
    !path.split('/').any(odd) && !path.contains(['\\', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> WholeFile {
        WholeFile { bytes: text.as_bytes().to_vec(), sha256: hexadecimal_sha256(text.as_bytes()) }
    }

    fn retained(manifest: &str) -> Retained {
        Retained { id: "a1".to_owned(), manifest_sha256: hexadecimal_sha256(manifest.as_bytes()) }
    }

    #[test]
    fn the_digest_of_nothing_is_the_known_one() {
        assert_eq!(hexadecimal_sha256(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }

    #[test]
    fn a_later_format_is_named_whatever_its_shape() {
        let later = Err(Fault::Format { path: "_rimward/releases.json".to_owned(), found: 2 });
        assert_eq!(releases(br#"{"format":2,"now":"different"}"#), later);
        assert_eq!(releases(br#"{"format":2,"current":"a","settings_sha256":"","releases":[]}"#), later);
    }

    #[test]
    fn what_is_not_of_the_shape_is_corrupt() {
        for text in ["", "{", "[]", "null", r#"{"format":1}"#] {
            assert!(matches!(releases(text.as_bytes()), Err(Fault::Corrupt { .. })), "{text}");
        }
        let list = |current: &str, id: &str, settings: &str| {
            let retained = format!(r#"{{"id":"{id}","manifest_sha256":""}}"#);
            format!(r#"{{"format":1,"current":"{current}","settings_sha256":"{settings}","releases":[{retained}]}}"#)
        };
        let digest = "0a".repeat(32);
        assert!(releases(list("a", "a", &digest).as_bytes()).is_ok());
        for (current, id, settings) in
            [("b", "a", digest.as_str()), ("../x", "../x", &digest), ("a", "a", "../../x"), ("a", "a", "")]
        {
            let found = releases(list(current, id, settings).as_bytes());
            assert!(matches!(found, Err(Fault::Corrupt { .. })), "{current} {id} {settings}");
        }
    }

    #[test]
    fn a_manifest_is_held_to_its_digest_and_names_public_files_only() {
        let of = |path: &str| {
            format!(
                r#"{{"format":1,"base":"/","assets":{{}},"documents":{{"{path}":{{"type":"text/html","size":1,"sha256":""}}}}}}"#
            )
        };
        assert!(manifest(&whole(&of("index.html")), &retained(&of("index.html"))).is_ok());
        let digest = Err(Fault::Digest("_rimward/releases/a1/manifest.json".to_owned()));
        assert_eq!(manifest(&whole(&of("index.html")), &retained("other")), digest);
        for path in ["/index.html", "../x", "a/../x", "_rimward/settings.json", "_RIMWARD/x", "a//b", ""] {
            let found = manifest(&whole(&of(path)), &retained(&of(path)));
            assert!(matches!(found, Err(Fault::Corrupt { .. })), "{path}");
        }
    }

    #[test]
    fn an_environment_must_exist() {
        let settings_of = |name: &str| {
            format!(
                r#"{{"site":{{"name":"{name}","base":"/","client_address":"socket"}},"document":{{"cache_control":"no-cache"}}}}"#
            )
        };
        let text =
            format!(r#"{{"format":1,"settings":{},"envs":{{"staging":{}}}}}"#, settings_of("a"), settings_of("b"));
        let releases = Releases {
            format: 1,
            current: "a1".to_owned(),
            settings_sha256: hexadecimal_sha256(text.as_bytes()),
            releases: vec![],
        };
        let name = |env| settings(&whole(&text), &releases, env).map(|settings| settings.site.name);
        assert_eq!(name(None).as_deref(), Ok("a"));
        assert_eq!(name(Some("")).as_deref(), Ok("a"));
        assert_eq!(name(Some("staging")).as_deref(), Ok("b"));
        assert_eq!(name(Some("prod")), Err(Fault::UnknownEnv("prod".to_owned())));
    }
}
