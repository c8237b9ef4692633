import { createHash } from "node:crypto";
import type { SignInPages, SignInResult, UselessAnswer } from "../sign-in/result-page.ts";

const style = `
:root { color-scheme: light dark; --ink: #1c2733; --paper: #f5f7f9; --card: #ffffff; --line: #d5dce3; --good: #14683c; --bad: #a11d2b; --wait: #2a5a8c; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e9ee; --paper: #12181e; --card: #1b232b; --line: #36424e; --good: #6fd19b; --bad: #ff9aa2; --wait: #8fc1f2; }
}
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem; background: var(--paper); color: var(--ink); font: 1.0625rem/1.55 system-ui, sans-serif; }
main { width: 100%; max-width: 34rem; padding: 1.75rem 2rem; background: var(--card); border: 1px solid var(--line); border-top: .3rem solid var(--tone, var(--wait)); border-radius: .5rem; overflow-wrap: anywhere; }
main:has(.good) { --tone: var(--good); }
main:has(.bad) { --tone: var(--bad); }
h1 { margin: 0 0 .75rem; font-size: 1.5rem; line-height: 1.25; color: var(--tone, var(--wait)); }
p { margin: 0 0 .75rem; }
section:last-child p:last-child { margin-bottom: 0; }
.waiting:has(~ section) { display: none; }
@media (max-width: 30rem) { body { padding: .75rem; place-items: start stretch; } main { padding: 1.25rem; } }
`;

/** Nothing from elsewhere, no script, no form, no frame; this very style and nothing else. */
const policy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash("sha256").update(style).digest("base64")}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** The pages that the person sees in the browser after the sign-in. */
export const signInPages: SignInPages = {
  policy,
  waiting: () =>
    beginning +
    section("waiting", "One moment", [
      "You are back. The token is being fetched, and proven by opening the mailbox with it.",
    ]),
  result: (result) => resultSection(result) + end,
  useless: ({ kind, reason, remedy, known }) =>
    beginning +
    section("bad", titles.get(kind) ?? "Not an answer", [
      sentence(`What this browser came back with is of no use: ${reason}`),
      ...(known?.hint === undefined ? [] : [sentence(known.hint)]),
      sentence(remedy),
    ]) +
    end,
  refusal: (refusal) => refusals[refusal],
};

const refusals = {
  otherHost: "this host is not served here",
  otherMethod: "only GET is served here, and forms that are posted",
  otherPath: "there is nothing here",
} as const;

const closing = "You can close this window.";

const beginning = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>mxtoken sign-in</title>
<style>${style}</style>
</head>
<body>
<main aria-live="polite">
`;

const end = `</main>
</body>
</html>
`;

const titles: ReadonlyMap<UselessAnswer["kind"], string> = new Map([
  ["otherState", "Another sign-in's page"],
  ["endedSignIn", "This sign-in has ended"],
  ["errorWithoutState", "Not signed in"],
] as const);

function resultSection(result: SignInResult): string {
  if (result.is === "signedIn") {
    const { account, hosts, otherAccount } = result;
    return section("good", "Signed in", [
      hosts.length === 0
        ? `The token of ${account} is stored, and was not tried.`
        : `The mailbox ${account} was opened at ${hosts.join(" and ")}, and its token is stored.`,
      ...(otherAccount === undefined
        ? []
        : [`The account that signed in is ${otherAccount}. Is that the one you meant?`]),
      closing,
    ]);
  }
  return section("bad", result.is === "failed" ? "Not signed in" : "Not finished", [
    sentence(result.message),
    ...(result.hint === undefined ? [] : [sentence(result.hint)]),
    closing,
  ]);
}

function section(kind: "waiting" | "good" | "bad", title: string, paragraphs: string[]): string {
  const text = paragraphs.map((paragraph) => `<p>${escapeHtml(paragraph)}</p>`).join("\n");
  return `<section class="${kind}">\n<h1>${escapeHtml(title)}</h1>\n${text}\n</section>\n`;
}

/** Errors are half sentences: here they become whole ones; a host at the beginning stays as it is. */
function sentence(text: string): string {
  const whole = /^[a-z]+(?![\w.@:-])/.test(text)
    ? text.charAt(0).toUpperCase() + text.slice(1)
    : text;
  return /[.!?…]$/.test(whole) ? whole : `${whole}.`;
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? "");
}
