//! The syntax tree of an expression. Every node knows its place in the text, so that an error can show what failed.

use std::ops::Range;
use std::sync::Arc;

use num_bigint::BigInt;

/// A place in the text, in bytes.
pub(super) type Span = Range<usize>;

#[derive(Debug)]
pub(super) struct Expr {
    pub(super) kind: Kind,
    pub(super) span: Span,
    /// How many levels the tree has, including this one.
    pub(super) depth: usize,
}

#[derive(Debug)]
pub(super) enum Kind {
    None,
    Bool(bool),
    Int(BigInt),
    Float(f64),
    Str(Arc<str>),
    Bytes(Arc<[u8]>),
    /// An f-string: literal text and replacement fields.
    Joined(Vec<Field>),
    Name(Arc<str>),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Set(Vec<Expr>),
    /// The entries. An entry without a key is `**mapping`.
    Dict(Vec<(Option<Expr>, Expr)>),
    /// `*items` in a display or a call.
    Starred(Box<Expr>),
    Not(Box<Expr>),
    Unary(Unary, Box<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Compare(Box<Expr>, Vec<(Comparison, Expr)>),
    Conditional(Box<[Expr; 3]>),
    Lambda(Arc<Lambda>),
    Call(Box<Expr>, Vec<Argument>),
    Attribute(Box<Expr>, Arc<str>),
    Subscript(Box<Expr>, Box<Expr>),
    /// `start:stop:step` in a subscript.
    Slice([Option<Box<Expr>>; 3]),
    Comprehension(Arc<Comprehension>),
}

/// A piece of an f-string.
#[derive(Debug)]
pub(super) enum Field {
    Text(Arc<str>),
    /// A value and its conversion: `s`, `r`, or `None`.
    Value(Expr, Option<char>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Unary {
    Plus,
    Minus,
    Invert,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
    Power,
    MatrixMultiply,
    ShiftLeft,
    ShiftRight,
    And,
    Or,
    Xor,
}

impl Binary {
    /// Returns the operator's text.
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::FloorDivide => "//",
            Self::Modulo => "%",
            Self::Power => "** or pow()",
            Self::MatrixMultiply => "@",
            Self::ShiftLeft => "<<",
            Self::ShiftRight => ">>",
            Self::And => "&",
            Self::Or => "|",
            Self::Xor => "^",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
    Is,
    IsNot,
}

/// `lambda a, b=1, *rest: body`
#[derive(Debug)]
pub(super) struct Lambda {
    pub(super) parameters: Vec<(Arc<str>, Option<Expr>)>,
    pub(super) rest: Option<Arc<str>>,
    pub(super) body: Expr,
}

#[derive(Debug)]
pub(super) enum Argument {
    Positional(Expr),
    Star(Expr),
    Keyword(Arc<str>, Expr),
    DoubleStar(Expr),
}

/// The kind of collection that a comprehension makes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Makes {
    List,
    Set,
    Dict,
    Generator,
}

#[derive(Debug)]
pub(super) struct Comprehension {
    pub(super) makes: Makes,
    pub(super) element: Expr,
    /// The value of a dict's entry.
    pub(super) value: Option<Expr>,
    pub(super) clauses: Vec<Clause>,
    /// The names that the clauses bind. They are local from the beginning.
    pub(super) locals: Vec<Arc<str>>,
}

/// `for target in iterable if condition…`
#[derive(Debug)]
pub(super) struct Clause {
    pub(super) target: Target,
    pub(super) iterable: Expr,
    pub(super) conditions: Vec<Expr>,
}

#[derive(Debug)]
pub(super) enum Target {
    Name(Arc<str>),
    Starred(Box<Target>),
    Unpack(Vec<Target>),
}

impl Target {
    /// Collects the names that it binds.
    pub(super) fn names(&self, out: &mut Vec<Arc<str>>) {
        match self {
            Self::Name(name) => out.push(Arc::clone(name)),
            Self::Starred(target) => target.names(out),
            Self::Unpack(targets) => targets.iter().for_each(|target| target.names(out)),
        }
    }
}
