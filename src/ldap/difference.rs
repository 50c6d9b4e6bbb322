//! Servers that stand in for each other should offer the same.

use std::collections::BTreeSet;

use crate::directory::Capabilities;

/// How one server differs from another, in a line; `None` where it does not.
pub(super) fn difference(one: &Capabilities, other: &Capabilities) -> Option<String> {
    let mut found = Vec::new();
    if (one.vendor, &one.product) != (other.vendor, &other.product) {
        let name = |of: &Capabilities| format!("{:?} {}", of.vendor, of.product).trim_end().to_owned();
        found.push(format!("it is {} and not {}", name(one), name(other)));
    }
    let sorted = |of: &Capabilities| of.controls.iter().cloned().collect::<BTreeSet<_>>();
    let (here, there) = (sorted(one), sorted(other));
    let mut controls = |what: &str, only: Vec<&str>| {
        if !only.is_empty() {
            found.push(format!("{what} {}", only.join(", ")));
        }
    };
    controls("it lacks the controls", there.difference(&here).map(String::as_str).collect());
    controls("it alone has the controls", here.difference(&there).map(String::as_str).collect());
    let contexts = |of: &Capabilities| of.naming_contexts.iter().map(|name| name.to_ascii_lowercase()).collect::<BTreeSet<_>>();
    if contexts(one) != contexts(other) {
        found.push(format!("it serves {} and not {}", one.naming_contexts.join(" "), other.naming_contexts.join(" ")));
    }
    if one.schema != other.schema {
        found.push("its schema is another one".to_owned());
    }
    if one.usn != other.usn {
        found.push("one of the two numbers its changes, the other does not".to_owned());
    }
    (!found.is_empty()).then(|| found.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::{Subschema, Vendor};

    fn capabilities(controls: &[&str]) -> Capabilities {
        Capabilities {
            vendor: Vendor::OpenLdap,
            product: String::new(),
            usn: false,
            controls: controls.iter().map(|oid| (*oid).to_owned()).collect(),
            naming_contexts: vec!["dc=example".to_owned()],
            schema: Subschema::default(),
        }
    }

    #[test]
    fn a_difference_is_told_and_none_is_not() {
        let one = capabilities(&["1.1", "1.2"]);
        assert_eq!(difference(&one, &one.clone()), None);
        let renamed = Capabilities { naming_contexts: vec!["DC=example".to_owned()], ..one.clone() };
        assert_eq!(difference(&renamed, &one), None);
        let told = difference(&capabilities(&["1.2", "1.3"]), &one).unwrap();
        assert_eq!(told, "it lacks the controls 1.1; it alone has the controls 1.3");
        let other = Capabilities { vendor: Vendor::Ds389, product: "389".to_owned(), ..one.clone() };
        assert_eq!(difference(&other, &one).unwrap(), "it is Ds389 389 and not OpenLdap");
    }
}
