//! JavaScript: compressed and mangled by oxc, without any option that may change what the program does.
//!
//! Nothing is lowered: the output has the syntax of the input. Names that others can see stay: those of a classic
//! script's top level, of exports, of properties. Names of functions and classes (`Function.prototype.name`) do not, as
//! in other minifiers, unless the settings say so.

use std::path::PathBuf;

use memchr::memmem;
use oxc::allocator::Allocator;
use oxc::ast::ast::Program;
use oxc::codegen::{Codegen, CodegenOptions, CodegenReturn};
use oxc::diagnostics::OxcDiagnostic;
use oxc::mangler::{MangleOptions, MangleOptionsKeepNames, Mangler};
use oxc::minifier::{CompressOptions, CompressOptionsKeepNames, Compressor, TreeShakeOptions};
use oxc::parser::Parser;
use oxc::semantic::{ReferenceId, Scoping, SemanticBuilder, Stats, SymbolFlags, SymbolId};
use oxc::span::{SPAN, SourceType};
use oxc::str::Ident;
use oxc::syntax::node::NodeId;
use oxc::syntax::reference::ReferenceFlags;
use oxc_sourcemap::Token;

use super::{Input, Minified, Refusal, bounds, maps};
use crate::arena;
use crate::link::ScriptKind;

/// Each pass over a program may show the next one something to do. What other minifiers wrote takes the most, four; a
/// fifth only finds that nothing is left, and costs as much as the others.
const MAX_PASSES: u8 = 4;

/// Globals whose functions the minifier takes for free of effects. All are in the oldest of browsers: `typeof` of a name
/// that is declared somewhere may become the name itself.
const THROWING: [&str; 11] = [
    "decodeURI",
    "decodeURIComponent",
    "encodeURI",
    "encodeURIComponent",
    "escape",
    "isFinite",
    "isNaN",
    "parseFloat",
    "parseInt",
    "String",
    "Math",
];

/// Minifies a script or a module.
pub fn minify(input: &Input<'_>) -> Result<Minified, Refusal> {
    bounds::script(input.text)?;
    arena::with(input.text.len(), |allocator| {
        let minified = minify_in(allocator, input)?;
        allocator.reset();
        check(allocator, &minified)?;
        Ok(minified.result)
    })
}

/// A result with what its check has to know.
struct Unchecked {
    result: Minified,
    parsed_as: SourceType,
    was_empty: bool,
}

fn minify_in(allocator: &Allocator, input: &Input<'_>) -> Result<Unchecked, Refusal> {
    let mut program = parse(allocator, input.text, source_type(input.script))?;
    let was_empty = is_empty(&program);
    let licences = licences(&program);
    let parsed_as = program.source_type;
    let printed = print(allocator, &mut program, input);
    let map = printed.map.map(|map| {
        // The printer's types are those of an older release of the same crate.
        let tokens = map.get_tokens().map(|token| {
            let (line, column) = (token.get_dst_line(), token.get_dst_col());
            let (from_line, from_column) = (token.get_src_line(), token.get_src_col());
            Token::new(line, column, from_line, from_column, token.get_source_id(), token.get_name_id())
        });
        maps::of_tokens(tokens.collect(), map.get_names())
    });
    let result = Minified { text: printed.code, map, licences, diagnostics: Vec::new() };
    Ok(Unchecked { result, parsed_as, was_empty })
}

/// A script that is taken for a module may lose everything that only other scripts use; so only what is known to be a
/// module, or has syntax that only modules have, is parsed as one.
fn source_type(kind: ScriptKind) -> SourceType {
    match kind {
        ScriptKind::Classic => SourceType::script(),
        ScriptKind::Module => SourceType::mjs(),
        ScriptKind::Unknown => SourceType::unambiguous(),
    }
}

fn parse<'a>(allocator: &'a Allocator, text: &'a str, source_type: SourceType) -> Result<Program<'a>, Refusal> {
    let parsed = Parser::new(allocator, text, source_type).parse();
    match parsed.diagnostics.first() {
        Some(diagnostic) => Err(refusal(diagnostic)),
        None if parsed.panicked => Err(Refusal::new("it cannot be parsed")),
        None => Ok(parsed.program),
    }
}

fn refusal(diagnostic: &OxcDiagnostic) -> Refusal {
    let reason = diagnostic.message.lines().next().unwrap_or_default().trim_end_matches('.');
    let refusal = Refusal::new(reason);
    match diagnostic.labels.first() {
        Some(label) => refusal.at(label.offset() as usize),
        None => refusal,
    }
}

fn is_empty(program: &Program<'_>) -> bool {
    program.body.is_empty() && program.directives.is_empty() && program.hashbang.is_none()
}

fn licences(program: &Program<'_>) -> Vec<String> {
    let legal = program.comments.iter().filter(|comment| comment.is_legal());
    legal.map(|comment| comment.span.source_text(program.source_text).to_owned()).collect()
}

fn print<'a>(allocator: &'a Allocator, program: &mut Program<'a>, input: &Input<'_>) -> CodegenReturn<'a> {
    let gently = input.gently || tries_a_name(input.text);
    let stats = if gently { None } else { Some(compress(allocator, program, input.keep_function_names)) };
    let semantic = SemanticBuilder::new().with_build_nodes(true).with_class_table(true);
    let semantic = if let Some(stats) = stats { semantic.with_stats(stats) } else { semantic };
    let mut semantic = semantic.build(program).semantic;
    let keep_names = MangleOptionsKeepNames { function: input.keep_function_names, class: input.keep_function_names };
    let mangler = Mangler::new().with_options(MangleOptions { keep_names, ..MangleOptions::default() });
    let private_names = mangler.build_with_semantic(&mut semantic, program);
    let options = CodegenOptions { source_map_path: input.wants_map.then(PathBuf::new), ..CodegenOptions::minify() };
    Codegen::new()
        .with_options(options)
        .with_scoping(Some(semantic.into_scoping()))
        .with_private_member_mappings(Some(private_names))
        .build(program)
}

/// Makes the program smaller; how much there was of it.
fn compress<'a>(allocator: &'a Allocator, program: &mut Program<'a>, keep_function_names: bool) -> Stats {
    let semantic = SemanticBuilder::new().build(program).semantic;
    let stats = semantic.stats();
    let mut scoping = semantic.into_scoping();
    if program.source_type.is_script() {
        share(&mut scoping);
    }
    distrust(&mut scoping);
    // An import of a name that the other module lacks is an error at load: it stays one.
    let treeshake = TreeShakeOptions { invalid_import_side_effects: true, ..TreeShakeOptions::default() };
    let max_iterations = Some(MAX_PASSES - 1);
    let keep_names = CompressOptionsKeepNames { function: keep_function_names, class: keep_function_names };
    let options = CompressOptions { keep_names, treeshake, max_iterations, ..CompressOptions::smallest() };
    Compressor::new(allocator).build_with_scoping(program, scoping, options);
    stats
}

/// What a classic script declares at its top, `let` and `class` too, other scripts and `onclick` assign: every use counts
/// as an assignment.
fn share(scoping: &mut Scoping) {
    let top = scoping.iter_bindings_in(scoping.root_scope_id());
    let symbols: Vec<SymbolId> = top.filter(|&symbol| !scoping.symbol_flags(symbol).is_const_variable()).collect();
    for symbol in symbols {
        for reference in scoping.get_resolved_reference_ids(symbol).to_vec() {
            may_assign(scoping, reference);
        }
    }
}

/// Calls of some of the language's functions count as free of effects, but they throw: a program may call them to see
/// whether they do. As functions of unknown origin they stay.
fn distrust(scoping: &mut Scoping) {
    for name in THROWING {
        let Some(references) = scoping.root_unresolved_references().get(name).map(|found| found.to_vec()) else {
            continue;
        };
        let root = scoping.root_scope_id();
        let symbol = scoping.create_symbol(SPAN, Ident::from(name), SymbolFlags::empty(), root, NodeId::ROOT);
        for reference in references {
            scoping.get_reference_mut(reference).set_symbol_id(symbol);
            scoping.add_resolved_reference(symbol, reference);
            may_assign(scoping, reference);
        }
    }
}

/// `try { x } …` and `try { class A extends B {} } …` see whether that throws; the minifier takes both for free of effects,
/// and has no option for it. Told from the text, as the first thing that is tried: a wrong `true` costs some bytes.
fn tries_a_name(text: &str) -> bool {
    memmem::find_iter(text.as_bytes(), "try").any(|at| {
        let Some(block) = text[at + "try".len()..].trim_start().strip_prefix('{') else { return false };
        let (block, returned) = after_word(block.trim_start(), "return").map_or((block, false), |rest| (rest, true));
        let block = block.trim_start_matches(|sign: char| sign.is_whitespace() || matches!(sign, '(' | '!'));
        let tried = after_word(block, "void").unwrap_or(block).trim_start();
        let end = tried.find(|sign: char| !is_of_name(sign)).unwrap_or(tried.len());
        let (name, behind) = tried.split_at(end);
        let behind = behind.trim_start_matches([' ', '\t']);
        match name {
            // `(0, a.b)()` is how bundlers call what they import.
            "" | "0" | "return" | "break" | "continue" | "debugger" => false,
            "class" => behind.split('{').next().is_some_and(|head| head.contains("extends")),
            _ if returned => behind.starts_with(','),
            _ => {
                let next = behind.trim_start();
                let ends_line = behind.starts_with(['\n', '\r']) && next.starts_with(is_of_name);
                ends_line || next.starts_with([';', ',', '}', ')'])
            }
        }
    })
}

fn after_word<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    text.strip_prefix(word).filter(|rest| !rest.starts_with(is_of_name))
}

fn is_of_name(sign: char) -> bool {
    sign.is_alphanumeric() || matches!(sign, '_' | '$')
}

fn may_assign(scoping: &mut Scoping, reference: ReferenceId) {
    *scoping.get_reference_mut(reference).flags_mut() |= ReferenceFlags::Write;
}

/// Whether the output is a program, and not an empty one.
fn check(allocator: &Allocator, minified: &Unchecked) -> Result<(), Refusal> {
    let program = parse(allocator, &minified.result.text, minified.parsed_as)
        .map_err(|refusal| Refusal::new(format!("the result does not parse: {refusal}")))?;
    if is_empty(&program) && !minified.was_empty {
        return Err(Refusal::new("nothing would be left of it"));
    }
    Ok(())
}
