import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, test } from "node:test";
import { connect as connectTls } from "node:tls";
import type { Event } from "../../src/events.ts";
import type { SignInDesk } from "../../src/sign-in/sign-in-desk.ts";
import { temporaryDirectory } from "../scene/certificates.ts";
import {
  type Asked,
  askListener,
  type Begun,
  beginSignIn,
  issuer,
  nextCode,
  openDesk,
} from "../scene/sign-in-desk.ts";
import { type TestWorld, testWorld } from "../scene/world.ts";

const plain = "http://localhost";
const pagePatience = 3000;
const browser = { "sec-fetch-mode": "navigate", accept: "text/html" };

let world: TestWorld;
let desk: SignInDesk;
beforeEach(() => {
  world = testWorld({ cwd: temporaryDirectory(), now: Date.now() });
  desk = openDesk(world);
});
afterEach(async () => {
  world.expire(pagePatience);
  await desk.close();
});

type Useless = Extract<Event, { is: "uselessAnswer" }>;

function uselessIn({ told }: Begun): Useless[] {
  return told.filter((event): event is Useless => event.is === "uselessAnswer");
}

/** As a browser asks. */
function ask(begun: Begun, path: string, { headers, ...asked }: Asked = {}) {
  return askListener(begun, path, { ...asked, headers: { ...browser, ...headers } });
}

/** Text that comes back from a connection, until it is closed. */
function sendRaw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes, "latin1"));
    let text = "";
    socket.on("data", (piece) => {
      text += String(piece);
    });
    socket.on("error", () => undefined);
    socket.once("close", () => resolve(text));
  });
}

describe("what comes in the place of an answer", () => {
  test("is told once for each kind, at once, and the page says the same", async () => {
    const begun = await beginSignIn(desk, plain);
    const paths = ["/?error=access_denied", "/?code=the-code", "/", "/?code=the-code&state=other"];
    for (const path of [...paths, ...paths]) {
      const { status, body, headers } = await ask(begun, path);
      assert.equal(status, 400);
      assert.match(String(headers["content-type"]), /^text\/html/);
      const latest = uselessIn(begun).at(-1);
      assert.ok(latest);
      assert.doesNotMatch(body, /the-code/);
    }
    const told = uselessIn(begun);
    assert.deepEqual(
      told.map(({ reason }) => reason),
      [
        "it says access_denied, but not for which sign-in",
        "it has a code but no state",
        "it came without an answer",
        "it does not belong to the sign-in that is waited for",
      ],
    );
    const { body } = await ask(begun, "/?code=the-code");
    assert.ok(body.includes("it has a code but no state.") && /Sign in at the address/.test(body));
    assert.doesNotMatch(JSON.stringify(told), /the-code/);
  });

  test("of our own state is judged and told to that sign-in alone", async () => {
    const [begun, other] = [await beginSignIn(desk, plain), await beginSignIn(desk, plain)];
    const state = `state=${begun.state}`;
    const iss = encodeURIComponent("https://evil.example");
    for (const [path, reason] of [
      [`/?code=x&${state}&iss=${iss}`, /another authorization server \(https:\/\/evil\.example\)/],
      [`/?${state}`, /no code in it/],
      [`/?code=x&code=y&${state}`, /its code stands in it twice/],
      [`/?code=%00&${state}`, /characters that no code has/],
      [`/?admin_consent=True&tenant=x&${state}`, /administrator's consent/],
      [`/?id_token=x&${state}`, /it brings a token/],
      [`/?response=x&${state}`, /signed response/],
      [`/?error_description=no&${state}`, /error without a code for it: no/],
    ] as const) {
      const { status, body } = await ask(begun, path);
      assert.equal(status, 400, path);
      assert.match(uselessIn(begun).at(-1)?.reason ?? "", reason);
      assert.match(body.replaceAll("&#39;", "'"), reason);
    }
    assert.equal(uselessIn(begun).length, 8);
    assert.deepEqual(uselessIn(other), []);
  });

  test("of a state that is nobody's is told to all that wait, and to each once", async () => {
    const begun = await Promise.all(Array.from({ length: 50 }, () => beginSignIn(desk, plain)));
    const [late, back, ...waiting] = begun;
    assert.ok(late && back && waiting[0]);
    await late.signIn.end();
    assert.equal((await ask(back, back.answer("code"))).status, 303);
    for (let times = 0; times < 3; times += 1) {
      assert.equal((await ask(late, late.answer("late"))).status, 410);
    }
    for (const one of waiting) {
      assert.deepEqual(
        uselessIn(one).map(({ reason }) => reason),
        ["it belongs to a sign-in that has ended, and was not used"],
      );
    }
    assert.deepEqual([...uselessIn(late), ...uselessIn(back)], []);
    assert.equal((await ask(waiting[0], waiting[0].answer("good"))).status, 303);
    assert.equal(await nextCode(waiting[0]), "good");
  });

  test("is not what scanners and a browser's own wishes are", async () => {
    const begun = await beginSignIn(desk, plain);
    for (const path of ["/favicon.ico", "/robots.txt", "/apple-touch-icon.png"]) {
      assert.equal((await ask(begun, path)).status, 404);
    }
    await askListener(begun, "/");
    await askListener(begun, "/", { method: "OPTIONS" });
    await sendRaw(begun.port, "GET / HTTP/1.0\r\n\r\n");
    await sendRaw(begun.port, "\x00\xff garbage\r\n\r\n");
    await sendRaw(begun.port, "SSH-2.0-scanner\r\n\r\n");
    assert.deepEqual(uselessIn(begun), []);
    assert.equal(begun.signIn.missed.size, 0);
  });
});

describe("an answer that comes another way", () => {
  test("under another of loopback's names is taken, and so is its page", async () => {
    for (const host of ["127.0.0.1", "[::1]", "LOCALHOST"]) {
      const begun = await beginSignIn(desk, plain);
      const asked = { host: `${host}:${begun.port}` };
      const { status, headers } = await ask(begun, begun.answer("the-code"), asked);
      assert.equal(status, 303);
      assert.equal(await nextCode(begun), "the-code");
      const page = ask(begun, String(headers["location"]), asked);
      await ask(begun, "/favicon.ico");
      await begun.signIn.end({ is: "failed", message: "x", hint: undefined });
      assert.match((await page).body, /Not signed in/);
    }
  });

  for (const redirectUri of [plain, "https://localhost"]) {
    test(`posted as a form (response_mode=form_post) is taken: ${redirectUri}`, async () => {
      const begun = await beginSignIn(desk, redirectUri);
      const headers = { "content-type": "application/x-www-form-urlencoded" };
      const post = (body: string) => ask(begun, "/", { method: "POST", headers, body });
      const form = (state: string, iss = issuer) =>
        new URLSearchParams({ code: "posted", state, iss }).toString();
      assert.equal((await post(form("another"))).status, 400);
      assert.equal((await post(form(begun.state, "https://evil.example"))).status, 400);
      assert.equal((await post(`x=${"x".repeat(70_000)}&${form(begun.state)}`)).status, 405);
      assert.equal((await post(form(begun.state))).status, 303);
      assert.equal(await nextCode(begun), "posted");
      assert.equal(uselessIn(begun).length, 3);
    });
  }

  test("by plain HTTP where TLS is spoken is led there", async () => {
    const begun = await beginSignIn(desk, "https://localhost");
    const path = begun.answer("the-code");
    const overHttp = { ...begun, redirectUri: begun.redirectUri.replace("https:", "http:") };
    const { status, headers } = await ask(overHttp, path);
    assert.equal(status, 307);
    assert.equal(headers["location"], `https://localhost:${begun.port}${path}`);
    assert.equal((await ask(begun, path)).status, 303);
    assert.equal(await nextCode(begun), "the-code");
    assert.deepEqual(uselessIn(begun), []);
  });

  test("by TLS where plain HTTP is spoken is told", async () => {
    const begun = await beginSignIn(desk, plain);
    for (let times = 0; times < 2; times += 1) {
      const socket = connectTls({ port: begun.port, host: "127.0.0.1", servername: "localhost" });
      await new Promise((resolve) => socket.once("error", resolve));
    }
    assert.deepEqual(
      uselessIn(begun).map(({ reason }) => reason),
      ["it came by https, and the listener speaks http"],
    );
  });

  test("with more headers than are read is told, in the browser too", async () => {
    const begun = await beginSignIn(desk, plain);
    const headers = { cookie: "x".repeat(40_000) };
    const { status, body } = await ask(begun, begun.answer("the-code"), { headers });
    assert.equal(status, 431);
    assert.match(body, /too long, perhaps by cookies[\s\S]*paste it where mxtoken waits/);
    assert.match(uselessIn(begun)[0]?.reason ?? "", /too long/);
  });

  test("not at all, because the certificate is not trusted, is told", async () => {
    const begun = await beginSignIn(desk, "https://localhost");
    // As browsers do, and Node does not, it tells the server why it goes away (RFC 8446 section 6.2).
    const address = ["-connect", `127.0.0.1:${begun.port}`, "-servername", "localhost"];
    for (const version of ["-tls1_2", "-tls1_3"]) {
      const child = spawn("openssl", ["s_client", "-verify_return_error", version, ...address], {
        stdio: ["pipe", "ignore", "ignore"],
      });
      await new Promise((resolve) => child.once("close", resolve));
    }
    const [told, ...more] = uselessIn(begun);
    assert.equal(told?.reason, "the browser does not trust the listener's certificate");
    assert.equal(told?.isExpected, true);
    assert.deepEqual(more, []);
  });
});
