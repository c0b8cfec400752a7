//! What ends an evaluation before it has a value.

use super::ast::Span;

/// Why there is no value.
#[derive(Debug)]
pub(super) enum EvalError {
    /// `NameError` or `KeyError`: fmf takes the condition for one that does not hold.
    Missing(String),
    /// Another exception of Python, which ends fmf.
    Raise {
        kind: &'static str,
        message: String,
        span: Option<Span>,
    },
    /// What Python has and this evaluator has not.
    Unsupported { construct: String, span: Option<Span> },
    /// The expression asks for more than it may.
    Limit(&'static str),
}

/// The outcome of a step of an evaluation.
pub(super) type Eval<T = super::object::Object> = Result<T, EvalError>;

impl EvalError {
    /// Notes where it happened, if that is not known yet.
    pub(super) fn at(mut self, place: &Span) -> Self {
        if let Self::Raise { span, .. } | Self::Unsupported { span, .. } = &mut self {
            span.get_or_insert_with(|| place.clone());
        }
        self
    }

    /// Notes where it happened, whatever was known.
    pub(super) fn moved_to(mut self, place: &Span) -> Self {
        if let Self::Raise { span, .. } | Self::Unsupported { span, .. } = &mut self {
            *span = Some(place.clone());
        }
        self
    }

    pub(super) fn raise(kind: &'static str, message: impl Into<String>) -> Self {
        Self::Raise {
            kind,
            message: message.into(),
            span: None,
        }
    }

    pub(super) fn type_error(message: impl Into<String>) -> Self {
        Self::raise("TypeError", message)
    }

    pub(super) fn value_error(message: impl Into<String>) -> Self {
        Self::raise("ValueError", message)
    }

    pub(super) fn unsupported(construct: impl Into<String>) -> Self {
        Self::Unsupported {
            construct: construct.into(),
            span: None,
        }
    }
}
