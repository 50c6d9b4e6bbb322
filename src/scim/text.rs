//! How strings are compared.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;

/// Prepares a string for comparison as LDAP's caseIgnoreMatch does (RFC 4518): one spelling of what looks the same (NFKC), no
/// space around it, runs of spaces as one, and no case unless it counts. The directory and we must agree, or a filter would find in one what it does not in the other.
pub fn prepare(text: &str, case_exact: bool) -> String {
    // Most texts: nothing in them is changed but the case.
    if text.is_ascii() && !text.starts_with(' ') && !text.ends_with(' ') && !text.contains("  ") {
        return if case_exact { text.to_owned() } else { text.to_ascii_lowercase() };
    }
    let mut out = String::with_capacity(text.len());
    let normal = if text.is_ascii() { Cow::Borrowed(text) } else { Cow::Owned(text.nfkc().collect()) };
    for word in normal.split(' ').filter(|word| !word.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        if case_exact {
            out.push_str(word);
        } else {
            out.extend(word.chars().flat_map(char::to_lowercase));
        }
    }
    out
}

/// Letters to insert, delete or change to make one of the other; `usize::MAX` where the lengths alone ask for more than two.
pub fn edit_distance(from: &str, to: &str) -> usize {
    if from.len().abs_diff(to.len()) > 2 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (b, cell) in to.bytes().zip(row.iter_mut().skip(1)) {
            let changed = diagonal + usize::from(a != b);
            diagonal = *cell;
            left = changed.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::prepare;

    #[test]
    fn space_and_case_do_not_count_unless_asked() {
        assert_eq!(prepare("  Ana   RUÍZ ", false), "ana ruíz");
        assert_eq!(prepare("  Ana   RUÍZ ", true), "Ana RUÍZ");
        assert_eq!(prepare("   ", false), "");
        assert_eq!(prepare("Jose\u{301}", true), "José");
    }
}
