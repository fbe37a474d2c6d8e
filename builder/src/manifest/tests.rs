use super::*;
use crate::link::html::Need;
use crate::link::{Reference, ReferenceKind};
use crate::name::AssetName;
use crate::scan::Kind;
use ReferenceKind::{DynamicImport, Font, Import, ModuleScript, Stylesheet};

fn file(path: &str, kind: Kind, references: &[(&str, ReferenceKind)]) -> NamedFile {
    let reference =
        |(to, kind): &(&str, ReferenceKind)| Reference { to: SourcePath::parse(to).unwrap(), kind: *kind, span: 0..0 };
    let page = kind == Kind::Html;
    let need = |(to, kind): &(&str, ReferenceKind)| Need {
        file: SourcePath::parse(to).unwrap(),
        destination: match kind {
            Font => "font",
            Stylesheet => "style",
            _ => "script",
        }
        .to_owned(),
        module: *kind == ModuleScript,
        crossorigin: matches!(kind, Font | ModuleScript),
    };
    NamedFile {
        source: SourcePath::parse(path),
        logical: path.to_owned(),
        kind,
        bytes: path.as_bytes().into(),
        asset: (!page).then(|| AssetName { path: format!("x/{path}"), aliases: Vec::new() }),
        document: page.then(|| path.to_owned()),
        references: references.iter().map(reference).collect(),
        needs: if page { references.iter().map(need).collect() } else { Vec::new() },
    }
}

fn released(files: Vec<NamedFile>, encodings: Vec<Encodings>) -> Release {
    let named = Named { files, ..Named::default() };
    let rules = Rules { base: "/".to_owned(), headers: Vec::new(), redirects: Vec::new() };
    release(Compressed { named, encodings }, rules).unwrap()
}

#[test]
fn a_page_preloads_its_modules_graph_without_what_is_lazy() {
    let files = vec![
        file("app.css", Kind::Css, &[]),
        file("deep.js", Kind::Script, &[("entry.js", Import)]),
        file(
            "entry.js",
            Kind::Script,
            &[("near.js", Import), ("lazy.js", DynamicImport), ("other.js", Import), ("near.js", Import)],
        ),
        file("inter.woff2", Kind::Other, &[]),
        file("lazy.js", Kind::Script, &[]),
        file("near.js", Kind::Script, &[("deep.js", Import)]),
        file("other.js", Kind::Script, &[]),
        file("page.html", Kind::Html, &[("inter.woff2", Font), ("entry.js", ModuleScript), ("app.css", Stylesheet)]),
    ];
    let manifest = released(files, Vec::new()).manifest;
    let preloads: Vec<(&str, &str, bool, bool)> = (manifest.documents.get("page.html").unwrap().preloads.iter())
        .map(|preload| (preload.asset.as_str(), preload.destination.as_str(), preload.module, preload.crossorigin))
        .collect();
    let expected = [
        ("inter.woff2", "font", false, true),
        ("entry.js", "script", true, true),
        ("near.js", "script", true, true),
        ("other.js", "script", true, true),
        ("deep.js", "script", true, true),
        ("app.css", "style", false, false),
    ];
    assert_eq!(preloads, expected);
    assert_eq!(manifest.assets.get("entry.js").unwrap().imports, ["near.js", "other.js"]);
    assert!(
        manifest.assets.get("entry.js").unwrap().integrity.as_ref().is_some_and(|value| value.starts_with("sha384-"))
    );
}

#[test]
fn a_preload_vouches_for_what_the_page_vouches_for() {
    let mut page = file("page.html", Kind::Html, &[("entry.js", ModuleScript), ("app.css", Stylesheet)]);
    page.bytes = b"<script type=module integrity=' sha384-abc' src='/x/entry.js?v=1'></script><link rel=stylesheet href=x/app.css>"[..].into();
    let files = vec![
        file("app.css", Kind::Css, &[]),
        file("entry.js", Kind::Script, &[("near.js", Import)]),
        file("near.js", Kind::Script, &[]),
        page,
    ];
    let manifest = released(files, Vec::new()).manifest;
    let preloads: Vec<(&str, Option<&str>)> = (manifest.documents.get("page.html").unwrap().preloads.iter())
        .map(|preload| (preload.asset.as_str(), preload.integrity.as_deref()))
        .collect();
    assert_eq!(preloads, [("entry.js", Some("sha384-abc")), ("near.js", None), ("app.css", None)]);
}

#[test]
fn an_apps_manifest_json_does_not_lie_where_the_releases_does() {
    let mut web = file("manifest.json", Kind::WebManifest, &[]);
    (web.document, web.asset) = (Some("manifest.json".to_owned()), None);
    let release = released(vec![web], Vec::new());
    assert!(!release.files.contains_key(&release.manifest_path()));
    let place = format!("_rimward/releases/{}/_rimward/manifest.json", release.id);
    assert_eq!(&*release.files[&place], b"manifest.json");
    assert_eq!(
        release.manifest.documents.get("manifest.json").unwrap().content.media_type,
        "application/manifest+json"
    );
}

#[test]
fn an_encoding_gives_way_to_a_file_of_that_name() {
    let mut data = file("data.json", Kind::Json, &[]);
    (data.document, data.asset) = (Some("data.json".to_owned()), None);
    let mut packed = file("data.json.gz", Kind::Other, &[]);
    (packed.document, packed.asset) = (Some("data.json.gz".to_owned()), None);
    let encodings = || Encodings::from([(Coding::Gzip, b"gzip".to_vec()), (Coding::Br, b"br".to_vec())]);
    let release = released(vec![data, packed], vec![encodings(), Encodings::new()]);
    let document = release.manifest.documents.get("data.json").unwrap();
    assert_eq!(document.content.encodings.keys().collect::<Vec<_>>(), [&Coding::Br]);
    assert!(release.files.iter().any(|(path, bytes)| path.ends_with("/data.json.gz") && **bytes == *b"data.json.gz"));
}

#[test]
fn media_types_come_with_their_charset() {
    #[track_caller]
    fn check(path: &str, kind: Kind, expected: &str) {
        assert_eq!(media_type::of(path, kind), expected, "{path}");
    }
    check("a.mjs", Kind::Script, "text/javascript; charset=utf-8");
    check("a/robots.TXT", Kind::Other, "text/plain; charset=utf-8");
    check("a.woff2", Kind::Other, "font/woff2");
    check("a.wasm", Kind::Other, "application/wasm");
    check("a.avif", Kind::Other, "image/avif");
    check("a.b/CNAME", Kind::Other, "application/octet-stream");
}

#[test]
fn the_id_is_of_the_manifest() {
    let one = released(vec![file("a.js", Kind::Script, &[])], Vec::new());
    assert_eq!(one.id, Digest::of(&one.manifest_bytes).fingerprint());
    assert_ne!(one.id, released(vec![file("b.js", Kind::Script, &[])], Vec::new()).id);
}
