//! Parses what binds tightest: literals, names, displays, comprehensions, and the calls, attributes and subscripts after them.

use std::sync::Arc;

use super::Problem;
use super::ast::{Argument, Clause, Comprehension, Expr, Field, Kind, Makes, Span, Target};
use super::lexer::Token;
use super::literal::{Piece, fields, unescape, unescape_bytes};
use super::parser::{Parsed, Parser, deepest, parse};

impl Parser {
    /// Parses an atom and its trailers.
    pub(super) fn primary(&mut self) -> Parsed {
        let start = self.span().start;
        let mut value = self.atom()?;
        loop {
            let depth = value.depth;
            value = if self.accept(".") {
                let Token::Name(name) = self.peek().clone() else {
                    return Err(self.unexpected());
                };
                self.advance();
                self.node(start, Kind::Attribute(Box::new(value), name), depth)?
            } else if self.accept("(") {
                let arguments = self.arguments()?;
                let deepest = arguments.iter().map(|argument| argument.value().depth).max();
                self.node(
                    start,
                    Kind::Call(Box::new(value), arguments),
                    depth.max(deepest.unwrap_or(0)),
                )?
            } else if self.accept("[") {
                let index = self.subscript()?;
                let depth = depth.max(index.depth);
                self.node(start, Kind::Subscript(Box::new(value), Box::new(index)), depth)?
            } else {
                return Ok(value);
            };
        }
    }

    fn atom(&mut self) -> Parsed {
        let start = self.span().start;
        let kind = match self.peek().clone() {
            Token::Text { .. } => return self.strings(),
            Token::Name(name) => Kind::Name(name),
            Token::Int(int) => Kind::Int(int),
            Token::Float(float) => Kind::Float(float),
            Token::Symbol("None") => Kind::None,
            Token::Symbol("True") => Kind::Bool(true),
            Token::Symbol("False") => Kind::Bool(false),
            Token::Symbol("(") => return self.parenthesis(),
            Token::Symbol("[") => return self.list(),
            Token::Symbol("{") => return self.braces(),
            _ => return Err(self.unexpected()),
        };
        self.advance();
        self.node(start, kind, 0)
    }

    /// Parses adjacent string literals, which are joined.
    fn strings(&mut self) -> Parsed {
        let start = self.span().start;
        let mut text = String::new();
        let mut bytes: Option<Vec<u8>> = None;
        let mut joined: Option<Vec<Field>> = None;
        let mut depth = 0;
        let mut first = true;
        while let Token::Text { prefix, body } = self.peek().clone() {
            let span = self.span();
            if !first && bytes.is_some() != prefix.contains('b') {
                return Err(Problem::syntax(span, "cannot mix bytes and nonbytes literals"));
            }
            first = false;
            let raw = prefix.contains('r');
            if prefix.contains('b') {
                bytes.get_or_insert_default().extend(unescape_bytes(&body, raw, &span)?);
            } else if prefix.contains('f') {
                let joined = joined.get_or_insert_default();
                for piece in fields(&body, &span)? {
                    match piece {
                        Piece::Text(piece) => text += &if raw { piece.to_owned() } else { unescape(piece, &span)? },
                        Piece::Value { expression, conversion } => {
                            joined.push(Field::Text(std::mem::take(&mut text).into()));
                            let value = field_value(expression, &span)?;
                            depth = depth.max(value.depth);
                            joined.push(Field::Value(value, conversion));
                        }
                    }
                }
            } else {
                text += &if raw { body.to_string() } else { unescape(&body, &span)? };
            }
            self.advance();
        }
        let kind = match (bytes, joined) {
            (Some(bytes), _) => Kind::Bytes(bytes.into()),
            (None, Some(mut joined)) => {
                joined.push(Field::Text(text.into()));
                Kind::Joined(joined)
            }
            (None, None) => Kind::Str(text.into()),
        };
        self.node(start, kind, depth)
    }

    /// Parses `(…)`: a group, a tuple, or a generator.
    fn parenthesis(&mut self) -> Parsed {
        let start = self.span().start;
        self.expect("(")?;
        if self.accept(")") {
            return self.node(start, Kind::Tuple(Vec::new()), 0);
        }
        let first = self.element()?;
        if self.at_symbol("for") || self.at_symbol("async") {
            return self.comprehension(start, Makes::Generator, first, None, ")");
        }
        if self.at_symbol(",") {
            let items = self.elements(first, ")")?;
            let depth = deepest(&items);
            return self.node(start, Kind::Tuple(items), depth);
        }
        if matches!(first.kind, Kind::Starred(_)) {
            return Err(Problem::syntax(first.span, "cannot use starred expression here"));
        }
        self.expect(")")?;
        Ok(first)
    }

    fn list(&mut self) -> Parsed {
        let start = self.span().start;
        self.expect("[")?;
        if self.accept("]") {
            return self.node(start, Kind::List(Vec::new()), 0);
        }
        let first = self.element()?;
        if self.at_symbol("for") || self.at_symbol("async") {
            return self.comprehension(start, Makes::List, first, None, "]");
        }
        let items = self.elements(first, "]")?;
        let depth = deepest(&items);
        self.node(start, Kind::List(items), depth)
    }

    /// Parses `{…}`: a dict, a set, or a comprehension of either.
    fn braces(&mut self) -> Parsed {
        let start = self.span().start;
        self.expect("{")?;
        if self.accept("}") {
            return self.node(start, Kind::Dict(Vec::new()), 0);
        }
        if self.at_symbol("**") {
            return self.dict(start, Vec::new());
        }
        let first = self.element()?;
        if self.at_symbol(":") && !matches!(first.kind, Kind::Starred(_)) {
            self.advance();
            let value = self.expression()?;
            if self.at_symbol("for") || self.at_symbol("async") {
                return self.comprehension(start, Makes::Dict, first, Some(value), "}");
            }
            return self.dict(start, vec![(Some(first), value)]);
        }
        if self.at_symbol("for") || self.at_symbol("async") {
            return self.comprehension(start, Makes::Set, first, None, "}");
        }
        let items = self.elements(first, "}")?;
        let depth = deepest(&items);
        self.node(start, Kind::Set(items), depth)
    }

    /// Parses the remaining entries. The first one may have been parsed already.
    fn dict(&mut self, start: usize, mut entries: Vec<(Option<Expr>, Expr)>) -> Parsed {
        let mut more = entries.is_empty() || self.accept(",");
        while more && !self.at_symbol("}") {
            if self.accept("**") {
                entries.push((None, self.operators(0)?));
            } else {
                let key = self.expression()?;
                self.expect(":")?;
                entries.push((Some(key), self.expression()?));
            }
            more = self.accept(",");
        }
        self.expect("}")?;
        let depths = entries
            .iter()
            .map(|(key, value)| value.depth.max(key.as_ref().map_or(0, |key| key.depth)));
        let depth = depths.max().unwrap_or(0);
        self.node(start, Kind::Dict(entries), depth)
    }

    /// Parses the elements after the first, and the closing bracket.
    fn elements(&mut self, first: Expr, close: &str) -> Result<Vec<Expr>, Problem> {
        let mut items = vec![first];
        while self.accept(",") && !self.at_symbol(close) {
            items.push(self.element()?);
        }
        self.expect(close)?;
        Ok(items)
    }

    /// Parses an expression or `*expression`.
    pub(super) fn element(&mut self) -> Parsed {
        let start = self.span().start;
        if !self.accept("*") {
            return self.expression();
        }
        let inner = self.operators(0)?;
        let depth = inner.depth;
        self.node(start, Kind::Starred(Box::new(inner)), depth)
    }

    fn comprehension(&mut self, start: usize, makes: Makes, element: Expr, value: Option<Expr>, close: &str) -> Parsed {
        let kind = self.clauses(makes, element, value)?;
        self.expect(close)?;
        let depth = comprehension_depth(&kind);
        self.node(start, Kind::Comprehension(Arc::new(kind)), depth)
    }

    pub(super) fn clauses(
        &mut self,
        makes: Makes,
        element: Expr,
        value: Option<Expr>,
    ) -> Result<Comprehension, Problem> {
        if matches!(element.kind, Kind::Starred(_)) {
            return Err(Problem::syntax(
                element.span,
                "iterable unpacking cannot be used in comprehension",
            ));
        }
        let (mut clauses, mut locals) = (Vec::new(), Vec::new());
        while self.accept("for") {
            let target = self.targets("in")?;
            self.expect("in")?;
            let iterable = self.disjunction()?;
            let mut conditions = Vec::new();
            while self.accept("if") {
                conditions.push(self.disjunction()?);
            }
            target.names(&mut locals);
            clauses.push(Clause {
                target,
                iterable,
                conditions,
            });
        }
        if clauses.is_empty() || self.at_symbol("async") {
            return Err(self.unexpected());
        }
        Ok(Comprehension {
            makes,
            element,
            value,
            clauses,
            locals,
        })
    }

    /// Parses the names that a `for` binds, up to `close`.
    fn targets(&mut self, close: &str) -> Result<Target, Problem> {
        let first = self.target()?;
        if !self.at_symbol(",") {
            return match first {
                Target::Starred(_) => Err(Problem::syntax(
                    self.span(),
                    "starred assignment target must be in a list or tuple",
                )),
                first => Ok(first),
            };
        }
        let mut targets = vec![first];
        while self.accept(",") && !self.at_symbol(close) {
            targets.push(self.target()?);
        }
        if targets
            .iter()
            .filter(|target| matches!(target, Target::Starred(_)))
            .count()
            > 1
        {
            return Err(Problem::syntax(
                self.span(),
                "multiple starred expressions in assignment",
            ));
        }
        Ok(Target::Unpack(targets))
    }

    fn target(&mut self) -> Result<Target, Problem> {
        let span = self.span();
        let target = match self.advance() {
            Token::Symbol("*") => Target::Starred(Box::new(self.target()?)),
            Token::Name(name) => Target::Name(name),
            Token::Symbol(open @ ("(" | "[")) => {
                let close = if open == "(" { ")" } else { "]" };
                let target = if self.at_symbol(close) {
                    Target::Unpack(Vec::new())
                } else {
                    self.targets(close)?
                };
                self.expect(close)?;
                match target {
                    Target::Name(_) if open == "[" => Target::Unpack(vec![target]),
                    target => target,
                }
            }
            _ => return Err(Problem::syntax(span, "invalid syntax: a name is expected after `for`")),
        };
        if self.at_symbol(".") || self.at_symbol("[") {
            return Err(Problem::unsupported(
                self.span(),
                "an attribute or a subscript as the target of `for`",
            ));
        }
        Ok(target)
    }
}

impl Argument {
    fn value(&self) -> &Expr {
        match self {
            Self::Positional(value) | Self::Star(value) | Self::Keyword(_, value) | Self::DoubleStar(value) => value,
        }
    }
}

pub(super) fn comprehension_depth(comprehension: &Comprehension) -> usize {
    let clauses = comprehension.clauses.iter();
    let clauses = clauses
        .map(|clause| clause.iterable.depth.max(deepest(&clause.conditions)))
        .max()
        .unwrap_or(0);
    let value = comprehension.value.as_ref().map_or(0, |value| value.depth);
    comprehension.element.depth.max(value).max(clauses)
}

/// Parses a field of an f-string. Its places are those of the literal. As in parentheses, line ends do not end it.
fn field_value(expression: &str, span: &Span) -> Parsed {
    let mut value = parse(&format!("({expression})")).map_err(|problem| problem.at(span.clone()))?;
    value.span = span.clone();
    Ok(value)
}
