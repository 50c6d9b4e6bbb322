//! The grammar: what parses, as what, and where it stops.

use proptest::prelude::*;

use crate::scim::filter::{CompareOp, Filter, Literal, RawTarget, parse_target};
use crate::scim::{AttrPath, Budgets, Dialect, ScimError, ScimType, Tolerance, ToleranceSet};

type Raw = Filter<AttrPath>;

fn parse_as(text: &str, mut dialect: Dialect) -> Result<Raw, ScimError> {
    Raw::parse(text, &Budgets::default(), &mut dialect)
}

fn parse(text: &str) -> Raw {
    parse_as(text, strict()).unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn refusal(text: &str, dialect: Dialect) -> String {
    let error = parse_as(text, dialect).expect_err(text);
    assert_eq!(error.scim_type, Some(ScimType::InvalidFilter), "{text}");
    error.detail
}

fn strict() -> Dialect {
    Dialect { allowed: ToleranceSet::none(), ..Dialect::default() }
}

fn path(text: &str) -> AttrPath {
    AttrPath { text: text.to_owned() }
}

fn compare(name: &str, op: CompareOp, value: Literal) -> Raw {
    Filter::Compare { path: path(name), op, value }
}

fn eq(name: &str, value: &str) -> Raw {
    compare(name, CompareOp::Eq, Literal::String(value.to_owned()))
}

fn and(left: Raw, right: Raw) -> Raw {
    Filter::And(Box::new(left), Box::new(right))
}

fn or(left: Raw, right: Raw) -> Raw {
    Filter::Or(Box::new(left), Box::new(right))
}

fn not(inner: Raw) -> Raw {
    Filter::Not(Box::new(inner))
}

fn within(name: &str, filter: Raw) -> Raw {
    Filter::ValuePath { path: path(name), filter: Box::new(filter) }
}

#[test]
fn examples_of_the_rfc_parse_without_any_tolerance() {
    for text in [
        r#"userName eq "bjensen""#,
        r#"name.familyName co "O'Malley""#,
        r#"userName sw "J""#,
        r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "J""#,
        "title pr",
        r#"meta.lastModified gt "2011-05-13T04:42:34Z""#,
        r#"meta.lastModified ge "2011-05-13T04:42:34Z""#,
        r#"meta.lastModified lt "2011-05-13T04:42:34Z""#,
        r#"meta.lastModified le "2011-05-13T04:42:34Z""#,
        r#"title pr and userType eq "Employee""#,
        r#"title pr or userType eq "Intern""#,
        r#"schemas eq "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User""#,
        r#"userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")"#,
        r#"userType ne "Employee" and not (emails co "example.com" or emails.value co "example.org")"#,
        r#"userType eq "Employee" and (emails.type eq "work")"#,
        r#"userType eq "Employee" and emails[type eq "work" and value co "@example.com"]"#,
        r#"emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]"#,
    ] {
        let filter = parse(text);
        assert_eq!(filter.to_string(), text.replace(r#"(emails.type eq "work")"#, r#"emails.type eq "work""#));
    }
}

#[test]
fn not_binds_tighter_than_and_and_and_tighter_than_or() {
    let (a, b, c) = (|| Filter::Present(path("a")), || Filter::Present(path("b")), || Filter::Present(path("c")));
    for (text, expected) in [
        ("a pr or b pr and c pr", or(a(), and(b(), c()))),
        ("a pr and b pr or c pr", or(and(a(), b()), c())),
        ("(a pr or b pr) and c pr", and(or(a(), b()), c())),
        ("a pr and b pr and c pr", and(and(a(), b()), c())),
        ("a pr and (b pr and c pr)", and(a(), and(b(), c()))),
        ("a pr or b pr or c pr", or(or(a(), b()), c())),
        ("not (a pr) and b pr", and(not(a()), b())),
        ("not(a pr and b pr) or c pr", or(not(and(a(), b())), c())),
        ("NOT (not(a pr))", not(not(a()))),
        ("(((a pr)))", a()),
    ] {
        assert_eq!(parse(text), expected, "{text}");
        assert_eq!(parse(&expected.to_string()), expected, "{expected}");
    }
}

#[test]
fn operators_and_keywords_are_read_without_case() {
    assert_eq!(parse(r#"username Eq "x""#), eq("username", "x"));
    assert_eq!(parse(r#"a EQ "x" AND b Pr"#), and(eq("a", "x"), Filter::Present(path("b"))));
    assert_eq!(
        parse("a eq TRUE Or a eq Null"),
        or(compare("a", CompareOp::Eq, Literal::Boolean(true)), compare("a", CompareOp::Eq, Literal::Null),)
    );
    for op in CompareOp::ALL {
        assert_eq!(parse(&format!("a {} 1", op.as_str().to_uppercase())), compare("a", op, Literal::Number(1.into())));
    }
}

#[test]
fn a_keyword_where_an_attribute_stands_is_an_attribute() {
    assert_eq!(parse("not pr and and pr"), and(Filter::Present(path("not")), Filter::Present(path("and"))));
    assert_eq!(parse(r#"eq eq "eq""#), eq("eq", "eq"));
}

#[test]
fn literals_are_those_of_json() {
    for (text, value) in [
        (r#""a\"b\\c\/d\n\u00e9\ud83d\ude00""#, Literal::String("a\"b\\c/d\né😀".into())),
        (r#""( ) [ ] and or not * cn=x,dc=y""#, Literal::String("( ) [ ] and or not * cn=x,dc=y".into())),
        (r#""""#, Literal::String(String::new())),
        ("0", Literal::Number(0.into())),
        ("-17", Literal::Number((-17).into())),
        ("18446744073709551615", Literal::Number(u64::MAX.into())),
        ("1.5e3", Literal::Number(serde_json::Number::from_f64(1500.0).unwrap())),
        ("false", Literal::Boolean(false)),
        ("null", Literal::Null),
    ] {
        assert_eq!(parse(&format!("a eq {text}")), compare("a", CompareOp::Eq, value), "{text}");
    }
}

#[test]
fn errors_name_the_byte_and_what_was_expected() {
    for (text, detail) in [
        ("", "at byte 0: expected an attribute, `not` or `(`, found the end"),
        ("userName foo \"x\"", "at byte 9: expected a comparison operator after `userName`, found `foo`"),
        ("userName", "at byte 8: expected a comparison operator after `userName`, found the end"),
        ("userName eq", "at byte 11: expected a value after `eq`, found the end"),
        ("userName eq \"x", "at byte 12: the string has no closing quote"),
        (
            r#"a eq "\ud800""#,
            "at byte 5: the string is not a JSON string: control characters, quotes and backslashes are escaped in it",
        ),
        (
            r#"a eq "\x41""#,
            "at byte 5: the string is not a JSON string: control characters, quotes and backslashes are escaped in it",
        ),
        ("a eq \"x\" title pr", "at byte 9: expected `and`, `or` or the end of the filter, found `title`"),
        ("(a pr", "at byte 5: expected `and`, `or` or `)`, found the end"),
        ("a pr)", "at byte 4: expected `and`, `or` or the end of the filter, found `)`"),
        ("a[b pr", "at byte 6: expected `and`, `or` or `]`, found the end"),
        ("a pr and", "at byte 8: expected an attribute, `not` or `(`, found the end"),
        ("a[b[c pr]]", "at byte 3: a value path inside the brackets of a value path is not part of the grammar"),
        ("naïve pr", "at byte 0: expected an attribute, `not` or `(`, found `naïve`"),
        ("\"a\" pr", "at byte 0: expected an attribute, `not` or `(`, found a quoted string"),
    ] {
        assert_eq!(refusal(text, strict()), detail, "{text}");
    }
}

#[test]
fn an_unquoted_value_is_taken_when_tolerated() {
    for value in ["jyoung", "ana@corp.example", "12ab", "1e999", "007", "cn=x,dc=y"] {
        let text = format!("externalId eq {value}");
        let mut dialect = Dialect::default();
        assert_eq!(Raw::parse(&text, &Budgets::default(), &mut dialect), Ok(eq("externalId", value)));
        assert!(dialect.used.contains(Tolerance::UnquotedFilterValue));
        assert!(refusal(&text, strict()).starts_with("at byte 14: expected a value after `eq`"), "{text}");
    }
    assert!(refusal("a eq 'x'", Dialect::default()).ends_with("strings stand in double quotes"));
    assert!(refusal("a eq and b pr", Dialect::default()).starts_with("at byte 5"));
}

#[test]
fn a_condition_after_the_brackets_moves_inside_when_tolerated() {
    let text = r#"emails[type eq "work"].value eq "x" and a pr"#;
    let moved = within("emails", and(eq("type", "work"), eq("value", "x")));
    assert_eq!(parse_as(text, Dialect::default()), Ok(and(moved, Filter::Present(path("a")))));
    let text = r#"emails[type eq "work" or primary pr].value pr"#;
    let moved = within("emails", and(or(eq("type", "work"), Filter::Present(path("primary"))), Filter::Present(path("value"))));
    assert_eq!(parse_as(text, Dialect::default()), Ok(moved));
    assert!(refusal(text, strict()).starts_with("at byte 36: a value path ends with `]`"));
    assert!(refusal(r#"emails[type eq "work"] .value pr"#, Dialect::default()).starts_with("at byte 23"));
    assert!(refusal(r#"emails[type eq "work"].a.b pr"#, Dialect::default()).starts_with("at byte 22"));
}

#[test]
fn budgets_are_kept_while_parsing() {
    let budgets = Budgets::default();
    let deep = |n: usize| format!("{}a pr{}", "(".repeat(n), ")".repeat(n));
    assert!(parse_as(&deep(budgets.filter_depth), strict()).is_ok());
    assert_eq!(refusal(&deep(budgets.filter_depth + 1), strict()), "at byte 32: nested deeper than the 32 levels allowed");
    assert_eq!(refusal(&"(".repeat(2_000), strict()), "at byte 32: nested deeper than the 32 levels allowed");
    assert!(refusal(&"not (".repeat(1_000), strict()).contains("nested deeper"));
    let wide = |n: usize| vec!["a pr"; n].join(" or ");
    assert!(parse_as(&wide(budgets.filter_terms), strict()).is_ok());
    assert!(refusal(&wide(budgets.filter_terms + 1), strict()).ends_with("more than the 256 comparisons allowed"));
    let long = format!("a eq \"{}\"", "x".repeat(budgets.filter_length));
    assert_eq!(refusal(&long, strict()), "at byte 8192: longer than the 8192 bytes allowed");
}

#[test]
fn patch_paths_are_attributes_with_brackets_and_a_sub_attribute() {
    let target = |text: &str| parse_target(text, &Budgets::default(), &mut strict());
    let raw = |name: &str, filter, sub: Option<&str>| RawTarget { path: path(name), filter, sub: sub.map(str::to_owned) };
    assert_eq!(target("name.givenName"), Ok(raw("name.givenName", None, None)));
    assert_eq!(target(" members "), Ok(raw("members", None, None)));
    assert_eq!(target(r#"members[value eq "1"]"#), Ok(raw("members", Some(eq("value", "1")), None)));
    assert_eq!(target(r#"emails[type eq "work"].Value"#), Ok(raw("emails", Some(eq("type", "work")), Some("Value"))));
    for (text, scim_type) in [
        ("", ScimType::InvalidPath),
        ("emails value", ScimType::InvalidPath),
        (r#"emails[type eq "work"].value.x"#, ScimType::InvalidPath),
        (r#"emails[type eq "work"]value"#, ScimType::InvalidPath),
        (r#"emails[type eq "work"#, ScimType::InvalidFilter),
        ("emails[type]", ScimType::InvalidFilter),
    ] {
        assert_eq!(target(text).map_err(|fault| fault.scim_type), Err(scim_type), "{text}");
    }
}

fn arb_literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        any::<String>().prop_map(Literal::String),
        any::<i64>().prop_map(|n| Literal::Number(n.into())),
        any::<f64>().prop_filter_map("finite", |n| serde_json::Number::from_f64(n).map(Literal::Number)),
        any::<bool>().prop_map(Literal::Boolean),
        Just(Literal::Null),
    ]
}

/// Attribute names and sub-attributes, sometimes under a URI, sometimes spelt like a keyword.
fn arb_path() -> impl Strategy<Value = AttrPath> {
    "(urn:[a-z0-9:.]{0,20}:)?(not|and|eq|pr|true|[a-zA-Z][a-zA-Z0-9_-]{0,8})(\\.[a-z$]{1,5})?".prop_map(|text| AttrPath { text })
}

fn tree(leaf: BoxedStrategy<Raw>) -> impl Strategy<Value = Raw> {
    leaf.prop_recursive(4, 24, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(l, r)| and(l, r)),
            (inner.clone(), inner.clone()).prop_map(|(l, r)| or(l, r)),
            inner.prop_map(not),
        ]
    })
}

fn arb_term(paths: BoxedStrategy<AttrPath>) -> BoxedStrategy<Raw> {
    let op = prop::sample::select(CompareOp::ALL.to_vec());
    prop_oneof![
        paths.clone().prop_map(Filter::Present),
        (paths, op, arb_literal()).prop_map(|(path, op, value)| Filter::Compare { path, op, value }),
    ]
    .boxed()
}

fn arb_filter() -> impl Strategy<Value = Raw> {
    let terms = || arb_term(arb_path().boxed());
    let value_path = (arb_path(), tree(terms())).prop_map(|(path, filter)| Filter::ValuePath { path, filter: Box::new(filter) });
    tree(prop_oneof![3 => terms(), 1 => value_path].boxed())
}

proptest! {
    #[test]
    fn printing_and_parsing_give_the_same_filter(filter in arb_filter()) {
        let text = filter.to_string();
        let budgets = Budgets { filter_length: usize::MAX, ..Budgets::default() };
        prop_assert_eq!(Raw::parse(&text, &budgets, &mut strict()), Ok(filter), "{}", text);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>(), likely in r#"([()\[\]".\\ ]|not|and|or|eq|pr|a|1|true|é){0,40}"#) {
        for text in [text, likely] {
            for dialect in [strict(), Dialect::default()] {
                if let Ok(filter) = parse_as(&text, dialect) {
                    prop_assert_eq!(parse(&filter.to_string()), filter);
                }
            }
            let _ = parse_target(&text, &Budgets::default(), &mut Dialect::default());
        }
    }
}
