//! Filters against the schema: names, operators, literals.

use crate::scim::{AttrPath, BoundPath, Budgets, Dialect, Filter, SchemaRegistry, ScimError, ScimType, Tolerance, ToleranceSet};

pub(super) fn strict() -> Dialect {
    Dialect { allowed: ToleranceSet::none(), ..Dialect::default() }
}

pub(super) fn bind(text: &str, dialect: &mut Dialect) -> Result<Filter<BoundPath>, ScimError> {
    let ty = SchemaRegistry::builtin().user;
    Filter::<AttrPath>::parse(text, &Budgets::default(), dialect)?.bind(&ty, dialect)
}

fn bound(text: &str) -> String {
    bind(text, &mut strict()).unwrap_or_else(|e| panic!("{text}: {e}")).to_string()
}

fn refused(text: &str) -> String {
    let error = bind(text, &mut Dialect::default()).expect_err(text);
    assert_eq!(error.scim_type, Some(ScimType::InvalidFilter), "{text}");
    error.detail
}

#[test]
fn names_take_the_case_of_the_schema_and_print_as_a_filter_again() {
    for (text, printed) in [
        (r#"USERNAME eq "x""#, r#"userName eq "x""#),
        ("NAME.familyname pr", "name.familyName pr"),
        (r#"urn:ietf:params:scim:schemas:core:2.0:User:username eq "x""#, r#"userName eq "x""#),
        (
            r#"EMAILS[Type eq "work" and (VALUE co "x" or not(primary eq true))]"#,
            r#"emails[type eq "work" and (value co "x" or not (primary eq true))]"#,
        ),
        (
            r#"URN:ietf:params:scim:schemas:extension:enterprise:2.0:user:DEPARTMENT eq "x""#,
            r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "x""#,
        ),
        (r#"meta.lastmodified gt "2011-05-13T04:42:34Z""#, r#"meta.lastModified gt "2011-05-13T04:42:34Z""#),
        (r#"id eq "x" or externalid eq "y""#, r#"id eq "x" or externalId eq "y""#),
    ] {
        assert_eq!(bound(text), printed);
        assert_eq!(bound(printed), printed);
    }
}

#[test]
fn an_unknown_attribute_is_named_with_the_nearest_one() {
    assert_eq!(refused(r#"userNme eq "x""#), "`userNme` is not an attribute of User, did you mean `userName`?");
    assert_eq!(refused("emails.valu pr"), "`emails.valu` is not an attribute of User, did you mean `emails.value`?");
    assert_eq!(refused("shoeSize pr"), "`shoeSize` is not an attribute of User");
    assert!(refused("emails[colour pr]").starts_with("`colour` is not a sub-attribute of `emails` ("));
    assert!(refused(&format!("{} pr", "x".repeat(5_000))).len() < 100);
}

#[test]
fn operators_that_do_not_fit_the_type_are_refused() {
    for text in [
        r#"active co "t""#,
        "active gt true",
        "active sw true",
        r#"emails gt "x""#,
        r#"name eq "x""#,
        "name.familyName gt null",
        r#"meta.lastModified co "2011""#,
        r#"meta.lastModified gt "yesterday""#,
        r#"profileUrl gt "https://x""#,
        r#"x509Certificates[value lt "AAAA"]"#,
        "userName eq true",
        "userName eq 1.5",
        "active eq 1",
        r#"active eq "yes""#,
        r#"userName[value eq "x"]"#,
        r#"name.familyName[value eq "x"]"#,
    ] {
        refused(text);
    }
    for text in [
        r#"profileUrl sw "https://x""#,
        r#"x509Certificates.value eq "AAAA""#,
        "name eq null",
        "emails ne null",
        "active ne null",
        "active pr",
        "name pr",
    ] {
        bound(text);
    }
}

#[test]
fn what_clients_send_beyond_the_rfc_is_bound_when_tolerated() {
    for (text, printed, tolerance) in [
        (r#"emails eq "x""#, r#"emails.value eq "x""#, Tolerance::FilterOnComplexAttribute),
        (r#"email Co "x""#, r#"emails.value co "x""#, Tolerance::FilterEmailAlias),
        (r#"active eq "True""#, "active eq true", Tolerance::StringBoolean),
        ("externalId eq 701984", r#"externalId eq "701984""#, Tolerance::UnquotedFilterValue),
        ("externalId eq jyoung", r#"externalId eq "jyoung""#, Tolerance::UnquotedFilterValue),
        (r#"emails[type eq "work"].value eq "x""#, r#"emails[type eq "work" and value eq "x"]"#, Tolerance::FilterValuePathSub),
    ] {
        let mut dialect = Dialect::default();
        assert_eq!(bind(text, &mut dialect).map(|filter| filter.to_string()), Ok(printed.to_owned()));
        assert!(dialect.used.contains(tolerance), "{text}");
        let error = bind(text, &mut strict()).expect_err(text);
        assert_eq!(error.scim_type, Some(ScimType::InvalidFilter), "{text}");
        let mut silent = Dialect::default();
        assert!(bind(printed, &mut silent).is_ok());
        assert!(!silent.used.contains(tolerance), "{printed}");
    }
}
