// The program, started and stopped, and the SCIM side of it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { openSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

const { SCIM, ADMIN, PROGRAM, GROUND } = process.env;

export class Gateway {
  #child;

  async start() {
    const log = openSync(`${GROUND}/scimgate.log`, "a");
    this.#child = spawn(PROGRAM, ["serve", "--config", `${GROUND}/scimgate.toml`], { stdio: ["ignore", log, log] });
    for (let tries = 0; tries < 300; tries += 1) {
      const ready = await fetch(`${ADMIN}/readyz`).then((answer) => answer.ok, () => false);
      if (ready) return;
      assert.equal(this.#child.exitCode, null, "scimgate has ended");
      await sleep(100);
    }
    assert.fail("scimgate does not become ready");
  }

  async stop() {
    if (!this.#child || this.#child.exitCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGTERM");
    await ended;
  }
}

// Status and body of a SCIM request.
export async function scim(key, method, path, body) {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/scim+json" };
  const answer = await fetch(`${SCIM}${path}`, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  return { status: answer.status, body: text ? JSON.parse(text) : undefined };
}

export const user = (name) => ({
  schemas: ["urn:ietf:params:scim:schemas:core:2.0:User"],
  userName: `${name}@example.com`,
  name: { givenName: name, familyName: "Test" },
});

export const group = (name) => ({ schemas: ["urn:ietf:params:scim:schemas:core:2.0:Group"], displayName: name });
