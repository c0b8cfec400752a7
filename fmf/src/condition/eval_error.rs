//! The errors that end an evaluation before it has a value.

use super::ast::Span;

/// The reason why there is no value.
#[derive(Debug)]
pub(super) enum EvalError {
    /// A `NameError` or `KeyError`. fmf treats the condition as one that is not true.
    Missing(String),
    /// Another Python exception, which ends fmf.
    Raise {
        kind: &'static str,
        message: String,
        span: Option<Span>,
    },
    /// A construct that Python supports and this evaluator does not.
    Unsupported { construct: String, span: Option<Span> },
    /// The expression needs more than it may use.
    Limit(&'static str),
}

/// The outcome of a step of an evaluation.
pub(super) type Eval<T = super::object::Object> = Result<T, EvalError>;

impl EvalError {
    /// Sets the place of the error, if it is not known yet.
    pub(super) fn at(mut self, place: &Span) -> Self {
        if let Self::Raise { span, .. } | Self::Unsupported { span, .. } = &mut self {
            span.get_or_insert_with(|| place.clone());
        }
        self
    }

    /// Sets the place of the error, whatever it was before.
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
