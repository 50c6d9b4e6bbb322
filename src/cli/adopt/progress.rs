//! How far it is: a bar on a terminal, a line now and then elsewhere.

use std::cell::Cell;
use std::io::{self, IsTerminal as _};

use indicatif::{ProgressBar, ProgressStyle};

use crate::adoption::Tally;
use crate::cli::complain;

/// Lines of a whole run where there is no terminal.
const LINES: usize = 20;

#[derive(Debug)]
pub(super) struct Progress {
    total: usize,
    bar: Option<ProgressBar>,
    /// At how many the next line is printed.
    next: Cell<usize>,
}

impl Progress {
    pub(super) fn new(total: usize) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let form = ProgressStyle::with_template("adopting {bar:40} {pos} of {len}, {per_sec}, {eta} left");
            ProgressBar::new(total as u64).with_style(form.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { total, bar, next: Cell::new(Self::step(total)) }
    }

    fn step(total: usize) -> usize {
        total.div_ceil(LINES).max(1)
    }

    pub(super) fn tell(&self, tally: &Tally) {
        let tried = tally.tried();
        if let Some(bar) = &self.bar {
            bar.set_position(tried as u64);
        } else if tried >= self.next.get() {
            complain(&format!("adopted {} of {}\n", tally.adopted, self.total));
            self.next.set(tried + Self::step(self.total));
        }
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish();
        }
    }
}
