//! Parses what follows an opening parenthesis: groups, names, flags, lookarounds, conditionals, comments.

use super::PatternError;
use super::ast::{Flags, Node};
use super::parse::Parser;
use super::scan::Token;
use crate::python::chars::is_identifier;
use crate::python::number::read_int;

impl Parser<'_> {
    /// Parses a group after its parenthesis. Returns `None` for one that matches nothing itself (flags, comments).
    pub(super) fn group(&mut self, verbose: bool, at_start: bool) -> Result<Option<Node>, PatternError> {
        if !self.scanner.accept('?') {
            return self.capture(None, verbose).map(Some);
        }
        match self.scanner.take() {
            None => Err(self.scanner.invalid("unexpected end of pattern")),
            Some(Token::Char('P')) => self.python_extension(verbose).map(Some),
            Some(Token::Char(':')) => self.plain_group(verbose).map(Some),
            Some(Token::Char('>')) => Ok(Some(Node::Atomic(Box::new(self.body(verbose)?)))),
            Some(Token::Char('#')) => self.comment(),
            Some(Token::Char('=')) => self.look(false, false, verbose).map(Some),
            Some(Token::Char('!')) => self.look(false, true, verbose).map(Some),
            Some(Token::Char('<')) => match self.scanner.take() {
                Some(Token::Char('=')) => self.look(true, false, verbose).map(Some),
                Some(Token::Char('!')) => self.look(true, true, verbose).map(Some),
                _ => Err(self.scanner.invalid("unknown extension ?<")),
            },
            Some(Token::Char('(')) => self.conditional(verbose).map(Some),
            Some(Token::Char(c)) if matches!(c, '-' | 'L' | 't') || flag(c).is_some() => {
                self.flags_group(c, verbose, at_start)
            }
            Some(Token::Char(c)) => Err(self.scanner.invalid(format!("unknown extension ?{c}"))),
            Some(Token::Escape(c)) => Err(self.scanner.invalid(format!("unknown extension ?\\{c}"))),
        }
    }

    fn body(&mut self, verbose: bool) -> Result<Node, PatternError> {
        let body = self.branches(verbose, false)?;
        self.close()?;
        Ok(body)
    }

    fn close(&mut self) -> Result<(), PatternError> {
        if self.scanner.accept(')') {
            return Ok(());
        }
        Err(self.scanner.invalid("missing ), unterminated subpattern"))
    }

    /// Parses a group without effect. It keeps its own node, so that a repetition of it is not taken for a second repetition.
    fn plain_group(&mut self, verbose: bool) -> Result<Node, PatternError> {
        let body = Box::new(self.body(verbose)?);
        Ok(Node::Flagged {
            add: Flags::default(),
            remove: Flags::default(),
            body,
        })
    }

    fn capture(&mut self, name: Option<String>, verbose: bool) -> Result<Node, PatternError> {
        let index = self.widths.len();
        self.widths.push(None);
        if let Some(name) = name {
            let message = format!("redefinition of group name `{name}`");
            if self.names.insert(name, index).is_some() {
                return Err(self.scanner.invalid(message));
            }
        }
        let body = Box::new(self.body(verbose)?);
        self.widths[index] = Some(body.width(&self.widths));
        Ok(Node::Capture { index, body })
    }

    fn python_extension(&mut self, verbose: bool) -> Result<Node, PatternError> {
        if self.scanner.accept('<') {
            let name = self.scanner.take_until('>', "group name")?;
            self.check_name(&name)?;
            return self.capture(Some(name), verbose);
        }
        if self.scanner.accept('=') {
            let name = self.scanner.take_until(')', "group name")?;
            self.check_name(&name)?;
            let group = self.named(&name)?;
            return self.reference(group);
        }
        Err(self.scanner.invalid("unknown extension ?P"))
    }

    fn check_name(&self, name: &str) -> Result<(), PatternError> {
        if is_identifier(name) {
            return Ok(());
        }
        Err(self.scanner.invalid(format!("bad character in group name `{name}`")))
    }

    fn named(&self, name: &str) -> Result<usize, PatternError> {
        let group = self.names.get(name).copied();
        group.ok_or_else(|| self.scanner.invalid(format!("unknown group name `{name}`")))
    }

    fn comment(&mut self) -> Result<Option<Node>, PatternError> {
        loop {
            match self.scanner.take() {
                None => return Err(self.scanner.invalid("missing ), unterminated comment")),
                Some(Token::Char(')')) => return Ok(None),
                Some(_) => {}
            }
        }
    }

    fn look(&mut self, behind: bool, negated: bool, verbose: bool) -> Result<Node, PatternError> {
        let outer = self.behind_from;
        if behind && outer.is_none() {
            self.behind_from = Some(self.widths.len());
        }
        let body = self.branches(verbose, false)?;
        if behind {
            self.behind_from = outer;
        }
        self.close()?;
        Ok(Node::Look {
            behind,
            negated,
            body: Box::new(body),
        })
    }

    fn conditional(&mut self, verbose: bool) -> Result<Node, PatternError> {
        let name = self.scanner.take_until(')', "group name")?;
        let group = if is_identifier(&name) {
            self.named(&name)?
        } else {
            let number = read_int(&name).filter(|(negative, _)| !negative);
            let Some((_, digits)) = number else {
                return Err(self.scanner.invalid(format!("bad character in group name `{name}`")));
            };
            match digits.parse::<usize>() {
                Ok(group) if group < usize::from(u16::MAX) => group,
                _ => return Err(self.scanner.invalid(format!("bad group number `{name}`"))),
            }
        };
        self.conditions.push(group);
        self.check_behind(group)?;
        let yes = Box::new(self.sequence(verbose, false)?);
        let no = if self.scanner.accept('|') {
            let no = self.sequence(verbose, false)?;
            if self.scanner.peek() == Some(Token::Char('|')) {
                return Err(self.scanner.invalid("conditional backref with more than two branches"));
            }
            Some(Box::new(no))
        } else {
            None
        };
        self.close()?;
        Ok(Node::Conditional { group, yes, no })
    }

    /// Parses `(?i)`, which holds for the whole pattern, and `(?i-s:…)`, which holds for the group.
    fn flags_group(&mut self, first: char, verbose: bool, at_start: bool) -> Result<Option<Node>, PatternError> {
        let mut add = Flags::default();
        let mut next = first;
        if next != '-' {
            while !matches!(next, ')' | '-' | ':') {
                self.add_flag(&mut add, next)?;
                next = self.flag_char("missing -, : or )")?;
            }
        }
        if next == ')' {
            if !at_start {
                return Err(self.scanner.invalid("global flags not at the start of the expression"));
            }
            self.flags = Flags {
                unicode: self.flags.unicode || add.unicode,
                ..self.flags.changed(add, Flags::default())
            };
            self.flags.ascii |= add.ascii;
            return Ok(None);
        }
        let mut remove = Flags::default();
        if next == '-' {
            next = self.flag_char("missing flag")?;
            if next == ':' {
                return Err(self.scanner.invalid("missing flag"));
            }
            while next != ':' {
                if matches!(next, 'a' | 'u' | 'L') {
                    return Err(self
                        .scanner
                        .invalid("bad inline flags: cannot turn off flags 'a', 'u' and 'L'"));
                }
                self.add_flag(&mut remove, next)?;
                next = self.flag_char("missing :")?;
            }
        }
        if add.overlap(remove) {
            return Err(self.scanner.invalid("bad inline flags: flag turned on and off"));
        }
        let body = Box::new(self.body((verbose || add.verbose) && !remove.verbose)?);
        Ok(Some(Node::Flagged { add, remove, body }))
    }

    fn flag_char(&mut self, message: &str) -> Result<char, PatternError> {
        match self.scanner.take() {
            Some(Token::Char(c)) => Ok(c),
            _ => Err(self.scanner.invalid(message)),
        }
    }

    fn add_flag(&self, flags: &mut Flags, c: char) -> Result<(), PatternError> {
        match flag(c) {
            Some(set) => set(flags),
            None if c == 't' => return Err(self.scanner.unsupported("the deprecated flag `t`")),
            None if c == 'L' => {
                return Err(self
                    .scanner
                    .invalid("bad inline flags: cannot use 'L' flag with a str pattern"));
            }
            None => return Err(self.scanner.invalid(format!("unknown flag `{c}`"))),
        }
        if flags.ascii && flags.unicode {
            return Err(self
                .scanner
                .invalid("bad inline flags: flags 'a', 'u' and 'L' are incompatible"));
        }
        Ok(())
    }
}

/// Returns the setter of a flag.
fn flag(c: char) -> Option<fn(&mut Flags)> {
    Some(match c {
        'i' => |flags| flags.ignore_case = true,
        'm' => |flags| flags.multiline = true,
        's' => |flags| flags.dot_all = true,
        'x' => |flags| flags.verbose = true,
        'a' => |flags| flags.ascii = true,
        'u' => |flags| flags.unicode = true,
        _ => return None,
    })
}
