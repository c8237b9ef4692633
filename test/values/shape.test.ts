import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { findBreaches, limits, measureSource } from "../scene/shape.ts";

const files = measureSource();

test("the house has few files", () => {
  assert.ok(files.length <= limits.files, `${files.length} files`);
});

for (const { rule, places } of findBreaches(files)) {
  test(rule, () => assert.deepEqual(places, []));
}

/** The files of a house with these texts, by their paths. */
async function measure(texts: Readonly<Record<string, string>>) {
  const root = await mkdtemp(join(tmpdir(), "mxtoken-shape-"));
  try {
    writeFileSync(join(root, "tsconfig.json"), JSON.stringify({ include: ["src"] }));
    for (const [path, text] of Object.entries(texts)) {
      mkdirSync(dirname(join(root, "src", path)), { recursive: true });
      writeFileSync(join(root, "src", path), text);
    }
    return measureSource(root);
  } finally {
    await rm(root, { recursive: true });
  }
}

test("a function is measured without its doc comment, wherever it stands", async () => {
  const text = [
    "/**",
    " * Says something.",
    " */",
    "export function say() {",
    "  return 1;",
    "}",
    "class Speaker {",
    "  constructor(one: 1, two: 2) {}",
    "  say = (word: string) =>",
    "    word;",
    "}",
  ];
  const [file] = await measure({ "room/say.ts": `${text.join("\n")}\n` });
  assert.equal(file?.lines, text.length);
  assert.deepEqual(file?.functions, [
    { place: "room/say.ts:4 say", lines: 3, parameters: 0 },
    { place: "room/say.ts:8 constructor", lines: 1, parameters: 2 },
    { place: "room/say.ts:9 say", lines: 2, parameters: 1 },
  ]);
});

test("whoever imports a file is known, also where that is late or a type", async () => {
  const found = await measure({
    "one.ts": "export interface One {}\n",
    "room/early.ts": 'import type { One } from "../one.ts";\n',
    "room/late.ts": 'export const late = () => import("../one.ts");\n',
    "room/type.ts": 'export type Late = import("../one.ts").One;\n',
  });
  const [one] = found;
  assert.deepEqual(one?.importers, ["room/early.ts", "room/late.ts", "room/type.ts"]);
});

test("every limit is broken by what is too large", async () => {
  const lines = (count: number) => "\n".repeat(count);
  const parameters = Array.from({ length: limits.parameters + 1 }, (_, index) => `p${index}: 1`);
  const found = findBreaches(
    await measure({
      "large.ts": `export const one = 1;${lines(limits.linesOfFile + 1)}`,
      "long.ts": `export function long() {${lines(limits.linesOfFunction)}}\n`,
      "wide.ts": `export class Wide {\n  constructor(${parameters.join()}) {}\n}\n`,
      "user.ts": 'import "./wide.ts";\n',
    }),
  );
  assert.deepEqual(
    found.map(({ places }) => places),
    [
      [`  ${limits.linesOfFile + 1}  large.ts`],
      [`   ${limits.linesOfFunction + 1}  long.ts:1 long`],
      [`    ${limits.parameters + 1}  wide.ts:2 constructor`],
      ["    3  wide.ts (user.ts)"],
    ],
  );
});
