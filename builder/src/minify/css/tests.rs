//! What goes and what stays, of whole sheets: for the most part inputs that other minifiers were seen to change.

use cssparser::{ParseError, Parser};
use proptest::prelude::*;

use super::*;
use crate::link::ScriptKind;
use crate::scan::{Kind, SourcePath};

fn minified(text: &str, wants_map: bool) -> Result<Minified, Refusal> {
    let path = SourcePath::parse("css/a.css").expect("a path");
    minify(&Input {
        path: &path,
        kind: Kind::Css,
        text,
        script: ScriptKind::Unknown,
        wants_map,
        gently: false,
        keep_function_names: false,
    })
}

/// The tokens of a text that say something, as they are spelled.
fn tokens(text: &str) -> Vec<String> {
    let mut parser = Parser::new(text);
    parser.set_nested_block_limit(0);
    let mut tokens = Vec::new();
    collect(&mut parser, &mut tokens);
    tokens
}

fn collect(parser: &mut Parser<'_>, tokens: &mut Vec<String>) {
    use cssparser::Token;
    loop {
        let start = parser.position();
        let Ok(token) = parser.next_including_whitespace_and_comments().cloned() else { break };
        let text = parser.slice_from(start).to_owned();
        match token {
            Token::WhiteSpace(_) | Token::Comment(_) => {}
            Token::Function(_) | Token::ParenthesisBlock | Token::SquareBracketBlock | Token::CurlyBracketBlock => {
                tokens.push(text);
                let inside = |parser: &mut Parser<'_>| {
                    collect(parser, tokens);
                    Ok(())
                };
                let _: Result<(), ParseError<()>> = parser.parse_nested_block(inside);
                tokens.push("end".to_owned());
            }
            _ => tokens.push(text),
        }
    }
    while tokens.last().is_some_and(|last| last == ";") {
        tokens.pop();
    }
}

#[track_caller]
fn check(source: &str, expected: &str) {
    let found = minified(source, false).expect("readable");
    assert_eq!((found.text.as_str(), found.diagnostics), (expected, Vec::new()), "{source}");
    assert_eq!(tokens(without_mark(source)), tokens(expected), "{source}");
    assert_eq!(minified(expected, false).expect("readable").text, expected, "twice is once");
}

#[track_caller]
fn check_kept(source: &str) {
    check(source, source);
}

#[test]
fn space_goes_where_it_parts_nothing() {
    check("a { color : #ff0000 ; }\n", "a{color:#ff0000}");
    check("a,\nb > c  d{e:f , g( h , i );j:k  l !important;;}", "a,b>c d{e:f,g(h,i);j:k l!important}");
    check(
        "@media  screen , (min-width : 40em) and ( hover ) { a { b : c } }",
        "@media screen,(min-width:40em) and (hover){a{b:c}}",
    );
    check("@import 'a.css'  layer( b ) ;\n@layer a , b ;", "@import 'a.css' layer(b);@layer a,b;");
    check("a { & : hover { b : c } d : e ; }", "a{& : hover{b : c}d:e}".replace("b : c", "b:c").as_str());
    check(
        "@font-face { src : url( 'a b.woff2' ) format( 'woff2' ) }",
        "@font-face{src:url('a b.woff2') format('woff2')}",
    );
    check("\u{feff}@charset \"utf-8\"; a{b:c;}", "@charset \"utf-8\";a{b:c}");
    check("<!-- a{b:c} -->", "<!-- a{b:c}-->");
    check("", "");
}

#[test]
fn space_stays_where_it_parts_something() {
    for kept in [
        "a :hover b .c #d [e] *{f:g}",
        "a{b :hover{c:d}}",
        "a{&:hover &{c:d}}",
        ".a\\{ .b,.a\\} .b{c:d}",
        "a{width:calc(1px + 2px - (3px) * 4)}",
        "a{margin:1px -2px +3px .5em}",
        "a{background:url(a) no-repeat,url(b)}",
        "a{font:12px/1 a b,c}",
        "a:nth-child(2n + 1 of b){c:d}",
        "a + b ~ c{d:e}",
        "u + a{d:e}",
        "@media screen and (a) and (not (b)){c{d:e}}",
        "@media (a) or (b){c{d:e}}",
        "@scope (a :hover) to (b){c{d:e}}",
        "@supports selector(a :hover){c{d:e}}",
        "@container b style(--c: d){e{f:g}}",
        "@page :first{margin:0}",
        "a{grid-template-areas:\"a b\" \"c  d\"}",
        "a{color:red\\9 ;b:c}",
        "-- >a{b:c}",
        "a{b:< !c}",
    ] {
        check_kept(kept);
    }
    check("a/**/b  /* c */ .d /**/{}", "a/**/b .d{}");
    check("a{b:c/**/d/**/}", "a{b:c/**/d}");
    check("a\\9 b,a\\9/**/ b{c:d}", "a\\9 b,a\\9/**/ b{c:d}");
}

#[test]
fn custom_properties_keep_what_scripts_may_read() {
    check(
        "a{--b : c ,  d( e ) ;--f:  ;--g:;--h: { i : j ; k }; l : m }",
        "a{--b:c , d( e );--f: ;--g:;--h:{ i : j ; k };l:m}",
    );
    check("a{--b: /* c */ d }", "a{--b:d}");
    check_kept("a{--b:hover {c: d}; e: f}".replace("; e: f", ";e:f").as_str());
    check_kept("a{--b: }");
}

/// A minifier that knows what properties mean ordered, joined or dropped these, each for the worse in some browser.
#[test]
fn every_declaration_stays_in_its_place() {
    for kept in [
        "a{animation:a linear;animation-timeline:view()}",
        "a{rotate:10deg;transform:scale(2)}",
        "a{translate:1px;transform:scale(2)}",
        "a{transform:translateX(10px);rotate:45deg}",
        "a{backdrop-filter:blur(10px);-webkit-backdrop-filter:blur(10px)}",
        "a{-webkit-user-select:none;user-select:none}",
        "a{transition:opacity 1s;transition-behavior:allow-discrete}",
        "a{font:12px a;font-kerning:none}",
        "a{font:12px/1 serif;font-stretch:condensed}",
        "a{width:max-content;width:-moz-max-content}",
        "a{background:-webkit-linear-gradient(top,red,blue)}",
        "a{height:100vh;height:100dvh}",
        "a{color:#f00;color:color(display-p3 1 0 0)}",
        "a{width:-webkit-fill-available;width:-moz-available;width:stretch}",
        "a{color:oklch(50% .1 20);inset:0}",
        "a{b:c;b:c}a{b:c}a{}",
        "@property --a{syntax:\"<color>\";inherits:false;initial-value:red}",
        "@starting-style{a{opacity:0}}",
    ] {
        check_kept(kept);
    }
}

#[test]
fn no_selector_joins_another() {
    for kept in [
        ":lang(en,\"de\"){a:b}.x:dir(rtl){a:b}",
        "a:has(b){c:d}e{c:d}",
        "a:focus-visible{c:d}e{c:d}",
        "a::part(b){c:d}e{c:d}",
        "a:-webkit-autofill{b:c}a:autofill{b:c}",
        "@media (min-width:40em){a{b:c}}@media (min-width:40em){d{b:c}}",
        "@media (40em<=width<60em){a{b:c}}",
    ] {
        check_kept(kept);
    }
}

#[test]
fn files_are_referred_to_as_often_as_before() {
    check_kept(".a{background:url(x.png)}.b{background:url(x.png)}");
    check_kept("a{background:url(x);background:image-set(url(x) 1x,url(y) 2x)}");
    check_kept("a{background:url(\"img/qzxj00aa11.png\")}");
}

#[test]
fn mistakes_are_passed_on_and_what_is_around_them_gets_smaller() {
    check(
        "a { b : c }\n@media ( not a b ) { d { e : f } }\n.ü { g : url( h ) }\nk { * zoom : 1 ; l : m }\nn { o : p }",
        "a{b:c}@media (not a b){d{e:f}}.ü{g:url( h )}k{* zoom : 1;l:m}n{o:p}",
    );
    check("} a { b : c }", "} a{b:c}");
    check("a { b ; c : d } ; e { f : g }", "a{b;c:d};e{f:g}");
    check("a { b { } ; c : d }", "a{b{};c:d}");
    check("a{b: c(d ] e }", "a{b:c(d ] e }");
    check("a{b:url(c d) ; e : f}", "a{b:url(c d);e:f}");
}

#[test]
fn what_ends_with_its_line_keeps_the_line_break() {
    check("a{b:'c\n ;d : e}", "a{b:'c\n;d:e}");
    check("a{b:'c\nd'\n}e{f: g}", "a{b:'c\nd'\n}e{f:g}");
    check("a{b:\\\n c}", "a{b:\\\nc}");
}

#[test]
fn the_end_of_the_text_closes_what_is_open() {
    for kept in ["a{b:c", "a{b:url(c", "a{b:'c", "a{b:c(d", "@import 'a", "a{b:c\\", "@media x{a{b:c}", "@import 'a';"]
    {
        check_kept(kept);
    }
    check("a { b : c /* d", "a{b:c");
}

#[test]
fn blocks_are_bounded() {
    for nested in
        ["a{".repeat(100_000), format!("a{{b:{}", "(".repeat(100_000)), format!("a{{--b:{}", "[".repeat(100_000))]
    {
        let refusal = minified(&nested, false).expect_err("too deep");
        assert!(refusal.offset.is_some_and(|offset| offset > 90), "{refusal:?}");
    }
    assert!(shrink(&"a{".repeat(50)).is_some());
}

#[test]
fn licence_comments_leave_the_text() {
    let found = minified("/*! a */b{c:d}/* e */f{/* @license g */}@media x{/*@preserve*/}", false).expect("readable");
    assert_eq!(found.text, "b{c:d}f{}@media x{}");
    assert_eq!(found.licences, ["/*! a */", "/* @license g */", "/*@preserve*/"]);
    assert_eq!(shrink("/*! a */b{c:d}"), None, "a page has no other place for them");
}

#[test]
fn a_map_leads_from_the_result_to_the_text() {
    let source = "/* ü */ a { b : c }\n\nd { e : 'ü😀' , url(f) }\r\ng { 'h\n i : j }";
    let found = minified(source, true).expect("readable");
    assert_eq!(found.text, "a{b:c}d{e:'ü😀',url(f)}g{'h\ni : j}");
    let json = found.map.expect("a map");
    let map = oxc_sourcemap::SourceMap::from_json_string(&json).expect("json");
    let at = |text: &str, line: u32, column: u32| -> String {
        let line: Vec<u16> = text.split('\n').nth(line as usize).expect("a line").encode_utf16().collect();
        String::from_utf16_lossy(&line[column as usize..]).chars().take(1).collect()
    };
    let mut seen = String::new();
    for token in map.get_tokens() {
        let there = at(&found.text, token.get_dst_line(), token.get_dst_col());
        assert_eq!(there, at(source, token.get_src_line(), token.get_src_col()), "{token:?}");
        seen += &there;
    }
    assert_eq!(seen, "a{b:cd{e:',ug{'i:j");
}

#[test]
fn a_text_cut_anywhere_never_panics() {
    let source = "@import 'ü';@media (a){b{c:d(\"\\\"\");e:'ü'}}/*! f */g{h:url( i\\) );--j:{k}}";
    for end in (0..source.len()).filter(|&end| source.is_char_boundary(end)) {
        let text = minified(&source[..end], false).expect("not deep").text;
        assert_eq!(tokens(&text), tokens(&source[..end]), "{}", &source[..end]);
    }
}

proptest! {
    #[test]
    fn only_space_goes(
        pieces in proptest::collection::vec(
            prop_oneof![
                Just("a"), Just(":"), Just(" "), Just(" "), Just("\n"), Just("{"), Just("}"), Just(";"), Just(","), Just("("),
                Just(")"), Just("["), Just("]"), Just("'"), Just("\\"), Just("/*"), Just("*/"), Just("/**/"), Just("--"),
                Just("-"), Just(">"), Just("<"), Just("!"), Just("+"), Just("1"), Just("e"), Just(".5"), Just("url("),
                Just("@media"), Just("@x"), Just("#"), Just("<!--"), Just("-->"), Just("--x:"), Just("%"), Just("u+"), Just("="),
            ],
            0..24,
        ),
    ) {
        let source = pieces.concat();
        let found = minified(&source, false).expect("not deep").text;
        prop_assert_eq!(tokens(&found), tokens(&source), "{} -> {}", source, found);
        prop_assert_eq!(&minified(&found, false).expect("not deep").text, &found, "twice is once: {}", source);
    }
}
