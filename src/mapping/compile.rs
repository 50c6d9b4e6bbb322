//! From configuration, map files and the directory's schema to a mapping that can be used, with every mistake at once.

use std::sync::{Arc, OnceLock};

use super::Active;
use super::config::{ActiveRule, ContainerConfig, MappingConfig, Mark, OnDelete, Passwords};
use super::deleted::Afterlife;
use super::map_file::{MapFile, MapFiles};
use super::resource_mapping::ResourceMapping;
use super::roles::{self, Role};
use super::rule::{Codec, MapPath, Rule};
use super::template::Template;
use crate::directory::profile::{Lock, MEMBER_OF, MemberOf, Profile};
use crate::directory::{AttributeName, AttributeType, Capabilities, Dn, Equality, Filter, InvalidAttributeName, Subschema};
use crate::scim::{BoundPath, Keep, Kind, ResourceType, SchemaRegistry};

/// The object class of `config/schema/`.
const OUR_CLASS: &str = "scimgateResource";
/// Its counterpart, of deleted users that stay in their place.
const OUR_DELETED: &str = "scimgateDeleted";
/// Its flag for accounts where no password policy is present.
const OUR_ACTIVE: &str = "scimgateActive";

/// What cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct MappingError(pub Vec<String>);

/// A mapping, and what of the configuration the directory could not hold.
#[derive(Debug)]
pub struct Compiled {
    /// Ready for use.
    pub mapping: Mapping,
    /// One sentence each, for the log and for `scimgate check`.
    pub remarks: Vec<String>,
}

/// Everything needed to translate.
#[derive(Debug)]
pub struct Mapping {
    /// People.
    pub users: ResourceMapping,
    /// Groups.
    pub groups: ResourceMapping,
    /// The schemas, narrowed to what the directory can hold.
    pub registry: Arc<SchemaRegistry>,
    /// The vendor's names.
    pub profile: &'static Profile,
    /// "Sync SCIM groups".
    pub groups_sync: bool,
    /// Groups in groups.
    pub groups_nested: bool,
    /// Groups a new user joins.
    pub default_groups: Vec<Dn>,
    /// Roles that are groups.
    pub roles: Vec<Role>,
}

impl Mapping {
    /// What a member of a group may be.
    pub fn member_kinds(&self) -> &'static [Kind] {
        if self.groups_nested { &[Kind::User, Kind::Group] } else { &[Kind::User] }
    }

    /// Compiles.
    pub fn compile(
        config: &MappingConfig,
        registry: &SchemaRegistry,
        maps: &MapFiles,
        capabilities: &Capabilities,
    ) -> Result<Compiled, MappingError> {
        let profile = Profile::of(capabilities);
        let mut work = Work { config, profile, capabilities, errors: Vec::new(), remarks: Vec::new() };
        if capabilities.schema.is_empty() {
            work.remarks.push(
                "the directory's schema cannot be read, so every configured attribute is believed to be there: let scimgate's \
                 account read the subschema entry"
                    .to_owned(),
            );
        }
        let [user_map, group_map] = maps.of(profile.map, config);
        let user_side = Side::new("users", &config.users, user_map);
        let group_side = Side::new("groups", &config.groups, group_map);
        let mark = work.mark();
        let ours = Mark { attribute: "objectClass".to_owned(), value: OUR_CLASS.to_owned() };
        let own_class = capabilities.schema.has_class(OUR_CLASS).then_some(ours);
        let other_mark = mark.iter().filter(|mark| own_class.as_ref().is_none_or(|own| !own.is(mark)));
        let ownership: Vec<Mark> = own_class.iter().chain(other_mark).cloned().collect();
        let active = work.active();
        let afterlife = work.afterlife(mark.as_ref(), &active);
        let mut users = work.rules(registry.get(Kind::User), user_side, (&ownership, &active));
        work.roles(registry.get(Kind::User), &mut users);
        let groups = work.rules(registry.get(Kind::Group), group_side, (&ownership, &Active::Nowhere));
        let user_rdn = work.rdn(user_side, &users);
        let group_rdn = work.rdn(group_side, &groups);
        let held = |rules: &[Rule], path: &BoundPath| {
            rules.iter().any(|rule| {
                let same_attribute = rule.path.parent() == path.parent();
                let items = path.attribute.multi_valued && !path.attribute.sub_attributes.is_empty();
                // Of an attribute kept by items, `primary` comes with the items and `type` with those of a type; of a reference,
                // what describes it.
                same_attribute
                    && (rule.path == *path
                        || rule.path.sub.is_none()
                        || path.sub.as_ref().is_some_and(|sub| match sub.name.as_str() {
                            "type" => items && (rule.item.is_some() || rule.codec.refers()),
                            "primary" => items && rule.path.sub.is_some(),
                            "display" => items && rule.codec.refers(),
                            "$ref" | "displayName" => rule.codec.refers(),
                            _ => false,
                        }))
            })
        };
        let keep = |rules: &[Rule], path: &BoundPath| match types(rules, path) {
            _ if !held(rules, path) => Keep::No,
            Some(types) => Keep::Suggesting(types),
            None => Keep::Yes,
        };
        let registry = Arc::new(registry.narrowed(|kind, path| match kind {
            Kind::User => match path.attribute.name.as_str() {
                // Without a place for it every account is active, and to disable one is refused, not passed over.
                "active" | "groups" => Keep::Yes,
                "roles" if path.sub_name() == Some("value") && !config.roles.is_empty() => {
                    Keep::Suggesting(config.roles.iter().map(|role| role.name.clone()).collect())
                }
                "password" if config.passwords == Passwords::Store && path.extension.is_none() => Keep::Yes,
                _ => keep(&users, path),
            },
            Kind::Group => keep(&groups, path),
        }));
        let (Some(user_rdn), Some(group_rdn), true) = (user_rdn, group_rdn, work.errors.is_empty()) else {
            return Err(MappingError(work.errors));
        };
        let schema = &capabilities.schema;
        let member_of = config.member_of.unwrap_or(match profile.member_of {
            MemberOf::Always => true,
            MemberOf::InSchema => schema.attribute(MEMBER_OF).is_some(),
            MemberOf::AsConfigured => false,
        });
        let by_login = groups.iter().any(|rule| rule.codec == Codec::Login);
        let logins = by_login.then(|| (user_rdn.clone(), config.users.base.clone()));
        let side =
            |kind: Kind, side: Side<'_>, rdn: AttributeName, rules: Vec<Rule>, (active, afterlife): (Active, Afterlife)| {
                let ty = registry.get(kind).clone();
                let classes = side.classes(&ownership);
                let members = rules.iter().find(|rule| rule.path.attribute.name == "members" && rule.codec.refers());
                ResourceMapping {
                    base: side.container.base.clone(),
                    profile,
                    active,
                    object_classes: side.object_classes.to_vec(),
                    class: side.select(),
                    rdn,
                    fallback: work.fallback(&ty, side.map, &classes, &rules),
                    new: side.map.new.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
                    generated: side.map.generated.clone(),
                    user_name: config.user_name,
                    passwords: config.passwords,
                    ownership: ownership.clone(),
                    visible: mark.clone().filter(|_| !config.existing_users),
                    afterlife,
                    placeholder: config.placeholder.clone(),
                    demands_member: members.is_some_and(|rule| demands_member(schema, &classes, &rule.attribute)),
                    logins: logins.clone(),
                    member_of: member_of && !by_login,
                    swaps: !capabilities.has_control(Capabilities::ASSERTION),
                    usual_attributes: OnceLock::new(),
                    usual_but_members: OnceLock::new(),
                    told_by_marks: OnceLock::new(),
                    usual_view: OnceLock::new(),
                    whole_view: OnceLock::new(),
                    rules,
                    ty,
                }
            };
        let users = side(Kind::User, user_side, user_rdn, users, (active, afterlife));
        let groups = side(Kind::Group, group_side, group_rdn, groups, (Active::Nowhere, Afterlife::None));
        let (default_groups, roles) = (config.default_groups.clone(), config.roles.clone());
        let MappingConfig { groups_sync, groups_nested, .. } = *config;
        let mapping = Self { users, groups, registry, profile, groups_sync, groups_nested, default_groups, roles };
        Ok(Compiled { mapping, remarks: work.remarks })
    }

    /// One resource type's side.
    pub fn of(&self, kind: Kind) -> &ResourceMapping {
        match kind {
            Kind::User => &self.users,
            Kind::Group => &self.groups,
        }
    }
}

/// The types of the items that are kept, where a path is the `type` of such: a client that follows the schema sends no others.
fn types(rules: &[Rule], path: &BoundPath) -> Option<Vec<String>> {
    let sub = path.sub.as_ref().filter(|sub| sub.name == "type")?;
    let items = rules.iter().filter(|rule| rule.path.parent() == path.parent()).filter_map(|rule| rule.item.as_ref());
    let items: std::collections::BTreeSet<&String> = items.collect();
    let suggested = sub.canonical_values.iter().filter(|value| items.contains(value));
    let others = items.iter().copied().filter(|item| !sub.canonical_values.contains(item));
    (!items.is_empty()).then(|| suggested.chain(others).cloned().collect())
}

/// What is configured for one resource type, with what its map file says where the configuration is silent.
#[derive(Debug, Clone, Copy)]
struct Side<'a> {
    section: &'static str,
    container: &'a ContainerConfig,
    object_classes: &'a [String],
    rdn: &'a str,
    map: &'a MapFile,
}

impl<'a> Side<'a> {
    fn new(section: &'static str, container: &'a ContainerConfig, map: &'a MapFile) -> Self {
        let object_classes = container.object_classes.as_deref().unwrap_or(&map.object_classes);
        Self { section, container, object_classes, rdn: container.rdn.as_deref().unwrap_or(&map.rdn), map }
    }

    /// The object classes a new entry has.
    fn classes<'b>(&'b self, ownership: &'b [Mark]) -> Vec<&'b str> {
        let marks = ownership.iter().filter(|mark| mark.attribute.eq_ignore_ascii_case("objectClass")).map(|mark| &mark.value);
        self.object_classes.iter().chain(marks).map(String::as_str).collect()
    }

    /// What finds existing entries.
    fn select(&self) -> Filter {
        if self.container.object_classes.is_none() && !self.map.select.is_empty() {
            return Filter::all(self.map.select.iter().map(|(attribute, value)| Filter::equal(attribute, value)));
        }
        self.object_classes.last().map_or_else(Filter::everything, |class| Filter::equal("objectClass", class))
    }
}

/// Whether the schema demands a member; where it cannot be read, the standard's classes do (RFC 4519 section 3.5).
fn demands_member(schema: &Subschema, classes: &[&str], attribute: &str) -> bool {
    let standard = ["groupOfNames", "groupOfUniqueNames"];
    let by_name = || classes.iter().any(|class| standard.iter().any(|standard| standard.eq_ignore_ascii_case(class)));
    schema.demands(classes.iter().copied(), attribute).unwrap_or_else(by_name)
}

/// What an attribute is that the directory does not tell about.
fn assumed(attribute: &str) -> AttributeType {
    // RFC 4519 section 2.10 gives this one no equality rule.
    let fax = ["facsimileTelephoneNumber", "fax"].iter().any(|name| name.eq_ignore_ascii_case(attribute));
    let equality = if fax { Equality::None } else { Equality::CaseIgnore };
    AttributeType { equality, ..AttributeType::default() }
}

/// What compilation gathers.
struct Work<'a> {
    config: &'a MappingConfig,
    profile: &'static Profile,
    capabilities: &'a Capabilities,
    errors: Vec<String>,
    remarks: Vec<String>,
}

impl Work<'_> {
    fn knows(&self, attribute: &str) -> bool {
        attribute.eq_ignore_ascii_case("objectClass") || self.capabilities.schema.attribute(attribute).is_some()
    }

    /// The mark, if the directory can hold it.
    fn mark(&mut self) -> Option<Mark> {
        let ours = Mark { attribute: "objectClass".to_owned(), value: OUR_CLASS.to_owned() };
        let of_profile =
            self.profile.mark.map(|(attribute, value)| Mark { attribute: attribute.to_owned(), value: value.to_owned() });
        let candidates = match &self.config.mark {
            Some(mark) => vec![mark.clone()],
            None => std::iter::once(ours).chain(of_profile).collect(),
        };
        if let Some(mark) = candidates.iter().find(|mark| self.holds(mark)) {
            return Some(Mark { attribute: self.name(&mark.attribute, &[]), value: mark.value.clone() });
        }
        let wanted: Vec<String> = candidates.iter().map(|mark| format!("{}={}", mark.attribute, mark.value)).collect();
        self.remarks.push(format!(
            "the directory cannot hold the mark of managed entries ({}), so every entry below users.base and groups.base counts as \
             managed: load config/schema/scimgate.ldif into the directory, or set users.mark to an attribute and value it has",
            wanted.join(" or ")
        ));
        None
    }

    /// Gives roles their place, where they are groups.
    fn roles(&mut self, ty: &ResourceType, rules: &mut Vec<Rule>) {
        if self.config.roles.is_empty() {
            return;
        }
        if let Some(other) = rules.iter().find(|rule| rule.path.extension.is_none() && rule.path.attribute.name == "roles") {
            self.errors.push(format!(
                "users.attributes: `{}` is kept in `{}`, and [roles] says that roles are groups: take one of them out",
                other.path, other.attribute
            ));
            return;
        }
        match roles::rule(ty) {
            Ok(rule) => rules.push(rule),
            Err(error) => self.errors.push(format!("roles: {error}")),
        }
    }

    /// What becomes of deleted users. Who stays in place bears another mark than managed entries: a class of ours instead of the
    /// other, or another value of the same attribute.
    fn afterlife(&mut self, mark: Option<&Mark>, active: &Active) -> Afterlife {
        let on_delete = match &self.config.on_delete {
            OnDelete::Delete => return Afterlife::None,
            kept @ (OnDelete::Disable | OnDelete::Recycle(_)) => kept.clone(),
        };
        if *active == Active::Nowhere {
            self.errors.push(
                "users.on_delete disables deleted users, and the directory has no place for that: load the ppolicy overlay or \
                 config/schema/scimgate.ldif, set users.active to an attribute of yours, or set users.on_delete = \"delete\""
                    .to_owned(),
            );
        }
        let deleted = match (on_delete, mark) {
            (OnDelete::Delete, _) => return Afterlife::None,
            (OnDelete::Recycle(base), _) => return Afterlife::There(base),
            (OnDelete::Disable, None) => None,
            (OnDelete::Disable, Some(mark)) if mark.attribute.eq_ignore_ascii_case("objectClass") => {
                let deleted = Mark { attribute: mark.attribute.clone(), value: OUR_DELETED.to_owned() };
                Some(deleted).filter(|deleted| self.holds(deleted))
            }
            (OnDelete::Disable, Some(mark)) => {
                Some(Mark { attribute: mark.attribute.clone(), value: format!("{}-deleted", mark.value) })
            }
        };
        deleted.map_or_else(
            || {
                self.errors.push(
                    "users.on_delete is \"disable\", and the directory cannot hold the mark of deleted users: load the present \
                     config/schema/scimgate.ldif (scimgateDeleted), set users.mark to an attribute of yours, or set \
                     users.on_delete = \"recycle\" and users.recycle_base"
                        .to_owned(),
                );
                Afterlife::None
            },
            Afterlife::Here,
        )
    }

    fn holds(&self, mark: &Mark) -> bool {
        if mark.attribute.eq_ignore_ascii_case("objectClass") {
            self.capabilities.schema.has_class(&mark.value)
        } else {
            self.knows(&mark.attribute)
        }
    }

    fn active(&mut self) -> Active {
        let (attribute, lock) = match self.profile.lock {
            Lock::Value { attribute, locked } => {
                (attribute, Active::Lock { attribute: attribute.to_owned(), locked: locked.to_owned() })
            }
            Lock::Bit { attribute, bit, enabled } => (attribute, Active::Bit { attribute: attribute.to_owned(), bit, enabled }),
        };
        match &self.config.active {
            ActiveRule::Auto if self.knows(attribute) => lock,
            ActiveRule::Auto if self.knows(OUR_ACTIVE) => Active::Flag {
                attribute: OUR_ACTIVE.to_owned(),
                equality: Equality::Other,
                enabled: "TRUE".to_owned(),
                disabled: "FALSE".to_owned(),
            },
            ActiveRule::Auto => {
                self.remarks.push(
                    "the directory has no place for `active`, so no user can be disabled: load the ppolicy overlay or \
                     config/schema/scimgate.ldif, or set users.active to an attribute of yours"
                        .to_owned(),
                );
                Active::Nowhere
            }
            ActiveRule::Ppolicy => {
                if !self.knows(attribute) && !self.capabilities.schema.is_empty() {
                    self.errors.push(format!(
                        "users.active is \"ppolicy\", but the directory has no attribute {attribute}: load the ppolicy overlay there"
                    ));
                }
                lock
            }
            ActiveRule::Attribute { name, enabled, disabled } => {
                let equality = match self.capabilities.schema.attribute(name) {
                    Some(definition) => definition.equality,
                    None if self.capabilities.schema.is_empty() => Equality::CaseIgnore,
                    None => {
                        self.errors.push(format!("users.active: the directory has no attribute `{name}`"));
                        Equality::Other
                    }
                };
                if equality == Equality::None {
                    self.errors.push(format!(
                        "users.active: the directory cannot compare values of `{name}`: take an attribute with an equality rule"
                    ));
                }
                let (enabled, disabled) = (enabled.clone(), disabled.clone());
                Active::Flag { attribute: self.name(name, &[]), equality, enabled, disabled }
            }
        }
    }

    fn rules(&mut self, ty: &ResourceType, side: Side<'_>, (ownership, active): (&[Mark], &Active)) -> Vec<Rule> {
        let Side { container, map, .. } = side;
        let classes = side.classes(ownership);
        let own = container.attributes.iter().map(|(path, attribute)| (path.as_str(), attribute.as_str()));
        let built_in =
            map.attributes.iter().filter_map(|(path, value)| value.as_str().map(|attribute| (path.as_str(), attribute)));
        let section = format!("{}.attributes", side.section);
        let mut rules: Vec<Rule> = Vec::new();
        // The administrator's own lines come first and win; a built-in line that the directory cannot hold is left out.
        let mut taken: Vec<(BoundPath, Option<String>)> = Vec::new();
        for (n, (text, attribute)) in own.chain(built_in).enumerate() {
            let built_in = n >= container.attributes.len();
            let left = match MapPath::parse(text, ty) {
                Ok(left) => left,
                Err(error) => {
                    self.errors.push(format!("{section}: {error}"));
                    continue;
                }
            };
            // A line for all items stands in place of the built-in ones for items of a type.
            let is_taken = |(path, item): &(BoundPath, Option<String>)| {
                *path == left.path && (*item == left.item || built_in && item.is_none())
            };
            if taken.iter().any(is_taken) {
                continue;
            }
            taken.push((left.path.clone(), left.item.clone()));
            if attribute.is_empty() {
                continue;
            }
            if let Err(error) = attribute.parse::<AttributeName>() {
                self.errors.push(format!("{section}: {text}: {error}"));
                continue;
            }
            let schema = &self.capabilities.schema;
            let definition = match schema.attribute(attribute) {
                Some(definition) => definition.clone(),
                // A schema that this account may not read: the attributes are believed to be there, and to be what they are elsewhere.
                None if schema.is_empty() => assumed(attribute),
                None if built_in => {
                    self.remarks.push(format!("{text} is not served: the directory has no attribute {attribute}"));
                    continue;
                }
                None => {
                    self.errors.push(format!("{section}: {text}: the directory has no attribute `{attribute}`"));
                    continue;
                }
            };
            if !schema.allows(classes.iter().copied(), attribute) {
                let classes = side.object_classes.join(", ");
                if built_in {
                    self.remarks.push(format!("{text} is not served: an entry of the classes {classes} has no {attribute}"));
                    continue;
                }
                self.remarks.push(format!(
                    "{section}: {text}: a new entry of the classes {classes} cannot have {attribute}: add a class that allows it to \
                     object_classes"
                ));
            }
            // The name the directory answers with, whatever it is called here.
            let name = self.name(attribute, &rules);
            // What a client may set must not say whether the account works, or whether it is managed.
            let is_it = |taken: &str| taken.eq_ignore_ascii_case(&name);
            let use_of_it = if is_it("objectClass") || ownership.iter().any(|mark| is_it(&mark.attribute)) {
                Some("which entries are managed")
            } else {
                active.attribute().filter(|taken| is_it(taken)).map(|_| "whether an account is active")
            };
            match use_of_it {
                None => {}
                Some(what) if built_in => {
                    self.remarks.push(format!("{text} is not served: {name} says {what}"));
                    continue;
                }
                Some(what) => {
                    self.errors.push(format!("{section}: {text}: `{name}` says {what}, so no SCIM attribute can be kept there"));
                    continue;
                }
            }
            match Rule::new(left, name, definition) {
                Ok(rule) => rules.push(rule),
                Err(error) => self.errors.push(format!("{section}: {text}: {error}")),
            }
        }
        rules
    }

    /// An attribute's own name for one of its names, options kept; one spelling of it where the schema is hidden.
    fn name(&self, attribute: &str, rules: &[Rule]) -> String {
        match self.capabilities.schema.attribute(attribute) {
            Some(definition) => {
                let options = attribute.find(';').and_then(|at| attribute.get(at..)).unwrap_or_default();
                format!("{}{options}", definition.name)
            }
            None => rules
                .iter()
                .find(|rule| rule.attribute.eq_ignore_ascii_case(attribute))
                .map_or(attribute, |rule| &rule.attribute)
                .to_owned(),
        }
    }

    fn rdn(&mut self, side: Side<'_>, rules: &[Rule]) -> Option<AttributeName> {
        let Side { section, .. } = side;
        let rdn = self.name(side.rdn, rules);
        let mapped = rules.iter().any(|rule| rule.attribute == rdn && rule.codec == Codec::Text);
        let made_up = side.map.fallback.keys().any(|attribute| attribute.eq_ignore_ascii_case(&rdn));
        let foreign = rules.iter().any(|rule| rule.attribute == rdn);
        if !mapped && (foreign || !made_up) {
            let name = if section == "users" { "userName" } else { "displayName" };
            self.errors.push(format!(
                "{section}.rdn: the naming attribute `{}` holds no SCIM attribute: map one to it, {name} say",
                side.rdn
            ));
        }
        rdn.parse().map_err(|error: InvalidAttributeName| self.errors.push(format!("{section}.rdn: {error}"))).ok()
    }

    /// What the class demands and the client may leave out.
    fn fallback(&self, ty: &ResourceType, map: &MapFile, classes: &[&str], rules: &[Rule]) -> Vec<(String, Vec<Template>)> {
        // A template with an attribute that the directory cannot hold is passed over, as the attribute itself is.
        let usable = |templates: &[String]| templates.iter().filter_map(|template| Template::parse(template, ty).ok()).collect();
        let allowed =
            map.fallback.iter().filter(|(attribute, _)| self.capabilities.schema.allows(classes.iter().copied(), attribute));
        allowed.map(|(attribute, templates)| (self.name(attribute, rules), usable(templates))).collect()
    }
}
