//! Python's `re`, as far as fmf uses it: `search`, `match` and `sub` with patterns of Python 3.11.
//!
//! A pattern is parsed by Python's rules into a tree, is refused if Python refuses it, and is written again for the engine
//! (`fancy-regex`), which gets no construct whose meaning differs from Python's. This module does not know fmf.
//!
//! Invariants: a pattern that cannot be translated is an error that names the construct. A search that backtracks without end is
//! an error too, never an answer.

mod ast;
mod check;
mod emit;
mod escape;
mod group;
mod parse;
mod scan;
mod template;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, OnceLock, RwLock};

use emit::{Anchor, Text};
use fancy_regex::{Captures, CompileError, Error as EngineError, Regex, RegexBuilder};
use parse::Parsed;
use template::Piece;

/// How often a search may backtrack before it is given up.
const BACKTRACK_LIMIT: usize = 4_000_000;

/// How much longer than the text a substitution may make it, in bytes. Without a limit, a chain of substitutions could grow
/// without end.
const MAX_GROWTH: usize = 1 << 20;

/// How many compiled patterns are kept.
const CACHE_SIZE: usize = 1024;

/// The reason why a pattern cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PatternError {
    /// Python refuses the pattern, too.
    #[error("invalid pattern `{pattern}`: {message} at position {position}")]
    Invalid {
        /// The pattern, or the template of a replacement.
        pattern: String,
        /// The position at which parsing stopped, in characters.
        position: usize,
        /// What is wrong.
        message: String,
    },
    /// Python supports the construct, but the translation does not.
    #[error("pattern `{pattern}` uses {construct}, which is not supported")]
    Unsupported {
        /// The pattern.
        pattern: String,
        /// The construct, in words.
        construct: &'static str,
    },
    /// The engine does not accept the pattern, mostly because of its size.
    #[error("pattern `{pattern}` cannot be compiled: {message}")]
    Engine {
        /// The pattern.
        pattern: String,
        /// What the engine says.
        message: String,
    },
    /// A search did not end within its limits.
    #[error("pattern `{pattern}` backtracks without end on a text of {length} bytes")]
    Backtracking {
        /// The pattern.
        pattern: String,
        /// The length of the text.
        length: usize,
    },
    /// A substitution needs more memory than it may use.
    #[error(
        "substitution of pattern `{pattern}` makes a text of {length} bytes longer by more than {MAX_GROWTH} bytes"
    )]
    Growth {
        /// The pattern.
        pattern: String,
        /// The length of the text.
        length: usize,
    },
}

impl PatternError {
    /// Returns the pattern, or the template of a replacement.
    pub fn pattern(&self) -> &str {
        match self {
            Self::Invalid { pattern, .. }
            | Self::Unsupported { pattern, .. }
            | Self::Engine { pattern, .. }
            | Self::Backtracking { pattern, .. }
            | Self::Growth { pattern, .. } => pattern,
        }
    }
}

/// A compiled Python pattern.
pub struct Pattern {
    source: String,
    parsed: Parsed,
    engines: [OnceLock<Result<Regex, PatternError>>; 6],
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.source).finish()
    }
}

impl Pattern {
    /// Parses a pattern.
    pub fn new(pattern: &str) -> Result<Self, PatternError> {
        let parsed = parse::parse(pattern)?;
        Ok(Self {
            source: pattern.to_owned(),
            parsed,
            engines: Default::default(),
        })
    }

    /// Returns the pattern from a cache that all threads share, or parses it.
    pub fn cached(pattern: &str) -> Result<Arc<Self>, PatternError> {
        static CACHE: LazyLock<RwLock<HashMap<String, Arc<Pattern>>>> = LazyLock::new(RwLock::default);
        if let Ok(cache) = CACHE.read()
            && let Some(found) = cache.get(pattern)
        {
            return Ok(Arc::clone(found));
        }
        let parsed = Arc::new(Self::new(pattern)?);
        if let Ok(mut cache) = CACHE.write() {
            if cache.len() >= CACHE_SIZE {
                cache.clear();
            }
            cache.insert(pattern.to_owned(), Arc::clone(&parsed));
        }
        Ok(parsed)
    }

    /// Returns the pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// Tells whether `re.search` finds a match.
    pub fn search(&self, text: &str) -> Result<bool, PatternError> {
        let found = self.engine(Text::of(text), Anchor::Free)?.is_match(text);
        found.map_err(|error| self.failed(&error, text))
    }

    /// Tells whether `re.match` finds a match, that is one at the start of the text.
    pub fn match_start(&self, text: &str) -> Result<bool, PatternError> {
        let found = self.engine(Text::of(text), Anchor::Start)?.is_match(text);
        found.map_err(|error| self.failed(&error, text))
    }

    /// Returns `re.sub(pattern, template, text)`.
    pub fn sub(&self, template: &str, text: &str) -> Result<String, PatternError> {
        let pieces = template::parse(template, &self.parsed)?;
        // This reads the whole text, so it is done once for all matches.
        let kind = Text::of(text);
        let mut out = String::with_capacity(text.len());
        let (mut copied, mut position, mut after_empty) = (0, 0, false);
        while position <= text.len() {
            let Some(found) = self.next_match(text, kind, position, after_empty)? else {
                break;
            };
            let Some(whole) = found.get(0) else { break };
            out += &text[copied..whole.start()];
            for piece in &pieces {
                match piece {
                    Piece::Text(literal) => out += literal,
                    Piece::Group(group) => out += found.get(*group).map_or("", |group| group.as_str()),
                }
                if out.len() > text.len() + MAX_GROWTH {
                    let (pattern, length) = (self.source.clone(), text.len());
                    return Err(PatternError::Growth { pattern, length });
                }
            }
            (copied, position) = (whole.end(), whole.end());
            after_empty = whole.start() == whole.end();
        }
        out += &text[copied..];
        Ok(out)
    }

    /// Finds the next match of a substitution. After an empty match, the next one may begin at the same place only if it is not
    /// empty.
    fn next_match<'t>(
        &self,
        text: &'t str,
        kind: Text,
        position: usize,
        after_empty: bool,
    ) -> Result<Option<Captures<'t, str>>, PatternError> {
        let find = |anchor, position| {
            let found = self.engine(kind, anchor)?.captures_from_pos(text, position);
            found.map_err(|error| self.failed(&error, text))
        };
        if !after_empty {
            return find(Anchor::Free, position);
        }
        if let Some(found) = find(Anchor::Advance, position)? {
            return Ok(Some(found));
        }
        match text[position..].chars().next() {
            Some(c) => find(Anchor::Free, position + c.len_utf8()),
            None => Ok(None),
        }
    }

    /// Returns the engine for a kind of text, compiled at first use.
    fn engine(&self, kind: Text, anchor: Anchor) -> Result<&Regex, PatternError> {
        let slot = &self.engines[anchor as usize * 2 + kind as usize];
        let engine = slot.get_or_init(|| {
            let translated = emit::emit(&self.parsed.root, self.parsed.flags, kind, anchor);
            // The engine's optimizer rewrites the tree, and its gain does not matter here.
            let mut builder = RegexBuilder::new(&translated);
            builder
                .backtrack_limit(BACKTRACK_LIMIT)
                .optimize(false)
                .find_not_empty(anchor == Anchor::Advance);
            let engine = match builder.build() {
                // All matches of the pattern are empty.
                Err(EngineError::CompileError(error)) if matches!(*error, CompileError::PatternCanNeverMatch) => {
                    Regex::new(emit::NOTHING)
                }
                engine => engine,
            };
            engine.map_err(|error| self.refused(&error))
        });
        engine.as_ref().map_err(Clone::clone)
    }

    fn failed(&self, error: &EngineError, text: &str) -> PatternError {
        match error {
            EngineError::RuntimeError(_) => PatternError::Backtracking {
                pattern: self.source.clone(),
                length: text.len(),
            },
            other => self.refused(other),
        }
    }

    fn refused(&self, error: &EngineError) -> PatternError {
        PatternError::Engine {
            pattern: self.source.clone(),
            message: error.to_string(),
        }
    }
}

/// A pattern that is compiled when it is first used, because Python, too, finds an invalid one only then.
#[derive(Clone, Debug)]
pub(crate) struct LazyPattern {
    source: String,
    compiled: OnceLock<Result<Arc<Pattern>, PatternError>>,
}

impl LazyPattern {
    pub(crate) fn new(source: String) -> Self {
        Self {
            source,
            compiled: OnceLock::new(),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.source
    }

    pub(crate) fn get(&self) -> Result<&Pattern, PatternError> {
        let compiled = self.compiled.get_or_init(|| Pattern::cached(&self.source));
        compiled.as_deref().map_err(Clone::clone)
    }
}

/// Tells whether `re.search(pattern, text)` finds a match.
pub fn search(pattern: &str, text: &str) -> Result<bool, PatternError> {
    Pattern::cached(pattern)?.search(text)
}

#[cfg(test)]
mod tests;
