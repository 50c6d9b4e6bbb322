//! Distinguished names (RFC 4514): parsed, compared as values, printed with the right escapes.

use std::fmt;
use std::fmt::Write as _;
use std::str::FromStr;

use super::AttributeName;

/// A distinguished name, the entry's own RDN first. The empty one names the root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dn(Vec<Rdn>);

/// A relative distinguished name: one or more attribute value assertions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rdn(Vec<Ava>);

/// One `attribute=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ava {
    /// The attribute.
    pub attribute: AttributeName,
    value: AvaValue,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum AvaValue {
    Text(String),
    /// The `#` form (RFC 4514 section 2.4): BER in hexadecimal digits, kept as written.
    Ber(String),
}

/// Two names of one entry have one key: attribute names and values without case, runs of space as one, AVAs in order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DnKey(String);

impl DnKey {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is not a distinguished name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a distinguished name: {reason} at byte {offset}")]
pub struct InvalidDn {
    /// Where in the text, in bytes.
    pub offset: usize,
    /// What is wrong.
    pub reason: &'static str,
}

impl Ava {
    /// An assertion of a text value.
    pub fn new(attribute: AttributeName, value: impl Into<String>) -> Self {
        Self { attribute, value: AvaValue::Text(value.into()) }
    }

    /// The value, if it is text.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            AvaValue::Text(text) => Some(text),
            AvaValue::Ber(_) => None,
        }
    }
}

impl Rdn {
    /// An RDN of one assertion.
    pub fn new(attribute: AttributeName, value: impl Into<String>) -> Self {
        Self(vec![Ava::new(attribute, value)])
    }

    /// Its assertions; at least one.
    pub fn avas(&self) -> &[Ava] {
        &self.0
    }

    /// The value it asserts of that attribute.
    pub fn value(&self, attribute: &str) -> Option<&str> {
        self.0.iter().find(|ava| ava.attribute == *attribute).and_then(Ava::text)
    }

    /// The same RDN with another value of that attribute.
    #[must_use]
    pub fn with_value(&self, attribute: &str, value: &str) -> Self {
        let change = |ava: &Ava| {
            if ava.attribute == *attribute { Ava::new(ava.attribute.clone(), value) } else { ava.clone() }
        };
        Self(self.0.iter().map(change).collect())
    }
}

impl Dn {
    /// The empty name.
    pub fn root() -> Self {
        Self::default()
    }

    /// Whether it is the empty name.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The entry's own RDN; `None` for the root.
    pub fn rdn(&self) -> Option<&Rdn> {
        self.0.first()
    }

    /// The name of the entry above; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        self.0.split_first().map(|(_, above)| Self(above.to_vec()))
    }

    /// The name of an entry directly below this one.
    #[must_use]
    pub fn child(&self, rdn: Rdn) -> Self {
        let mut rdns = Vec::with_capacity(self.0.len() + 1);
        rdns.push(rdn);
        rdns.extend_from_slice(&self.0);
        Self(rdns)
    }

    /// This name with its own RDN replaced, as after a rename in place.
    #[must_use]
    pub fn renamed(&self, rdn: Rdn) -> Self {
        self.parent().unwrap_or_default().child(rdn)
    }

    /// Whether it is `base` itself or below it.
    pub fn is_under(&self, base: &Self) -> bool {
        let Some(above) = self.0.len().checked_sub(base.0.len()).and_then(|skip| self.0.get(skip..)) else { return false };
        above.iter().zip(&base.0).all(|(a, b)| a == b || rdn_key(a) == rdn_key(b))
    }

    /// The form in which names are compared.
    pub fn key(&self) -> DnKey {
        let mut out = String::with_capacity(self.0.len() * 16 + 32);
        for (n, rdn) in self.0.iter().enumerate() {
            if n > 0 {
                out.push(',');
            }
            rdn_key_into(rdn, &mut out);
        }
        DnKey(out)
    }
}

fn rdn_key_into(rdn: &Rdn, out: &mut String) {
    if let [ava] = rdn.0.as_slice() {
        return ava_key_into(ava, out);
    }
    let key = |ava: &Ava| {
        let mut key = String::new();
        ava_key_into(ava, &mut key);
        key
    };
    let mut keys: Vec<String> = rdn.0.iter().map(key).collect();
    keys.sort_unstable();
    out.push_str(&keys.join("+"));
}

fn rdn_key(rdn: &Rdn) -> String {
    let mut out = String::new();
    rdn_key_into(rdn, &mut out);
    out
}

fn ava_key_into(ava: &Ava, out: &mut String) {
    out.extend(ava.attribute.as_str().chars().map(|c| c.to_ascii_lowercase()));
    out.push('=');
    match &ava.value {
        // Most values: nothing in them is folded but the case.
        AvaValue::Text(text)
            if text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'@')) =>
        {
            out.extend(text.bytes().map(|byte| char::from(byte.to_ascii_lowercase())));
        }
        AvaValue::Text(text) => {
            let folded = text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ").to_lowercase();
            escape_into(&folded, out);
        }
        AvaValue::Ber(hex) => {
            out.push('#');
            out.push_str(&hex.to_ascii_lowercase());
        }
    }
}

/// RFC 4514 section 2.4: what must be escaped, and NUL and other controls by their bytes.
fn escape_into(value: &str, out: &mut String) {
    let last = value.len().saturating_sub(1);
    for (at, c) in value.char_indices() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=' => {
                out.push('\\');
                out.push(c);
            }
            '#' | ' ' if at == 0 => {
                out.push('\\');
                out.push(c);
            }
            ' ' if at == last => out.push_str("\\ "),
            c if c.is_ascii_control() => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\{:02X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

impl fmt::Display for Rdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, ava) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_char('+')?;
            }
            write!(f, "{}=", ava.attribute)?;
            match &ava.value {
                AvaValue::Text(text) => {
                    let mut out = String::with_capacity(text.len() + 4);
                    escape_into(text, &mut out);
                    f.write_str(&out)?;
                }
                AvaValue::Ber(hex) => write!(f, "#{hex}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Dn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, rdn) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_char(',')?;
            }
            rdn.fmt(f)?;
        }
        Ok(())
    }
}

impl FromStr for Dn {
    type Err = InvalidDn;

    fn from_str(text: &str) -> Result<Self, InvalidDn> {
        if text.trim().is_empty() {
            return Ok(Self::root());
        }
        let mut parser = Parser { text, at: 0 };
        let mut rdns = Vec::new();
        let mut avas = vec![parser.ava()?];
        loop {
            match parser.next() {
                Some(b'+') => avas.push(parser.ava()?),
                Some(b',' | b';') => {
                    rdns.push(Rdn(std::mem::take(&mut avas)));
                    avas.push(parser.ava()?);
                }
                None => {
                    rdns.push(Rdn(avas));
                    return Ok(Self(rdns));
                }
                Some(_) => return Err(parser.error("expected `,` or `+`")),
            }
        }
    }
}

/// Reads one DN; `at` is always at the start of a character.
struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn error(&self, reason: &'static str) -> InvalidDn {
        InvalidDn { offset: self.at, reason }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Takes one byte that is a separator.
    fn next(&mut self) -> Option<u8> {
        let byte = self.rest().bytes().next()?;
        if byte.is_ascii() {
            self.at += 1;
        }
        Some(byte)
    }

    fn skip_spaces(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches(' ').len();
    }

    fn ava(&mut self) -> Result<Ava, InvalidDn> {
        self.skip_spaces();
        let rest = self.rest();
        let end = rest.find('=').ok_or_else(|| self.error("expected `attribute=value`"))?;
        let name = rest.get(..end).unwrap_or_default().trim_end_matches(' ');
        let attribute = name.parse().map_err(|_| self.error("expected an attribute name"))?;
        self.at += end + 1;
        self.skip_spaces();
        let value = match self.peek() {
            Some('#') => self.ber()?,
            Some('"') => self.quoted()?,
            _ => self.string()?,
        };
        Ok(Ava { attribute, value })
    }

    fn ber(&mut self) -> Result<AvaValue, InvalidDn> {
        self.at += 1;
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
        let hex = rest.get(..end).unwrap_or_default();
        if hex.is_empty() || hex.len() % 2 != 0 {
            return Err(self.error("expected pairs of hexadecimal digits after `#`"));
        }
        self.at += end;
        self.skip_spaces();
        Ok(AvaValue::Ber(hex.to_owned()))
    }

    /// The LDAPv2 form, still accepted on input (RFC 4514 appendix A).
    fn quoted(&mut self) -> Result<AvaValue, InvalidDn> {
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            match self.peek() {
                None => return Err(self.error("the quotation mark is not closed")),
                Some('"') => {
                    self.at += 1;
                    self.skip_spaces();
                    return self.utf8(bytes);
                }
                Some('\\') => self.escaped(&mut bytes)?,
                Some(c) => self.plain(c, &mut bytes),
            }
        }
    }

    fn string(&mut self) -> Result<AvaValue, InvalidDn> {
        // Most values: nothing in them is escaped.
        let rest = self.rest();
        let end = rest.find(['\\', '"', '<', '>', ',', ';', '+']).unwrap_or(rest.len());
        if let (value, after) = rest.split_at(end)
            && !after.starts_with(['\\', '"', '<', '>'])
        {
            self.at += end;
            return Ok(AvaValue::Text(value.trim_end_matches(' ').to_owned()));
        }
        let mut bytes = Vec::new();
        // Unescaped trailing spaces are not part of the value.
        let mut kept = 0;
        loop {
            match self.peek() {
                None | Some(',' | ';' | '+') => {
                    bytes.truncate(kept);
                    return self.utf8(bytes);
                }
                Some('\\') => {
                    self.escaped(&mut bytes)?;
                    kept = bytes.len();
                }
                Some('"' | '<' | '>') => return Err(self.error("this character needs a backslash")),
                Some(c) => {
                    self.plain(c, &mut bytes);
                    if c != ' ' {
                        kept = bytes.len();
                    }
                }
            }
        }
    }

    fn plain(&mut self, c: char, bytes: &mut Vec<u8>) {
        let mut buffer = [0; 4];
        bytes.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
        self.at += c.len_utf8();
    }

    fn escaped(&mut self, bytes: &mut Vec<u8>) -> Result<(), InvalidDn> {
        self.at += 1;
        let pair = self.rest().get(..2).filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()));
        if let Some(byte) = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            self.at += 2;
            bytes.push(byte);
            return Ok(());
        }
        match self.peek() {
            // RFC 4514 section 3 lists ten characters. Samba escapes more so, such as the question mark.
            Some(c) if c == ' ' || c.is_ascii_punctuation() => {
                self.plain(c, bytes);
                Ok(())
            }
            Some(_) | None => Err(self.error("a backslash stands before a special character or two hexadecimal digits")),
        }
    }

    fn utf8(&self, bytes: Vec<u8>) -> Result<AvaValue, InvalidDn> {
        String::from_utf8(bytes).map(AvaValue::Text).map_err(|_| self.error("the value is not UTF-8"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cn(value: &str) -> Dn {
        "dc=example,dc=com".parse::<Dn>().unwrap().child(Rdn::new("cn".parse().unwrap(), value))
    }

    #[test]
    fn prints_the_examples_of_rfc_4514() {
        assert_eq!(cn("James \"Jim\" Smith, III").to_string(), "cn=James \\\"Jim\\\" Smith\\, III,dc=example,dc=com");
        assert_eq!(cn("Before\rAfter").to_string(), "cn=Before\\0DAfter,dc=example,dc=com");
        assert_eq!(cn(" #x ").to_string(), "cn=\\ #x\\ ,dc=example,dc=com");
        assert_eq!(cn(" ").to_string(), "cn=\\ ,dc=example,dc=com");
        assert_eq!(cn("#a\0").to_string(), "cn=\\#a\\00,dc=example,dc=com");
    }

    #[test]
    fn parses_every_form_of_rfc_4514() {
        let same =
            |text: &str, value: &str| assert_eq!(text.parse::<Dn>().unwrap().rdn().unwrap().value("cn"), Some(value), "{text}");
        same("CN=Lu\\C4\\8Di\\C4\\87,dc=x", "Lučić");
        same("cn = \"a,b\" , dc=x", "a,b");
        same("cn=a b  ,dc=x", "a b");
        same("cn=a\\ ,dc=x", "a ");
        same("cn=a=b,dc=x", "a=b");
        // Not of RFC 4514, but Samba's.
        same("cn=a/b\\?c,dc=x", "a/b?c");
        let multi: Dn = "ou=Sales+cn=J.  Smith,dc=example".parse().unwrap();
        assert_eq!(multi.key(), "CN=j. smith+OU=SALES,DC=Example".parse::<Dn>().unwrap().key());
        assert_eq!("1.3.6.1.4.1.1466.0=#04024869".parse::<Dn>().unwrap().to_string(), "1.3.6.1.4.1.1466.0=#04024869");
        assert!("".parse::<Dn>().unwrap().is_root());
    }

    #[test]
    fn refuses_what_is_not_a_dn() {
        for bad in ["cn", "=x", "cn=a,", "cn=\"a", "cn=\\zz", "cn=\\", "cn=#0", "cn=a<b", "cn=\\ff", "cn=a,,dc=b"] {
            assert!(bad.parse::<Dn>().is_err(), "{bad}");
        }
    }

    #[test]
    fn knows_what_lies_below_a_base() {
        let base: Dn = "ou=People,dc=example,dc=com".parse().unwrap();
        assert!("uid=a,ou=people, dc=EXAMPLE,dc=com".parse::<Dn>().unwrap().is_under(&base));
        assert!(base.is_under(&base));
        assert!(!"uid=a,ou=groups,dc=example,dc=com".parse::<Dn>().unwrap().is_under(&base));
        assert!(!"dc=com".parse::<Dn>().unwrap().is_under(&base));
    }

    proptest! {
        #[test]
        fn whatever_is_printed_parses_to_the_same_value(value in "\\PC*|[ #,+\"\\\\<>;=\0\\*()a]{0,12}") {
            let dn = cn(&value);
            prop_assert_eq!(dn.to_string().parse::<Dn>().unwrap(), dn);
        }

        #[test]
        fn any_text_is_parsed_or_refused(text in any::<String>()) {
            let _ = text.parse::<Dn>();
        }
    }
}
