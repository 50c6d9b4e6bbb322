//! Any text as a DN, and as a value in one: what is read is printed as a DN that is the same, and a value stays a value.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scimgate::directory::{Dn, Rdn};

fuzz_target!(|text: &str| {
    if let Ok(dn) = text.parse::<Dn>() {
        let printed = dn.to_string();
        let again: Dn = printed.parse().unwrap_or_else(|e| panic!("{printed}: {e}"));
        assert_eq!(again, dn, "{printed}");
        assert_eq!(again.key(), dn.key());
        assert_eq!(dn.parent().is_none(), dn.is_root());
    }
    let base: Dn = "ou=people,dc=example,dc=com".parse().expect("a DN");
    let child = base.child(Rdn::new("cn".parse().expect("a name"), text));
    let printed = child.to_string();
    let again: Dn = printed.parse().unwrap_or_else(|e| panic!("{printed}: {e}"));
    assert_eq!(again.rdn().and_then(|rdn| rdn.value("cn")), Some(text), "{printed}");
    assert_eq!(again.parent(), Some(base), "{printed}");
});
