//! Suggests the known name that was most likely meant.

/// Returns the known name that is most similar to `given`, if any is similar enough to suggest.
pub(crate) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut best: Option<(f64, &str)> = None;
    for name in known {
        let score = closeness(given, name);
        if score >= 0.65 && best.is_none_or(|(least, _)| score > least) {
            best = Some((score, name));
        }
    }
    best.map(|(_, name)| name)
}

/// Returns up to `count` known names that are similar to `given`, the nearest first.
pub(crate) fn nearest_few<'a>(given: &str, known: impl IntoIterator<Item = &'a str>, count: usize) -> Vec<&'a str> {
    let mut scored: Vec<(f64, &str)> = known
        .into_iter()
        .map(|name| (closeness(given, name), name))
        .filter(|(score, _)| *score >= 0.6)
        .collect();
    scored.sort_by(|(a, left), (b, right)| b.total_cmp(a).then_with(|| left.cmp(right)));
    scored.dedup();
    scored.into_iter().take(count).map(|(_, name)| name).collect()
}

/// Returns `did you mean …?` with the nearest name, if there is one.
pub(crate) fn did_you_mean<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(given, known).map(|name| format!("did you mean `{name}`?"))
}

/// Compares the whole names and also their last components, because users leave out leading directories. The result is 1 for
/// equal names.
fn closeness(given: &str, name: &str) -> f64 {
    let last = |text: &str| text.rsplit('/').next().unwrap_or_default().to_lowercase();
    let whole = strsim::normalized_damerau_levenshtein(&given.to_lowercase(), &name.to_lowercase());
    let tail = strsim::normalized_damerau_levenshtein(&last(given), &last(name)) * 0.95;
    whole.max(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_its_name_and_noise_finds_none() {
        assert_eq!(nearest("buidl", ["build", "test"]), Some("build"));
        assert_eq!(nearest("xyz", ["build", "test"]), None);
    }

    #[test]
    fn a_last_component_is_enough() {
        let known = ["/tests/smoke/install", "/tests/smoke/remove"];
        assert_eq!(nearest_few("/instal", known, 3), ["/tests/smoke/install"]);
    }
}
