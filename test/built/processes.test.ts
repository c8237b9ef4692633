import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { quoteForShell } from "../../src/programs/commands-to-copy.ts";
import { readSealedTokens } from "../../src/store/restore.ts";
import { programPath, type Run, runProgram } from "../scene/program.ts";
import { type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";
import { type Answer, RotatingAccount } from "../scene/token-endpoint.ts";
import { parseTokenFile } from "../scene/tokens.ts";
import { callback, type Visited, visit } from "../scene/visit.ts";

/** A token file that is not expired by the real clock, which the built program goes by. */
function freshFile(scene: Scene, account: RotatingAccount): void {
  const Expires = new Date(Date.now() + 3_600_000).toISOString();
  scene.write(tokenFileText("old-access-token", account.current, { Expires }));
}

function start(scene: Scene, more: readonly string[] = []): Run {
  return runProgram([user, ...scene.options, ...more], { cwd: scene.directory });
}

describe("several processes at once, at a server that revokes everything when a token is reused", () => {
  for (const count of [2, 3]) {
    test(`${count} of them: all succeed, and the account lives`, async () => {
      const scene = await setScene();
      freshFile(scene, scene.account);
      for (let round = 0; round < 3; round += 1) {
        const runs = Array.from({ length: count }, () => start(scene));
        for (const run of runs) {
          const { status } = await run.ended;
          assert.equal(status, 0, run.written.stderr);
          assert.equal(run.written.stdout, `${scene.tokenFile}\n`);
        }
        assert.ok(scene.account.isAlive);
        const { accessToken, refreshToken } = scene.lines();
        assert.equal(refreshToken, scene.account.current);
        assert.ok(scene.account.secrets.includes(accessToken ?? ""));
      }
      await scene.close();
    });
  }

  test("a process that holds the lock is waited for, and its result is used", async () => {
    const scene = await setScene();
    freshFile(scene, scene.account);
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    scene.endpoint.answer = async (request) => {
      await released;
      return scene.account.answer(request);
    };
    const first = start(scene);
    await first.shown("asking for a new access token");
    const second = start(scene);
    await second.shown("waiting for another process");
    release();
    assert.equal((await first.ended).status, 0, first.written.stderr);
    assert.equal((await second.ended).status, 0, second.written.stderr);
    assert.equal(scene.endpoint.requests.length, 1);
    await scene.close();
  });
});

describe("kill -9", () => {
  const kills = 60;
  const lanes = 4;

  /** The steps after which a run is killed: chance decides which, and how long after. */
  const steps = ["the lock is held", "the request has arrived", "the new token logs in"] as const;

  test(`${kills} times at a random moment after the lock is held`, async (context) => {
    const counts = { killed: 0, finished: 0, lost: 0, committed: 0, left: 0 };
    const lane = async () => {
      const scene = await setScene();
      let account = new RotatingAccount();
      let onStep = (_step: (typeof steps)[number]) => {};
      let isAnswered = false;
      scene.endpoint.answer = async (request) => {
        onStep("the request has arrived");
        await pause(Math.random() * 20);
        const answer = account.answer(request);
        await pause(Math.random() * 20);
        isAnswered = true;
        return answer;
      };
      let storedToken = "";
      scene.imap.login = (token) => {
        if (token !== storedToken) onStep("the new token logs in");
        return "accept";
      };
      freshFile(scene, account);
      while (counts.killed < kills) {
        const sentBefore = scene.endpoint.requests.length;
        const former = readLines(scene);
        const formerLeft = leftBeside(scene);
        storedToken = former.accessToken;
        isAnswered = false;
        const wanted = steps[Math.floor(Math.random() * steps.length)];
        const reached = new Set<string>();
        const run = start(scene, ["--verbose"]);
        const arrived = new Promise<void>((resolve) => {
          onStep = (step) => {
            reached.add(step);
            if (step === wanted) resolve();
          };
        });
        // Killed before that, it never shows it.
        run.shown("holding the lock of").then(
          () => onStep("the lock is held"),
          () => undefined,
        );
        await arrived;
        await pause(Math.random() * 60);
        run.child.kill("SIGKILL");
        const { signal, status } = await run.ended;
        if (signal === "SIGKILL") counts.killed += 1;
        else counts.finished += 1;
        if (signal === null) assert.equal(status, 0, run.written.stderr);
        const isSent = scene.endpoint.requests.length > sentBefore;
        while (isSent && !isAnswered) await pause(5);

        const now = readLines(scene);
        assert.ok([former.accessToken, ...account.secrets].includes(now.accessToken));
        assert.ok([former.refreshToken, ...account.secrets].includes(now.refreshToken));
        // The commit comes before the first use of the new token, and nothing widens the window.
        if (reached.has("the new token logs in")) {
          assert.equal(now.refreshToken, account.current);
          counts.committed += 1;
        }
        const isLeft = leftBeside(scene)?.refreshToken === account.current;
        if (isLeft) counts.left += 1;
        if (now.refreshToken !== account.current && !isLeft) {
          // The one window that cannot be closed: the server has rotated, and its answer was not
          // on the disk yet. Nothing was written then but what an earlier run had left, and exactly
          // one request was sent.
          if (formerLeft?.accessToken !== now.accessToken) assert.deepEqual(now, former);
          else assert.deepEqual(now, formerLeft);
          assert.equal(scene.endpoint.requests.length, sentBefore + 1);
          counts.lost += 1;
          account = new RotatingAccount();
          freshFile(scene, account);
        }
      }
      const last = start(scene);
      assert.equal((await last.ended).status, 0, last.written.stderr);
      const beside = readdirSync(dirname(scene.tokenFile)).filter((name) => name.startsWith("."));
      assert.deepEqual(beside, [`.oauth2_tokens_${user}.txt.lock`]);
      await scene.close();
    };
    await Promise.all(Array.from({ length: lanes }, lane));
    context.diagnostic(
      `${counts.killed} kills, ${counts.committed} of them after the commit, ${counts.left} between the disk and the file, ${counts.finished} runs were faster; the account was lost ${counts.lost} times, each time between the server's rotation and the commit`,
    );
    assert.ok(counts.killed >= kills && counts.committed > 0);
  });

  function readLines(scene: Scene) {
    const lines = linesIn(readFileSync(scene.tokenFile, "utf8"));
    assert.notEqual(lines.accessToken, "", "line 1 is empty");
    return lines;
  }

  /** What was written as a whole, and has not taken its place. */
  function leftBeside({ tokenFile }: Scene) {
    const path = join(dirname(tokenFile), `.${basename(tokenFile)}.tmp`);
    const text = existsSync(path) ? readFileSync(path, "utf8") : "";
    return readSealedTokens(text) === undefined ? undefined : linesIn(text);
  }

  function linesIn(text: string) {
    const record = parseTokenFile(text, "");
    return {
      accessToken: record.accessToken?.reveal() ?? "",
      refreshToken: record.refreshToken?.reveal() ?? "",
    };
  }

  /** Chance is what this test is about: here real time passes. */
  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }
});

describe("signals", () => {
  for (const [signal, status] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    test(`${signal} while the refresh is on the wire: the answer is saved, then ${status}`, async () => {
      const scene = await setScene();
      freshFile(scene, scene.account);
      let arrived = () => {};
      const asked = new Promise<void>((resolve) => {
        arrived = resolve;
      });
      let release = () => {};
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      scene.endpoint.answer = async (request): Promise<Answer> => {
        arrived();
        await released;
        return scene.account.answer(request);
      };
      const run = start(scene);
      await asked;
      run.child.kill(signal);
      await run.shown("waiting up to 10 seconds");
      // A second one changes nothing.
      run.child.kill(signal);
      release();
      assert.equal((await run.ended).status, status, run.written.stderr);
      assert.equal(run.written.stdout, "");
      assert.deepEqual(scene.lines(), {
        accessToken: "old-access-token",
        refreshToken: scene.account.current,
      });
      await scene.close();
    });
  }

  test("Ctrl-C while a person is asked ends at once, and leaves no lock and no half file", async () => {
    const scene = await setScene();
    const run = runProgram([user, ...scene.options], { cwd: scene.directory, keepOpen: true });
    await run.shown("paste it here");
    run.child.kill("SIGINT");
    assert.equal((await run.ended).status, 130);
    assert.equal(scene.read(), undefined);
    assert.deepEqual(readdirSync(dirname(scene.tokenFile)), [`.oauth2_tokens_${user}.txt.lock`]);
    await scene.close();
  });
});

describe("a terminal", () => {
  let scene: Scene;
  before(async () => {
    scene = await setScene();
    scene.endpoint.answer = () => ({
      status: 200,
      body: { access_token: "access", refresh_token: "refresh", token_type: "Bearer" },
    });
  });
  after(() => scene?.close());

  /** Runs the program on a pseudo-terminal of util-linux's script(1). */
  async function inTerminal(
    type: (shown: string) => string | undefined,
    more: readonly string[] = [],
    watch: (shown: string, write: (text: string) => void) => void = () => undefined,
  ) {
    const words = [process.execPath, programPath, user, ...scene.options, "--startover", ...more];
    const command = `${words.map(quoteForShell).join(" ")}; status=$?; stty -a; exit $status`;
    const child = spawn("script", ["-qefc", command, "/dev/null"], {
      cwd: scene.directory,
      env: { PATH: process.env["PATH"], HOME: scene.directory, TERM: "xterm" },
      stdio: ["pipe", "pipe", "inherit"],
    });
    let shown = "";
    let isTyped = false;
    child.stdout.setEncoding("utf8");
    child.stdout.on("data", (chunk: string) => {
      shown += chunk;
      watch(shown, (more) => child.stdin.write(more));
      const text = isTyped ? undefined : type(shown);
      if (text === undefined) return;
      isTyped = true;
      child.stdin.write(text);
    });
    const status = await new Promise((resolve) => child.once("close", resolve));
    return { status, shown };
  }

  const address = (shown: string) =>
    /press Enter/.test(shown) ? /https:\/\/localhost\/authorize\S+/.exec(shown)?.[0] : undefined;

  test("is given back when the browser comes while something is being typed", async () => {
    let page: Promise<Visited> | undefined;
    const { status, shown } = await inTerminal(
      (text) => (address(text) ? "half a pas" : undefined),
      [],
      (text) => {
        const url = text.includes("10 characters, press Enter") ? address(text) : undefined;
        if (url !== undefined) page ??= visit(scene.directory, callback(url, "the-code"));
      },
    );
    assert.equal(status, 0, shown);
    assert.match((await page)?.text ?? "", /Signed in/);
    assert.match(shown, / icanon.* echo /s);
    assert.doesNotMatch(shown, /press Entermxtoken/);
  });

  test("takes a paste of over 4,095 characters and does not show it", async () => {
    const code = `start-${"0123456789".repeat(800)}-end`;
    const type = (text: string) => {
      const url = address(text);
      if (url === undefined) return undefined;
      const state = new URL(url).searchParams.get("state");
      return `https://localhost/?code=${code}&state=${state}`;
    };
    let isEntered = false;
    const { status, shown } = await inTerminal(type, [], (text, write) => {
      // Not with the paste: whatever has come whole is taken at once, and never counted.
      if (isEntered || !/8\d{3} characters, press Enter/.test(text)) return;
      isEntered = true;
      write("\r");
    });
    assert.equal(status, 0, shown);
    assert.equal(scene.endpoint.requests.at(-1)?.get("code"), code);
    assert.ok(!shown.includes("0123456789012345"));
  });

  for (const [key, name, more, expected] of [
    ["\u0003", "Ctrl-C", [], 130],
    ["\u0003", "Ctrl-C", ["--remotebrowser"], 130],
    ["\u0004", "Ctrl-D", ["--remotebrowser"], 77],
    // The browser is still waited for.
    ["\u0004\u0003", "Ctrl-D, then Ctrl-C", [], 130],
  ] as const) {
    test(`${name} ends with ${expected}, with ${more.join() || "a listener"}`, async () => {
      const type = (text: string) => (address(text) ? key : undefined);
      const { status, shown } = await inTerminal(type, more);
      assert.equal(status, expected, shown);
    });
  }
});
