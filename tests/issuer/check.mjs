// Tokens of a real authorization server at scimgate: check.mjs ISSUER-PORT SCIM-BASE API-KEY FOLDER
import assert from 'node:assert/strict';
import * as jose from 'jose';
import { Issuer } from './issuer.mjs';

const [issuerPort, base, key, folder] = process.argv.slice(2);
const issuer = new Issuer(issuerPort, folder);

const get = (token, path = '/Users') => fetch(`${base}${path}`, { headers: { authorization: `Bearer ${token}` } });
const pause = (ms) => new Promise((over) => setTimeout(over, ms));

async function accepted(token) {
  const answer = await get(token);
  assert.equal(answer.status, 200, `${answer.status} ${answer.headers.get('www-authenticate')} ${await answer.text()}`);
}

async function refused(token, why) {
  const answer = await get(token);
  const body = await answer.text();
  assert.equal(answer.status, 401, `${why}: ${body}`);
  const challenge = answer.headers.get('www-authenticate');
  assert.match(challenge, /^Bearer realm="scimgate", error="invalid_token"/, why);
  assert.match(challenge, why);
  assert.deepEqual(JSON.parse(body).schemas, ['urn:ietf:params:scim:api:messages:2.0:Error']);
}

async function until(so) {
  for (let tries = 600; !(await so()); tries--) {
    assert.ok(tries > 0, 'waited in vain');
    await pause(50);
  }
}

const checks = {
  async 'scimgate runs before its issuer does'() {
    await accepted(key);
    const now = Math.floor(Date.now() / 1000);
    const { privateKey } = await jose.generateKeyPair('ES256');
    const token = await new jose.SignJWT({ iss: issuer.url, aud: 'scimgate', exp: now + 60 })
      .setProtectedHeader({ alg: 'ES256', kid: 'x' })
      .sign(privateKey);
    for (const unknown of [token, 'an-opaque-token']) {
      const answer = await get(unknown);
      assert.equal(answer.status, 503);
      assert.match(answer.headers.get('retry-after'), /^\d+$/);
    }
    await issuer.start('RS256');
    // The burst of fetches is spent on an issuer that was not there.
    await until(async () => (await get(await issuer.token('signed'))).status === 200);
    assert.ok(['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'].some((path) => issuer.asked.has(path)));
  },

  async 'a token opens what its scopes say'() {
    const answer = await get(await issuer.token('signed'), '/Groups');
    assert.equal(answer.status, 403);
    assert.match(answer.headers.get('www-authenticate'), /error="insufficient_scope", scope="groups:read"/);
  },

  async 'every algorithm is understood'() {
    for (const alg of ['PS256', 'ES256', 'EdDSA', 'ES384', 'RS512']) await issuer.rotate(alg, 9);
    await accepted(await issuer.token('signed'));
    for (const { alg, jwk, privateKey } of issuer.keys) {
      const token = await issuer.forge({}, { alg, kid: jwk.kid }, privateKey);
      await accepted(token);
    }
    // One key, and only by the algorithm it is for.
    const { jwk } = issuer.keys.find(({ alg }) => alg === 'PS256');
    const rs256 = await jose.importJWK({ ...jwk, alg: 'RS256' }, 'RS256');
    await refused(await issuer.forge({}, { alg: 'RS256', kid: jwk.kid }, rs256), /not known/);
  },

  async 'keys change under load, and no good token is refused'() {
    // The issuer is not asked for keys as often as a test would have it.
    await pause(20_000);
    let done = 0;
    let over = false;
    const before = issuer.asked.get('/jwks');
    const work = async () => {
      while (!over) {
        await accepted(await issuer.token('signed'));
        done++;
      }
    };
    const workers = Array.from({ length: 8 }, work);
    // What one of them throws is looked at below.
    for (const worker of workers) worker.catch(() => {});
    for (const alg of ['ES256', 'RS256', 'EdDSA']) {
      await pause(700);
      await issuer.rotate(alg);
    }
    await pause(700);
    over = true;
    const ends = await Promise.allSettled(workers);
    for (const { reason } of ends) if (reason) throw reason;
    assert.ok(done > 50, `${done} requests`);
    return `${done} requests, ${issuer.asked.get('/jwks') - before} fetches of keys`;
  },

  async 'a key that is withdrawn opens nothing'() {
    await pause(5_100);
    const old = await issuer.token('signed');
    await accepted(old);
    await issuer.rotate('RS256', 0);
    await accepted(await issuer.token('signed'));
    await refused(old, /not known/);
  },

  async 'the issuer counts few fetches, however many keys are made up'() {
    const begun = Date.now();
    const before = issuer.asked.get('/jwks');
    const { privateKey } = await jose.generateKeyPair('RS256');
    for (let n = 0; n < 25; n++) {
      const tokens = await Promise.all(Array.from({ length: 20 }, (_, m) => issuer.forge({}, { kid: `made-up-${n}-${m}` }, privateKey)));
      await Promise.all(tokens.map((token) => refused(token, /not known/)));
    }
    const fetches = issuer.asked.get('/jwks') - before;
    assert.ok(fetches <= 5 + (Date.now() - begun) / 5000, `${fetches} fetches`);
    await accepted(await issuer.token('signed'));
    return `500 tokens, ${fetches} fetches`;
  },

  async 'tokens that are not good are refused, and it is said why'() {
    const now = Math.floor(Date.now() / 1000);
    await accepted(await issuer.forge());
    const short = await issuer.token('short');
    await pause(3100);
    await refused(short, /expired/);
    await refused(await issuer.forge({ exp: now - 60 }), /expired/);
    await refused(await issuer.forge({ nbf: now + 60 }), /not valid yet/);
    await refused(await issuer.forge({ iat: now + 60 }), /not valid yet/);
    await refused(await issuer.forge({ exp: undefined }), /not known/);
    await refused(await issuer.token('other'), /another audience/);
    await refused(await issuer.forge({ aud: undefined }), /another audience/);
    await refused(await issuer.forge({ iss: 'https://idp.example.com' }), /not known/);
    await refused(await issuer.forge({ iss: `${issuer.url}/` }), /not known/);
    await refused(await issuer.forge({}, { typ: 'logout+jwt' }), /not known/);
    await refused(await issuer.forge({ at_hash: 'x' }), /not known/);
    const other = await jose.generateKeyPair('RS256');
    await refused(await issuer.forge({}, {}, other.privateKey), /not known/);
    await refused(await issuer.forge({}, { jwk: await jose.exportJWK(other.publicKey) }, other.privateKey), /not known/);
  },

  async 'no token chooses how it is verified'() {
    const [header, claims, signature] = (await issuer.forge()).split('.');
    const coded = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const { kid } = JSON.parse(Buffer.from(header, 'base64url'));
    for (const alg of ['none', 'None', 'nOnE', '', 'HS256']) {
      for (const end of ['', signature]) await refused(`${coded({ alg, kid, typ: 'at+jwt' })}.${claims}.${end}`, /not known/);
    }
    const { publicKey } = issuer.keys[0];
    const jwks = await (await fetch(`${issuer.url}/jwks`)).json();
    for (const secret of [await jose.exportSPKI(publicKey), jwks.keys[0].n, JSON.stringify(jwks.keys[0])]) {
      await refused(await issuer.forge({}, { alg: 'HS256' }, new TextEncoder().encode(secret)), /not known/);
    }
    const wider = coded({ ...JSON.parse(Buffer.from(claims, 'base64url')), scope: 'users:write groups:write admin' });
    await refused(`${header}.${wider}.${signature}`, /not known/);
  },

  async 'the issuer is asked about a token that says nothing'() {
    const token = await issuer.token('opaque');
    assert.ok(!token.includes('.'));
    const before = issuer.asked.get('/token/introspection') ?? 0;
    await accepted(token);
    for (let n = 0; n < 20; n++) await accepted(token);
    assert.ok(issuer.asked.get('/token/introspection') - before <= 2, 'the answer is kept');
    await refused(await issuer.token('other-opaque'), /another audience/);
    await refused('never-made', /not known/);
    await issuer.revoke(token);
    await until(async () => (await get(token)).status === 401);
    await refused(token, /not known/);
  },

  async 'an issuer that has gone closes its own door only'() {
    const [signed, opaque] = [await issuer.token('signed'), await issuer.token('opaque')];
    await accepted(opaque);
    await issuer.stop();
    await accepted(signed);
    await until(async () => (await get(opaque)).status === 503);
    await accepted(key);
  },
};

let failed = 0;
for (const [name, check] of Object.entries(checks)) {
  try {
    const remark = await check();
    console.log(`ok      ${name}${remark ? `: ${remark}` : ''}`);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${name}\n${error.stack}`);
  }
}
if (issuer.server.listening) await issuer.stop();
console.log(`${Object.keys(checks).length - failed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
