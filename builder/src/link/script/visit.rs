//! Walks a script's tree: parents say what the strings below them are; strings are then looked at one by one.

use std::collections::HashMap;

use oxc::ast::ast::{
    Argument, ArrayExpression, ArrayExpressionElement, AssignmentExpression, AssignmentTarget, BinaryExpression,
    BindingPattern, CallExpression, ComputedMemberExpression, Directive, ExportAllDeclaration, ExportFromDeclaration,
    Expression, ImportDeclaration, ImportExpression, NewExpression, ObjectExpression, ObjectProperty,
    ObjectPropertyKind, Program, PropertyKey, StringLiteral, SwitchCase, TaggedTemplateExpression, TemplateLiteral,
    VariableDeclarator,
};
use oxc::ast_visit::{Visit, walk};
use oxc::span::{GetSpan, Span};
use oxc::syntax::operator::BinaryOperator;

use super::evaluate;
use super::literal::is_script_name;
use super::{
    Edit, Facts, How, Keep, KeepReason, Linked, NameFunction, Place, Precached, Reference, ReferenceKind, Resolved,
};
use crate::diagnostic::Diagnostic;
use crate::link::names::Grammar;
use crate::scan::SourcePath;

/// What a string is, by where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Any string: a whole path of a file counts.
    Any,
    /// A piece of something that is put together.
    Piece,
    /// What something is compared with, or looked up by.
    Compared,
    /// A property's name: after minifying it may stand without quotes.
    Key,
    /// A module specifier.
    Module(ReferenceKind),
    /// A URL that is relative to this file.
    Url(ReferenceKind),
    /// A path below the base of the site.
    Base(ReferenceKind),
    /// The script of a service worker, which keeps its name.
    ServiceWorker,
    /// The URL of a precached file, which keeps its name where it has no fingerprint.
    Precached,
    /// Dealt with already.
    Done,
}

/// Methods that compare their argument with, or look it up in, what they are called on.
const COMPARING: &[&str] = &[
    "startsWith",
    "endsWith",
    "includes",
    "indexOf",
    "lastIndexOf",
    "has",
    "get",
    "delete",
    "replace",
    "replaceAll",
    "split",
    "test",
];

/// The walk over one script.
pub(super) struct Visitor<'a> {
    place: Place<'a>,
    linked: Linked,
    /// By where the string begins.
    roles: HashMap<u32, Role>,
    /// Within Vite's list of files to preload.
    in_preload_list: bool,
}

impl<'a> Visitor<'a> {
    pub(super) fn new(place: Place<'a>) -> Visitor<'a> {
        Visitor { place, linked: Linked::default(), roles: HashMap::new(), in_preload_list: false }
    }

    pub(super) fn program(&mut self, program: &Program<'_>) {
        self.visit_program(program);
    }

    pub(super) fn place(&self) -> Place<'a> {
        self.place
    }

    pub(super) fn facts(&mut self) -> &mut Facts {
        &mut self.linked.facts
    }

    pub(super) fn edit(&mut self, edit: Edit) {
        self.linked.edits.push(edit);
    }

    pub(super) fn refer(&mut self, reference: Reference) {
        self.linked.references.push(reference);
    }

    pub(super) fn keep(&mut self, file: SourcePath, reason: KeepReason) {
        self.linked.keeps.push(Keep { file, reason });
    }

    pub(super) fn dangle(&mut self, path: String, finding: Diagnostic) {
        self.linked.dangling.push(path);
        self.warn(finding);
    }

    pub(super) fn warn(&mut self, diagnostic: Diagnostic) {
        self.linked.diagnostics.push(diagnostic);
    }

    /// What was found, in order.
    pub(super) fn finish(mut self) -> Linked {
        self.linked.sort();
        self.linked
    }

    /// The first to say what a string is, is right: outer nodes come first and know more.
    fn is(&mut self, string: &Expression<'_>, role: Role) {
        match string {
            Expression::StringLiteral(_) | Expression::TemplateLiteral(_) => {
                self.roles.entry(string.span().start).or_insert(role);
            }
            _ => {}
        }
    }

    fn arguments_are(&mut self, arguments: &[Argument<'_>], role: Role) {
        for argument in arguments.iter().filter_map(Argument::as_expression) {
            self.is(argument, role);
        }
    }

    /// The strings that a `+` puts together, however many.
    fn pieces(&mut self, expression: &Expression<'_>) {
        self.is(expression, Role::Piece);
        if let Expression::BinaryExpression(sum) = expression {
            self.is(&sum.right, Role::Piece);
        }
    }

    /// The URL in `new Worker(…)` or `register(…)`: a string, or `new URL("…", import.meta.url)`.
    fn script_url(&mut self, argument: &Expression<'_>, role: Role) {
        match argument {
            Expression::NewExpression(new) if is_named(&new.callee, "URL") => {
                if let Some(url) = new.arguments.first().and_then(Argument::as_expression) {
                    let relative = new.arguments.get(1).and_then(Argument::as_expression).is_some_and(is_own_url);
                    let absolute = new.arguments.len() == 1 || begins_with_slash(url);
                    let role = match relative || absolute || role == Role::ServiceWorker {
                        _ if self.leads_elsewhere(new) => Role::Done,
                        true => role,
                        false => Role::Any,
                    };
                    self.is(url, role);
                }
            }
            url if role == Role::ServiceWorker || begins_with_slash(url) => self.is(url, role),
            _ => {}
        }
    }

    /// `new URL("/x.png", "https://elsewhere.example")`
    fn leads_elsewhere(&self, new: &NewExpression<'_>) -> bool {
        let base = new.arguments.get(1).and_then(Argument::as_expression).and_then(text_in);
        base.is_some_and(|base| self.place.names.resolve(self.place.from, base, How::File) == Resolved::External)
    }

    /// `import("./pages/" + name + ".js")`: scripts that it may name keep their names, lest they run twice.
    fn computed_import(&mut self, specifier: &Expression<'_>) {
        let place = self.place;
        let (Some(start), Some(end)) = (first_text(specifier), last_text(specifier)) else { return };
        if !start.starts_with(['.', '/']) || !is_script_name(end) || specifier.is_string_literal() {
            return;
        }
        let span = place.start + specifier.span().start as usize..place.start + specifier.span().end as usize;
        for to in place.names.scripts_between(place.from, start, end) {
            self.refer(Reference { to: to.clone(), kind: ReferenceKind::DynamicImport, span: span.clone() });
            self.keep(to, KeepReason::Computed(place.source.path.clone()));
        }
    }

    fn worker(&mut self, arguments: &[Argument<'_>]) {
        let mut arguments = arguments.iter().filter_map(Argument::as_expression);
        let Some(url) = arguments.next() else { return };
        let kind = match arguments.next() {
            // The name of a shared worker may stand in the options' place.
            None | Some(Expression::StringLiteral(_)) => ReferenceKind::Worker,
            Some(Expression::ObjectExpression(options)) => match text_of(options, "type") {
                Some("module") => ReferenceKind::ModuleWorker,
                _ if options.properties.iter().any(ObjectPropertyKind::is_spread) => ReferenceKind::Name,
                _ => ReferenceKind::Worker,
            },
            Some(_) => ReferenceKind::Name,
        };
        self.script_url(url, Role::Url(kind));
    }

    /// `n.e(594)`, `n.u("about")`, `push([[594], …])`: ids that a name function may be called with.
    fn chunk_ids(&mut self, call: &CallExpression<'_>) {
        let Expression::StaticMemberExpression(callee) = &call.callee else { return };
        let first = call.arguments.first().and_then(Argument::as_expression);
        match (callee.property.name.as_str(), first) {
            ("e" | "u" | "k" | "miniCssF", Some(id)) => self.chunk_id(id),
            ("push", Some(Expression::ArrayExpression(chunk))) => {
                if let Some(ids) = chunk.elements.first().and_then(ArrayExpressionElement::as_expression) {
                    self.ids_of(ids);
                }
            }
            _ => {}
        }
    }

    fn ids_of(&mut self, ids: &Expression<'_>) {
        if let Expression::ArrayExpression(ids) = ids {
            for id in ids.elements.iter().filter_map(ArrayExpressionElement::as_expression) {
                self.chunk_id(id);
            }
        }
    }

    fn chunk_id(&mut self, id: &Expression<'_>) {
        let id = match id {
            Expression::StringLiteral(id) => id.value.to_string(),
            Expression::NumericLiteral(id) => evaluate::number(id.value),
            _ => return,
        };
        self.facts().chunk_ids.insert(id);
    }

    /// `n.u = e => …` and its like, if the function holds the end of a script's or a style sheet's name.
    fn name_function(&mut self, assignment: &AssignmentExpression<'_>) {
        let AssignmentTarget::StaticMemberExpression(target) = &assignment.left else { return };
        match target.property.name.as_str() {
            "u" | "k" | "miniCssF" | "hu" => {
                let span = assignment.right.span();
                let text = self.place.script.get(span.start as usize..span.end as usize).unwrap_or_default();
                let is_function = matches!(
                    assignment.right,
                    Expression::ArrowFunctionExpression(_) | Expression::FunctionExpression(_)
                );
                let names = [".js", ".mjs", ".cjs", ".css"].iter().any(|extension| text.contains(extension));
                if is_function && names {
                    let result = evaluate::result_of(&assignment.right);
                    if let Some(result) = &result {
                        let keys = result.keys();
                        self.facts().chunk_ids.extend(keys);
                    }
                    let start = self.place.start;
                    let span = start + span.start as usize..start + span.end as usize;
                    self.facts().name_functions.push(NameFunction { span, result });
                }
            }
            "h" => {
                if let Some(evaluate::Expression::Text(hash)) = evaluate::result_of(&assignment.right) {
                    self.facts().full_hash = Some(hash);
                }
            }
            _ => {}
        }
    }

    fn is_webpack(&self) -> bool {
        self.place.names.grammar() == Grammar::Webpack
    }

    pub(super) fn precached(&mut self, to: SourcePath, url: &str, end: u32) {
        let end = self.place.start + end as usize;
        self.facts().precached.push(Precached { to, url: url.to_owned(), end });
    }

    pub(super) fn done(&mut self, span: Span) {
        self.set_role(span, Role::Done);
    }

    pub(super) fn set_role(&mut self, span: Span, role: Role) {
        self.roles.insert(span.start, role);
    }
}

impl<'t> Visit<'t> for Visitor<'_> {
    fn visit_string_literal(&mut self, literal: &StringLiteral<'t>) {
        let role = self.roles.remove(&literal.span.start).unwrap_or(Role::Any);
        self.string(literal, role);
    }

    fn visit_template_literal(&mut self, template: &TemplateLiteral<'t>) {
        let role = self.roles.remove(&template.span.start).unwrap_or(Role::Any);
        self.template(template, role);
        for expression in &template.expressions {
            self.pieces(expression);
        }
        walk::walk_template_literal(self, template);
    }

    fn visit_tagged_template_expression(&mut self, tagged: &TaggedTemplateExpression<'t>) {
        // What a tag makes of its strings is its own affair: only fingerprints count in them.
        self.roles.insert(tagged.quasi.span.start, Role::Piece);
        walk::walk_tagged_template_expression(self, tagged);
    }

    // `"use strict"` is no value.
    fn visit_directive(&mut self, _directive: &Directive<'t>) {}

    fn visit_import_declaration(&mut self, import: &ImportDeclaration<'t>) {
        self.roles.insert(import.source.span.start, Role::Module(ReferenceKind::Import));
        walk::walk_import_declaration(self, import);
    }

    fn visit_export_from_declaration(&mut self, export: &ExportFromDeclaration<'t>) {
        self.roles.insert(export.source.span.start, Role::Module(ReferenceKind::Import));
        walk::walk_export_from_declaration(self, export);
    }

    fn visit_export_all_declaration(&mut self, export: &ExportAllDeclaration<'t>) {
        self.roles.insert(export.source.span.start, Role::Module(ReferenceKind::Import));
        walk::walk_export_all_declaration(self, export);
    }

    fn visit_import_expression(&mut self, import: &ImportExpression<'t>) {
        self.is(&import.source, Role::Module(ReferenceKind::DynamicImport));
        self.computed_import(&import.source);
        walk::walk_import_expression(self, import);
    }

    fn visit_new_expression(&mut self, new: &NewExpression<'t>) {
        if is_named(&new.callee, "Worker") || is_named(&new.callee, "SharedWorker") {
            self.worker(&new.arguments);
        } else if is_named(&new.callee, "URL") {
            let mut arguments = new.arguments.iter().filter_map(Argument::as_expression);
            if let (Some(url), Some(base)) = (arguments.next(), arguments.next()) {
                if is_own_url(base) {
                    self.is(url, Role::Url(ReferenceKind::Name));
                } else if self.leads_elsewhere(new) {
                    self.is(url, Role::Done);
                }
            }
        } else if let Some(Expression::ArrayExpression(list)) = new.arguments.first().and_then(Argument::as_expression)
        {
            let keys = elements(list);
            if is_named(&new.callee, "Set") {
                keys.for_each(|key| self.is(key, Role::Compared));
            } else if is_named(&new.callee, "Map") {
                let pairs = keys.filter_map(|pair| match pair {
                    Expression::ArrayExpression(pair) => elements(pair).next(),
                    _ => None,
                });
                pairs.for_each(|key| self.is(key, Role::Compared));
            }
        }
        walk::walk_new_expression(self, new);
    }

    fn visit_call_expression(&mut self, call: &CallExpression<'t>) {
        match &call.callee {
            Expression::Identifier(callee) if callee.name == "importScripts" => {
                self.arguments_are(&call.arguments, Role::Url(ReferenceKind::Script));
            }
            Expression::StaticMemberExpression(callee) => {
                let method = callee.property.name.as_str();
                let object = &callee.object;
                if method == "importScripts" {
                    self.arguments_are(&call.arguments, Role::Url(ReferenceKind::Script));
                } else if method == "register" && is_member(object, "serviceWorker") {
                    if let Some(url) = call.arguments.first().and_then(Argument::as_expression) {
                        self.script_url(url, Role::ServiceWorker);
                    }
                } else if method == "resolve" && is_import_meta(object) {
                    self.arguments_are(&call.arguments, Role::Module(ReferenceKind::Name));
                } else if COMPARING.contains(&method) {
                    self.is(object, Role::Piece);
                    if let Expression::ArrayExpression(list) = object {
                        elements(list).for_each(|element| self.is(element, Role::Compared));
                    }
                    self.arguments_are(&call.arguments, Role::Compared);
                } else if method == "concat" {
                    self.is(object, Role::Piece);
                    self.arguments_are(&call.arguments, Role::Piece);
                }
            }
            _ => {}
        }
        if self.is_webpack() {
            self.chunk_ids(call);
        }
        walk::walk_call_expression(self, call);
    }

    fn visit_binary_expression(&mut self, binary: &BinaryExpression<'t>) {
        match binary.operator {
            BinaryOperator::Addition => {
                // `n.p + "static/media/x.png"` is a path below the base, unless more is added to it.
                let below_base =
                    matches!(&binary.left, Expression::StaticMemberExpression(left) if left.property.name == "p");
                if below_base && self.is_webpack() {
                    self.is(&binary.right, Role::Base(ReferenceKind::Name));
                }
                self.pieces(&binary.left);
                self.pieces(&binary.right);
            }
            operator if operator.is_equality() || operator.is_compare() || operator.is_in() => {
                self.is(&binary.left, Role::Compared);
                self.is(&binary.right, Role::Compared);
            }
            _ => {}
        }
        walk::walk_binary_expression(self, binary);
    }

    fn visit_switch_case(&mut self, case: &SwitchCase<'t>) {
        if let Some(test) = &case.test {
            self.is(test, Role::Compared);
        }
        walk::walk_switch_case(self, case);
    }

    fn visit_computed_member_expression(&mut self, member: &ComputedMemberExpression<'t>) {
        self.is(&member.expression, Role::Key);
        walk::walk_computed_member_expression(self, member);
    }

    fn visit_object_property(&mut self, property: &ObjectProperty<'t>) {
        if let PropertyKey::StringLiteral(key) = &property.key {
            self.roles.insert(key.span.start, Role::Key);
        }
        walk::walk_object_property(self, property);
    }

    fn visit_object_expression(&mut self, object: &ObjectExpression<'t>) {
        self.precache_entry(object);
        // `axios({baseURL, url: "/x.png"})`
        if property(object, "baseURL").is_some()
            && let Some(url) = property(object, "url")
        {
            self.is(url, Role::Piece);
        }
        walk::walk_object_expression(self, object);
    }

    fn visit_assignment_expression(&mut self, assignment: &AssignmentExpression<'t>) {
        if self.is_webpack() {
            self.name_function(assignment);
        }
        walk::walk_assignment_expression(self, assignment);
    }

    fn visit_variable_declarator(&mut self, declarator: &VariableDeclarator<'t>) {
        let name = match &declarator.id {
            BindingPattern::BindingIdentifier(name) => name.name.as_str(),
            _ => "",
        };
        match (name, &declarator.init) {
            ("__vite__mapDeps" | "__vite__fileDeps", _) => {
                let outer = std::mem::replace(&mut self.in_preload_list, true);
                walk::walk_variable_declarator(self, declarator);
                self.in_preload_list = outer;
                return;
            }
            ("__rspack_esm_ids" | "__webpack_ids__", Some(ids)) => self.ids_of(ids),
            _ => {}
        }
        walk::walk_variable_declarator(self, declarator);
    }

    fn visit_array_expression_element(&mut self, element: &ArrayExpressionElement<'t>) {
        if let Some(path) = element.as_expression().filter(|_| self.in_preload_list) {
            let relative = matches!(path, Expression::StringLiteral(path) if path.value.starts_with('.'));
            let kind = ReferenceKind::Name;
            self.is(path, if relative { Role::Url(kind) } else { Role::Base(kind) });
        }
        walk::walk_array_expression_element(self, element);
    }
}

pub(super) fn is_named(expression: &Expression<'_>, name: &str) -> bool {
    match expression {
        Expression::Identifier(identifier) => identifier.name == name,
        Expression::StaticMemberExpression(member) => member.property.name == name && is_global(&member.object),
        _ => false,
    }
}

fn is_global(expression: &Expression<'_>) -> bool {
    matches!(expression, Expression::Identifier(name) if matches!(name.name.as_str(), "window" | "self" | "globalThis"))
}

fn is_member(expression: &Expression<'_>, name: &str) -> bool {
    matches!(expression, Expression::StaticMemberExpression(member) if member.property.name == name)
}

fn is_import_meta(expression: &Expression<'_>) -> bool {
    matches!(expression, Expression::ImportMeta(_))
}

/// `import.meta.url`, and what Vite makes of it: `"" + import.meta.url`.
fn is_own_url(expression: &Expression<'_>) -> bool {
    match expression {
        Expression::StaticMemberExpression(member) => member.property.name == "url" && is_import_meta(&member.object),
        Expression::BinaryExpression(sum) => {
            let empty = matches!(&sum.left, Expression::StringLiteral(text) if text.value.is_empty())
                || matches!(&sum.left, Expression::TemplateLiteral(text) if text.is_no_substitution_template() && text.quasis.iter().all(|quasi| quasi.value.raw.is_empty()));
            sum.operator == BinaryOperator::Addition && empty && is_own_url(&sum.right)
        }
        _ => false,
    }
}

fn begins_with_slash(expression: &Expression<'_>) -> bool {
    match expression {
        Expression::StringLiteral(text) => text.value.starts_with('/'),
        Expression::TemplateLiteral(text) => text.quasis.first().is_some_and(|quasi| quasi.value.raw.starts_with('/')),
        _ => false,
    }
}

/// What the strings of a sum or a template begin with.
fn first_text<'e>(expression: &'e Expression<'_>) -> Option<&'e str> {
    match expression {
        Expression::StringLiteral(text) => Some(text.value.as_str()),
        Expression::TemplateLiteral(text) if !text.is_no_substitution_template() => {
            Some(text.quasis.first()?.value.raw.as_str())
        }
        Expression::BinaryExpression(sum) if sum.operator == BinaryOperator::Addition => first_text(&sum.left),
        _ => None,
    }
}

/// What they end with.
fn last_text<'e>(expression: &'e Expression<'_>) -> Option<&'e str> {
    match expression {
        Expression::StringLiteral(text) => Some(text.value.as_str()),
        Expression::TemplateLiteral(text) if !text.is_no_substitution_template() => {
            Some(text.quasis.last()?.value.raw.as_str())
        }
        Expression::BinaryExpression(sum) if sum.operator == BinaryOperator::Addition => last_text(&sum.right),
        _ => None,
    }
}

/// The value of a property that is a string.
fn text_of<'o>(object: &'o ObjectExpression<'_>, name: &str) -> Option<&'o str> {
    property(object, name).and_then(text_in)
}

/// The value of a property.
fn property<'o, 'a>(object: &'o ObjectExpression<'a>, name: &str) -> Option<&'o Expression<'a>> {
    let mut properties = object.properties.iter().filter_map(ObjectPropertyKind::as_property);
    properties.find(|property| property.key.is_specific_static_name(name)).map(|property| &property.value)
}

/// A string without anything that is computed.
fn text_in<'o>(expression: &'o Expression<'_>) -> Option<&'o str> {
    match expression {
        Expression::StringLiteral(text) => Some(text.value.as_str()),
        Expression::TemplateLiteral(text) if text.is_no_substitution_template() => {
            Some(text.quasis.first()?.value.cooked.as_ref()?.as_str())
        }
        _ => None,
    }
}

fn elements<'o, 'a>(list: &'o ArrayExpression<'a>) -> impl Iterator<Item = &'o Expression<'a>> {
    list.elements.iter().filter_map(ArrayExpressionElement::as_expression)
}
