//! Conditions: Python expressions over a node's data, evaluated natively.
//!
//! This module supports the part of Python's expressions that `fmf/docs/conditions.md` lists, with Python's meaning. It does not
//! know trees.
//!
//! Invariants: an expression has the outcome of Python's `eval()`, or it is an error that names the construct or the exception.
//! It never becomes false silently. Evaluation ends within limits of time, memory and stack.

mod arithmetic;
mod ast;
mod builtins;
mod call;
mod case;
mod compare;
mod eval;
mod eval_error;
mod iterate;
mod lexer;
mod literal;
mod methods;
mod names;
mod numeric;
mod object;
mod order;
mod parser;
mod primary;
mod strings;
mod subscript;
mod table;
mod text;
mod trailer;

use std::sync::Arc;

use ast::{Expr, Span};
use eval::Evaluator;
use eval_error::EvalError;

use super::Map;

/// The reason why a condition gives no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ConditionError {
    /// The expression is not valid in Python.
    #[error("invalid condition `{expression}`: {message} at `{part}`")]
    Syntax {
        /// The expression.
        expression: String,
        /// The part that could not be parsed.
        part: String,
        /// What is wrong with it.
        message: String,
    },
    /// Python can evaluate the expression, but the native evaluation cannot.
    #[error("condition `{expression}` uses {construct}, which is not supported: `{part}`")]
    Unsupported {
        /// The expression.
        expression: String,
        /// The construct, in words.
        construct: String,
        /// The part of the expression that contains it.
        part: String,
    },
    /// Python raises an exception that ends fmf.
    #[error("condition `{expression}` raises {exception} at `{part}` on `{node}`: {message}")]
    Raised {
        /// The expression.
        expression: String,
        /// The name of the node.
        node: String,
        /// The exception, by its name in Python.
        exception: &'static str,
        /// The part of the expression that raised it.
        part: String,
        /// Roughly what Python's message says.
        message: String,
    },
    /// The evaluation needs more time, memory or stack than it may use.
    #[error("condition `{expression}` is stopped on `{node}`: {limit}")]
    Limit {
        /// The expression.
        expression: String,
        /// The name of the node.
        node: String,
        /// The limit that was exceeded.
        limit: &'static str,
    },
}

impl ConditionError {
    /// Returns the expression.
    pub fn expression(&self) -> &str {
        match self {
            Self::Syntax { expression, .. }
            | Self::Unsupported { expression, .. }
            | Self::Raised { expression, .. }
            | Self::Limit { expression, .. } => expression,
        }
    }
}

/// The result of a condition for a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The value is true.
    Holds,
    /// The value is false.
    Fails,
    /// A name or a key is missing. fmf treats the node as one that does not match.
    Missing(String),
}

/// A parsed condition.
#[derive(Clone, Debug)]
pub struct Condition {
    text: Arc<str>,
    tree: Arc<Expr>,
}

impl Condition {
    /// Parses an expression.
    pub fn parse(expression: &str) -> Result<Self, ConditionError> {
        let tree = parser::parse(expression).map_err(|problem| problem.into_error(expression))?;
        Ok(Self {
            text: expression.into(),
            tree: Arc::new(tree),
        })
    }

    /// Returns the text of the expression.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Evaluates the condition over a node's data. The name is for errors.
    pub fn evaluate(&self, data: &Map, node: &str) -> Result<Outcome, ConditionError> {
        let expression = || self.text.to_string();
        let part = |span: Option<Span>| {
            span.and_then(|span| self.text.get(span))
                .unwrap_or(&self.text)
                .to_owned()
        };
        match Evaluator::new(data).eval(&self.tree, None) {
            Ok(object) if object.truth() => Ok(Outcome::Holds),
            Ok(_) => Ok(Outcome::Fails),
            Err(EvalError::Missing(message)) => Ok(Outcome::Missing(message)),
            Err(EvalError::Unsupported { construct, span }) => Err(ConditionError::Unsupported {
                expression: expression(),
                construct,
                part: part(span),
            }),
            Err(EvalError::Limit(limit)) => Err(ConditionError::Limit {
                expression: expression(),
                node: node.to_owned(),
                limit,
            }),
            Err(EvalError::Raise { kind, message, span }) => Err(ConditionError::Raised {
                expression: expression(),
                node: node.to_owned(),
                exception: kind,
                part: part(span),
                message,
            }),
        }
    }
}

/// What is wrong with the text of an expression.
#[derive(Debug)]
struct Problem {
    span: Span,
    message: String,
    unsupported: bool,
}

impl Problem {
    fn syntax(span: Span, message: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
            unsupported: false,
        }
    }

    fn unsupported(span: Span, construct: impl Into<String>) -> Self {
        Self {
            span,
            message: construct.into(),
            unsupported: true,
        }
    }

    /// Moves to another place.
    fn at(self, span: Span) -> Self {
        Self { span, ..self }
    }

    fn into_error(self, expression: &str) -> ConditionError {
        let found = expression.get(self.span.clone()).filter(|part| !part.is_empty());
        let part = found
            .or_else(|| expression.get(self.span.start..))
            .unwrap_or_default()
            .to_owned();
        let expression = expression.to_owned();
        if self.unsupported {
            ConditionError::Unsupported {
                expression,
                construct: self.message,
                part,
            }
        } else {
            ConditionError::Syntax {
                expression,
                part,
                message: self.message,
            }
        }
    }
}

#[cfg(test)]
mod tests;
