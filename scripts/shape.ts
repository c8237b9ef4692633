// npm run shape: how large the house is, its rooms, its files and its functions, and whether every limit of
// test/scene/shape.ts holds. It ends with 1 where one does not.
import { findBreaches, limits, measureSource, roomOf } from "../test/scene/shape.ts";

const shown = 10;

const files = measureSource();
const sum = (lines: number, file: { readonly lines: number }) => lines + file.lines;
const row = (size: number, what: string) => console.log(`${String(size).padStart(5)}  ${what}`);

console.log(`${files.length} files in src/, ${files.reduce(sum, 0)} lines\n\nfiles  room, lines`);
for (const room of new Set(files.map(({ path }) => roomOf(path)))) {
  if (room.endsWith(".ts")) continue;
  const inside = files.filter(({ path }) => roomOf(path) === room);
  row(inside.length, `${room}/, ${inside.reduce(sum, 0)}`);
}

console.log("\nlines  the largest files");
const largest = files.toSorted((a, b) => b.lines - a.lines).slice(0, shown);
for (const { path, lines } of largest) row(lines, path);

const places = files.length > limits.files ? [`${String(files.length).padStart(5)}  files`] : [];
const rules = [{ rule: `at most ${limits.files} files`, places }, ...findBreaches(files)];
console.log("");
for (const { rule, places } of rules) {
  console.log(`${rule}: ${places.length === 0 ? "holds" : "does not hold"}`);
  for (const place of places) console.log(place);
}
if (rules.some(({ places }) => places.length > 0)) process.exitCode = 1;
