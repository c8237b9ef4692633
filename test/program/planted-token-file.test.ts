import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { issueClientCertificate } from "../scene/client-certificates.ts";
import { runMain, type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";
import { testWorld } from "../scene/world.ts";

// A token file may come with an archive or a clone, and names a token endpoint of its author's.

let scene: Scene;
beforeEach(async () => {
  scene = await setScene();
  scene.write(
    tokenFileText("planted-access", scene.account.current, {
      Provider: "custom",
      "Token endpoint": scene.endpoint.uri,
      Expires: "2026-11-20T11:00:00Z",
    }),
  );
});
afterEach(() => scene.close());

const secret = "the-persons-own-secret";

const commands = [
  ["show", ["show", user]],
  ["keep", ["keep", user, "--verify", "none"]],
] as const;

/** Where such a file lies, with what the person has in the environment anyway. */
function run(args: readonly string[], env: Record<string, string> = {}) {
  const world = testWorld({ cwd: scene.directory, env });
  return runMain([...args, "--ca-file", scene.certificates.caFile], world);
}

for (const [what, args] of commands) {
  describe(`${what} with a file that alone names the token endpoint`, () => {
    test("the secret in the environment is not sent there: 78, naming the option", async () => {
      const result = await run(args, { MXTOKEN_CLIENT_SECRET: secret });
      assert.equal(result.status, what === "keep" ? 77 : 78, result.stderr);
      assert.match(result.stderr, /only the token file names the token endpoint https:\/\/local/);
      assert.match(result.stderr, /--token-uri, or MXTOKEN_TOKEN_URI/);
      assert.equal(scene.endpoint.requests.length, 0);
      assert.ok(!result.stderr.includes(secret));
    });

    test("nor one from a file, and no command is run for one", async () => {
      const file = join(scene.directory, "secret.txt");
      writeFileSync(file, secret);
      const ran = join(scene.directory, "ran");
      for (const env of [
        { MXTOKEN_CLIENT_SECRET_FILE: file },
        { MXTOKEN_CLIENT_SECRET_COMMAND: `touch ${ran}; echo ${secret}` },
      ]) {
        const result = await run(args, env);
        assert.match(result.stderr, /your client secret is not used there/);
      }
      assert.equal(scene.endpoint.requests.length, 0);
      assert.ok(!existsSync(ran));
    });

    test("nor is anything signed for it by the client's certificate", async () => {
      const issued = await issueClientCertificate(scene.directory, "client");
      const { certificateFile, keyFile } = issued;
      const result = await run(args, {
        MXTOKEN_CLIENT_CERTIFICATE: certificateFile,
        MXTOKEN_CLIENT_KEY: keyFile,
      });
      assert.match(result.stderr, /your client certificate is not used there/);
      assert.equal(scene.endpoint.requests.length, 0);
    });
  });
}

test("without a secret the file's own token goes where it says", async () => {
  const result = await run(["show", user]);
  assert.equal(result.status, 0, result.stderr);
  assert.equal(scene.endpoint.requests.length, 1);
});

for (const [what, given] of [
  ["by option", { args: ["--token-uri"], env: {} }],
  ["by environment", { args: [], env: { MXTOKEN_TOKEN_URI: "" } }],
] as const) {
  test(`a secret goes to an endpoint that the person names ${what}`, async () => {
    const { uri } = scene.endpoint;
    const env = Object.fromEntries(Object.keys(given.env).map((name) => [name, uri]));
    const args = ["show", user, ...given.args.flatMap((name) => [name, uri])];
    const result = await run(args, { MXTOKEN_CLIENT_SECRET: secret, ...env });
    assert.equal(result.status, 0, result.stderr);
    assert.equal(scene.endpoint.requests[0]?.get("client_secret"), secret);
  });
}
