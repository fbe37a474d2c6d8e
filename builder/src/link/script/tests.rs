use proptest::prelude::*;

use crate::link::rounds::tests::{linked, shown, sources};
use crate::link::{Graph, NameOptions, Naming, apply};
use crate::scan::SourcePath;

/// Files of a Vite build besides the script under test.
const VITE: &[(&str, &str)] = &[
    ("assets/shop-H5IQ_Up3.js", ""),
    ("assets/shop-CL5SCNFB.css", ""),
    ("assets/text-CLuoci_l.js", ""),
    ("assets/worker-BwFdswSX.js", ""),
    ("assets/icons-DdX0yYkd.svg", ""),
    ("assets/settings-password.js", ""),
    ("logo.png", ""),
    ("it's.png", ""),
    ("plain.js", ""),
    ("index.html", ""),
];

#[track_caller]
fn check_in(others: &[(&str, &str)], script: &str, expected: &str) -> Graph {
    let own = ("assets/index-Cd8DgnZB.js", script);
    let files: Vec<(&str, &str)> = others.iter().copied().chain([own]).collect();
    let (graph, diagnostics) = linked(&files, &NameOptions::default());
    assert_eq!(diagnostics, [], "{script}");
    let shown = shown(&graph, own.0);
    assert_eq!(if shown == "as it was" { script } else { &shown }, expected, "{script}");
    graph
}

#[track_caller]
fn check(script: &str, expected: &str) {
    check_in(VITE, script, expected);
}

#[test]
fn imports_of_every_form_are_rewritten() {
    check("import{a}from\"./text-CLuoci_l.js\";", "import{a}from\"./text-<CLuoci_l>.js\";");
    check("import'./text-CLuoci_l.js'", "import'./text-<CLuoci_l>.js'");
    check("export*from\"./text-CLuoci_l.js\"", "export*from\"./text-<CLuoci_l>.js\"");
    check("export{a}from\"./text-CLuoci_l.js\"", "export{a}from\"./text-<CLuoci_l>.js\"");
    check("import(`./shop-H5IQ_Up3.js`)", "import(`./shop-<H5IQ_Up3>.js`)");
    check("import('../plain.js')", "import('../plain.<plain.js>.js')");
    check("import(\"react\")", "import(\"react\")");
    check("import.meta.resolve('../plain.js')", "import.meta.resolve('../plain.<plain.js>.js')");
}

#[test]
fn vites_preload_list_is_rewritten() {
    check(
        "const __vite__mapDeps=(i,m=__vite__mapDeps,d=(m.f||(m.f=[\"assets/shop-H5IQ_Up3.js\",\"assets/shop-CL5SCNFB.css\",\"plain.js\"])))=>i.map(i=>d[i]);",
        "const __vite__mapDeps=(i,m=__vite__mapDeps,d=(m.f||(m.f=[\"assets/shop-<H5IQ_Up3>.js\",\"assets/shop-<CL5SCNFB>.css\",\"plain.<plain.js>.js\"])))=>i.map(i=>d[i]);",
    );
}

#[test]
fn urls_and_workers_are_rewritten_as_the_language_says_what_they_are() {
    check(
        "new Worker(new URL(`/assets/worker-BwFdswSX.js`,``+import.meta.url),{type:`module`})",
        "new Worker(new URL(`/assets/worker-<BwFdswSX>.js`,``+import.meta.url),{type:`module`})",
    );
    check("new URL('../logo.png',import.meta.url)", "new URL('../logo.<logo.png>.png',import.meta.url)");
    check("new URL('../logo.png',document.baseURI)", "new URL('../logo.png',document.baseURI)");
    check("new URL('../../',import.meta.url)", "new URL('../../',import.meta.url)");
    check("importScripts('../plain.js')", "importScripts('../plain.<plain.js>.js')");
}

#[test]
fn a_fingerprint_counts_in_any_string_and_a_plain_name_only_as_a_whole_path() {
    check(
        "var a=`/logo.png`,b=`/assets/icons-DdX0yYkd.svg`",
        "var a=`/logo.<logo.png>.png`,b=`/assets/icons-<DdX0yYkd>.svg`",
    );
    check("`<use href=\"${base}icons-DdX0yYkd.svg#x\">`", "`<use href=\"${base}icons-<DdX0yYkd>.svg#x\">`");
    check("'a.css,/assets/shop-CL5SCNFB.css'.split(',')", "'a.css,/assets/shop-<CL5SCNFB>.css'.split(',')");
    check("x='logo.png';y='see /logo.png';z='/logo.pngx'", "x='logo.png';y='see /logo.png';z='/logo.pngx'");
    check("x='/logo.png?v=2#a'", "x='/logo.<logo.png>.png?v=2#a'");
    check("x='/it\\'s.png'", "x='/it\\'s.<it's.png>.png'");
    check("x='/logo.png'+y;z=y+'/logo.png'", "x='/logo.png'+y;z=y+'/logo.png'");
    check("String.raw`/logo.png`", "String.raw`/logo.png`");
}

#[test]
fn what_is_compared_or_looked_up_is_no_reference() {
    for script in [
        "if(x==='/logo.png')y()",
        "switch(x){case'/logo.png':y()}",
        "x.startsWith('/logo.png')",
        "a={'/logo.png':1}",
        "a['/logo.png']",
        "'/logo.png'in a",
        "/\\/logo.png/.test(x)",
        "// import './text-CLuoci_l.js' and '/logo.png'\n",
        "/* /assets/shop-H5IQ_Up3.js */",
        "'use strict'",
        "x='settings password H5IQ_Up3'",
        "x='https://cdn.example/assets/shop-H5IQ_Up3.js'",
        "x='/';y='/index.html'",
    ] {
        check(script, script);
    }
}

#[test]
fn what_is_compared_with_a_path_stays_equal_to_it_everywhere() {
    for script in [
        "m=new Map([['/logo.png',1]]);m.get('/logo.png')",
        "new Map([['/logo.png',1]]).get(x)",
        "['/logo.png'].includes(x)",
        "new Set(['/logo.png']).has(location.pathname)",
        "k='/logo.png';d={'/logo.png':1};d[k]",
        "k='/logo.png';if(x.path=='/logo.png')y()",
        "new URL('/logo.png','https://other.example.com')",
        "new Worker(new URL('/plain.js',`//other.example.com/a`))",
        "axios({baseURL:x,url:'/logo.png'})",
        "if(x=='/plain.js')y('/plain.js')",
    ] {
        check(script, script);
    }
    check("new Map([[1,'/logo.png']])", "new Map([[1,'/logo.<logo.png>.png']])");
    check(
        "if(x=='/logo.png')n=new URL('../logo.png',import.meta.url)",
        "if(x=='/logo.png')n=new URL('../logo.<logo.png>.png',import.meta.url)",
    );
    check("new URL('/logo.png',document.baseURI)", "new URL('/logo.<logo.png>.png',document.baseURI)");
    for (other, text) in [
        ("assets/text-CLuoci_l.js", "x==='/logo.png'"),
        ("index.html", "<script>m['/logo.png']</script>"),
        ("data.json", r#"{"/logo.png":1}"#),
    ] {
        let files: Vec<(&str, &str)> =
            VITE.iter().copied().filter(|(path, _)| *path != other).chain([(other, text)]).collect();
        check_in(&files, "image('/logo.png')", "image('/logo.png')");
    }
}

#[test]
fn data_and_documents_keep_the_url_at_which_they_change() {
    let data = ["version.json", "feed.xml", "terms.pdf", "cal.ics", "logo.PNG", "levels/one.map", "data"];
    let files: Vec<(&str, &str)> = VITE.iter().copied().chain(data.map(|path| (path, ""))).collect();
    check_in(
        &files,
        "fetch('/version.json');a='/feed.xml';b='/terms.pdf?c#d';c='/cal.ics';d='/levels/one.map';e='/data';f='/logo.PNG';new URL('../version.json',import.meta.url)",
        "fetch('/version.json');a='/feed.xml';b='/terms.pdf?c#d';c='/cal.ics';d='/levels/one.map';e='/data';f='/logo.<logo.PNG>.PNG';new URL('../version.<version.json>.json',import.meta.url)",
    );
}

#[test]
fn fingerprints_stay_equal_wherever_they_are_compared() {
    check("m={'shop-H5IQ_Up3.js':1};m['shop-H5IQ_Up3.js']", "m={'shop-<H5IQ_Up3>.js':1};m['shop-<H5IQ_Up3>.js']");
}

const WEBPACK: &[(&str, &str)] = &[
    ("static/js/336.b6ac1da1.chunk.js", "(self.webpackChunkapp=self.webpackChunkapp||[]).push([[336],{}])"),
    ("static/js/about.8f05686b.chunk.js", "(self.webpackChunkapp=self.webpackChunkapp||[]).push([[594],{}])"),
    ("static/css/about.8f05686b.chunk.css", ""),
    ("static/media/bg.f0b7904adbf143f70fae.png", ""),
    ("9a79ff9235fdf702f806.woff", ""),
    ("logo.png", ""),
];

#[track_caller]
fn check_webpack(script: &str, expected: &str) -> Graph {
    check_in(WEBPACK, script, expected)
}

fn names(graph: &Graph) -> Vec<&str> {
    let own = SourcePath::parse("assets/index-Cd8DgnZB.js").expect("a path");
    let mut names: Vec<&str> = graph.nodes[&own].references.iter().map(|reference| reference.to.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[test]
fn webpacks_name_functions_are_followed_for_every_chunk() {
    let graph = check_webpack(
        "r.u=e=>\"static/js/\"+(594===e?\"about\":e)+\".\"+{336:\"b6ac1da1\",594:\"8f05686b\"}[e]+\".chunk.js\",r.miniCssF=e=>\"static/css/about.8f05686b.chunk.css\"",
        "r.u=e=>\"static/js/\"+(594===e?\"about\":e)+\".\"+{336:\"<b6ac1da1>\",594:\"<8f05686b>\"}[e]+\".chunk.js\",r.miniCssF=e=>\"static/css/about.<8f05686b>.chunk.css\"",
    );
    let expected =
        ["static/css/about.8f05686b.chunk.css", "static/js/336.b6ac1da1.chunk.js", "static/js/about.8f05686b.chunk.js"];
    assert_eq!(names(&graph), expected);
}

#[test]
fn rspacks_name_functions_and_older_forms_are_followed() {
    check_webpack(
        "u.k=e=>\"static/css/about.8f05686b.chunk.css\",u.u=e=>\"static/js/\"+(594===e?\"about\":e)+\".\"+({336:\"b6ac1da1\",594:\"8f05686b\"})[e]+\".chunk.js\"",
        "u.k=e=>\"static/css/about.<8f05686b>.chunk.css\",u.u=e=>\"static/js/\"+(594===e?\"about\":e)+\".\"+({336:\"<b6ac1da1>\",594:\"<8f05686b>\"})[e]+\".chunk.js\"",
    );
    check_webpack(
        "r.u=function(e){return\"static/js/\"+({594:\"about\"}[e]||e)+\".\"+{336:\"b6ac1da1\",594:\"8f05686b\"}[e]+\".chunk.js\"}",
        "r.u=function(e){return\"static/js/\"+({594:\"about\"}[e]||e)+\".\"+{336:\"<b6ac1da1>\",594:\"<8f05686b>\"}[e]+\".chunk.js\"}",
    );
    check_webpack(
        "r.u=e=>336===e?`static/js/336.b6ac1da1.chunk.js`:594===e?\"static/js/about.8f05686b.chunk.js\":void 0",
        "r.u=e=>336===e?`static/js/336.<b6ac1da1>.chunk.js`:594===e?\"static/js/about.<8f05686b>.chunk.js\":void 0",
    );
}

#[test]
fn a_name_function_that_cuts_up_a_hash_is_answered_by_a_table() {
    let others = [("336.b6ac1da1.js", ""), ("main.28cb0dcd.js", "webpackChunk"), ("787.28cb0dce.js", "")];
    check_in(
        &others,
        "r.h=()=>\"b6ac1da1c47a2f9e6b55\",r.u=e=>e+\".\"+r.h().slice(0,8)+\".js\",r.e(336)",
        "r.h=()=>\"b6ac1da1c47a2f9e6b55\",r.u=(function(n){var t={\"336\":\"336.<b6ac1da1>.js\"};return function(e){return t[e]||n(e)}})(e=>e+\".\"+r.h().slice(0,8)+\".js\"),r.e(336)",
    );
}

#[test]
fn chunks_whose_names_nobody_can_follow_keep_them() {
    let files: Vec<(&str, &str)> = WEBPACK
        .iter()
        .copied()
        .chain([("r.28cb0dcd.js", "r.u=e=>compute(e)+\".chunk.js\";r.p+\"static/media/bg.f0b7904adbf143f70fae.png\"")])
        .collect();
    let (graph, diagnostics) = linked(&files, &NameOptions::default());
    let codes: Vec<&str> = diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(codes, ["unknown-name-function"], "{diagnostics:?}");
    let naming = |of: &str| graph.nodes[&SourcePath::parse(of).expect("a path")].naming.clone();
    assert_eq!(naming("static/js/336.b6ac1da1.chunk.js"), Naming::Kept);
    assert!(matches!(naming("static/media/bg.f0b7904adbf143f70fae.png"), Naming::Hashed { .. }));
}

#[test]
fn webpacks_public_path_makes_a_path_below_the_base() {
    check_webpack(
        "n.p+\"static/media/bg.f0b7904adbf143f70fae.png\"",
        "n.p+\"static/media/bg.<f0b7904adbf143f70fae>.png\"",
    );
    check_webpack("n.p+\"9a79ff9235fdf702f806.woff\"", "n.p+\"<9a79ff9235fdf702f806>.woff\"");
    check_webpack("n.p+\"logo.png\"", "n.p+\"logo.<logo.png>.png\"");
    check_webpack("n.p+\"logo.png\"+x", "n.p+\"logo.png\"+x");
    check_webpack(
        "eval(\"module.exports = __webpack_require__.p + \\\"static/media/bg.f0b7904adbf143f70fae.png\\\";\")",
        "eval(\"module.exports = __webpack_require__.p + \\\"static/media/bg.<f0b7904adbf143f70fae>.png\\\";\")",
    );
}

#[test]
fn a_fingerprint_that_is_a_propertys_name_stays_since_its_quotes_may_go() {
    check_webpack("m={\"8f05686b\":1};m[\"8f05686b\"]", "m={\"8f05686b\":1};m[\"8f05686b\"]");
}

#[test]
fn integrity_values_are_known_by_what_they_are_of() {
    let chunk = "(self.rspackChunkapp=[]).push([[607],{}])";
    let value = crate::digest::integrity(chunk.as_bytes(), crate::link::placeholder::Algorithm::Sha384);
    let foreign = value.replace('A', "B").replace('a', "b");
    check_in(
        &[("about.a34f2334.js", chunk), ("main.3eea92f7.js", "rspackChunk")],
        &format!("c.sriHashes={{607:\"{value}\",325:\"{foreign}\"}}"),
        &format!("c.sriHashes={{607:\"<sha384 about.a34f2334.js>\",325:\"{foreign}\"}}"),
    );
}

#[test]
fn parcels_tables_and_urls_are_rewritten() {
    let parcel = [("worker.f34c137a.js", "parcelRequire"), ("About.06c94017.js", ""), ("picture.5a39b98d.svg", "")];
    check_in(
        &parcel,
        "Object.assign(m.i??={},{\"1DTZ3\":\"worker.f34c137a.js\",jHtAA:\"About.06c94017.js\"}),new URL(\"../picture.5a39b98d.svg\",import.meta.url)",
        "Object.assign(m.i??={},{\"1DTZ3\":\"worker.<f34c137a>.js\",jHtAA:\"About.<06c94017>.js\"}),new URL(\"../picture.<5a39b98d>.svg\",import.meta.url)",
    );
}

#[test]
fn esbuilds_chunks_are_rewritten() {
    let esbuild = [("chunks/chunk-KYZ57CU4.js", ""), ("chunks/shop-XAJUHND3.js", ""), ("app.js", "")];
    check_in(
        &esbuild,
        "import{a}from\"/chunks/chunk-KYZ57CU4.js\";import(\"../chunks/shop-XAJUHND3.js\");import\"../app.js\"",
        "import{a}from\"/chunks/chunk-<KYZ57CU4>.js\";import(\"../chunks/shop-<XAJUHND3>.js\");import\"../app.<app.js>.js\"",
    );
}

#[test]
fn a_precache_list_has_true_revisions_and_both_names_of_a_file() {
    let worker = "define([\"./workbox-2fbc6a65\"],function(s){s.precacheAndRoute([{url:\"index.html\",revision:\"5c32\"},{url:\"logo.png\",revision:\"2923a395ebe4336962dd691d5353e1ee\"},{url:\"favicon.ico\",revision:\"1\"},{url:\"assets/index-Cd8DgnZB.js\",revision:null}])});";
    let files = [
        ("sw.js", worker),
        ("workbox-2fbc6a65.js", ""),
        ("assets/index-Cd8DgnZB.js", "x='/logo.png';const __vite__mapDeps=0"),
        ("logo.png", ""),
        ("favicon.ico", ""),
        ("index.html", ""),
    ];
    let (graph, diagnostics) = linked(&files, &NameOptions::default());
    assert_eq!(diagnostics, []);
    let expected = "define([\"./workbox-<2fbc6a65>\"],function(s){s.precacheAndRoute([{url:\"index.html\",revision:\"<revision index.html>\"},{url:\"logo.png\",revision:\"<revision logo.png>\"},{url:\"logo.<logo.png>.png\",revision:null},{url:\"favicon.ico\",revision:\"<revision favicon.ico>\"},{url:\"assets/index-<Cd8DgnZB>.js\",revision:null}])});";
    assert_eq!(shown(&graph, "sw.js"), expected);
}

#[test]
fn a_source_map_is_referred_to_and_a_licence_notice_is_left_to_the_minifier() {
    let files = [
        (
            "js/main.8a7b6c5d.js",
            "/*! For license information please see main.8a7b6c5d.js.LICENSE.txt */\nwebpackChunk()\n//# sourceMappingURL=main.8a7b6c5d.js.map",
        ),
        ("js/main.8a7b6c5d.js.map", "{}"),
        ("js/main.8a7b6c5d.js.LICENSE.txt", ""),
    ];
    let (graph, diagnostics) = linked(&files, &NameOptions::default());
    assert_eq!(diagnostics, []);
    assert_eq!(graph.nodes[&SourcePath::parse(files[0].0).expect("a path")].edits, []);
    let own = SourcePath::parse(files[0].0).expect("a path");
    assert!(graph.nodes[&own].references.iter().any(|reference| reference.to.as_str() == files[1].0));
}

#[test]
fn a_truncated_script_never_panics() {
    let script = "import{a}from\"./text-CLuoci_l.js\";const b=`ä${a}/assets/icons-DdX0yYkd.svg`;new Worker(new URL('/x\\u{61}.js',import.meta.url));r.u=e=>({1:\"a\"})[e]+'.js'";
    for at in (0..=script.len()).filter(|&at| script.is_char_boundary(at)) {
        let files: Vec<(&str, &str)> =
            VITE.iter().copied().chain([("assets/index-Cd8DgnZB.js", &script[..at])]).collect();
        linked(&files, &NameOptions::default());
    }
}

const PIECES: &[&str] = &[
    "'/logo.png'",
    "\"./shop-H5IQ_Up3.js\"",
    "`a${b}/shop-CL5SCNFB.css`",
    "import('./text-CLuoci_l.js')",
    "+",
    ",",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ":",
    ";",
    "=>",
    "a",
    "r.u=",
    "new URL(",
    "import.meta.url",
    "\\",
    "'",
    "\"",
    "`",
    "${",
    "//",
    "\n",
    "ü",
    "/*",
    "*/",
    "case ",
    "{url:'logo.png',revision:'1'}",
    "336",
    "===",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn edits_are_apart_in_order_and_change_names_only(picks in prop::collection::vec(0..PIECES.len(), 0..24)) {
        let script: String = picks.into_iter().map(|pick| PIECES[pick]).collect();
        let files: Vec<(&str, &str)> = VITE.iter().copied().chain([("assets/index-Cd8DgnZB.js", script.as_str())]).collect();
        let (graph, _) = linked(&files, &NameOptions::default());
        let own = SourcePath::parse("assets/index-Cd8DgnZB.js").expect("a path");
        let node = &graph.nodes[&own];
        let mut at = 0;
        for edit in &node.edits {
            prop_assert!(edit.span.start >= at && edit.span.end >= edit.span.start && edit.span.end <= script.len(), "{:?}", node.edits);
            at = edit.span.end;
        }
        if let Some(text) = &node.text {
            prop_assert_eq!(text, &apply(&script, &node.edits));
            let placeholders: usize = graph.placeholders.count(text.as_bytes()).values().sum();
            prop_assert!(placeholders >= node.edits.len(), "{}", text);
        }
    }
}

#[test]
fn a_line_of_many_megabytes_is_refused_or_read_in_time() {
    let line = format!("x=[{}]", "'/logo.png',".repeat(1 << 22));
    let files = sources(&[("a.js", line.as_bytes()), ("logo.png", b"")]);
    let (graph, diagnostics) =
        crate::link::link(&files, &NameOptions::default(), &crate::threads::pool(1).expect("a thread"));
    assert_eq!(diagnostics.iter().map(|diagnostic| diagnostic.code).collect::<Vec<_>>(), ["unreadable-script"]);
    assert!(graph.nodes.values().all(|node| node.text.is_none()));
}
