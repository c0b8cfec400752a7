//! Upper, lower and title case as in Python, where Rust's standard library lacks it.

use super::eval_error::{Eval, EvalError};
use crate::python::chars::is_title as is_title_letter;

fn is_cased(c: char) -> bool {
    c.is_lowercase() || c.is_uppercase() || is_title_letter(c)
}

/// `str.islower()`
pub(super) fn is_lower(text: &str) -> bool {
    text.chars().any(char::is_lowercase) && !text.chars().any(|c| c.is_uppercase() || is_title_letter(c))
}

/// `str.isupper()`
pub(super) fn is_upper(text: &str) -> bool {
    text.chars().any(char::is_uppercase) && !text.chars().any(|c| c.is_lowercase() || is_title_letter(c))
}

/// `str.istitle()`
pub(super) fn is_title(text: &str) -> bool {
    let (mut any, mut after_cased) = (false, false);
    for c in text.chars() {
        if c.is_uppercase() || is_title_letter(c) {
            if after_cased {
                return false;
            }
            (any, after_cased) = (true, true);
        } else if c.is_lowercase() {
            if !after_cased {
                return false;
            }
            any = true;
        } else {
            after_cased = false;
        }
    }
    any
}

/// `str.capitalize()`
pub(super) fn capitalize(text: &str) -> Eval<String> {
    plain(text, "capitalize")?;
    let mut chars = text.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    Ok(first + &chars.as_str().to_lowercase())
}

/// `str.title()`
pub(super) fn title(text: &str) -> Eval<String> {
    plain(text, "title")?;
    let (mut out, mut after_cased) = (String::with_capacity(text.len()), false);
    for c in text.chars() {
        if after_cased {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        after_cased = is_cased(c);
    }
    Ok(out)
}

/// `str.swapcase()`
pub(super) fn swap(text: &str) -> Eval<String> {
    plain(text, "swapcase")?;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_uppercase() {
            out.extend(c.to_lowercase());
        } else if c.is_lowercase() {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
    }
    Ok(out)
}

/// Refuses letters whose title case is not their upper case, and the sigma, whose lower case depends on its position.
fn plain(text: &str, method: &str) -> Eval<()> {
    let special = |c: char| match c {
        '\u{10d0}'..='\u{10ff}' | '\u{1c4}'..='\u{1cc}' | '\u{1f1}'..='\u{1f3}' | '\u{1f80}'..='\u{1fff}' | 'Σ' => {
            true
        }
        c => c.to_uppercase().count() > 1,
    };
    match text.chars().find(|c| !c.is_ascii() && special(*c)) {
        Some(c) => Err(EvalError::unsupported(format!("`{method}()` of text with `{c}`"))),
        None => Ok(()),
    }
}
