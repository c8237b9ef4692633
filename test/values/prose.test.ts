import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

/** What holds a sentence of ours. */
const sentence = String.raw`(?:[\w.]+\??\.)?\b(?:message|hint|reason)\b`;

const methods =
  "replace|replaceAll|includes|startsWith|endsWith|indexOf|match|matchAll|search|split|slice|substring|charAt";

/** Calls that look into a sentence, and comparisons of one with another text. */
const readings = new RegExp(
  [
    String.raw`${sentence}\??\.(?:${methods})\(.*`,
    String.raw`\.(?:test|exec)\(${sentence}[),].*`,
    String.raw`${sentence} [!=]==? (?!undefined\b).*`,
    String.raw`[!=]==? ${sentence}(?!\w*[(.]).*`,
    String.raw`switch \(${sentence}\).*`,
  ].join("|"),
  "g",
);

/** Sentences of imapflow, nodemailer and yargs, which have no code for it. */
const ofPackages = [
  "/STARTTLS/.test(error.message)",
  "/^AUTH |^\\/\\*/.test(message)",
  "/^Unknown arguments?: (.*)$/.exec(message)",
  "message.charAt(0).toLowerCase() + message.slice(1)",
];

function readingsIn(name: string, text: string): string[] {
  const ours = ofPackages.reduce((rest, theirs) => rest.replaceAll(theirs, ""), text);
  const code = ours.replace(/^ *(?:\/\/|\/?\*).*$/gm, "");
  return [...code.matchAll(readings)].map(([reading]) => `${name}: ${reading}`);
}

const root = fileURLToPath(new URL("../..", import.meta.url));
const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .map((path) => `src/${path.replaceAll("\\", "/")}`);

test("no code reads a sentence of ours as data", () => {
  const texts = files.map((path) => readFileSync(join(root, path), "utf8"));
  const found = files.flatMap((path, index) => readingsIn(path, texts[index] ?? ""));
  assert.deepEqual(found, []);
  for (const theirs of ofPackages)
    assert.ok(
      texts.some((text) => text.includes(theirs)),
      theirs,
    );
});

describe("it would be seen that", () => {
  for (const text of [
    'error.message.replace(/^.*? refuses the application: /, "")',
    "error.hint === mayHaveArrived",
    "reason.includes(tokenFile)",
    'last.message.replace(name, "")',
    'hint !== "x"',
    "switch (reason) {",
  ]) {
    test(text, () => assert.deepEqual(readingsIn("a.ts", text), [`a.ts: ${text}`]));
  }

  test("one is looked into by an expression", () => {
    assert.deepEqual(readingsIn("a.ts", "/refused/.test(error.message)").length, 1);
  });

  test("one is there, or goes on, and that is none", () => {
    for (const text of [
      "hint === undefined",
      "error.with({ message: error.message })",
      "  // message.replace(x)",
    ]) {
      assert.deepEqual(readingsIn("a.ts", text), []);
    }
  });
});
