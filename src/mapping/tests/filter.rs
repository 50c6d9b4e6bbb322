//! SCIM filters as searches, as real clients send them.

use super::*;
use crate::mapping::references_in;

fn search(side: &ResourceMapping, text: &str) -> (String, bool) {
    let translation = side.translate(&filter_on(side, text), &TARGETS).unwrap_or_else(|e| panic!("{text}: {e}"));
    (translation.search.to_string(), translation.exact)
}

const NOTHING: &str = "(!(objectClass=*))";
const EVERYTHING: &str = "(objectClass=*)";

#[test]
fn users_are_searched_for_by_what_the_directory_compares() {
    let manager = format!("{}:manager", values::ENTERPRISE);
    let (ana, odd) = (PEOPLE[0].1, PEOPLE[1].1);
    for (filter, expected, exact) in [
        // One of several values is shown, so what is found has to be looked at.
        (r#"userName eq "ana""#, "(uid=ana)", false),
        (r#"displayName eq "Ana (x)*""#, "(displayName=Ana \\28x\\29\\2a)", true),
        (r#"externalId eq "p1""#, "(scimgateExternalId=p1)", true),
        (r#"displayName ne "ana""#, "(!(displayName=ana))", true),
        (r#"not (displayName sw "a")"#, "(!(displayName=a*))", true),
        (r#"displayName co "a b""#, "(displayName=*a b*)", true),
        (r#"displayName ew "z" or displayName eq null"#, "(|(displayName=*z)(!(displayName=*)))", true),
        // Space at the end of a piece, and order, are not the directory's to judge.
        (r#"displayName sw "a ""#, "(displayName=*)", false),
        (r#"displayName gt "a""#, "(displayName=*)", false),
        (r#"displayName eq """#, "(displayName=*)", false),
        (r#"profileUrl sw "http""#, "(labeledURI=*)", false),
        (r#"emails.value eq "ana@x""#, "(mail=ana@x)", true),
        (r#"emails[type eq "work" and value eq "ana@x"]"#, "(mail=ana@x)", true),
        (r#"emails[type eq "WORK"].value co "ana""#, "(mail=*ana*)", true),
        (r#"emails[type eq "home"]"#, NOTHING, true),
        (r#"emails[type eq "work" and type eq "home"]"#, NOTHING, true),
        (r#"emails[type eq "work"]"#, "(mail=*)", true),
        (r#"emails[type eq null and value eq "a@x"]"#, "(mail=a@x)", false),
        (r#"emails[value sw "a" and value ew "x"]"#, "(&(mail=a*)(mail=*x))", false),
        ("emails[primary eq true]", "(mail=*)", false),
        (r#"emails.type eq "work""#, "(mail=*)", false),
        // IA5 has no such character; asked for, the answer would be Undefined and so would its negation.
        (r#"emails.value eq "é@x""#, NOTHING, true),
        (r#"not (emails.value co "é")"#, EVERYTHING, true),
        (r#"emails.value lt "é""#, "(mail=*)", false),
        // A server may compare IA5 text as a C string.
        (r#"emails.value sw "a\u0000""#, "(mail=*)", false),
        ("emails.value eq \"\u{212a}@x\"", "(mail=k@x)", true),
        (
            r#"phoneNumbers.value eq "+1 555""#,
            "(|(facsimileTelephoneNumber=*)(homePhone=+1 555)(mobile=+1 555)(pager=+1 555)(telephoneNumber=+1 555))",
            false,
        ),
        (r#"phoneNumbers[type eq "mobile" and value eq "1"]"#, "(mobile=1)", false),
        (r#"addresses[type eq "work" and locality eq "Lima"]"#, "(l=Lima)", false),
        (r#"addresses[type eq "work" and country eq "PE"]"#, "(scimgateCountry=PE)", true),
        (r#"name[familyName eq "Ruiz"]"#, "(sn=Ruiz)", false),
        (
            "name pr",
            "(|(sn=*)(cn=*)(givenName=*)(scimgateHonorificPrefix=*)(scimgateHonorificSuffix=*)(scimgateMiddleName=*))",
            true,
        ),
        ("active eq true", "(!(scimgateActive=FALSE))", true),
        ("active eq false", "(scimgateActive=FALSE)", true),
        ("active pr", EVERYTHING, true),
        ("id pr", EVERYTHING, true),
        (&format!(r#"id eq "{ana}""#), &format!("(entryUUID={ana})"), true),
        (&format!(r#"id eq "{}""#, PEOPLE[2].1.to_uppercase()), NOTHING, true),
        (r#"id eq "*""#, NOTHING, true),
        (
            &format!(r#"{manager}.value eq "{odd}""#),
            "(manager=uid=b\\5c,c \\5c+\\5c\\22d\\5c\\22,ou=people,dc=example,dc=com)",
            false,
        ),
        (&format!(r#"{manager}.value eq "nobody""#), NOTHING, true),
        (&format!(r#"{manager}[value eq "{ana}"]"#), "(manager=uid=ana,ou=people,dc=example,dc=com)", false),
        (r#"meta.lastModified ge "2026-11-25T13:00:00+01:00""#, "(modifyTimestamp>=20261125120000Z)", true),
        (r#"meta.lastModified gt "2026-11-25T12:00:00Z""#, "(&(modifyTimestamp=*)(!(modifyTimestamp<=20261125120000Z)))", true),
        (r#"meta.created lt "2026-11-25T12:00:00.5Z""#, "(createTimestamp<=20261125120001Z)", false),
        (r#"meta.created gt "-000001-01-01T00:00:00Z""#, EVERYTHING, false),
        (r#"title eq "x" and emails.type eq "work""#, "(&(title=x)(mail=*))", false),
        (r#"active pr or title gt "x""#, EVERYTHING, true),
        (r#"not (title eq "x")"#, EVERYTHING, false),
    ] {
        assert_eq!(search(&MAPPING.users, filter), (expected.to_owned(), exact), "{filter}");
    }
}

#[test]
fn members_are_searched_for_by_their_names() {
    let (ana, group) = (PEOPLE[0].1, PEOPLE[3].1);
    for (filter, expected, exact) in [
        (format!(r#"members.value eq "{ana}""#), "(member=uid=ana,ou=people,dc=example,dc=com)", true),
        (format!(r#"members[value eq "{group}"]"#), "(member=cn=Sub group,ou=groups,dc=example,dc=com)", true),
        (format!(r#"members[value eq "{ana}" and type eq "User"]"#), "(member=uid=ana,ou=people,dc=example,dc=com)", false),
        (format!(r#"members.value ne "{ana}""#), "(!(member=uid=ana,ou=people,dc=example,dc=com))", true),
        (format!(r#"members.value eq "{}""#, PEOPLE[2].1.to_uppercase()), NOTHING, true),
        (r#"members.display co "a""#.to_owned(), "(member=*)", false),
        ("members pr".to_owned(), "(member=*)", false),
        (r#"displayName eq "Staff""#.to_owned(), "(cn=Staff)", false),
    ] {
        assert_eq!(search(&MAPPING.groups, &filter), (expected.to_owned(), exact), "{filter}");
    }
}

#[test]
fn users_are_searched_for_by_their_groups_where_nothing_else_has_to_be_looked_at() {
    let group = PEOPLE[3].1;
    let in_group = format!(r#"groups.value eq "{group}""#);
    let member_of = "(memberOf=cn=Sub group,ou=groups,dc=example,dc=com)";
    assert_eq!(search(&MAPPING.users, &in_group), (member_of.to_owned(), true));
    assert_eq!(
        search(&MAPPING.users, &format!("{in_group} and active eq true")),
        (format!("(&{member_of}(!(scimgateActive=FALSE)))"), true)
    );
    assert_eq!(search(&MAPPING.users, r#"groups eq "nobody""#), (NOTHING.to_owned(), true));
    let refused = |text: &str| MAPPING.users.translate(&filter_on(&MAPPING.users, text), &TARGETS).unwrap_err().detail;
    for filter in [&format!(r#"{in_group} and title gt "a""#), "groups pr", r#"not (groups pr) or title sw "a""#] {
        assert!(refused(filter).starts_with("groups.value can only stand beside conditions"), "{filter}");
    }
    assert!(refused(r#"groups.value co "a""#).starts_with("groups.value can only be compared by eq"));
    assert!(refused(r#"groups.display eq "a""#).starts_with("groups.display cannot be searched for"));
    assert!(refused(r#"groups[value eq "a"]"#).starts_with("groups cannot be searched for"));
}

#[test]
fn references_are_found_before_a_filter_is_translated() {
    let filter = format!(
        r#"title eq "t" and not ({}:manager[value ne "m1" or displayName eq "d"]) or groups.value eq "g1""#,
        values::ENTERPRISE
    );
    assert_eq!(references_in(&filter_on(&MAPPING.users, &filter)), ["m1", "g1"]);
    assert_eq!(references_in(&filter_on(&MAPPING.groups, r#"members.value eq "a" or members[value eq "b"]"#)), ["a", "b"]);
}

#[test]
fn an_attribute_that_nothing_holds_matches_nothing_without_a_look() {
    let bare = compiled(&config(), Loaded { ours: false, ppolicy: false });
    assert_eq!(search(&bare.users, r#"externalId eq "p1""#), (NOTHING.to_owned(), true));
    assert_eq!(search(&bare.users, r#"externalId ne "p1""#), (EVERYTHING.to_owned(), true));
    assert_eq!(search(&bare.groups, "externalId pr"), (NOTHING.to_owned(), true));
}

#[test]
fn ids_and_unique_names_are_looked_up_exactly() {
    let users = &MAPPING.users;
    let by_id = |id: &str| users.by_id(id).map(|filter| filter.to_string());
    assert_eq!(by_id(PEOPLE[0].1), Some(format!("(entryUUID={})", PEOPLE[0].1)));
    assert_eq!(by_id(&PEOPLE[2].1.to_uppercase()), Some(format!("(entryUUID={})", PEOPLE[2].1)));
    for no_id in [
        "",
        "*",
        "ana",
        "11111111111141118111111111111111",
        "{11111111-1111-4111-8111-111111111111}",
        "urn:uuid:11111111-1111-4111-8111-111111111111",
    ] {
        assert_eq!(by_id(no_id), None, "{no_id}");
    }
    // The entry's own name sees to it that there is no second.
    assert_eq!(users.unique_filter(&user(serde_json::json!({ "userName": "ana" }))), None);
    let mut config = config();
    config.users.rdn = Some("scimgateExternalId".to_owned());
    let others = compiled(&config, Loaded { ours: true, ppolicy: false }).users;
    let filter = others.unique_filter(&user(serde_json::json!({ "userName": "*)(uid=*", "externalId": "1" }))).unwrap();
    assert_eq!(filter.to_string(), "(uid=\\2a\\29\\28uid=\\2a)");
}

#[test]
fn an_attribute_that_compares_otherwise_is_searched_with_care() {
    let odd = &laws::ODD.users;
    for (filter, expected, exact) in [
        // Finer there: "ANA" must be found too.
        (r#"nickName eq "Ana""#, "(labeledURI=*)", false),
        // Coarser there: "ANA" is found and must be left out.
        (r#"externalId eq "Ana""#, "(employeeNumber=Ana)", false),
        // Numbers: "ana" is none, which would be Undefined.
        (r#"urn:x:code eq "ana""#, "(uidNumber=*)", false),
        ("urn:x:count gt 6", "(scimgateTimezone=*)", false),
        ("urn:x:flag eq true", "(scimgateActive=TRUE)", true),
        // Text that is no flag is false.
        ("urn:x:odd eq false", "(scimgateLocale=*)", false),
        ("urn:x:odd pr", "(scimgateLocale=*)", false),
        // An item may be made of a description alone.
        (r#"phoneNumbers[type eq "work"]"#, "(|(description=*)(telephoneNumber=*))", true),
    ] {
        assert_eq!(search(odd, filter), (expected.to_owned(), exact), "{filter}");
    }
    let hidden = &laws::HIDDEN.users;
    for (filter, expected) in [
        (r#"emails.value eq "a@x""#, "(mail=a@x)"),
        (r#"emails.value sw "a""#, "(mail=*)"),
        ("emails pr", "(mail=*)"),
        (r#"phoneNumbers[type eq "fax" and value eq "1"]"#, "(facsimileTelephoneNumber=*)"),
    ] {
        assert_eq!(search(hidden, filter), (expected.to_owned(), false), "{filter}");
    }
}
