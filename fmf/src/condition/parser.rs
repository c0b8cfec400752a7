//! The parser of expressions by Python's grammar, from the operator that binds loosest to the one that binds tightest.

use std::sync::Arc;

use super::Problem;
use super::ast::{Binary, Comparison, Expr, Kind, Lambda, Span, Unary};
use super::lexer::{Token, tokens};

/// How many levels an expression may have. Evaluation goes as deep and uses the stack.
const MAX_DEPTH: usize = 80;

/// Parses the text of a condition.
pub(super) fn parse(text: &str) -> Result<Expr, Problem> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
        depth: 0,
    };
    let expression = parser.expressions()?;
    parser.expect_end()?;
    Ok(expression)
}

pub(super) struct Parser {
    tokens: Vec<(Token, Span)>,
    at: usize,
    depth: usize,
}

pub(super) type Parsed = Result<Expr, Problem>;

impl Parser {
    pub(super) fn peek(&self) -> &Token {
        &self.tokens[self.at].0
    }

    pub(super) fn peek_second(&self) -> &Token {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)].0
    }

    pub(super) fn span(&self) -> Span {
        self.tokens[self.at].1.clone()
    }

    /// Returns where the previous token ended.
    fn end(&self) -> usize {
        self.tokens[self.at.saturating_sub(1)].1.end
    }

    /// Takes the token. The end is returned again and again.
    pub(super) fn advance(&mut self) -> Token {
        let token = self.peek().clone();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    pub(super) fn at_symbol(&self, symbol: &str) -> bool {
        matches!(self.peek(), Token::Symbol(found) if *found == symbol)
    }

    pub(super) fn accept(&mut self, symbol: &str) -> bool {
        let found = self.at_symbol(symbol);
        if found {
            self.advance();
        }
        found
    }

    pub(super) fn expect(&mut self, symbol: &str) -> Result<(), Problem> {
        if self.accept(symbol) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn expect_end(&self) -> Result<(), Problem> {
        if *self.peek() == Token::End {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    /// Returns the error for the present token: a construct that is not supported, or one that is not valid in Python.
    pub(super) fn unexpected(&self) -> Problem {
        let construct = match self.peek() {
            Token::Symbol(":=") => "an assignment expression (`:=`)",
            Token::Symbol("yield") => "`yield`",
            Token::Symbol("await") => "`await`",
            Token::Symbol("async") => "an asynchronous comprehension",
            Token::Symbol("...") => "the literal `...`",
            _ => return Problem::syntax(self.span(), "invalid syntax"),
        };
        Problem::unsupported(self.span(), construct)
    }

    /// Makes a node that began at `start`, unless the tree gets too deep.
    pub(super) fn node(&self, start: usize, kind: Kind, depth: usize) -> Parsed {
        let span = start..self.end().max(start);
        if depth >= MAX_DEPTH {
            return Err(Problem::unsupported(span, "more than 80 nested levels"));
        }
        Ok(Expr {
            kind,
            span,
            depth: depth + 1,
        })
    }

    /// Parses `a, b` or a single expression.
    fn expressions(&mut self) -> Parsed {
        let start = self.span().start;
        let first = self.expression()?;
        if !self.at_symbol(",") {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.accept(",") && *self.peek() != Token::End {
            items.push(self.expression()?);
        }
        let depth = deepest(&items);
        self.node(start, Kind::Tuple(items), depth)
    }

    /// Parses `a if b else c`, a lambda, or an expression that binds tighter.
    pub(super) fn expression(&mut self) -> Parsed {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Problem::unsupported(self.span(), "more than 80 nested levels"));
        }
        let parsed = self.conditional();
        self.depth -= 1;
        parsed
    }

    fn conditional(&mut self) -> Parsed {
        let start = self.span().start;
        if self.at_symbol("lambda") {
            return self.lambda();
        }
        let yes = self.disjunction()?;
        if !self.accept("if") {
            return Ok(yes);
        }
        let test = self.disjunction()?;
        self.expect("else")?;
        let no = self.expression()?;
        let depth = yes.depth.max(test.depth).max(no.depth);
        self.node(start, Kind::Conditional(Box::new([test, yes, no])), depth)
    }

    fn lambda(&mut self) -> Parsed {
        let start = self.span().start;
        self.expect("lambda")?;
        let (mut parameters, mut rest): (Vec<(Arc<str>, Option<Expr>)>, _) = (Vec::new(), None);
        while !self.at_symbol(":") {
            let star = self.accept("*");
            let Token::Name(name) = self.peek().clone() else {
                if star || self.at_symbol("**") || self.at_symbol("/") {
                    return Err(Problem::unsupported(
                        self.span(),
                        "keyword-only or positional-only parameters of a lambda",
                    ));
                }
                return Err(self.unexpected());
            };
            if rest.is_some() {
                return Err(Problem::unsupported(
                    self.span(),
                    "keyword-only or positional-only parameters of a lambda",
                ));
            }
            if parameters.iter().any(|(known, _)| *known == name) {
                return Err(Problem::syntax(self.span(), format!("duplicate argument `{name}`")));
            }
            self.advance();
            if star {
                rest = Some(name);
            } else {
                let default = if self.accept("=") {
                    Some(self.expression()?)
                } else {
                    None
                };
                if default.is_none() && parameters.last().is_some_and(|(_, default)| default.is_some()) {
                    return Err(Problem::syntax(
                        self.span(),
                        "non-default argument follows default argument",
                    ));
                }
                parameters.push((name, default));
            }
            if !self.accept(",") {
                break;
            }
        }
        self.expect(":")?;
        let body = self.expression()?;
        let depth = parameters
            .iter()
            .filter_map(|(_, default)| default.as_ref())
            .map(|default| default.depth)
            .max();
        let depth = body.depth.max(depth.unwrap_or(0));
        self.node(start, Kind::Lambda(Arc::new(Lambda { parameters, rest, body })), depth)
    }

    pub(super) fn disjunction(&mut self) -> Parsed {
        self.chain("or", Self::conjunction, Kind::Or)
    }

    fn conjunction(&mut self) -> Parsed {
        self.chain("and", Self::inversion, Kind::And)
    }

    fn chain(&mut self, word: &str, next: fn(&mut Self) -> Parsed, make: fn(Vec<Expr>) -> Kind) -> Parsed {
        let start = self.span().start;
        let first = next(self)?;
        if !self.at_symbol(word) {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.accept(word) {
            items.push(next(self)?);
        }
        let depth = deepest(&items);
        self.node(start, make(items), depth)
    }

    fn inversion(&mut self) -> Parsed {
        let start = self.span().start;
        let mut count = 0_usize;
        while self.accept("not") {
            count += 1;
        }
        let mut expression = self.comparison()?;
        for _ in 0..count {
            let depth = expression.depth;
            expression = self.node(start, Kind::Not(Box::new(expression)), depth)?;
        }
        Ok(expression)
    }

    fn comparison(&mut self) -> Parsed {
        let start = self.span().start;
        let first = self.operators(0)?;
        let mut rest = Vec::new();
        while let Some(operator) = self.comparison_operator() {
            rest.push((operator, self.operators(0)?));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        let depth = rest
            .iter()
            .map(|(_, operand)| operand.depth)
            .fold(first.depth, usize::max);
        self.node(start, Kind::Compare(Box::new(first), rest), depth)
    }

    fn comparison_operator(&mut self) -> Option<Comparison> {
        let Token::Symbol(symbol) = *self.peek() else {
            return None;
        };
        let operator = match symbol {
            "==" => Comparison::Equal,
            "!=" => Comparison::NotEqual,
            "<" => Comparison::Less,
            "<=" => Comparison::LessOrEqual,
            ">" => Comparison::Greater,
            ">=" => Comparison::GreaterOrEqual,
            "in" => Comparison::In,
            "is" => Comparison::Is,
            "not" if *self.peek_second() == Token::Symbol("in") => Comparison::NotIn,
            _ => return None,
        };
        self.advance();
        if operator == Comparison::NotIn {
            self.advance();
        }
        if operator == Comparison::Is && self.accept("not") {
            return Some(Comparison::IsNot);
        }
        Some(operator)
    }

    /// Parses left-associative operators that bind at least as tight as `level`.
    pub(super) fn operators(&mut self, level: u8) -> Parsed {
        let start = self.span().start;
        let mut left = self.unary()?;
        while let Some((operator, binding)) = self.binary_operator()
            && binding >= level
        {
            self.advance();
            let right = self.operators(binding + 1)?;
            let depth = left.depth.max(right.depth);
            left = self.node(start, Kind::Binary(operator, Box::new(left), Box::new(right)), depth)?;
        }
        Ok(left)
    }

    fn binary_operator(&self) -> Option<(Binary, u8)> {
        let Token::Symbol(symbol) = *self.peek() else {
            return None;
        };
        Some(match symbol {
            "|" => (Binary::Or, 0),
            "^" => (Binary::Xor, 1),
            "&" => (Binary::And, 2),
            "<<" => (Binary::ShiftLeft, 3),
            ">>" => (Binary::ShiftRight, 3),
            "+" => (Binary::Add, 4),
            "-" => (Binary::Subtract, 4),
            "*" => (Binary::Multiply, 5),
            "/" => (Binary::Divide, 5),
            "//" => (Binary::FloorDivide, 5),
            "%" => (Binary::Modulo, 5),
            "@" => (Binary::MatrixMultiply, 5),
            _ => return None,
        })
    }

    /// Parses signs, and the power operator, which binds tighter than a sign before it and looser than a sign after it.
    fn unary(&mut self) -> Parsed {
        let start = self.span().start;
        let operator = match self.peek() {
            Token::Symbol("+") => Unary::Plus,
            Token::Symbol("-") => Unary::Minus,
            Token::Symbol("~") => Unary::Invert,
            _ => {
                let base = self.primary()?;
                if !self.accept("**") {
                    return Ok(base);
                }
                let exponent = self.nested(Self::unary)?;
                let depth = base.depth.max(exponent.depth);
                return self.node(
                    start,
                    Kind::Binary(Binary::Power, Box::new(base), Box::new(exponent)),
                    depth,
                );
            }
        };
        self.advance();
        let operand = self.nested(Self::unary)?;
        let depth = operand.depth;
        self.node(start, Kind::Unary(operator, Box::new(operand)), depth)
    }

    /// Goes one level down, if the limit allows it.
    fn nested(&mut self, parse: fn(&mut Self) -> Parsed) -> Parsed {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Problem::unsupported(self.span(), "more than 80 nested levels"));
        }
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }
}

/// Returns the depth of the deepest item.
pub(super) fn deepest(items: &[Expr]) -> usize {
    items.iter().map(|item| item.depth).max().unwrap_or(0)
}
