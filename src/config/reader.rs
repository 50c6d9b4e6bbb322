//! Takes values out of the tree, notes every mistake, and reports what nobody took.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use super::node::{Node, Place, Table, Value, parse_raw};
use super::{SecretFile, quantity};
use crate::scim::text::edit_distance;
use crate::secret::Secret;

/// The mistakes found so far.
#[derive(Debug)]
pub(super) struct Report {
    file: String,
    path: PathBuf,
    folder: PathBuf,
    /// Where systemd puts the credentials of the service, if it does (systemd.exec(5), LoadCredential=).
    credentials: Option<PathBuf>,
    mistakes: RefCell<BTreeSet<(Option<Place>, String)>>,
    secret_files: RefCell<Vec<SecretFile>>,
}

impl Report {
    pub(super) fn new(file: &Path, credentials: Option<String>) -> Self {
        let folder = file.parent().map(Path::to_owned).unwrap_or_default();
        Self {
            file: file.display().to_string(),
            path: file.to_owned(),
            folder,
            credentials: credentials.map(PathBuf::from),
            mistakes: RefCell::default(),
            secret_files: RefCell::default(),
        }
    }

    pub(super) fn note(&self, place: Option<&Place>, what: impl Into<String>) {
        self.mistakes.borrow_mut().insert((place.cloned(), what.into()));
    }

    /// A place as people find it.
    fn place(&self, place: &Place) -> String {
        match place {
            Place::File(line, _) => format!("{}:{line}", self.file),
            Place::Environment(_) => place.to_string(),
        }
    }

    /// A file's name. A relative one is a credential of systemd's, if there is one of that name, else it is taken from the
    /// configuration's own folder.
    fn file(&self, name: &str) -> PathBuf {
        let credential = self.credentials.as_ref().filter(|_| Path::new(name).is_relative()).map(|folder| folder.join(name));
        credential.filter(|path| path.is_file()).unwrap_or_else(|| self.folder.join(name))
    }

    /// The files that secrets were read from.
    pub(super) fn into_secret_files(self) -> Vec<SecretFile> {
        self.secret_files.into_inner()
    }

    /// The mistakes in the order of their places.
    pub(super) fn lines(&self) -> Vec<String> {
        let line = |(place, what): &(Option<Place>, String)| match place {
            Some(Place::File(line, column)) => format!("{}:{line}:{column}: {what}", self.file),
            Some(place @ Place::Environment(_)) => format!("{place}: {what}"),
            None => format!("{}: {what}", self.file),
        };
        self.mistakes.borrow().iter().map(line).collect()
    }
}

/// One table, emptied key by key.
#[derive(Debug)]
pub(super) struct Section<'a> {
    path: String,
    place: Option<Place>,
    table: Table,
    /// What was asked for, to guess what was meant.
    known: Vec<&'static str>,
    report: &'a Report,
}

impl<'a> Section<'a> {
    pub(super) fn root(table: Table, report: &'a Report) -> Self {
        Self { path: String::new(), place: None, table, known: Vec::new(), report }
    }

    /// A key's whole name.
    pub(super) fn key(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Whether the file holds the section at all.
    pub(super) fn is_present(&self) -> bool {
        self.place.is_some()
    }

    pub(super) fn note(&self, place: Option<&Place>, key: &str, what: impl Display) {
        self.report.note(place.or(self.place.as_ref()), format!("{}: {what}", self.key(key)));
    }

    /// The value of a key and its place.
    pub(super) fn take(&mut self, key: &'static str) -> Option<Node> {
        self.known.push(key);
        self.table.remove(key)
    }

    /// A table below this one, empty if there is none.
    pub(super) fn section(&mut self, key: &'static str) -> Self {
        let node = self.take(key).map(|node| match &node.value {
            // { a = "…" }, as one variable.
            Value::Raw(text) => Node { value: parse_raw(text, &node.place).unwrap_or(Value::Other), ..node },
            _ => node,
        });
        let (place, table) = match node {
            Some(Node { value: Value::Table(table), place }) => (Some(place), table),
            Some(node) => {
                self.note(Some(&node.place), key, format!("this is a section: write [{}]", self.key(key)));
                (None, Table::new())
            }
            None => (None, Table::new()),
        };
        Self { path: self.key(key), place, table, known: Vec::new(), report: self.report }
    }

    /// The tables of `[[key]]`.
    pub(super) fn sections(&mut self, key: &'static str) -> Vec<Self> {
        let Some(mut node) = self.take(key) else { return Vec::new() };
        if let Value::Raw(text) = &node.value {
            node.value = parse_raw(text, &node.place).unwrap_or(Value::Other);
        }
        let form = format!("these are sections: write [[{}]]", self.key(key));
        let Value::List(items) = node.value else {
            self.note(Some(&node.place), key, form);
            return Vec::new();
        };
        let mut found = Vec::new();
        for (n, item) in items.into_iter().enumerate() {
            match item.value {
                Value::Table(table) => found.push(Self {
                    path: format!("{}[{n}]", self.key(key)),
                    place: Some(item.place),
                    table,
                    known: Vec::new(),
                    report: self.report,
                }),
                _ => self.note(Some(&item.place), key, &form),
            }
        }
        found
    }

    /// Every table of `[key.NAME]`.
    pub(super) fn named_sections(&mut self, key: &'static str) -> Vec<(String, Self)> {
        let outer = self.section(key);
        let mut found = Vec::new();
        for (name, node) in outer.table {
            let path = format!("{}.{name}", outer.path);
            match node.value {
                Value::Table(table) => {
                    found.push((name, Self { path, place: Some(node.place), table, known: Vec::new(), report: self.report }));
                }
                _ => self.report.note(Some(&node.place), format!("{path}: this is a section: write [{path}]")),
            }
        }
        found
    }

    /// Keys that are data: text to text.
    pub(super) fn texts(&mut self, key: &'static str) -> Vec<(String, String)> {
        let outer = self.section(key);
        let mut found = Vec::new();
        for (name, node) in outer.table {
            match node.value {
                Value::Text(text) | Value::Raw(text) => found.push((name, text)),
                // A table from a bare dotted key.
                _ => self.report.note(
                    Some(&node.place),
                    format!("{}.{name}: this must be text; a key with dots or brackets stands in quotes", outer.path),
                ),
            }
        }
        found
    }

    pub(super) fn text(&mut self, key: &'static str) -> Option<String> {
        let node = self.take(key)?;
        match node.value {
            Value::Text(text) | Value::Raw(text) => Some(text),
            _ => {
                self.note(Some(&node.place), key, "this must be text in quotes");
                None
            }
        }
    }

    /// A text that has to be there.
    pub(super) fn required(&mut self, key: &'static str, example: &str) -> Option<String> {
        if !self.table.contains_key(key) {
            self.known.push(key);
            self.note(None, key, format!("this key is missing, for example {key} = {example}"));
            return None;
        }
        self.text(key)
    }

    /// A text of a certain form.
    pub(super) fn parsed<T>(&mut self, key: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let place = self.table.get(key).map(|node| node.place.clone());
        let text = self.text(key)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(what) => {
                self.note(place.as_ref(), key, what);
                None
            }
        }
    }

    pub(super) fn flag(&mut self, key: &'static str, default: bool) -> bool {
        self.optional_flag(key).unwrap_or(default)
    }

    /// A flag that the console sets where the configuration does not: what holds, and where the configuration says so, if it does.
    pub(super) fn switch(&mut self, key: &'static str, default: bool, console: Option<bool>) -> (bool, Option<String>) {
        let place = self.place_of(key).map(|place| self.report.place(&place));
        (self.optional_flag(key).or(console).unwrap_or(default), place)
    }

    /// A flag that makes a difference by being left out.
    pub(super) fn optional_flag(&mut self, key: &'static str) -> Option<bool> {
        let node = self.take(key)?;
        let flag = match &node.value {
            Value::Boolean(flag) => Some(*flag),
            Value::Raw(text) => text.trim().parse().ok(),
            Value::Text(_) | Value::Integer(_) | Value::Time(_) | Value::List(_) | Value::Table(_) | Value::Other => None,
        };
        if flag.is_none() {
            self.note(Some(&node.place), key, "this must be true or false");
        }
        flag
    }

    /// A whole number within bounds.
    pub(super) fn number<T: TryFrom<i64> + Display + PartialOrd + Copy>(&mut self, key: &'static str, default: T, min: T) -> T {
        let Some(node) = self.take(key) else { return default };
        let number = match &node.value {
            Value::Integer(number) => Some(*number),
            Value::Raw(text) => text.trim().replace('_', "").parse().ok(),
            _ => None,
        };
        number.and_then(|number| T::try_from(number).ok()).filter(|number| *number >= min).unwrap_or_else(|| {
            self.note(Some(&node.place), key, format!("this must be a whole number, {min} or more"));
            default
        })
    }

    pub(super) fn duration(&mut self, key: &'static str, default: Duration) -> Duration {
        let parse = |text: &str| quantity::duration(text).filter(|time| !time.is_zero());
        self.parsed(key, |text| parse(text).ok_or_else(|| "this must be a time such as \"10s\", \"5m\" or \"1h\"".to_owned()))
            .unwrap_or(default)
    }

    /// A time that may be none at all.
    pub(super) fn pause(&mut self, key: &'static str) -> Duration {
        let mistake = || "this must be a time such as \"5s\", or \"0s\"".to_owned();
        self.parsed(key, |text| quantity::duration(text).ok_or_else(mistake)).unwrap_or_default()
    }

    pub(super) fn size(&mut self, key: &'static str, default: usize) -> usize {
        if let Some(Node { value: Value::Integer(_), .. }) = self.table.get(key) {
            return self.number(key, default, 1);
        }
        let parse = |text: &str| quantity::size(text).filter(|size| *size > 0);
        self.parsed(key, |text| parse(text).ok_or_else(|| "this must be a size such as \"8MiB\"".to_owned())).unwrap_or(default)
    }

    /// A list of texts, each of a certain form. `None` if the key is not there.
    pub(super) fn list<T>(&mut self, key: &'static str, parse: impl Fn(&str) -> Result<T, String>) -> Option<Vec<T>> {
        let mut node = self.take(key)?;
        if let Value::Raw(text) = &node.value {
            // ["a", "b"], or a, b without quotation marks.
            node.value = parse_raw(text, &node.place).filter(|value| matches!(value, Value::List(_))).unwrap_or_else(|| {
                let item = |text: &str| Node { value: Value::Text(text.trim().to_owned()), place: node.place.clone() };
                Value::List(text.split(',').filter(|text| !text.trim().is_empty()).map(item).collect())
            });
        }
        let Value::List(items) = node.value else {
            self.note(Some(&node.place), key, "this must be a list: [\"…\", \"…\"]");
            return Some(Vec::new());
        };
        let mut found = Vec::with_capacity(items.len());
        for item in items {
            match item.value {
                Value::Text(text) => match parse(&text) {
                    Ok(value) => found.push(value),
                    Err(what) => self.note(Some(&item.place), key, what),
                },
                _ => self.note(Some(&item.place), key, "each item must be text in quotes"),
            }
        }
        Some(found)
    }

    /// A file's name.
    pub(super) fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        self.text(key).map(|text| self.report.file(&text))
    }

    /// The same for a file that has to be there.
    pub(super) fn required_path(&mut self, key: &'static str, example: &str) -> Option<PathBuf> {
        self.required(key, example).map(|text| self.report.file(&text))
    }

    /// Files' names.
    pub(super) fn paths(&mut self, key: &'static str) -> Vec<PathBuf> {
        let report = self.report;
        self.list(key, |text| Ok(report.file(text))).unwrap_or_default()
    }

    /// A secret, given as `x`, `x_file` or `x_env`: in one way exactly.
    pub(super) fn secret(&mut self, [plain, file, variable]: [&'static str; 3], environment: &Environment) -> Option<Secret> {
        let given = [plain, file, variable].iter().filter(|key| self.table.contains_key(**key)).count();
        if given > 1 {
            self.note(None, plain, format!("give it in one way only: {plain}, {file} or {variable}"));
        }
        if matches!(self.place_of(plain), Some(Place::File(..))) {
            self.note_secret(plain, Some(&self.report.path));
        }
        let (place_of_file, place_of_variable) = (self.place_of(file), self.place_of(variable));
        let (plain_text, path, name) = (self.text(plain), self.path(file), self.text(variable));
        if let Some(text) = plain_text {
            return Some(Secret::new(text));
        }
        self.note_secret(file, path.as_ref());
        if let Some(path) = path {
            return match std::fs::read_to_string(&path).map(Zeroizing::new) {
                // Editors end a file with a line break that is not part of the secret.
                Ok(text) => Some(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned())),
                Err(error) => {
                    self.note(place_of_file.as_ref(), file, format!("{}: {error}", path.display()));
                    None
                }
            };
        }
        let name = name?;
        let found = environment.get(&name).map(Secret::new);
        if found.is_none() {
            self.note(place_of_variable.as_ref(), variable, format!("the environment has no variable {name}"));
        }
        found
    }

    /// Notes that the file a key names, if it does, holds a secret.
    pub(super) fn note_secret(&self, key: &str, path: Option<&PathBuf>) {
        let noted = path.map(|path| SecretFile { key: self.key(key), path: path.clone() });
        self.report.secret_files.borrow_mut().extend(noted);
    }

    pub(super) fn place_of(&self, key: &str) -> Option<Place> {
        self.table.get(key).map(|node| node.place.clone())
    }

    /// Whether a key holds a table, and not a value of another type.
    pub(super) fn is_table(&self, key: &str) -> bool {
        match self.table.get(key).map(|node| &node.value) {
            Some(Value::Table(_)) => true,
            Some(Value::Raw(text)) => text.trim_start().starts_with('{'),
            Some(Value::Text(_) | Value::Integer(_) | Value::Boolean(_) | Value::Time(_) | Value::List(_) | Value::Other)
            | None => false,
        }
    }

    /// A value of several possible types.
    pub(super) fn node_section(&self, key: &str, table: Table, place: Place) -> Self {
        Self { path: self.key(key), place: Some(place), table, known: Vec::new(), report: self.report }
    }

    /// Reports the keys that nobody took.
    pub(super) fn finish(self) {
        for (key, node) in &self.table {
            let near =
                self.known.iter().map(|known| (edit_distance(known, key), known)).min().filter(|(distance, _)| *distance <= 2);
            let hint = match near {
                Some((_, known)) => format!("did you mean `{known}`?"),
                None => format!("the keys here are {}", self.known.join(", ")),
            };
            self.note(Some(&node.place), key, format!("unknown key; {hint}"));
        }
    }
}

/// The variables of the process, or of a test.
#[derive(Debug, Clone, Default)]
pub(super) struct Environment(Vec<(String, String)>);

impl Environment {
    pub(super) fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(variables.into_iter().collect())
    }

    pub(super) fn variables(&self) -> impl Iterator<Item = (String, String)> {
        self.0.iter().cloned()
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }
}
