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
        let mut link = format!("<{url}>; rel=preload; as={}{crossorigin}", needed.destination);
        if needed.module {
            write!(link, ", <{url}>; rel=modulepreload").expect("a string takes whatever is written");
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
            let Some((logical, asset)) = manifest.assets.get_key_value(&preload.asset) else { continue };
            if queue.len() < LIMIT_FILES && is_token(&preload.destination) && seen.insert(logical) {
                queue.push((preload, asset.path.as_str()));
            }
        }
        let Some((importer, _)) = queue.get(next) else { return queue };
        next += 1;
        let imports = manifest.assets.get(&importer.asset).map(|asset| asset.imports.as_slice()).unwrap_or_default();
        wanted.extend(imports.iter().map(|asset| Preload { asset: asset.clone(), ..importer.clone() }));
    }
}

fn is_token(destination: &str) -> bool {
    !destination.is_empty() && destination.bytes().all(|byte| byte.is_ascii_lowercase())
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
