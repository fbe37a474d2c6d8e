use super::*;
use std::fmt::Write as _;

/// Sources of these paths and texts.
fn sources(files: &[(&str, &str)]) -> Sources {
    let mut sources = Sources::default();
    for (path, text) in files {
        let path = SourcePath::parse(path).expect("a path");
        let kind = match path.as_str().rsplit('.').next() {
            Some("html") => Kind::Html,
            Some("css") => Kind::Css,
            Some("js") => Kind::Script,
            Some("map") => Kind::SourceMap,
            Some("webmanifest") => Kind::WebManifest,
            Some("json") => Kind::Json,
            Some("svg") => Kind::Svg,
            _ => Kind::Other,
        };
        sources.files.insert(path.clone(), Source { path, kind, bytes: text.as_bytes().into() });
    }
    sources
}

fn path(path: &str) -> SourcePath {
    SourcePath::parse(path).expect("a path")
}

fn names_of(files: &[(&str, &str)], options: &NameOptions) -> Names {
    let (names, diagnostics) = Names::new(&sources(files), options);
    assert_eq!(diagnostics, []);
    names
}

/// `before|token|after` of a name with a fingerprint, `before|after` without, `kept`.
fn shown(names: &Names, of: &str) -> String {
    match names.naming(&path(of)).expect("a file") {
        Naming::Hashed { before, token, after } => format!("{before}|{token}|{after}"),
        Naming::Plain { before, after } => format!("{before}|{after}"),
        Naming::Kept => "kept".to_owned(),
    }
}

const VITE: &[(&str, &str)] = &[
    ("index.html", ""),
    ("assets/index-Cd8DgnZB.js", "const __vite__mapDeps=0"),
    ("assets/index-Cd8DgnZB.js.map", "{}"),
    ("assets/shop-H5IQ_Up3.js", ""),
    ("assets/text-CLuoci_l.js", ""),
    ("assets/lazy-password.js", ""),
    ("assets/index-BgJEWM-p.css", ""),
    ("user-settings.png", ""),
    ("fonts/inter.woff2", ""),
    ("a b/ü x.png", ""),
    ("about/index.html", ""),
    ("robots.txt", ""),
    ("sw.js", ""),
    (".well-known/assetlinks.json", ""),
    ("app.webmanifest", ""),
    ("LICENSE", ""),
];

#[test]
fn each_file_is_named_by_what_it_carries() {
    let names = names_of(VITE, &NameOptions::default());
    assert_eq!(names.grammar(), Grammar::Vite);
    for (of, expected) in [
        ("assets/index-Cd8DgnZB.js", "assets/index-|Cd8DgnZB|.js"),
        ("assets/index-Cd8DgnZB.js.map", "assets/index-|Cd8DgnZB|.js.map"),
        ("assets/lazy-password.js", "assets/lazy-|password|.js"),
        ("user-settings.png", "user-settings.|.png"),
        ("fonts/inter.woff2", "fonts/inter.|.woff2"),
        ("LICENSE", "LICENSE.|"),
        ("index.html", "kept"),
        ("robots.txt", "kept"),
        ("sw.js", "kept"),
        (".well-known/assetlinks.json", "kept"),
        ("app.webmanifest", "kept"),
    ] {
        assert_eq!(shown(&names, of), expected, "{of}");
    }
    assert_eq!(names.logical(&path("assets/index-Cd8DgnZB.js.map")), "assets/index.js.map");
}

#[test]
fn a_picture_whose_token_looks_like_a_word_is_the_bundlers_only_among_its_own() {
    let own =
        [("assets/a-Cd8DgnZB.js", "__vite__mapDeps"), ("assets/b-H5IQ_Up3.js", ""), ("assets/c-CLuoci_l.svg", "")];
    let named = |more: &[(&str, &str)]| {
        let files: Vec<(&str, &str)> = own.iter().chain(more).copied().collect();
        shown(&names_of(&files, &NameOptions::default()), "assets/rope-settings.svg")
    };
    assert_eq!(named(&[("assets/rope-settings.svg", "")]), "assets/rope-|settings|.svg");
    assert_eq!(named(&[("assets/rope-settings.svg", ""), ("assets/logo.svg", "")]), "assets/rope-settings.|.svg");
}

#[test]
fn import_maps_say_what_specifiers_lead_to() {
    let page = "<script type=importmap>{\"imports\":{\"Fai3L\":\"/shop.c6b58617.js\",\"/a/virtual.js\":\"./shop.c6b58617.js\"}}</script>";
    let names = names_of(
        &[("index.html", page), ("shop.c6b58617.js", "parcelRequire"), ("a/b.js", "")],
        &NameOptions::default(),
    );
    let mapped = Resolved::Mapped(path("shop.c6b58617.js"));
    assert_eq!(names.resolve(&path("a/b.js"), "Fai3L", How::Module), mapped);
    assert_eq!(names.resolve(&path("a/b.js"), "./virtual.js", How::Module), mapped);
    assert_eq!(names.resolve(&path("a/b.js"), "Fai3M", How::Module), Resolved::Bare);
    assert_eq!(names.resolve(&path("a/b.js"), "./virtual.js", How::File), Resolved::Dangling("a/virtual.js".into()));
}

#[test]
fn settings_keep_names_and_override_the_grammar() {
    let options =
        NameOptions { keep_names: vec!["/fonts/*".into()], grammar: Some(Grammar::None), ..NameOptions::default() };
    let names = names_of(VITE, &options);
    assert_eq!(shown(&names, "fonts/inter.woff2"), "kept");
    assert_eq!(shown(&names, "assets/index-Cd8DgnZB.js"), "assets/index-Cd8DgnZB.|.js");
    let options = NameOptions { keep_names: vec!["a[".into()], ..NameOptions::default() };
    let (_, diagnostics) = Names::new(&sources(VITE), &options);
    assert!(diagnostics.iter().any(|diagnostic| diagnostic.code == "bad-glob"), "{diagnostics:?}");
}

#[test]
fn the_grammar_is_that_of_most_names() {
    let check =
        |files: &[(&str, &str)], expected| assert_eq!(names_of(files, &NameOptions::default()).grammar(), expected);
    check(
        &[("main.236c94eb.js", "webpackChunk"), ("787.28cb0dcd.chunk.js", ""), ("user-settings.png", "")],
        Grammar::Webpack,
    );
    check(&[("shop.c6b58617.js", "parcelRequire"), ("logo.f6632fcd.png", "")], Grammar::Parcel);
    check(&[("app.js", ""), ("chunks/chunk-KYZ57CU4.js", ""), ("shop-XAJUHND3.js", "")], Grammar::Esbuild);
    check(&[("app.js", ""), ("user-settings.png", ""), ("team-Ab3dEf9h.jpg", "")], Grammar::None);
    check(&[("index-Cd8DgnZB.js", ""), ("workbox-2fbc6a65.js", "")], Grammar::Vite);
}

#[track_caller]
fn check_url(names: &Names, from: &str, url: &str, how: How<'_>, expected: &str) {
    let shown = match names.resolve(&path(from), url, how) {
        Resolved::File { to, edit } => {
            let mut replaced = url.to_owned();
            if let Some(edit) = edit {
                let (meaning, text) = names
                    .placeholders
                    .find(edit.text.as_bytes())
                    .map(|found| (found.meaning, found.text))
                    .next()
                    .expect("one");
                let name = match meaning {
                    Meaning::Token(token) => format!("<{token}>"),
                    other => {
                        format!("<{}>", if matches!(other, Meaning::File(file) if *file == to) { "file" } else { "?" })
                    }
                };
                replaced.replace_range(edit.span, &edit.text.replace(text, &name));
            }
            format!("{to} {replaced}")
        }
        other => format!("{other:?}"),
    };
    assert_eq!(shown, expected, "{url} in {from}");
}

#[test]
fn urls_are_resolved_as_browsers_do_and_only_the_name_changes() {
    let names = names_of(VITE, &NameOptions::default());
    let shop = "assets/shop-H5IQ_Up3.js";
    for (from, url, expected) in [
        ("index.html", "/assets/shop-H5IQ_Up3.js", "assets/shop-H5IQ_Up3.js /assets/shop-<H5IQ_Up3>.js"),
        ("index.html", "assets/shop-H5IQ_Up3.js?x#y", "assets/shop-H5IQ_Up3.js assets/shop-<H5IQ_Up3>.js?x#y"),
        (shop, "./index-Cd8DgnZB.js", "assets/index-Cd8DgnZB.js ./index-<Cd8DgnZB>.js"),
        (shop, "../../../fonts/inter.woff2?#iefix", "fonts/inter.woff2 ../../../fonts/inter.<file>.woff2?#iefix"),
        (shop, "/a%20b/%C3%BC%20x.png", "a b/ü x.png /a%20b/%C3%BC%20x.<file>.png"),
        (shop, "../a b/ü x.png", "a b/ü x.png ../a b/ü x.<file>.png"),
        (shop, " /LICENSE ", "LICENSE  /LICENSE.<file> "),
        ("index.html", "robots.txt", "robots.txt robots.txt"),
        ("index.html", "/about/", "about/index.html /about/"),
        ("index.html", "/", "index.html /"),
        ("index.html", "", "Itself"),
        ("index.html", "#top", "Itself"),
        ("index.html", "https://example.com/assets/shop-H5IQ_Up3.js", "External"),
        ("index.html", "//example.com/robots.txt", "External"),
        ("index.html", "data:image/png;base64,AAAA", "External"),
        ("index.html", "mailto:a@example.com", "External"),
        ("index.html", "/assets/gone.js", "Dangling(\"assets/gone.js\")"),
        ("index.html", "/%ff", "External"),
    ] {
        check_url(&names, from, url, How::File, expected);
    }
    check_url(&names, shop, "react", How::Module, "Bare");
    check_url(&names, shop, "assets/shop-H5IQ_Up3.js", How::Base, "assets/shop-H5IQ_Up3.js assets/shop-<H5IQ_Up3>.js");
    check_url(
        &names,
        "about/index.html",
        "shop-H5IQ_Up3.js",
        How::BaseHref("/assets/"),
        "assets/shop-H5IQ_Up3.js shop-<H5IQ_Up3>.js",
    );
    check_url(&names, "index.html", "/cart/42", How::Navigation, "Route");
    check_url(&names, "index.html", "/about", How::Navigation, "about/index.html /about");
}

#[test]
fn a_base_and_own_hosts_are_ours_and_nothing_else_is() {
    let options = NameOptions { base: "/shop/".into(), hosts: vec!["shop.example".into()], ..NameOptions::default() };
    let names = names_of(VITE, &options);
    let whole = |url: &str| format!("fonts/inter.woff2 {}", url.replace(".woff2", ".<file>.woff2"));
    for url in [
        "/shop/fonts/inter.woff2",
        "https://shop.example/shop/fonts/inter.woff2",
        "//SHOP.example/shop/fonts/inter.woff2",
        "fonts/inter.woff2",
    ] {
        check_url(&names, "index.html", url, How::File, &whole(url));
    }
    check_url(&names, "index.html", "/fonts/inter.woff2", How::File, "External");
    check_url(&names, "index.html", "../fonts/inter.woff2", How::File, "External");
    check_url(&names, "index.html", "/shop", How::File, "index.html /shop");
}

/// The text with `<token>` where a placeholder would stand.
fn replaced(names: &Names, text: &str) -> String {
    let mut replaced = text.to_owned();
    for mention in names.mentions(text).into_iter().rev() {
        replaced.replace_range(mention.span, "<>");
    }
    replaced
}

#[test]
fn a_token_counts_only_where_its_surroundings_fit_the_name() {
    let names = names_of(VITE, &NameOptions::default());
    for (text, expected) in [
        ("/assets/shop-H5IQ_Up3.js", "/assets/shop-<>.js"),
        ("assets/shop-H5IQ_Up3.js,assets/index-Cd8DgnZB.js", "assets/shop-<>.js,assets/index-<>.js"),
        ("<script src=\"/assets/shop-H5IQ_Up3.js\">", "<script src=\"/assets/shop-<>.js\">"),
        ("./shop-H5IQ_Up3", "./shop-<>"),
        ("index-Cd8DgnZB.js.map", "index-<>.js.map"),
        ("H5IQ_Up3", "H5IQ_Up3"),
        ("workshop-H5IQ_Up3.js", "workshop-H5IQ_Up3.js"),
        ("shop-H5IQ_Up3.json", "shop-H5IQ_Up3.json"),
        ("shop-H5IQ_Up3.js.map", "shop-H5IQ_Up3.js.map"),
        ("other-H5IQ_Up3.js", "other-H5IQ_Up3.js"),
        ("password", "password"),
        ("lazy-password", "lazy-<>"),
        ("https://cdn.example/assets/shop-H5IQ_Up3.js", "https://cdn.example/assets/shop-H5IQ_Up3.js"),
    ] {
        assert_eq!(replaced(&names, text), expected);
    }
}

#[test]
fn a_hexadecimal_token_counts_alone_as_webpack_tables_hold_it() {
    let names =
        names_of(&[("js/main.236c94eb.js", "webpackChunk"), ("js/109.28cb0dcd.chunk.js", "")], &NameOptions::default());
    for (text, expected) in [
        ("236c94eb", "<>"),
        (".236c94eb.js", ".<>.js"),
        ("28cb0dcd.chunk.js", "<>.chunk.js"),
        ("a236c94eb", "a236c94eb"),
        ("236c94eb0", "236c94eb0"),
        ("x.236c94eb.js", "x.236c94eb.js"),
    ] {
        assert_eq!(replaced(&names, text), expected);
    }
}

#[test]
fn keeping_one_file_keeps_all_that_share_its_fingerprint() {
    let mut names = names_of(VITE, &NameOptions::default());
    let kept = names.keep(&path("assets/index-Cd8DgnZB.js"));
    assert_eq!(kept, [path("assets/index-Cd8DgnZB.js"), path("assets/index-Cd8DgnZB.js.map")]);
    assert_eq!(names.keep(&path("assets/index-Cd8DgnZB.js")), []);
    assert_eq!(shown(&names, "assets/index-Cd8DgnZB.js.map"), "kept");
    assert_eq!(replaced(&names, "index-Cd8DgnZB.js shop-H5IQ_Up3.js"), "index-Cd8DgnZB.js shop-<>.js");
}

#[test]
fn a_dangling_reference_says_where_and_what_may_have_been_meant() {
    let names = names_of(VITE, &NameOptions::default());
    let source = Source { path: path("index.html"), kind: Kind::Html, bytes: (*b"").into() };
    let shown = names.dangling(&source, "a\nb", 2, "/img/Inter.woff2").to_string();
    let expected = "index.html:2:1: warning: cannot resolve `/img/Inter.woff2`: no such file\n  hint: did you mean `/fonts/inter.woff2`?";
    assert_eq!(shown, expected);
}

/// Logical paths of the three `es` chunks, in the order of `tokens`.
fn twins(tokens: [&str; 3], page: &str, options: &NameOptions) -> Vec<String> {
    let owned: Vec<(String, String)> =
        tokens.iter().map(|token| (format!("a/es-{token}.js"), format!("// {token}"))).collect();
    let mut files: Vec<(&str, &str)> = owned.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    files.push(("a/index-Cd8DgnZB.js", page));
    let (names, _) = Names::new(&sources(&files), options);
    owned.iter().map(|(of, _)| names.logical(&path(of)).to_owned()).collect()
}

#[test]
fn twins_keep_their_logical_paths_when_a_fingerprint_changes_their_order() {
    let page = |tokens: [&str; 3]| {
        tokens.iter().fold(String::new(), |mut page, token| {
            let _ = write!(page, "import('./es-{token}.js');");
            page
        })
    };
    let (one, other) = (["AAAAAAA1", "BBBBBBb2", "CCCCCCc3"], ["ZZZZZZz1", "BBBBBBb2", "CCCCCCc3"]);
    let first = twins(one, &page(one), &NameOptions::default());
    assert_eq!(first, twins(other, &page(other), &NameOptions::default()));
    assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), 3, "{first:?}");
    assert!(
        first.iter().all(|path| path.strip_prefix("a/es~").and_then(|rest| rest.strip_suffix(".js")).is_some()),
        "{first:?}"
    );
}

#[test]
fn the_bundlers_manifest_tells_twins_apart_first() {
    let manifest = |tokens: [&str; 3]| {
        let entry = |(at, token): (usize, &&str)| {
            format!("\"src/{at}/es.ts\":{{\"file\":\"a/es-{token}.js\",\"src\":\"src/{at}/es.ts\"}}")
        };
        Some(format!("{{{}}}", tokens.iter().enumerate().map(entry).collect::<Vec<_>>().join(",")))
    };
    let (one, other) = (["AAAAAAA1", "BBBBBBb2", "CCCCCCc3"], ["ZZZZZZz1", "YYYYYYy2", "XXXXXXx3"]);
    let options = |tokens| NameOptions { bundler_manifest: manifest(tokens), ..NameOptions::default() };
    let first = twins(one, "", &options(one));
    assert_eq!(first, twins(other, "", &options(other)));
    assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), 3, "{first:?}");
}

#[test]
fn likeness_to_the_last_release_tells_apart_what_nothing_refers_to() {
    use sha2::{Digest, Sha256};
    let tokens = ["AAAAAAA1", "BBBBBBb2", "CCCCCCc3"];
    let previous = PreviousFile {
        logical: "a/es~abc123.js".into(),
        digest: Some(Sha256::digest("// BBBBBBb2").into()),
        imports: Vec::new(),
    };
    let options = NameOptions { previous: vec![previous], ..NameOptions::default() };
    assert_eq!(twins(tokens, "", &options)[1], "a/es~abc123.js");
}

#[test]
fn a_text_full_of_markers_leaves_every_name() {
    let mut all = String::new();
    for number in 0..26_usize.pow(4) {
        let letter = |of: usize| char::from(b'a' + u8::try_from(of % 26).expect("below 26"));
        all.extend([letter(number / 17576), letter(number / 676), letter(number / 26), letter(number), ' ']);
    }
    let (names, diagnostics) = Names::new(&sources(&[("a.js", &all), ("b.png", "")]), &NameOptions::default());
    assert_eq!(diagnostics.iter().map(|diagnostic| diagnostic.code).collect::<Vec<_>>(), ["no-marker"]);
    assert_eq!(shown(&names, "b.png"), "kept");
}

#[test]
fn source_maps_of_no_file_keep_their_names() {
    let files = [("a-Cd8DgnZB.js", ""), ("a-Cd8DgnZB.js.map", ""), ("lone-H5IQ_Up3.js.map", ""), ("plain.js.map", "")];
    let options = NameOptions { grammar: Some(Grammar::Vite), ..NameOptions::default() };
    let names = names_of(&files, &options);
    assert_eq!(shown(&names, "a-Cd8DgnZB.js.map"), "a-|Cd8DgnZB|.js.map");
    assert_eq!(shown(&names, "lone-H5IQ_Up3.js.map"), "kept");
    assert_eq!(shown(&names, "plain.js.map"), "kept");
    assert_eq!(names.mentions("/lone-H5IQ_Up3.js.map"), []);
}
