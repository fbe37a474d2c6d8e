//! A minified program does what it did: both run under Node.js, and print the same.

use std::fs;
use std::path::Path;
use std::process::Command;

use rimward::link::ScriptKind;
use rimward::minify::{Input, script};
use rimward::scan::{Kind, SourcePath};

/// Runs classic scripts one after another in one global scope, as a page does.
const PAGE: &str = "const vm = require('vm'), fs = require('fs');
for (const file of process.argv.slice(2)) vm.runInThisContext(fs.readFileSync(file, 'utf8'), file);";

fn minify(text: &str, kind: ScriptKind) -> String {
    minify_as(text, kind, false)
}

fn minify_as(text: &str, kind: ScriptKind, keep_function_names: bool) -> String {
    let path = SourcePath::parse("a.js").expect("a path");
    let input = Input {
        path: &path,
        kind: Kind::Script,
        text,
        script: kind,
        wants_map: false,
        gently: false,
        keep_function_names,
    };
    script::minify(&input).unwrap_or_else(|refusal| panic!("{refusal}: {text}")).text
}

fn node(arguments: &[&Path]) -> String {
    let output = Command::new("node").args(arguments).output().expect("Node.js is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What classic scripts of one page print.
fn page(scripts: &[String]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("page.cjs");
    fs::write(&page, PAGE).expect("writable");
    let mut files = vec![page];
    for (index, script) in scripts.iter().enumerate() {
        files.push(folder.path().join(format!("{index}.js")));
        fs::write(&files[index + 1], script).expect("writable");
    }
    node(&files.iter().map(|file| &**file).collect::<Vec<_>>())
}

/// What a module prints; `other.mjs` lies beside it.
fn module(text: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("main.mjs");
    fs::write(&file, text).expect("writable");
    fs::write(folder.path().join("data.json"), "{\"a\":1}").expect("writable");
    fs::write(folder.path().join("other.mjs"), "export const one = 1; export default function two() { return 2 }")
        .expect("writable");
    node(&[&file])
}

/// Whether it is known that they are classic scripts or not.
#[track_caller]
fn check_page(scripts: &[&str]) {
    let before = page(&scripts.iter().map(|&script| script.to_owned()).collect::<Vec<_>>());
    assert!(!before.is_empty(), "it prints something");
    for kind in [ScriptKind::Classic, ScriptKind::Unknown] {
        let minified: Vec<String> = scripts.iter().map(|script| minify(script, kind)).collect();
        assert_eq!(page(&minified), before, "{kind:?}: {minified:?}");
    }
}

#[track_caller]
fn check_module(text: &str) {
    let before = module(text);
    assert!(!before.is_empty(), "it prints something");
    for kind in [ScriptKind::Module, ScriptKind::Unknown] {
        let minified = minify(text, kind);
        assert_eq!(module(&minified), before, "{kind:?}: {minified}");
    }
}

#[test]
fn names_of_a_classic_script_are_seen_by_the_next() {
    check_page(&[
        "var counter = 1; let total = 2; const fixed = 3; function increase() { return ++counter } class Shop { static name_ = 'x' }",
        "console.log(counter, total, fixed, increase(), counter, Shop.name_, typeof globalThis.increase)",
    ]);
    check_page(&["var unused = 1; function unusedToo() {}", "console.log(typeof unused, typeof unusedToo)"]);
    check_page(&["'use strict'; var a = 5; { let a = 6 }", "console.log(a)"]);
}

#[test]
fn what_a_classic_script_declares_at_its_top_is_assigned_by_others() {
    check_page(&[
        "let apiBase = '/a'; function getBase() { return apiBase }; let user; function who() { return user ? user.name : 'nobody' }",
        "apiBase = '/b'; user = { name: 'me' }",
        "console.log(getBase(), who(), apiBase, user.name)",
    ]);
    check_page(&[
        "class Cart { static kind = 'a' } function kind() { return Cart.kind } let late = false; const run = () => late && 'ran'",
        "Cart = { kind: 'b' }; late = true",
        "console.log(kind(), run())",
    ]);
    check_page(&[
        "let step = 0; function next() { const before = step; advance(); return before } function twice() { return step === 0 }",
        "function advance() { step++ }",
        "console.log(next(), next(), twice())",
    ]);
}

#[test]
fn calls_that_only_see_whether_something_throws_are_made() {
    check_module(
        "const ok = s => { try { decodeURIComponent(s); return true } catch { return false } };
         const unused = s => { try { const text = encodeURI(s); return true } catch { return false } };
         const check = s => { void decodeURI(s) }; const checks = s => { try { check(s); return true } catch { return false } };
         const point = s => { try { String.fromCodePoint(s); return true } catch { return false } };
         const text = s => { try { String(s), 0; return true } catch { return false } };
         const number = s => { try { isNaN(s); parseInt(s); return true } catch { return false } };
         const maths = s => { try { Math.abs(s); return true } catch { return false } };
         console.log(ok('%'), ok('a'), unused('\\ud800'), unused('a'), checks('%'), checks('a'), point(-1), point(1), text(Object.create(null)),
           text(1), number(Symbol()), number(1), maths(1n), maths(1)); export {}",
    );
}

#[test]
fn names_and_classes_that_are_only_tried_are_tried() {
    for check in [
        "try { later; return true } catch { return false }",
        "try {\n void later\n return true } catch { return false }",
        "try{return later,!0}catch{return!1}",
        "try { (later); return true } catch { return false }",
    ] {
        check_module(&format!(
            "const known = () => {{ {check} }}; const early = known(); let later = 1; console.log(early, known(), later); export {{}}"
        ));
    }
    for check in [
        "try { class A extends s {} return true } catch { return false }",
        "try{return class extends s{},!0}catch{return!1}",
        "try { (class extends s {}); return true } catch { return false }",
    ] {
        check_module(&format!(
            "const constructs = s => {{ {check} }}; console.log(constructs(1), constructs(Map), constructs(() => 1)); export {{}}"
        ));
    }
    let minified = minify(
        "try { await_\n .then() } catch {} try { return_() } catch {} try { (0, a.b)() } catch {} if (1 > 2) f()",
        ScriptKind::Unknown,
    );
    assert!(!minified.contains("if"), "compressed all the same: {minified}");
}

#[test]
fn sloppy_scripts_stay_sloppy_and_strict_ones_strict() {
    check_page(&["console.log((function () { return typeof this })())"]);
    check_page(&["'use strict'; console.log((function () { return typeof this })())"]);
    check_page(&[
        "console.log((function () { 'use strict'; return typeof this })(), (function () { return typeof this })())",
    ]);
    check_page(&["'use strict'; try { undeclared = 1; console.log('set') } catch (error) { console.log(error.name) }"]);
    check_page(&["undeclared = 1; console.log(undeclared, delete globalThis.undeclared)"]);
    check_page(&["function f(a) { arguments[0] = 2; return a } console.log(f(1))"]);
}

#[test]
fn old_syntax_of_scripts_is_kept() {
    check_page(&["console.log(010, 08, '\\101\\0')"]);
    check_page(&["<!-- a comment\nconsole.log(1)\n--> another\n"]);
    check_page(&["with ({ inner: 1 }) { console.log(inner) }"]);
    check_page(&["var secret = 7; (function () { var local = 8; console.log(eval('local + secret')) })()"]);
    check_page(&["console.log(new Function('a', 'return a + 1')(1))"]);
    check_page(&["if (true) { function inBlock() { return 'b' } } console.log(inBlock())"]);
    check_page(&["var await = 1, yield_ = 2; console.log(await + yield_)"]);
    check_page(&["a: for (;;) { for (;;) { break a } } console.log('out')"]);
}

#[test]
fn a_script_that_is_no_module_but_might_be_keeps_everything() {
    check_page(&[
        "var App = (function () { function start() { return 'started' } return { start: start } })();",
        "console.log(App.start())",
    ]);
    check_page(&[
        "(self => { self.chunks = self.chunks || [] })(globalThis); chunks.push([1]); console.log(chunks.length)",
    ]);
}

#[test]
fn modules_import_and_export() {
    check_module(
        "import two, { one as uno } from './other.mjs'; import * as all from './other.mjs'; console.log(uno, two(), Object.keys(all).join())",
    );
    check_module("const lazy = await import('./other.mjs'); console.log(lazy.one)");
    check_module("import data from './data.json' with { type: 'json' }; console.log(data.a)");
    check_module(
        "const { default: data } = await import('./data.json', { with: { type: 'json' } }); console.log(data.a)",
    );
    check_module(
        "import * as me from './main.mjs'; export const visible = 1, other = 2; export { visible as alias }; console.log(Object.keys(me).join())",
    );
    check_module(
        "import * as me from './main.mjs'; export default class Visible {} console.log(Object.keys(me).join(), typeof me.default)",
    );
    check_module("console.log(new URL('./a.png', import.meta.url).pathname.endsWith('/a.png'), this === undefined)");
    check_module("try { await import('./none.mjs') } catch (error) { console.log(error.code) } export {}");
}

#[test]
fn an_import_of_a_missing_name_stays_an_error() {
    let minified = minify("import { missing } from './other.mjs'; console.log(1)", ScriptKind::Module);
    assert!(minified.contains("missing"), "{minified}");
}

#[test]
fn hashbangs_and_directives_are_kept() {
    let minified = minify("#!/usr/bin/env node\n'use client';\nconsole.log( 1 )", ScriptKind::Unknown);
    assert!(minified.starts_with("#!/usr/bin/env node\n"), "{minified}");
    assert!(minified.contains("use client"), "{minified}");
    check_module("#!/usr/bin/env node\nconsole.log('ran'); export {}");
}

#[test]
fn classes_keep_their_private_and_static_parts() {
    check_module(
        "class Counter { #count = 0; static #made = 0; static { Counter.#made = 10 } get value() { return this.#count }
         increase() { this.#count += ++Counter.#made; return this } static has(object) { return #count in object } accessor_ = 'a'; ['com' + 'puted'] = 1 }
         class Twice extends Counter { increase() { super.increase(); return super.increase() } }
         const twice = new Twice().increase(); console.log(twice.value, Counter.has(twice), Counter.has({}), JSON.stringify(twice)); export {}",
    );
}

#[test]
fn functions_and_classes_keep_their_names_where_the_settings_say_so() {
    let text = "class Customer {} const Order = class {}; function deliver() {} const pack = () => {}; let wrap = function () {};
        console.log(new Customer().constructor.name, Order.name, deliver.name, pack.name, wrap.name); export {}";
    assert_eq!(module(&minify_as(text, ScriptKind::Module, true)), module(text));
}

#[test]
fn values_and_their_order_are_kept() {
    check_module(
        "const log = []; const f = name => (log.push(name), { [name]: 1 }); const { a = f('x') } = { ...f('b'), ...f('a') }; console.log(log.join(), a); export {}",
    );
    check_module(
        "console.log(0.1 + 0.2, 1 / 3, -0 === 0, Object.is(-0, 0), 2 ** 53 + 1, 10n ** 20n, NaN !== NaN); export {}",
    );
    check_module("console.log('a\\u2028b\\u{1f600}\\0'.length, `line\n${'é'}\\t`, String.raw`\\n${1}`); export {}");
    check_module(
        "function* numbers() { let n = 0; while (n < 3) { try { yield n++ } finally { console.log('f', n) } } } for (const n of numbers()) console.log(n); export {}",
    );
    check_module(
        "let x; x ??= 5; x ||= 6; x &&= 7; console.log(x, x?.y?.z, null ?? 'd', delete {}.a, typeof undeclared, void 0); export {}",
    );
    check_module(
        "try { const fixed = 1; fixed = 2; console.log('set') } catch (error) { console.log(error.name) } export {}",
    );
    check_module(
        "const order = []; queueMicrotask(() => order.push('m')); await null; order.push('a'); setTimeout(() => console.log(order.join()), 1); export {}",
    );
    check_module("switch (3) { case 1: console.log(1); default: console.log('d'); case 2: console.log(2) } export {}");
    check_module(
        "console.log([1, , 3].length, [...'añ😀'].length, /(?<y>\\d{4})/v.exec('in 2026').groups.y); export {}",
    );
}
