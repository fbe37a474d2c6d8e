use proptest::prelude::*;

use super::*;
use crate::link::fixture::{names, path, shown};
use crate::scan::Kind;

fn linked(page: &str, text: &str, names: &Names) -> Linked {
    let source = Source { path: path(page), kind: Kind::Html, bytes: text.as_bytes().into() };
    link(&source, text, names)
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let names = names();
    let found = linked("index.html", text, &names);
    assert_eq!(shown(text, &found, &names), expected);
    assert_eq!(found.diagnostics, [], "{text}");
}

#[track_caller]
fn check_kind(text: &str, expected: &[(&str, ReferenceKind)]) {
    let found = linked("index.html", text, &names());
    let kinds: Vec<(&str, ReferenceKind)> =
        found.references.iter().map(|reference| (reference.to.as_str(), reference.kind)).collect();
    assert_eq!(kinds, expected, "{text}");
}

#[test]
fn urls_are_replaced_however_they_are_spelled() {
    check("<script src=/assets/index-Cd8DgnZB.js></script>", "<script src=/assets/index-TOKEN.js></script>");
    check("<script src='./assets/index-Cd8DgnZB.js?a#b'>", "<script src='./assets/index-TOKEN.js?a#b'>");
    check("<SCRIPT\nSRC = \"assets/index-Cd8DgnZB.js\" >", "<SCRIPT\nSRC = \"assets/index-TOKEN.js\" >");
    check("<img src=\" favicon.svg \">", "<img src=\" favicon.FILE.svg \">");
    check("<img src='img/a&amp;b.png'>", "<img src='img/a&amp;b.FILE.png'>");
    check("<img src='img/a&b.png'>", "<img src='img/a&b.FILE.png'>");
    check("<img src='&#x69;mg&sol;a%20b&period;png?c'>", "<img src='&#x69;mg&sol;a%20b.FILE&period;png?c'>");
    check("<img src='img/&uuml;.png'>", "<img src='img/&uuml;.FILE.png'>");
    check("<img src=img/%C3%BC.png>", "<img src=img/%C3%BC.FILE.png>");
}

#[test]
fn every_attribute_that_refers() {
    check(
        "<img srcset='favicon.svg 1x, assets/logo-D8aaQ9zz.png 2x'>",
        "<img srcset='favicon.FILE.svg 1x, assets/logo-TOKEN.png 2x'>",
    );
    check("<source srcset='img/a&amp;b.png 2x'>", "<source srcset='img/a&amp;b.FILE.png 2x'>");
    check(
        "<link rel=preload as=image imagesrcset='favicon.svg 1x'>",
        "<link rel=preload as=image imagesrcset='favicon.FILE.svg 1x'>",
    );
    check("<video poster=favicon.svg src=/favicon.svg>", "<video poster=favicon.FILE.svg src=/favicon.FILE.svg>");
    check("<object data=favicon.svg>", "<object data=favicon.FILE.svg>");
    check(
        "<svg><use href='favicon.svg#a'/><image xlink:href=\"favicon.svg\"/></svg>",
        "<svg><use href='favicon.FILE.svg#a'/><image xlink:href=\"favicon.FILE.svg\"/></svg>",
    );
    check("<a href='assets/logo-D8aaQ9zz.png' download>", "<a href='assets/logo-TOKEN.png' download>");
    check(
        "<meta property=og:image content=/assets/logo-D8aaQ9zz.png>",
        "<meta property=og:image content=/assets/logo-TOKEN.png>",
    );
    check("<link rel=alternate href=/assets/logo-D8aaQ9zz.png>", "<link rel=alternate href=/assets/logo-TOKEN.png>");
    check(
        "<div data-src='/assets/logo-D8aaQ9zz.png' data-x='/favicon.svg'>",
        "<div data-src='/assets/logo-TOKEN.png' data-x='/favicon.svg'>",
    );
    check(
        "<div style=\"background:url(&quot;favicon.svg&quot;)\">",
        "<div style=\"background:url(&quot;favicon.FILE.svg&quot;)\">",
    );
    check("<style>a{b:url(/assets/logo-D8aaQ9zz.png)}</style>", "<style>a{b:url(/assets/logo-TOKEN.png)}</style>");
    check("<noscript><img src=favicon.svg></noscript>", "<noscript><img src=favicon.FILE.svg></noscript>");
    check("<template><img src=favicon.svg></template>", "<template><img src=favicon.FILE.svg></template>");
    check("<script>import('./assets/shop-H5IQ_Up3.js')</script>", "<script>import('./assets/shop-TOKEN.js')</script>");
}

#[test]
fn what_is_no_reference_stays() {
    for text in [
        "<!-- <img src=favicon.svg> -->",
        "<!--[if IE]><script src=/assets/index-Cd8DgnZB.js></script><![endif]-->",
        "<form action=favicon.svg><button formaction=favicon.svg>",
        "<img src='https://elsewhere/favicon.svg'><img src=//elsewhere/favicon.svg><img src='data:,favicon.svg'>",
        "<a href=/about><a href='#a'><a href=''><a href='mailto:a@b'><a href=sub/page.html>",
        "<meta property=og:image content=https://shop/assets/logo-D8aaQ9zz.png>",
        "<script type=application/ld+json>{\"a\":\"/assets/index-Cd8DgnZB.js\"}</script>",
        "<textarea><img src=favicon.svg></textarea><title>/favicon.svg</title>",
        "<p>/assets/index-Cd8DgnZB.js</p>",
        "<link rel=manifest href=/app.webmanifest><link rel=canonical href=/>",
        "<link rel=preconnect href=/favicon.svg>",
        "<a href=/favicon.svg download><svg><a href='favicon.svg'/></svg><map><area href=favicon.svg></map>",
        "<link rel=alternate type=image/svg+xml href=/favicon.svg><link rel=search href=favicon.svg>",
        "<object data=app.pdf></object><link rel=preload as=fetch crossorigin href=/data.json><link rel=prefetch href=/data.json>",
        "<link rel='canonical license' href=/favicon.svg><meta property=og:image content=/favicon.svg>",
        "<div class=favicon.svg id=favicon.svg title=/assets/index-Cd8DgnZB.js>",
    ] {
        check(text, text);
    }
}

#[test]
fn a_base_moves_what_is_relative_in_scripts_of_the_page() {
    check(
        "<base href=/assets/><script type=module>import './shop-H5IQ_Up3.js';import('../plain.js');new URL('logo-D8aaQ9zz.png',import.meta.url);new Worker('./index-Cd8DgnZB.js')</script>",
        "<base href=/assets/><script type=module>import './shop-TOKEN.js';import('../plain.FILE.js');new URL('logo-TOKEN.png',import.meta.url);new Worker('./index-TOKEN.js')</script>",
    );
    // Without the base these would lead nowhere, or elsewhere.
    check(
        "<base href=img/><script type=module>import '../plain.js';new URL('a b.png',import.meta.url)</script>",
        "<base href=img/><script type=module>import '../plain.FILE.js';new URL('a b.FILE.png',import.meta.url)</script>",
    );
}

#[test]
fn what_a_page_of_another_base_names_stays_as_it_is() {
    let text = "<base href=https://cdn.example/><script type=module>import './shop-H5IQ_Up3.js'</script>";
    check(text, text);
    let found = linked("index.html", text, &names());
    let kept: Vec<_> = found.keeps.into_iter().map(|keep| keep.file).collect();
    assert_eq!(kept, [path("assets/shop-H5IQ_Up3.js")]);
}

#[test]
fn a_base_moves_what_is_relative() {
    check(
        "<base href=/assets/><img src=logo-D8aaQ9zz.png><img src=/favicon.svg>",
        "<base href=/assets/><img src=logo-TOKEN.png><img src=/favicon.FILE.svg>",
    );
    let names = names();
    let text = "<img src=../favicon.svg>";
    assert_eq!(shown(text, &linked("sub/page.html", text, &names), &names), "<img src=../favicon.FILE.svg>");
}

#[test]
fn import_maps_keep_what_is_asked_for() {
    check(
        r#"<script type="importmap">{"imports":{"a":"./assets/shop-H5IQ_Up3.js","b/":"/assets/"},"scopes":{"/assets/":{"c":"\/plain.js"}}}</script>"#,
        r#"<script type="importmap">{"imports":{"a":"./assets/shop-TOKEN.js","b/":"/assets/"},"scopes":{"/assets/":{"c":"\/plain.FILE.js"}}}</script>"#,
    );
    let digest = "A".repeat(64);
    check(
        &format!(r#"<script type=importmap>{{"integrity":{{"/plain.js":"sha384-{digest}"}}}}</script>"#),
        r#"<script type=importmap>{"integrity":{"/plain.FILE.js":"[sha384 plain.js]"}}</script>"#,
    );
    check("<script type=importmap>{ no json </script>", "<script type=importmap>{ no json </script>");
}

#[test]
fn integrity_values_become_those_of_the_final_bytes() {
    let (sha256, sha384) = ("B".repeat(43) + "=", "A".repeat(64));
    check(
        &format!("<script integrity='sha256-{sha256} sha384-{sha384}?x' src=plain.js></script>"),
        "<script integrity='[sha256 plain.js] [sha384 plain.js]?x' src=plain.FILE.js></script>",
    );
    let elsewhere = format!("<script integrity=sha384-{sha384} src=https://elsewhere/a.js></script>");
    check(&elsewhere, &elsewhere);
    check(
        "<script integrity='md5-x sha384-short' src=plain.js>",
        "<script integrity='md5-x sha384-short' src=plain.FILE.js>",
    );
}

#[test]
fn references_have_their_kinds() {
    use ReferenceKind::{Font, Image, ModuleScript, Name, Navigation, Script, Stylesheet};
    check_kind("<script src=plain.js></script>", &[("plain.js", Script)]);
    check_kind("<script type=module src=plain.js></script>", &[("plain.js", ModuleScript)]);
    check_kind("<link rel=modulepreload href=plain.js>", &[("plain.js", ModuleScript)]);
    check_kind(
        "<link rel='preload stylesheet' as=style href=assets/index-BgJEWM-p.css>",
        &[("assets/index-BgJEWM-p.css", Stylesheet)],
    );
    check_kind(
        "<link rel=preload as=font crossorigin href=assets/inter-B9kq2_xR.woff2>",
        &[("assets/inter-B9kq2_xR.woff2", Font)],
    );
    check_kind("<link rel=preload as=script href=plain.js>", &[("plain.js", Name)]);
    check_kind("<link rel=prefetch as=script href=plain.js>", &[("plain.js", Name)]);
    check_kind("<link rel='shortcut icon' href=favicon.svg>", &[("favicon.svg", Image)]);
    check_kind("<link rel=manifest href=app.webmanifest>", &[("app.webmanifest", Name)]);
    check_kind("<a href=sub/page.html>", &[("sub/page.html", Navigation)]);
    check_kind("<style>@import 'assets/index-BgJEWM-p.css'</style>", &[("assets/index-BgJEWM-p.css", Stylesheet)]);
}

#[test]
fn what_leads_nowhere_is_told_with_its_place() {
    let text = "<html>\n  <img src=missing.png>\n<a href=/route></a><div style='b:url(gone.png)'>";
    let found = linked("index.html", text, &names());
    let places: Vec<(u32, u32)> =
        found.diagnostics.iter().filter_map(|finding| finding.place).map(|place| (place.line, place.column)).collect();
    assert_eq!(places, [(2, 12), (3, 38)], "{:?}", found.diagnostics);
}

#[test]
fn a_page_needs_its_preloads_styles_and_scripts() {
    let text = "<link rel=modulepreload href=assets/shop-H5IQ_Up3.js><link rel=stylesheet crossorigin href=assets/index-BgJEWM-p.css>\
                <link rel=stylesheet media=print href=assets/logo-CLuoci_l.svg><link rel=prefetch href=favicon.svg>\
                <link rel=preload as=font href=assets/inter-B9kq2_xR.woff2><script nomodule src=plain.js></script>\
                <script type=module src=assets/index-Cd8DgnZB.js></script><script src=plain.js></script><script src=plain.js></script>";
    let found = needs(text, &linked("index.html", text, &names()).references);
    let spelled: Vec<String> = found
        .iter()
        .map(|need| {
            format!(
                "{} {} {}{}",
                need.file,
                need.destination,
                if need.module { "module " } else { "" },
                if need.crossorigin { "cors" } else { "" }
            )
        })
        .collect();
    assert_eq!(
        spelled,
        [
            "assets/shop-H5IQ_Up3.js script module cors",
            "assets/index-BgJEWM-p.css style cors",
            "assets/inter-B9kq2_xR.woff2 font cors",
            "assets/index-Cd8DgnZB.js script module cors",
            "plain.js script ",
        ]
    );
}

#[test]
fn hashes_of_a_pages_policy_follow_its_scripts() {
    // The digest of `alert(1)` is a well-known one.
    let known = "sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI=";
    assert_eq!(inline_script_hashes("<script>alert(1)</script><script>alert(1)</script>"), [known]);
    assert_eq!(inline_script_hashes("<script src=a></script><script type=a/b>c</script>"), Vec::<String>::new());
    assert_eq!(inline_script_hashes("<script>a\r\nb</script>"), inline_script_hashes("<script>a\nb</script>"));
    let policy = |hash: &str, script: &str| {
        format!(
            "<meta http-equiv=Content-Security-Policy content=\"script-src '{hash}' 'sha256-other='\"><script>{script}</script>"
        )
    };
    let before = policy(known, "alert(1)");
    let changed = inline_script_hashes("<script>alert(2)</script>").remove(0);
    assert_eq!(refresh_hashes(&before, &policy(known, "alert(2)")), policy(&changed, "alert(2)"));
    assert_eq!(refresh_hashes(&before, &before), before);
    let other_shape = policy(known, "alert(2)") + "<script>b</script>";
    assert_eq!(refresh_hashes(&before, &other_shape), other_shape, "what does not match is left alone");
}

#[test]
fn hashes_of_styles_and_handlers_follow_too() {
    let before = "<style>a {}</style><p style='b:url(c)' onclick='d()'>";
    let after = "<style>a{}</style><p style='b:url(e)' onclick='d()'>";
    let changed = changed_hashes(before, after);
    assert_eq!(changed.len(), 6, "two of them, by three digests each");
}

#[test]
fn a_page_cut_anywhere_is_linked() {
    let names = names();
    let text = "<!doctype html><base href='/'><script type=importmap>{\"imports\":{\"a\":\"/plain.js\"}}</script>\
                <img srcset='favicon.svg 1x,ü 2x' style='a:url(favicon.svg)'><noscript><img src=favicon.svg></noscript>\
                <script integrity=sha256-AAAA src=plain.js></script><style>@import 'ü';a{b:url(favicon.svg)}</style>";
    for end in (0..text.len()).filter(|&end| text.is_char_boundary(end)) {
        let found = linked("index.html", &text[..end], &names);
        shown(&text[..end], &found, &names);
    }
}

#[test]
fn long_and_deep_pages_are_linked() {
    let names = names();
    linked("index.html", &"<div style='a:b'>".repeat(100_000), &names);
    linked("index.html", &"<noscript>".repeat(1000), &names);
    linked("index.html", &format!("<img srcset='{}'>", "favicon.svg 1x,".repeat(20_000)), &names);
}

proptest! {
    #[test]
    fn edits_are_apart_and_inside_values(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just("<img src="), Just("favicon.svg"), Just("/assets/index-Cd8DgnZB.js"), Just("'"), Just("\""), Just(">"), Just(" "),
                Just("<style>"), Just("</style>"), Just("a{b:url("), Just(")}"), Just("<script>"), Just("</script>"), Just("&amp;"),
                Just(" style="), Just(" srcset="), Just(", "), Just("<noscript>"), Just("</noscript>"), Just("ü"), Just("<!--"),
                Just("-->"), Just("<script type=importmap>"), Just("{\"imports\":{\"a\":\""), Just("\"}}"), Just("<base href=/assets/>"),
            ],
            0..20,
        ),
    ) {
        let names = names();
        let text = pieces.concat();
        let found = linked("index.html", &text, &names);
        shown(&text, &found, &names);
        for edit in &found.edits {
            let replaced = &text[edit.span.clone()];
            prop_assert!(replaced.is_empty() || replaced == "Cd8DgnZB", "{:?} in {}", edit, text);
        }
    }
}
