import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { ProviderRow } from "../../src/catalog/provider-row.ts";
import { providerByName, providers } from "../../src/catalog/providers.ts";
import { main } from "../../src/cli/main.ts";
import { type Result, runMain, type Scene, setScene, user } from "../scene/scene.ts";
import { standIn } from "../scene/stand-in.ts";
import { callback, partsOf } from "../scene/visit.ts";
import type { TestWorld } from "../scene/world.ts";

let scene: Scene;
beforeEach(async () => {
  scene = await setScene();
});
afterEach(() => scene?.close());

const ownClient = ["--client-id", "own-client", "--redirect-uri", "http://localhost"];

/** What a row does not know has to be given. */
function missingValues({ applications, scopes }: ProviderRow): string[] {
  return [
    ...("thunderbird" in applications ? [] : ownClient),
    ...(scopes.imap === undefined ? ["--scope", "given-scope offline_access"] : []),
  ];
}

function servers(): string[] {
  const imap = ["--imap-server", `localhost:${scene.imap.port}`];
  return [...imap, "--ca-file", scene.certificates.caFile, "--home", scene.directory];
}

function worldOf(row: ProviderRow): TestWorld {
  const endpoint = row.tokenEndpoint.replace("{tenant}", row.defaultTenant ?? "");
  const world = standIn(scene.world(), endpoint, scene.endpoint.uri);
  const send = world.http;
  world.http = (request) =>
    request.url === row.tokenInfoEndpoint ? Promise.resolve(nothingKnown) : send(request);
  return world;
}

/** What Google's tokeninfo says of a token without the scope email, as far as it matters. */
const nothingKnown = { status: 200, headers: new Headers(), body: "{}", truncated: false };

interface SignedIn extends Result {
  /** the sign-in address */
  readonly url: URL;
  /** the request for the token */
  readonly request: URLSearchParams;
  readonly headers: Readonly<Record<string, string>>;
}

/** Signs in as a person does, who pastes where the browser ended. */
async function signIn(row: ProviderRow, ...more: string[]): Promise<SignedIn> {
  const world = worldOf(row);
  const args = [user, "--provider", row.name, ...missingValues(row), ...servers(), ...more];
  const ended = main(args, world);
  await Promise.race([world.shown(/paste it here/), ended]);
  const shown = /^https:\/\/\S+$/m.exec(world.written.stderr)?.[0];
  assert.ok(shown, world.written.stderr);
  const isRowsServer = !more.includes("--authorize-uri");
  const issuer =
    row.issuer !== undefined && isRowsServer ? `&iss=${encodeURIComponent(row.issuer)}` : "";
  world.stdin.write(`${callback(shown, "the-code")}${issuer}\n`);
  const status = await ended;
  const request = scene.endpoint.requests.at(-1);
  assert.ok(request, world.written.stderr);
  const headers = world.requests.at(-1)?.headers ?? {};
  return { status, ...world.written, url: new URL(shown), request, headers };
}

/** A refresh troubles nobody with what only a sign-in needs. */
async function refresh(row: ProviderRow, ...more: string[]): Promise<URLSearchParams> {
  const world = worldOf(row);
  const args = [user, "--provider", row.name, ...missingValues(row), ...servers(), ...more];
  const result = await runMain(args, world);
  assert.equal(result.status, 0, result.stderr);
  assert.doesNotMatch(result.stderr, /^mxtoken: note:/m);
  const request = scene.endpoint.requests.at(-1);
  assert.equal(request?.get("grant_type"), "refresh_token");
  assert.equal(world.requests.at(-1)?.headers["authorization"], undefined);
  return request ?? new URLSearchParams();
}

const granted = (more: object = {}) => ({
  status: 200,
  body: { access_token: "access-1", refresh_token: "refresh-1", token_type: "Bearer", ...more },
});

function row(name: string): ProviderRow {
  const found = providerByName(name);
  assert.ok(found);
  return found;
}

for (const each of providers) {
  describe(each.name, () => {
    test("signs in and refreshes, each request as the row says", async () => {
      scene.endpoint.answer = () => granted();
      const { status, stderr, url, request, headers } = await signIn(each);
      assert.equal(status, 0, stderr);
      const endpoint = each.authorizationEndpoint.replace("{tenant}", each.defaultTenant ?? "");
      assert.equal(url.origin + url.pathname, endpoint);
      const asked = url.searchParams;
      const application = each.applications["thunderbird"];
      assert.equal(asked.get("client_id"), application?.clientId ?? "own-client");
      for (const [name, value] of Object.entries(each.authorizationParameters)) {
        assert.equal(asked.get(name), value);
      }
      assert.equal(asked.get("code_challenge_method"), each.withoutPkce ? null : "S256");
      const scope =
        each.scopes.imap === undefined
          ? "given-scope offline_access"
          : [each.scopes.imap, ...each.extraScopes].join(" ");
      assert.equal(asked.get("scope"), scope);

      assert.equal(request.get("grant_type"), "authorization_code");
      assert.equal(request.get("code"), "the-code");
      assert.equal(request.get("redirect_uri"), partsOf(url.href).redirectUri);
      assert.equal(request.has("code_verifier"), !each.withoutPkce);
      const secret = application?.publishedClientSecret ?? null;
      const basic = Buffer.from(`${application?.clientId}:${secret}`).toString("base64");
      assert.equal(headers["authorization"], each.basicAtCodeExchange && `Basic ${basic}`);
      assert.equal(request.get("client_secret"), each.basicAtCodeExchange ? null : secret);
      assert.ok(secret === null || !stderr.includes(secret));

      for (const remark of each.beforeSignIn ?? []) {
        const place = stderr.indexOf(`mxtoken: note: ${remark}\n`);
        assert.ok(place >= 0 && place < stderr.indexOf("a sign-in is needed"), stderr);
      }

      const again = await refresh(each);
      assert.equal(again.get("refresh_token"), "refresh-1");
      assert.equal(again.get("client_id"), application?.clientId ?? "own-client");
      assert.equal(again.get("client_secret"), secret);
      assert.equal(again.get("scope"), each.scopeOnRefresh ? scope : null);
    });

    test("tells a public client what it has to know", async () => {
      scene.endpoint.answer = () => granted();
      const isOwn = !("thunderbird" in each.applications);
      const { stderr } = await signIn(each, ...(isOwn ? [] : ["--client-id", "public-client"]));
      for (const remark of each.beforePublicSignIn ?? []) {
        assert.ok(stderr.includes(`mxtoken: note: ${remark}\n`), stderr);
      }
    });

    test("comes back to a listener, or by paste where the redirect URI takes no port", async () => {
      scene.endpoint.answer = () => granted();
      const { stderr, url } = await signIn(each);
      const registered = each.applications["thunderbird"]?.redirectUri ?? "http://localhost";
      const isExact = each.applications["thunderbird"]?.isRedirectUriExact === true;
      const { redirectUri } = partsOf(url.href);
      if (isExact) assert.equal(redirectUri, registered);
      else assert.equal(redirectUri.replace(/:\d+(?=\/|$)/, ""), registered);
      assert.equal(/comes back by itself/.test(stderr), !isExact);
    });
  });
}

for (const name of ["yahoo", "aol", "att", "comcast", "mailru"]) {
  for (const wish of [["--port", "8765"], ["--local"], ["--localssl"]]) {
    test(`${name}: ${wish.join(" ")} cannot be had with the redirect URI as it is registered`, async () => {
      const args = [user, "--provider", name, ...servers(), ...wish];
      const result = await runMain(args, scene.world());
      assert.equal(result.status, 78);
      assert.match(result.stderr, /is registered without a port/);
    });
  }
}

test("a port from the environment is a wish, which Yahoo cannot fulfil", async () => {
  const args = [user, "--provider", "yahoo", ...servers()];
  const result = await runMain(args, scene.world({ MXTOKEN_PORT: "8765" }));
  assert.equal(result.status, 77, result.stderr);
});

test("a redirect URI of one's own at Yahoo is listened for", async () => {
  scene.endpoint.answer = () => granted();
  const own = ["--client-id", "me", "--redirect-uri", "https://localhost"];
  const { stderr } = await signIn(row("yahoo"), ...own);
  assert.match(stderr, /comes back by itself/);
});

for (const name of ["office365", "outlook", "office365-gcc-high", "office365-china"]) {
  test(`${name}: offline_access, which is not echoed, is asked for again at every refresh`, async () => {
    const each = row(name);
    const mail = each.scopes.imap ?? "given-scope";
    scene.endpoint.answer = () => granted({ scope: mail });
    await signIn(each);
    assert.match(scene.read() ?? "", new RegExp(`^# Scope: ${mail} offline_access$`, "m"));
    for (const _time of [1, 2]) {
      assert.equal((await refresh(each)).get("scope"), `${mail} offline_access`);
    }
  });
}

test("what is to be known before a sign-in is not told with --quiet, and not as data", async () => {
  scene.endpoint.answer = () => granted();
  const { status, stdout, stderr } = await signIn(row("outlook"), "--quiet", "--json");
  assert.equal(status, 0, stderr);
  assert.match(stderr, /a sign-in is needed/);
  assert.doesNotMatch(stderr, /IMAP is off until/);
  assert.equal(JSON.parse(stdout).ok, true);
});

test("elsewhere a scope that is not granted is not asked for again", async () => {
  scene.endpoint.answer = () => granted({ scope: "openid profile" });
  await signIn(row("thundermail"));
  assert.match(scene.read() ?? "", /^# Scope: openid profile$/m);
});

describe("fastmail", () => {
  const resource = "https://api.fastmail.com/jmap/session";

  test("an application of one's own says what the token is for, at every request", async () => {
    scene.endpoint.answer = () => granted();
    const { status, stderr, url, request } = await signIn(row("fastmail"), ...ownClient);
    assert.equal(status, 0, stderr);
    assert.equal(url.searchParams.get("resource"), resource);
    assert.equal(url.searchParams.get("scope"), "urn:ietf:params:oauth:scope:mail offline_access");
    assert.equal(request.get("resource"), resource);
    assert.equal((await refresh(row("fastmail"), ...ownClient)).get("resource"), resource);
  });

  test("Thunderbird's does not", async () => {
    scene.endpoint.answer = () => granted();
    const { url, request } = await signIn(row("fastmail"));
    assert.deepEqual([url.searchParams.has("resource"), request.has("resource")], [false, false]);
    assert.equal((await refresh(row("fastmail"))).has("resource"), false);
  });
});

test("what a row says of its own server is not said to another one", async () => {
  scene.endpoint.answer = () => granted();
  const uris = ["--token-uri", scene.endpoint.uri];
  const own = [...ownClient, "--authorize-uri", "https://localhost/authorize"];
  const mailru = await signIn(row("mailru"), ...uris, ...own);
  assert.equal(mailru.headers["authorization"], undefined);
  assert.ok(mailru.request.has("code_verifier"));
  const fastmail = await signIn(row("fastmail"), ...uris, ...own, "--token-file", "other.txt");
  assert.equal(fastmail.request.has("resource"), false);
});

for (const [name, args, message] of [
  [
    "office365-gcc-high",
    [],
    /a client id is needed: pass --client-id[\s\S]*register one of your own at https:\/\/portal\.azure\.us/,
  ],
  [
    "office365-dod",
    ownClient,
    /a scope is needed: pass --scope[\s\S]*not known for sure: the scopes.* and offline_access beside it/,
  ],
  ["office365-china", ownClient, /a scope is needed: pass --scope/],
] as const) {
  test(`${name}: what is not known for sure must be given`, async () => {
    const all = [user, "--provider", name, ...servers(), ...args];
    const result = await runMain(all, scene.world());
    assert.equal(result.status, 78);
    assert.match(result.stderr, message);
    assert.equal(scene.endpoint.requests.length, 0);
  });
}
