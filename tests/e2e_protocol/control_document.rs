//! The examples of `docs/control.md` do what the text around them says.
