import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { main } from "../../src/cli/main.ts";
import { freePort } from "../scene/loopback.ts";
import { type Result, type Scene, setScene, user } from "../scene/scene.ts";
import { callback, partsOf, type Visited, visit } from "../scene/visit.ts";
import { type TestWorld, testWorld } from "../scene/world.ts";

const signInPatience = 300_000;

let scene: Scene;
beforeEach(async () => {
  scene = await setScene();
  scene.endpoint.answer = () => ({
    status: 200,
    body: { access_token: "access-1", refresh_token: "refresh-1", token_type: "Bearer" },
  });
});
const begun: Running[] = [];
afterEach(async () => {
  // What a failed test has left behind.
  for (const { world, ended } of begun.splice(0)) {
    world.interrupt("SIGTERM");
    await ended;
  }
  await scene?.close();
});

interface Running {
  readonly world: TestWorld;
  readonly ended: Promise<Result>;
  /** the sign-in address, as soon as it is shown */
  address(): Promise<string>;
}

/** Begins a sign-in; standard input stays open. */
function begin(
  more: readonly string[] = [],
  options: Partial<Parameters<typeof testWorld>[0]> = {},
): Running {
  const world = testWorld({ cwd: scene.directory, now: Date.now(), ...options });
  const redirect = more.includes("--redirect-uri") ? [] : ["--redirect-uri", "https://localhost"];
  const ended = main([user, ...scene.options, ...redirect, ...more], world).then((status) => ({
    status,
    ...world.written,
  }));
  const running: Running = {
    world,
    ended,
    async address() {
      const pattern = /^https:\/\/localhost\/authorize\S+$/m;
      await Promise.race([world.shown("paste it here"), ended]);
      const address = pattern.exec(world.written.stderr)?.[0];
      assert.ok(address, world.written.stderr);
      return address;
    },
  };
  begun.push(running);
  return running;
}

function comeBack(address: string, code = "the-first-code") {
  return visit(scene.directory, callback(address, code));
}

async function assertNobodyListens(address: string): Promise<void> {
  await assert.rejects(comeBack(address), (error: NodeJS.ErrnoException) =>
    ["ECONNREFUSED", "ECONNRESET", "UND_ERR_SOCKET"].includes(error.code ?? ""),
  );
}

describe("by the listener", () => {
  test("the code is exchanged with the very redirect URI, port and all", async () => {
    const { address, ended } = begin();
    const url = await address();
    const { redirectUri } = partsOf(url);
    assert.match(redirectUri, /^https:\/\/localhost:\d+$/);
    const page = await comeBack(url);
    assert.match(page.text, /Signed in/);
    const { status, stderr } = await ended;
    assert.equal(status, 0, stderr);
    const request = scene.endpoint.requests.at(-1);
    assert.equal(request?.get("code"), "the-first-code");
    assert.equal(request?.get("redirect_uri"), redirectUri);
    assert.ok(!stderr.includes("the-first-code"));
    await assertNobodyListens(url);
  });

  test("the end of standard input is ignored while it listens", async () => {
    const { address, ended, world } = begin(["--timeout", "60"]);
    const url = await address();
    world.stdin.end();
    await world.shown("the input ended");
    await comeBack(url);
    assert.equal((await ended).status, 0);
  });

  test("a code that the server does not take is told in the browser; the next one is taken", async () => {
    scene.endpoint.answer = (request) =>
      request.get("code") === "old-code"
        ? { status: 400, body: { error: "invalid_grant", error_description: "it is spent" } }
        : { status: 200, body: { access_token: "a", refresh_token: "r", token_type: "Bearer" } };
    const { address, ended } = begin();
    const url = await address();
    assert.match((await comeBack(url, "old-code")).text, /Not signed in[\s\S]*it is spent/);
    assert.match((await comeBack(url, "new-code")).text, /Signed in/);
    const { status, stderr } = await ended;
    assert.equal(status, 0, stderr);
    assert.ok(!stderr.includes("new-code") && !stderr.includes("old-code"));
  });

  for (const [status, error, error_description] of [
    [200, "bad_verification_code", "The code passed is incorrect or expired."],
    [400, "INVALID_AUTHORIZATION_CODE", "no"],
    [400, "invalid_request", "AADSTS54005: Authorization code was already redeemed"],
  ] as const) {
    test(`a code refused as ${error}, status ${status}: the next one is taken`, async () => {
      scene.endpoint.answer = (request) =>
        request.get("code") === "old-code"
          ? { status, body: { error, error_description } }
          : { status: 200, body: { access_token: "a", refresh_token: "r", token_type: "Bearer" } };
      const { address, ended } = begin();
      const url = await address();
      assert.match(
        (await comeBack(url, "old-code")).text,
        /Not signed in[\s\S]*code was not taken/,
      );
      assert.match((await comeBack(url, "new-code")).text, /Signed in/);
      assert.equal((await ended).status, 0);
    });
  }

  test("a request that is refused as such is the application's: 77, no other code is waited for", async () => {
    const body = { error: "invalid_request", error_description: "client_secret is missing." };
    scene.endpoint.answer = () => ({ status: 400, body });
    const { address, ended } = begin();
    await comeBack(await address());
    const { status, stderr } = await ended;
    assert.equal(status, 77);
    assert.match(stderr, /refuses the application: invalid_request: client_secret is missing/);
  });

  for (const error of ["server_error", "temporarily_unavailable"]) {
    test(`error=${error} is the server's trouble: 75, by the listener and pasted`, async () => {
      const answer = (address: string) => {
        const url = new URL(callback(address, "x"));
        url.searchParams.delete("code");
        url.searchParams.set("error", error);
        return url.href;
      };
      const listened = begin();
      const { text } = await visit(scene.directory, answer(await listened.address()));
      assert.match(text, /Not finished[\s\S]*could not finish the sign-in/);
      const pasted = begin();
      pasted.world.stdin.write(`${answer(await pasted.address())}\n`);
      for (const { ended } of [listened, pasted]) {
        const { status, stderr } = await ended;
        assert.equal(status, 75, stderr);
        assert.match(stderr, /run the command again later/);
      }
    });
  }

  test("a token endpoint that is away: 75, and the page says that it may work another time", async () => {
    scene.endpoint.answer = () => ({ status: 503, body: "away" });
    const { address, ended } = begin();
    const url = await address();
    assert.match((await comeBack(url)).text, /Not finished/);
    assert.equal((await ended).status, 75);
    await assertNobodyListens(url);
  });

  test("an application that is refused: 77, with the server's words escaped", async () => {
    scene.endpoint.answer = () => ({
      status: 401,
      body: { error: "invalid_client", error_description: "<script>alert(1)</script>" },
    });
    const { address, ended } = begin();
    const { text } = await comeBack(await address());
    assert.match(text, /Not signed in[\s\S]*&lt;script&gt;alert\(1\)&lt;\/script&gt;/);
    assert.ok(!text.includes("<script"));
    assert.equal((await ended).status, 77);
  });

  test("a mail server that is away: the token is kept, 75, and nobody is called signed in", async () => {
    scene.imap.login = () => "unavailable";
    const { address, ended } = begin();
    const { text } = await comeBack(await address());
    assert.match(text, /Not finished[\s\S]*not proven yet/);
    assert.ok(!text.includes("Signed in"));
    assert.equal((await ended).status, 75);
    assert.equal(scene.lines().refreshToken, "refresh-1");
  });

  test("a page that belongs to another sign-in does not end the wait", async () => {
    const { address, ended } = begin();
    const url = await address();
    const { redirectUri } = partsOf(url);
    const other = await visit(scene.directory, `${redirectUri}/?code=other&state=other`);
    assert.equal(other.status, 400);
    assert.match(other.text, /does not belong to the sign-in/);
    await comeBack(url);
    assert.equal((await ended).status, 0);
    assert.equal(scene.endpoint.requests.length, 1);
  });

  test("with a registered port, on that one", async () => {
    const port = await freePort();
    const redirectUri = `http://127.0.0.1:${port}/callback`;
    const { address, ended } = begin(["--redirect-uri", redirectUri]);
    const url = await address();
    assert.equal(partsOf(url).redirectUri, redirectUri);
    await comeBack(url);
    assert.equal((await ended).status, 0);
  });

  test("with --port and MXTOKEN_PORT, on that one", async () => {
    for (const way of ["option", "environment"]) {
      const port = await freePort();
      const { address, ended } = begin(
        way === "option" ? ["--port", String(port), "--startover"] : ["--startover"],
        way === "option" ? {} : { env: { MXTOKEN_PORT: String(port) } },
      );
      const url = await address();
      assert.equal(partsOf(url).redirectUri, `https://localhost:${port}`);
      await comeBack(url);
      assert.equal((await ended).status, 0);
    }
  });

  test("--localssl listens for https at a redirect URI that says http", async () => {
    const { address, ended } = begin(["--redirect-uri", "http://localhost", "--localssl"]);
    const url = await address();
    assert.match(partsOf(url).redirectUri, /^https:\/\/localhost:\d+$/);
    await comeBack(url);
    assert.equal((await ended).status, 0);
  });
});

describe("by paste, while a listener waits", () => {
  test("the paste wins, and the listener is closed before the mailbox is even tried", async () => {
    let listened: unknown;
    const { address, ended, world } = begin();
    const url = await address();
    scene.imap.login = async () => {
      listened = await comeBack(url).catch((error: NodeJS.ErrnoException) => error.code);
      return "accept" as const;
    };
    world.stdin.write(`${callback(url, "pasted-code")}\n`);
    const { status, stderr } = await ended;
    assert.equal(status, 0, stderr);
    assert.equal(listened, "ECONNREFUSED");
    assert.equal(scene.endpoint.requests.at(-1)?.get("code"), "pasted-code");
    assert.match(scene.endpoint.requests.at(-1)?.get("redirect_uri") ?? "", /:\d+$/);
  });

  test("a browser that comes while a wrong code is exchanged is not told of that one", async () => {
    let page: Promise<Visited> | undefined;
    const { address, ended, world } = begin();
    const url = await address();
    scene.endpoint.answer = async (request) => {
      if (request.get("code") === "good-code") {
        return { status: 200, body: { access_token: "a", token_type: "Bearer" } };
      }
      page = comeBack(url, "good-code");
      await visit(scene.directory, `${partsOf(url).redirectUri}/favicon.ico`);
      return { status: 400, body: { error: "invalid_grant" } };
    };
    world.stdin.write("a-wrong-bare-code\n");
    const { status, stderr } = await ended;
    assert.equal(status, 0, stderr);
    const text = (await page)?.text ?? "";
    assert.match(text, /Signed in/);
    assert.doesNotMatch(text, /Not signed in/);
  });

  test("rubbish is refused, and the browser may still come", async () => {
    const { address, ended, world } = begin();
    const url = await address();
    world.stdin.write("this is rubbish\n");
    await world.shown("still waiting");
    await comeBack(url);
    assert.equal((await ended).status, 0);
  });

  test("of an address in many lines that come one by one is taken with the last, and told once", async () => {
    const { address, ended, world } = begin();
    const whole = `${callback(await address(), `long-${"x".repeat(2500)}`)}`;
    for (const line of whole.match(/.{1,76}/g) ?? []) {
      world.stdin.write(`${line}\n`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const { status, stderr } = await ended;
    assert.equal(status, 0, stderr);
    assert.equal(stderr.match(/not usable: /g)?.length, 1);
  });

  test("of a refusal ends the wait: 77", async () => {
    const { address, ended, world } = begin();
    const url = await address();
    const { state } = partsOf(url);
    world.stdin.write(`https://localhost/?error=access_denied&state=${state}\n`);
    assert.equal((await ended).status, 77);
    await assertNobodyListens(url);
  });
});

describe("the end of the wait", () => {
  test("nobody comes in time: 77, and nobody listens any more", async () => {
    const { address, ended, world } = begin();
    const url = await address();
    world.expire(signInPatience);
    const { status, stderr } = await ended;
    assert.equal(status, 77);
    assert.match(stderr, /nobody signed in within 300 seconds/);
    await assertNobodyListens(url);
    assert.deepEqual(readdirSync(dirname(scene.tokenFile)), [`.oauth2_tokens_${user}.txt.lock`]);
  });

  test("what came in the place of an answer is told at once, once, and again at the end", async () => {
    const { address, ended, world } = begin();
    const url = await address();
    const { redirectUri } = partsOf(url);
    for (let times = 0; times < 2; times += 1) {
      await visit(scene.directory, `${redirectUri}/?error=access_denied&error_description=no`);
      await visit(scene.directory, `${redirectUri}/other?code=the-code`);
    }
    const { stderr: told } = world.written;
    for (const line of [
      "of no use: it says access_denied: no, but not for which sign-in\n",
      "of no use: it came to another path than /\n",
      "mxtoken: still waiting; copy the whole address out of the browser and paste it",
    ]) {
      assert.equal(told.split(line).length, 2, `${line} in ${told}`);
    }
    assert.match(told, /somebody chose Cancel/);
    world.expire(signInPatience);
    const { status, stderr } = await ended;
    assert.equal(status, 77);
    assert.doesNotMatch(stderr, /nobody signed in|the-code/);
    assert.match(
      stderr,
      /nothing usable came back within 300 seconds: it says access_denied: no, but not for which sign-in; it came to another path than \/\n/,
    );
  });

  test("what was pasted and is no answer is not nobody's", async () => {
    const { address, ended, world } = begin(["--json"]);
    await address();
    world.stdin.write("this is rubbish\n");
    await world.shown("still waiting; paste again");
    world.expire(signInPatience);
    const { status, stdout } = await ended;
    assert.equal(status, 77);
    assert.equal(
      JSON.parse(stdout).error.message,
      "nothing usable came back within 300 seconds: this is neither an address with an answer in it nor a code",
    );
  });

  test("Ctrl-C: 130, and nobody listens any more", async () => {
    const { address, ended, world } = begin();
    const url = await address();
    world.interrupt("SIGINT");
    assert.equal((await ended).status, 130);
    await assertNobodyListens(url);
  });

  test("nobody is there and nothing is begun: 77, no certificate, no listener", async () => {
    const { ended, world } = begin();
    world.stdin.end();
    const { status, stderr } = await ended;
    assert.equal(status, 77);
    assert.ok(!stderr.includes("response_type"));
    assert.match(stderr, /^ {2}mxtoken \S+@\S+ .*--authorize-uri /m, "the command for a terminal");
    assert.equal(existsSync(join(scene.directory, "certs")), false);
  });
});

describe("--remotebrowser", () => {
  test("the redirect URI stays as it is registered, nobody listens, the tunnel is shown", async () => {
    const { address, ended, world } = begin(["--remotebrowser"], { env: { DISPLAY: ":0" } });
    const url = await address();
    assert.equal(partsOf(url).redirectUri, "https://localhost");
    assert.match(
      world.written.stderr,
      /run again with --port 8765, .*:\n {2}ssh -L 8765:localhost:8765 /,
    );
    assert.deepEqual(world.opened, []);
    assert.equal(existsSync(join(scene.directory, "certs")), false);
    world.stdin.write(`${callback(url, "pasted-code")}\n`);
    assert.equal((await ended).status, 0);
    assert.equal(scene.endpoint.requests.at(-1)?.get("redirect_uri"), "https://localhost");
  });

  test("the end of the input ends the run: 77", async () => {
    const { address, ended, world } = begin(["--remotebrowser", "--timeout", "60"]);
    await address();
    world.stdin.end();
    assert.equal((await ended).status, 77);
  });

  test("a port that is registered is the tunnel's", async () => {
    const uri = "http://localhost:8080/callback";
    const { address, world } = begin(["--remotebrowser", "--redirect-uri", uri]);
    assert.equal(partsOf(await address()).redirectUri, uri);
    assert.match(world.written.stderr, /--port 8080, .*:\n {2}ssh -L 8080:localhost:8080 /);
  });

  test("MXTOKEN_PORT does not make it listen", async () => {
    const port = await freePort();
    const env = { MXTOKEN_PORT: String(port) };
    const { address, ended, world } = begin(["--remotebrowser", "--timeout", "60"], { env });
    assert.equal(partsOf(await address()).redirectUri, "https://localhost");
    world.stdin.end();
    assert.equal((await ended).status, 77);
  });

  test("with --port it listens for what comes through the tunnel", async () => {
    const port = await freePort();
    const { address, ended, world } = begin(["--remotebrowser", "--port", String(port)]);
    const url = await address();
    assert.match(world.written.stderr, new RegExp(`^ {2}ssh -L ${port}:localhost:${port} `, "m"));
    await comeBack(url);
    assert.equal((await ended).status, 0);
    assert.deepEqual(world.opened, []);
  });
});

describe("the browser", () => {
  const desktop = { DISPLAY: ":0" };

  for (const [what, env, more, isOpened] of [
    ["a desktop", desktop, [], true],
    ["Wayland", { WAYLAND_DISPLAY: "wayland-0" }, [], true],
    ["no screen", {}, [], false],
    ["--no-browser", desktop, ["--no-browser"], false],
    ["SSH with a forwarded screen", { ...desktop, SSH_CONNECTION: "1 2 3 4" }, [], false],
    ["an editor over SSH", { BROWSER: "helper", SSH_CONNECTION: "1 2 3 4" }, [], true],
  ] as const) {
    test(`${what}: it is ${isOpened ? "" : "not "}opened, and it may come back`, async () => {
      const { address, ended, world } = begin(more, { env });
      const url = await address();
      assert.deepEqual(world.opened, isOpened ? [url] : []);
      assert.equal(world.written.stderr.includes("in the browser that opens now"), isOpened);
      await comeBack(url);
      assert.equal((await ended).status, 0);
    });
  }

  test("one that cannot be opened is no error, and is told even with --quiet", async () => {
    const openBrowser = () => Promise.reject(new Error("xdg-open is not installed"));
    const { address, ended, world } = begin(["--quiet"], { env: desktop, openBrowser });
    const url = await address();
    await world.shown("no browser could be opened here (xdg-open is not installed)");
    await comeBack(url);
    assert.equal((await ended).status, 0);
  });

  test("over SSH the tunnel is shown with the real port, the user and the way in", async () => {
    const env = { SSH_CONNECTION: "203.0.113.9 50022 192.0.2.1 2222", USER: "foo" };
    const { address, ended, world } = begin([], { env });
    const url = await address();
    const { port } = new URL(partsOf(url).redirectUri);
    assert.ok(
      world.written.stderr.includes(`\n  ssh -L ${port}:localhost:${port} -p 2222 foo@192.0.2.1\n`),
      world.written.stderr,
    );
    await comeBack(url);
    assert.equal((await ended).status, 0);
  });
});

describe("a listener that cannot be", () => {
  test("a taken port is told, the code is not sent there, and the answer is pasted", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const { address, ended, world } = begin(["--port", String(port)]);
    const url = await address();
    assert.equal(partsOf(url).redirectUri, "https://localhost");
    assert.match(world.written.stderr, /another program uses it: the answer must be pasted/);
    world.stdin.write(`${callback(url, "pasted-code")}\n`);
    assert.equal((await ended).status, 0);
    assert.equal(scene.endpoint.requests.at(-1)?.get("redirect_uri"), "https://localhost");
    server.close();
  });

  test("without a listener the end of the input ends the run: 77", async () => {
    const { address, ended, world } = begin([
      ...["--redirect-uri", "https://elsewhere.example/auth", "--timeout", "60"],
    ]);
    const url = await address();
    assert.equal(partsOf(url).redirectUri, "https://elsewhere.example/auth");
    world.stdin.end();
    assert.equal((await ended).status, 77);
  });

  test("a certificate that cannot be kept serves for this run", async () => {
    writeFileSync(join(scene.directory, "certs"), "in the way");
    const { address, ended, world } = begin();
    const url = await address();
    assert.match(world.written.stderr, /certificate is for this run only: .*certs/);
    assert.ok(!world.written.stderr.includes("mxtoken cert"));
    world.stdin.write(`${callback(url, "pasted-code")}\n`);
    assert.equal((await ended).status, 0);
  });

  test("a named pipe in the key's place is not waited for", async () => {
    const certs = join(scene.directory, "certs");
    mkdirSync(certs);
    execFileSync("mkfifo", [join(certs, "localhost.key")]);
    const { address, ended, world } = begin();
    const url = await address();
    assert.match(world.written.stderr, /certificate is for this run only: .*not a regular file/);
    world.stdin.write(`${callback(url, "pasted-code")}\n`);
    assert.equal((await ended).status, 0);
  });

  test("one that was renewed is told: a trust must be given again", async () => {
    const certs = join(scene.directory, "certs");
    mkdirSync(certs);
    for (const name of ["localhost.key", "localhost.crt"]) writeFileSync(join(certs, name), "old");
    const { address, ended, world } = begin();
    const url = await address();
    assert.match(world.written.stderr, /a new certificate for the listener/);
    const command = `mxtoken cert --home ${scene.directory}`;
    assert.ok(world.written.stderr.includes(`the old one must be told again: ${command}\n`));
    assert.ok(world.written.stderr.includes(`(no more warnings: ${command})\n`));
    await comeBack(url);
    assert.equal((await ended).status, 0);
  });
});

describe("MXTOKEN_PORT, which is a wish", () => {
  for (const uri of ["https://elsewhere.example/auth", "http://localhost:8080"]) {
    test(`does not contradict ${uri}`, async () => {
      const env = { MXTOKEN_PORT: "8765" };
      const { address } = begin(["--redirect-uri", uri], { env });
      assert.equal(partsOf(await address()).redirectUri, uri);
    });
  }
});

describe("settings that exclude each other", () => {
  for (const [args, status, message] of [
    [["--local", "--localssl"], 78, /--local and --localssl contradict each other/],
    [["--redirect-uri", "https://elsewhere.example", "--port", "8080"], 78, /--port 8080 asks/],
    [["--redirect-uri", "https://elsewhere.example", "--local"], 78, /--local asks/],
    [["--redirect-uri", "https://elsewhere.example", "--localssl"], 78, /--localssl asks/],
    [["--redirect-uri", "http://localhost:1234", "--port", "8080"], 78, /contradict/],
    [["--port", "0"], 64, /--port: "0" is not a number from 1 to 65535/],
    [["--port", "65536"], 64, /--port: "65536"/],
    [["--port", "abc"], 64, /--port: "abc"/],
    [["--no-browser=yes"], 64, /--no-browser takes no value/],
    [["--browser"], 64, /unknown option --browser/],
  ] as const) {
    test(`${args.join(" ")}: ${status}`, async () => {
      const { ended } = begin(args);
      const { status: actual, stderr } = await ended;
      assert.equal(actual, status, stderr);
      assert.match(stderr, message);
    });
  }
});
