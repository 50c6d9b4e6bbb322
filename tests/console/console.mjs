// What an administrator does at the console.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import axe from "axe-core";
import { chromium } from "playwright-core";
import { Gateway, group, scim, user } from "./gateway.mjs";

const { ADMIN, CHROMIUM, GROUND, PICTURES } = process.env;
const KEY = readFileSync(`${GROUND}/root.secret`, "utf8");
const PAGES = ["provisioning", "keys", "activity", "explain", "limits", "health"];
const OPTIONS = {
  executablePath: CHROMIUM,
  headless: true,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
};

const gateway = new Gateway();
await gateway.start();
const context = await chromium.launchPersistentContext(`${GROUND}/profile`, { ...OPTIONS, viewport: { width: 1280, height: 900 } });
let failed = true;
try {
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: ADMIN });
  const page = context.pages()[0] ?? await context.newPage();
  const troubles = watch(page);
  await signingIn(page);
  const token = await header(page);
  await oauth2(page);
  await switches(page, token);
  const key = await keys(page);
  await live(page, token);
  await explain(page, token);
  await health(page);
  await restart(page, token);
  await everybody(page);
  await withoutJavaScript();
  await revoke(page, key);
  assert.deepEqual(troubles, [], "the browser complains");
  failed = false;
} finally {
  if (failed && PICTURES) await context.pages()[0]?.screenshot({ path: `${PICTURES}/failed.png`, fullPage: true }).catch(() => {});
  await context.close();
  await gateway.stop();
}
console.log("The console does what it says.");

// What the policy of the pages forbids, and what fails in them; answers that are refusals are no such thing.
function watch(page) {
  const troubles = [];
  page.on("pageerror", (error) => troubles.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error" && !/Failed to load resource|ERR_/.test(message.text())) troubles.push(message.text());
  });
  return troubles;
}

async function signIn(page) {
  await page.goto(`${ADMIN}/console/sign-in`);
  await page.getByLabel("Administrator’s key").fill(KEY);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL("**/console/provisioning");
}

async function signingIn(page) {
  await page.goto(`${ADMIN}/console`);
  assert.match(page.url(), /sign-in$/);
  await checked(page, "sign-in");
  await page.getByLabel("Administrator’s key").fill("scimgate_wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  assert.match(await page.getByRole("alert").innerText(), /not known/);
  await signIn(page);
  const cookie = (await context.cookies()).find(({ name }) => name === "scimgate_console");
  assert.ok(cookie.httpOnly && cookie.sameSite === "Strict");
}

async function save(page) {
  await page.getByRole("button", { name: "Save" }).click();
}

async function done(page, text) {
  await page.getByText(text).waitFor();
}

// By its button; the clipboard then holds what is shown.
async function copy(page, id) {
  const button = page.locator(`[data-copy="${id}"]`);
  await button.click();
  await button.getByText("Copied").waitFor();
  const text = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(text, await page.locator(`#${id}`).innerText());
  return text;
}

async function header(page) {
  await page.getByLabel("HTTP header (API key)").check();
  await save(page);
  assert.equal(await copy(page, "base-url"), (await page.locator("#base-url").innerText()).trim());
  assert.match(await copy(page, "base-url"), /\/scim\/v2$/);
  await page.getByRole("button", { name: "Make a token" }).click();
  await picture(page, "made");
  const token = await copy(page, "made-secret");
  assert.equal((await scim(token, "POST", "/Users", user("jane"))).status, 201);
  await page.reload();
  assert.ok(!(await page.content()).includes(token), "it is shown once");
  return token;
}

async function oauth2(page) {
  await page.getByLabel("OAuth2 client credentials").check();
  await save(page);
  await done(page, "Saved.");
  const endpoint = await copy(page, "token-endpoint");
  await page.getByLabel("Name of the provider").fill("pingone");
  await page.getByRole("button", { name: "Make a client" }).click();
  const [id, secret] = [await copy(page, "made-id"), await copy(page, "made-secret")];
  const body = new URLSearchParams({ grant_type: "client_credentials", client_id: id, client_secret: secret });
  const answer = await fetch(endpoint.replace("localhost", "127.0.0.1"), { method: "POST", body });
  assert.equal(answer.status, 200);
  const { access_token: token } = await answer.json();
  assert.equal((await scim(token, "GET", "/Users")).status, 200);
}

async function turn(page, label, on) {
  await page.goto(`${ADMIN}/console/provisioning`);
  await page.getByLabel(label).setChecked(on);
  await save(page);
  await page.getByRole("heading", { name: `Turn ${on ? "on" : "off"}: ${label}` }).waitFor();
  await picture(page, `confirm-${label.split(" ").at(-1)}-${on ? "on" : "off"}`);
  await page.getByRole("button", { name: "Confirm" }).click();
  await done(page, "Saved.");
}

async function switches(page, token) {
  const total = async () => (await scim(token, "GET", "/Users")).body.totalResults;
  const few = await total();
  await turn(page, "Provision existing users", true);
  assert.ok((await total()) > few, "existing users are found");
  await turn(page, "Sync SCIM groups", false);
  assert.equal((await scim(token, "POST", "/Groups", group("crew"))).status, 403);
  await turn(page, "Sync SCIM groups", true);
  assert.equal((await scim(token, "POST", "/Groups", group("crew"))).status, 201);
  await turn(page, "Use identity provider", false);
  assert.equal((await scim(token, "GET", "/Users")).status, 403);
  await turn(page, "Use identity provider", true);
  assert.equal((await scim(token, "GET", "/Users")).status, 200);
}

async function keys(page) {
  await page.goto(`${ADMIN}/console/keys`);
  await page.getByLabel("Name", { exact: true }).fill("okta");
  await page.getByRole("button", { name: "Make", exact: true }).click();
  const key = await copy(page, "made-secret");
  assert.equal((await scim(key, "GET", "/Users")).status, 200);
  await page.getByLabel("First day on which the key of okta no longer works").fill("2999-01-01");
  await page.getByRole("row", { name: /okta/ }).getByRole("button", { name: "Set end" }).click();
  await done(page, "It works until 2999-01-01");
  assert.equal((await scim(key, "GET", "/Users")).status, 200);
  return key;
}

async function live(page, token) {
  await page.goto(`${ADMIN}/console/activity`);
  await page.locator("#live", { hasText: "live" }).waitFor();
  const before = await page.locator(".write").count();
  const { status, body } = await scim(token, "POST", "/Users", user("arrives.live"));
  assert.equal(status, 201);
  await page.locator(".write", { hasText: "201" }).first().and(page.locator(".new")).waitFor();
  assert.equal(await page.locator(".write").count(), before + 1);
  const newest = page.locator(".write").first();
  await newest.locator("summary").click();
  const shown = await newest.innerText();
  for (const words of ["POST User", "ping", body.id, "dn: uid=arrives.live@example.com", "changetype: add"]) {
    assert.ok(shown.includes(words), `${words} is not in ${shown}`);
  }
  await scim(token, "DELETE", `/Users/${body.id}`);
  await page.locator(".write", { hasText: "DELETE User" }).waitFor();
}

async function explain(page, token) {
  await page.goto(`${ADMIN}/console/explain`);
  await page.getByLabel("Body").fill(JSON.stringify(user("never"), null, 2));
  await page.getByRole("button", { name: "Explain" }).click();
  await page.getByText("would be done").waitFor();
  assert.match(await page.locator("#outcome pre").innerText(), /dn: uid=never@example\.com/);
  const filter = encodeURIComponent('userName eq "never@example.com"');
  assert.equal((await scim(token, "GET", `/Users?filter=${filter}`)).body.totalResults, 0);
  await checked(page, "explained");
}

async function health(page) {
  await page.goto(`${ADMIN}/console/health`);
  await page.getByRole("button", { name: "Look now" }).click();
  await page.locator(".findings li").first().waitFor();
  assert.match(await page.locator(".findings").innerText(), /is valid/);
  await checked(page, "findings");
}

async function restart(page, token) {
  await gateway.stop();
  await gateway.start();
  assert.equal((await scim(token, "GET", "/Users")).status, 200);
  await page.goto(`${ADMIN}/console/keys`);
  assert.match(page.url(), /sign-in$/, "a restart signs everybody out");
  await signIn(page);
  assert.ok(await page.getByLabel("Provision existing users").isChecked());
  assert.ok(await page.getByLabel("OAuth2 client credentials").isChecked());
  await page.goto(`${ADMIN}/console/keys`);
  for (const name of ["ping", "okta", "pingone", "root"]) await page.getByRole("rowheader", { name, exact: true }).waitFor();
  for (const name of ["lena", "tom", "mira"]) assert.equal((await scim(token, "POST", "/Users", user(name))).status, 201);
  assert.equal((await scim(token, "POST", "/Users", user("tom"))).status, 409);
}

// Every page as everybody sees it.
async function everybody(page) {
  for (const name of PAGES) {
    await page.goto(`${ADMIN}/console/${name}`);
    if (name === "activity") {
      await page.locator("#live", { hasText: "live" }).waitFor();
      await page.locator(".write").first().locator("summary").click();
    }
    await checked(page, name);
  }
  await page.goto(`${ADMIN}/console/provisioning`);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the page");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement.id), "main");
}

async function checked(page, name) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    for (const width of [1280, 390]) {
      await page.setViewportSize({ width, height: 900 });
      const wide = await page.evaluate(() => document.scrollingElement.scrollWidth);
      assert.ok(wide <= width, `${name} is ${wide} wide where there are ${width}`);
      await picture(page, `${name}-${colorScheme}-${width}`);
      await page.evaluate(axe.source);
      const { violations } = await page.evaluate(() => globalThis.axe.run(document));
      const bad = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
      const told = bad.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.html} ${node.failureSummary}`).join("\n")}`);
      assert.deepEqual(told, [], `${name}, ${colorScheme}, ${width}`);
    }
  }
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.emulateMedia({ colorScheme: "light", reducedMotion: null });
}

async function withoutJavaScript() {
  const plain = await chromium.launch(OPTIONS);
  try {
    const page = await (await plain.newContext({ javaScriptEnabled: false })).newPage();
    await signIn(page);
    for (const name of PAGES) {
      await page.goto(`${ADMIN}/console/${name}`);
      await page.getByRole("heading", { level: 1 }).waitFor();
      assert.equal(await page.getByRole("button", { name: "Copy", exact: true }).count(), 0);
    }
    await page.goto(`${ADMIN}/console/activity`);
    await page.locator("summary", { hasText: "409" }).click();
    await turn(page, "Provision existing users", false);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL("**/console/sign-in");
  } finally {
    await plain.close();
  }
}

async function revoke(page, key) {
  await page.goto(`${ADMIN}/console/keys`);
  await page.getByRole("button", { name: "Revoke okta" }).click();
  await done(page, "Revoked.");
  assert.equal((await scim(key, "GET", "/Users")).status, 401);
}

async function picture(page, name) {
  if (!PICTURES) return;
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: `${PICTURES}/${name}.png`, fullPage: true });
}
