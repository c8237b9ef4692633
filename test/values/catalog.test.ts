import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProviderRow } from "../../src/catalog/provider-row.ts";
import {
  passwordOnlyProviderByName,
  providerByName,
  providers,
} from "../../src/catalog/providers.ts";
import { gateways, passwordOnlyProviders } from "../../src/catalog/without-tokens.ts";
import type { Endpoint } from "../../src/mail-server.ts";
import { loopbackRedirect } from "../../src/sign-in/redirect.ts";

const names = new Map<string, string>();
const domains = new Map<string, string>();
const patterns = new Map<string, string>();

/** What a name, a domain or a pattern stands for must be one thing. */
function claim(owners: Map<string, string>, key: string, owner: string): void {
  assert.equal(owners.get(key), undefined, `${key} stands for ${owners.get(key)} and ${owner}`);
  owners.set(key, owner);
}

const pattern = /^(\*\.)?([a-z0-9-]+\.)+[a-z0-9-]+$/;

for (const row of [...providers, ...passwordOnlyProviders]) {
  test(`the row ${row.name} says how its mailboxes are recognised, and where they are`, () => {
    for (const name of [row.name, ...row.aliases]) {
      assert.match(name, /^[a-z0-9][a-z0-9.-]*$/);
      claim(names, name, row.name);
      const upper = name.toUpperCase();
      assert.equal(providerByName(upper) ?? passwordOnlyProviderByName(upper), row);
    }
    for (const domain of row.domains) {
      assert.match(domain, /^([a-z0-9-]+\.)+[a-z0-9-]+$/);
      claim(domains, domain, row.name);
    }
    for (const host of [...row.mx, ...(row.unconfirmedMx ?? [])]) {
      assert.match(host, pattern);
      // The two clouds of the US government share theirs.
      if (!host.endsWith(".office365.us")) claim(patterns, host, row.name);
    }
    assert.match(row.title, /\S/);
    checkServer(row.imap, 993, [1143]);
    if (row.smtp !== undefined) checkServer(row.smtp, 465, [587, 1025]);
    if (row.pop !== undefined) checkServer(row.pop, 995, []);
    assert.ok(row.sources.length > 0);
    assert.ok(row.sources.every((source) => /\S/.test(source)));
  });
}

/** TLS at once on the port that RFC 8314 names; STARTTLS on the others. */
function checkServer({ host, port, tls }: Endpoint, implicit: number, others: number[]): void {
  assert.match(host, /^[a-z0-9-]+(\.[a-z0-9-]+)+$/);
  assert.equal(tls, port === implicit ? "implicit" : "starttls");
  assert.ok([implicit, ...others].includes(port), `${host}:${port}`);
}

for (const row of providers) {
  test(`the row ${row.name} says how a token is had`, () => {
    const endpoints = [row.authorizationEndpoint, row.tokenEndpoint];
    if (row.deviceAuthorizationEndpoint) endpoints.push(row.deviceAuthorizationEndpoint);
    for (const endpoint of endpoints) {
      const url = new URL(endpoint.replace("{tenant}", "common"));
      assert.equal(url.protocol, "https:");
      assert.equal(url.search + url.hash, "");
      assert.equal(endpoint.includes("{tenant}"), row.defaultTenant !== undefined);
    }
    for (const url of [row.issuer, row.revocationEndpoint, row.registration]) {
      if (url !== undefined) assert.equal(new URL(url).protocol, "https:");
    }
    assert.equal(row.deviceAuthorizationEndpoint !== undefined, row.flows.includes("device"));
    const scopes = [row.scopes.imap, row.scopes.smtp, row.scopes.pop, ...row.extraScopes];
    for (const scope of scopes) if (scope !== undefined) assert.match(scope, /^\S+( \S+)*$/);
    // What no source says for sure is left out, and that is said.
    if (row.scopes.imap === undefined) assert.match(row.unconfirmed?.[0] ?? "", /scope/);
    for (const scope of row.unechoedScopes ?? []) assert.ok(row.extraScopes.includes(scope));
    for (const remark of row.beforeSignIn ?? []) assert.match(remark, /^\S.*[^.\s]$/);
    assert.ok(row.mechanisms.length > 0);
    assert.ok(row.flows.includes("code"));
    if (Object.keys(row.applications).length === 0) assert.match(row.name, /^office365-/);
    else assert.ok("thunderbird" in row.applications, "the default application");
  });

  for (const [name, application] of Object.entries(row.applications)) {
    test(`the application ${name} at ${row.name} holds together`, () => {
      assert.match(name, /^[a-z][a-z0-9-]*$/);
      assert.match(application.clientId, /^[\x21-\x7e]+$/);
      assert.ok(URL.canParse(application.redirectUri));
      const nothing = { port: undefined, scheme: undefined };
      const isLoopback = loopbackRedirect(application.redirectUri, nothing) !== undefined;
      if (application.isRedirectUriExact) assert.ok(isLoopback);
      assert.ok(application.sources.length > 0);
      // Nobody's own secret is ours to ship: a row has a published one, or asks for the user's.
      const isPublished = application.publishedClientSecret !== undefined;
      assert.ok(!(isPublished && application.needsOwnSecret));
      if (isPublished) assert.ok(application.sources.some((source) => source.includes("mozilla/")));
    });
  }
}

test("the gateways' patterns are nobody else's", () => {
  for (const { title, mx, sources } of gateways) {
    assert.ok(sources.length > 0);
    for (const host of mx) {
      assert.match(host, pattern);
      claim(patterns, host, title);
    }
  }
});

test("who has no OAuth 2.0 says what to do instead", () => {
  for (const { instead } of passwordOnlyProviders) assert.match(instead, /^[a-z].*[^.]$/s);
});

test("a domain of which others have a part needs a look-up: yahoo.co.jp is another company's", () => {
  for (const domain of ["yahoo.co.jp", "yahoo.fr", "hotmail.fr", "outlook.de", "live.nl", "aol.de"])
    assert.ok(!domains.has(domain), domain);
});

test("a redirect URI at Microsoft has no slash at its end, because it is compared as text", () => {
  for (const name of ["office365", "outlook"]) {
    assert.equal(
      providerByName(name)?.applications["thunderbird"]?.redirectUri,
      "https://localhost",
    );
  }
});

test("the quirks that providers are known for stand in their rows", () => {
  const row = (name: string): ProviderRow => providerByName(name) as ProviderRow;
  const google = { access_type: "offline", prompt: "consent" };
  assert.deepEqual(row("google").authorizationParameters, google);
  for (const name of ["yahoo", "aol", "att"]) {
    const application = row(name).applications["thunderbird"];
    assert.equal(application?.redirectUri, "https://127.0.0.1");
    assert.equal(application?.isRedirectUriExact, true);
  }
  assert.equal(row("mailru").basicAtCodeExchange, true);
  assert.equal(row("mailru").withoutPkce, true);
  const resource = "https://api.fastmail.com/jmap/session";
  assert.equal(row("fastmail").ownApplication?.resource, resource);
  assert.equal(row("seznam").applications["thunderbird"]?.redirectUri, "http://127.0.0.1/seznam");
  for (const name of ["office365", "outlook", "office365-gcc-high", "office365-dod"]) {
    assert.deepEqual(row(name).unechoedScopes, ["offline_access"]);
  }
});

test("an unknown name finds nothing", () => {
  for (const name of ["", "toString", "__proto__", "google "]) {
    assert.equal(providerByName(name), undefined);
    assert.equal(passwordOnlyProviderByName(name), undefined);
  }
});
