//! Parses a Python 3.11 pattern into a tree, and refuses what Python refuses.
//!
//! The grammar is that of Python's `re._parser`, with its special cases: a `{` that does not begin a repetition is a literal,
//! global flags are allowed only at the start, a lookbehind has a fixed width, and an open group cannot be referred to.

use std::collections::HashMap;

use super::PatternError;
use super::ast::{At, Category, CategoryKind, Flags, Mode, Node, SetItem, Width};
use super::check::Loops;
use super::scan::{Scanner, Token};

/// How deeply groups may nest. This is what the engine accepts, with room for the groups that the translation adds.
const MAX_DEPTH: usize = 40;

/// The result of parsing a pattern.
pub(super) struct Parsed {
    pub(super) root: Node,
    pub(super) flags: Flags,
    /// The number of groups, without the whole match.
    pub(super) groups: usize,
    pub(super) names: HashMap<String, usize>,
    /// The groups whose content in the engine differs from Python's.
    pub(super) unsettled: Vec<usize>,
}

/// Parses a pattern.
pub(super) fn parse(pattern: &str) -> Result<Parsed, PatternError> {
    let mut parser = Parser {
        scanner: Scanner::new(pattern)?,
        flags: Flags::default(),
        names: HashMap::new(),
        widths: vec![None],
        behind_from: None,
        conditions: Vec::new(),
        depth: 0,
    };
    let root = parser.branches(Flags::default().verbose, true)?;
    if parser.scanner.peek().is_some() {
        return Err(parser.scanner.invalid("unbalanced parenthesis"));
    }
    if parser.flags.ascii && parser.flags.unicode {
        return Err(parser.scanner.invalid("ASCII and UNICODE flags are incompatible"));
    }
    if let Some(group) = parser.conditions.iter().find(|group| **group >= parser.widths.len()) {
        return Err(parser.scanner.invalid(format!("invalid group reference {group}")));
    }
    parser.check_lookbehinds(&root)?;
    let loops = Loops::of(&root, &parser.widths);
    if let Some(construct) = loops.refused() {
        return Err(parser.scanner.unsupported(construct));
    }
    let unsettled = loops.unsettled;
    Ok(Parsed {
        root,
        flags: parser.flags,
        groups: parser.widths.len() - 1,
        names: parser.names,
        unsettled,
    })
}

pub(super) struct Parser<'p> {
    pub(super) scanner: Scanner<'p>,
    pub(super) flags: Flags,
    pub(super) names: HashMap<String, usize>,
    /// The width of each group, or `None` while it is open.
    pub(super) widths: Vec<Option<Width>>,
    /// Inside a lookbehind: the number of the first group that began there.
    pub(super) behind_from: Option<usize>,
    /// The numbers in conditionals, which may be those of groups that follow.
    pub(super) conditions: Vec<usize>,
    depth: usize,
}

impl Parser<'_> {
    /// Parses `a|b|c` up to a closing parenthesis or the end.
    pub(super) fn branches(&mut self, verbose: bool, outermost: bool) -> Result<Node, PatternError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.scanner.unsupported("more than 40 nested groups"));
        }
        let mut verbose = verbose;
        let mut branches = vec![self.sequence(verbose, outermost)?];
        while self.scanner.accept('|') {
            if outermost {
                verbose = self.flags.verbose;
            }
            branches.push(self.sequence(verbose, false)?);
        }
        self.depth -= 1;
        Ok(match branches.pop() {
            Some(only) if branches.is_empty() => only,
            last => {
                branches.extend(last);
                Node::Branches(branches)
            }
        })
    }

    /// Parses one branch. `first` says whether global flags are allowed at its start.
    pub(super) fn sequence(&mut self, mut verbose: bool, first: bool) -> Result<Node, PatternError> {
        let mut items: Vec<Node> = Vec::new();
        loop {
            let here = self.scanner.tell();
            let Some(token) = self.scanner.peek() else { break };
            if matches!(token, Token::Char('|' | ')')) {
                break;
            }
            self.scanner.take();
            match token {
                Token::Escape(c) => items.push(self.escape(c)?),
                Token::Char(' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c') if verbose => {}
                Token::Char('#') if verbose => while !matches!(self.scanner.take(), None | Some(Token::Char('\n'))) {},
                Token::Char('[') => items.push(self.set()?),
                Token::Char('.') => items.push(Node::Any),
                Token::Char('^') => items.push(Node::At(At::Beginning)),
                Token::Char('$') => items.push(Node::At(At::End)),
                Token::Char('(') => {
                    if let Some(group) = self.group(verbose, first && items.is_empty())? {
                        items.push(group);
                    } else if first && items.is_empty() {
                        verbose = self.flags.verbose;
                    }
                }
                Token::Char(c @ ('*' | '+' | '?' | '{')) => match self.quantifier(c)? {
                    None => {
                        items.push(Node::Literal(u32::from('{')));
                        self.scanner.seek(here + 1);
                    }
                    Some((min, max)) => {
                        let repeated = self.repeat(items.pop(), min, max)?;
                        items.push(repeated);
                    }
                },
                Token::Char(c) => items.push(Node::Literal(u32::from(c))),
            }
        }
        Ok(Node::Sequence(items))
    }

    /// Reads a repetition's limits. Returns `None` for a `{` that does not begin a repetition.
    fn quantifier(&mut self, c: char) -> Result<Option<(u32, Option<u32>)>, PatternError> {
        let bounds = match c {
            '?' => (0, Some(1)),
            '*' => (0, None),
            '+' => (1, None),
            _ => {
                if self.scanner.peek() == Some(Token::Char('}')) {
                    return Ok(None);
                }
                let low = self.scanner.take_while(usize::MAX, |c| c.is_ascii_digit());
                let high = if self.scanner.accept(',') {
                    self.scanner.take_while(usize::MAX, |c| c.is_ascii_digit())
                } else {
                    low.clone()
                };
                if !self.scanner.accept('}') {
                    return Ok(None);
                }
                (self.bound(&low)?.unwrap_or(0), self.bound(&high)?)
            }
        };
        if bounds.1.is_some_and(|max| max < bounds.0) {
            return Err(self.scanner.invalid("min repeat greater than max repeat"));
        }
        Ok(Some(bounds))
    }

    fn bound(&self, digits: &str) -> Result<Option<u32>, PatternError> {
        if digits.is_empty() {
            return Ok(None);
        }
        match digits.parse::<u32>() {
            Ok(bound) if bound < u32::MAX => Ok(Some(bound)),
            _ => Err(self.scanner.invalid("the repetition number is too large")),
        }
    }

    fn repeat(&mut self, item: Option<Node>, min: u32, max: Option<u32>) -> Result<Node, PatternError> {
        let body = match item {
            None | Some(Node::At(_)) => return Err(self.scanner.invalid("nothing to repeat")),
            Some(Node::Repeat { .. }) => return Err(self.scanner.invalid("multiple repeat")),
            Some(body) => Box::new(body),
        };
        let mode = if self.scanner.accept('?') {
            Mode::Lazy
        } else if self.scanner.accept('+') {
            Mode::Possessive
        } else {
            Mode::Greedy
        };
        Ok(Node::Repeat { min, max, mode, body })
    }

    /// Parses `[…]` after its bracket.
    fn set(&mut self) -> Result<Node, PatternError> {
        let negated = self.scanner.accept('^');
        let mut items = Vec::new();
        loop {
            let token = self.set_token()?;
            if token == Token::Char(']') && !items.is_empty() {
                break;
            }
            let low = self.set_item(token)?;
            if !self.scanner.accept('-') {
                items.push(low);
                continue;
            }
            let token = self.set_token()?;
            if token == Token::Char(']') {
                items.extend([low, SetItem::Char(u32::from('-'))]);
                break;
            }
            match (low, self.set_item(token)?) {
                (SetItem::Char(low), SetItem::Char(high)) if low <= high => items.push(SetItem::Range(low, high)),
                _ => return Err(self.scanner.invalid("bad character range")),
            }
        }
        Ok(Node::Set { negated, items })
    }

    fn set_token(&mut self) -> Result<Token, PatternError> {
        let token = self.scanner.take();
        token.ok_or_else(|| self.scanner.invalid("unterminated character set"))
    }

    fn set_item(&mut self, token: Token) -> Result<SetItem, PatternError> {
        match token {
            Token::Char(c) => Ok(SetItem::Char(u32::from(c))),
            Token::Escape('b') => Ok(SetItem::Char(0x08)),
            Token::Escape(c) => match category(c) {
                Some(category) => Ok(SetItem::Category(category)),
                None => self.character_escape(c, true).map(SetItem::Char),
            },
        }
    }

    /// Refuses lookbehinds whose width is not fixed, as Python's compiler does after parsing.
    fn check_lookbehinds(&self, node: &Node) -> Result<(), PatternError> {
        match node {
            Node::Look { behind, body, .. } => {
                let (low, high) = body.width(&self.widths);
                if *behind && low != high {
                    return Err(self.scanner.invalid("look-behind requires fixed-width pattern"));
                }
                self.check_lookbehinds(body)
            }
            Node::Repeat { body, .. }
            | Node::Capture { body, .. }
            | Node::Flagged { body, .. }
            | Node::Atomic(body) => self.check_lookbehinds(body),
            Node::Sequence(items) | Node::Branches(items) => {
                items.iter().try_for_each(|item| self.check_lookbehinds(item))
            }
            Node::Conditional { yes, no, .. } => {
                self.check_lookbehinds(yes)?;
                no.iter().try_for_each(|no| self.check_lookbehinds(no))
            }
            Node::Literal(_) | Node::Any | Node::Set { .. } | Node::At(_) | Node::Reference(_) => Ok(()),
        }
    }
}

/// Returns the category for `\d`, `\s` or `\w`, or for one of their negations.
pub(super) fn category(c: char) -> Option<Category> {
    let kind = match c {
        'd' | 'D' => CategoryKind::Digit,
        's' | 'S' => CategoryKind::Space,
        'w' | 'W' => CategoryKind::Word,
        _ => return None,
    };
    Some(Category {
        kind,
        negated: c.is_ascii_uppercase(),
    })
}
