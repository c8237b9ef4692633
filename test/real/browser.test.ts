import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import type { BrowserContext, Page } from "playwright-core";
import { main } from "../../src/cli/main.ts";
import { signInPages } from "../../src/report/page.ts";
import { uselessAnswer } from "../../src/sign-in/result-page.ts";
import {
  type AuthorizationServer,
  startAuthorizationServer,
} from "../scene/authorization-server.ts";
import { signInOn, startBrowser, type TestBrowser } from "../scene/browser.ts";
import { type Certificates, issueCertificates, temporaryDirectory } from "../scene/certificates.ts";
import { type Dovecot, startDovecot } from "../scene/dovecot.ts";
import { feedCode, readLook } from "../scene/in-page.js";
import type { Result } from "../scene/scene.ts";
import { type TestWorld, testWorld } from "../scene/world.ts";

const user = "foo@example.test";
const other = "other@example.test";

let directory: string;
let certificates: Certificates;
let server: AuthorizationServer;
let dovecot: Dovecot;
let browser: TestBrowser;
let homes = 0;

before(async () => {
  directory = temporaryDirectory();
  certificates = await issueCertificates(directory);
  server = await startAuthorizationServer(certificates, { pages: true });
  dovecot = await startDovecot(directory, certificates, server, [user, other]);
  browser = await startBrowser([{ file: certificates.caFile, trust: "C,," }]);
});
const begun: Running[] = [];
afterEach(async () => {
  // What a failed test has left behind.
  for (const { world, ended } of begun.splice(0)) {
    world.interrupt("SIGTERM");
    await ended;
  }
});
after(async () => {
  await browser?.close();
  await dovecot?.close();
  await server?.close();
});

interface Running {
  readonly world: TestWorld;
  readonly home: string;
  readonly tokenFile: string;
  readonly ended: Promise<Result>;
  /** the sign-in address that was shown */
  address(): Promise<string>;
}

function newHome(): string {
  homes += 1;
  return join(directory, `home-${homes}`);
}

function run(more: readonly string[] = [], home = newHome()): Running {
  // A desktop: a browser that is opened there would be seen.
  const world = testWorld({ cwd: directory, env: { DISPLAY: ":0" }, now: Date.now() });
  const args = [
    ...[user, "--provider", "office365", "--client-id", server.clientId, "--home", home],
    ...["--scope", "mail offline_access"],
    ...(more.includes("--redirect-uri") ? [] : ["--redirect-uri", "https://localhost"]),
    ...["--authorize-uri", server.authorizeUri, "--token-uri", server.tokenUri],
    ...["--imap-server", `localhost:${dovecot.imaps}`, "--ca-file", certificates.caFile, ...more],
  ];
  const ended = main(args, world).then((status) => ({ status, ...world.written }));
  const running: Running = {
    world,
    home,
    tokenFile: join(home, "tokens", `oauth2_tokens_${user}.txt`),
    ended,
    async address() {
      const pattern = /^https:\/\/\S+code_challenge\S+$/m;
      await world.shown(pattern);
      return pattern.exec(world.written.stderr)?.[0] ?? "";
    },
  };
  begun.push(running);
  return running;
}

/** Goes on at Chromium's own page about a certificate that it does not know. */
/** The words that a person sees of the page. */
async function visibleText(page: Page): Promise<string> {
  return (await page.locator("main").allInnerTexts()).join("\n");
}

async function ignoreWarning(page: Page): Promise<void> {
  await page.click("#details-button");
  await page.click("#proceed-link", { noWaitAfter: true });
}

async function inContext(
  work: (context: BrowserContext) => Promise<void>,
  options?: Parameters<TestBrowser["newContext"]>[0],
): Promise<void> {
  const context = await browser.newContext(options);
  try {
    await work(context);
  } finally {
    await context.close();
  }
}

function certificateOf(home: string): string {
  return join(home, "certs", "localhost.crt");
}

/** Keeps the token endpoint's next answer back until it is released. */
function holdAnswers(): { begun: Promise<void>; release: () => void } {
  let release: () => void = () => undefined;
  let begin: () => void = () => undefined;
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  server.beforeAnswer = async () => {
    server.beforeAnswer = async () => undefined;
    begin();
    await released;
  };
  return { begun, release };
}

describe("the sign-in comes back by itself, in Chromium", () => {
  test("behind the browser's warning: what it was told beforehand is what it sees", async () => {
    const running = run();
    await inContext(async (context) => {
      const page = await context.newPage();
      const address = await running.address();
      assert.deepEqual(running.world.opened, [address]);
      await signInOn(page, address, user);
      await ignoreWarning(page);
      await page.waitForSelector("h1:text-is('Signed in')");
      const text = await visibleText(page);
      assert.match(text, /The mailbox foo@example\.test was opened at localhost/);
      assert.doesNotMatch(text, /One moment/);
    });
    const { status, stdout, stderr } = await running.ended;
    assert.equal(status, 0, stderr);
    assert.equal(stdout, `${running.tokenFile}\n`);
    const { fingerprint256 } = new X509Certificate(readFileSync(certificateOf(running.home)));
    const warnings = stderr.split("\n").filter((line) => line.includes(fingerprint256));
    assert.equal(warnings.length, 1);
    assert.match(warnings[0] ?? "", /will warn/);
  });

  test("without a warning where the certificate is trusted, as `mxtoken cert` says", async () => {
    const home = newHome();
    const world = testWorld({ cwd: directory, now: Date.now() });
    assert.equal(await main(["cert", "--home", home], world), 0);
    const [, trust] = /certutil .* -A -t (\S+) .* -i (?:\S+)/.exec(world.written.stdout) ?? [];
    assert.equal(trust, "P,,");
    const trusting = await startBrowser([
      { file: certificates.caFile, trust: "C,," },
      { file: certificateOf(home), trust: "P,," },
    ]);
    const running = run([], home);
    const context = await trusting.newContext();
    const page = await context.newPage();
    await signInOn(page, await running.address(), user);
    await page.waitForSelector("h1:text-is('Signed in')");
    await trusting.close();
    assert.equal((await running.ended).status, 0);
  });

  for (const [what, more, origin] of [
    [
      "to Google's kind of redirect URI",
      ["--redirect-uri", "http://127.0.0.1"],
      "http://127.0.0.1",
    ],
    ["with --local", ["--local"], "http://localhost"],
  ] as const) {
    test(`over plain HTTP ${what}`, async () => {
      const running = run(more);
      await inContext(async (context) => {
        const page = await context.newPage();
        await signInOn(page, await running.address(), user);
        await page.waitForSelector("h1:text-is('Signed in')");
        assert.ok(page.url().startsWith(`${origin}:`), page.url());
      });
      const { status, stderr } = await running.ended;
      assert.equal(status, 0, stderr);
      assert.doesNotMatch(stderr, /fingerprint|certificate/);
      assert.equal(existsSync(join(running.home, "certs")), false);
    });
  }

  test("the page waits while the token is proven, and the code is not in the address bar", async () => {
    const running = run();
    const hold = holdAnswers();
    await inContext(async (context) => {
      const page = await context.newPage();
      await signInOn(page, await running.address(), user);
      await ignoreWarning(page);
      await hold.begun;
      await page.waitForSelector("h1:text-is('One moment')");
      assert.match(page.url(), /^https:\/\/localhost:\d+\/mxtoken\/[0-9a-f]{32}$/);
      assert.equal(await page.getByText("Signed in").count(), 0);
      assert.equal(existsSync(running.tokenFile), false);
      hold.release();
      await page.waitForSelector("h1:text-is('Signed in')");
      assert.equal(await page.locator("h1:visible").count(), 1);
      assert.equal(existsSync(running.tokenFile), true);
    });
    assert.equal((await running.ended).status, 0);
  });

  test("a mailbox that the token does not open is not called signed in", async () => {
    const running = run();
    await inContext(async (context) => {
      const page = await context.newPage();
      await signInOn(page, await running.address(), other);
      await ignoreWarning(page);
      await page.waitForSelector("h1:text-is('Not signed in')");
      assert.doesNotMatch(await visibleText(page), /One moment/);
    });
    const { status } = await running.ended;
    assert.equal(status, 77);
    assert.equal(existsSync(running.tokenFile), false);
  });

  test("access denied: 77 with the server's words, here and there", async () => {
    const running = run();
    await inContext(async (context) => {
      const page = await context.newPage();
      await page.goto(await running.address());
      await page.click("text=Cancel", { noWaitAfter: true });
      await ignoreWarning(page);
      await page.waitForSelector("h1:text-is('Not signed in')");
      assert.match(await visibleText(page), /access_denied: End-User aborted interaction/);
    });
    const { status, stderr } = await running.ended;
    assert.equal(status, 77);
    assert.match(stderr, /the sign-in was refused: access_denied: End-User aborted interaction/);
  });

  test("a window that is closed while the token is proven changes nothing", async () => {
    const running = run();
    const hold = holdAnswers();
    await inContext(async (context) => {
      const page = await context.newPage();
      await signInOn(page, await running.address(), user);
      await ignoreWarning(page);
      await hold.begun;
      await page.waitForSelector("h1:text-is('One moment')");
    });
    hold.release();
    assert.equal((await running.ended).status, 0);
  });

  test("a window that is closed at the warning: the address is pasted instead", async () => {
    const running = run();
    let last = "";
    await inContext(async (context) => {
      const page = await context.newPage();
      page.on("request", (request) => {
        if (request.isNavigationRequest()) last = request.url();
      });
      await signInOn(page, await running.address(), user);
      await page.waitForSelector("#details-button");
    });
    running.world.stdin.end(`${last}\n`);
    const { status, stderr } = await running.ended;
    assert.equal(status, 0, stderr);
  });

  test("two tabs: the first that comes back wins, and both say so", async () => {
    const running = run();
    const hold = holdAnswers();
    await inContext(
      async (context) => {
        const [first, second] = [await context.newPage(), await context.newPage()];
        const address = await running.address();
        await signInOn(first, address, user);
        await hold.begun;
        // Signed in already: it comes back at once.
        await second.goto(address, { waitUntil: "commit" });
        await second.waitForSelector("h1:text-is('One moment')");
        hold.release();
        for (const page of [first, second]) await page.waitForSelector("h1:text-is('Signed in')");
      },
      { ignoreHTTPSErrors: true },
    );
    assert.equal((await running.ended).status, 0);
    assert.equal(server.seen.filter(({ refused }) => refused).length, 0);
  });

  test("an old tab of another sign-in is told so, and the right one still comes", async () => {
    const running = run();
    await inContext(
      async (context) => {
        const address = await running.address();
        const { origin } = new URL(new URL(address).searchParams.get("redirect_uri") ?? "");
        const old = await context.newPage();
        await old.goto(`${origin}/?code=old&state=old`);
        assert.match(await visibleText(old), /does not belong to the sign-in/);
        const page = await context.newPage();
        await signInOn(page, address, user);
        await page.waitForSelector("h1:text-is('Signed in')");
      },
      { ignoreHTTPSErrors: true },
    );
    assert.equal((await running.ended).status, 0);
  });

  test("a web page of another origin cannot feed a code, and learns nothing", async () => {
    const running = run();
    const address = await running.address();
    const { origin } = new URL(new URL(address).searchParams.get("redirect_uri") ?? "");
    const evil = createServer((_request, response) => {
      response.setHeader("content-type", "text/html");
      response.end("<h1>evil</h1>");
    });
    await new Promise<void>((resolve) => evil.listen(0, "127.0.0.1", resolve));
    const { port } = evil.address() as AddressInfo;
    await inContext(
      async (context) => {
        const page = await context.newPage();
        await page.goto(`http://127.0.0.1:${port}`);
        const learnt = await page.evaluate(feedCode, `${origin}/?code=stolen&state=guessed`);
        assert.deepEqual(learnt, { read: "refused", opaque: "refused", frame: "", image: "error" });
        const victim = await context.newPage();
        await signInOn(victim, address, user);
        await victim.waitForSelector("h1:text-is('Signed in')");
      },
      { ignoreHTTPSErrors: true },
    );
    evil.close();
    assert.equal((await running.ended).status, 0);
  });
});

describe("every page that the browser may be shown", () => {
  const long = "x".repeat(120);
  const pages: Record<string, string> = {
    waiting: signInPages.waiting(),
    ...Object.fromEntries(
      (["failed", "unfinished"] as const).map((is) => [
        is,
        signInPages.waiting() + signInPages.result({ is, message: `no ${long}`, hint: "again" }),
      ]),
    ),
    signedIn:
      signInPages.waiting() +
      signInPages.result({
        is: "signedIn",
        account: `${long}@example.test`,
        hosts: ["imap.test"],
        otherAccount: undefined,
      }),
    noAnswer: signInPages.useless(uselessAnswer("noCode", "there is no code in it")),
    otherSignIn: signInPages.useless(uselessAnswer("otherState", long)),
  };
  let server: Server;
  let origin: string;
  before(async () => {
    server = createServer((request, response) => {
      response.writeHead(200, {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": signInPages.policy,
      });
      response.end(pages[(request.url ?? "").slice(1)]);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server?.closeAllConnections();
    server?.close();
  });

  for (const [colorScheme, width] of [
    ["light", 1280],
    ["dark", 1280],
    ["light", 400],
    ["dark", 400],
  ] as const) {
    test(`is readable: ${colorScheme}, ${width} px`, async () => {
      await inContext(
        async (context) => {
          const page = await context.newPage();
          for (const name of Object.keys(pages)) {
            await page.goto(`${origin}/${name}`);
            assert.equal(await page.locator("h1:visible").count(), 1, name);
            await assertReadable(page);
          }
        },
        { colorScheme, viewport: { width, height: 800 } },
      );
    });
  }
});

/** Nothing sticks out, and the text stands out (WCAG 2, level AA: at least 4.5 to 1). */
async function assertReadable(page: Page): Promise<void> {
  const { overflow, colors, paper, language } = await page.evaluate(readLook);
  assert.equal(overflow, 0);
  assert.equal(language, "en");
  assert.ok(paper !== undefined && colors.length >= 2);
  for (const color of colors) {
    const [lighter = 0, darker = 0] = [luminance(color), luminance(paper)].sort((a, b) => b - a);
    const contrast = (lighter + 0.05) / (darker + 0.05);
    assert.ok(contrast >= 4.5, `contrast ${contrast}`);
  }
}

/** Relative luminance of `rgb(…)` as WCAG 2 defines it. */
function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = (color.match(/\d+/g) ?? []).map((part) => {
    const share = Number(part) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
