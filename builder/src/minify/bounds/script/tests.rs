//! What is bounded, what is not, and that everything within bounds can be minified on the stack that workers have.

use super::*;
use crate::link::ScriptKind;
use crate::minify::{Input, script as minifier};
use crate::scan::{Kind, SourcePath};
use crate::threads::STACK_BYTES;

/// One way to nest: what is repeated in front, the innermost, what is repeated behind.
type Nesting = (&'static str, &'static str, &'static str);

/// Every way in which the grammar recurses, as far as one found some.
const NESTINGS: [Nesting; 38] = [
    ("[", "a", "]"),
    ("(", "a", ")"),
    ("{", "a", "}"),
    ("x={a:", "b", "}"),
    ("x={a(){", "", "}}"),
    ("(function(){", "a()", "})()"),
    ("(()=>{", "a()", "})()"),
    ("function f(){", "a()", "}"),
    ("class A{a(){", "b()", "}}"),
    ("class extends ", "a", "{}"),
    ("x=[class extends ", "a", "{}]"),
    ("f(", "a", ")"),
    ("f`${", "a", "}`"),
    ("`${", "a", "}`"),
    ("a[", "b", "]"),
    ("!", "a", ""),
    ("- ", "a", ""),
    ("typeof ", "a()", ""),
    ("new ", "a", ""),
    ("new new a(", "b", ")"),
    ("x=a=>", "b", ""),
    ("a=", "b", ""),
    ("a**", "b", ""),
    ("a+", "b", ""),
    ("a+b*", "c", ""),
    ("a&&b||", "c", ""),
    ("a??", "b", ""),
    ("a?b:", "c", ""),
    ("a?", "b", ":c"),
    ("if(a)", "b", ""),
    ("if(a)b;else ", "c", ""),
    ("if(a)b,c;else ", "d", ""),
    ("if(a){b}else ", "c", ""),
    ("if(a)\nb\nelse ", "c", ""),
    ("for(;a;)", "b", ""),
    ("do ", "a", ";while(b)"),
    ("({a:", "b", "})"),
    ("switch(a){case b:", "c", "}"),
];

/// Chains that follow an operand.
const CHAINS: [(&str, &str); 6] =
    [("a", ".b"), ("a", "?.b"), ("a", "()"), ("a", "[b]"), ("a", "`b`"), ("import('a')", ".then(b)")];

fn nest((before, innermost, after): Nesting, depth: usize) -> String {
    format!("{}{innermost}{}", before.repeat(depth), after.repeat(depth))
}

/// The largest depth that passes.
fn deepest(text: impl Fn(usize) -> String) -> usize {
    let (mut passes, mut fails) = (1, MAX_SCRIPT_DEPTH + 2);
    while passes + 1 < fails {
        let middle = usize::midpoint(passes, fails);
        if script(&text(middle)).is_ok() { passes = middle } else { fails = middle }
    }
    passes
}

/// Minifies on a thread with a worker's stack: a stack that overflows ends the whole test program.
fn minify(text: String) {
    let work = move || {
        let path = SourcePath::parse("a.js").expect("a path");
        let input = Input {
            path: &path,
            kind: Kind::Script,
            text: &text,
            script: ScriptKind::Unknown,
            wants_map: true,
            gently: false,
            keep_function_names: false,
        };
        drop(minifier::minify(&input));
    };
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(work).expect("a thread");
    assert!(thread.join().is_ok(), "a minifier does not panic");
}

#[test]
fn what_is_within_bounds_does_not_overflow_the_stack() {
    for nesting in NESTINGS {
        check_deepest(&format!("{nesting:?}"), |depth| nest(nesting, depth));
    }
    for (head, link) in CHAINS {
        check_deepest(link, |depth| format!("{head}{}", link.repeat(depth)));
    }
}

/// Just within the bounds the minifier comes back, with a result or a refusal; one more is refused before it begins.
#[track_caller]
fn check_deepest(name: &str, text: impl Fn(usize) -> String) {
    let depth = deepest(&text);
    assert!((500..=MAX_SCRIPT_DEPTH).contains(&depth), "{name} passes {depth} deep");
    assert!(script(&text(depth + 1)).is_err(), "{name} is bounded");
    minify(text(depth));
}

#[track_caller]
fn check(text: &str, expected: bool) {
    assert_eq!(script(text).is_ok(), expected, "{}", text.chars().take(60).collect::<String>());
}

/// Brackets of which nothing is to be seen inside what surrounds them.
fn hidden() -> String {
    "[".repeat(2 * MAX_SCRIPT_DEPTH)
}

#[test]
fn brackets_in_comments_do_not_count() {
    let hidden = hidden();
    for text in
        [format!("/*{hidden}*/a"), format!("//{hidden}\na"), format!("a\n<!--{hidden}\nb"), format!("#!{hidden}\na")]
    {
        check(&text, true);
    }
    for text in
        [format!("/**/{hidden}"), format!("//\n{hidden}"), format!("//\u{2028}{hidden}"), format!("a<!--{hidden}")]
    {
        check(&text, false);
    }
}

#[test]
fn strings_and_patterns_end_where_they_end() {
    let hidden = hidden();
    for head in [
        "'a'",
        "'\\''",
        "'\\\r\n'",
        "'a\n",
        "`a`",
        "`${a}`",
        "`\\`${`a`}`",
        "a/b/",
        "a/b;'/'",
        "/[/]/",
        "/\\//",
        "(a)/b;'/'",
        "if(a)/'/.b;",
        "x={}/b;'/';",
        "{}/'/;",
        "a++/b;'/';",
        "return/'/;",
        "a.if/b;'/';",
        "`${{}}`",
        "`${`${a}`}`",
    ] {
        check(&format!("{head}{hidden}"), false);
    }
}

#[test]
fn patterns_are_bounded_too() {
    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    for (before, after) in [("RegExp('", "')"), ("RegExp(`", "`)"), ("x=/", "/")] {
        let text = |depth| format!("{before}{}{after}", nested(depth));
        check(&text(MAX_PATTERN_DEPTH), true);
        minify(text(MAX_PATTERN_DEPTH));
        check(&text(MAX_PATTERN_DEPTH + 1), false);
    }
}

#[test]
fn flat_programs_may_be_long() {
    for (before, item, after) in [
        ("", "a=1;", ""),
        ("", "a(b)\n", ""),
        ("", "if(a)b\nelse c\n", ""),
        ("", "if(a){b}else{c}", ""),
        ("", "function f(){return a}", ""),
        ("", "{let a=b}", ""),
        ("", "try{a()}catch(e){b()}", ""),
        ("", "class A{a(){}b=1}", ""),
        ("", "var a={b:1,c:2}\nvar d\n", ""),
        ("a=[", "1,", "]"),
        ("a={", "b:c,", "}"),
        ("a={", "b(){},", "}"),
        ("class A{", "b(){}", "}"),
        ("switch(a){", "case 1:b();break;", "}"),
        ("switch(a){", "case 1:", "}"),
        ("f(", "a=>b,", ")"),
        ("f(", "function(){},", ")"),
        ("a=`", "b${c}", "`"),
        ("a=(", "b(),", "c)"),
        ("var ", "a=b,", "c"),
    ] {
        check(&format!("{before}{}{after}", item.repeat(2 * MAX_SCRIPT_DEPTH)), true);
    }
}

#[test]
fn long_chains_are_few() {
    let chain = format!("x={};", nest(("a+", "b", ""), MAX_SCRIPT_DEPTH / 4));
    let expected = usize::try_from(MAX_SCRIPT_CHAINS).expect("fits") / (MAX_SCRIPT_DEPTH / 2).pow(2);
    check(&chain.repeat(expected - 1), true);
    check(&chain.repeat(expected + 1), false);
}

#[test]
fn a_text_has_a_largest_size() {
    let line = "a".repeat(crate::minify::bounds::MAX_BYTES);
    check(&line, true);
    check(&(line + "a"), false);
}

#[test]
fn broken_texts_are_cut_into_tokens_somehow() {
    let whole =
        "`a${b}c`;/d[/]/g;'e\\\r\nf';\u{2003}ü\u{2028}<!-- g\n--> h\nif(i)/j/;k\\u0041;#l;\"m\\\u{fe0f}\";/* n */#!";
    for start in (0..whole.len()).filter(|&at| whole.is_char_boundary(at)) {
        for end in (start..whole.len()).filter(|&at| whole.is_char_boundary(at)) {
            check(&whole[start..end], true);
        }
    }
}

proptest::proptest! {
    #[test]
    fn every_text_is_read_to_its_end(text in "[\\]\\[(){}`$/'\"\\\\a;,:\n\r\u{2028}ü if else*!<>-]{0,60}") {
        let _ = script(&text);
    }
}
