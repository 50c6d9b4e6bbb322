//! The list of people as the identity provider has it: CSV with a head, or JSON.

use serde_json::Value;

/// One person of the list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// Its place in the list, from one.
    pub row: usize,
    /// `userName`
    pub user_name: Option<String>,
    /// `externalId`
    pub external_id: Option<String>,
    /// Every email address.
    pub emails: Vec<String>,
}

/// A list that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InvalidList {
    /// Not CSV.
    #[error("the list is not CSV: {0}")]
    Csv(#[from] csv::Error),
    /// Not JSON.
    #[error("the list is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// It says nothing by which people could be recognised.
    #[error("the list has no column userName, email or externalId in its first line; it has {0}")]
    Columns(String),
    /// JSON of another form.
    #[error("the list must be a JSON array of users, or an object with such an array as `Resources` or `users`")]
    Form,
    /// A user of another form.
    #[error("user {0} of the list is no JSON object")]
    User(usize),
}

impl Listed {
    /// Reads a list: JSON where it begins like that, else CSV.
    ///
    /// # Errors
    /// It is neither, or says nothing of people.
    pub fn parse(text: &str) -> Result<Vec<Self>, InvalidList> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim_start().starts_with(['[', '{']) { from_json(text) } else { from_csv(text) }
    }
}

/// What a column or member is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    UserName,
    ExternalId,
    Email,
}

impl Column {
    fn of(name: &str) -> Option<Self> {
        let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
        match plain.as_str() {
            "username" => Some(Self::UserName),
            "externalid" => Some(Self::ExternalId),
            "email" | "emails" | "mail" | "emailaddress" | "emailsvalue" => Some(Self::Email),
            _ => None,
        }
    }
}

fn from_csv(text: &str) -> Result<Vec<Listed>, InvalidList> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let head = reader.headers()?.clone();
    let columns: Vec<Option<Column>> = head.iter().map(Column::of).collect();
    if columns.iter().all(Option::is_none) {
        return Err(InvalidList::Columns(head.iter().collect::<Vec<_>>().join(", ")));
    }
    let mut people = Vec::new();
    for (n, row) in reader.records().enumerate() {
        let row = row?;
        let mut listed = Listed { row: n + 1, ..Listed::default() };
        for (column, value) in columns.iter().zip(&row) {
            note(&mut listed, *column, value);
        }
        people.push(listed);
    }
    Ok(people)
}

fn note(listed: &mut Listed, column: Option<Column>, value: &str) {
    let value = value.trim();
    if value.is_empty() {
        return;
    }
    match column {
        Some(Column::UserName) => listed.user_name = Some(value.to_owned()),
        Some(Column::ExternalId) => listed.external_id = Some(value.to_owned()),
        Some(Column::Email) => listed.emails.push(value.to_owned()),
        None => {}
    }
}

fn from_json(text: &str) -> Result<Vec<Listed>, InvalidList> {
    let users = match serde_json::from_str(text)? {
        Value::Array(users) => users,
        Value::Object(mut object) => match object.remove("Resources").or_else(|| object.remove("users")) {
            Some(Value::Array(users)) => users,
            _ => return Err(InvalidList::Form),
        },
        _ => return Err(InvalidList::Form),
    };
    let read = |(n, user): (usize, &Value)| {
        let user = user.as_object().ok_or(InvalidList::User(n + 1))?;
        let mut listed = Listed { row: n + 1, ..Listed::default() };
        for (name, value) in user {
            let column = Column::of(name);
            for text in texts(value) {
                note(&mut listed, column, text);
            }
        }
        Ok(listed)
    };
    users.iter().enumerate().map(read).collect()
}

/// A text, a list of texts, or a list of objects with a `value`.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(item) => item.get("value").into_iter().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(row: usize, user_name: &str, external_id: Option<&str>, emails: &[&str]) -> Listed {
        let emails = emails.iter().map(|email| (*email).to_owned()).collect();
        Listed { row, user_name: Some(user_name.to_owned()), external_id: external_id.map(str::to_owned), emails }
    }

    #[test]
    fn csv_is_read_by_its_head_whatever_else_is_in_it() {
        let text = "\u{feff}Department,User Name,externalId,Email\nSales,ana@x.org,\"x,1\",ana@x.org\n, eva@x.org ,,\n";
        let people = Listed::parse(text).unwrap();
        assert_eq!(people, [listed(1, "ana@x.org", Some("x,1"), &["ana@x.org"]), listed(2, "eva@x.org", None, &[])]);
    }

    #[test]
    fn json_may_be_flat_or_scims_own() {
        let flat = r#"[{"userName": "ana", "externalId": "1", "email": "ana@x.org"}]"#;
        assert_eq!(Listed::parse(flat).unwrap(), [listed(1, "ana", Some("1"), &["ana@x.org"])]);
        let scim =
            r#"{"Resources": [{"userName": "ana", "emails": [{"value": "a@x.org"}, {"value": "b@x.org"}], "active": true}]}"#;
        assert_eq!(Listed::parse(scim).unwrap(), [listed(1, "ana", None, &["a@x.org", "b@x.org"])]);
    }

    #[test]
    fn what_says_nothing_of_people_is_refused() {
        for bad in ["name,phone\nAna,1\n", "", "{\"users\": 1}", "[1]", "[", "userName,externalId\na,b,c\n"] {
            assert!(Listed::parse(bad).is_err(), "{bad}");
        }
    }
}
