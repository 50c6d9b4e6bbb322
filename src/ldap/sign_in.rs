//! Signing in, and what a refusal means: the account, the key of the configuration, and what to do.

use ldap3::asn1::{PL, StructureTag, parse_tag};
use ldap3::controls::{Control, RawControl};
use ldap3::{Ldap, LdapResult};

use super::config::{Bind, LdapConfig};
use super::convert;
use crate::directory::{DirectoryError, ResultCode};

/// The password policy control of request and response (draft-behera-ldap-password-policy section 6).
pub(super) const PASSWORD_POLICY: &str = "1.3.6.1.4.1.42.2.27.8.5.1";
/// What 389 and its kin answer beside it, or alone (draft-vchu-ldap-pwd-policy section 4): the password has expired or must be
/// changed; it expires in so many seconds, as text.
const PASSWORD_EXPIRED: &str = "2.16.840.1.113730.3.4.4";
const PASSWORD_EXPIRING: &str = "2.16.840.1.113730.3.4.5";

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The server is away, is not the one it should be, or has too much to do: it is tried again soon.
    Away(String),
    /// The server does not take our account. To try again and again could lock it.
    Refused(String),
}

impl Trouble {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Away(text) | Self::Refused(text) => text,
        }
    }
}

/// What is wrong with an account, as far as a server tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    /// No such account, or another password.
    Mismatch,
    Expired,
    MustChange,
    Locked,
    Disabled,
    /// The account itself is past its end.
    Ended,
    /// Not at this time or not from here.
    Elsewhere,
    /// The server asks for another way to sign in, or for encryption.
    Method,
    Untold,
}

/// Signs in by what the configuration gives. What the server lets pass for now is returned as a warning.
pub(super) async fn sign_in(ldap: &mut Ldap, config: &LdapConfig) -> Result<Option<String>, Trouble> {
    let account = config.bind.as_ref();
    let answer = match account {
        Some(bind) => {
            // Without it a server does not tell an expired password from a wrong one.
            ldap.with_controls(RawControl { ctype: PASSWORD_POLICY.to_owned(), crit: false, val: None });
            ldap.simple_bind(&bind.dn, bind.password.expose()).await
        }
        None => ldap.sasl_external_bind().await,
    };
    let answer = answer.map_err(|error| Trouble::Away(format!("signing in: {}", convert::failure(error))))?;
    judge(answer, config)
}

fn judge(answer: LdapResult, config: &LdapConfig) -> Result<Option<String>, Trouble> {
    let policy = Policy::of(&answer);
    let (code, diagnostic) = match convert::result(answer) {
        // Whoever must change the password first is let in, and then refused everything else.
        Ok(_) if policy.error == Some(Defect::MustChange) => (ResultCode::Success, String::new()),
        Ok(_) => return Ok(policy.warn(config.bind.as_ref())),
        Err(DirectoryError::Refused { code, diagnostic }) if is_passing(code) => {
            return Err(Trouble::Away(format!("signing in: {code}: {diagnostic}")));
        }
        Err(DirectoryError::Refused { code, diagnostic }) => (code, diagnostic),
        Err(error) => return Err(Trouble::Away(format!("signing in: {error}"))),
    };
    let defect = policy.error.or_else(|| active_directory(&diagnostic)).unwrap_or(match code {
        ResultCode::InvalidCredentials | ResultCode::NoSuchObject => Defect::Mismatch,
        ResultCode::InappropriateAuthentication
        | ResultCode::StrongerAuthRequired
        | ResultCode::ConfidentialityRequired
        | ResultCode::Other(7) => Defect::Method,
        _ => Defect::Untold,
    });
    let told = if code == ResultCode::Success { String::new() } else { format!(" ({code})") };
    Err(Trouble::Refused(format!("{}{told}: {}", who(config), remedy(defect, config))))
}

/// Whether a refusal is the server's own trouble and not about the account.
pub(super) fn is_passing(code: ResultCode) -> bool {
    matches!(
        code,
        ResultCode::Busy
            | ResultCode::Unavailable
            | ResultCode::OperationsError
            | ResultCode::TimeLimitExceeded
            | ResultCode::AdminLimitExceeded
            | ResultCode::Other(80)
    )
}

/// Whether a password is taken for nothing but to change it.
pub(super) fn must_be_changed(answer: &LdapResult) -> bool {
    Policy::of(answer).error == Some(Defect::MustChange)
}

fn who(config: &LdapConfig) -> String {
    match &config.bind {
        Some(bind) => format!("the directory does not let {} sign in", bind.dn),
        None if config.client_certificate.is_some() => {
            "the directory does not let directory.client_certificate sign in by SASL EXTERNAL".to_owned()
        }
        None => "the directory does not let this process's user sign in by SASL EXTERNAL".to_owned(),
    }
}

fn remedy(defect: Defect, config: &LdapConfig) -> String {
    let Some(Bind { key, .. }) = &config.bind else {
        return "map what is shown to an account in the directory (in slapd by authz-regexp), or set directory.bind_dn and a password"
            .to_owned();
    };
    match defect {
        Defect::Mismatch => {
            format!("there is no such account, or its password is another one: mend directory.bind_dn or directory.{key}")
        }
        Defect::Expired => format!(
            "its password has expired: give the account a new one, set directory.{key} to it, and exempt the account from expiry"
        ),
        Defect::MustChange => format!(
            "its password must be changed before anything else: give the account one that need not be, and set directory.{key} to it"
        ),
        Defect::Locked => format!(
            "the account is locked: unlock it, and make sure that directory.{key} and whoever else uses the account have its password"
        ),
        Defect::Disabled => "the account is disabled: enable it, or name another by directory.bind_dn".to_owned(),
        Defect::Ended => "the account has expired: extend it, or name another by directory.bind_dn".to_owned(),
        Defect::Elsewhere => "the account may not sign in now or from this machine: lift that restriction".to_owned(),
        Defect::Method => {
            "the directory asks for encryption or another way to sign in: use ldaps://, directory.starttls = true or \
             directory.client_certificate"
                .to_owned()
        }
        Defect::Untold => format!("see the directory's log, and mend directory.bind_dn or directory.{key}"),
    }
}

/// "80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data 532, v2580": the number after `data` is the
/// system's error code.
fn active_directory(diagnostic: &str) -> Option<Defect> {
    let code = diagnostic.split(", data ").nth(1)?.split(',').next()?.trim();
    match code {
        "525" | "52e" => Some(Defect::Mismatch),
        "530" | "531" => Some(Defect::Elsewhere),
        "532" => Some(Defect::Expired),
        "533" => Some(Defect::Disabled),
        "701" => Some(Defect::Ended),
        "773" => Some(Defect::MustChange),
        "775" => Some(Defect::Locked),
        _ => None,
    }
}

/// What the password policy's answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Policy {
    error: Option<Defect>,
    /// Seconds until the password expires.
    expires_in: Option<u64>,
    /// Sign-ins that are left after it has expired.
    grace: Option<u64>,
}

impl Policy {
    fn of(answer: &LdapResult) -> Self {
        let control = |name: &str| {
            let found = answer.ctrls.iter().find(|Control(_, control)| control.ctype == name);
            found.map(|Control(_, control)| control.val.as_deref().unwrap_or_default())
        };
        let mut policy = control(PASSWORD_POLICY).and_then(Self::parse).unwrap_or_default();
        let seconds = control(PASSWORD_EXPIRING).and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
        policy.expires_in = policy.expires_in.or(seconds);
        if control(PASSWORD_EXPIRED).is_some() && policy.error.is_none() && policy.grace.is_none() {
            policy.error = Some(if answer.rc == 0 { Defect::MustChange } else { Defect::Expired });
        }
        policy
    }

    fn parse(value: &[u8]) -> Option<Self> {
        let PL::C(parts) = parse_tag(value).ok()?.1.payload else { return None };
        let mut policy = Self::default();
        for StructureTag { id, payload, .. } in parts {
            match (id, payload) {
                // The warning, one of two; then the error.
                (0, PL::C(warning)) => {
                    for StructureTag { id, payload, .. } in warning {
                        match id {
                            0 => policy.expires_in = number(payload),
                            _ => policy.grace = number(payload),
                        }
                    }
                }
                (1, payload) => {
                    policy.error = match number(payload) {
                        Some(0) => Some(Defect::Expired),
                        Some(1) => Some(Defect::Locked),
                        Some(2) => Some(Defect::MustChange),
                        _ => None,
                    };
                }
                _ => {}
            }
        }
        Some(policy)
    }

    /// What comes of it if nobody does anything.
    fn warn(self, bind: Option<&Bind>) -> Option<String> {
        let Bind { dn, key, .. } = bind?;
        let remedy = format!("give the account a new one, set directory.{key} to it, and exempt the account from expiry");
        if let Some(left) = self.grace {
            let text = format!("the password of {dn} has expired, and {left} more times it is taken: {remedy}");
            tracing::error!("{text}");
            return Some(text);
        }
        let (hours, days) = (self.expires_in? / 3600, self.expires_in? / 86_400);
        let left = if days < 2 { format!("{hours} h") } else { format!("{days} days") };
        let text = format!("the password of {dn} expires in {left}: {remedy}");
        tracing::warn!("{text}");
        Some(text)
    }
}

fn number(payload: PL) -> Option<u64> {
    match payload {
        PL::P(bytes) if !bytes.is_empty() && bytes.len() <= 8 => {
            Some(bytes.into_iter().fold(0, |number, byte| number << 8 | u64::from(byte)))
        }
        PL::P(_) | PL::C(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::ldap::ProfileChoice;
    use crate::secret::Secret;

    fn config() -> LdapConfig {
        let bind = Bind { dn: "cn=gate".to_owned(), password: Secret::new("p".to_owned()), key: "bind_password_file" };
        LdapConfig {
            urls: Vec::new(),
            replicas: Vec::new(),
            replica_lag: Duration::ZERO,
            profile: ProfileChoice::Auto,
            starttls: false,
            ca: None,
            client_certificate: None,
            bind: Some(bind),
            connections: 1,
            max_operations: 1,
            timeout: Duration::ZERO,
            probe_timeout: Duration::ZERO,
            fail_back: Duration::ZERO,
            keepalive: Duration::ZERO,
        }
    }

    fn answer(rc: u32, text: &str, controls: &[(&str, &[u8])]) -> LdapResult {
        let control = |(name, value): &(&str, &[u8])| {
            Control(None, RawControl { ctype: (*name).to_owned(), crit: false, val: Some(value.to_vec()) })
        };
        let ctrls = controls.iter().map(control).collect();
        LdapResult { rc, matched: String::new(), text: text.to_owned(), refs: Vec::new(), ctrls }
    }

    fn refusal(rc: u32, text: &str, policy: Option<&[u8]>) -> String {
        refusal_with(answer(rc, text, policy.map(|value| (PASSWORD_POLICY, value)).as_slice()))
    }

    fn refusal_with(answer: LdapResult) -> String {
        match judge(answer, &config()) {
            Err(Trouble::Refused(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_wrong_with_the_account_is_told_with_the_key_to_mend() {
        let told = |text: String, what: &str| {
            assert!(text.contains("cn=gate") && text.contains(what), "{text}");
        };
        told(refusal(49, "", None), "directory.bind_password_file");
        told(refusal(49, "", Some(&[0x30, 3, 0x81, 1, 0])), "expired");
        told(refusal(49, "", Some(&[0x30, 3, 0x81, 1, 1])), "locked");
        told(refusal(0, "", Some(&[0x30, 3, 0x81, 1, 2])), "must be changed");
        told(refusal(8, "", None), "starttls");
        let of = |data: &str| refusal(49, &format!("80090308: LdapErr: DSID-0C09, comment: error, data {data}, v2580"), None);
        for (data, what) in
            [("52e", "another one"), ("532", "expired"), ("533", "disabled"), ("773", "must be changed"), ("775", "locked")]
        {
            told(of(data), what);
        }
    }

    #[test]
    fn whoever_is_let_in_or_told_to_wait_is_not_refused() {
        let warning = |controls: &[(&str, &[u8])]| judge(answer(0, "", controls), &config()).unwrap();
        assert_eq!(warning(&[]), None);
        let told = |controls: &[(&str, &[u8])], what: &str| {
            let text = warning(controls).unwrap();
            assert!(text.contains("cn=gate") && text.contains(what) && text.contains("directory.bind_password_file"), "{text}");
        };
        let hour: &[u8] = &[0x30, 6, 0xa0, 4, 0x80, 2, 0x0e, 0x10];
        let one_more: &[u8] = &[0x30, 5, 0xa0, 3, 0x81, 1, 1];
        told(&[(PASSWORD_POLICY, hour)], "expires in 1 h");
        told(&[(PASSWORD_POLICY, one_more)], "1 more times");
        told(&[(PASSWORD_EXPIRING, b"864000")], "expires in 10 days");
        told(&[(PASSWORD_POLICY, hour), (PASSWORD_EXPIRING, b"3600")], "expires in 1 h");
        told(&[(PASSWORD_POLICY, one_more), (PASSWORD_EXPIRED, b"0")], "1 more times");
        assert_eq!(warning(&[(PASSWORD_EXPIRING, b"soon")]), None);
        assert!(matches!(judge(answer(51, "", &[]), &config()), Err(Trouble::Away(_))));
    }

    #[test]
    fn a_password_that_389_no_longer_takes_is_told_by_its_own_control() {
        assert!(refusal_with(answer(49, "", &[(PASSWORD_EXPIRED, b"0")])).contains("has expired"));
        assert!(refusal_with(answer(0, "", &[(PASSWORD_EXPIRED, b"0")])).contains("must be changed"));
    }

    #[test]
    fn a_control_that_is_not_of_the_form_says_nothing() {
        for value in [&[][..], &[0x30], &[0x30, 3, 0x81, 1], &[0x04, 1, 0], &[0x30, 2, 0x81, 0]] {
            assert_eq!(judge(answer(0, "", &[(PASSWORD_POLICY, value)]), &config()), Ok(None), "{value:?}");
        }
    }
}
