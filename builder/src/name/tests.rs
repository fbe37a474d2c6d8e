use super::*;
use crate::link::placeholder::{Algorithm, Placeholders};
use crate::link::{Graph, ScriptKind};
use crate::minify::Minified;

/// Texts in which `{token}` is the fingerprint of a token's files, `[path]` that of a plain file, `<path>` an integrity
/// value of a file.
fn named(files: &[(&str, &str)]) -> Result<(Named, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut placeholders = Placeholders { marker: "qzq".to_owned(), meanings: BTreeMap::new() };
    let mut texts = BTreeMap::new();
    let mut nodes = BTreeMap::new();
    for (path, text) in files {
        let path = SourcePath::parse(path).unwrap();
        let text = with_placeholders(text, &mut placeholders);
        texts.insert(path.clone(), Minified { text, ..Minified::default() });
        nodes.insert(path.clone(), node(&path));
    }
    let graph = Graph { nodes, placeholders };
    name(Minimal { graph, texts, stray_maps: BTreeMap::new() }, SourceMaps::Drop)
}

fn node(path: &SourcePath) -> Node {
    let text = path.as_str();
    let naming = match (text.split_once('-'), text.rsplit_once('.')) {
        _ if is_page(text) => Naming::Kept,
        (Some((before, behind)), _) => {
            let (token, after) = behind.split_once('.').unwrap();
            Naming::Hashed { before: format!("{before}-"), token: token.to_owned(), after: format!(".{after}") }
        }
        (None, Some((before, after))) => Naming::Plain { before: format!("{before}."), after: format!(".{after}") },
        (None, None) => Naming::Kept,
    };
    let logical = match &naming {
        Naming::Hashed { before, after, .. } => format!("{}{after}", before.trim_end_matches('-')),
        Naming::Plain { .. } | Naming::Kept => text.to_owned(),
    };
    let kind = if is_page(text) { Kind::Html } else { Kind::Script };
    let source = Source { path: path.clone(), kind, bytes: Arc::from([]) };
    Node { source, naming, logical, text: None, edits: Vec::new(), references: Vec::new(), script: ScriptKind::Unknown }
}

fn is_page(path: &str) -> bool {
    path.strip_suffix(".html").is_some()
}

fn with_placeholders(text: &str, placeholders: &mut Placeholders) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '[', '<']) {
        let end = rest[at..].find(['}', ']', '>']).map(|end| at + end).unwrap();
        let inner = &rest[at + 1..end];
        let file = || SourcePath::parse(inner).unwrap();
        let meaning = match rest.as_bytes()[at] {
            b'{' => Meaning::Token(inner.to_owned()),
            b'[' => Meaning::File(file()),
            _ => Meaning::Integrity { file: file(), algorithm: Algorithm::Sha256 },
        };
        let known = placeholders.meanings.iter().find(|(_, known)| **known == meaning).map(|(text, _)| text.clone());
        let placeholder = known.unwrap_or_else(|| format!("qzq{:07}", placeholders.meanings.len()));
        placeholders.meanings.insert(placeholder.clone(), meaning);
        result.push_str(&rest[..at]);
        result.push_str(&placeholder);
        rest = &rest[end + 1..];
    }
    result + rest
}

/// Public paths and texts.
fn published(files: &[(&str, &str)]) -> BTreeMap<String, String> {
    let (named, _) = named(files).unwrap();
    let public =
        |file: &NamedFile| file.asset.as_ref().map(|asset| asset.path.clone()).or_else(|| file.document.clone());
    let text = |file: &NamedFile| String::from_utf8(file.bytes.to_vec()).unwrap();
    named.files.iter().filter_map(|file| Some((public(file)?, text(file)))).collect()
}

fn fingerprint(text: &str) -> String {
    Digest::of(text.as_bytes()).fingerprint()
}

#[test]
fn a_leaf_is_named_by_its_final_bytes_and_who_names_it_by_its_own() {
    let leaf = fingerprint("leaf");
    let middle = format!("import './leaf-{leaf}.js'");
    let files = [
        ("leaf-AAAA.js", "leaf"),
        ("middle-BBBB.js", "import './leaf-{AAAA}.js'"),
        ("page.html", "script src=middle-{BBBB}.js"),
    ];
    let expected = [
        (format!("leaf-{leaf}.js"), "leaf".to_owned()),
        (format!("middle-{}.js", fingerprint(&middle)), middle.clone()),
        ("page.html".to_owned(), format!("script src=middle-{}.js", fingerprint(&middle))),
    ];
    assert_eq!(published(&files), BTreeMap::from(expected));
}

#[test]
fn a_plain_file_gets_a_second_name_only_where_something_refers_to_it() {
    let files = [("a.html", "[logo.png]"), ("logo.png", "logo"), ("other.png", "other")];
    let (release, _) = named(&files).unwrap();
    let names: Vec<(&str, Option<&str>, Option<&str>)> = (release.files.iter())
        .map(|file| {
            (file.logical.as_str(), file.asset.as_ref().map(|asset| asset.path.as_str()), file.document.as_deref())
        })
        .collect();
    let logo = format!("logo.{}.png", fingerprint("logo"));
    let expected = [
        ("a.html", None, Some("a.html")),
        ("logo.png", Some(logo.as_str()), Some("logo.png")),
        ("other.png", None, Some("other.png")),
    ];
    assert_eq!(names, expected);
}

#[test]
fn files_of_a_circle_are_named_from_the_whole_circle() {
    let circle = |one: &str| {
        let files = [
            ("a-AAAA.js", format!("{one}{{BBBB}}")),
            ("b-BBBB.js", "two{AAAA}{CCCC}".to_owned()),
            ("c-CCCC.js", "leaf".to_owned()),
        ];
        published(&files.each_ref().map(|(path, text)| (*path, text.as_str())))
    };
    let (first, again, other) = (circle("one"), circle("one"), circle("ONE"));
    assert_eq!(first, again);
    let names = |published: &BTreeMap<String, String>| published.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&first)[2], names(&other)[2], "the leaf outside the circle keeps its name");
    assert_ne!(names(&first)[0], names(&other)[0]);
    assert_ne!(names(&first)[1], names(&other)[1], "b did not change, but it names a");
    let fingerprint_of = |name: &str| name[2..12].to_owned();
    assert_eq!(first[&names(&first)[0]], format!("one{}", fingerprint_of(&names(&first)[1])));
}

#[test]
fn a_file_that_names_itself_is_a_circle_of_one() {
    let one = published(&[("a-AAAA.js", "self {AAAA}")]);
    let (name, text) = one.first_key_value().unwrap();
    assert_eq!(*text, format!("self {}", &name[2..12]));
    assert_ne!(published(&[("a-AAAA.js", "myself {AAAA}")]).first_key_value().unwrap().0, name);
}

#[test]
fn alike_members_of_a_circle_get_names_of_their_own() {
    let published = published(&[("a-AAAA.js", "{BBBB}"), ("b-BBBB.js", "{AAAA}")]);
    let names: Vec<&str> = published.keys().map(|name| &name[2..12]).collect();
    assert_ne!(names[0], names[1]);
}

#[test]
fn files_that_shared_a_token_share_a_fingerprint() {
    let files = |css| published(&[("app-AAAA.css", css), ("app-AAAA.js", "js"), ("x.html", "{AAAA}")]);
    let (one, other) = (files("css"), files("CSS"));
    let fingerprint = one["x.html"].clone();
    assert_eq!(one[&format!("app-{fingerprint}.js")], "js");
    assert_eq!(one[&format!("app-{fingerprint}.css")], "css");
    assert_ne!(other["x.html"], fingerprint, "either file's change is a change of both");
}

#[test]
fn integrity_is_of_final_bytes_also_inside_a_circle() {
    let published =
        published(&[("a-AAAA.js", "<b-BBBB.js>"), ("b-BBBB.js", "{AAAA}"), ("x.html", "<a-AAAA.js> {AAAA}")]);
    let text = |start: &str| published.iter().find(|(name, _)| name.starts_with(start)).unwrap().1;
    assert_eq!(*text("a"), crate::digest::integrity(text("b").as_bytes(), Algorithm::Sha256));
    let of_a = crate::digest::integrity(text("a").as_bytes(), Algorithm::Sha256);
    assert!(text("x").starts_with(&of_a), "{}", text("x"));
}

#[test]
fn integrity_in_a_circle_of_its_own_is_removed_from_pages_and_refused_elsewhere() {
    let (named_files, warnings) =
        named(&[("a-AAAA.js", "<x.html>"), ("x.html", "i=<a-AAAA.js> j=\"<a-AAAA.js>\"")]).unwrap();
    let page = named_files.files.iter().find(|file| file.logical == "x.html").unwrap();
    assert_eq!(String::from_utf8_lossy(&page.bytes), "i=\"\" j=\"\"");
    assert_eq!(warnings.len(), 1);
    let errors = named(&[("a-AAAA.js", "<b-BBBB.js>"), ("b-BBBB.js", "<a-AAAA.js>")]).unwrap_err();
    let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert!(said[0].starts_with("a-AAAA.js: error: cannot state the integrity of `b-BBBB.js`"), "{said:?}");
    assert_eq!(said.len(), 2);
}

#[test]
fn a_placeholder_of_no_file_is_an_error() {
    let errors = named(&[("a-AAAA.js", "f('[gone.map]', '{BBBB}')")]).unwrap_err();
    let said: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert!(said[0].starts_with("a-AAAA.js: error: cannot name `gone.map`: it is no file of the release"), "{said:?}");
    assert!(said[1].starts_with("a-AAAA.js: error: cannot name `BBBB`"), "{said:?}");
}

#[test]
fn two_files_under_one_name_are_an_error_unless_they_are_the_same_bytes() {
    // The same stem, from files that a bundler told apart by its token alone.
    let errors = named(&[("a-AAAA.js", "x"), ("a-BBBB.js", "x")]).unwrap_err();
    assert_eq!(errors.iter().map(|error| error.code).collect::<Vec<_>>(), ["logical-collision"]);

    let file = |logical: &str, bytes: &str| NamedFile {
        source: None,
        logical: logical.to_owned(),
        kind: Kind::Css,
        bytes: bytes.as_bytes().into(),
        asset: Some(AssetName { path: "a.1.css".to_owned(), aliases: Vec::new() }),
        document: None,
        references: Vec::new(),
        needs: Vec::new(),
    };
    assert_eq!(collisions(&[file("one", "same"), file("two", "same")]), []);
    let said: Vec<String> = collisions(&[file("one", "1"), file("two", "2")]).iter().map(ToString::to_string).collect();
    assert_eq!(said, ["two: error: it and `one` would both be published as `a.1.css`\n  hint: rename one of the two"]);
}

#[test]
fn public_maps_are_named_by_their_bytes_and_named_in_their_text() {
    let path = SourcePath::parse("a-AAAA.js").unwrap();
    let map = r#"{"version":3,"sources":["a.ts"],"names":[],"mappings":"AAAA"}"#.to_owned();
    let minimal = |maps| {
        let texts = [(path.clone(), Minified { text: "x".to_owned(), map: Some(map.clone()), ..Minified::default() })];
        let graph = Graph { nodes: [(path.clone(), node(&path))].into(), placeholders: Placeholders::default() };
        name(Minimal { graph, texts: texts.into(), stray_maps: BTreeMap::new() }, maps).unwrap().0
    };
    let public = minimal(SourceMaps::Public);
    let [script, map] = public.files.as_slice() else { panic!("{public:?}") };
    let map_path = map.asset.as_ref().unwrap().path.clone();
    assert_eq!(map_path, format!("a-{}.js.map", Digest::of(&map.bytes).fingerprint()));
    assert_eq!(String::from_utf8_lossy(&script.bytes), format!("x\n//# sourceMappingURL={map_path}\n"));
    assert!(
        String::from_utf8_lossy(&map.bytes).contains(r#""file":"a.js""#),
        "{}",
        String::from_utf8_lossy(&map.bytes)
    );

    let private = minimal(SourceMaps::Private);
    let script = &private.files[0];
    assert_eq!((&*script.bytes, private.files.len()), (b"x".as_slice(), 1));
    let (place, kept) = private.maps.first_key_value().unwrap();
    assert_eq!(*place, format!("a-{}.js.map", fingerprint("x")));
    assert!(String::from_utf8_lossy(kept).contains(&format!(r#""file":"a-{}.js""#, fingerprint("x"))));
}
