//! Oddities of real clients that are accepted: each has a name, can be switched off, and is counted when it is met.

macro_rules! tolerances {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// An accepted oddity.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Tolerance {
            $($(#[$doc])* $variant,)*
        }

        impl Tolerance {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name in the configuration and in metrics.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

tolerances! {
    /// `Authorization: oauth2 <key>`, where `auth.schemes` has the word.
    AuthenticationOtherWord = "authentication-other-word",
    /// `Authorization: <key>`, where `auth.schemes` allows it.
    AuthenticationNoWord = "authentication-no-word",
    /// `"True"` where a boolean is meant.
    StringBoolean = "string-boolean",
    /// One object where a list of objects is meant.
    SingleObjectForMultiValued = "single-object-for-multi-valued",
    /// `["a@x"]` where `[{"value": "a@x"}]` is meant.
    StringForComplexItem = "string-for-complex-item",
    /// Several items marked primary.
    SeveralPrimaries = "several-primaries",
    /// `urn:…:User:department` as a key of the resource.
    FlatExtensionKey = "flat-extension-key",
    /// `manager` as a plain string.
    ManagerAsString = "manager-as-string",
    /// Roles as strings.
    RolesAsStrings = "roles-as-strings",
    /// A role whose `value` is the role once more, as JSON text.
    RolesAsJson = "roles-as-json",
    /// `externalId eq jyoung`, without quotation marks.
    UnquotedFilterValue = "unquoted-filter-value",
    /// `emails eq "x"` meaning `emails.value`.
    FilterOnComplexAttribute = "filter-on-complex-attribute",
    /// `email` meaning `emails.value`.
    FilterEmailAlias = "filter-email-alias",
    /// `emails[type eq "work"].value eq "x"`, which is outside the grammar.
    FilterValuePathSub = "filter-value-path-sub",
    /// A filter whose values are percent-encoded inside the quotation marks, and find nothing as they are.
    FilterPercentEncoded = "filter-percent-encoded",
    /// `count=-1` meaning the largest page.
    CountMinusOne = "count-minus-one",
    /// `Operations` in another case.
    PatchOperationsKeyCase = "patch-operations-key-case",
    /// A PATCH body without its schema URI.
    PatchMissingSchema = "patch-missing-schema",
    /// One operation where a list is meant.
    PatchSingleOperation = "patch-single-operation",
    /// `{"name.givenName": …}` in an operation without a path.
    PatchPathlessDottedKey = "patch-pathless-dotted-key",
    /// `{"urn:…:User:department": …}` in an operation without a path.
    PatchPathlessUrnKey = "patch-pathless-urn-key",
    /// `{"emails[type eq \"work\"].value": …}` in an operation without a path.
    PatchPathlessValuePathKey = "patch-pathless-value-path-key",
    /// `remove` with the values to be taken away.
    PatchRemoveValueList = "patch-remove-value-list",
    /// `remove` with an empty list, which takes nothing away.
    EmptyRemoveList = "empty-remove-list",
    /// An empty string or null that clears.
    PatchEmptyClears = "patch-empty-clears",
    /// Setting a sub-attribute of an item that is not there yet, by its type or as the primary one.
    PatchCreateValuePath = "patch-create-value-path",
    /// A PATCH of what the schemas know and the directory has no place for: it is passed over, as in POST and PUT.
    PatchTargetNotKept = "patch-target-not-kept",
    /// The method of a bulk operation in lower case.
    BulkMethodCase = "bulk-method-case",
    /// A member that does not exist (yet); the others are applied.
    UnknownMember = "unknown-member",
    /// PUT of a group without `members`, which stay.
    PutWithoutMembers = "put-without-members",
}

/// A set of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToleranceSet(u64);

impl ToleranceSet {
    /// Every one.
    pub fn all() -> Self {
        let mut set = Self::none();
        for tolerance in Tolerance::ALL {
            set.insert(*tolerance);
        }
        set
    }

    /// None.
    pub fn none() -> Self {
        Self(0)
    }

    /// Whether it is in.
    pub fn contains(self, tolerance: Tolerance) -> bool {
        self.0 & bit(tolerance) != 0
    }

    /// Puts it in.
    pub fn insert(&mut self, tolerance: Tolerance) {
        self.0 |= bit(tolerance);
    }

    /// Takes it out.
    pub fn remove(&mut self, tolerance: Tolerance) {
        self.0 &= !bit(tolerance);
    }

    /// Puts all of another in.
    pub fn extend(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Those that are in.
    pub fn iter(self) -> impl Iterator<Item = Tolerance> {
        Tolerance::ALL.iter().copied().filter(move |tolerance| self.contains(*tolerance))
    }
}

fn bit(tolerance: Tolerance) -> u64 {
    1 << tolerance as u64
}

/// How strictly a client is read, and what was met while reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// What is accepted of this client.
    pub allowed: ToleranceSet,
    /// What it made use of.
    pub used: ToleranceSet,
}

impl Default for Dialect {
    fn default() -> Self {
        Self { allowed: ToleranceSet::all(), used: ToleranceSet::none() }
    }
}

impl Dialect {
    /// The RFCs and nothing else.
    pub fn strict() -> Self {
        Self { allowed: ToleranceSet::none(), used: ToleranceSet::none() }
    }

    /// Whether the oddity is accepted; if so it is noted.
    pub fn accept(&mut self, tolerance: Tolerance) -> bool {
        let allowed = self.allowed.contains(tolerance);
        if allowed {
            self.used.insert(tolerance);
        }
        allowed
    }
}
