//! `[upstream]`: the application beside us.

use std::net::{IpAddr, SocketAddr};

use http::uri::{Authority, Scheme};
use url::{Host, Url};

use super::load::SECOND;
use super::reader::Section;
use crate::http::{HostHeader, UpstreamConfig};

/// Who must not be the application: ourselves.
pub(super) struct Own<'a> {
    /// The addresses we listen at, by their keys.
    pub(super) listen: [(&'static str, SocketAddr); 2],
    pub(super) public_url: Option<&'a str>,
}

/// `None`: there is none, and what is not ours is 404.
pub(super) fn upstream(mut section: Section<'_>, own: &Own<'_>) -> Option<UpstreamConfig> {
    let (place, is_present) = (section.place_of("url"), section.is_present());
    let url = section.parsed("url", url);
    let ca = section.path("ca");
    let host = section.parsed("host", |text| match text {
        "client" => Ok(HostHeader::Client),
        "upstream" => Ok(HostHeader::Upstream),
        _ => Err("this must be \"client\" (what the client said) or \"upstream\" (what url says)".to_owned()),
    });
    let connect_timeout = section.duration("connect_timeout", 5 * SECOND);
    let timeout = section.duration("timeout", 60 * SECOND);
    let idle_timeout = section.duration("idle_timeout", 600 * SECOND);
    let max_requests = section.number("max_requests", 1024, 1);
    if place.is_none() && is_present {
        section.note(None, "url", "say where the application is: url = \"http://127.0.0.1:8080\"");
    }
    if let Some(key) = url.as_ref().and_then(|(url, ..)| own.is(url)) {
        let what = format!(
            "this is {key}, scimgate itself: requests would go in circles. Name the port of the application beside it, such as \
             \"http://127.0.0.1:8080\""
        );
        section.note(place.as_ref(), "url", what);
    }
    section.finish();
    let (_, scheme, authority) = url?;
    let host = host.unwrap_or_default();
    Some(UpstreamConfig { scheme, authority, ca, host, connect_timeout, timeout, idle_timeout, max_requests })
}

fn url(text: &str) -> Result<(Url, Scheme, Authority), String> {
    let form = "this must be the URL of the application, such as \"http://127.0.0.1:8080\"";
    let url = Url::parse(text).ok().filter(Url::has_host).ok_or(form)?;
    let scheme = match url.scheme() {
        "http" => Scheme::HTTP,
        "https" => Scheme::HTTPS,
        _ => return Err(form.to_owned()),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err("nobody can sign in for others here: take the user name and the password out of it".to_owned());
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("this must end after the port: paths are handed on as they are".to_owned());
    }
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let authority = format!("{}{port}", url.host_str().unwrap_or_default()).parse().map_err(|_| form)?;
    Ok((url, scheme, authority))
}

impl Own<'_> {
    /// Which key says that this is us.
    fn is(&self, url: &Url) -> Option<&'static str> {
        let port = url.port_or_known_default().filter(|port| *port != 0)?;
        let address = match url.host()? {
            Host::Domain(name) => (name == "localhost" || name.ends_with(".localhost")).then_some(None),
            Host::Ipv4(address) => Some(Some(IpAddr::V4(address))),
            Host::Ipv6(address) => Some(Some(IpAddr::V6(address).to_canonical())),
        };
        let is = |listen: &SocketAddr| {
            // A name of this machine is any of its addresses; nobody's address is this machine's own.
            let here = |ip: IpAddr| ip.is_loopback() || ip.is_unspecified();
            let meets = match address {
                None => false,
                Some(None) => here(listen.ip()),
                Some(Some(ip)) => {
                    ip == listen.ip() || (here(ip) && listen.ip().is_unspecified()) || (ip.is_unspecified() && here(listen.ip()))
                }
            };
            meets && listen.port() == port
        };
        let listens = self.listen.iter().find(|(_, listen)| is(listen)).map(|(key, _)| *key);
        let public = || {
            let public = Url::parse(self.public_url?).ok()?;
            (public.host() == url.host() && public.port_or_known_default() == Some(port)).then_some("server.public_url")
        };
        listens.or_else(public)
    }
}
