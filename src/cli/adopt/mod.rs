//! `scimgate adopt`: a plan of who would be taken over, and with `--apply` the taking over.

mod progress;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use self::progress::Progress;
use super::{block_on, complain, load, print, reach};
use crate::adoption::{self, Candidate, Listed, Plan, Policy, Problem, Stopped, UndoFile};
use crate::config::Config;
use crate::directory::{Capabilities, Directory as _, SearchRequest};
use crate::ldap::{LdapConfig, LdapDirectory};
use crate::mapping::{Compiled, Mapping};
use crate::resources::Resources;
use crate::scim::Projection;
use crate::telemetry::Metrics;

/// A whole branch is read at once, which may take longer than an answer to a client ever should.
const PATIENCE: Duration = Duration::from_mins(5);
/// Matched users that are named in the plan; all with `--all`.
const SHOWN: usize = 20;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: super::ConfigFile,
    /// Adopt; without it the plan is all there is
    #[arg(long)]
    apply: bool,
    /// The users as the identity provider has them: CSV whose first line names userName, externalId or email, or JSON
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,
    /// Where the LDIF goes that undoes the adoption; a run that goes on after an interruption must have the same
    #[arg(long, value_name = "FILE", default_value = "scimgate-adopt-undo.ldif")]
    undo: PathBuf,
    /// Name every matched user
    #[arg(long)]
    all: bool,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let Some(config) = load(&arguments.config.path) else { return ExitCode::from(1) };
    match block_on(adopt(arguments, config)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(trouble)) => {
            complain(&format!("{trouble}\n"));
            ExitCode::from(1)
        }
        Err(error) => {
            complain(&format!("the runtime cannot be started: {error}\n"));
            ExitCode::from(1)
        }
    }
}

/// The error says what is wrong and what to do.
async fn adopt(arguments: &Arguments, config: Config) -> Result<(), String> {
    let list = arguments.list.as_deref().map(read_list).transpose()?;
    let resources = Resources::load(&config.data).map_err(|error| error.to_string())?;
    let ldap = LdapConfig { timeout: config.directory.timeout.max(PATIENCE), ..config.directory.clone() };
    let directory = LdapDirectory::start(ldap, &Metrics::default())?;
    let done = with_directory(arguments, &config, (&directory, &resources), list.as_deref()).await;
    directory.close().await;
    done
}

fn read_list(path: &Path) -> Result<Vec<Listed>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Listed::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
}

async fn with_directory(
    arguments: &Arguments,
    config: &Config,
    (directory, resources): (&LdapDirectory, &Resources),
    list: Option<&[Listed]>,
) -> Result<(), String> {
    let capabilities = reach(directory).await?;
    let compiled = Mapping::compile(&config.mapping, &resources.registry, &resources.maps, &capabilities);
    let Compiled { mapping, remarks } = compiled.map_err(|error| error.to_string())?;
    if !mapping.users.can_mark() {
        return Err(format!("nothing can be adopted: {}", remarks.join("\n")));
    }
    let candidates = candidates(config, directory, (&mapping, &capabilities)).await?;
    let mut plan = Plan::new(&candidates, list, &config.adoption);
    let trouble = |error: crate::directory::DirectoryError| format!("the directory cannot be asked: {error}");
    adoption::protect(directory, &mapping, &config.service.protected, &mut plan).await.map_err(trouble)?;
    print(&tell(&plan, list.is_some(), arguments.all));
    if !arguments.apply {
        print(&format!("\nNothing was changed. {}\n", remedy(config, &plan)));
        return Ok(());
    }
    match config.adoption.policy {
        Policy::Link => {}
        Policy::Report => {
            return Err("Nothing was changed, for adoption.policy is \"report\": set it to \"link\" to adopt.".to_owned());
        }
        Policy::Refuse if plan.unsettled.is_empty() => {}
        Policy::Refuse => {
            return Err(
                "Nothing was changed, for adoption.policy is \"refuse\" and not everybody is matched: mend what is listed \
                        above, or set it to \"link\" to adopt the others."
                    .to_owned(),
            );
        }
    }
    apply(arguments, (directory, &mapping, &capabilities), &plan).await
}

/// Every user there is.
async fn candidates(
    config: &Config,
    directory: &LdapDirectory,
    (mapping, capabilities): (&Mapping, &Capabilities),
) -> Result<Vec<Candidate>, String> {
    let side = &mapping.users;
    let paths = ["userName", "emails", "externalId"].into_iter().filter_map(|path| side.ty.resolve_str(path));
    let attributes = side.attributes(&Projection::Only(paths.collect()));
    let found = directory.search(&SearchRequest::below(&side.base, side.class(), attributes)).await;
    let found = found
        .map_err(|error| format!("the users cannot be read: {error}. scimgate check --config FILE looks for the reason."))?;
    let candidate = |entry: crate::directory::Entry| {
        let taken = side.mark_taken(&entry, &capabilities.schema).map(str::to_owned);
        let protected = config.service.protected.by_name(&entry.dn);
        let candidate = Candidate::new(side, entry);
        match (candidate.is_managed(), protected, taken) {
            (false, Some(by), _) => candidate.barred(Problem::Protection, by.to_string()),
            (false, None, Some(attribute)) => {
                let why =
                    format!("its {attribute} has another value than the mark: clear it, or set users.mark to another attribute");
                candidate.barred(Problem::Conflict, why)
            }
            (true, _, _) | (false, None, None) => candidate,
        }
    };
    // Who was deleted through SCIM is managed as well, and comes back by itself.
    Ok(found.entries.into_iter().filter(|entry| !side.is_deleted(entry)).map(candidate).collect())
}

fn tell(plan: &Plan, has_list: bool, all: bool) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    for (title, problem) in
        [("Conflicting", Problem::Conflict), ("Ambiguous", Problem::Ambiguity), ("Protected, never adopted", Problem::Protection)]
    {
        if plan.count(problem) > 0 {
            let _ = writeln!(out, "{title}:");
        }
        for one in plan.unsettled.iter().filter(|one| one.problem == problem) {
            let _ = writeln!(out, "  {}\n    {}", one.who, one.why);
        }
    }
    let shown = if all { plan.matched.len() } else { SHOWN.min(plan.matched.len()) };
    if shown > 0 {
        let _ = writeln!(out, "Matched:");
    }
    for one in plan.matched.iter().take(shown) {
        let external_id = one.external_id.as_ref().map(|id| format!(", gets the externalId {id}")).unwrap_or_default();
        let _ = writeln!(out, "  {} (by {}{external_id})", one.entry.dn, one.by);
    }
    if plan.matched.len() > shown {
        let _ = writeln!(out, "  and {} more (--all names them)", plan.matched.len() - shown);
    }
    let _ = writeln!(
        out,
        "{} matched, {} conflicting, {} ambiguous, {} protected, {} managed already",
        plan.matched.len(),
        plan.count(Problem::Conflict),
        plan.count(Problem::Ambiguity),
        plan.count(Problem::Protection),
        plan.managed,
    );
    if has_list {
        let _ =
            writeln!(out, "{} of the list are not in the directory; {} users are not in the list", plan.absent, plan.unlisted);
    }
    out
}

fn remedy(config: &Config, plan: &Plan) -> &'static str {
    match config.adoption.policy {
        _ if plan.matched.is_empty() => "There is nobody to adopt.",
        Policy::Link | Policy::Refuse => "--apply adopts those that are matched.",
        Policy::Report => "adoption.policy is \"report\": with \"link\", --apply adopts those that are matched.",
    }
}

async fn apply(
    arguments: &Arguments,
    (directory, mapping, capabilities): (&LdapDirectory, &Mapping, &Capabilities),
    plan: &Plan,
) -> Result<(), String> {
    if plan.matched.is_empty() {
        print("There is nobody to adopt.\n");
        return Ok(());
    }
    let undo_path = arguments.undo.display();
    let mut undo = UndoFile::open(&arguments.undo).map_err(|error| format!("the undo file {undo_path}: {error}"))?;
    let progress = Progress::new(plan.matched.len());
    let done = adoption::apply((directory, mapping, capabilities), &plan.matched, &mut undo, |tally| progress.tell(tally)).await;
    progress.finish();
    let tally = match done {
        Ok(tally) => tally,
        Err(stopped @ (Stopped::Undo(_) | Stopped::Directory(_))) => {
            return Err(format!("Interrupted: {stopped}. Run the same command again: it goes on where this one ended."));
        }
    };
    print(&format!("\nAdopted {}. {undo_path} undoes it: ldapmodify -c -f {undo_path}\n", tally.adopted));
    if tally.overtaken > 0 {
        print(&format!(
            "{} were changed by others in the meantime; run the command again to see how they are.\n",
            tally.overtaken
        ));
    }
    if tally.failed.is_empty() {
        return Ok(());
    }
    let mut out = format!("{} could not be adopted:\n", tally.failed.len());
    for (dn, why) in &tally.failed {
        let _ = writeln!(out, "  {dn}\n    {why}");
    }
    out.push_str("scimgate check looks whether the account has the rights.");
    Err(out)
}
