//! What was found, and what to do about it.

use serde_json::{Value, json};

use crate::admin;
use crate::cli::{complain, print};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grade {
    /// As it should be.
    Good,
    /// It works, but not as well as it could, or cannot be told.
    Note,
    /// Something does not work, or will not.
    Problem,
}

impl Grade {
    fn name(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Note => "note",
            Self::Problem => "problem",
        }
    }
}

/// What becomes of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Each is printed as it comes.
    Text,
    /// They are printed at the end.
    Json,
    /// They are kept for who asked.
    Kept,
}

#[derive(Debug)]
struct Finding {
    grade: Grade,
    text: String,
    remedy: Option<String>,
}

/// Findings in the order they were made: printed as they come for people, all at the end as JSON.
#[derive(Debug)]
pub(super) struct Findings {
    form: Form,
    all: Vec<Finding>,
}

impl Findings {
    pub(super) fn new(form: Form) -> Self {
        Self { form, all: Vec::new() }
    }

    /// All of them.
    pub(super) fn into_all(self) -> Vec<admin::Finding> {
        let finding = |Finding { grade, text, remedy }| admin::Finding { grade: grade.name(), text, remedy };
        self.all.into_iter().map(finding).collect()
    }

    /// As it should be.
    pub(super) fn good(&mut self, text: impl Into<String>) {
        self.push(Grade::Good, text.into(), None);
    }

    /// Nothing to mend, or nothing that can be mended.
    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.push(Grade::Note, text.into(), None);
    }

    /// What could be better.
    pub(super) fn advise(&mut self, text: impl Into<String>, remedy: impl Into<String>) {
        self.push(Grade::Note, text.into(), Some(remedy.into()));
    }

    /// What does not work; the remedy may be in the text.
    pub(super) fn wrong(&mut self, text: impl Into<String>) {
        self.push(Grade::Problem, text.into(), None);
    }

    /// What does not work, and what to do.
    pub(super) fn mend(&mut self, text: impl Into<String>, remedy: impl Into<String>) {
        self.push(Grade::Problem, text.into(), Some(remedy.into()));
    }

    /// A mistake in the configuration. For people it goes where every command tells it.
    pub(super) fn misconfigured(&mut self, line: String) {
        if self.form == Form::Text {
            complain(&format!("{line}\n"));
        }
        self.all.push(Finding { grade: Grade::Problem, text: line, remedy: None });
    }

    /// Whether there is something to mend.
    pub(super) fn is_bad(&self) -> bool {
        self.all.iter().any(|finding| finding.grade == Grade::Problem)
    }

    /// Prints what is to be printed at the end.
    pub(super) fn finish(&self) {
        if self.form == Form::Json {
            let finding = |Finding { grade, text, remedy }: &Finding| {
                let mut finding = json!({ "grade": grade.name(), "text": text });
                if let (Some(remedy), Some(object)) = (remedy, finding.as_object_mut()) {
                    object.insert("remedy".to_owned(), remedy.as_str().into());
                }
                finding
            };
            let all: Vec<Value> = self.all.iter().map(finding).collect();
            print(&format!("{:#}\n", json!({ "healthy": !self.is_bad(), "findings": all })));
        }
    }

    fn push(&mut self, grade: Grade, text: String, remedy: Option<String>) {
        if self.form == Form::Text {
            print(&format!("{:<7} {text}\n", grade.name()));
            if let Some(remedy) = &remedy {
                print(&format!("{:<7} -> {remedy}\n", ""));
            }
        }
        self.all.push(Finding { grade, text, remedy });
    }
}
