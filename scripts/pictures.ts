// npm run pictures: makes the pictures of the README, of a real sign-in on this machine: docs/*.png.
// Needs what scripts/test installs: Chromium, certutil, Dovecot and script.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { office365 } from "../src/catalog/microsoft.ts";
import { startAuthorizationServer } from "../test/scene/authorization-server.ts";
import { startBrowser, type TestBrowser } from "../test/scene/browser.ts";
import { issueCertificates, temporaryDirectory } from "../test/scene/certificates.ts";
import { startDnsServer } from "../test/scene/dns-server.ts";
import { startDovecot } from "../test/scene/dovecot.ts";
import { programPath, runCommand, runProgram, signInAddresses } from "../test/scene/program.ts";
import { partsOf } from "../test/scene/visit.ts";

const address = "foo@example.com";
const mxHost = "example-com.mail.protection.outlook.com";
const columns = 100;
const viewport = { width: 620, height: 420 };
const docs = fileURLToPath(new URL("../docs", import.meta.url));

const directory = temporaryDirectory();
const certificates = await issueCertificates(directory);
const server = await startAuthorizationServer(certificates, {
  clients: [{ id: office365.applications.thunderbird.clientId }],
  scopes: [office365.scopes.imap],
  pages: true,
});
const dns = await startDnsServer();
dns.answer = () => [{ mx: [[10, mxHost]] }];
const dovecot = await startDovecot(directory, certificates, server, [address]);
try {
  await takePictures();
} finally {
  await dovecot.close();
  await dns.close();
  await server.close();
}

async function takePictures(): Promise<void> {
  const home = join(directory, "home");
  const bin = join(directory, "bin");
  mkdirSync(home);
  mkdirSync(bin);
  // Playwright opens the browser instead.
  writeFileSync(join(bin, "xdg-open"), "#!/bin/sh\n", { mode: 0o755 });
  await runProgram(["cert"], { cwd: home }).ended;
  const browser = await startBrowser([
    { file: certificates.caFile, trust: "C,," },
    { file: join(home, ".local/share/mxtoken/certs/localhost.crt"), trust: "P,," },
  ]);
  try {
    const terminal = await signIn(browser, home, bin);
    await pictureTerminal(browser, terminal.replaceAll(home, "/home/you"));
  } finally {
    await browser.close();
  }
}

/** @returns what the terminal shows in the end */
async function signIn(browser: TestBrowser, home: string, bin: string): Promise<string> {
  const command = `stty cols ${columns}; ${process.execPath} ${programPath} ${address}`;
  const run = runCommand("script", ["-qefc", command, "/dev/null"], {
    cwd: home,
    keepOpen: true,
    env: {
      PATH: `${bin}:${process.env["PATH"]}`,
      DISPLAY: ":0",
      MXTOKEN_AUTHORIZE_URI: server.authorizeUri,
      MXTOKEN_TOKEN_URI: server.tokenUri,
      MXTOKEN_IMAP_SERVER: `localhost:${dovecot.imaps}`,
      NODE_EXTRA_CA_CERTS: certificates.caFile,
      MXTOKEN_DNS_SERVER: dns.address,
    },
  });
  const url = await signInAddress(run);
  await pictureWarning(partsOf(url).redirectUri);
  const context = await browser.newContext({ viewport });
  const page = await context.newPage();
  await page.goto(url);
  await page.fill("input[name=password]", "any");
  await picture(page, "sign-in.png");
  await page.click("button[type=submit]");
  await page.waitForSelector("text=scopes:");
  await page.click("button[type=submit]", { noWaitAfter: true });
  await page.waitForSelector("text=Signed in");
  await picture(page, "signed-in.png");
  await context.close();
  await run.ended;
  return `$ mxtoken ${address}\n${run.written.stdout.replaceAll("\r", "")}`;
}

function signInAddress(run: ReturnType<typeof runCommand>): Promise<string> {
  return new Promise((resolve, reject) => {
    run.child.stdout?.on("data", () => {
      const [found] = signInAddresses(run.written.stdout);
      if (found !== undefined) resolve(found);
    });
    void run.ended.then(() => reject(new Error(run.written.stdout)));
  });
}

/** What a browser shows that has never heard of the listener's certificate. */
async function pictureWarning(redirectUri: string): Promise<void> {
  const browser = await startBrowser([]);
  try {
    // In a narrower one Chromium shows either the title or the way on.
    const context = await browser.newContext({ viewport: { width: 820, height: 640 } });
    const page = await context.newPage();
    await page.goto(redirectUri).catch(() => undefined);
    await page.click("#details-button");
    await page.waitForSelector("#proceed-link");
    await picture(page, "warning.png");
  } finally {
    await browser.close();
  }
}

async function pictureTerminal(browser: TestBrowser, text: string): Promise<void> {
  const context = await browser.newContext({ viewport: { width: 860, height: 100 } });
  const page = await context.newPage();
  const escaped = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  await page.setContent(`<body style="margin: 0; background: #1d2021">
<pre style="margin: 0; padding: 16px; width: ${columns}ch; white-space: pre-wrap; word-break: break-all;
color: #ebdbb2; font: 13px/1.35 'DejaVu Sans Mono', monospace">${escaped}</pre>`);
  await picture(page, "terminal.png");
  await context.close();
}

async function picture(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(docs, name), fullPage: true });
}
