import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { temporaryDirectory } from "./certificates.ts";
import { closedInTheEnd } from "./closing.ts";

/** Debian's Chromium with a home of its own, and the certificates that its user trusts. */
export interface TestBrowser {
  newContext(options?: Parameters<Browser["newContext"]>[0]): Promise<BrowserContext>;
  close(): Promise<void>;
}

/**
 * Starts Chromium. It reaches loopback only.
 *
 * @param trusted certificate files, as `certutil` takes them: `C,,` for an authority, `P,,` for a
 * single server
 */
export async function startBrowser(
  trusted: readonly { file: string; trust: "C,," | "P,," }[],
): Promise<TestBrowser> {
  const home = temporaryDirectory();
  const database = join(home, ".pki/nssdb");
  mkdirSync(database, { recursive: true });
  const certutil = (...args: string[]) =>
    execFileSync("certutil", ["-d", `sql:${database}`, ...args], { stdio: "pipe" });
  certutil("-N", "--empty-password");
  trusted.forEach(({ file, trust }, index) => {
    certutil("-A", "-t", trust, "-n", `trusted-${index}`, "-i", file);
  });
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    env: { PATH: process.env["PATH"] ?? "", HOME: home },
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1, EXCLUDE [::1]",
    ],
  });
  return {
    newContext: (options) => browser.newContext(options),
    close: closedInTheEnd(() => browser.close()),
  };
}

/** Signs in and consents on oidc-provider's own pages. */
export async function signInOn(page: Page, address: string, account: string): Promise<void> {
  await page.goto(address);
  await page.fill("input[name=login]", account);
  await page.fill("input[name=password]", "any");
  await page.click("button[type=submit]");
  await page.waitForSelector("text=scopes:");
  // What comes next is the listener, perhaps behind the browser's warning.
  await page.click("button[type=submit]", { noWaitAfter: true });
}
