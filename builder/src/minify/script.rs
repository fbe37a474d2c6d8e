//! JavaScript: compressed and mangled by oxc, without any option that may change what the program does.
//!
//! Nothing is lowered: the output has the syntax of the input. Names that others can see stay: those of a classic
//! script's top level, of exports, of properties. Names of functions and classes (`Function.prototype.name`) do not, as
//! in other minifiers.

use std::path::PathBuf;

use oxc::allocator::Allocator;
use oxc::ast::ast::Program;
use oxc::codegen::{Codegen, CodegenOptions, CodegenReturn};
use oxc::diagnostics::OxcDiagnostic;
use oxc::minifier::{CompressOptions, MangleOptions, Minifier, MinifierOptions, TreeShakeOptions};
use oxc::parser::Parser;
use oxc::span::SourceType;
use oxc_sourcemap::Token;

use super::{Input, Minified, Refusal, bounds, maps};
use crate::arena;
use crate::link::ScriptKind;

/// Each pass over a program may show the next one something to do. What other minifiers wrote takes the most, four; a
/// fifth only finds that nothing is left, and costs as much as the others.
const MAX_PASSES: u8 = 4;

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
    let minified = Minifier::new(options(input.gently)).minify(allocator, program);
    let options = CodegenOptions { source_map_path: input.wants_map.then(PathBuf::new), ..CodegenOptions::minify() };
    Codegen::new()
        .with_options(options)
        .with_scoping(minified.scoping)
        .with_private_member_mappings(minified.class_private_mappings)
        .build(program)
}

fn options(gently: bool) -> MinifierOptions {
    // An import of a name that the other module lacks is an error at load: it stays one.
    let treeshake = TreeShakeOptions { invalid_import_side_effects: true, ..TreeShakeOptions::default() };
    let max_iterations = Some(MAX_PASSES - 1);
    let compress = CompressOptions { treeshake, max_iterations, ..CompressOptions::smallest() };
    MinifierOptions {
        mangle: Some(MangleOptions::default()),
        mangle_properties: None,
        compress: (!gently).then_some(compress),
    }
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
