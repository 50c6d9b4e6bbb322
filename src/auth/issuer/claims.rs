//! From an issuer's claims, whether of a signed token (RFC 9068) or of its answer about one (RFC 7662), to a client and what it
//! may do.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::config::{ClientRule, IssuerConfig};
use crate::auth::certificate::Confirmation;
use crate::auth::{ClientCertificate, Principal, Rejection, is_client_name};

/// Who the client is where nothing else is configured: RFC 9068's claim, Keycloak's and others', Entra's, and the subject.
const CLIENT: [&str; 4] = ["client_id", "azp", "appid", "sub"];
/// Claims that an identity token has and an access token has not (OpenID Connect Core sections 3.1.3.6 and 3.3.2.11).
const IDENTITY: [&str; 3] = ["at_hash", "c_hash", "s_hash"];

/// The claims of a token whose origin is proved.
#[derive(Debug, Clone)]
pub(super) struct Claims(pub(super) Map<String, Value>);

impl Claims {
    /// Whose token it is and what it allows, now and on this connection.
    ///
    /// # Errors
    /// Why it opens nothing.
    pub(super) fn principal(
        &self,
        config: &IssuerConfig,
        certificate: Option<&ClientCertificate>,
        now: Timestamp,
    ) -> Result<Principal, Rejection> {
        self.lives(config, now)?;
        if self.is_of_another_kind() {
            return Err(Rejection::Unknown);
        }
        if !self.words("aud").any(|audience| audience == config.audience) {
            return Err(Rejection::OtherAudience);
        }
        if !config.claims.iter().all(|(name, wanted)| self.words(name).any(|value| value == wanted)) {
            return Err(Rejection::NotAllowed);
        }
        match self.0.get("cnf") {
            None | Some(Value::Null) => {}
            Some(bound) => {
                let confirmation: Option<Confirmation> = serde_json::from_value(bound.clone()).ok();
                if !confirmation.is_some_and(|confirmation| confirmation.allows(certificate)) {
                    return Err(Rejection::OtherCertificate);
                }
            }
        }
        let client = match &config.client {
            ClientRule::Fixed(name) => name.clone(),
            ClientRule::Claim(claim) => {
                let configured = claim.as_deref().map(|claim| self.text(claim));
                let name = configured.unwrap_or_else(|| CLIENT.iter().find_map(|claim| self.text(claim)));
                name.filter(|name| is_client_name(name)).ok_or(Rejection::NotAllowed)?.into()
            }
        };
        Ok(Principal { client, scopes: config.scopes.scopes(self.permissions(&config.audience)) })
    }

    /// The end in seconds since 1970, if it has one.
    pub(super) fn end(&self) -> Option<i64> {
        self.time("exp").ok().flatten()
    }

    /// Whether it has begun and not ended. A token without an end is none (RFC 9068 section 2.2).
    fn lives(&self, config: &IssuerConfig, now: Timestamp) -> Result<(), Rejection> {
        let (now, leeway) = (now.as_second(), i64::try_from(config.leeway.as_secs()).unwrap_or(i64::MAX));
        let end = self.time("exp")?.ok_or(Rejection::Unknown)?;
        for begin in [self.time("nbf")?, self.time("iat")?].into_iter().flatten() {
            if begin.saturating_sub(leeway) > now {
                return Err(Rejection::NotYetValid);
            }
        }
        if end.saturating_add(leeway) <= now { Err(Rejection::Expired) } else { Ok(()) }
    }

    /// Whether it is made for something else than being shown to us. Keycloak says so in a claim of its own.
    fn is_of_another_kind(&self) -> bool {
        let kinds = ["typ", "token_type"].into_iter().filter_map(|claim| self.0.get(claim));
        let bearer = |kind: &Value| {
            kind.as_str().is_some_and(|kind| ["bearer", "at+jwt"].iter().any(|ours| kind.eq_ignore_ascii_case(ours)))
        };
        IDENTITY.iter().any(|claim| self.0.contains_key(*claim)) || !kinds.into_iter().all(bearer)
    }

    fn text(&self, claim: &str) -> Option<&str> {
        self.0.get(claim)?.as_str()
    }

    /// The text that a claim is, or the texts in its list.
    fn words(&self, claim: &str) -> impl Iterator<Item = &str> {
        texts(self.0.get(claim))
    }

    /// A number of seconds, which may have a fraction (RFC 7519 section 2).
    fn time(&self, claim: &str) -> Result<Option<i64>, Rejection> {
        match self.0.get(claim) {
            None => Ok(None),
            #[expect(clippy::cast_possible_truncation, reason = "it saturates, and nothing lives so long")]
            Some(value) => value.as_f64().map(|seconds| Some(seconds.floor() as i64)).ok_or(Rejection::Unknown),
        }
    }

    /// Scopes, roles and permissions, wherever an issuer puts them: `scope` (RFC 8693 section 4.2), `scp` of Entra and Okta, `roles`
    /// (RFC 9068 section 2.2.3.1), `permissions` of Auth0, and Keycloak's roles of the realm and of the resource that we are.
    fn permissions<'a>(&'a self, audience: &str) -> impl Iterator<Item = &'a str> {
        let here = ["scope", "scp", "roles", "permissions"].into_iter().filter_map(|claim| self.0.get(claim));
        let realm = self.0.get("realm_access").and_then(|access| access.get("roles"));
        let resource = self.0.get("resource_access").and_then(|access| access.get(audience)?.get("roles"));
        here.chain(realm)
            .chain(resource)
            .flat_map(|value| texts(Some(value)))
            .flat_map(|text| text.split(' '))
            .filter(|word| !word.is_empty())
    }
}

fn texts(value: Option<&Value>) -> impl Iterator<Item = &str> {
    let one = value.and_then(Value::as_str);
    let many = value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    one.into_iter().chain(many)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::auth::issuer::tests::config;
    use crate::auth::issuer::{KeySource, ScopeRule};
    use crate::auth::{Scope, Scopes};

    const NOW: i64 = 1_800_000_000;

    fn judge(config: &IssuerConfig, claims: Value) -> Result<(String, String), Rejection> {
        let Value::Object(claims) = claims else { panic!("no object") };
        let found = Claims(claims).principal(config, None, Timestamp::from_second(NOW).unwrap());
        found.map(|principal| (principal.client.to_string(), principal.scopes.to_string()))
    }

    fn with(differing: &Value) -> Value {
        let mut claims = json!({ "aud": "scimgate", "exp": NOW + 60, "client_id": "ping", "scope": "users:read" });
        claims.as_object_mut().unwrap().extend(differing.as_object().unwrap().clone());
        claims
    }

    #[test]
    fn keycloaks_token_of_a_service_account() {
        let mut keycloak = config("https://idp.example.com/realms/staff");
        keycloak.scopes = ScopeRule::Mapped(vec![
            ("provisioner".to_owned(), [Scope::UsersWrite, Scope::GroupsWrite].into_iter().collect()),
            ("bulk".to_owned(), [Scope::Bulk].into_iter().collect()),
        ]);
        let token = json!({
            "exp": NOW + 300, "iat": NOW, "jti": "trrtcc:1", "iss": "https://idp.example.com/realms/staff",
            "aud": ["scimgate", "account"], "sub": "0b1d…", "typ": "Bearer", "azp": "midpoint", "acr": "1",
            "realm_access": { "roles": ["offline_access", "bulk"] },
            "resource_access": { "scimgate": { "roles": ["provisioner"] }, "account": { "roles": ["provisioner"] } },
            "scope": "email profile", "clientHost": "192.0.2.1",
        });
        assert_eq!(judge(&keycloak, token.clone()), Ok(("midpoint".to_owned(), "users:write groups:write bulk".to_owned())));
        for kind in ["ID", "Refresh", "Logout"] {
            let mut other = token.clone();
            other["typ"] = kind.into();
            assert_eq!(judge(&keycloak, other), Err(Rejection::Unknown), "{kind}");
        }
        let mut foreign = token;
        foreign["resource_access"] = json!({ "account": { "roles": ["provisioner"] } });
        assert_eq!(judge(&keycloak, foreign).unwrap().1, "bulk");
    }

    #[test]
    fn entras_token_of_its_provisioning_service() {
        let tenant = "cbb1a5ac-f33b-45fa-9bf5-f37db0fed422";
        let mut entra = config("https://sts.windows.net/cbb1a5ac-f33b-45fa-9bf5-f37db0fed422/");
        entra.audience = "8adf8e6e-67b2-4cf2-a259-e3dc5476c621".to_owned();
        entra.claims = vec![("tid".to_owned(), tenant.to_owned())];
        entra.client = ClientRule::Fixed("entra".into());
        entra.scopes = ScopeRule::Fixed(Scopes::all());
        let token = json!({
            "aud": entra.audience, "iss": &*entra.issuer, "iat": NOW, "nbf": NOW, "exp": NOW + 3900, "aio": "E2…",
            "appid": "00000014-0000-0000-c000-000000000000", "appidacr": "2", "oid": "6f2…", "sub": "6f2…", "tid": tenant, "ver": "1.0",
        });
        assert_eq!(judge(&entra, token.clone()).unwrap().0, "entra");
        let mut other = token.clone();
        other["tid"] = "another tenant".into();
        assert_eq!(judge(&entra, other), Err(Rejection::NotAllowed));
        // A client of one's own, by its application's roles or the scopes of a person.
        entra.client = ClientRule::Claim(None);
        entra.scopes = ScopeRule::Mapped(vec![("Provision.All".to_owned(), Scopes::all())]);
        for claim in [json!({ "roles": ["Provision.All"] }), json!({ "scp": "User.Read Provision.All" })] {
            let mut app = token.clone();
            app.as_object_mut().unwrap().extend(claim.as_object().unwrap().clone());
            let found = ("00000014-0000-0000-c000-000000000000".to_owned(), "users:write groups:write bulk".to_owned());
            assert_eq!(judge(&entra, app), Ok(found));
        }
        assert_eq!(judge(&entra, token).unwrap().1, "");
        assert!(matches!(entra.keys, KeySource::WellKnown(_)));
    }

    #[test]
    fn a_token_has_its_time() {
        let config = config("https://idp.example.com");
        for (claims, expected) in [
            (json!({ "exp": NOW - 59 }), None),
            (json!({ "exp": NOW - 60 }), Some(Rejection::Expired)),
            (json!({ "exp": 1_800_000_000.5 }), None),
            (json!({ "nbf": NOW + 60 }), None),
            (json!({ "nbf": NOW + 61 }), Some(Rejection::NotYetValid)),
            (json!({ "iat": NOW + 61 }), Some(Rejection::NotYetValid)),
            (json!({ "exp": null }), Some(Rejection::Unknown)),
            (json!({ "exp": "2999-01-01" }), Some(Rejection::Unknown)),
            (json!({ "exp": 1e300 }), None),
            (json!({ "nbf": "now" }), Some(Rejection::Unknown)),
        ] {
            assert_eq!(judge(&config, with(&claims)).err(), expected, "{claims}");
        }
    }

    #[test]
    fn a_token_is_for_us_and_from_somebody_with_a_name() {
        let mut config = config("https://idp.example.com");
        for (claims, expected) in [
            (json!({ "aud": ["other", "scimgate"] }), None),
            (json!({ "aud": "scimgate2" }), Some(Rejection::OtherAudience)),
            (json!({ "aud": "scimgate other" }), Some(Rejection::OtherAudience)),
            (json!({ "aud": null }), Some(Rejection::OtherAudience)),
            (json!({ "at_hash": "x" }), Some(Rejection::Unknown)),
            (json!({ "token_type": "DPoP" }), Some(Rejection::Unknown)),
            (json!({ "token_type": "bearer" }), None),
            (json!({ "cnf": { "jkt": "x" } }), Some(Rejection::OtherCertificate)),
            (json!({ "cnf": { "x5t#S256": "x" } }), Some(Rejection::OtherCertificate)),
            (json!({ "cnf": "x" }), Some(Rejection::OtherCertificate)),
            (json!({ "client_id": "two words" }), Some(Rejection::NotAllowed)),
            (json!({ "client_id": "a\nb" }), Some(Rejection::NotAllowed)),
        ] {
            assert_eq!(judge(&config, with(&claims)).err(), expected, "{claims}");
        }
        config.client = ClientRule::Claim(Some("azp".to_owned()));
        assert_eq!(judge(&config, with(&json!({}))), Err(Rejection::NotAllowed));
        assert_eq!(judge(&config, with(&json!({ "azp": "okta" }))).unwrap().0, "okta");
    }

    #[test]
    fn scopes_of_ours_are_taken_but_not_the_administrators() {
        let config = config("https://idp.example.com");
        let scopes = |claims: Value| judge(&config, with(&claims)).unwrap().1;
        assert_eq!(scopes(json!({ "scope": "openid users:write bulk admin" })), "users:write bulk");
        assert_eq!(scopes(json!({ "scope": ["groups:read"], "roles": ["admin", "users:read"] })), "users:read groups:read");
        assert_eq!(scopes(json!({ "scope": 7 })), "");
    }
}
