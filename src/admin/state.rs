//! What is set in the console, and the file that keeps it beside the configuration.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::auth::{Scope, Scopes, is_client_name};

/// The form that is written. Another one is refused rather than guessed at.
const VERSION: u32 = 1;

/// A file that is larger is none of ours.
const LARGEST: u64 = 1 << 20;

/// What is set in the console. What is `None` is as it is without.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    version: Version,
    /// The provisioning page.
    #[serde(default)]
    pub provisioning: Provisioning,
    /// API keys that were made here.
    #[serde(default)]
    pub keys: Vec<MadeKey>,
    /// Clients of the authorization server that were made here.
    #[serde(default)]
    pub clients: Vec<MadeClient>,
}

/// The provisioning page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provisioning {
    /// `provisioning.enabled`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// How the provider signs in: what the page shows the values of. Both ways work.
    #[serde(default)]
    pub method: SignIn,
    /// `provisioning.existing_users`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub existing_users: Option<bool>,
    /// `groups.sync`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_groups: Option<bool>,
}

/// How the provider signs in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignIn {
    /// A key in a header.
    #[default]
    Header,
    /// A token for a client's secret.
    OAuth2,
}

impl SignIn {
    /// Its word in forms.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::OAuth2 => "oauth2",
        }
    }
}

/// An API key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MadeKey {
    /// The client's name.
    #[serde(deserialize_with = "client_name")]
    pub name: String,
    /// Of the key itself nothing is kept.
    pub hash: Digest,
    /// What it may do.
    #[serde(with = "scope_words")]
    pub scopes: Scopes,
    /// Refused from this instant on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// When it was made.
    pub made: Timestamp,
}

/// A client of the authorization server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MadeClient {
    /// Its id.
    #[serde(deserialize_with = "client_name")]
    pub id: String,
    /// Of its secret.
    pub hash: Digest,
    /// What its tokens allow at most.
    #[serde(with = "scope_words")]
    pub scopes: Scopes,
    /// When it was made.
    pub made: Timestamp,
}

/// SHA-256, written as `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// Enough of it to name one of a few.
    pub fn mark(&self) -> String {
        self.hex().chars().take(16).collect()
    }

    fn hex(&self) -> String {
        use std::fmt::Write as _;
        self.0.iter().fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// From its text.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("sha256:").filter(|hex| hex.len() == 64 && hex.is_ascii())?;
        let mut digest = [0; 32];
        for (n, byte) in digest.iter_mut().enumerate() {
            *byte = u8::from_str_radix(hex.get(2 * n..2 * n + 2)?, 16).ok()?;
        }
        Some(Self(digest))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digest(…)")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format!("sha256:{}", self.hex()))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("a hash is \"sha256:\" and 64 hexadecimal digits"))
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Version;

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(VERSION)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            VERSION => Ok(Self),
            other => Err(serde::de::Error::custom(format!("version {other} is not known to this version of scimgate"))),
        }
    }
}

fn client_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    let wrong = || serde::de::Error::custom("a name is up to 64 letters, digits, `-`, `_` and `.`");
    if is_client_name(&name) { Ok(name) } else { Err(wrong()) }
}

mod scope_words {
    use super::{Deserialize as _, Deserializer, Scope, Scopes, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives it so")]
    pub(super) fn serialize<S: Serializer>(scopes: &Scopes, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&scopes.to_string())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Scopes, D::Error> {
        let words = String::deserialize(deserializer)?;
        let parsed: Result<Scopes, _> = words.split_whitespace().map(str::parse::<Scope>).collect();
        parsed.map_err(serde::de::Error::custom)
    }
}

impl State {
    /// Reads the file; one that is not there holds nothing.
    ///
    /// # Errors
    /// Its place and what to do.
    pub fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let length = match std::fs::metadata(path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(format!("{shown}: {error}")),
        };
        if length > LARGEST {
            return Err(format!("{shown}: this is no file of the console's, for it has {length} bytes: name another one"));
        }
        let text = std::fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
        serde_json::from_str(&text).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let what = error.to_string();
            let what = what.split(" at line ").next().unwrap_or(&what);
            format!(
                "{shown}:{line}:{column}: {what}. The console writes this file: put a copy of it back, mend this place, or \
                 remove the file and with it what was set and the keys that were made there"
            )
        })
    }

    /// Puts it in the file's place, whole or not at all, to be read by its owner alone.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".new");
        let beside = path.with_file_name(name);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // What an interrupted attempt left may be open to others.
        match std::fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        file.write_all(&text)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        File::open(folder)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn full() -> State {
        let made = "2026-11-26T12:00:00Z".parse().unwrap();
        let (hash, scopes) = (Digest([0xab; 32]), Scopes::all());
        State {
            provisioning: Provisioning { enabled: Some(true), sync_groups: Some(false), ..Provisioning::default() },
            keys: vec![MadeKey { name: "ping".into(), hash, scopes, expires: Some(made), made }],
            clients: vec![MadeClient { id: "ping".into(), hash, scopes, made }],
            ..State::default()
        }
    }

    #[test]
    fn what_is_written_is_read_and_is_the_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("console.json");
        assert_eq!(State::read(&path), Ok(State::default()));
        // Left by an attempt that was cut off, and open to everybody.
        std::fs::write(folder.path().join("console.json.new"), "{").unwrap();
        full().write(&path).unwrap();
        assert_eq!(State::read(&path), Ok(full()));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        State::default().write(&path).unwrap();
        assert_eq!(State::read(&path), Ok(State::default()));
    }

    #[test]
    fn what_is_not_ours_is_refused_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("console.json");
        let good = serde_json::to_string_pretty(&full()).unwrap();
        for (text, told) in [
            ("{", ":1:1: EOF"),
            ("{\n  \"version\": 2\n}", ": version 2 is not known"),
            ("{ \"version\": 1, \"secrets\": [] }", ":1:25: unknown field `secrets`"),
            (&good.replace("sha256:ab", "md5:ab"), "64 hexadecimal digits"),
            (&good.replace("users:write", "users:rite"), "`users:rite` is not a scope"),
            (&good.replace("\"ping\"", "\"pi ng\""), "a name is up to 64 letters"),
        ] {
            std::fs::write(&path, text).unwrap();
            let wrong = State::read(&path).unwrap_err();
            assert!(wrong.contains(told) && wrong.contains("remove the file"), "{wrong}");
        }
    }
}
