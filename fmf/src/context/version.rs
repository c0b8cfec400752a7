//! Values of dimensions, which have a name and version parts. They are compared to the precision of the right side.

use std::cmp::Ordering;

use crate::python::number::read_int;
use crate::regex::LazyPattern;

/// A value such as `centos-8.3`: its text, split at `:`, `-` and `.`.
#[derive(Clone, Debug)]
pub(super) struct DimensionValue {
    /// The value as it was given, which is also a pattern on the right side of `~`.
    pub(super) raw: LazyPattern,
    parts: Vec<Part>,
}

/// A part of a value, with its integer if it is one.
#[derive(Clone, Debug)]
struct Part {
    text: String,
    /// The sign and the digits, as `int()` reads them.
    number: Option<(bool, String)>,
}

impl Part {
    fn new(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            number: read_int(text),
        }
    }

    /// Compares as integers if both parts are integers, or else as text.
    fn compare(&self, other: &Self) -> Ordering {
        let (Some((negative, left)), Some((other_negative, right))) = (&self.number, &other.number) else {
            return self.text.cmp(&other.text);
        };
        let magnitude = left.len().cmp(&right.len()).then_with(|| left.cmp(right));
        match (negative, other_negative) {
            (false, false) => magnitude,
            (true, true) => magnitude.reverse(),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

/// How two values are compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comparison {
    /// Whether the major versions must be the same for minor versions to be compared (as for `~<`).
    pub(super) minor: bool,
    /// Whether the comparison is one of order, in which values with different names cannot be decided. Without order, they are
    /// just not equal.
    pub(super) ordered: bool,
}

impl DimensionValue {
    pub(super) fn new(raw: &str) -> Self {
        Self {
            raw: LazyPattern::new(raw.to_owned()),
            parts: raw.split([':', '-', '.']).map(Part::new).collect(),
        }
    }

    /// Returns whether there is more than a name.
    pub(super) fn has_version(&self) -> bool {
        self.parts.len() > 1
    }

    /// Returns whether both values have the same parts, whatever separates them.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.parts.len() == other.parts.len() && self.parts.iter().zip(&other.parts).all(|(a, b)| a.text == b.text)
    }

    /// Compares with the right side of a rule, which sets the precision. `None` stands for fmf's `CannotDecide`.
    ///
    /// Without order, values that are not equal give [`Ordering::Greater`] or [`Ordering::Less`], which then means nothing more.
    pub(super) fn compare(&self, other: &Self, how: Comparison) -> Option<Ordering> {
        let unequal = if how.ordered { None } else { Some(Ordering::Greater) };
        if self.parts[0].text != other.parts[0].text {
            return unequal;
        }
        if how.minor && other.parts.len() > 1 {
            let major = self.parts.get(1)?;
            if major.text != other.parts[1].text {
                if !how.ordered {
                    return unequal;
                }
                if other.parts.len() > 2 {
                    return None;
                }
            }
        }
        let parts = self.parts.iter().zip(&other.parts).skip(1);
        let compared = parts
            .map(|(left, right)| left.compare(right))
            .find(|order| order.is_ne());
        if compared.is_some() {
            return compared;
        }
        if self.parts.len() >= other.parts.len() {
            return Some(Ordering::Equal);
        }
        if how.minor {
            return None;
        }
        if !how.ordered {
            return unequal;
        }
        if self.parts.len() == 1 {
            None
        } else {
            Some(Ordering::Less)
        }
    }
}
