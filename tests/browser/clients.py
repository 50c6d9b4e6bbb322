"""Authlib, a client library that knows nothing of scimgate, gets tokens in every way there is, and SCIM takes them."""

import html
import re
import unittest
from urllib.parse import parse_qs, urljoin, urlsplit

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session

from ground import ADMINISTRATOR, CALLBACK, ORIGIN, PASSWORD, secret

METADATA = requests.get(f"{ORIGIN}/.well-known/oauth-authorization-server", timeout=30).json()


def session(client, **options):
    return OAuth2Session(client, secret(client), redirect_uri=CALLBACK, **options)


def consent(url):
    """What a browser and an administrator do: the address that they are sent to."""
    browser = requests.Session()
    page = browser.get(url, timeout=30)
    assert page.status_code == 200, page.text
    action = re.search(r'<form method="post" action="([^"]*)"', page.text)[1]
    form = html.unescape(re.search(r'name="form" value="([^"]*)"', page.text)[1])
    fields = {"form": form, "username": ADMINISTRATOR, "password": PASSWORD, "answer": "allow"}
    answer = browser.post(urljoin(page.url, html.unescape(action)), fields, timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.headers["refresh"].removeprefix("0; url=")


class Clients(unittest.TestCase):
    def works(self, client):
        answer = client.get(f"{ORIGIN}/scim/v2/Users", timeout=30)
        return answer.status_code

    def test_a_client_gets_a_token_for_its_secret(self):
        for method in METADATA["token_endpoint_auth_methods_supported"]:
            with self.subTest(method=method):
                ping = session("ping", token_endpoint_auth_method=method)
                token = ping.fetch_token(METADATA["token_endpoint"], grant_type="client_credentials")
                self.assertEqual(token["token_type"], "Bearer")
                self.assertEqual(self.works(ping), 200)

    def authorized(self, client, **extra):
        made = session(client, code_challenge_method="S256", token_endpoint=METADATA["token_endpoint"])
        url, state = made.create_authorization_url(METADATA["authorization_endpoint"], **extra)
        back = consent(url)
        self.assertEqual(parse_qs(urlsplit(back).query)["iss"], [METADATA["issuer"]])
        return made, back, state

    def test_a_client_gets_tokens_by_a_persons_consent_with_pkce(self):
        verifier = generate_token(48)
        modern, back, state = self.authorized("modern", code_verifier=verifier)
        token = modern.fetch_token(authorization_response=back, state=state, code_verifier=verifier)
        self.assertEqual((token["token_type"], token["scope"]), ("Bearer", "users:write"))
        self.assertEqual(self.works(modern), 200)
        first = token["access_token"]
        refreshed = modern.refresh_token(METADATA["token_endpoint"])
        self.assertNotEqual(refreshed["access_token"], first)
        self.assertEqual(self.works(modern), 200)

        self.assertEqual(modern.revoke_token(METADATA["revocation_endpoint"], token["refresh_token"]).status_code, 200)
        self.assertEqual(self.works(modern), 401)
        with self.assertRaises(OAuthError) as refused:
            modern.refresh_token(METADATA["token_endpoint"], token["refresh_token"])
        self.assertEqual(refused.exception.error, "invalid_grant")

    def test_a_client_without_pkce_gets_tokens_where_that_is_allowed(self):
        okta, back, state = self.authorized("okta", scope="offline_access users:write")
        token = okta.fetch_token(authorization_response=back, state=state)
        self.assertEqual(token["scope"], "users:write")
        self.assertEqual(self.works(okta), 200)
        with self.assertRaises(OAuthError):
            okta.fetch_token(authorization_response=back, state=state)
        self.assertEqual(self.works(okta), 401)

    def test_a_client_that_must_use_pkce_is_sent_back_without_it(self):
        modern = session("modern")
        url, _ = modern.create_authorization_url(METADATA["authorization_endpoint"])
        answer = requests.get(url, allow_redirects=False, timeout=30)
        self.assertEqual(parse_qs(urlsplit(answer.headers["location"]).query)["error"], ["invalid_request"])


if __name__ == "__main__":
    unittest.main()
