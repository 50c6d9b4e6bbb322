//! A request for a token (RFC 6749 sections 2.3.1 and 4.4.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use zeroize::Zeroizing;

use super::OAuthError;

/// What a client sends, its secret included.
pub struct TokenRequest {
    pub(super) client_id: String,
    pub(super) client_secret: Zeroizing<String>,
    /// Whether the secret came in the Authorization header.
    pub(super) basic: bool,
    pub(super) scope: Option<String>,
}

impl std::fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenRequest").field("client_id", &self.client_id).field("scope", &self.scope).finish_non_exhaustive()
    }
}

impl TokenRequest {
    /// Reads a request from its headers and its form.
    ///
    /// # Errors
    /// What section 5.2 has for it.
    pub fn parse(headers: &HeaderMap, form: &[u8]) -> Result<Self, OAuthError> {
        let mut parameters: Vec<(String, Zeroizing<String>)> = Vec::new();
        for (name, value) in form_urlencoded::parse(form) {
            if parameters.iter().any(|(present, _)| *present == name) {
                return Err(OAuthError::InvalidRequest("A parameter is there twice."));
            }
            parameters.push((name.into_owned(), Zeroizing::new(value.into_owned())));
        }
        // RFC 6749 section 3.2: a parameter without a value is none.
        let mut take = |wanted: &str| {
            let at = parameters.iter().position(|(name, value)| name == wanted && !value.is_empty())?;
            Some(parameters.swap_remove(at).1)
        };
        let (id, secret) = (take("client_id"), take("client_secret"));
        let header = basic(headers)?;
        let basic = header.is_some();
        let (client_id, client_secret) = match (header, secret) {
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
        match take("grant_type").as_deref().map(String::as_str) {
            Some("client_credentials") => {}
            Some(_) => return Err(OAuthError::UnsupportedGrantType),
            None => return Err(OAuthError::InvalidRequest("grant_type is missing; it must be client_credentials.")),
        }
        Ok(Self { client_id, client_secret, basic, scope: take("scope").map(|scope| scope.to_string()) })
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
            .map(|request| (request.client_id, request.client_secret.to_string(), request.scope))
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
        ] {
            assert!(matches!(parse(header, form), Err(OAuthError::InvalidRequest(_))), "{header:?} {form}");
        }
        assert_eq!(parse(Some(&ping), "grant_type=password"), Err(OAuthError::UnsupportedGrantType));
        assert_eq!(parse(None, "grant_type=client_credentials"), Err(OAuthError::InvalidClient { basic: true }));
    }
}
