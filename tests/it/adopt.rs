//! `scimgate adopt`: existing users become managed ones.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::json;

use crate::support::{Fixture, GatewayOptions, SlapdOptions, program, user, user_dn};

fn adopt(file: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = program();
    command.args(["adopt", "--config"]).arg(file).args(arguments).current_dir(file.parent().unwrap());
    for (key, value) in settings {
        command.env(format!("SCIMGATE__{}", key.replace('.', "__").to_uppercase()), value);
    }
    command.output().unwrap()
}

/// What it printed when all was well.
#[track_caller]
fn good(output: Output) -> String {
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{complaint}");
    String::from_utf8(output.stdout).unwrap()
}

/// What it complained of.
#[track_caller]
fn bad(output: Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn a_plan_changes_nothing_and_an_adoption_can_be_undone() {
    let Fixture { scim, directory, gateway } = &Fixture::start().await;
    for name in ["erin", "fay"] {
        directory.add_user(name).await;
    }
    scim.new_user("ana").await;
    let before = directory.snapshot().await;
    let list = gateway.beside("list.csv");
    let rows = "userName,externalId\nerin@example.com,e-1\nana@example.com,x-ana\nnobody@example.com,n-1\n";
    std::fs::write(&list, directory.outward(rows)).unwrap();
    let list = list.to_str().unwrap();

    let plan = good(adopt(&gateway.file(), &[], &["--list", list]));
    assert!(plan.contains("gets the externalId e-1") && plan.contains("1 matched, 0 conflicting"), "{plan}");
    assert!(plan.contains("1 of the list are not in the directory; 1 users are not in the list"), "{plan}");
    assert!(plan.contains("Nothing was changed. --apply adopts"), "{plan}");
    assert_eq!(directory.snapshot().await, before);

    let done = good(adopt(&gateway.file(), &[], &["--list", list, "--apply"]));
    assert!(done.contains("Adopted 1."), "{done}");
    let erin = directory.user("erin").await.unwrap();
    assert!(erin.is_managed() && !directory.user("fay").await.unwrap().is_managed());
    assert_eq!(erin.one("scimgateExternalId"), "e-1");
    let found = scim.get(&format!("/Users/{}", erin.id())).await.expect(200);
    assert_eq!((&found["externalId"], &found["userName"]), (&json!("e-1"), &json!("erin@example.com")));

    // Who was adopted is not adopted again.
    let again = good(adopt(&gateway.file(), &[], &["--list", list, "--apply"]));
    assert!(again.contains("0 matched") && again.contains("2 managed already") && again.contains("nobody to adopt"), "{again}");

    directory.ldapmodify(&std::fs::read_to_string(gateway.beside("scimgate-adopt-undo.ldif")).unwrap());
    assert_eq!(directory.snapshot().await, before);
}

#[tokio::test]
async fn what_is_protected_or_not_clear_is_never_taken_over() {
    let Fixture { directory, gateway, .. } = &Fixture::start().await;
    for name in ["erin", "fay", "gil", "hal", "root"] {
        directory.add_user(name).await;
    }
    directory.add_group("inner", &["erin"]).await;
    directory.add_group("admins", &["root"]).await;
    directory.push(&directory.group_dn("admins"), "member", &directory.group_dn("inner")).await;
    let shared = directory.outward("gil@example.com");
    directory.set(&directory.user_dn("hal"), "mail", &shared).await;
    let (groups, entries) =
        (format!("[\"{}\"]", directory.group_dn("admins")), format!("[\"{}\"]", directory.outward(&directory.user_dn("fay"))));
    let settings = [("protected.groups", &*groups), ("protected.entries", &*entries), ("adoption.keys", "[\"emails\"]")];
    let before = directory.snapshot().await;

    let plan = good(adopt(&gateway.file(), &settings, &[]));
    assert!(plan.contains("0 matched, 0 conflicting, 2 ambiguous, 3 protected"), "{plan}");
    for words in ["protected.groups names", "named in [protected]", "shares its emails"] {
        assert!(plan.contains(words), "{words} is not in\n{plan}");
    }
    assert!(good(adopt(&gateway.file(), &settings, &["--apply"])).contains("nobody to adopt"));

    let settings = [&settings[..2], &[("adoption.policy", "refuse")]].concat();
    assert!(bad(adopt(&gateway.file(), &settings, &["--apply"])).contains("adoption.policy is \"refuse\""));
    assert!(bad(adopt(&gateway.file(), &[("adoption.policy", "report")], &["--apply"])).contains("set it to \"link\""));
    assert_eq!(directory.snapshot().await, before);
}

#[tokio::test]
async fn a_protected_entry_is_read_and_never_changed() {
    let directory = crate::support::Directory::start().await;
    for name in ["erin", "fay", "root"] {
        directory.add_user(name).await;
    }
    directory.add_group("inner", &["erin"]).await;
    directory.add_group("admins", &["root"]).await;
    directory.push(&directory.group_dn("admins"), "member", &directory.group_dn("inner")).await;
    let options = GatewayOptions::default()
        .set("provisioning.existing_users", "true")
        .set("protected.groups", &format!("[\"{}\"]", directory.group_dn("admins")))
        .set("protected.entries", &format!("[\"{}\"]", directory.outward(&directory.user_dn("fay"))));
    let Fixture { scim, directory, .. } = &Fixture::before(directory, options).await;
    let before = directory.snapshot().await;
    let change = json!([{ "op": "replace", "path": "title", "value": "Chief" }]);

    for (name, reason) in [("erin", "protected.groups"), ("fay", "named in [protected]")] {
        let path = format!("/Users/{}", directory.user(name).await.unwrap().id());
        assert_eq!(scim.get(&path).await.expect(200)["userName"], format!("{name}@example.com"));
        for answer in [
            scim.patch(&path, change.clone()).await,
            scim.patch(&path, json!([{ "op": "replace", "path": "active", "value": false }])).await,
            scim.put(&path, user(name)).await,
            scim.delete(&path).await,
        ] {
            let detail = answer.error(403, "");
            assert!(detail.contains(reason) && detail.contains("change it in the directory itself"), "{detail}");
        }
    }
    // Whoever joins a group in a protected group would be an administrator.
    let gil = scim.new_user("gil").await;
    for name in ["inner", "admins"] {
        let path = format!("/Groups/{}", directory.group(name).await.unwrap().id());
        scim.patch(&path, json!([{ "op": "add", "path": "members", "value": [{ "value": gil }] }])).await.error(403, "");
        scim.delete(&path).await.error(403, "");
    }
    scim.patch(&format!("/Users/{gil}"), change).await.expect(200);
    scim.delete(&format!("/Users/{gil}")).await.expect(204);
    assert_eq!(directory.snapshot().await, before);
}

/// Ten thousand users, and a run that is cut off in the middle.
#[tokio::test]
async fn an_adoption_that_is_killed_goes_on_and_takes_each_once() {
    const USERS: usize = 10_000;
    let entry = |n: usize| {
        let dn = user_dn(&format!("old{n}"));
        format!("dn: {dn}\nobjectClass: inetOrgPerson\nuid: old{n}@example.com\ncn: {n}\nsn: Ruiz\n\n")
    };
    let slapd = SlapdOptions { entries: (0..USERS).map(entry).collect(), ..SlapdOptions::default() };
    let Fixture { directory, gateway, .. } = &Fixture::with(slapd, GatewayOptions::default()).await;
    let managed = async || {
        let all = directory.users().await;
        all.into_iter().filter(|entry| entry.all("objectClass").contains(&"scimgateResource")).collect::<Vec<_>>()
    };

    let mut command = program();
    let file = gateway.file();
    command.args(["adopt", "--apply", "--config"]).arg(&file).current_dir(file.parent().unwrap());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let progress = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let half = progress.take_while(|line| !line.starts_with("adopted 5000 of 10000")).count();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(half >= 5, "{half} lines of progress before the half");
    let first: std::collections::HashMap<String, String> =
        managed().await.iter().map(|entry| (entry.id(), entry.one("entryCSN").to_owned())).collect();
    assert!((5000..USERS).contains(&first.len()), "{} were adopted before the kill", first.len());

    let output = good(adopt(&file, &[], &["--apply"]));
    let rest = USERS - first.len();
    assert!(output.contains(&format!("{rest} matched")) && output.contains(&format!("Adopted {rest}.")), "{output}");
    println!("{} adopted before kill -9, {rest} after it, {USERS} in all", first.len());
    let now = managed().await;
    assert_eq!(now.len(), USERS);
    // The first ones were not touched by the second run.
    let untouched = now.iter().filter(|entry| first.get(&entry.id()).is_some_and(|csn| csn == entry.one("entryCSN"))).count();
    assert_eq!(untouched, first.len());
    let undo = std::fs::read_to_string(gateway.beside("scimgate-adopt-undo.ldif")).unwrap();
    let names: std::collections::HashSet<&str> = undo.lines().filter(|line| line.starts_with("dn: ")).collect();
    assert_eq!((names.len(), undo.lines().filter(|line| line.starts_with("dn: ")).count()), (USERS, USERS));
    directory.ldapmodify(&undo);
    assert_eq!(managed().await.len(), 0);
}
