//! Matches names that users give: an exact name comes first, and any other text is a regex to search for. It also suggests
//! similar names.

use crate::compile::error::CompileError;

use atex_fmf::regex::Pattern;

/// How many similar names a hint shows.
const SHOWN: usize = 3;

/// Returns whether one of the patterns is found in the text.
pub(crate) fn any_found(patterns: &[String], text: &str) -> Result<bool, CompileError> {
    for pattern in patterns {
        let found = Pattern::cached(pattern).and_then(|compiled| compiled.search(text));
        if found.map_err(atex_fmf::Error::from)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the names that are most similar to the given one, the nearest first.
pub(crate) fn nearest<'a>(given: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    const ALIKE: f64 = 0.7;
    let bare = given.trim_matches('/');
    let score = |name: &str| {
        let whole = strsim::jaro_winkler(bare, name.trim_matches('/'));
        let last = name
            .rsplit('/')
            .next()
            .map_or(0.0, |last| strsim::normalized_damerau_levenshtein(bare, last));
        whole.max(last)
    };
    let mut scored: Vec<(f64, &str)> = names
        .map(|name| (score(name), name))
        .filter(|(score, _)| *score >= ALIKE)
        .collect();
    scored.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(right.1)));
    scored.dedup_by(|left, right| left.1 == right.1);
    scored
        .into_iter()
        .take(SHOWN)
        .map(|(_, name)| name.to_owned())
        .collect()
}

/// Returns the known key that is most similar to an unknown one.
pub(crate) fn nearest_key<'k>(given: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    const ALIKE: f64 = 0.65;
    let score = |known: &&'k str| strsim::normalized_damerau_levenshtein(given, known);
    let best = known.into_iter().max_by(|left, right| {
        let order = score(left).total_cmp(&score(right));
        order.then_with(|| right.cmp(left))
    })?;
    (score(&best) >= ALIKE).then_some(best)
}

/// Returns `did you mean …?` with the nearest known key.
pub(crate) fn did_you_mean<'k>(given: &str, known: impl IntoIterator<Item = &'k str>) -> Option<String> {
    nearest_key(given, known).map(|known| format!("did you mean `{known}`?"))
}

#[cfg(test)]
mod tests {
    use super::{nearest, nearest_key};

    #[test]
    fn a_typing_mistake_finds_its_name() {
        let names = ["/plans/basic", "/plans/full", "/tests/one"];
        assert_eq!(nearest("/plan/basic", names.into_iter())[0], "/plans/basic");
        assert_eq!(nearest("ful", names.into_iter()), ["/plans/full"]);
        assert!(nearest("zzz", names.into_iter()).is_empty());
    }

    #[test]
    fn a_slip_finds_its_key_and_noise_finds_none() {
        assert_eq!(nearest_key("durration", ["description", "duration"]), Some("duration"));
        assert_eq!(nearest_key("requires", ["result", "require"]), Some("require"));
        assert_eq!(nearest_key("xyz", ["tag", "test"]), None);
    }
}
