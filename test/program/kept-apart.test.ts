import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { issueClientCertificate } from "../scene/client-certificates.ts";
import { runMain, type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";
import { readableToken } from "../scene/tokens.ts";

// What is stored is not lost to an application, to another person or to another process, and nobody is
// left without advice.

let scene: Scene;
before(async () => {
  scene = await setScene();
});
after(() => scene?.close());
beforeEach(async () => {
  await scene?.close();
  scene = await setScene();
});

const secret = { MXTOKEN_CLIENT_SECRET: "the-secret-of-the-application" };

function write(notes: Record<string, string> = {}, refreshToken = scene.account.current): string {
  const text = tokenFileText("old-access-token", refreshToken, notes);
  scene.write(text);
  return text;
}

/** Files beside the token file that hold tokens. */
function beside(): string[] {
  return scene.kept().map((path) => readFileSync(path, "utf8"));
}

describe("a person's account and an application's token", () => {
  for (const [what, command] of [
    ["show", ["show", user]],
    ["a run", [user]],
  ] as const) {
    test(`${what} of an application does not take the place of a person's tokens: 78`, async () => {
      const text = write({ Provider: "office365", Expires: "2026-11-20T12:01:00Z" });
      const options = ["--flow", "client-credentials", "--tenant", "contoso.example"];
      const world = scene.world(secret);
      const result = await runMain([...command, ...scene.options.slice(2), ...options], world);
      assert.equal(result.status, 78, result.stderr);
      assert.match(result.stderr, /was made for a token of a person, not for an application/);
      assert.equal(scene.read(), text);
      assert.equal(scene.endpoint.requests.length, 0);
    });
  }

  test("with --startover it does, and no refresh token of a person's stays on line 2", async () => {
    write({ Provider: "office365" });
    scene.endpoint.answer = () => ({
      status: 200,
      body: { access_token: "of-the-application", token_type: "Bearer", expires_in: 3600 },
    });
    const options = ["--flow", "client-credentials", "--tenant", "contoso.example", "--startover"];
    const words = [user, "--provider", "office365", ...scene.options.slice(2), ...options];
    const result = await runMain(words, scene.world(secret));
    assert.equal(result.status, 0, result.stderr);
    assert.deepEqual(scene.lines(), { accessToken: "of-the-application", refreshToken: "" });
  });

  test("a flow in the environment does not keep a person's token from being revoked", async () => {
    for (const env of [
      { MXTOKEN_FLOW: "service-account" },
      { MXTOKEN_FLOW: "client-credentials" },
      { MXTOKEN_SERVICE_ACCOUNT_KEY: "/nowhere/key.json" },
    ]) {
      write();
      scene.endpoint.answer = () => ({ status: 200, body: {} });
      const asked = scene.endpoint.requests.length;
      const words = ["revoke", user, ...scene.options, "--revoke-uri", scene.endpoint.uri];
      const result = await runMain(words, scene.world(env));
      assert.equal(result.status, 0, result.stderr);
      assert.equal(scene.endpoint.requests.length, asked + 1);
      assert.equal(scene.endpoint.requests.at(-1)?.get("token"), scene.account.current);
      assert.equal(scene.read(), undefined);
    }
  });

  test("a key on the command line is not passed over for a person's file: 78", async () => {
    const text = write();
    const words = [user, ...scene.options, "--service-account-key"];
    const key = join(scene.directory, "key.json");
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const members = {
      type: "service_account",
      client_email: "a@b.example",
      client_id: "1",
      private_key: privateKey.export({ type: "pkcs8", format: "pem" }),
    };
    writeFileSync(key, JSON.stringify(members), { mode: 0o600 });
    const result = await scene.run([...words, key]);
    assert.equal(result.status, 78, result.stderr);
    assert.match(result.stderr, /was made for a token of a person.*--startover/s);
    assert.equal(scene.read(), text);
    const both = await scene.run([...words, key, "--flow", "code"]);
    assert.match(both.stderr, /--service-account-key and --flow code contradict/);
    scene.endpoint.answer = () => ({ status: 200, body: { access_token: "t", token_type: "b" } });
    const anew = await scene.run([...words, key, "--startover"]);
    assert.equal(anew.status, 0, anew.stderr);
    assert.match(scene.read() ?? "", /^t\n\n.*^# Flow: service-account$/ms);
  });

  test("a key in the environment leaves a person's file to be refreshed", async () => {
    write();
    const env = { MXTOKEN_SERVICE_ACCOUNT_KEY: "/nowhere/key.json" };
    assert.equal((await runMain([user, ...scene.options], scene.world(env))).status, 0);
    assert.equal(scene.endpoint.requests[0]?.get("grant_type"), "refresh_token");
  });
});

describe("the person who signed in", () => {
  const file = { Login: "a@example.test", Expires: "2026-11-20T13:00:00Z" };

  for (const command of [[], ["show"], ["check"]]) {
    test(`${command.join("") || "a run"} for another person is refused: 78`, async () => {
      const text = write(file);
      const words = [...command, user, ...scene.options, "--login", "b@example.test"];
      const result = await scene.run(words);
      assert.equal(result.status, 78, result.stderr);
      assert.match(result.stderr, /for the sign-in of a@example\.test, not for b@example\.test/);
      assert.equal(scene.read(), text);
    });
  }

  test("stays the one that the file says, whoever is named at a refresh", async () => {
    write();
    const words = [user, ...scene.options, "--login", "b@example.test"];
    assert.equal((await scene.run(words)).status, 0);
    assert.doesNotMatch(scene.read() ?? "", /^# Login:/m);
  });

  test("the same person, in another case of letters", async () => {
    write(file);
    const words = ["show", user, ...scene.options, "--login", "A@Example.test"];
    assert.equal((await scene.run(words)).stdout, "old-access-token\n");
  });
});

describe("a refresh token from standard input", () => {
  const bring = (token: string, ...more: string[]) => {
    const world = scene.world();
    world.stdin.end(`${token}\n`);
    return runMain([user, ...scene.options, "--refresh-token-stdin", ...more], world);
  };

  test("a stored account is not replaced by one that nobody could prove", async () => {
    const text = write({}, "the-refresh-token-that-is-stored");
    scene.imap.isAway = true;
    const result = await bring(scene.account.current);
    assert.equal(result.status, 75, result.stderr);
    assert.equal(scene.read(), text);
    const [kept = "", ...others] = beside();
    assert.match(kept, new RegExp(`^access-1-\\S+\\n${scene.account.current}\\n`));
    assert.deepEqual(others, []);
  });

  test("what another process has stored meanwhile stays where it is", async () => {
    const others = tokenFileText("others-access", "others-refresh");
    scene.endpoint.answer = () => ({
      status: 200,
      body: {
        access_token: readableToken({ upn: "somebody@elsewhere.test" }),
        refresh_token: "somebody-elses-refresh",
        token_type: "Bearer",
      },
    });
    scene.imap.login = () => {
      writeFileSync(scene.tokenFile, others, { mode: 0o600 });
      return "refuse";
    };
    const result = await bring("given");
    assert.equal(result.status, 77, result.stderr);
    assert.match(result.stderr, /somebody@elsewhere\.test's/);
    assert.equal(scene.read(), others);
    assert.match(beside()[0] ?? "", /\nsomebody-elses-refresh\n/);
  });
});

test("a proven token takes line 1 also where another process has only renewed line 2", async () => {
  write();
  let renewed = "";
  scene.imap.login = async (token) => {
    if (!token.startsWith("access-1-") || renewed !== "") return "accept" as const;
    renewed = "begun";
    const world = scene.world();
    const shown = await runMain(["show", user, ...scene.options, "--nocache"], world);
    assert.equal(shown.status, 0, shown.stderr);
    renewed = scene.account.current;
    return "accept" as const;
  };
  const result = await scene.run();
  assert.equal(result.status, 0, result.stderr);
  const { accessToken, refreshToken } = scene.lines();
  assert.match(accessToken ?? "", /^access-1-/);
  assert.equal(refreshToken, renewed);
});

describe("what a server quotes", () => {
  const quoting = (text: (authorization: string, body: URLSearchParams) => string) => {
    const world = scene.world(secret);
    const send = world.http.bind(world);
    world.http = async (request) => {
      const reply = await send(request);
      const words = text(request.headers["authorization"] ?? "", new URLSearchParams(request.body));
      const body = JSON.stringify({ error: "invalid_client", error_description: words });
      return { ...reply, status: 400, body };
    };
    return world;
  };

  test("of the secret in the body is not shown, nor a piece of it", async () => {
    write();
    const world = quoting((_, body) => `no ${String(body.get("client_secret")).slice(2, 24)} here`);
    const { status, stderr } = await runMain([user, ...scene.options], world);
    assert.equal(status, 77, stderr);
    assert.match(stderr, /no \[secret\] here/);
  });
});

describe("a provider that was given by its values", () => {
  test("renews its token for a program where the file says who issued it", async () => {
    write({
      Provider: "custom",
      "Token endpoint": scene.endpoint.uri,
      Expires: "2026-11-20T12:01:00Z",
    });
    const { caFile } = scene.certificates;
    const words = ["show", user, "--home", scene.directory, "--ca-file", caFile];
    const result = await scene.run(words);
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stdout, /^access-1-\S+\n$/);
    assert.match(scene.read() ?? "", /^# Provider: custom$/m);
  });

  test("asks a person for the rest of its values, and for no more", async () => {
    write({ Provider: "custom" });
    const words = [user, "--home", scene.directory, "--issuer", "https://login.example.test"];
    const { status, stderr } = await scene.run(words);
    assert.equal(status, 78);
    assert.match(stderr, /these are needed too: --scope --imap-server$/m);
  });
});

describe("what show warns of", () => {
  const imap = "https://outlook.office.com/IMAP.AccessAsUser.All";
  const notes = { Provider: "office365", Scope: `${imap} offline_access`, Tenant: "common" };

  test("a stored token that was not granted for sending", async () => {
    write(notes);
    const words = ["show", user, "--home", scene.directory, "--protocol", "smtp"];
    const result = await scene.run(words);
    assert.equal(result.stdout, "old-access-token\n");
    assert.match(
      result.stderr,
      /the scope https:\/\/outlook\.office\.com\/SMTP\.Send was not granted/,
    );
    const forImap = await scene.run(["show", user, "--home", scene.directory]);
    assert.deepEqual(forImap, { status: 0, stdout: "old-access-token\n", stderr: "" });
  });

  test("a life that no token of this server has", async () => {
    write();
    const result = await scene.run(["show", user, ...scene.options, "--min-life", "2h"]);
    assert.match(result.stdout, /^access-1-/);
    assert.match(result.stderr, /even a new token is good until 2026-11-20T13:00:00Z only/);
  });
});

test("a delegate without the right is told of the right, and not of another account", async () => {
  write({ Login: "person@example.test" });
  scene.imap.login = () => "refuse";
  const result = await scene.run();
  assert.equal(result.status, 77);
  assert.match(result.stderr, /hint: may person@example\.test open foo@example\.test\?/);
});

test("a refused application that has proven nothing is asked for its secret", async () => {
  write();
  scene.endpoint.answer = () => ({ status: 401, body: { error: "invalid_client" } });
  const result = await scene.run();
  assert.equal(result.status, 77);
  assert.match(result.stderr, /hint: no client secret was given.*MXTOKEN_CLIENT_SECRET/);
});

test("a token that nobody knows the end of is shown where there is no other", async () => {
  scene.write("the-only-token\n\n# Account: foo@example.test\n# Client: test-client\n");
  const result = await scene.run(["show", user, ...scene.options]);
  assert.deepEqual(result, { status: 0, stdout: "the-only-token\n", stderr: "" });
});

test("a certificate and a secret at once, or a certificate for Thunderbird's: 78", async () => {
  const { bothFile } = await issueClientCertificate(scene.directory, "client");
  const certificate = ["--client-certificate", bothFile];
  const both = [user, ...scene.options, ...certificate, "--client-secret-file", "secret.txt"];
  const result = await scene.run(both);
  assert.equal(result.status, 78);
  assert.match(result.stderr, /--client-certificate and --client-secret-file contradict/);
  const thunderbird = [user, "--provider", "google", ...certificate, "--home", scene.directory];
  const another = await scene.run(thunderbird);
  assert.equal(another.status, 78);
  assert.match(another.stderr, /but thunderbird is not an application of yours/);
});
