//! Changes: first in the file, then by what is served, or not at all.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{Console, Page, Wanted};
use crate::admin::state::State;

/// Why there is nothing to change.
pub(super) const NO_FILE: &str = "Nothing can be changed here: the configuration names no file to keep it in. Set state = \"console.json\" in its [admin] section.";

impl Page<'_> {
    /// Changes what is kept, and returns when it holds. It is carried to its end even if the browser goes away.
    ///
    /// # Errors
    /// What stands against it; then nothing has changed.
    pub(super) async fn change(&self, change: impl FnOnce(&mut State) + Send + 'static) -> Result<(), Vec<String>> {
        let console = self.state.console.clone();
        let changing = tokio::spawn(async move { console.change(change).await });
        changing.await.unwrap_or_else(|error| Err(vec![error.to_string()]))
    }
}

impl Console {
    async fn change(self: Arc<Self>, change: impl FnOnce(&mut State) + Send) -> Result<(), Vec<String>> {
        let _turn = self.changing.lock().await;
        let path = self.desk.load().kept.as_ref().map(|kept| kept.path.clone()).ok_or_else(|| vec![NO_FILE.to_owned()])?;
        let before = State::read(&path).map_err(|error| vec![error])?;
        let mut after = before.clone();
        change(&mut after);
        if after == before {
            return Ok(());
        }
        let keep = async |state: State| {
            let path = path.clone();
            let written =
                tokio::task::spawn_blocking(move || state.write(&path).map_err(|error| format!("{}: {error}", path.display())));
            written.await.unwrap_or_else(|error| Err(error.to_string()))
        };
        keep(after).await.map_err(|error| vec![error])?;
        let (reply, reloaded) = oneshot::channel();
        let asked = self.wanted.send(Wanted::Reload(reply)).await.is_ok();
        let closing = || Err(vec!["scimgate is closing.".to_owned()]);
        let outcome = if asked { reloaded.await.unwrap_or_else(|_| closing()) } else { closing() };
        if let Err(mut mistakes) = outcome {
            mistakes.extend(keep(before).await.err());
            return Err(mistakes);
        }
        Ok(())
    }
}
