import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const text = readFileSync(join(root, "CONTRIBUTING.md"), "utf8");
const quoted = [...text.matchAll(/`([^`\n]+)`/g)].map(([, words = ""]) => words);

const source = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .map((path) => readFileSync(join(root, "src", path), "utf8"))
  .join("\n");

/** What stands between two headings. */
function section(heading: string, next: string): string {
  const start = text.indexOf(heading);
  const end = text.indexOf(next, start);
  assert.ok(start >= 0 && end > start, `${heading} … ${next}`);
  return text.slice(start, end);
}

test("every file and folder that is named is there", () => {
  const rooms = readdirSync(join(root, "src"));
  const paths = quoted.filter((words) => /^[a-z-]+\/[\w./-]*$/.test(words));
  assert.ok(paths.length > 30, `${paths.length} paths`);
  const missing = paths.filter((path) => {
    const isInSource = rooms.includes(path.split("/")[0] ?? "");
    return !existsSync(join(root, isInSource ? "src" : "", path));
  });
  assert.deepEqual(missing, []);
});

test("every function on the two walks is there", () => {
  const walks = section("### The walk of one address", "What happens is told by");
  const names = [...walks.matchAll(/`([^`]+)`/g)]
    .flatMap(([, words = ""]) => words.match(/[A-Za-z]+/g) ?? [])
    .filter((word) => /^[a-z]+[A-Z]|^[A-Z][a-z]/.test(word));
  assert.ok(names.length > 25, `${names.length} names`);
  const missing = names.filter((name) => !new RegExp(`\\b${name}\\b`).test(source));
  assert.deepEqual(missing, []);
});

test("every room is told in the table", () => {
  const table = section("| room |", "### The walk of one address");
  const told = new Set([...table.matchAll(/`([a-z-]+)(?:\/|\.ts)?`/g)].map(([, name]) => name));
  const rooms = readdirSync(join(root, "src")).filter((name) => !name.endsWith(".d.ts"));
  const untold = rooms.map((name) => name.replace(/\.ts$/, "")).filter((name) => !told.has(name));
  assert.deepEqual(untold, []);
});
