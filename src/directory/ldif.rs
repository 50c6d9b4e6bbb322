//! Changes as text (RFC 2849): printed for the audit and for people, and read back.
//!
//! What is printed is ASCII: other values stand in base64, and long lines are folded. Values of some attributes may be left out;
//! a comment then stands in their place, so that nobody who applies the text mistakes an absent value for an empty one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::change::ChangeRecord;
use super::{Dn, Entry, Modification, ModifyOp, Rdn};

/// Characters of a line, as most programs print it.
const WIDTH: usize = 76;

/// The text is not one of change records.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not LDIF: {what} in line {line}")]
pub struct InvalidLdif {
    /// The number of the line, from one.
    pub line: usize,
    /// What is wrong.
    pub what: &'static str,
}

/// Prints changes in their order. What `is_masked` says of an attribute's name decides whether its values are left out.
pub fn print<'a>(records: impl IntoIterator<Item = &'a ChangeRecord>, is_masked: impl Fn(&str) -> bool) -> String {
    let mut out = String::new();
    for record in records {
        if !out.is_empty() {
            out.push('\n');
        }
        record_into(record, &is_masked, &mut out);
    }
    out
}

/// A comment that names an entry, for what has no form in LDIF.
pub fn comment(dn: &Dn, what: &str) -> String {
    let mut out = String::new();
    line("# dn", dn.to_string().as_bytes(), &mut out);
    fold(&format!("# {what}"), &mut out);
    out
}

/// The entry that a comment names, which stands where there is no change to print.
pub fn commented(text: &str) -> Option<Dn> {
    let mut lines = text.lines();
    let mut first = lines.next()?.strip_prefix("# ")?.to_owned();
    lines.map_while(|line| line.strip_prefix(' ')).for_each(|rest| first.push_str(rest));
    let line = split(1, &first).ok()??;
    if line.is("dn") { line.text().ok()?.parse().ok() } else { None }
}

fn record_into(record: &ChangeRecord, is_masked: &impl Fn(&str) -> bool, out: &mut String) {
    let head = |dn: &Dn, kind: &str, out: &mut String| {
        line("dn", dn.to_string().as_bytes(), out);
        line("changetype", kind.as_bytes(), out);
    };
    match record {
        ChangeRecord::Add(entry) => {
            head(&entry.dn, "add", out);
            for (name, values) in entry.attributes() {
                if is_masked(name) {
                    fold(&format!("# {name}: left out"), out);
                } else {
                    for value in values {
                        line(name, value, out);
                    }
                }
            }
        }
        ChangeRecord::Modify { dn, changes } => {
            if changes.iter().all(|change| is_masked(&change.attribute)) {
                line("# dn", dn.to_string().as_bytes(), out);
            } else {
                head(dn, "modify", out);
            }
            for change in changes {
                let name = &change.attribute;
                let op = match change.op {
                    ModifyOp::Add => "add",
                    ModifyOp::Delete => "delete",
                    ModifyOp::Replace => "replace",
                };
                if is_masked(name) {
                    fold(&format!("# {op}: {name}, left out"), out);
                    continue;
                }
                line(op, name.as_bytes(), out);
                for value in &change.values {
                    line(name, value, out);
                }
                out.push_str("-\n");
            }
        }
        ChangeRecord::Rename { dn, rdn, keep_old } => {
            head(dn, "modrdn", out);
            line("newrdn", rdn.to_string().as_bytes(), out);
            line("deleteoldrdn", if *keep_old { b"0" } else { b"1" }, out);
        }
        ChangeRecord::Move { dn, parent } => {
            head(dn, "modrdn", out);
            line("newrdn", dn.rdn().map(Rdn::to_string).unwrap_or_default().as_bytes(), out);
            line("deleteoldrdn", b"1", out);
            line("newsuperior", parent.to_string().as_bytes(), out);
        }
        ChangeRecord::Delete(dn) => head(dn, "delete", out),
    }
}

/// Whether a value can stand as it is: a SAFE-STRING that does not end in a space, which some programs would cut off.
fn is_safe(value: &[u8]) -> bool {
    let first = value.first().is_none_or(|first| !matches!(first, b' ' | b':' | b'<'));
    first && !value.ends_with(b" ") && value.iter().all(|byte| matches!(byte, 0x20..=0x7e))
}

fn line(name: &str, value: &[u8], out: &mut String) {
    let text = std::str::from_utf8(value).ok().filter(|_| is_safe(value));
    match text {
        Some("") => fold(&format!("{name}:"), out),
        Some(text) => fold(&format!("{name}: {text}"), out),
        None => fold(&format!("{name}:: {}", STANDARD.encode(value)), out),
    }
}

/// One line, in several where it is long; the next ones begin with a space.
fn fold(text: &str, out: &mut String) {
    let mut rest = text;
    let mut width = WIDTH;
    // All of it is ASCII but for what stands in comments, which is cut between characters.
    while let Some((at, _)) = rest.char_indices().nth(width) {
        let (now, later) = rest.split_at(at);
        out.push_str(now);
        out.push_str("\n ");
        (rest, width) = (later, WIDTH - 1);
    }
    out.push_str(rest);
    out.push('\n');
}

/// Reads change records; comments are passed over. References to files (`attribute:< url`) and controls are refused.
///
/// # Errors
/// The first line that cannot be read.
pub fn parse(text: &str) -> Result<Vec<ChangeRecord>, InvalidLdif> {
    let mut records = Vec::new();
    let mut lines: Vec<Line> = Vec::new();
    for line in unfold(text)? {
        match line {
            Some(Line { name, .. }) if name == "version" && lines.is_empty() && records.is_empty() => {}
            Some(line) => lines.push(line),
            None if lines.is_empty() => {}
            None => records.push(record(std::mem::take(&mut lines))?),
        }
    }
    if !lines.is_empty() {
        records.push(record(lines)?);
    }
    Ok(records)
}

/// A line with its number; `-` has no value.
#[derive(Debug)]
struct Line {
    number: usize,
    name: String,
    value: Option<Vec<u8>>,
}

impl Line {
    fn wrong(&self, what: &'static str) -> InvalidLdif {
        InvalidLdif { line: self.number, what }
    }

    fn text(&self) -> Result<&str, InvalidLdif> {
        let text = self.value.as_deref().map(std::str::from_utf8);
        text.and_then(Result::ok).ok_or_else(|| self.wrong("text is missing"))
    }

    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name) && self.value.is_some()
    }
}

/// Whole lines without comments; `None` for an empty one.
fn unfold(text: &str) -> Result<Vec<Option<Line>>, InvalidLdif> {
    let mut whole: Vec<(usize, String)> = Vec::new();
    for (n, line) in text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).enumerate() {
        match (line.strip_prefix(' '), whole.last_mut()) {
            (Some(rest), Some((_, last))) if !last.is_empty() => last.push_str(rest),
            (Some(_), _) => return Err(InvalidLdif { line: n + 1, what: "nothing to continue" }),
            (None, _) => whole.push((n + 1, line.to_owned())),
        }
    }
    whole.into_iter().filter(|(_, line)| !line.starts_with('#')).map(|(number, line)| split(number, &line)).collect()
}

fn split(number: usize, line: &str) -> Result<Option<Line>, InvalidLdif> {
    let wrong = |what| InvalidLdif { line: number, what };
    if line.is_empty() {
        return Ok(None);
    }
    if line == "-" {
        return Ok(Some(Line { number, name: line.to_owned(), value: None }));
    }
    let (name, rest) = line.split_once(':').ok_or_else(|| wrong("a colon is missing"))?;
    let value = if let Some(coded) = rest.strip_prefix(':') {
        STANDARD.decode(coded.trim_matches(' ')).map_err(|_| wrong("a value is not base64"))?
    } else if rest.starts_with('<') {
        return Err(wrong("a value in another file is not read"));
    } else {
        rest.trim_start_matches(' ').as_bytes().to_vec()
    };
    Ok(Some(Line { number, name: name.to_owned(), value: Some(value) }))
}

fn record(lines: Vec<Line>) -> Result<ChangeRecord, InvalidLdif> {
    let mut lines = lines.into_iter();
    // There is one: what called this has seen it.
    let first = lines.next().filter(|line| line.is("dn")).ok_or(InvalidLdif { line: 0, what: "a change without dn" })?;
    let dn: Dn = first.text()?.parse().map_err(|_| first.wrong("the dn is none"))?;
    let kind = lines.next().ok_or_else(|| first.wrong("changetype is missing"))?;
    if !kind.is("changetype") {
        return Err(kind.wrong("changetype is missing"));
    }
    let last = |mut lines: std::vec::IntoIter<Line>, change| match lines.next() {
        Some(line) => Err(line.wrong("there is too much")),
        None => Ok(change),
    };
    match kind.text()? {
        "add" => {
            let mut entry = Entry::new(dn);
            for line in lines {
                match line.value {
                    Some(value) => entry.push(&line.name, [value]),
                    None => return Err(line.wrong("there is a lone hyphen")),
                }
            }
            Ok(ChangeRecord::Add(entry))
        }
        "delete" => last(lines, ChangeRecord::Delete(dn)),
        "modrdn" | "moddn" => {
            let new = lines.next().filter(|line| line.is("newrdn")).ok_or_else(|| kind.wrong("newrdn is missing"))?;
            let name: Dn = new.text()?.parse().map_err(|_| new.wrong("the newrdn is none"))?;
            let rdn: Rdn = name
                .rdn()
                .filter(|_| name.parent().is_some_and(|up| up.is_root()))
                .cloned()
                .ok_or_else(|| new.wrong("the newrdn is none"))?;
            let old = lines.next().filter(|line| line.is("deleteoldrdn")).ok_or_else(|| new.wrong("deleteoldrdn is missing"))?;
            let keep_old = match old.text()? {
                "0" => true,
                "1" => false,
                _ => return Err(old.wrong("deleteoldrdn is neither 0 nor 1")),
            };
            let Some(parent) = lines.next() else { return Ok(ChangeRecord::Rename { dn, rdn, keep_old }) };
            if !parent.is("newsuperior") {
                return Err(parent.wrong("there is too much"));
            }
            if dn.rdn() != Some(&rdn) {
                return Err(parent.wrong("an entry is renamed and moved at once, which is not read"));
            }
            let parent = parent.text()?.parse().map_err(|_| parent.wrong("the newsuperior is none"))?;
            last(lines, ChangeRecord::Move { dn, parent })
        }
        "modify" => Ok(ChangeRecord::Modify { dn, changes: modifications(lines)? }),
        _ => Err(kind.wrong("there is no such changetype")),
    }
}

fn modifications(lines: impl Iterator<Item = Line>) -> Result<Vec<Modification>, InvalidLdif> {
    let mut changes: Vec<Modification> = Vec::new();
    let mut open = false;
    for line in lines {
        if line.value.is_none() {
            open = false;
        } else if open {
            let Some(change) = changes.last_mut() else { continue };
            if !line.is(&change.attribute) {
                return Err(line.wrong("a value of another attribute"));
            }
            change.values.extend(line.value);
        } else {
            let op = [("add", ModifyOp::Add), ("delete", ModifyOp::Delete), ("replace", ModifyOp::Replace)];
            let op = op.iter().find(|(name, _)| line.is(name)).map(|(_, op)| *op);
            let op = op.ok_or_else(|| line.wrong("neither add, delete nor replace"))?;
            changes.push(Modification::new(op, line.text()?, Vec::new()));
            open = true;
        }
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dn(text: &str) -> Dn {
        text.parse().unwrap()
    }

    #[test]
    fn every_kind_of_change_has_its_form() {
        let mut entry = Entry::new(dn("uid=ana,dc=example"));
        entry.push_text("uid", "ana");
        entry.push_text("cn", "Añã");
        entry.push_text("description", " odd");
        entry.push_text("userPassword", "secret");
        let changes = vec![
            Modification::new(ModifyOp::Replace, "userPassword", vec![b"secret".to_vec()]),
            Modification::new(ModifyOp::Delete, "mail", Vec::new()),
            Modification::new(ModifyOp::Add, "member", vec![Vec::new()]),
        ];
        let masked_only = ChangeRecord::Modify { dn: entry.dn.clone(), changes: changes.get(..1).unwrap().to_vec() };
        let records = [
            ChangeRecord::Add(entry.clone()),
            ChangeRecord::Modify { dn: entry.dn.clone(), changes },
            masked_only,
            ChangeRecord::Rename { dn: entry.dn.clone(), rdn: dn("uid=bob").rdn().unwrap().clone(), keep_old: false },
            ChangeRecord::Move { dn: entry.dn.clone(), parent: dn("ou=gone,dc=example") },
            ChangeRecord::Delete(entry.dn.clone()),
        ];
        let text = print(&records, |name| name == "userPassword");
        let expected = "dn: uid=ana,dc=example\nchangetype: add\nuid: ana\ncn:: QcOxw6M=\ndescription:: IG9kZA==\n\
                        # userPassword: left out\n\n\
                        dn: uid=ana,dc=example\nchangetype: modify\n# replace: userPassword, left out\ndelete: mail\n-\nadd: member\n\
                        member:\n-\n\n\
                        # dn: uid=ana,dc=example\n# replace: userPassword, left out\n\n\
                        dn: uid=ana,dc=example\nchangetype: modrdn\nnewrdn: uid=bob\ndeleteoldrdn: 1\n\n\
                        dn: uid=ana,dc=example\nchangetype: modrdn\nnewrdn: uid=ana\ndeleteoldrdn: 1\n\
                        newsuperior: ou=gone,dc=example\n\n\
                        dn: uid=ana,dc=example\nchangetype: delete\n";
        assert_eq!(text, expected);
        let read = parse(&text).unwrap();
        assert_eq!(read.len(), 5);
        assert_eq!(read.last(), records.last());
    }

    #[test]
    fn lines_are_folded_and_unfolded() {
        let name = "x".repeat(300);
        let record = ChangeRecord::Delete(dn(&format!("cn={name},dc=example")));
        let text = print([&record], |_| false);
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert_eq!(parse(&text).unwrap(), [record]);
    }

    #[test]
    fn what_is_no_change_is_refused_with_its_line() {
        for (text, line) in [
            ("dn: cn=a\nchangetype: modify\nadd: x\ny: 1\n-\n", 4),
            ("dn: cn=a\nchangetype: modrdn\nnewrdn: cn=b,dc=c\ndeleteoldrdn: 1\n", 3),
            ("dn: cn=a\nchangetype: modrdn\nnewrdn: cn=b\ndeleteoldrdn: 2\n", 4),
            ("dn: cn=a\nchangetype: modrdn\nnewrdn: cn=b\ndeleteoldrdn: 1\nnewsuperior: dc=c\n", 5),
            ("dn: cn=a\nchangetype: modrdn\nnewrdn: cn=a\ndeleteoldrdn: 1\nnewsuperior: c\n", 5),
            ("dn: cn=a\nchangetype: delete\nx: y\n", 3),
            ("dn: cn=a\ncn: a\n", 2),
            ("dn: cn=a\nchangetype: add\njpegPhoto:< file:///etc/passwd\n", 3),
            ("dn: cn=a\nchangetype: add\ncn:: *\n", 3),
            (" dn: cn=a\n", 1),
            ("dn: cn=a\nchangetype: explode\n", 2),
        ] {
            assert_eq!(parse(text).unwrap_err().line, line, "{text}");
        }
        assert_eq!(parse("version: 1\n# nothing\n\n").unwrap(), []);
    }

    fn values() -> impl Strategy<Value = Vec<Vec<u8>>> {
        prop::collection::vec(prop::collection::vec(any::<u8>(), 0..90), 1..4)
    }

    fn records() -> impl Strategy<Value = ChangeRecord> {
        let name = "[ -~äß]{1,60}".prop_map(|value| Dn::root().child(Rdn::new("cn".parse().unwrap(), value)));
        let op = prop_oneof![Just(ModifyOp::Add), Just(ModifyOp::Delete), Just(ModifyOp::Replace)];
        let modification = (op, "[a-z]{1,9}", values()).prop_map(|(op, name, values)| Modification::new(op, &name, values));
        prop_oneof![
            (name.clone(), prop::collection::vec(("[a-z]{1,9}", values()), 1..4)).prop_map(|(dn, attributes)| {
                let mut entry = Entry::new(dn);
                for (name, values) in attributes {
                    entry.push(&name, values);
                }
                ChangeRecord::Add(entry)
            }),
            (name.clone(), prop::collection::vec(modification, 1..4))
                .prop_map(|(dn, changes)| ChangeRecord::Modify { dn, changes }),
            (name.clone(), name.clone(), any::<bool>())
                .prop_map(|(dn, new, keep_old)| { ChangeRecord::Rename { dn, rdn: new.rdn().unwrap().clone(), keep_old } }),
            (name.clone(), name.clone()).prop_map(|(dn, parent)| ChangeRecord::Move { dn, parent }),
            name.prop_map(ChangeRecord::Delete),
        ]
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read(records in prop::collection::vec(records(), 0..4)) {
            let text = print(&records, |_| false);
            prop_assert!(text.is_ascii());
            prop_assert_eq!(parse(&text).unwrap(), records);
        }

        #[test]
        fn no_text_is_a_panic(text in "(dn|changetype|add|-|:|<| |\n|modify|modrdn|newrdn|cn=a|#|x: y){0,40}") {
            let _ = parse(&text);
        }
    }
}
