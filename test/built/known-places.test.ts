import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeDirectory } from "../../src/store/rights.ts";
import { runProgram } from "../scene/program.ts";
import { type Scene, setScene, tokenFileText } from "../scene/scene.ts";

let scene: Scene;

before(async () => {
  scene = await setScene();
});
after(() => scene?.close());

test("many processes at once note where their tokens are, and nobody is lost", async () => {
  scene.endpoint.answer = () => ({ status: 200, body: { access_token: "new", expires_in: 3600 } });
  mkdirSync(join(scene.directory, "tokens"));
  const addresses = Array.from({ length: 12 }, (_, index) => `user${index}@example.test`);
  const statuses = await Promise.all(
    addresses.map(async (address) => {
      const file = join(scene.directory, "tokens", `oauth2_tokens_${address}.txt`);
      const notes = { Account: address, Expires: "2026-01-01T00:00:00Z" };
      writeFileSync(file, tokenFileText("old", "refresh", notes));
      const run = runProgram(["show", address, ...scene.options], { cwd: scene.directory });
      return (await run.ended).status;
    }),
  );
  assert.deepEqual([...new Set(statuses)], [0]);
  const path = join(scene.directory, ".local", "share", "mxtoken", "places.json");
  const noted = JSON.parse(readFileSync(path, "utf8")).places as { account: string }[];
  assert.deepEqual(noted.map(({ account }) => account).sort(), addresses.sort());
});

test("many make one directory at once, and those above it", async () => {
  for (let round = 0; round < 30; round += 1) {
    const path = join(scene.directory, "made", `${round}`, "one", "two", "three");
    await Promise.all(Array.from({ length: 20 }, () => makeDirectory(path)));
    assert.ok(existsSync(path));
  }
});
