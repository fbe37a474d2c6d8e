use super::*;
use crate::link::Naming;
use crate::link::placeholder::Meaning;

fn path(path: &str) -> SourcePath {
    SourcePath::parse(path).expect("a path")
}

fn kind_of(path: &str) -> Kind {
    match path.rsplit('.').next() {
        Some("html") => Kind::Html,
        Some("css") => Kind::Css,
        Some("js" | "mjs") => Kind::Script,
        Some("map") => Kind::SourceMap,
        Some("webmanifest") => Kind::WebManifest,
        Some("json") => Kind::Json,
        _ => Kind::Other,
    }
}

pub(crate) fn sources(files: &[(&str, &[u8])]) -> Sources {
    let mut sources = Sources::default();
    for (of, bytes) in files {
        let source = Source { path: path(of), kind: kind_of(of), bytes: (*bytes).into() };
        sources.files.insert(path(of), source);
    }
    sources
}

pub(crate) fn linked(files: &[(&str, &str)], options: &NameOptions) -> (Graph, Vec<Diagnostic>) {
    let files: Vec<(&str, &[u8])> = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
    let pool = crate::threads::pool(1).expect("a thread");
    link(&sources(&files), options, &pool)
}

/// A linked text with its placeholders as `<what they mean>`.
pub(crate) fn shown(graph: &Graph, of: &str) -> String {
    let node = &graph.nodes[&path(of)];
    let Some(text) = &node.text else { return "as it was".to_owned() };
    let mut shown = text.clone();
    for (placeholder, meaning) in &graph.placeholders.meanings {
        let name = match meaning {
            Meaning::Token(token) => format!("<{token}>"),
            Meaning::File(file) => format!("<{file}>"),
            Meaning::Integrity { file, algorithm } => format!("<{} {file}>", algorithm.name()),
            Meaning::Revision(file) => format!("<revision {file}>"),
        };
        shown = shown.replace(placeholder, &name);
    }
    shown
}

#[test]
fn a_script_is_what_its_syntax_says_or_who_refers_to_it() {
    let files = [
        (
            "a.js",
            "import './b.js';import('./c.js');new Worker(new URL('./d.js',import.meta.url));new Worker('/e.js',{type:'module'});",
        ),
        ("b.js", "b()"),
        ("c.js", "c()"),
        ("d.js", "importScripts('f.js')"),
        ("e.js", "e()"),
        ("f.js", "f()"),
        ("g.js", "g()"),
        ("h.js", "importScripts('b.js')"),
        ("i.js", "await g()"),
    ];
    let (graph, diagnostics) = linked(&files, &NameOptions::default());
    assert_eq!(diagnostics, []);
    for (of, expected) in [
        ("a.js", ScriptKind::Module),
        ("b.js", ScriptKind::Classic),
        ("c.js", ScriptKind::Module),
        ("d.js", ScriptKind::Classic),
        ("e.js", ScriptKind::Module),
        ("f.js", ScriptKind::Classic),
        ("g.js", ScriptKind::Unknown),
        ("i.js", ScriptKind::Module),
    ] {
        assert_eq!(graph.nodes[&path(of)].script, expected, "{of}");
    }
}

#[test]
fn a_registered_service_worker_keeps_its_name_and_those_who_name_it_are_linked_again() {
    let files = [
        ("app.js", "navigator.serviceWorker.register('/worker-of-mine.js');image('/logo.png');x='/worker-of-mine.js'"),
        ("worker-of-mine.js", "self.skipWaiting()"),
        ("logo.png", ""),
    ];
    let (graph, diagnostics) = linked(&files, &NameOptions::default());
    assert_eq!(diagnostics, []);
    assert_eq!(graph.nodes[&path("worker-of-mine.js")].naming, Naming::Kept);
    let expected =
        "navigator.serviceWorker.register('/worker-of-mine.js');image('/logo.<logo.png>.png');x='/worker-of-mine.js'";
    assert_eq!(shown(&graph, "app.js"), expected);
}

#[test]
fn a_script_named_in_a_string_keeps_its_name_everywhere() {
    let files = [("a.js", "import './b.js';"), ("c.js", "let x='./b.js';import(x)"), ("b.js", "")];
    let (graph, _) = linked(&files, &NameOptions::default());
    assert_eq!(graph.nodes[&path("b.js")].naming, Naming::Kept);
    assert_eq!(shown(&graph, "a.js"), "as it was");
}

#[test]
fn scripts_that_a_computed_import_may_name_keep_their_names() {
    let files = [
        ("a.js", "import './pages/one.js';import './other.js';import('./pages/'+x+'.js');import(`./pages/${x}.mjs`)"),
        ("pages/one.js", ""),
        ("other.js", ""),
    ];
    let (graph, _) = linked(&files, &NameOptions::default());
    assert_eq!(graph.nodes[&path("pages/one.js")].naming, Naming::Kept);
    let expected =
        "import './pages/one.js';import './other.<other.js>.js';import('./pages/'+x+'.js');import(`./pages/${x}.mjs`)";
    assert_eq!(shown(&graph, "a.js"), expected);
}

#[test]
fn what_cannot_be_followed_passes_through_and_what_it_names_keeps_its_name() {
    let deep = "(".repeat(200_000);
    let files = [
        ("a-Cd8DgnZB.js", "import './b-H5IQ_Up3.js'"),
        ("b-H5IQ_Up3.js", "let ="),
        ("c-CLuoci_l.js", &format!("'./d-BgJEWM-p.js';{deep}")),
        ("d-BgJEWM-p.js", ""),
        ("e-B-RwQ3Ta.js", "import './d-BgJEWM-p.js';import './a-Cd8DgnZB.js'"),
    ];
    let (graph, diagnostics) = linked(&files, &NameOptions::default());
    let codes: Vec<&str> = diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(codes, ["unreadable-script", "unreadable-script"], "{diagnostics:?}");
    assert_eq!(graph.nodes[&path("d-BgJEWM-p.js")].naming, Naming::Kept);
    assert_eq!(shown(&graph, "e-B-RwQ3Ta.js"), "import './d-BgJEWM-p.js';import './a-<Cd8DgnZB>.js'");
    let bytes: &[u8] = b"\xff 'e-B-RwQ3Ta.js'";
    let mut broken = sources(&[("z-CABZAxdl.js", bytes)]);
    broken.files.extend(sources(&[("e-B-RwQ3Ta.js", b"")]).files);
    let (graph, diagnostics) = link(&broken, &NameOptions::default(), &crate::threads::pool(1).expect("a thread"));
    assert_eq!(diagnostics[0].code, "not-text");
    assert_eq!(graph.nodes[&path("e-B-RwQ3Ta.js")].naming, Naming::Kept);
}

#[test]
fn the_result_does_not_depend_on_the_number_of_threads() {
    let files: Vec<(String, String)> = (0..40)
        .map(|at| {
            (format!("c-Cd8Dgn{at:02}.js"), format!("import './c-Cd8Dgn{:02}.js';x('/gone{at}.js')", (at + 1) % 40))
        })
        .collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(path, text)| (path.as_str(), text.as_bytes())).collect();
    let debug = |jobs| {
        format!("{:?}", link(&sources(&files), &NameOptions::default(), &crate::threads::pool(jobs).expect("threads")))
    };
    assert_eq!(debug(1), debug(7));
}

#[test]
fn a_base_that_the_settings_do_not_name_is_said_once() {
    let told = |page: &str, base: &str| -> Vec<String> {
        let files = [
            ("index.html", page),
            ("assets/a.js", "import '/shop/assets/b.js'"),
            ("assets/b.js", "b()"),
            ("c.png", ""),
        ];
        let options = NameOptions { base: base.to_owned(), ..NameOptions::default() };
        let found = linked(&files, &options).1;
        found.iter().filter(|finding| finding.code == "wrong-base").map(ToString::to_string).collect()
    };
    let page = "<script src=/shop/assets/a.js></script><img src=/shop/c.png><img src=/gone.png>";
    let expected = "rimward.toml: warning: 3 of 4 missing files are there, but not below `/shop/`\n  hint: if the app was built for `/shop/`, write base = \"/shop/\" in `[site]`";
    assert_eq!(told(page, ""), [expected]);
    assert_eq!(told(page, "/shop/"), [""; 0], "it is named");
    assert_eq!(
        told("<img src=/x/y><img src=/x/z><img src=/gone.png><img src=/gone.css>", ""),
        [""; 0],
        "most are nowhere"
    );
    let deeper = "<img src=/en/shop/c.png><img src=/en/shop/assets/b.js>";
    assert_eq!(
        told(deeper, "/en/")[0].lines().next(),
        Some("rimward.toml: warning: 2 of 2 missing files are there, but not below `/en/shop/`")
    );
}

#[test]
fn a_percent_sign_that_encodes_nothing_is_encoded_with_the_name() {
    let files = [
        ("index.html", "<img src='/5%/100%.png?a=%'><img src=\"5%25/100%25.png\"><img src='5%/100%25.png#b'>"),
        ("a.js", "x.src='./5%/100%.png';new URL('./5%/100%.png',import.meta.url)"),
        ("5%/100%.png", ""),
    ];
    let (graph, _) = linked(&files, &NameOptions::default());
    let page = "<img src='/5%25/100%25.<5%/100%.png>.png?a=%'><img src=\"5%25/100%25.<5%/100%.png>.png\"><img src='5%25/100%25.<5%/100%.png>.png#b'>";
    assert_eq!(shown(&graph, "index.html"), page);
    assert!(
        shown(&graph, "a.js").contains("new URL('./5%25/100%25.<5%/100%.png>.png',import"),
        "{}",
        shown(&graph, "a.js")
    );
}

#[test]
fn dangling_imports_are_warned_of_where_they_stand() {
    let (_, diagnostics) = linked(
        &[("js/a.js", "\n  import './gone.js'; import 'react'; import 'https://example.com/x.js'")],
        &NameOptions::default(),
    );
    let shown: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["js/a.js:2:11: warning: cannot resolve `./gone.js`: no such file"]);
}

#[test]
fn scripts_in_a_folder_that_an_import_map_names_keep_their_names() {
    let files = [
        (
            "index.html",
            r#"<script type=importmap>{"imports":{"lib/":"/lib/","~/":"./"},"scopes":{"/a/":{"b/":"/b/"}}}</script>"#,
        ),
        ("sub/index.html", r#"<script type=importmap>{"imports":{"here/":"./own/"}}</script>"#),
        ("app.js", "import 'lib/y.js';import('/lib/y.js');import '/c/y.js'"),
        ("lib/y.js", ""),
        ("lib/y.css", ""),
        ("b/y.js", ""),
        ("c/y.js", ""),
        ("sub/own/y.js", ""),
    ];
    let without_root: Vec<(&str, String)> = files.map(|(path, text)| (path, text.replace(r#","~/":"./""#, ""))).into();
    let without_root: Vec<(&str, &str)> = without_root.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let kept = |files: &[(&str, &str)]| -> Vec<String> {
        let (graph, _) = linked(files, &NameOptions::default());
        let scripts =
            graph.nodes.values().filter(|node| node.source.kind == Kind::Script && node.naming == Naming::Kept);
        scripts.map(|node| node.logical.clone()).collect()
    };
    assert_eq!(kept(&without_root), ["b/y.js", "lib/y.js", "sub/own/y.js"]);
    assert_eq!(kept(&files), ["app.js", "b/y.js", "c/y.js", "lib/y.js", "sub/own/y.js"]);
    let (graph, _) = linked(&without_root, &NameOptions::default());
    assert_eq!(shown(&graph, "app.js"), "import 'lib/y.js';import('/lib/y.js');import '/c/y.<c/y.js>.js'");
}
