import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { startHttpProxy } from "../scene/probing.ts";
import { runProgram } from "../scene/program.ts";
import { runMain, type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";

let scene: Scene;
before(async () => {
  scene = await setScene();
});
after(() => scene?.close());
beforeEach(() => scene.write(tokenFileText("old-access-token", scene.account.current)));

describe("a proxy that HTTPS_PROXY names", () => {
  test("takes the token request through a tunnel, in which TLS is the server's own", async () => {
    const proxy = await startHttpProxy();
    try {
      for (const url of [`http://127.0.0.1:${proxy.port}`, `127.0.0.1:${proxy.port}`]) {
        const world = scene.world({ HTTPS_PROXY: url });
        const result = await runMain([user, ...scene.options], world);
        assert.equal(result.status, 0, result.stderr);
        assert.equal(proxy.asked.length, 1);
        assert.equal(proxy.asked.pop(), `${new URL(scene.endpoint.uri).host} undefined`);
      }
    } finally {
      await proxy.close();
    }
  });

  test("is told its name and password, which nobody else is shown", async () => {
    const proxy = await startHttpProxy(true);
    try {
      const url = `http://me:proxy-password@127.0.0.1:${proxy.port}`;
      const result = await runMain([user, ...scene.options], scene.world({ HTTPS_PROXY: url }));
      assert.equal(result.status, 75, result.stderr);
      const credentials = Buffer.from("me:proxy-password").toString("base64");
      assert.match(proxy.asked[0] ?? "", new RegExp(`Basic ${credentials}$`));
      assert.match(result.stderr, /HTTPS_PROXY is 127\.0\.0\.1/);
      assert.ok(!result.stderr.includes("proxy-password"));
    } finally {
      await proxy.close();
    }
  });

  test("is left out for hosts in NO_PROXY", async () => {
    const proxy = await startHttpProxy();
    try {
      const env = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`, NO_PROXY: "localhost" };
      const result = await runMain([user, ...scene.options], scene.world(env));
      assert.equal(result.status, 0, result.stderr);
      assert.deepEqual(proxy.asked, []);
    } finally {
      await proxy.close();
    }
  });

  test("is followed by the built program", async () => {
    const proxy = await startHttpProxy();
    try {
      const env = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` };
      const run = runProgram(["show", user, ...scene.options, "--nocache"], {
        cwd: scene.directory,
        env,
      });
      assert.deepEqual(await run.ended, { status: 0, signal: null }, run.written.stderr);
      assert.equal(proxy.asked.length, 1);
    } finally {
      await proxy.close();
    }
  });
});
