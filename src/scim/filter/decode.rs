//! Filters whose literals a client percent-encoded once too often.

use percent_encoding::percent_decode_str;

use super::{Filter, Literal};

impl<P: Clone> Filter<P> {
    /// The filter with its string literals percent-decoded; `None` where that changes nothing or gives no text.
    pub fn percent_decoded(&self) -> Option<Self> {
        let mut changed = false;
        let decoded = self.map_strings(&mut |text| {
            let decoded = percent_decode_str(text).decode_utf8().ok()?;
            changed |= decoded != text;
            Some(decoded.into_owned())
        })?;
        changed.then_some(decoded)
    }

    fn map_strings(&self, map: &mut impl FnMut(&str) -> Option<String>) -> Option<Self> {
        let mut inner = |filter: &Self| filter.map_strings(map).map(Box::new);
        Some(match self {
            Self::And(a, b) => Self::And(inner(a)?, inner(b)?),
            Self::Or(a, b) => Self::Or(inner(a)?, inner(b)?),
            Self::Not(filter) => Self::Not(inner(filter)?),
            Self::ValuePath { path, filter } => Self::ValuePath { path: path.clone(), filter: inner(filter)? },
            Self::Compare { path, op, value: Literal::String(text) } => {
                Self::Compare { path: path.clone(), op: *op, value: Literal::String(map(text)?) }
            }
            Self::Compare { .. } | Self::Present(_) => self.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::scim::{Budgets, Dialect, Filter};

    fn decoded(text: &str) -> Option<String> {
        let filter = Filter::parse(text, &Budgets::default(), &mut Dialect::default()).unwrap();
        filter.percent_decoded().map(|filter| filter.to_string())
    }

    #[test]
    fn literals_are_decoded_where_that_makes_a_difference() {
        assert_eq!(decoded(r#"userName eq "a%40b""#).as_deref(), Some(r#"userName eq "a@b""#));
        assert_eq!(
            decoded(r#"not (title pr) and emails[value eq "a%2Bb%40c"]"#).as_deref(),
            Some(r#"not (title pr) and emails[value eq "a+b@c"]"#)
        );
        for same in
            [r#"userName eq "a@b""#, r#"userName eq "100%""#, r#"userName eq "%zz""#, r#"userName eq "%ff""#, "active eq true"]
        {
            assert_eq!(decoded(same), None, "{same}");
        }
    }
}
