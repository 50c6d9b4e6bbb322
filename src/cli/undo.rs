//! `scimgate undo`: audited writes are taken back.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use jiff::Timestamp;

use super::{block_on, complain, load, print, reach};
use crate::audit::{Audit, AuditConfig, Destination, FileConfig, Journal, Journalled, Request, is_secret};
use crate::config::Config;
use crate::directory::{Capabilities, ChangeRecord, DirectoryError, ldif};
use crate::ldap::LdapDirectory;
use crate::rehearsal::Rehearsal;
use crate::telemetry::Metrics;
use crate::undo::{Outcome, Past, Plan, Selection, Step, Undoing};

/// The client's name in the lines that tell what was taken back.
const CLIENT: &str = "undo";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: super::ConfigFile,
    /// Take back what this request wrote
    #[arg(long, value_name = "ID", required_unless_present = "since")]
    request: Option<String>,
    /// Take back what was written from this time on, such as 2026-11-26T09:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Only what was written before this time
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    /// Only what this client wrote
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// Do it; without this, what would be done is shown
    #[arg(long)]
    apply: bool,
}

/// 0 where all of it is or would be taken back, 1 where something stays or went wrong.
pub(super) fn run(arguments: Arguments) -> ExitCode {
    let Some(config) = load(&arguments.config.path) else { return ExitCode::from(1) };
    match block_on(undo(arguments, config)).map_err(|error| format!("the runtime cannot be started: {error}")) {
        Ok(Ok(true)) => ExitCode::SUCCESS,
        Ok(Ok(false)) => ExitCode::from(1),
        Ok(Err(trouble)) | Err(trouble) => {
            complain(&format!("{trouble}\n"));
            ExitCode::from(1)
        }
    }
}

/// Where it is told what was taken back: beside the audit, which a running gateway keeps to itself.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".undo");
    name.into()
}

fn files(audit: Option<AuditConfig>) -> Result<(AuditConfig, FileConfig), String> {
    match audit {
        Some(AuditConfig { destination: Destination::File(file), on_failure, mask }) => {
            let undo = FileConfig { path: beside(&file.path), ..file.clone() };
            Ok((AuditConfig { destination: Destination::File(undo), on_failure, mask }, file))
        }
        Some(AuditConfig { destination: Destination::Stdout | Destination::Syslog(_), .. }) => {
            Err("The audit goes to standard output or to syslog, and cannot be read back: only a file (audit.path) can."
                .to_owned())
        }
        None => Err("Nothing is audited, so that nothing is known of what was written: audit.path is not set.".to_owned()),
    }
}

/// Whether nothing stays that was to be taken back; the error says what is wrong.
async fn undo(arguments: Arguments, config: Config) -> Result<bool, String> {
    let Arguments { request, since, until, client, apply, .. } = arguments;
    let (undo, file) = files(config.audit)?;
    let selection = Selection { request, since, until, client };
    let read = |path: &Path| Plan::read(&file.path, path, &selection);
    let plan = read(&beside(&file.path))
        .map_err(|broken| format!("{broken}\nWhat the audit tells cannot be trusted; scimgate audit verify"))?;
    if plan.lines.is_empty() {
        if plan.undone > 0 {
            print(&format!("{} changes are taken back already; nothing is left to do.\n", plan.undone));
            return Ok(true);
        }
        return Err("The audit has no such write: nothing was written, or its lines are no longer kept.".to_owned());
    }
    let directory = Arc::new(LdapDirectory::start(config.directory.clone(), &Metrics::default())?);
    let done = async {
        let known = reach(&directory).await?;
        if apply {
            let audit = Audit::start(undo, Arc::new(Metrics::default()))?;
            let done = take_back(&plan, &known, &Way::Made(directory.clone(), &audit)).await;
            audit.close().await;
            done
        } else {
            let rehearsal = Rehearsal::new(directory.clone(), true, Box::new(|_| {}));
            take_back(&plan, &known, &Way::Shown(rehearsal)).await
        }
    };
    let done = done.await;
    directory.close().await;
    done
}

/// What becomes of the changes.
enum Way<'a> {
    /// They are made, and told.
    Made(Arc<LdapDirectory>, &'a Audit),
    /// They are shown, as they follow one another.
    Shown(Rehearsal),
}

/// How it went.
#[derive(Default)]
struct Tally {
    undone: usize,
    already: usize,
    beyond: usize,
    refused: usize,
}

async fn take_back(plan: &Plan, known: &Capabilities, way: &Way<'_>) -> Result<bool, String> {
    let mut undoing = Undoing::new(known);
    let mut tally = Tally { already: plan.undone, ..Tally::default() };
    for past in &plan.lines {
        let write = &past.write;
        print(&format!(
            "# {}: {} {} by {}, request {}\n",
            write.time, write.method, write.resource_type, write.client, write.request
        ));
        match way {
            Way::Shown(rehearsal) => {
                for step in &past.steps {
                    let outcome = undoing.undo(rehearsal, step, plan).await.map_err(|error| trouble(&error))?;
                    tell(step, &outcome, &mut tally);
                }
            }
            Way::Made(directory, audit) => made(past, plan, &mut undoing, (directory, audit), &mut tally).await?,
        }
    }
    let Tally { undone, already, beyond, refused } = tally;
    let (is, rest) = match way {
        Way::Made(..) => ("are taken back", ""),
        Way::Shown(_) => ("would be taken back", "\nNothing was changed. --apply takes them back."),
    };
    let mut out = format!("# {undone} changes {is}, {already} were already, {refused} stay");
    if beyond > 0 {
        let _ = write!(out, ", {beyond} cannot be");
    }
    print(&format!("{out}.{}\n", rest.replace('\n', "\n# ")));
    Ok(refused == 0)
}

/// Takes the changes of one line back, and writes a line of it.
async fn made(
    past: &Past,
    plan: &Plan,
    undoing: &mut Undoing<'_>,
    (directory, audit): (&Arc<LdapDirectory>, &Audit),
    tally: &mut Tally,
) -> Result<(), String> {
    let journal = Arc::new(Journal::default());
    let noted = Journalled::new(directory.clone(), journal.clone(), audit.config().mask.clone(), true);
    let (mut places, mut stays, mut stopped) = (Vec::new(), false, None);
    for step in &past.steps {
        match undoing.undo(&noted, step, plan).await {
            Ok(outcome) => {
                match &outcome {
                    Outcome::Undone(_) | Outcome::Already => places.push(step.place),
                    Outcome::Refused(_) => stays = true,
                    Outcome::Beyond(_) => {}
                }
                tell(step, &outcome, tally);
            }
            Err(error) => {
                stopped = Some(error);
                break;
            }
        }
    }
    if !places.is_empty() || !journal.is_empty() {
        let request = Request {
            request_id: &uuid::Uuid::new_v4().simple().to_string().into(),
            client: &CLIENT.into(),
            address: None,
            method: "UNDO",
            resource_type: if past.write.resource_type == "Group" { "Group" } else { "User" },
            id: past.write.id.as_deref(),
            bulk: None,
            undoes: Some(past.undoes(places)),
        };
        let status = match &stopped {
            None if stays => Some(409),
            None => Some(200),
            Some(_) => None,
        };
        let written = audit.write(journal.entry(request, status)).await;
        written.map_err(|_| {
            "What was taken back just now could not be written to the audit; see why, and run it again.".to_owned()
        })?;
    }
    match stopped {
        Some(error) => Err(trouble(&error)),
        None => Ok(()),
    }
}

fn trouble(error: &DirectoryError) -> String {
    format!("Interrupted: {error}. Run the same command again: it goes on where this one ended.")
}

/// Prints what becomes of a change, as LDIF and comments.
fn tell(step: &Step, outcome: &Outcome, tally: &mut Tally) {
    let name = step.name_after();
    let remark = |text: &str| format!("# {}\n", text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>());
    let text = match outcome {
        Outcome::Undone(records) => {
            tally.undone += 1;
            let mut text = ldif::print(records, is_secret);
            let lost: Vec<&str> = step.masked.iter().map(String::as_str).collect();
            if !lost.is_empty() && matches!(records.first(), Some(ChangeRecord::Add(_))) {
                text.push_str(&remark(&format!("without {}, which the audit leaves out", lost.join(", "))));
            }
            text
        }
        Outcome::Already => {
            tally.already += 1;
            remark(&format!("{name}: is as it was before already"))
        }
        Outcome::Beyond(why) => {
            tally.beyond += 1;
            remark(&format!("{name}: {why}"))
        }
        Outcome::Refused(why) => {
            tally.refused += 1;
            remark(&format!("{name}: stays: {why}"))
        }
    };
    print(&format!("{text}\n"));
}
