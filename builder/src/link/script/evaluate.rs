//! Evaluates the functions that make chunks' names: sums, conditions and tables over one parameter, nothing else.

use std::collections::{BTreeMap, BTreeSet};

use oxc::ast::ast::{
    Argument, ArrowFunctionBody, BindingPattern, Expression as Tree, FormalParameters, FunctionBody, ObjectExpression,
    PropertyKey, Statement,
};
use oxc::syntax::operator::{BinaryOperator, LogicalOperator};

/// Deeper than any bundler nests a condition for each of its chunks (`e===1?"a":e===2?"b":…`).
const DEEPEST: usize = 2_000;

/// What a name function returns.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    Parameter,
    Text(String),
    Number(f64),
    Undefined,
    Sum(Box<Expression>, Box<Expression>),
    Equal(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Choice(Box<(Expression, Expression, Expression)>),
    Table(BTreeMap<String, Expression>, Box<Expression>),
    /// `n.h()`.
    FullHash,
    Slice(Box<Expression>, usize, Option<usize>),
}

#[derive(Debug, Clone, PartialEq)]
enum Value {
    Text(String),
    Number(f64),
    Truth(bool),
    Undefined,
}

/// What a name function is evaluated with.
pub(super) struct Input<'i> {
    pub(super) id: &'i str,
    pub(super) full_hash: Option<&'i str>,
    /// What stands in the script where this text stood.
    pub(super) rewritten: &'i dyn Fn(&str) -> String,
}

/// What a function of one parameter returns, if it does nothing else.
pub(super) fn result_of(function: &Tree<'_>) -> Option<Expression> {
    let (parameters, body) = match function {
        Tree::ArrowFunctionExpression(arrow) => match &arrow.body {
            ArrowFunctionBody::FunctionBody(body) => (&arrow.params, returned(body)?),
            body => (&arrow.params, body.as_expression()?),
        },
        Tree::FunctionExpression(function) => (&function.params, returned(function.body.as_deref()?)?),
        _ => return None,
    };
    Reader { parameter: parameter(parameters)? }.read(body, 0)
}

fn parameter(parameters: &FormalParameters<'_>) -> Option<String> {
    match (parameters.items.as_slice(), &parameters.rest) {
        ([], None) => Some(String::new()),
        ([only], None) if only.initializer.is_none() => match &only.pattern {
            BindingPattern::BindingIdentifier(name) => Some(name.name.to_string()),
            _ => None,
        },
        _ => None,
    }
}

fn returned<'b, 'a>(body: &'b FunctionBody<'a>) -> Option<&'b Tree<'a>> {
    match body.statements.as_slice() {
        [Statement::ReturnStatement(only)] => only.argument.as_ref(),
        _ => None,
    }
}

/// The text of a number as a property's name.
pub(super) fn number(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 { format!("{value:.0}") } else { value.to_string() }
}

struct Reader {
    parameter: String,
}

impl Reader {
    fn read(&self, tree: &Tree<'_>, depth: usize) -> Option<Expression> {
        if depth > DEEPEST {
            return None;
        }
        let read = |tree: &Tree<'_>| self.read(tree, depth + 1);
        let boxed = |tree: &Tree<'_>| read(tree).map(Box::new);
        Some(match tree {
            Tree::Identifier(name) if name.name == self.parameter.as_str() => Expression::Parameter,
            Tree::Identifier(name) if name.name == "undefined" => Expression::Undefined,
            Tree::StringLiteral(text) => Expression::Text(text.value.to_string()),
            Tree::NumericLiteral(value) => Expression::Number(value.value),
            Tree::UnaryExpression(unary) if unary.operator.is_void() => Expression::Undefined,
            Tree::TemplateLiteral(template) => {
                let mut sum = Expression::Text(String::new());
                let mut expressions = template.expressions.iter();
                for quasi in &template.quasis {
                    let text = Expression::Text(quasi.value.cooked.as_ref()?.to_string());
                    sum = Expression::Sum(Box::new(sum), Box::new(text));
                    if let Some(expression) = expressions.next() {
                        sum = Expression::Sum(Box::new(sum), boxed(expression)?);
                    }
                }
                sum
            }
            Tree::BinaryExpression(binary) => {
                let (left, right) = (boxed(&binary.left)?, boxed(&binary.right)?);
                match binary.operator {
                    BinaryOperator::Addition => Expression::Sum(left, right),
                    BinaryOperator::StrictEquality | BinaryOperator::Equality => Expression::Equal(left, right),
                    _ => return None,
                }
            }
            Tree::LogicalExpression(logical) => {
                let (left, right) = (boxed(&logical.left)?, boxed(&logical.right)?);
                match logical.operator {
                    LogicalOperator::And => Expression::And(left, right),
                    // In these functions what is missing is undefined, and nothing is empty.
                    LogicalOperator::Or | LogicalOperator::Coalesce => Expression::Or(left, right),
                }
            }
            Tree::ConditionalExpression(choice) => {
                Expression::Choice(Box::new((read(&choice.test)?, read(&choice.consequent)?, read(&choice.alternate)?)))
            }
            Tree::ComputedMemberExpression(member) => match &member.object {
                Tree::ObjectExpression(table) => {
                    Expression::Table(self.table(table, depth)?, boxed(&member.expression)?)
                }
                _ => return None,
            },
            Tree::CallExpression(call) => match &call.callee {
                Tree::StaticMemberExpression(callee) => {
                    match (callee.property.name.as_str(), call.arguments.as_slice()) {
                        ("h", []) => Expression::FullHash,
                        ("slice" | "substring" | "substr", [from]) => {
                            Expression::Slice(boxed(&callee.object)?, index(from)?, None)
                        }
                        ("slice" | "substring", [from, to]) => {
                            Expression::Slice(boxed(&callee.object)?, index(from)?, Some(index(to)?))
                        }
                        ("substr", [from, length]) => {
                            let from = index(from)?;
                            Expression::Slice(boxed(&callee.object)?, from, Some(from + index(length)?))
                        }
                        _ => return None,
                    }
                }
                _ => return None,
            },
            _ => return None,
        })
    }

    fn table(&self, table: &ObjectExpression<'_>, depth: usize) -> Option<BTreeMap<String, Expression>> {
        let entry = |property: &oxc::ast::ast::ObjectPropertyKind<'_>| {
            let property = property.as_property().filter(|property| !property.computed)?;
            let key = match &property.key {
                PropertyKey::StaticIdentifier(name) => name.name.to_string(),
                PropertyKey::StringLiteral(name) => name.value.to_string(),
                PropertyKey::NumericLiteral(value) => number(value.value),
                _ => return None,
            };
            Some((key, self.read(&property.value, depth + 1)?))
        };
        table.properties.iter().map(entry).collect()
    }
}

fn index(argument: &Argument<'_>) -> Option<usize> {
    match argument.as_expression()? {
        Tree::NumericLiteral(value) => number(value.value).parse().ok(),
        _ => None,
    }
}

impl Expression {
    /// The ids that it tells apart.
    pub(super) fn keys(&self) -> BTreeSet<String> {
        let mut keys = BTreeSet::new();
        self.collect_keys(&mut keys);
        keys
    }

    fn collect_keys(&self, keys: &mut BTreeSet<String>) {
        match self {
            Expression::Sum(one, other) | Expression::Or(one, other) | Expression::And(one, other) => {
                one.collect_keys(keys);
                other.collect_keys(keys);
            }
            Expression::Equal(one, other) => keys.extend([one, other].into_iter().filter_map(|side| match &**side {
                Expression::Text(text) => Some(text.clone()),
                Expression::Number(value) => Some(number(*value)),
                _ => None,
            })),
            Expression::Choice(parts) => {
                parts.0.collect_keys(keys);
                parts.1.collect_keys(keys);
                parts.2.collect_keys(keys);
            }
            Expression::Table(table, index) => {
                keys.extend(table.keys().cloned());
                index.collect_keys(keys);
            }
            Expression::Slice(of, ..) => of.collect_keys(keys),
            Expression::Parameter
            | Expression::Text(_)
            | Expression::Number(_)
            | Expression::Undefined
            | Expression::FullHash => {}
        }
    }

    /// The name for an id; nothing where it is no text.
    pub(super) fn evaluate(&self, input: &Input<'_>) -> Option<String> {
        match self.value(input)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn value(&self, input: &Input<'_>) -> Option<Value> {
        Some(match self {
            Expression::Parameter => Value::Text(input.id.to_owned()),
            Expression::Text(text) => Value::Text((input.rewritten)(text)),
            Expression::Number(value) => Value::Number(*value),
            Expression::Undefined => Value::Undefined,
            Expression::Sum(one, other) => {
                Value::Text(format!("{}{}", one.value(input)?.text(), other.value(input)?.text()))
            }
            // Ids are numbers here and texts there; what is compared are never rewritten names.
            Expression::Equal(one, other) => Value::Truth(one.value(input)?.text() == other.value(input)?.text()),
            Expression::Or(one, other) => match one.value(input)? {
                value if value.is_true() => value,
                _ => other.value(input)?,
            },
            Expression::And(one, other) => match one.value(input)? {
                value if value.is_true() => other.value(input)?,
                value => value,
            },
            Expression::Choice(parts) => {
                if parts.0.value(input)?.is_true() {
                    parts.1.value(input)?
                } else {
                    parts.2.value(input)?
                }
            }
            Expression::Table(table, index) => match table.get(&index.value(input)?.text()) {
                Some(entry) => entry.value(input)?,
                None => Value::Undefined,
            },
            Expression::FullHash => Value::Text((input.rewritten)(input.full_hash?)),
            Expression::Slice(of, from, to) => {
                let text = of.value(input)?.text();
                let to = to.unwrap_or(text.len()).min(text.len());
                Value::Text(text.get((*from).min(to)..to)?.to_owned())
            }
        })
    }
}

impl Value {
    fn text(&self) -> String {
        match self {
            Value::Text(text) => text.clone(),
            Value::Number(value) => number(*value),
            Value::Truth(truth) => truth.to_string(),
            Value::Undefined => "undefined".to_owned(),
        }
    }

    fn is_true(&self) -> bool {
        match self {
            Value::Text(text) => !text.is_empty(),
            Value::Number(value) => *value != 0.0,
            Value::Truth(truth) => *truth,
            Value::Undefined => false,
        }
    }
}
