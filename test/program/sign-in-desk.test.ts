import assert from "node:assert/strict";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Interrupted, MxtokenError } from "../../src/errors.ts";
import type { SignInDesk } from "../../src/sign-in/sign-in-desk.ts";
import { temporaryDirectory } from "../scene/certificates.ts";
import { freePort } from "../scene/loopback.ts";
import { askListener, type Begun, beginSignIn, nextCode, openDesk } from "../scene/sign-in-desk.ts";
import { type TestWorld, testWorld } from "../scene/world.ts";

const plain = "http://127.0.0.1";
const pagePatience = 3000;

const signedIn = {
  is: "signedIn",
  account: "foo@example.test",
  hosts: ["imap.test"],
  otherAccount: undefined,
} as const;

let world: TestWorld;
let desks: SignInDesk[];

function open(isLasting = false): SignInDesk {
  const desk = openDesk(world, isLasting);
  desks.push(desk);
  return desk;
}

beforeEach(() => {
  world = testWorld({ cwd: temporaryDirectory(), now: Date.now() });
  desks = [];
});
afterEach(async () => {
  world.expire(pagePatience);
  for (const desk of desks) await desk.close();
});

function beginMany(desk: SignInDesk, count: number): Promise<Begun[]> {
  return Promise.all(Array.from({ length: count }, () => beginSignIn(desk, plain)));
}

/** Whether anything listens on this port of loopback. */
function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

/** What this process has open to the network, when what is being closed has been. */
async function openHandles(): Promise<string[]> {
  let open: string[] = [];
  for (let turn = 0; turn < 10_000; turn += 1) {
    open = process.getActiveResourcesInfo().filter((one) => one.startsWith("TCP"));
    if (open.length === 0) break;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return open;
}

/** A browser that follows to the page where the result is shown, and waits for it. */
async function waitForPage(begun: Begun, code: string): Promise<string> {
  const { status, headers } = await askListener(begun, begun.answer(code));
  assert.equal(status, 303);
  const page = await askListener(begun, String(headers["location"]));
  return page.body;
}

describe("many sign-ins at one listener", () => {
  test("fifty come back in any order, each to its own", async () => {
    const begun = await beginMany(open(), 50);
    assert.equal(new Set(begun.map(({ port }) => port)).size, 1);
    assert.equal(new Set(begun.map(({ state }) => state)).size, begun.length);
    const codes = begun.map(nextCode);
    const mixed = begun.map((one, index) => ({ one, index }));
    mixed.sort((a, b) => ((a.index * 37) % 50) - ((b.index * 37) % 50));
    const pages = new Map<number, Promise<string>>();
    for (const { one, index } of mixed) pages.set(index, waitForPage(one, `code-${index}`));
    assert.deepEqual(
      await Promise.all(codes),
      begun.map((_, index) => `code-${index}`),
    );
    const ends = begun.map(({ signIn }, index) =>
      signIn.end({ ...signedIn, account: `person${index}@example.test` }),
    );
    for (const [index, page] of pages) {
      assert.ok((await page).includes(`person${index}@example.test`), `the page of ${index}`);
    }
    await Promise.all(ends);
  });

  test("each exchanges its code with its own proof", async () => {
    const begun = await beginMany(open(), 10);
    const verifiers = begun.map(({ signIn }) => signIn.request.verifier.reveal());
    assert.equal(new Set(verifiers).size, begun.length);
    for (const [index, one] of begun.entries()) {
      assert.ok(!one.signIn.request.url.includes(verifiers[index] ?? ""));
      const wait = one.signIn.code(new AbortController().signal);
      await askListener(one, one.answer("one"));
      assert.equal((await wait).verifier.reveal(), verifiers[index]);
    }
  });

  test("the answer with another one's state is another one's", async () => {
    const [first, second] = await beginMany(open(), 2);
    assert.ok(first && second);
    const codes = [nextCode(first), nextCode(second)];
    await askListener(first, second.answer("of the second"));
    await askListener(first, first.answer("of the first"));
    assert.deepEqual(await Promise.all(codes), ["of the first", "of the second"]);
  });

  test("two codes at once, from two tabs, are both there", async () => {
    const [begun] = await beginMany(open(), 1);
    assert.ok(begun);
    const replies = await Promise.all([
      askListener(begun, begun.answer("one")),
      askListener(begun, begun.answer("two")),
    ]);
    assert.deepEqual(
      replies.map(({ status }) => status),
      [303, 303],
    );
    const codes = [await nextCode(begun), await nextCode(begun)];
    assert.deepEqual(codes.toSorted(), ["one", "two"]);
  });

  test("what is pasted for one is no answer to another", async () => {
    const [first, second] = await beginMany(open(), 2);
    assert.ok(first && second);
    const address = `${plain}:${first.port}${first.answer("pasted")}`;
    assert.equal(second.signIn.paste(address).is, "rubbish");
    assert.deepEqual(first.signIn.paste(address), { is: "taken", stateChecked: true });
    assert.equal(await nextCode(first), "pasted");
  });

  test("each scheme and each port has a listener, and one that is taken by others has none", async () => {
    const desk = open();
    const overTls = await beginSignIn(desk, "https://localhost");
    const overHttp = await beginSignIn(desk, plain);
    const port = await freePort();
    const named = await beginSignIn(desk, `${plain}:${port}`);
    assert.equal(named.port, port);
    assert.equal(new Set([overTls.port, overHttp.port, named.port]).size, 3);
    const other = await beginSignIn(open(), `${plain}:${port}`);
    assert.equal(other.signIn.request.listener, undefined);
    assert.ok(other.told.some(({ is }) => is === "cannotListen"));
    const code = nextCode(other);
    other.signIn.paste(`${plain}:${port}${other.answer("by paste all the same")}`);
    assert.equal(await code, "by paste all the same");
  });

  test("hosts and paths of redirect URIs are kept apart at one listener", async () => {
    const desk = open();
    const root = await beginSignIn(desk, plain);
    const path = await beginSignIn(desk, "http://localhost/callback");
    assert.equal(root.port, path.port);
    const crossed = root.answer("code").replace(/^\//, "/callback");
    const { status } = await askListener(path, crossed);
    assert.equal(status, 400);
    const codes = [nextCode(root), nextCode(path)];
    await askListener(path, path.answer("at the path"));
    await askListener(root, root.answer("at the root"));
    assert.deepEqual(await Promise.all(codes), ["at the root", "at the path"]);
  });
});

describe("the end of one sign-in", () => {
  test("leaves the others, and the listener to them", async () => {
    const [first, second] = await beginMany(open(), 2);
    assert.ok(first && second);
    await first.signIn.end();
    const code = nextCode(second);
    assert.equal((await askListener(second, second.answer("the-code"))).status, 303);
    assert.equal(await code, "the-code");
  });

  test("is told to whoever comes back from it late, as often as he comes", async () => {
    const [first, second] = await beginMany(open(), 2);
    assert.ok(first && second);
    await first.signIn.end();
    for (let times = 0; times < 3; times += 1) {
      const { status, body } = await askListener(first, first.answer("late"));
      assert.equal(status, 410);
      assert.match(body, /<html/);
      assert.doesNotMatch(body, /late/);
    }
    await assert.rejects(
      nextCode(first),
      (error) => error instanceof MxtokenError && error.code === "signInNeeded",
    );
  });

  test("what was said at first counts", async () => {
    const [begun] = await beginMany(open(), 1);
    assert.ok(begun);
    const code = nextCode(begun);
    const page = waitForPage(begun, "the-code");
    await code;
    await Promise.all([
      begun.signIn.end(signedIn),
      begun.signIn.end({ is: "failed", message: "said later", hint: undefined }),
    ]);
    const text = await page;
    assert.match(text, /foo@example\.test/);
    assert.doesNotMatch(text, /said later/);
  });

  test("of the last one closes the listener, unless the desk is a lasting one", async () => {
    const [short] = await beginMany(open(), 1);
    assert.ok(short);
    await short.signIn.end();
    assert.equal(await isListening(short.port), false);
    const desk = open(true);
    const [lasting] = await beginMany(desk, 1);
    assert.ok(lasting);
    await lasting.signIn.end();
    assert.equal((await askListener(lasting, lasting.answer("late"))).status, 410);
    const [next] = await beginMany(desk, 1);
    assert.equal(next?.port, lasting.port);
    await desk.close();
    assert.equal(await isListening(lasting.port), false);
  });

  test("an interrupted wait leaves what came for the next one who waits", async () => {
    const [begun] = await beginMany(open(), 1);
    assert.ok(begun);
    const stop = new AbortController();
    const wait = begun.signIn.code(stop.signal);
    stop.abort(new Interrupted("SIGINT"));
    await assert.rejects(wait, Interrupted);
    await askListener(begun, begun.answer("after all"));
    assert.equal(await nextCode(begun), "after all");
  });
});

describe("the end of the desk", () => {
  test("tells every browser that waits, and nobody listens after it", async () => {
    const desk = open();
    const begun = await beginMany(desk, 5);
    const codes = begun.map(nextCode);
    const pages = begun.map((one) => waitForPage(one, "the-code"));
    await Promise.all(codes);
    await desk.close();
    for (const page of pages) assert.match(await page, /nobody waits for this sign-in any more/i);
    assert.equal(await isListening((begun[0] as Begun).port), false);
  });

  test("ends the wait for those who have not come back", async () => {
    const desk = open();
    const begun = await beginMany(desk, 3);
    const waits = begun.map((one) => assert.rejects(nextCode(one), MxtokenError));
    await desk.close();
    await Promise.all(waits);
  });

  for (const isLasting of [false, true]) {
    test(`leaves nothing open of fifty, lasting or not: ${isLasting}`, async () => {
      const desk = open(isLasting);
      const begun = await beginMany(desk, 50);
      const pages = begun.map((one) => waitForPage(one, "the-code"));
      await Promise.all(begun.map(nextCode));
      await desk.close();
      await Promise.all(pages);
      assert.deepEqual(await openHandles(), []);
      assert.equal(world.deadlines, 0);
    });
  }

  test("in the middle of a beginning leaves nothing open", async () => {
    const desk = open();
    const refused = assert.rejects(beginSignIn(desk, plain), { code: "defect" });
    await desk.close();
    await refused;
    assert.deepEqual(await openHandles(), []);
  });

  test("is no end twice, and no beginning after it", async () => {
    const desk = open();
    await beginMany(desk, 1);
    await Promise.all([desk.close(), desk.close()]);
    await assert.rejects(
      beginSignIn(desk, plain),
      (error) => error instanceof MxtokenError && error.code === "defect",
    );
    assert.deepEqual(await openHandles(), []);
  });
});
