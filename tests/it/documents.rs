//! What the documents say is there: links lead somewhere, lines of the configuration are accepted, commands exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{make_certificate, program, write_secret};

/// The Markdown files of the project, relative to its root.
fn documents() -> Vec<PathBuf> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                // What cargo and npm put there is not ours.
                if !name.starts_with('.') && !["target", "node_modules"].contains(&name) {
                    collect(&path, found);
                }
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    for folder in ["src", "config", "tests", "deploy"] {
        collect(&root().join(folder), &mut found);
    }
    found.extend(["README.md", "CHANGELOG.md"].map(|name| root().join(name)));
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The blocks of code in a language, and the text without any code.
fn split<'a>(text: &'a str, language: &str) -> (Vec<String>, Vec<&'a str>) {
    let (mut blocks, mut prose) = (Vec::new(), Vec::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.trim_start().strip_prefix("```") else {
            prose.push(line);
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| line.trim() != "```").collect();
        if info == language {
            blocks.push(block.join("\n") + "\n");
        }
    }
    (blocks, prose)
}

/// The pieces of a line between backticks, and the line without them.
fn spans(line: &str) -> (Vec<&str>, String) {
    let code = line.split('`').skip(1).step_by(2).collect();
    (code, line.split('`').step_by(2).collect())
}

/// The anchors of a document: its headings in small letters, with hyphens for spaces and without punctuation.
fn anchors(text: &str) -> BTreeSet<String> {
    let (_, prose) = split(text, "");
    let headings = prose.into_iter().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// The links of a text that lead nowhere, seen from a file.
fn broken(file: &Path, text: &str) -> Vec<String> {
    let (_, prose) = split(text, "");
    let mut broken = Vec::new();
    for line in prose {
        let (_, line) = spans(line);
        for link in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("https://") || link.starts_with("http://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { file.to_owned() } else { file.parent().unwrap().join(path) };
            let there = target.exists() && (anchor.is_empty() || anchors(&fs::read_to_string(&target).unwrap()).contains(anchor));
            if !there {
                broken.push(link.to_owned());
            }
        }
    }
    broken
}

#[test]
fn every_link_leads_somewhere() {
    let sample = root().join("deploy/guides/sample.md");
    let text =
        "# A `b` c\n[x](ping.md) [x](#a-b-c) `[x](no)` [x](https://no)\n```\n[x](no)\n```\n[x](no.md) [x](ping.md#no) [x](#no)\n";
    assert_eq!(anchors(text), BTreeSet::from(["a-b-c".to_owned()]));
    // The file itself is not there, so an anchor in it cannot be.
    assert_eq!(broken(&sample, &text.replace("(#a-b-c)", "(../../README.md#more)")), ["no.md", "ping.md#no", "#no"]);

    let documents = documents();
    assert!(documents.len() > 8, "{documents:?}");
    for file in documents {
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(broken(&file, &text), [""; 0], "{}", file.display());
    }
}

/// Lays one table over another; lists are joined.
fn lay_over(table: &mut toml::Table, over: toml::Table) {
    use toml::map::Entry;
    for (key, value) in over {
        match table.entry(key) {
            Entry::Vacant(place) => {
                place.insert(value);
            }
            Entry::Occupied(mut place) => match (place.get_mut(), value) {
                (toml::Value::Table(below), toml::Value::Table(above)) => lay_over(below, above),
                (toml::Value::Array(below), toml::Value::Array(above)) => below.extend(above),
                (below, above) => *below = above,
            },
        }
    }
}

#[test]
fn every_line_of_configuration_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = make_certificate(folder.path());
    fs::write(folder.path().join("ldap-ca.pem"), certificate).unwrap();
    let member = r#"{"id": "urn:acme:User", "name": "Acme", "attributes": [{"name": "badge", "type": "string"}]}"#;
    fs::write(folder.path().join("acme-user.json"), member).unwrap();
    write_secret(&folder.path().join("bind-password"), "secret");
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    write_secret(&folder.path().join("oauth.pem"), &key.serialize_pem());
    let base = "[server]\nlisten = \"127.0.0.1:8443\"\npublic_url = \"https://scim.example.com:8443\"\n\
                [server.tls]\ncertificate = \"tls.crt\"\nprivate_key = \"tls.key\"\n\
                [directory]\nurls = [\"ldaps://ldap.example.com\"]\nbind_dn = \"cn=a\"\nbind_password_file = \"bind-password\"\n\
                [users]\nbase = \"ou=people,dc=example,dc=com\"\n[groups]\nbase = \"ou=groups,dc=example,dc=com\"\n\
                [[auth.api_keys]]\nname = \"ping\"\nhash = \"sha256:…\"\n";
    let check = |lines: &str| {
        let mut table: toml::Table = toml::from_str(base).unwrap();
        lay_over(&mut table, toml::from_str(lines).unwrap_or_else(|error| panic!("{error}\n{lines}")));
        let file = folder.path().join("scimgate.toml");
        write_secret(&file, &table.to_string().replace("sha256:…", &format!("sha256:{}", "0".repeat(64))));
        program().args(["check", "--offline", "--config"]).arg(file).output().unwrap()
    };

    let mistaken = check("[users]\non_delete = \"vanish\"\n");
    assert_eq!(mistaken.status.code(), Some(1));

    let mut blocks = 0;
    for file in documents() {
        for block in split(&fs::read_to_string(&file).unwrap(), "toml").0 {
            let done = check(&block);
            let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
            assert!(done.status.success(), "{}:\n{block}\n{said}", file.display());
            blocks += 1;
        }
    }
    assert!(blocks > 12, "{blocks}");
}

/// What is wrong with a command: what it names and the program has not.
fn unknown(command: &str) -> Option<String> {
    let words: Vec<&str> = command.split_whitespace().skip(1).take_while(|word| !["#", "|", ">", "&&"].contains(word)).collect();
    let is_name = |word: &&&str| word.chars().all(|c| c.is_ascii_lowercase());
    let mut path: Vec<&str> = words.iter().take_while(is_name).take(2).copied().collect();
    let help = |path: &[&str]| {
        let done = program().args(path).arg("--help").output().unwrap();
        done.status.success().then(|| String::from_utf8(done.stdout).unwrap())
    };
    // A second word names a command only where there are any.
    if path.len() == 2 && !help(&path[..1]).is_some_and(|text| text.contains("Commands:")) {
        path.pop();
    }
    let Some(text) = help(&path) else { return Some(path.join(" ")) };
    let known: BTreeSet<&str> = text.split(|c: char| c.is_whitespace() || ",[]=".contains(c)).collect();
    words.into_iter().filter(|word| word.starts_with("--")).find(|word| !known.contains(word)).map(str::to_owned)
}

#[test]
fn every_command_exists() {
    assert_eq!(unknown("scimgate vanish"), Some("vanish".to_owned()));
    assert_eq!(unknown("scimgate key vanish --name x"), Some("key vanish".to_owned()));
    assert_eq!(unknown("scimgate key new --name x --colour red"), Some("--colour".to_owned()));
    assert_eq!(unknown("scimgate key new --name x --expires 90d   # --colour"), None);

    let mut commands = BTreeSet::new();
    for file in documents().into_iter().filter(|file| !file.ends_with("CHANGELOG.md")) {
        let text = fs::read_to_string(&file).unwrap();
        let (blocks, prose) = split(&text, "sh");
        let lines = blocks.iter().flat_map(|block| block.lines()).map(str::to_owned);
        let inline = prose.iter().flat_map(|line| spans(line).0).map(str::to_owned);
        commands.extend(lines.chain(inline).filter(|line| line.starts_with("scimgate ")));
    }
    assert!(commands.len() > 15, "{commands:?}");
    for command in commands {
        assert_eq!(unknown(&command), None, "{command}");
    }
}
