//! What a page needs, as a `Link` field: browsers begin to fetch before they read the page.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::manifest::{Document, Manifest, Preload};
use crate::path;

/// More than this many files in one field help nobody: the first ones fill the line.
const LIMIT_FILES: usize = 24;
/// Common limits of whole heads are 8 and 16 KB.
const LIMIT_BYTES: usize = 3 * 1024;

/// The `Link` field of a page; `None` where it needs nothing.
///
/// Modules are named twice: `modulepreload` compiles them, but 103 Early Hints are made from `preload` alone.
pub fn of_page(manifest: &Manifest, page: &Document) -> Option<String> {
    let mut field = String::new();
    for (needed, public) in needed(manifest, page) {
        let url = format!("{}{}", path::encode(&manifest.base), path::encode(public));
        let crossorigin = if needed.crossorigin || needed.module { "; crossorigin" } else { "" };
        let integrity = needed.integrity.as_deref().filter(|value| is_integrity(value));
        let integrity = integrity.map_or(String::new(), |value| format!("; integrity=\"{value}\""));
        let mut link = format!("<{url}>; rel=preload; as={}{crossorigin}{integrity}", needed.destination);
        if needed.module {
            write!(link, ", <{url}>; rel=modulepreload{integrity}").expect("a string takes whatever is written");
        }
        if field.len() + link.len() > LIMIT_BYTES {
            break;
        }
        if !field.is_empty() {
            field.push_str(", ");
        }
        field.push_str(&link);
    }
    (!field.is_empty()).then_some(field)
}

/// The files that a page needs with their public paths: its own first, in its order, then what those import, breadth
/// first, each once.
fn needed<'manifest>(manifest: &'manifest Manifest, page: &'manifest Document) -> Vec<(Preload, &'manifest str)> {
    let mut queue: Vec<(Preload, &str)> = Vec::new();
    let mut seen = HashSet::new();
    let mut wanted: Vec<Preload> = page.preloads.clone();
    let mut next = 0;
    loop {
        for preload in wanted.drain(..) {
            let place = manifest.assets.find_index(&preload.asset).ok();
            let Some((logical, asset)) = place.and_then(|place| manifest.assets.get_indexed(place)) else { continue };
            if queue.len() < LIMIT_FILES && is_token(&preload.destination) && seen.insert(logical) {
                queue.push((preload, asset.path.as_str()));
            }
        }
        let Some((importer, _)) = queue.get(next) else { return queue };
        next += 1;
        let imports = manifest.assets.get(&importer.asset).map(|asset| asset.imports.as_slice()).unwrap_or_default();
        let import = |asset: &String| Preload { asset: asset.clone(), integrity: None, ..importer.clone() };
        wanted.extend(imports.iter().map(import));
    }
}

fn is_token(destination: &str) -> bool {
    !destination.is_empty() && destination.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// Whether a value can stand between quotes: algorithms, base64, options (Subresource Integrity §3.5).
fn is_integrity(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| matches!(byte, b' ' | 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(assets: &[(&str, &[&str])]) -> Manifest {
        let assets: serde_json::Map<_, _> = assets
            .iter()
            .map(|&(logical, imports)| {
                let path = format!("assets/{logical}");
                (
                    logical.to_owned(),
                    serde_json::json!({ "path": path, "type": "", "size": 1, "sha256": "", "imports": imports }),
                )
            })
            .collect();
        serde_json::from_value(serde_json::json!({ "format": 1, "base": "/shop/", "assets": assets, "documents": {} }))
            .unwrap()
    }

    fn page(preloads: &[(&str, &str, bool)]) -> Document {
        let preloads: Vec<_> = preloads
            .iter()
            .map(|&(asset, destination, module)| serde_json::json!({ "asset": asset, "as": destination, "module": module }))
            .collect();
        serde_json::from_value(
            serde_json::json!({ "type": "text/html", "size": 1, "sha256": "", "preloads": preloads }),
        )
        .unwrap()
    }

    #[test]
    fn modules_are_named_twice_and_their_imports_follow_once() {
        let manifest = manifest(&[
            ("a.js", &["b.js", "c.js"]),
            ("b.js", &["a.js", "c.js"]),
            ("c.js", &[]),
            ("s.css", &["t.css"]),
            ("t.css", &[]),
        ]);
        let page = page(&[("a.js", "script", true), ("s.css", "style", false), ("gone.js", "script", false)]);
        let module = |name: &str| {
            format!(
                "</shop/assets/{name}>; rel=preload; as=script; crossorigin, </shop/assets/{name}>; rel=modulepreload"
            )
        };
        let style = |name: &str| format!("</shop/assets/{name}>; rel=preload; as=style");
        let expected = [module("a.js"), style("s.css"), module("b.js"), module("c.js"), style("t.css")].join(", ");
        assert_eq!(of_page(&manifest, &page), Some(expected));
    }

    #[test]
    fn what_the_page_vouches_for_is_vouched_for_here_alike() {
        let manifest = manifest(&[("a.js", &["b.js"]), ("b.js", &[])]);
        let of = |integrity: &str| {
            let mut page = page(&[("a.js", "script", true)]);
            page.preloads[0].integrity = Some(integrity.to_owned());
            of_page(&manifest, &page).unwrap()
        };
        let (a, b) = ("</shop/assets/a.js>", "</shop/assets/b.js>");
        let expected = format!(
            "{a}; rel=preload; as=script; crossorigin; integrity=\"sha384-a+/b=\", {a}; rel=modulepreload; integrity=\"sha384-a+/b=\", \
             {b}; rel=preload; as=script; crossorigin, {b}; rel=modulepreload"
        );
        assert_eq!(of("sha384-a+/b="), expected);
        assert!(!of("x\"; rel=y").contains("rel=y"));
    }

    #[test]
    fn the_field_is_bounded_and_cannot_be_broken_out_of() {
        let names: Vec<String> = (0..200).map(|number| format!("chunk-{number}.js")).collect();
        let assets: Vec<(&str, &[&str])> = names.iter().map(|name| (name.as_str(), &[][..])).collect();
        let preloads: Vec<_> = names.iter().map(|name| (name.as_str(), "script", true)).collect();
        let field = of_page(&manifest(&assets), &page(&preloads)).unwrap();
        assert!(field.len() <= LIMIT_BYTES && field.matches("modulepreload").count() <= LIMIT_FILES, "{}", field.len());
        let odd = of_page(&manifest(&[("a>; rel=x.js", &[])]), &page(&[("a>; rel=x.js", "script", false)]));
        assert_eq!(odd.as_deref(), Some("</shop/assets/a%3E;%20rel=x.js>; rel=preload; as=script"));
        assert_eq!(of_page(&manifest(&[("a.js", &[])]), &page(&[("a.js", "x; rel=y", false)])), None);
        assert_eq!(of_page(&manifest(&[]), &page(&[])), None);
    }
}
