//! Parses the content of the brackets of a call or of a subscript.

use std::sync::Arc;

use super::Problem;
use super::ast::{Argument, Kind, Makes, Span};
use super::lexer::Token;
use super::parser::{Parsed, Parser, deepest};
use super::primary::comprehension_depth;

impl Parser {
    /// Parses a call's arguments after the parenthesis.
    pub(super) fn arguments(&mut self) -> Result<Vec<Argument>, Problem> {
        let mut arguments: Vec<Argument> = Vec::new();
        while !self.at_symbol(")") {
            let span = self.span();
            let argument = self.argument()?;
            let refused = match &argument {
                Argument::Positional(_) if arguments.iter().any(|other| matches!(other, Argument::DoubleStar(_))) => {
                    Some("positional argument follows keyword argument unpacking")
                }
                Argument::Positional(_) if arguments.iter().any(|other| matches!(other, Argument::Keyword(..))) => {
                    Some("positional argument follows keyword argument")
                }
                Argument::Star(_) if arguments.iter().any(|other| matches!(other, Argument::DoubleStar(_))) => {
                    Some("iterable argument unpacking follows keyword argument unpacking")
                }
                Argument::Keyword(name, _)
                    if arguments
                        .iter()
                        .any(|other| matches!(other, Argument::Keyword(known, _) if known == name)) =>
                {
                    Some("keyword argument repeated")
                }
                _ => None,
            };
            if let Some(message) = refused {
                return Err(Problem::syntax(span, message));
            }
            arguments.push(argument);
            if self.at_symbol("for") || self.at_symbol("async") {
                self.bare_generator(&mut arguments, span)?;
                break;
            }
            if !self.accept(",") {
                break;
            }
        }
        self.expect(")")?;
        Ok(arguments)
    }

    fn argument(&mut self) -> Result<Argument, Problem> {
        if self.accept("*") {
            return self.expression().map(Argument::Star);
        }
        if self.accept("**") {
            return self.expression().map(Argument::DoubleStar);
        }
        if let Token::Name(name) = self.peek().clone()
            && *self.peek_second() == Token::Symbol("=")
        {
            self.advance();
            self.advance();
            return Ok(Argument::Keyword(name, self.expression()?));
        }
        self.expression().map(Argument::Positional)
    }

    /// Parses `f(x for x in y)`. A generator without its own parentheses must be the only argument.
    fn bare_generator(&mut self, arguments: &mut Vec<Argument>, span: Span) -> Result<(), Problem> {
        let Some(Argument::Positional(element)) = arguments.pop() else {
            return Err(self.unexpected());
        };
        let start = element.span.start;
        let kind = self.clauses(Makes::Generator, element, None)?;
        if !arguments.is_empty() || !self.at_symbol(")") {
            return Err(Problem::syntax(span, "generator expression must be parenthesized"));
        }
        let depth = comprehension_depth(&kind);
        let generator = self.node(start, Kind::Comprehension(Arc::new(kind)), depth)?;
        arguments.push(Argument::Positional(generator));
        Ok(())
    }

    /// Parses an index, a slice, or a tuple of these, and the closing bracket.
    pub(super) fn subscript(&mut self) -> Parsed {
        let start = self.span().start;
        let first = self.slice()?;
        if !self.at_symbol(",") {
            if matches!(first.kind, Kind::Starred(_)) {
                return self
                    .node(start, Kind::Tuple(vec![first]), 1)
                    .and_then(|tuple| self.expect("]").map(|()| tuple));
            }
            self.expect("]")?;
            return Ok(first);
        }
        let mut items = vec![first];
        while self.accept(",") && !self.at_symbol("]") {
            items.push(self.slice()?);
        }
        self.expect("]")?;
        let depth = deepest(&items);
        self.node(start, Kind::Tuple(items), depth)
    }

    fn slice(&mut self) -> Parsed {
        let start = self.span().start;
        let lower = if self.at_symbol(":") {
            None
        } else {
            Some(self.element()?)
        };
        if !self.accept(":") {
            return lower.ok_or_else(|| self.unexpected());
        }
        let ends = |parser: &Self| parser.at_symbol(":") || parser.at_symbol("]") || parser.at_symbol(",");
        let upper = if ends(self) { None } else { Some(self.expression()?) };
        let step = if self.accept(":") && !ends(self) {
            Some(self.expression()?)
        } else {
            None
        };
        let parts = [lower, upper, step];
        let depth = parts.iter().flatten().map(|part| part.depth).max().unwrap_or(0);
        self.node(start, Kind::Slice(parts.map(|part| part.map(Box::new))), depth)
    }
}
