import assert from "node:assert/strict";
import { connect, createServer as createTcpServer, type Socket } from "node:net";
import { afterEach, beforeEach, describe, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { MxtokenError } from "../../src/errors.ts";
import type { SignInDesk } from "../../src/sign-in/sign-in-desk.ts";
import { temporaryDirectory } from "../scene/certificates.ts";
import { freePort, loopbackAddresses } from "../scene/loopback.ts";
import {
  type Asked,
  askListener,
  type Begun,
  beginSignIn,
  listenerCertificate,
  nextCode as nextCodeOf,
  openDesk,
  type Reply,
} from "../scene/sign-in-desk.ts";
import { type TestWorld, testWorld } from "../scene/world.ts";

const connectionPatience = 15_000;
const pagePatience = 3000;
const connectionLimit = 200;

const signedIn = {
  is: "signedIn",
  account: "foo@example.test",
  hosts: ["imap.test"],
  otherAccount: undefined,
} as const;

let world: TestWorld;
let begun: Begun;
let state: string;
let rightAnswer: string;
const desks: SignInDesk[] = [];

function start(redirectUri?: string, port?: number): Promise<Begun> {
  const desk = openDesk(world);
  desks.push(desk);
  return beginSignIn(desk, redirectUri, port);
}

beforeEach(async () => {
  world = testWorld({ cwd: temporaryDirectory(), now: Date.now() });
  begun = await start();
  ({ state } = begun);
  rightAnswer = begun.answer("the-code");
});
afterEach(async () => {
  world.expire(pagePatience);
  for (const desk of desks.splice(0)) await desk.close();
});

function ask(path: string, asked: Asked = {}, at = begun): Promise<Reply> {
  return askListener(at, path, asked);
}

function nextCode(at = begun): Promise<string> {
  return nextCodeOf(at);
}

describe("the right answer", () => {
  for (const address of loopbackAddresses) {
    test(`is taken on ${address}, over HTTPS`, async () => {
      const code = nextCode();
      const reply = await ask(rightAnswer, { address });
      assert.equal(reply.status, 303);
      assert.equal(await code, "the-code");
    });

    test(`is taken on ${address}, over plain HTTP`, async () => {
      const plain = await start("http://127.0.0.1");
      assert.equal(plain.redirectUri, `http://127.0.0.1:${plain.port}`);
      const code = nextCode(plain);
      const reply = await ask(plain.answer("the-code"), { address }, plain);
      assert.equal(reply.status, 303);
      assert.equal(await code, "the-code");
      await plain.signIn.end();
    });
  }

  test("is there for who asks later", async () => {
    await ask(rightAnswer);
    assert.equal(await nextCode(), "the-code");
  });

  test("leads to a page without the code, which waits and then says what happened", async () => {
    const reply = await ask(rightAnswer);
    const { location } = reply.headers;
    assert.match(String(location), /^\/mxtoken\/[0-9a-f]{32}$/);
    const page = ask(String(location));
    await nextCode();
    const closed = begun.signIn.end(signedIn);
    const { status, body } = await page;
    await closed;
    assert.equal(status, 200);
    assert.match(
      body,
      /One moment[\s\S]*Signed in[\s\S]*foo@example\.test was opened at imap\.test/,
    );
    assert.ok(!body.includes("the-code") && !body.includes(state));
  });

  test("in a second tab waits its turn, and both are told the result", async () => {
    const answers = [await ask(rightAnswer), await ask(`/?code=second-code&state=${state}`)];
    const pages = answers.map(({ headers }) => ask(String(headers["location"])));
    assert.equal(await nextCode(), "the-code");
    await Promise.all([ask("/"), ask("/")]);
    await begun.signIn.end(signedIn);
    for (const page of pages) assert.match((await page).body, /Signed in/);
  });

  test("is taken from the second tab where the first one's is of no use", async () => {
    const [first, second] = [await ask(rightAnswer), await ask(`/?code=good&state=${state}`)];
    const caught = await begun.signIn.code(new AbortController().signal);
    caught.refuse("the code was not taken");
    assert.equal(await nextCode(), "good");
    const told = await ask(String(first.headers["location"]));
    assert.match(told.body, /Not signed in[\s\S]*The code was not taken\./);
    const page = ask(String(second.headers["location"]));
    await ask("/");
    await begun.signIn.end(signedIn);
    assert.doesNotMatch((await page).body, /Not signed in/);
  });

  test("of many tabs, only so many are kept", async () => {
    for (let count = 0; count < 30; count += 1) await ask(`/?code=code-${count}&state=${state}`);
    for (let count = 0; count < 20; count += 1) assert.equal(await nextCode(), `code-${count}`);
    const nothing = new AbortController();
    const next = begun.signIn.code(nothing.signal);
    nothing.abort(new Error("no more"));
    await assert.rejects(next, /no more/);
  });

  test("a refusal with the right state ends the wait, with the server's words", async () => {
    const code = nextCode();
    const failed = assert.rejects(
      code,
      (error) =>
        error instanceof MxtokenError &&
        error.code === "signInDeclined" &&
        error.message.includes("access_denied: the <b>person</b> chose Cancel"),
    );
    const query = new URLSearchParams({
      error: "access_denied",
      error_description: "the <b>person</b> chose Cancel",
      state,
    });
    const { headers } = await ask(`/?${query}`);
    await failed;
    const page = ask(String(headers["location"]));
    const closed = begun.signIn.end({
      is: "failed",
      message: "the <b>person</b> chose \"Cancel\" & 'left'",
      hint: undefined,
    });
    assert.match(
      (await page).body,
      /The &lt;b&gt;person&lt;\/b&gt; chose &quot;Cancel&quot; &amp; &#39;left&#39;\./,
    );
    await closed;
  });
});

describe("everything else gets a short 4xx and changes nothing", () => {
  /** STATE and PORT stand for those of the sign-in. */
  const path = "/?code=stolen&state=STATE";
  const cases: [string, string, Asked, number][] = [
    ["favicon", "/favicon.ico", {}, 404],
    ["another path", "/other?code=x&state=STATE", {}, 404],
    ["a path that begins like a host", "//evil.example/?code=x&state=STATE", {}, 404],
    ["an absolute address", "https://evil.example/?code=x&state=STATE", {}, 404],
    ["a page that there is not", "/mxtoken/0123456789abcdef0123456789abcdef", {}, 404],
    ["nothing", "/", {}, 400],
    ["no state", "/?code=stolen", {}, 400],
    ["a wrong state", "/?code=stolen&state=wrong", {}, 400],
    ["an empty state", "/?code=stolen&state=", {}, 400],
    ["the right state twice", `${path}&state=STATE`, {}, 400],
    ["a beginning of the right state", "/?code=stolen&state=BEGINNING", {}, 400],
    ["no code", "/?state=STATE", {}, 400],
    ["two codes", `${path}&code=x`, {}, 400],
    ["another issuer", `${path}&iss=https://evil.example`, {}, 400],
    ["an error without a state", "/?error=access_denied", {}, 400],
    [
      "an error of another issuer",
      "/?error=access_denied&state=STATE&iss=https://evil.example",
      {},
      400,
    ],
    ["CONNECT", path, { method: "CONNECT" }, 405],
    ["an error with a wrong state", "/?error=access_denied&state=wrong", {}, 400],
    ["the state in another case", "/?code=stolen&state=OTHERCASE", {}, 400],
    ["HEAD", path, { method: "HEAD" }, 405],
    ["POST", path, { method: "POST", body: "code=stolen" }, 405],
    ["OPTIONS", path, { method: "OPTIONS" }, 405],
    ["PUT of a megabyte", path, { method: "PUT", body: "x".repeat(1024 * 1024) }, 405],
    ["another host", path, { host: "evil.example" }, 421],
    ["another host on this port", path, { host: "evil.example:PORT" }, 421],
    ["another port", path, { host: "localhost:1" }, 421],
    ["no port", path, { host: "localhost" }, 421],
    ["a user before the host", path, { host: "localhost:PORT@evil.example" }, 421],
    ["a host that is none", path, { host: "local host" }, 421],
  ];
  for (const [name, target, asked, status] of cases) {
    test(`${name}: ${status}`, async () => {
      const host = asked.host?.replace("PORT", String(begun.port));
      const more = { ...asked, ...(host === undefined ? {} : { host }) };
      const swapped = [...state].map((letter) =>
        letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
      );
      const path = target
        .replaceAll("STATE", state)
        .replace("BEGINNING", state.slice(0, 9))
        .replace("OTHERCASE", swapped.join(""));
      const reply = await ask(path, more).catch((error) => {
        // An answer that comes before the whole body was sent may be cut off.
        if (asked.body === undefined) throw error;
        return undefined;
      });
      if (reply !== undefined) {
        assert.equal(reply.status, status);
        assert.ok(reply.body.length < 4096);
        assert.ok(!reply.body.includes("stolen") && !reply.body.includes(state));
      }
      assert.equal(begun.signIn.isWatched, false);
      const code = nextCode();
      assert.equal((await ask(rightAnswer)).status, 303);
      assert.equal(await code, "the-code");
    });
  }

  test("the page of the result under another host: 421", async () => {
    const { headers } = await ask(rightAnswer);
    assert.equal((await ask(String(headers["location"]), { host: "evil.example" })).status, 421);
  });

  test("every answer forbids to keep, to frame, to run and to tell on", async () => {
    const taken = await ask(rightAnswer);
    const page = ask(String(taken.headers["location"]));
    await nextCode();
    const closed = begun.signIn.end({ is: "failed", message: "x", hint: "y" });
    const others = await start();
    const refused = await Promise.all(
      ["/", "/favicon.ico"].map((target) => ask(target, {}, others)),
    );
    for (const { headers } of [taken, await page, ...refused]) {
      assert.equal(headers["connection"], "close");
      assert.equal(headers["cache-control"], "no-store");
      assert.equal(headers["referrer-policy"], "no-referrer");
      assert.equal(headers["x-content-type-options"], "nosniff");
      const policy = String(headers["content-security-policy"]);
      assert.match(policy, /^default-src 'none'; style-src 'sha256-[^ ;]+'; /);
      assert.match(policy, /frame-ancestors 'none'/);
      assert.ok(!/unsafe|\*|http|script/.test(policy));
    }
    await closed;
    await others.signIn.end();
  });

  test("the style is the one whose digest the policy names", async () => {
    const { headers, body } = await ask("/");
    const [, style = ""] = /<style>([\s\S]*?)<\/style>/.exec(body) ?? [];
    const { createHash } = await import("node:crypto");
    const digest = createHash("sha256").update(style).digest("base64");
    assert.ok(String(headers["content-security-policy"]).includes(`'sha256-${digest}'`));
  });
});

describe("bad neighbours", () => {
  /** A connection that is open and says nothing more. */
  async function stalled(beginning = ""): Promise<Socket> {
    const socket = connect(begun.port, "127.0.0.1");
    socket.on("error", () => undefined);
    await new Promise((resolve) => socket.once("connect", resolve));
    if (beginning !== "") socket.write(beginning);
    return socket;
  }

  function closed(socket: Socket): Promise<void> {
    return new Promise((resolve) => {
      if (socket.closed) resolve();
      socket.once("close", () => resolve());
    });
  }

  async function halfRequest(): Promise<Socket> {
    const socket = connectTls({
      port: begun.port,
      host: "127.0.0.1",
      servername: "localhost",
      ca: listenerCertificate(),
    });
    socket.on("error", () => undefined);
    await new Promise((resolve) => socket.once("secureConnect", resolve));
    socket.write(`GET /?code=x HTTP/1.1\r\nHost: localhost:${begun.port}\r\nX-Slow: `);
    return socket;
  }

  for (const count of [50, 500]) {
    test(`${count} stalled connections do not keep the right one out`, async () => {
      const sockets = await Promise.all(Array.from({ length: count }, () => stalled()));
      // The oldest ones made room for the rest.
      if (count > connectionLimit) {
        await Promise.all(sockets.slice(0, count - connectionLimit).map(closed));
      }
      const code = nextCode();
      assert.equal((await ask(rightAnswer)).status, 303);
      assert.equal(await code, "the-code");
      for (const socket of sockets) socket.destroy();
    });
  }

  test("a stalled peer is cut off: before TLS, in its middle, and in the middle of a request", async () => {
    const peers = [await stalled(), await stalled("\x16\x03\x01\x02\x00\x01"), await halfRequest()];
    const ends = peers.map(closed);
    // Whoever asks after them finds the listener ready for another request: they were accepted.
    assert.equal((await ask("/")).status, 400);
    world.expire(connectionPatience);
    await Promise.all(ends);
  });

  test("a page that waits for the proof is not cut off with them", async () => {
    const { headers } = await ask(rightAnswer);
    const page = ask(String(headers["location"]));
    const other = await stalled();
    await ask("/");
    world.expire(connectionPatience);
    await closed(other);
    await nextCode();
    const end = begun.signIn.end(signedIn);
    assert.match((await page).body, /Signed in/);
    await end;
  });

  test("a huge request is cut off", async () => {
    const long = await ask(`/?state=${"x".repeat(64 * 1024)}`).catch(() => undefined);
    assert.ok(long === undefined || long.status === 431);
    const headers = { "x-long": "x".repeat(64 * 1024) };
    const other = await ask("/", { headers }).catch(() => undefined);
    assert.ok(other === undefined || other.status === 431);
    assert.equal((await ask(rightAnswer)).status, 303);
  });

  test("a code of 8 kB is not too long", async () => {
    const code = "c".repeat(8192);
    assert.equal((await ask(`/?code=${code}&state=${state}`)).status, 303);
    assert.equal(await nextCode(), code);
  });

  test("garbage and plain HTTP on the HTTPS port harm nobody", async () => {
    for (const text of ["\0\xff\x00garbage\r\n\r\n", `GET ${rightAnswer} HTTP/1.1\r\n\r\n`]) {
      const socket = await stalled(text);
      socket.resume();
      await closed(socket);
    }
    assert.equal(begun.signIn.isWatched, false);
    assert.equal((await ask(rightAnswer)).status, 303);
  });

  test("1,000 requests while waiting: each is answered, and the right one is taken", async () => {
    const code = nextCode();
    const statuses = new Map<number, number>();
    for (let round = 0; round < 20; round += 1) {
      const replies = await Promise.all(
        Array.from({ length: 50 }, (_unused, index) =>
          ask(index % 2 === 0 ? `/?code=x&state=${index}` : "/favicon.ico"),
        ),
      );
      for (const { status } of replies) statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
    assert.deepEqual(Object.fromEntries(statuses), { 400: 500, 404: 500 });
    // Of a connection that is over, nothing is kept.
    assert.ok(world.deadlines < 100, `${world.deadlines} deadlines`);
    assert.equal(begun.signIn.isWatched, false);
    assert.equal((await ask(rightAnswer)).status, 303);
    assert.equal(await code, "the-code");
  });
});

describe("the port", () => {
  test("is free, and the same on both addresses", async () => {
    for (const address of loopbackAddresses)
      assert.equal((await ask("/", { address })).status, 400);
    assert.equal(begun.redirectUri, `https://localhost:${begun.port}`);
  });

  test("is closed on every other address", async () => {
    const { networkInterfaces } = await import("node:os");
    const others = Object.values(networkInterfaces())
      .flat()
      .filter((one) => one !== undefined && !one.internal && !one.address.startsWith("fe80"))
      .map((one) => one?.address ?? "");
    for (const address of ["127.0.0.2", ...others]) {
      const socket = connect(begun.port, address);
      const code = await new Promise((resolve) => {
        socket.once("connect", () => resolve("connected"));
        socket.once("error", (error) => resolve("code" in error ? error.code : error));
      });
      assert.equal(code, "ECONNREFUSED", address);
    }
  });

  test("one that is taken is told, on either address", async () => {
    for (const host of loopbackAddresses) {
      const port = await freePort();
      const server = createTcpServer();
      await new Promise<void>((resolve) => server.listen(port, host, resolve));
      const refused = await start("https://localhost", port);
      assert.deepEqual(refused.told, [
        { is: "cannotListen", reason: `cannot listen on port ${port}: another program uses it` },
      ]);
      assert.equal(refused.redirectUri, "https://localhost", "as it is registered");
      // Nothing stays behind on the other address.
      server.close();
      const taken = await start("https://localhost", port);
      assert.equal(taken.port, port);
      await taken.signIn.end();
    }
  });

  test("nobody listens when it is over", async () => {
    // A port that nobody else is given meanwhile.
    const over = await start("https://localhost", await freePort());
    const idle = connect(over.port, "127.0.0.1");
    await new Promise((resolve) => idle.once("connect", resolve));
    const gone = new Promise((resolve) => idle.once("close", resolve));
    await over.signIn.end();
    await gone;
    for (const address of loopbackAddresses) {
      await assert.rejects(ask("/", { address }, over), { code: "ECONNREFUSED" });
    }
  });

  test("the end does not wait for ever for a browser that went away", async () => {
    await ask(rightAnswer);
    await nextCode();
    const over = begun.signIn.end({ is: "failed", message: "x", hint: undefined });
    world.expire(pagePatience);
    await over;
  });
});
