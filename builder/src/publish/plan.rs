//! What may be written over what. Plain decisions over what is published and what is to be.

use std::collections::BTreeSet;
use std::path::Path;

use rimward_edge::release::manifest::Content;

use super::write::Present;
use super::{Earlier, PublishError};
use crate::digest::Digest;
use crate::fs::Files;
use crate::manifest::{Compressed, Release};

/// Same name, same bytes, for ever: also where the file itself is gone.
pub(super) fn no_name_has_other_bytes(release: &Release, earlier: &Earlier) -> Result<(), PublishError> {
    for (logical, asset) in &release.manifest.assets {
        let published = earlier.asset_at(&asset.path).filter(|content| content.sha256 != asset.content.sha256);
        if let Some(published) = published {
            return Err(PublishError::OtherBytes {
                path: asset.path.clone(),
                from: logical.clone(),
                published: published.sha256.clone(),
                new: asset.content.sha256.clone(),
            });
        }
    }
    Ok(())
}

/// What to do where a file exists with other bytes than it shall have; `assets` are the release's.
pub(super) fn if_present(path: &str, bytes: &[u8], assets: &BTreeSet<&str>, earlier: &Earlier) -> Present {
    match earlier.published_at(path) {
        // It was published as it shall be: somebody damaged it since.
        Some(sha256) if sha256 == Digest::of(bytes).hex() => Present::Repair,
        _ if assets.contains(path) => Present::Refuse,
        // Left behind by a build that did not end, or an encoding made by another version.
        _ => Present::Replace,
    }
}

/// Encoded forms that were published stay as they are: an encoder's newer version must not change the bytes behind a
/// published name, and its entity-tag.
pub fn reuse_encodings(files: &dyn Files, output: &Path, compressed: &mut Compressed, earlier: &Earlier) {
    for (file, encodings) in compressed.named.files.iter().zip(&mut compressed.encodings) {
        let Some(asset) = &file.asset else { continue };
        let Some(published) = earlier.asset_at(&asset.path).filter(|content| is_of(content, &file.bytes)) else {
            continue;
        };
        for (coding, bytes) in encodings {
            let Some(encoded) = published.encodings.get(coding) else { continue };
            if encoded.sha256 == Digest::of(bytes).hex() {
                continue;
            }
            let present = files.read(&output.join(format!("{}{}", asset.path, coding.extension())));
            if let Some(present) = present.ok().filter(|present| Digest::of(present).hex() == encoded.sha256) {
                *bytes = present;
            }
        }
    }
}

fn is_of(content: &Content, bytes: &[u8]) -> bool {
    content.size == bytes.len() as u64 && content.sha256 == Digest::of(bytes).hex()
}
