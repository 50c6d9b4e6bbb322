//! From a method and a path to a call.

use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;

use super::SCIM_PATH;
use crate::auth::Scope;
use crate::scim::{Kind, ScimError};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    /// An endpoint of the authorization server.
    OAuth(Endpoint),
    OpenApi,
    ServiceProviderConfig,
    ResourceTypes,
    ResourceType(String),
    Schemas,
    Schema(String),
    Me,
    Bulk,
    /// A query by POST; of both resource types at the root.
    Search(Option<Kind>),
    List(Kind),
    Create(Kind),
    Get(Kind, String),
    Replace(Kind, String),
    Patch(Kind, String),
    Delete(Kind, String),
}

/// What the authorization server answers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// Shows the sign-in page, and takes it back (RFC 6749 section 3.1).
    Authorize,
    /// Grants tokens (RFC 6749 section 3.2).
    Token,
    /// Revokes tokens (RFC 7009).
    Revoke,
    /// The public keys (RFC 7517).
    Keys,
    /// What there is to know of it (RFC 8414).
    Metadata,
}

/// Why there is no call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoCall {
    /// Nothing is served there.
    NotFound(ScimError),
    /// Something is, but not by this method; these are the methods.
    Method(&'static str),
}

impl Call {
    /// Reads a method and a path. Doubled and trailing slashes do not count; names are case-sensitive, as paths are.
    pub(super) fn parse(method: &Method, path: &str) -> Result<Self, NoCall> {
        let decoded: Option<Vec<String>> = path
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(|segment| percent_decode_str(segment).decode_utf8().ok().map(Into::into))
            .collect();
        let decoded = decoded.ok_or_else(|| not_found("The path is not UTF-8."))?;
        let segments: Vec<&str> = decoded.iter().map(String::as_str).collect();
        match segments.as_slice() {
            ["openapi.json"] if matches!(*method, Method::GET | Method::HEAD) => Ok(Self::OpenApi),
            ["oauth2", "token"] if *method == Method::POST => Ok(Self::OAuth(Endpoint::Token)),
            ["oauth2", "revoke"] if *method == Method::POST => Ok(Self::OAuth(Endpoint::Revoke)),
            ["oauth2", "token" | "revoke"] => Err(NoCall::Method("POST")),
            ["oauth2", "authorize"] if matches!(*method, Method::GET | Method::HEAD | Method::POST) => {
                Ok(Self::OAuth(Endpoint::Authorize))
            }
            ["oauth2", "authorize"] => Err(NoCall::Method("GET, POST")),
            ["oauth2", "jwks"] if matches!(*method, Method::GET | Method::HEAD) => Ok(Self::OAuth(Endpoint::Keys)),
            [".well-known", "oauth-authorization-server"] if matches!(*method, Method::GET | Method::HEAD) => {
                Ok(Self::OAuth(Endpoint::Metadata))
            }
            ["openapi.json"] | ["oauth2", "jwks"] | [".well-known", "oauth-authorization-server"] => Err(NoCall::Method("GET")),
            ["scim", "v2", rest @ ..] => Self::below_base(method, rest),
            ["scim", "v1" | "v1.1", ..] => Err(not_found(
                "This is a SCIM 2.0 service provider: choose SCIM version 2.0 in the client, with a base URL that ends with /scim/v2.",
            )),
            _ => Err(not_found(&format!("Nothing is served here; the SCIM base URL of this gateway ends with {SCIM_PATH}."))),
        }
    }

    fn below_base(method: &Method, segments: &[&str]) -> Result<Self, NoCall> {
        let get = matches!(*method, Method::GET | Method::HEAD);
        let only_get = |call: Self| if get { Ok(call) } else { Err(NoCall::Method("GET")) };
        let only_post = |call: Self| if *method == Method::POST { Ok(call) } else { Err(NoCall::Method("POST")) };
        match segments {
            ["ServiceProviderConfig"] => only_get(Self::ServiceProviderConfig),
            ["ResourceTypes"] => only_get(Self::ResourceTypes),
            ["ResourceTypes", name] => only_get(Self::ResourceType((*name).to_owned())),
            ["Schemas"] => only_get(Self::Schemas),
            ["Schemas", urn] => only_get(Self::Schema((*urn).to_owned())),
            ["Me"] => Ok(Self::Me),
            ["Bulk"] => only_post(Self::Bulk),
            [".search"] => only_post(Self::Search(None)),
            [name, rest @ ..] if kind(name).is_some() => {
                let kind = kind(name).unwrap_or(Kind::User);
                match rest {
                    [] if get => Ok(Self::List(kind)),
                    [] if *method == Method::POST => Ok(Self::Create(kind)),
                    [] => Err(NoCall::Method("GET, POST")),
                    [".search"] => only_post(Self::Search(Some(kind))),
                    [id] => Self::of_resource(method, kind, (*id).to_owned()),
                    [_, ..] => Err(not_found("A resource has nothing below it.")),
                }
            }
            _ => Err(not_found(
                "There is no such endpoint; there are /Users, /Groups, /ServiceProviderConfig, /ResourceTypes and /Schemas below \
                 the SCIM base URL, in this spelling.",
            )),
        }
    }

    fn of_resource(method: &Method, kind: Kind, id: String) -> Result<Self, NoCall> {
        match *method {
            Method::GET | Method::HEAD => Ok(Self::Get(kind, id)),
            Method::PUT => Ok(Self::Replace(kind, id)),
            Method::PATCH => Ok(Self::Patch(kind, id)),
            Method::DELETE => Ok(Self::Delete(kind, id)),
            _ => Err(NoCall::Method("GET, PUT, PATCH, DELETE")),
        }
    }

    /// The endpoint, in metrics and logs.
    pub(super) fn route(&self) -> &'static str {
        match self {
            Self::OAuth(Endpoint::Authorize) => "authorize",
            Self::OAuth(Endpoint::Token) => "token",
            Self::OAuth(Endpoint::Revoke) => "revoke",
            Self::OAuth(Endpoint::Keys) => "jwks",
            Self::OAuth(Endpoint::Metadata) => "authorization-server",
            Self::OpenApi => "openapi",
            Self::ServiceProviderConfig => "service-provider-config",
            Self::ResourceTypes | Self::ResourceType(_) => "resource-types",
            Self::Schemas | Self::Schema(_) => "schemas",
            Self::Me => "me",
            Self::Bulk => "bulk",
            Self::Search(_) => "search",
            Self::List(Kind::User) | Self::Create(Kind::User) => "users",
            Self::List(Kind::Group) | Self::Create(Kind::Group) => "groups",
            Self::Get(kind, _) | Self::Replace(kind, _) | Self::Patch(kind, _) | Self::Delete(kind, _) => match kind {
                Kind::User => "user",
                Kind::Group => "group",
            },
        }
    }

    /// Whether it can be asked without a credential: how to sign in should be found without signing in (RFC 7643 section 5), and
    /// neither document tells anything of the directory's content.
    pub(super) fn is_public(&self) -> bool {
        matches!(self, Self::ServiceProviderConfig | Self::OpenApi | Self::OAuth(_))
    }

    /// The permissions it needs, all of them.
    pub(super) fn scopes(&self) -> &'static [Scope] {
        match self {
            Self::OAuth(_)
            | Self::OpenApi
            | Self::ServiceProviderConfig
            | Self::ResourceTypes
            | Self::ResourceType(_)
            | Self::Schemas
            | Self::Schema(_)
            | Self::Me => &[],
            // And each of its operations is looked at by itself.
            Self::Bulk => &[Scope::Bulk],
            Self::Search(None) => &[Scope::UsersRead, Scope::GroupsRead],
            Self::Search(Some(kind)) | Self::List(kind) | Self::Get(kind, _) => match kind {
                Kind::User => &[Scope::UsersRead],
                Kind::Group => &[Scope::GroupsRead],
            },
            Self::Create(kind) | Self::Replace(kind, _) | Self::Patch(kind, _) | Self::Delete(kind, _) => match kind {
                Kind::User => &[Scope::UsersWrite],
                Kind::Group => &[Scope::GroupsWrite],
            },
        }
    }

    /// Whether it changes the directory, so that it is carried to its end even when the client goes away.
    pub(super) fn is_write(&self) -> bool {
        match self {
            Self::Create(_) | Self::Replace(..) | Self::Patch(..) | Self::Delete(..) | Self::Bulk => true,
            Self::OAuth(_)
            | Self::OpenApi
            | Self::ServiceProviderConfig
            | Self::ResourceTypes
            | Self::ResourceType(_)
            | Self::Schemas
            | Self::Schema(_)
            | Self::Me
            | Self::Search(_)
            | Self::List(_)
            | Self::Get(..) => false,
        }
    }

    /// Whether its body is read.
    pub(super) fn has_body(&self) -> bool {
        match self {
            Self::Create(_) | Self::Replace(..) | Self::Patch(..) | Self::Search(_) | Self::Bulk => true,
            Self::OAuth(_)
            | Self::OpenApi
            | Self::ServiceProviderConfig
            | Self::ResourceTypes
            | Self::ResourceType(_)
            | Self::Schemas
            | Self::Schema(_)
            | Self::Me
            | Self::List(_)
            | Self::Get(..)
            | Self::Delete(..) => false,
        }
    }
}

fn kind(segment: &str) -> Option<Kind> {
    [Kind::User, Kind::Group].into_iter().find(|kind| kind.endpoint().strip_prefix('/') == Some(segment))
}

fn not_found(detail: &str) -> NoCall {
    NoCall::NotFound(ScimError::new(StatusCode::NOT_FOUND, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(method: &str, path: &str) -> Result<Call, NoCall> {
        Call::parse(&method.parse().unwrap(), path)
    }

    #[test]
    fn paths_lead_to_calls() {
        assert_eq!(parse("GET", "/scim/v2/Users"), Ok(Call::List(Kind::User)));
        assert_eq!(parse("POST", "/scim/v2//Groups/"), Ok(Call::Create(Kind::Group)));
        assert_eq!(parse("PATCH", "/scim/v2/Groups/a%2Fb%20c"), Ok(Call::Patch(Kind::Group, "a/b c".to_owned())));
        assert_eq!(parse("POST", "/scim/v2/.search"), Ok(Call::Search(None)));
        assert_eq!(parse("POST", "/scim/v2/Users/.search"), Ok(Call::Search(Some(Kind::User))));
        assert_eq!(parse("HEAD", "/scim/v2/Schemas/urn%3Ax"), Ok(Call::Schema("urn:x".to_owned())));
    }

    #[test]
    fn what_is_not_served_says_what_is() {
        assert_eq!(parse("DELETE", "/scim/v2/Users"), Err(NoCall::Method("GET, POST")));
        assert_eq!(parse("POST", "/scim/v2/Users/1"), Err(NoCall::Method("GET, PUT, PATCH, DELETE")));
        assert_eq!(parse("GET", "/scim/v2/Bulk"), Err(NoCall::Method("POST")));
        assert_eq!(parse("GET", "/oauth2/token"), Err(NoCall::Method("POST")));
        for path in ["/", "/Users", "/scim/v2", "/scim/v2/users", "/scim/v2/Users/1/2", "/scim/v1/Users", "/scim/v2/Users/%ff"] {
            assert!(matches!(parse("GET", path), Err(NoCall::NotFound(_))), "{path}");
        }
    }
}
