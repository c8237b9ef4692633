import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { main } from "../../src/cli/main.ts";
import {
  type AuthorizationServer,
  startAuthorizationServer,
} from "../scene/authorization-server.ts";
import { type Certificates, issueCertificates, temporaryDirectory } from "../scene/certificates.ts";
import { type ImapPeer, startImapPeer } from "../scene/imap-peer.ts";
import { runProgram } from "../scene/program.ts";
import { type Result, runMain, type Scene, setScene, user } from "../scene/scene.ts";
import type { Answer, Sent } from "../scene/token-endpoint.ts";
import { callback } from "../scene/visit.ts";
import { type TestWorld, testWorld } from "../scene/world.ts";

/** What has to be encoded twice over where it goes by HTTP Basic (RFC 6749 section 2.3.1). */
const secret = "the+secret/of the:application%41";

const shownAddress = /^https:\/\/\S+client_id=\S+$/m;

/** Signs in by paste; undefined as an answer: nobody is asked. */
async function signIn(
  args: readonly string[],
  world: TestWorld,
  answer: (address: string) => string | Promise<string>,
): Promise<Result & { address: string | undefined }> {
  const ended = main([...args, "--remotebrowser"], world);
  await Promise.race([world.shown(shownAddress), ended]);
  const address = shownAddress.exec(world.written.stderr)?.[0];
  if (address !== undefined) world.stdin.write(`${await answer(address)}\n`);
  world.stdin.end();
  return { status: await ended, ...world.written, address };
}

describe("--issuer alone, against oidc-provider", () => {
  let directory: string;
  let certificates: Certificates;
  let server: AuthorizationServer;
  let basicServer: AuthorizationServer;
  let imap: ImapPeer;
  let homes = 0;

  before(async () => {
    directory = temporaryDirectory();
    certificates = await issueCertificates(directory);
    server = await startAuthorizationServer(certificates, {
      clients: [{ id: "public" }, { id: "confidential", secret }],
    });
    basicServer = await startAuthorizationServer(certificates, {
      clients: [{ id: "confidential", secret, isBasic: true }],
      authenticationMethods: ["client_secret_basic", "none"],
    });
    imap = await startImapPeer(certificates);
  });
  after(async () => {
    await imap?.close();
    await basicServer?.close();
    await server?.close();
  });

  function newHome(): string {
    homes += 1;
    return join(directory, `home-${homes}`);
  }

  const options = (home: string, issuer: string, clientId: string) => [
    ...[user, "--issuer", issuer, "--client-id", clientId, "--scope", "mail offline_access"],
    ...["--imap-server", `localhost:${imap.port}`, "--ca-file", certificates.caFile],
    ...["--home", home],
  ];
  const world = (env: Record<string, string> = {}) => testWorld({ cwd: directory, env });
  const read = (home: string) =>
    readFileSync(join(home, "tokens", `oauth2_tokens_${user}.txt`), "utf8");

  test("signs in by code at the endpoints that the server tells, then refreshes", async () => {
    const home = newHome();
    const args = [...options(home, server.issuer, "public"), "--redirect-uri", "https://localhost"];
    const result = await signIn(args, world(), (address) => server.signIn(address));
    assert.equal(result.status, 0, result.stderr);
    assert.ok(result.address?.startsWith(`${server.authorizeUri}?`));
    assert.equal(new URL(result.address ?? "").searchParams.get("code_challenge_method"), "S256");
    assert.ok(result.stderr.includes(`asking ${server.issuer} for its endpoints`));
    assert.match(read(home), new RegExp(`^# Token endpoint: ${server.tokenUri}$`, "m"));

    const seen = server.seen.length;
    const again = await runMain(options(home, server.issuer, "public"), world());
    assert.equal(again.status, 0, again.stderr);
    assert.deepEqual(server.seen.slice(seen), [{ grantType: "refresh_token", refused: false }]);
  });

  test("an answer of another issuer is not taken (RFC 9207)", async () => {
    const args = options(newHome(), server.issuer, "public");
    const result = await signIn(
      [...args, "--redirect-uri", "https://localhost"],
      world(),
      async (address) => {
        const landed = new URL(await server.signIn(address));
        landed.searchParams.set("iss", `${server.issuer}/`);
        return landed.href;
      },
    );
    assert.equal(result.status, 77, result.stderr);
  });

  test("the slash at its end counts: 76, and nobody is asked", async () => {
    const result = await runMain(options(newHome(), `${server.issuer}/`, "public"), world());
    assert.equal(result.status, 76, result.stderr);
    assert.match(result.stderr, /is of another issuer: https:\/\/localhost:\d+$/m);
    assert.match(result.stderr, /hint: the issuer is compared letter by letter/);
    assert.ok(
      result.stderr.includes(
        `if this is the server that you mean, pass --issuer ${server.issuer}\n`,
      ),
    );
  });

  for (const [what, which] of [
    ["in the body, where the server takes it there", () => server],
    ["by HTTP Basic, where the server takes it in no other way", () => basicServer],
  ] as const) {
    test(`a secret goes ${what}`, async () => {
      const home = newHome();
      const { issuer, seen } = which();
      const before = seen.length;
      const env = { MXTOKEN_CLIENT_SECRET: secret };
      const args = options(home, issuer, "confidential");
      const result = await signIn(
        [...args, "--redirect-uri", "https://localhost"],
        world(env),
        (address) => which().signIn(address),
      );
      assert.equal(result.status, 0, result.stderr);
      assert.equal((await runMain(args, world(env))).status, 0);
      const forItself = [...args, "--flow", "client-credentials", "--startover"].map((word) =>
        word === "mail offline_access" ? "mail" : word,
      );
      const own = await runMain(forItself, world(env));
      assert.equal(own.status, 0, own.stderr);
      assert.deepEqual(seen.slice(before), [
        { grantType: "authorization_code", refused: false },
        { grantType: "refresh_token", refused: false },
        { grantType: "client_credentials", refused: false },
      ]);
      assert.ok(!result.stderr.includes(secret) && !own.stderr.includes(secret));
    });
  }

  test("as the built program: granted 0, another issuer 76, no metadata 78", async () => {
    const env = { MXTOKEN_CLIENT_SECRET: secret };
    const run = (issuer: string) => {
      const args = options(newHome(), issuer, "confidential").map((word) =>
        word === "mail offline_access" ? "mail" : word,
      );
      return runProgram([...args, "--flow", "client-credentials"], { cwd: directory, env });
    };
    for (const [issuer, status] of [
      [server.issuer, 0],
      [`${server.issuer}/`, 76],
      [`${server.issuer}/elsewhere`, 78],
    ] as const) {
      const started = run(issuer);
      assert.deepEqual(await started.ended, { status, signal: null }, started.written.stderr);
      assert.equal(started.written.stdout === "", status !== 0);
    }
  });
});

describe("--issuer alone, at a server that says what it is told to", () => {
  const first = "/.well-known/oauth-authorization-server";
  const second = "/.well-known/openid-configuration";

  let scene: Scene;
  let world: TestWorld;
  let issuer: string;
  /** what stands at the well-known places; nothing is 404 */
  let places: Record<string, Answer>;
  /** the paths that were asked with GET */
  let looked: string[];
  /** requests for tokens */
  let asked: { request: URLSearchParams; sent: Sent }[];

  beforeEach(async () => {
    scene = await setScene();
    world = scene.world();
    issuer = scene.endpoint.origin;
    looked = [];
    asked = [];
    places = { [first]: metadata() };
    scene.endpoint.answer = (request, sent) => {
      if (sent.method === "GET") {
        looked.push(sent.path);
        return places[sent.path] ?? { status: 404, body: "<html>not here</html>" };
      }
      asked.push({ request, sent });
      const body = { access_token: "access-1", refresh_token: "refresh-1", token_type: "Bearer" };
      return { status: 200, body };
    };
  });
  afterEach(() => scene?.close());

  function metadata(changes: Record<string, unknown> = {}): Exclude<Answer, "drop"> {
    const { origin } = scene.endpoint;
    const body = {
      issuer: origin,
      authorization_endpoint: `${origin}/authorize`,
      token_endpoint: `${origin}/token-of-metadata`,
      grant_types_supported: ["authorization_code", "refresh_token"],
      code_challenge_methods_supported: ["plain", "S256"],
      token_endpoint_auth_methods_supported: ["client_secret_post", "client_secret_basic"],
      ...changes,
    };
    return { status: 200, body };
  }

  const options = (...more: string[]) => [
    ...[user, "--issuer", issuer, "--client-id", "test-client", "--scope", "mail"],
    ...["--imap-server", `localhost:${scene.imap.port}`],
    ...["--ca-file", scene.certificates.caFile, "--home", scene.directory, ...more],
  ];

  const enter = (...more: string[]) =>
    signIn(options(...more), world, (address) => callback(address, "the-code"));

  /** Nobody may be troubled before it is known that the server can do it. */
  async function refused(status: number, words: RegExp, ...more: string[]): Promise<Result> {
    const result = await enter(...more);
    assert.equal(result.status, status, result.stderr);
    assert.match(result.stderr, words);
    assert.equal(result.address, undefined);
    assert.equal(asked.length, 0);
    assert.equal(scene.read(), undefined);
    return result;
  }

  test("asks at RFC 8414's place, and the endpoints are those of the metadata", async () => {
    const result = await enter();
    assert.equal(result.status, 0, result.stderr);
    assert.deepEqual(looked, [first]);
    assert.ok(result.address?.startsWith(`${issuer}/authorize?`));
    assert.equal(asked[0]?.sent.path, "/token-of-metadata");
    assert.doesNotMatch(result.stderr, /mxtoken: note:/);
  });

  test("404 there: OpenID Connect's place is asked", async () => {
    places = { [second]: metadata() };
    const result = await enter();
    assert.equal(result.status, 0, result.stderr);
    assert.deepEqual(looked, [first, second]);
  });

  test("an issuer with a path has its places where the standards have them", async () => {
    issuer = `${scene.endpoint.origin}/realms/mail`;
    places = { [`/realms/mail${second}`]: metadata({ issuer }) };
    const result = await enter();
    assert.equal(result.status, 0, result.stderr);
    assert.deepEqual(looked, [`${first}/realms/mail`, `/realms/mail${second}`]);
  });

  for (const [what, path, realm] of [
    ["OpenID Connect's", `${second}`, ""],
    ["OpenID Connect's, with a path", `/realms/mail${second}`, "/realms/mail"],
    ["RFC 8414's", first, ""],
    ["RFC 8414's, with a path", `${first}/realms/mail`, "/realms/mail"],
    ["one, with a slash behind it", `${second}/`, ""],
  ] as const) {
    for (const slash of ["", "/"]) {
      test(`the address of the document (${what}) is taken, of an issuer ${slash === "" ? "without" : "with"} a slash`, async () => {
        const server = scene.endpoint.origin;
        places = { [path.replace(/\/$/, "")]: metadata({ issuer: `${server}${realm}${slash}` }) };
        issuer = ` ${server}${path} `;
        const result = await enter();
        assert.equal(result.status, 0, result.stderr);
        assert.deepEqual(looked, [path.replace(/\/$/, "")]);
        assert.ok(result.stderr.includes(`asking ${server}${realm} for its endpoints`));
      });
    }
  }

  test("the document of another issuer is that: 76", async () => {
    places = { [second]: metadata({ issuer: "https://elsewhere.example" }) };
    issuer = `${scene.endpoint.origin}${second}`;
    await refused(76, /is of another issuer: .*\n.*pass --issuer https:\/\/elsewhere\.example\n/);
  });

  test("a document that is not there: 78, named", async () => {
    places = {};
    issuer = `${scene.endpoint.origin}${second}`;
    await refused(78, /openid-configuration has no metadata/);
  });

  test("a template for many tenants: 76, with what to pass", async () => {
    places = { [first]: metadata({ issuer: "https://login.example/{tenantid}/v2.0" }) };
    await refused(
      76,
      /pass --issuer https:\/\/login\.example\/\{tenantid\}\/v2\.0, with your tenant's id/,
    );
    world = scene.world();
    places = { [first]: metadata({ issuer: "https://login.example/\u001b{tenantid}" }) };
    const result = await refused(76, /is of another issuer/);
    assert.doesNotMatch(result.stderr, /pass --issuer/);
  });

  test("neither: 78, with the options that would help", async () => {
    places = {};
    const result = await refused(78, /has no metadata/);
    assert.match(result.stderr, /--authorize-uri --token-uri/);
    assert.deepEqual(looked, [first, second]);
  });

  for (const [what, answer, status, words] of [
    ["HTML", { status: 200, body: "<html></html>" }, 76, /not a JSON object/],
    ["a list", { status: 200, body: [] }, 76, /not a JSON object/],
    ["403", { status: 403, body: "" }, 75, /status 403/],
    ["408", { status: 408, body: "" }, 75, /status 408/],
    ["400", { status: 400, body: { error: "invalid_tenant" } }, 76, /status 400/],
    ["503", { status: 503, body: "" }, 75, /status 503/],
    ["429", { status: 429, body: "" }, 75, /status 429/],
    ["a dropped connection", "drop", 75, /dropped/],
    ["over 1 MiB", { status: 200, body: "x".repeat(2_000_000) }, 76, /not a JSON object/],
  ] as const) {
    test(`${what}: ${status}, and nobody is asked`, async () => {
      places = { [first]: answer, [second]: answer };
      await refused(status, words);
      assert.deepEqual(looked, answer === "drop" ? [first] : [first, second]);
    });

    if (answer === "drop") continue;
    test(`${what} at the first place, and the second has the metadata`, async () => {
      places = { [first]: answer, [second]: metadata() };
      const result = await enter();
      assert.equal(result.status, 0, result.stderr);
    });
  }

  test("a redirect is not followed: 76", async () => {
    const headers = { location: `${scene.endpoint.origin}/elsewhere` };
    places = { [first]: { status: 302, headers, body: "" }, "/elsewhere": metadata() };
    await refused(76, /status 302/);
    assert.deepEqual(looked, [first, second]);
  });

  test("an answer that stops in the middle is given up after 30 seconds: 75", async () => {
    places = { [first]: { ...metadata(), onStall: () => world.pass(30_000) } };
    await refused(75, /nobody answered in time/);
  });

  test("metadata of another issuer, or of nobody: 76", async () => {
    for (const named of ["https://elsewhere.example", `${issuer.toUpperCase()}`, undefined, 7]) {
      places = { [first]: metadata({ issuer: named }) };
      await refused(76, /is of another issuer: /);
      world = scene.world();
    }
  });

  for (const [member, value] of [
    ["authorization_endpoint", "http://login.example/authorize"],
    ["token_endpoint", "http://login.example/token"],
    ["token_endpoint", "https://login.example/token#fragment"],
    ["token_endpoint", "https://user:password@login.example/token"],
    ["revocation_endpoint", "http://login.example/revoke"],
    ["device_authorization_endpoint", "javascript:alert(1)"],
    ["token_endpoint", "/token"],
  ] as const) {
    test(`${value} as ${member}: 76, and nothing is sent there`, async () => {
      places = { [first]: metadata({ [member]: value }) };
      const result = await refused(76, new RegExp(`its ${member} is`));
      assert.doesNotMatch(result.stderr, /user:password/);
    });
  }

  describe("what the server cannot do is said before anybody is asked", () => {
    test("the grant: 78", async () => {
      places = { [first]: metadata({ grant_types_supported: ["client_credentials"] }) };
      await refused(78, /does not offer --flow code: of grants it knows client_credentials/);
    });

    for (const flow of ["device", "client-credentials"]) {
      test(`--flow ${flow}: 78`, async () => {
        world = scene.world({ MXTOKEN_CLIENT_SECRET: secret });
        await refused(78, /does not offer --flow/, "--flow", flow);
      });
    }

    test("no endpoint for it: 78", async () => {
      places = { [first]: metadata({ authorization_endpoint: undefined }) };
      await refused(78, /pass --authorize-uri/);
      world = scene.world();
      places = { [first]: metadata({ token_endpoint: undefined }) };
      await refused(78, /pass --token-uri/);
    });

    test("the scope is not on its list: a note, and it is tried all the same", async () => {
      places = { [first]: metadata({ scopes_supported: ["openid", "profile"] }) };
      const result = await enter();
      assert.equal(result.status, 0, result.stderr);
      const place = result.stderr.indexOf("does not list the scope mail, and may refuse it");
      assert.ok(place >= 0 && place < result.stderr.indexOf("a sign-in is needed"));
    });

    test("the scope is on its list: no note", async () => {
      places = { [first]: metadata({ scopes_supported: ["mail"] }) };
      assert.doesNotMatch((await enter()).stderr, /mxtoken: note:/);
    });

    test("PKCE with S256: a note, and it is left out", async () => {
      places = { [first]: metadata({ code_challenge_methods_supported: ["plain"] }) };
      const result = await enter();
      assert.equal(result.status, 0, result.stderr);
      assert.match(result.stderr, /note: .*does not know PKCE with S256.*so it is left out/);
      const { searchParams } = new URL(result.address ?? "");
      assert.equal(searchParams.has("code_challenge"), false);
      assert.equal(asked[0]?.request.has("code_verifier"), false);
    });

    test("a server that does not speak of PKCE gets it", async () => {
      places = { [first]: metadata({ code_challenge_methods_supported: undefined }) };
      const result = await enter();
      assert.equal(result.status, 0, result.stderr);
      assert.ok(asked[0]?.request.has("code_verifier"));
    });

    test("refresh tokens: a note", async () => {
      places = { [first]: metadata({ grant_types_supported: ["authorization_code"] }) };
      const result = await enter();
      assert.equal(result.status, 0, result.stderr);
      assert.match(result.stderr, /note: .*does not offer refresh tokens/);
    });

    test("a server that lists no grants is believed to have them", async () => {
      places = { [first]: metadata({ grant_types_supported: undefined }) };
      assert.equal((await enter()).status, 0);
    });

    test("nothing of that is told at a refresh, which is not about it", async () => {
      assert.equal((await enter()).status, 0);
      world = scene.world();
      places = { [first]: metadata({ scopes_supported: ["openid"] }) };
      const result = await enter();
      assert.equal(result.status, 0, result.stderr);
      assert.equal(asked.at(-1)?.request.get("grant_type"), "refresh_token");
      assert.doesNotMatch(result.stderr, /mxtoken: note:/);
    });
  });

  describe("the client's secret", () => {
    const encoded = (text: string) =>
      new URLSearchParams({ text }).toString().slice("text=".length);
    const basic = `Basic ${Buffer.from(`test-client:${encoded(secret)}`).toString("base64")}`;

    beforeEach(() => {
      world = scene.world({ MXTOKEN_CLIENT_SECRET: secret });
    });

    for (const [what, methods, isBasic] of [
      ["only Basic", ["client_secret_basic"], true],
      ["nothing, which is Basic (RFC 8414 section 2)", undefined, true],
      ["the body", ["client_secret_post"], false],
      ["both", ["client_secret_basic", "client_secret_post"], false],
    ] as const) {
      test(`the server names ${what}`, async () => {
        places = { [first]: metadata({ token_endpoint_auth_methods_supported: methods }) };
        const result = await enter();
        assert.equal(result.status, 0, result.stderr);
        assert.equal(asked[0]?.sent.authorization, isBasic ? basic : undefined);
        assert.equal(asked[0]?.request.get("client_secret"), isBasic ? null : secret);
        assert.ok(!result.stderr.includes(secret));
      });
    }
  });

  test("a secret that goes by Basic is not shown where the server quotes the header", async () => {
    const clientSecret = "the-secret-of-the-client";
    places = {
      [first]: metadata({ token_endpoint_auth_methods_supported: ["client_secret_basic"] }),
    };
    const { answer } = scene.endpoint;
    scene.endpoint.answer = (request, sent) => {
      if (sent.method === "GET") return answer(request, sent);
      const error_description = `what is ${sent.authorization}?`;
      return { status: 401, body: { error: "invalid_client", error_description } };
    };
    world = scene.world({ MXTOKEN_CLIENT_SECRET: clientSecret });
    const { status, stderr } = await enter();
    assert.equal(status, 77);
    assert.match(stderr, /what is Basic \[secret\]\?/);
    const credentials = Buffer.from(`test-client:${clientSecret}`).toString("base64");
    assert.ok(!stderr.includes(credentials));
  });

  test("a server that lets no client in by a secret: 78, and nobody is asked", async () => {
    places = { [first]: metadata({ token_endpoint_auth_methods_supported: ["private_key_jwt"] }) };
    world = scene.world({ MXTOKEN_CLIENT_SECRET: "the-secret-of-the-client" });
    await refused(78, /lets no client in by a secret: it knows private_key_jwt/);
  });

  test("a server without the response type code: 78, and nobody is asked", async () => {
    places = { [first]: metadata({ response_types_supported: ["token"] }) };
    await refused(78, /does not offer --flow code: of response types it knows token/);
  });

  test("an answer without iss, where the server says that it always sends it, is none", async () => {
    places = { [first]: metadata({ authorization_response_iss_parameter_supported: true }) };
    const result = await enter();
    assert.equal(result.status, 77);
    assert.match(result.stderr, /does not say which authorization server it is from/);
    assert.equal(asked.length, 0);
  });

  test("the values of no other provider are mixed with the issuer's", async () => {
    const args = options().filter((word) => word !== "--scope" && word !== "mail");
    const { status, stderr } = await scene.run(["foo@gmail.com", ...args.slice(1)], world);
    assert.equal(status, 78, stderr);
    assert.match(stderr, /these are needed too: --scope$/m);
    assert.deepEqual(looked, []);
  });

  test("--provider has endpoints of its own: nothing is fetched", async () => {
    const args = [
      ...[user, "--provider", "google", "--issuer", issuer, "--client-id", "test-client"],
      ...["--imap-server", `localhost:${scene.imap.port}`],
      ...["--ca-file", scene.certificates.caFile, "--home", scene.directory, "--timeout", "5"],
    ];
    const result = await signIn(args, world, (address) => callback(address, "x"));
    assert.ok(result.address?.startsWith("https://accounts.google.com/"), result.stderr);
    assert.deepEqual(looked, []);
    assert.ok(world.requests.every(({ method }) => method === "POST"));
  });

  test("endpoints that are given are the ones: nothing is fetched", async () => {
    const { origin } = scene.endpoint;
    const given = ["--authorize-uri", `${origin}/own`, "--token-uri", `${origin}/own-token`];
    const result = await enter(...given);
    assert.equal(result.status, 0, result.stderr);
    assert.deepEqual(looked, []);
    assert.equal(asked[0]?.sent.path, "/own-token");
  });

  for (const wrong of [
    "http://login.example",
    "https://login.example?x",
    "https://a:b@c",
    "login",
  ]) {
    test(`--issuer ${wrong}: 64`, async () => {
      issuer = wrong;
      await refused(64, /--issuer: /);
      assert.equal(world.requests.length, 0);
    });
  }

  test("what no metadata tell has to be given: 78", async () => {
    const args = [user, "--issuer", issuer, "--home", scene.directory];
    const result = await runMain(args, world);
    assert.equal(result.status, 78, result.stderr);
    assert.match(result.stderr, /these are needed too: --scope --client-id --imap-server/);
    assert.deepEqual(looked, []);
  });
});
