//! Any bytes as values of an LDAP filter: another parser reads what is printed as the same filter, so no value leaves its place.

#![no_main]

use arbitrary::{Arbitrary, Unstructured};
use ldap3::asn1::{ASNTag as _, PL, StructureTag};
use libfuzzer_sys::fuzz_target;
use scimgate::directory::Filter;

#[derive(Debug)]
struct Any(Filter);

impl<'a> Arbitrary<'a> for Any {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        filter(u, 6).map(Self)
    }
}

fn filter(u: &mut Unstructured<'_>, depth: usize) -> arbitrary::Result<Filter> {
    let attribute = (*u.choose(&["cn", "entryUUID", "mail;lang-de", "2.5.4.3"])?).to_owned();
    // Half of a substring filter's parts may be missing, but none is empty.
    let part = |u: &mut Unstructured<'_>| Ok(Some(Vec::<u8>::arbitrary(u)?).filter(|part| !part.is_empty()));
    Ok(match u.int_in_range(0..=if depth == 0 { 4 } else { 7 })? {
        0 => Filter::Present(attribute),
        1 => Filter::Equal(attribute, Arbitrary::arbitrary(u)?),
        2 => Filter::GreaterOrEqual(attribute, Arbitrary::arbitrary(u)?),
        3 => Filter::LessOrEqual(attribute, Arbitrary::arbitrary(u)?),
        4 => {
            let (initial, last) = (part(u)?, part(u)?);
            let mut any = Vec::new();
            while any.len() < 3
                && let Some(next) = part(u)?
            {
                any.push(next);
            }
            if initial.is_none() && last.is_none() && any.is_empty() {
                any.push(b"*".to_vec());
            }
            Filter::Substring { attribute, initial, any, last }
        }
        5 => Filter::Not(Box::new(filter(u, depth - 1)?)),
        n => {
            let parts = (0..u.int_in_range(0..=3)?).map(|_| filter(u, depth - 1)).collect::<Result<_, _>>()?;
            if n == 6 { Filter::And(parts) } else { Filter::Or(parts) }
        }
    })
}

/// The filter as the protocol has it (RFC 4511 section 4.5.1.7), without the packing.
fn read(tag: &StructureTag) -> Filter {
    let parts = || match &tag.payload {
        PL::C(parts) => parts.as_slice(),
        PL::P(_) => panic!("a primitive where parts are expected"),
    };
    let bytes = |tag: &StructureTag| match &tag.payload {
        PL::P(bytes) => bytes.clone(),
        PL::C(_) => panic!("parts where a primitive is expected"),
    };
    let name = |tag: &StructureTag| String::from_utf8(bytes(tag)).expect("an attribute's name");
    let assertion = |make: fn(String, Vec<u8>) -> Filter| make(name(&parts()[0]), bytes(&parts()[1]));
    match tag.id {
        0 => Filter::And(parts().iter().map(read).collect()),
        1 => Filter::Or(parts().iter().map(read).collect()),
        2 => Filter::Not(Box::new(read(&parts()[0]))),
        3 => assertion(Filter::Equal),
        4 => {
            let PL::C(pieces) = &parts()[1].payload else { panic!("a substring filter without parts") };
            let of = |id: u64| pieces.iter().filter(move |piece| piece.id == id).map(bytes);
            Filter::Substring { attribute: name(&parts()[0]), initial: of(0).next(), any: of(1).collect(), last: of(2).next() }
        }
        5 => assertion(Filter::GreaterOrEqual),
        6 => assertion(Filter::LessOrEqual),
        7 => Filter::Present(name(tag)),
        other => panic!("a filter of another sort: {other}"),
    }
}

/// The filter as it is printed: empty sets are spelt out.
fn spelt_out(filter: &Filter) -> Filter {
    match filter {
        Filter::And(parts) if parts.is_empty() => Filter::everything(),
        Filter::Or(parts) if parts.is_empty() => Filter::nothing(),
        Filter::And(parts) => Filter::And(parts.iter().map(spelt_out).collect()),
        Filter::Or(parts) => Filter::Or(parts.iter().map(spelt_out).collect()),
        Filter::Not(inner) => Filter::Not(Box::new(spelt_out(inner))),
        other => other.clone(),
    }
}

fuzz_target!(|any: Any| {
    let Any(filter) = any;
    let printed = filter.to_string();
    let parsed = ldap3::parse_filter(&printed).unwrap_or_else(|()| panic!("not a filter: {printed}"));
    assert_eq!(read(&parsed.into_structure()), spelt_out(&filter), "{printed}");
});
