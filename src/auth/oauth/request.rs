//! Requests of clients to the token endpoint (RFC 6749 sections 2.3.1, 4.1.3, 4.4.2 and 6) and the revocation endpoint (RFC 7009
//! section 2.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use zeroize::Zeroizing;

use super::OAuthError;

/// A client's id and secret.
pub(super) struct ClientCredentials {
    pub(super) id: String,
    pub(super) secret: Zeroizing<String>,
    /// Whether they came in the Authorization header.
    pub(super) basic: bool,
}

/// What a token is asked for by.
pub(super) enum Grant {
    /// The client's own secret.
    ClientCredentials,
    /// A code that a person's consent gave.
    AuthorizationCode { code: Zeroizing<String>, redirect_uri: Option<String>, verifier: Option<Zeroizing<String>> },
    /// What came with an earlier token.
    RefreshToken(Zeroizing<String>),
}

/// A request for a token.
pub struct TokenRequest {
    pub(super) client: ClientCredentials,
    pub(super) grant: Grant,
    pub(super) scope: Option<String>,
}

/// A request to revoke one.
pub struct RevocationRequest {
    pub(super) client: ClientCredentials,
    pub(super) token: Zeroizing<String>,
}

impl std::fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenRequest").field("client_id", &self.client.id).field("scope", &self.scope).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for RevocationRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RevocationRequest").field("client_id", &self.client.id).finish_non_exhaustive()
    }
}

/// The parameters of a form or a query.
pub(super) struct Parameters(Vec<(String, Zeroizing<String>)>);

impl Parameters {
    /// Reads them. None may be there twice (RFC 6749 section 3.1 and 3.2).
    pub(super) fn parse(form: &[u8]) -> Result<Self, OAuthError> {
        let mut parameters: Vec<(String, Zeroizing<String>)> = Vec::new();
        for (name, value) in form_urlencoded::parse(form) {
            if parameters.iter().any(|(present, _)| *present == name) {
                return Err(OAuthError::InvalidRequest("A parameter is there twice."));
            }
            parameters.push((name.into_owned(), Zeroizing::new(value.into_owned())));
        }
        Ok(Self(parameters))
    }

    /// One that has a value: without a value it is none (RFC 6749 section 3.1).
    pub(super) fn take(&mut self, wanted: &str) -> Option<Zeroizing<String>> {
        let at = self.0.iter().position(|(name, value)| name == wanted && !value.is_empty())?;
        Some(self.0.swap_remove(at).1)
    }

    /// One that is no secret.
    pub(super) fn text(&mut self, wanted: &str) -> Option<String> {
        self.take(wanted).map(|value| value.to_string())
    }
}

impl ClientCredentials {
    fn parse(headers: &HeaderMap, form: &mut Parameters) -> Result<Self, OAuthError> {
        let (id, secret) = (form.take("client_id"), form.take("client_secret"));
        let header = basic(headers)?;
        let basic = header.is_some();
        let (id, secret) = match (header, secret) {
            (Some(_), Some(_)) => {
                return Err(OAuthError::InvalidRequest("The secret is sent twice: in the Authorization header and in the form."));
            }
            (Some((name, secret)), None) => {
                if id.is_some_and(|id| *id != *name) {
                    return Err(OAuthError::InvalidRequest("client_id in the form is another than in the Authorization header."));
                }
                (name, secret)
            }
            (None, Some(secret)) => (id.map(|id| id.to_string()).unwrap_or_default(), secret),
            (None, None) => return Err(OAuthError::InvalidClient { basic: true }),
        };
        Ok(Self { id, secret, basic })
    }
}

impl TokenRequest {
    /// Reads a request from its headers and its form.
    ///
    /// # Errors
    /// What section 5.2 has for it.
    pub fn parse(headers: &HeaderMap, form: &[u8]) -> Result<Self, OAuthError> {
        let mut form = Parameters::parse(form)?;
        let client = ClientCredentials::parse(headers, &mut form)?;
        let grant = match form.take("grant_type").as_deref().map(String::as_str) {
            Some("client_credentials") => Grant::ClientCredentials,
            Some("authorization_code") => Grant::AuthorizationCode {
                code: form.take("code").ok_or(OAuthError::InvalidRequest("code is missing."))?,
                redirect_uri: form.text("redirect_uri"),
                verifier: form.take("code_verifier"),
            },
            Some("refresh_token") => {
                Grant::RefreshToken(form.take("refresh_token").ok_or(OAuthError::InvalidRequest("refresh_token is missing."))?)
            }
            Some(_) => return Err(OAuthError::UnsupportedGrantType),
            None => return Err(OAuthError::InvalidRequest("grant_type is missing.")),
        };
        Ok(Self { client, grant, scope: form.text("scope") })
    }
}

impl RevocationRequest {
    /// Reads a request from its headers and its form. `token_type_hint` is not needed to know what a token is.
    ///
    /// # Errors
    /// What section 2.2.1 has for it.
    pub fn parse(headers: &HeaderMap, form: &[u8]) -> Result<Self, OAuthError> {
        let mut form = Parameters::parse(form)?;
        let client = ClientCredentials::parse(headers, &mut form)?;
        Ok(Self { client, token: form.take("token").ok_or(OAuthError::InvalidRequest("token is missing."))? })
    }
}

/// The id and secret of HTTP Basic, each coded as in a form before they were joined.
fn basic(headers: &HeaderMap) -> Result<Option<(String, Zeroizing<String>)>, OAuthError> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = given.next() else { return Ok(None) };
    let malformed = OAuthError::InvalidRequest("The Authorization header is not of the form: Basic base64(id:secret).");
    let coded = value.to_str().ok().and_then(|text| text.split_once(' '));
    let coded = coded.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Basic") && given.next().is_none());
    let (_, coded) = coded.ok_or(malformed)?;
    let bytes = Zeroizing::new(STANDARD.decode(coded.trim_matches(' ')).map_err(|_| malformed)?);
    let text = std::str::from_utf8(&bytes).map_err(|_| malformed)?;
    let (id, secret) = text.split_once(':').ok_or(malformed)?;
    let decode = |text: &str| -> Option<String> {
        let spaced = text.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced).decode_utf8().ok().map(Into::into)
    };
    let (id, secret) = decode(id).zip(decode(secret)).ok_or(malformed)?;
    Ok(Some((id, Zeroizing::new(secret))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(header: Option<&str>, form: &str) -> Result<(String, String, Option<String>), OAuthError> {
        let mut headers = HeaderMap::new();
        if let Some(header) = header {
            headers.insert(AUTHORIZATION, header.parse().unwrap());
        }
        TokenRequest::parse(&headers, form.as_bytes())
            .map(|request| (request.client.id, request.client.secret.to_string(), request.scope))
    }

    fn encoded(text: &str) -> String {
        format!("Basic {}", STANDARD.encode(text))
    }

    #[test]
    fn a_secret_comes_in_the_header_or_in_the_form() {
        let found = Ok(("ping".to_owned(), "s e:c%".to_owned(), None));
        assert_eq!(parse(Some(&encoded("ping:s+e%3Ac%25")), "grant_type=client_credentials"), found);
        let found = Ok(("ping".to_owned(), "s".to_owned(), Some("a b".to_owned())));
        assert_eq!(parse(None, "grant_type=client_credentials&client_id=ping&client_secret=s&scope=a%20b"), found);
        let same = "grant_type=client_credentials&client_id=ping&scope=";
        assert_eq!(parse(Some(&encoded("ping:s")), same), Ok(("ping".to_owned(), "s".to_owned(), None)));
    }

    #[test]
    fn what_is_not_a_request_is_refused() {
        let ping = encoded("ping:s");
        for (header, form) in [
            (None, "client_id=a&client_secret=b"),
            (Some(&*ping), "grant_type=client_credentials&client_secret=s"),
            (Some(&*ping), "grant_type=client_credentials&client_id=okta"),
            (Some(&*ping), "grant_type=client_credentials&grant_type=client_credentials"),
            (Some("Bearer x"), "grant_type=client_credentials"),
            (Some("Basic !"), "grant_type=client_credentials"),
            (Some("Basic cGluZw=="), "grant_type=client_credentials"),
            (Some(&*ping), "grant_type=authorization_code"),
            (Some(&*ping), "grant_type=refresh_token&refresh_token="),
        ] {
            assert!(matches!(parse(header, form), Err(OAuthError::InvalidRequest(_))), "{header:?} {form}");
        }
        assert_eq!(parse(Some(&ping), "grant_type=password"), Err(OAuthError::UnsupportedGrantType));
        assert_eq!(parse(None, "grant_type=client_credentials"), Err(OAuthError::InvalidClient { basic: true }));
    }
}
