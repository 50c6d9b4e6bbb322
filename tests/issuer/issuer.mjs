// An authorization server (oidc-provider) over TLS, whose keys change when it is told to. It counts what it is asked.
import { createServer } from 'node:https';
import { readFileSync } from 'node:fs';
import * as jose from 'jose';
import Provider from 'oidc-provider';

// It says at length that it is not made for production when it is set up like this.
console.info = () => {};
console.warn = () => {};

export const AUDIENCE = 'scimgate';
// What a client asks a token for; `resource` of RFC 8707.
const RESOURCES = {
  'https://scim.example.com/signed': { accessTokenFormat: 'jwt' },
  'https://scim.example.com/short': { accessTokenFormat: 'jwt', accessTokenTTL: 1 },
  'https://scim.example.com/opaque': { accessTokenFormat: 'opaque' },
  'https://scim.example.com/other': { accessTokenFormat: 'jwt', audience: 'another-service' },
  'https://scim.example.com/other-opaque': { accessTokenFormat: 'opaque', audience: 'another-service' },
};

export class Issuer {
  asked = new Map();
  keys = [];

  constructor(port, folder) {
    this.url = `https://127.0.0.1:${port}`;
    const tls = { cert: readFileSync(`${folder}/issuer.crt`), key: readFileSync(`${folder}/issuer.key`) };
    this.server = createServer(tls, (request, response) => {
      const path = request.url.split('?')[0];
      this.asked.set(path, (this.asked.get(path) ?? 0) + 1);
      this.callback(request, response);
    });
    this.port = port;
  }

  async start(alg) {
    await this.rotate(alg);
    await new Promise((listening) => this.server.listen(this.port, '127.0.0.1', listening));
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((closed) => this.server.close(closed));
  }

  // A new key signs from now on. The one before stays published, as long as there is one, for its tokens live still.
  async rotate(alg, keep = 1) {
    const { publicKey, privateKey } = await jose.generateKeyPair(alg, { extractable: true });
    const jwk = { ...(await jose.exportJWK(privateKey)), alg, use: 'sig', kid: `${alg}-${Math.random().toString(36).slice(2)}` };
    this.keys = [{ alg, jwk, privateKey, publicKey }, ...this.keys.slice(0, keep)];
    const client = (client_id, client_secret) => ({
      client_id,
      client_secret,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: alg,
    });
    const provider = new Provider(this.url, {
      jwks: { keys: this.keys.map((key) => key.jwk) },
      clients: [client('ping', 'secret of ping'), client('scimgate', 'secret+of scimgate')],
      scopes: ['users:read', 'users:write', 'groups:read', 'groups:write'],
      enabledJWA: {
        idTokenSigningAlgValues: [alg],
        userinfoSigningAlgValues: [alg],
        introspectionSigningAlgValues: [alg],
        authorizationSigningAlgValues: [alg],
      },
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        introspection: { enabled: true },
        revocation: { enabled: true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: (_, resource) => ({
            scope: 'users:read users:write groups:read groups:write',
            audience: AUDIENCE,
            accessTokenTTL: 300,
            jwt: { sign: { alg } },
            ...RESOURCES[resource],
          }),
        },
      },
    });
    provider.on('server_error', (_, error) => console.error(error));
    this.callback = provider.callback();
  }

  // A token as a client gets it.
  async token(resource, scope = 'users:read users:write') {
    const answer = await this.post('/token', { grant_type: 'client_credentials', resource: `https://scim.example.com/${resource}`, scope });
    if (!answer.ok) throw new Error(`no token: ${answer.status} ${await answer.text()}`);
    return (await answer.json()).access_token;
  }

  async revoke(token) {
    const answer = await this.post('/token/revocation', { token });
    if (!answer.ok) throw new Error(`not revoked: ${answer.status} ${await answer.text()}`);
  }

  post(path, form) {
    const authorization = `Basic ${btoa(`ping:${encodeURIComponent('secret of ping')}`)}`;
    return fetch(`${this.url}${path}`, { method: 'POST', headers: { authorization }, body: new URLSearchParams(form) });
  }

  // A token that the issuer itself could have made: by its key, with other claims or another header.
  forge(claims = {}, header = {}, key = this.keys[0].privateKey) {
    const now = Math.floor(Date.now() / 1000);
    const { alg, jwk } = this.keys[0];
    const all = { iss: this.url, aud: AUDIENCE, sub: 'ping', client_id: 'ping', scope: 'users:read', iat: now, exp: now + 300, ...claims };
    return new jose.SignJWT(all).setProtectedHeader({ alg, kid: jwk.kid, typ: 'at+jwt', ...header }).sign(key);
  }
}
