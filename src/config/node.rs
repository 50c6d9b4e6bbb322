//! The file and the environment as one tree, each value with its place.

use std::collections::BTreeMap;
use std::fmt;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The beginning of an environment variable that sets a key; levels are parted by two underscores.
const PREFIX: &str = "SCIMGATE__";

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// Line and column in the file, both from 1.
    File(usize, usize),
    /// A variable of this name.
    Environment(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(line, column) => write!(f, "{line}:{column}"),
            Self::Environment(name) => write!(f, "${name}"),
        }
    }
}

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) place: Place,
}

/// A table's values by key.
pub(super) type Table = BTreeMap<String, Node>;

#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Integer(i64),
    Boolean(bool),
    /// A date, or a date and time, as written.
    Time(String),
    List(Vec<Node>),
    Table(Table),
    /// From the environment: what it is, the reader decides.
    Raw(String),
    /// Of a type that no key takes.
    Other,
}

/// The place in the file and what is wrong there.
pub(super) type SyntaxError = (Option<Place>, String);

/// Reads the file.
pub(super) fn parse(text: &str) -> Result<Table, SyntaxError> {
    let lines = Lines::new(text);
    match DeTable::parse(text) {
        Ok(table) => Ok(convert_table(table.get_ref(), &lines)),
        Err(error) => {
            let place = error.span().map(|span| lines.place(span.start));
            Err((place, error.message().to_owned()))
        }
    }
}

/// Lays the variables over a tree.
pub(super) fn overlay(table: &mut Table, variables: impl IntoIterator<Item = (String, String)>) {
    for (name, text) in variables {
        let Some(path) = name.strip_prefix(PREFIX) else { continue };
        let steps: Vec<String> = path.split("__").map(str::to_lowercase).collect();
        let node = Node { value: Value::Raw(text), place: Place::Environment(name.clone()) };
        insert(table, &steps, node);
    }
}

fn insert(table: &mut Table, steps: &[String], node: Node) {
    match steps {
        [] => {}
        [last] => {
            table.insert(last.clone(), node);
        }
        [first, rest @ ..] => {
            let place = node.place.clone();
            let below = table.entry(first.clone()).or_insert_with(|| Node { value: Value::Table(Table::new()), place });
            if !matches!(below.value, Value::Table(_)) {
                below.value = Value::Table(Table::new());
            }
            if let Value::Table(table) = &mut below.value {
                insert(table, rest, node);
            }
        }
    }
}

/// The value a variable's text is when it is read as TOML: a list or a table. All of it has the variable's place.
pub(super) fn parse_raw(text: &str, place: &Place) -> Option<Value> {
    let document = format!("x = {text}");
    let table = DeTable::parse(&document).ok()?;
    let (_, value) = table.get_ref().iter().next()?;
    let mut node = convert(value, &Lines::new(&document));
    stamp(&mut node, place);
    Some(node.value)
}

fn stamp(node: &mut Node, place: &Place) {
    node.place = place.clone();
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| stamp(item, place)),
        Value::Table(table) => table.values_mut().for_each(|item| stamp(item, place)),
        Value::Text(_) | Value::Integer(_) | Value::Boolean(_) | Value::Time(_) | Value::Raw(_) | Value::Other => {}
    }
}

fn convert_table(table: &DeTable<'_>, lines: &Lines) -> Table {
    // A key's place is better than its value's: of a table, the value's is where its first line is.
    let entry = |(key, value): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
        let node = Node { place: lines.place(key.span().start), ..convert(value, lines) };
        (key.get_ref().to_string(), node)
    };
    table.iter().map(entry).collect()
}

fn convert(value: &Spanned<DeValue<'_>>, lines: &Lines) -> Node {
    let converted = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).map_or(Value::Other, Value::Integer),
        DeValue::Boolean(flag) => Value::Boolean(*flag),
        DeValue::Datetime(time) => Value::Time(time.to_string()),
        DeValue::Array(items) => Value::List(items.iter().map(|item| convert(item, lines)).collect()),
        DeValue::Table(table) => Value::Table(convert_table(table, lines)),
        DeValue::Float(_) => Value::Other,
    };
    Node { value: converted, place: lines.place(value.span().start) }
}

/// Where each line begins.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect())
    }

    fn place(&self, offset: usize) -> Place {
        let line = self.0.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|n| self.0.get(n)).copied().unwrap_or(0);
        Place::File(line, offset - start + 1)
    }
}
