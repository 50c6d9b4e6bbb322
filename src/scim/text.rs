//! How strings are compared.

/// Prepares a string for comparison as LDAP's caseIgnoreMatch does (RFC 4518): no space around it, runs of spaces as one, and
/// no case unless it counts. The directory and we must agree, or a filter would find in one what it does not in the other.
pub fn prepare(text: &str, case_exact: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split(' ').filter(|word| !word.is_empty()) {
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

#[cfg(test)]
mod tests {
    use super::prepare;

    #[test]
    fn space_and_case_do_not_count_unless_asked() {
        assert_eq!(prepare("  Ana   RUÍZ ", false), "ana ruíz");
        assert_eq!(prepare("  Ana   RUÍZ ", true), "Ana RUÍZ");
        assert_eq!(prepare("   ", false), "");
    }
}
