use super::*;
use crate::adoption::Policy;

fn candidate(uid: &str, emails: &[&str], external_id: Option<&str>) -> Candidate {
    Candidate {
        entry: Entry::new(format!("uid={uid},dc=example").parse().unwrap()),
        user_name: Some(uid.to_owned()),
        emails: emails.iter().map(|email| (*email).to_owned()).collect(),
        external_id: external_id.map(str::to_owned),
        managed: false,
        obstacle: None,
    }
}

fn managed(candidate: Candidate) -> Candidate {
    Candidate { managed: true, ..candidate }
}

fn config(keys: &[Key]) -> AdoptionConfig {
    AdoptionConfig { keys: keys.to_vec(), policy: Policy::Link }
}

fn listed(row: usize, user_name: &str, external_id: &str, email: &str) -> Listed {
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Listed { row, user_name: some(user_name), external_id: some(external_id), emails: some(email).into_iter().collect() }
}

fn matched(plan: &Plan) -> Vec<(String, Option<&str>)> {
    plan.matched.iter().map(|one| (one.entry.dn.to_string(), one.external_id.as_deref())).collect()
}

fn problems(plan: &Plan) -> Vec<(Problem, &str)> {
    plan.unsettled.iter().map(|one| (one.problem, one.who.as_str())).collect()
}

#[test]
fn without_a_list_whoever_can_be_told_from_all_others_is_matched() {
    let people = [
        candidate("ana", &["ana@x.org"], None),
        candidate("Bob", &[], None),
        managed(candidate("bob", &[], None)),
        managed(candidate("eva", &[], None)),
        candidate("root", &[], None).barred(Problem::Protection, "it is".to_owned()),
        Candidate { user_name: None, ..candidate("nameless", &[], None) },
    ];
    let plan = Plan::new(&people, None, &AdoptionConfig::default());
    assert_eq!(matched(&plan), [("uid=ana,dc=example".to_owned(), None)]);
    assert_eq!(plan.managed, 2);
    assert_eq!(
        problems(&plan),
        [
            (Problem::Ambiguity, "uid=Bob,dc=example"),
            (Problem::Protection, "uid=root,dc=example"),
            (Problem::Conflict, "uid=nameless,dc=example"),
        ]
    );
    assert!(plan.unsettled[0].why.contains("uid=bob,dc=example"), "{}", plan.unsettled[0].why);
}

#[test]
fn the_first_key_that_a_person_has_decides() {
    let people = [candidate("ana", &["team@x.org"], None), candidate("bob", &["Team@x.org"], None)];
    assert_eq!(Plan::new(&people, None, &config(&[Key::UserName, Key::Emails])).matched.len(), 2);
    assert_eq!(Plan::new(&people, None, &config(&[Key::Emails, Key::UserName])).count(Problem::Ambiguity), 2);
}

#[test]
fn a_list_says_who_is_who_and_gives_external_ids() {
    let people = [
        candidate("ana", &["ana@x.org"], None),
        candidate("bob", &["bob@x.org"], Some("7")),
        managed(candidate("eva", &[], None)),
        managed(candidate("kim", &[], Some("9"))),
        candidate("zoe", &[], None),
    ];
    let list = [
        listed(1, "ANA", "1", ""),
        listed(2, "robert", "7", "bob@x.org"),
        listed(3, "eva", "3", ""),
        listed(4, "kim", "9", ""),
        listed(5, "new", "5", ""),
    ];
    let plan = Plan::new(&people, Some(&list), &AdoptionConfig::default());
    assert_eq!(
        matched(&plan),
        [
            ("uid=ana,dc=example".to_owned(), Some("1")),
            ("uid=bob,dc=example".to_owned(), None),
            ("uid=eva,dc=example".to_owned(), Some("3"))
        ]
    );
    assert_eq!((plan.managed, plan.unlisted, plan.absent, plan.unsettled.len()), (1, 1, 1, 0));
    assert_eq!(plan.matched[1].by, Key::Emails);
}

#[test]
fn what_contradicts_itself_or_means_several_is_nobodys() {
    let people = [
        candidate("ana", &["shared@x.org"], None),
        candidate("bob", &["shared@x.org"], Some("7")),
        managed(candidate("eva", &[], Some("e"))),
        candidate("twice", &[], None),
    ];
    let list = [
        listed(1, "", "", "shared@x.org"),
        listed(2, "ana", "7", ""),
        listed(3, "bob", "8", ""),
        listed(4, "eva", "f", ""),
        listed(5, "twice", "", ""),
        listed(6, "TWICE", "", ""),
        listed(7, "", "", ""),
    ];
    let plan = Plan::new(&people, Some(&list), &AdoptionConfig::default());
    assert!(plan.matched.is_empty(), "{:#?}", plan.matched);
    assert_eq!(
        problems(&plan),
        [
            (Problem::Ambiguity, "row 1 (shared@x.org)"),
            (Problem::Conflict, "row 2 (ana)"),
            (Problem::Conflict, "row 7 (nameless)"),
            (Problem::Conflict, "uid=bob,dc=example"),
            (Problem::Conflict, "uid=eva,dc=example"),
            (Problem::Conflict, "uid=twice,dc=example"),
        ]
    );
    // An address that several have helps where another key says who of them is meant.
    let list = [listed(1, "ana", "1", "shared@x.org")];
    assert_eq!(
        matched(&Plan::new(&people, Some(&list), &AdoptionConfig::default())),
        [("uid=ana,dc=example".to_owned(), Some("1"))]
    );
}
