//! The stage on graphs made by hand: results, refusals, source maps, the cache.

use std::sync::Arc;

use base64::Engine;
use oxc_sourcemap::SourceMap;

use super::job::attempt;
use super::*;
use crate::link::placeholder::{Meaning, Placeholders};
use crate::link::{Edit, Naming, Reference, ReferenceKind, ScriptKind};
use crate::minify::{Input, Minifier, maps};
use crate::threads::pool;

const MARKER: &str = "qzqz";

fn path(path: &str) -> SourcePath {
    SourcePath::parse(path).expect("a path")
}

fn node(name: &str, bytes: &[u8]) -> Node {
    let kind = match name.rsplit('.').next() {
        Some("js") => Kind::Script,
        Some("css") => Kind::Css,
        Some("map") => Kind::SourceMap,
        _ => Kind::Other,
    };
    Node {
        source: Source { path: path(name), kind, bytes: bytes.into() },
        naming: Naming::Kept,
        logical: name.to_owned(),
        text: None,
        edits: Vec::new(),
        references: Vec::new(),
        script: ScriptKind::Unknown,
    }
}

fn graph(nodes: impl IntoIterator<Item = Node>) -> Graph {
    let meanings = (0..10).map(|name| (format!("{MARKER}{name:06}"), Meaning::Token(name.to_string()))).collect();
    Graph {
        nodes: nodes.into_iter().map(|node| (node.source.path.clone(), node)).collect(),
        placeholders: Placeholders { marker: MARKER.to_owned(), meanings },
    }
}

fn options(source_maps: SourceMaps) -> Options {
    Options { source_maps, keep_function_names: false }
}

fn run(graph: Graph, source_maps: SourceMaps) -> (Minimal, Vec<Diagnostic>) {
    minify(graph, options(source_maps), &Cache::none(), &pool(2).expect("threads"))
}

/// One script: its result, and the codes of what there is to say.
fn script(text: &str) -> (String, Vec<&'static str>) {
    let (mut minimal, findings) = run(graph([node("a.js", text.as_bytes())]), SourceMaps::Private);
    let minified = minimal.texts.remove(&path("a.js")).expect("a text");
    (minified.text, findings.iter().map(|finding| finding.code).collect())
}

#[track_caller]
fn check_refused(text: &str) {
    assert_eq!(script(text), (text.to_owned(), vec!["not-minified"]));
}

#[test]
fn a_script_becomes_smaller() {
    assert_eq!(
        script("(function () {\n  const long = f();\n  g(long, long);\n})();\n").0,
        "(function(){let e=f();g(e,e)})();"
    );
}

#[test]
fn what_cannot_be_parsed_passes_through() {
    check_refused("let a = ;");
    check_refused("return 1");
    check_refused("function f() {");
    check_refused("\u{0}\u{1}binary");
}

#[test]
fn a_refusal_names_the_place() {
    let (_, findings) = run(graph([node("a.js", b"let a = 1;\nlet b = ;\n")]), SourceMaps::Private);
    assert_eq!(findings.len(), 1);
    let text = findings[0].to_string();
    assert!(text.starts_with("a.js:2:9: warning: cannot minify: "), "{text}");
    assert!(text.ends_with("; it is published as the bundler wrote it"), "{text}");
}

#[test]
fn what_is_nested_too_deeply_passes_through() {
    check_refused(&"[".repeat(100_000));
    check_refused(&format!("x={}b", "a+".repeat(100_000)));
}

#[test]
fn a_line_of_50_megabytes_passes_through() {
    check_refused(&"a();".repeat(13 << 20));
}

#[test]
fn a_text_cut_off_anywhere_ends_in_a_result_or_a_warning() {
    let whole = "#!/x\n/*! l */'use strict';import a from'./a';const b=`${a}ü`;if(/[/]/.test(b)){export_()}\n//# sourceMappingURL=data:application/json;base64,e30=";
    for end in (0..whole.len()).filter(|&end| whole.is_char_boundary(end)) {
        let (text, findings) = script(&whole[..end]);
        assert!(findings.len() <= 1, "{findings:?}");
        assert!(text.len() <= whole.len());
    }
}

#[test]
fn what_is_not_utf_8_is_published_as_bytes() {
    let (minimal, findings) = run(graph([node("a.js", b"a('\xff')"), node("b.bin", b"\xff")]), SourceMaps::Private);
    assert!(minimal.texts.is_empty());
    assert_eq!(
        findings.iter().map(|finding| (&*finding.file, finding.code)).collect::<Vec<_>>(),
        [("a.js", "not-utf8")]
    );
}

#[test]
fn every_placeholder_stays() {
    let text =
        format!("const name = 'a-{MARKER}000001.js', other = \"b.{MARKER}000002\";\nimport('./' + name);f(other)");
    let mut node = node("a.js", b"unlike the text");
    node.text = Some(text);
    let (minimal, findings) = run(graph([node]), SourceMaps::Private);
    assert_eq!(findings, []);
    let text = &minimal.texts[&path("a.js")].text;
    for name in ["000001", "000002"] {
        assert_eq!(text.matches(&format!("{MARKER}{name}")).count(), 1, "{text}");
    }
    let node = &minimal.graph.nodes[&path("a.js")];
    assert!(node.text.is_none() && node.edits.is_empty(), "they have moved");
}

#[test]
fn a_placeholder_that_was_lost_or_repeated_makes_the_minifier_gentle() {
    for (before, after) in [
        ("if (false) f('P'); g( 1 )", "if(false)f(`P`);g(1);"),
        ("const name = 'P'; f( name )", "const name=`P`;f(name);"),
        ("f( 'a-P.js'.slice(0, 4) )", "f(`a-P.js`.slice(0,4));"),
    ] {
        let placed = |text: &str| text.replace('P', &format!("{MARKER}000001"));
        let mut node = node("a.js", b"");
        node.text = Some(placed(before));
        let (minimal, findings) = run(graph([node]), SourceMaps::Private);
        assert_eq!((&*minimal.texts[&path("a.js")].text, findings), (&*placed(after), vec![]));
    }
}

#[test]
fn a_minifier_that_panics_has_refused() {
    let panics: Minifier = |_| panic!("out of order");
    let path = path("a.js");
    let input = Input {
        path: &path,
        kind: Kind::Script,
        text: "a()",
        script: ScriptKind::Unknown,
        wants_map: false,
        gently: false,
        keep_function_names: false,
    };
    assert!(attempt(panics, &input).is_err_and(|refusal| refusal.reason == "the minifier failed on it"));
}

/// What a bundler made of `f(one)` of `one.js` and `g(two)` of `two.js`: a token for each name.
const BUNDLED: &str = "f( 'x-abcdefgh.js', one );\ng( two );\n";

/// Generated places and original ones, as a bundler would write them.
fn bundlers_map() -> String {
    let token = |line, column, from_line, from_column, source, name| {
        oxc_sourcemap::Token::new(line, column, from_line, from_column, Some(source), name)
    };
    let tokens = [
        token(0, 0, 4, 2, 0, None),
        token(0, 20, 4, 9, 0, Some(0)),
        // Inside `one`: found instead of the token before it where nothing was shifted.
        token(0, 21, 9, 9, 0, None),
        token(1, 0, 7, 0, 1, None),
        token(1, 3, 7, 5, 1, Some(1)),
    ];
    let map = SourceMap::from_json_string(
        r#"{"version":3,"file":"old.js","sourceRoot":"/src","sources":["one.ts","two.ts"],
            "sourcesContent":["const one = 'é'",null],"names":["one","two"],"mappings":"","ignoreList":[1],"debugId":"85314830-023f-4cf1-a267-535f4e37bb17"}"#,
    );
    let mut parts = map.expect("a map").into_parts();
    parts.tokens = tokens.into();
    SourceMap::from_parts(parts).to_json_string()
}

fn linked(comment: &str) -> Node {
    let bundled = format!("{BUNDLED}{comment}");
    let start = bundled.find("abcdefgh").expect("a token");
    let mut node = node("a.js", bundled.as_bytes());
    node.edits = vec![Edit { span: start..start + 8, text: format!("{MARKER}000001") }];
    node.text = Some(bundled.replace("abcdefgh", &format!("{MARKER}000001")));
    node
}

/// Where each word of the result comes from, by the result's map.
fn origin(minified: &Minified, word: &str) -> (String, u32, u32) {
    let map = SourceMap::from_json_string(minified.map.as_deref().expect("a map")).expect("readable");
    let (line, column) = (minified.text.lines().enumerate())
        .find_map(|(line, text)| Some((line, text.find(word)?)))
        .expect("the word is there");
    let table = map.generate_lookup_table();
    let position = |number| u32::try_from(number).expect("small");
    let token = map.lookup_source_view_token(&table, position(line), position(column)).expect("mapped");
    (token.get_source().expect("a source").to_owned(), token.get_src_line(), token.get_src_col())
}

#[track_caller]
fn check_mapped(minified: &Minified) {
    assert_eq!(origin(minified, "f("), ("one.ts".to_owned(), 4, 2), "{}", minified.text);
    assert_eq!(origin(minified, "one"), ("one.ts".to_owned(), 4, 9));
    assert_eq!(origin(minified, "g("), ("two.ts".to_owned(), 7, 0));
    assert_eq!(origin(minified, "two"), ("two.ts".to_owned(), 7, 5));
    let json: serde_json::Value = serde_json::from_str(minified.map.as_deref().expect("a map")).expect("JSON");
    assert_eq!(json["sources"], serde_json::json!(["one.ts", "two.ts"]));
    assert_eq!(json["sourcesContent"], serde_json::json!(["const one = 'é'", null]));
    assert_eq!(json["names"], serde_json::json!(["one", "two"]));
    assert_eq!(json["sourceRoot"], "/src");
    assert_eq!(json["ignoreList"], serde_json::json!([1]));
    assert_eq!(json["debugId"], "85314830-023f-4cf1-a267-535f4e37bb17");
    assert!(json.get("file").is_none(), "whoever names the file adds it");
}

#[test]
fn maps_lead_from_the_result_to_what_people_wrote() {
    let inline = base64::engine::general_purpose::STANDARD.encode(bundlers_map());
    let beside = "//# sourceMappingURL=a.js.map";
    for (comment, map_file) in [
        (beside, Some("a.js.map")),
        ("//# sourceMappingURL=b%20c.js.map?v=1\n", Some("b c.js.map")),
        ("", Some("a.js.map")),
        (&*format!("//# sourceMappingURL=data:application/json;charset=utf-8;base64,{inline}"), None),
    ] {
        for source_maps in [SourceMaps::Private, SourceMaps::Public] {
            let maps = map_file.map(|name| node(name, bundlers_map().as_bytes()));
            let (minimal, findings) = run(graph([linked(comment)].into_iter().chain(maps)), source_maps);
            assert_eq!(findings, []);
            let minified = &minimal.texts[&path("a.js")];
            assert!(!minified.text.contains("sourceMappingURL"), "{}", minified.text);
            assert!(minified.text.len() < BUNDLED.len(), "{}", minified.text);
            check_mapped(minified);
            assert_eq!(minimal.graph.nodes.len(), 1, "the map is no file of the release");
            assert!(minimal.stray_maps.is_empty());
        }
    }
}

#[test]
fn a_text_that_passes_through_keeps_its_map() {
    let mut node_ = linked("//# sourceMappingURL=a.js.map");
    let broken = |text: &str| text.replace("g( two )", "g( two ))");
    node_.text = node_.text.as_deref().map(broken);
    node_.source.bytes = Arc::from(broken(node_.source.text().expect("text")).as_bytes());
    let (minimal, findings) = run(graph([node_, node("a.js.map", bundlers_map().as_bytes())]), SourceMaps::Private);
    assert_eq!(findings.len(), 1);
    check_mapped(&minimal.texts[&path("a.js")]);
}

#[test]
fn a_map_that_the_linker_found_comes_first() {
    let mut script = linked("//# sourceMappingURL=../elsewhere/x.map");
    script.references = vec![Reference { to: path("maps/x.map"), kind: ReferenceKind::SourceMap, span: 0..0 }];
    let (minimal, _) = run(graph([script, node("maps/x.map", bundlers_map().as_bytes())]), SourceMaps::Private);
    check_mapped(&minimal.texts[&path("a.js")]);
    assert!(minimal.graph.nodes[&path("a.js")].references.is_empty(), "the map is gone, and so is what refers to it");
}

#[test]
fn dropped_maps_are_gone() {
    let nodes =
        [linked("//# sourceMappingURL=a.js.map"), node("a.js.map", bundlers_map().as_bytes()), node("z.map", b"{}")];
    let (minimal, findings) = run(graph(nodes), SourceMaps::Drop);
    let minified = &minimal.texts[&path("a.js")];
    assert_eq!((findings, &minified.map, minimal.stray_maps.len(), minimal.graph.nodes.len()), (vec![], &None, 0, 1));
    assert!(!minified.text.contains("sourceMappingURL"));
}

#[test]
fn a_map_that_nobody_names_is_handed_on() {
    let (minimal, findings) = run(graph([node("a.js", b"a()"), node("z.map", b"{}")]), SourceMaps::Private);
    assert_eq!(findings, []);
    assert_eq!(minimal.stray_maps.keys().map(SourcePath::as_str).collect::<Vec<_>>(), ["z.map"]);
}

#[test]
fn a_map_that_cannot_be_read_costs_the_map_only() {
    for json in
        [&b"{"[..], b"[]", br#"{"version":2,"sources":[],"names":[],"mappings":""}"#, br#"{"version":3,"sections":[]}"#]
    {
        let nodes = [node("a.js", b"f( one );//# sourceMappingURL=a.js.map"), node("a.js.map", json)];
        let (minimal, findings) = run(graph(nodes), SourceMaps::Private);
        let minified = &minimal.texts[&path("a.js")];
        assert_eq!((&*minified.text, &minified.map), ("f(one);", &None));
        assert_eq!(
            findings.iter().map(|finding| (&*finding.file, finding.code)).collect::<Vec<_>>(),
            [("a.js.map", "unreadable-source-map")]
        );
    }
}

#[test]
fn a_map_gets_the_name_of_its_file_last() {
    let (minimal, _) = run(graph([linked(""), node("a.js.map", bundlers_map().as_bytes())]), SourceMaps::Private);
    let map = minimal.texts[&path("a.js")].map.as_deref().expect("a map");
    let json: serde_json::Value = serde_json::from_str(&maps::with_file(map, "a \"ü\".js")).expect("JSON");
    assert_eq!((&json["file"], &json["version"]), (&"a \"ü\".js".into(), &3.into()));
}

#[test]
fn licences_leave_the_text() {
    let text = "/*! one */f();\n/** @license two */g();/* none */\n//! three\nh()";
    let (minimal, _) = run(graph([node("a.js", text.as_bytes())]), SourceMaps::Private);
    let minified = &minimal.texts[&path("a.js")];
    assert_eq!(minified.text, "f(),g(),h();");
    assert_eq!(minified.licences, ["/*! one */", "/** @license two */", "//! three"]);
}

#[test]
fn the_result_does_not_depend_on_the_number_of_threads() {
    let nodes = || (0..20).map(|name| node(&format!("{name}.js"), "f( one );\n".repeat(name * 50 % 130).as_bytes()));
    let on = |jobs| minify(graph(nodes()), options(SourceMaps::Private), &Cache::none(), &pool(jobs).expect("threads"));
    let (one, three) = (on(1), on(3));
    assert_eq!(one.0.texts, three.0.texts);
    assert_eq!(one.1, three.1);
}

#[test]
fn a_second_build_minifies_what_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let build = |changed: &str| {
        let cache = Cache::open(folder.path(), std::time::SystemTime::UNIX_EPOCH);
        let nodes = [
            linked("//# sourceMappingURL=a.js.map"),
            node("a.js.map", bundlers_map().as_bytes()),
            node("b.js", b"/*! licence */ f( one );"),
            node("c.js", changed.as_bytes()),
        ];
        let (minimal, findings) =
            minify(graph(nodes), options(SourceMaps::Private), &cache, &pool(2).expect("threads"));
        assert_eq!(findings, []);
        (minimal.texts, cache.counts().made)
    };
    let (first, made) = build("g( 1 )");
    assert_eq!(made, 3);
    assert_eq!(build("g( 1 )"), (first.clone(), 0));
    let (third, made) = build("g( 2 )");
    assert_eq!(made, 1);
    assert_eq!((&third[&path("a.js")], &third[&path("b.js")]), (&first[&path("a.js")], &first[&path("b.js")]));
    assert_eq!(third[&path("c.js")].text, "g(2);");
}

#[test]
fn names_of_functions_are_kept_where_the_settings_say_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = "<script type=module>class Customer {}\n\n log( new Customer().constructor.name )</script>";
    let build = |keep_function_names| {
        let cache = Cache::open(folder.path(), std::time::SystemTime::UNIX_EPOCH);
        let mut module = node("a.js", b"export default () => { function deliver(){} log(deliver) }");
        module.script = ScriptKind::Module;
        let mut page = node("a.html", page.as_bytes());
        page.source.kind = Kind::Html;
        let nodes = graph([module, page]);
        let options = Options { keep_function_names, ..options(SourceMaps::Private) };
        minify(nodes, options, &cache, &pool(1).expect("threads")).0.texts
    };
    let (lost, kept) = (build(false), build(true));
    assert!(!lost[&path("a.js")].text.contains("deliver"), "{lost:?}");
    assert!(kept[&path("a.js")].text.contains("deliver"), "{kept:?}");
    assert!(!lost[&path("a.html")].text.contains("class Customer"), "{lost:?}");
    assert!(kept[&path("a.html")].text.contains("class Customer{}log"), "{kept:?}");
}

#[test]
fn findings_are_said_in_every_build() {
    let folder = tempfile::tempdir().expect("a folder");
    for _ in 0..2 {
        let cache = Cache::open(folder.path(), std::time::SystemTime::UNIX_EPOCH);
        let (_, findings) =
            minify(graph([node("a.js", b"let")]), options(SourceMaps::Private), &cache, &pool(1).expect("threads"));
        assert_eq!(findings.len(), 1);
    }
}
