import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { mark, written } from "../../src/report/line.ts";

/** Of a sentence that is said, with our mark before it. */
function fold(line: string, columns: number | undefined): string {
  return written({ say: line.slice(mark.length) }, columns);
}

const said = "mxtoken: copy the whole address of that page and paste it here, then press Enter";

test("breaks between words, and goes on under the first one", () => {
  assert.equal(
    fold(said, 50),
    "mxtoken: copy the whole address of that page and\n         paste it here, then press Enter",
  );
});

test("leaves what fits, what is no terminal's, and what is to be copied", () => {
  assert.equal(fold(said, said.length), said);
  for (const columns of [undefined, 0, 20]) assert.equal(fold(said, columns), said);
  const address = `https://localhost/${"a".repeat(99)} b`;
  assert.equal(written({ copy: address }, 50), address);
  assert.equal(written({ command: `ssh -L 1:h:1 ${said}` }, 50), `  ssh -L 1:h:1 ${said}`);
});

test("a word that is longer than the line stays whole", () => {
  const path = `/tmp/${"a".repeat(80)}`;
  assert.equal(fold(`mxtoken: token file ${path}`, 50), `mxtoken: token file\n         ${path}`);
});

test("a fingerprint that is longer than the line is broken in its middle", () => {
  const half = `${"AB:".repeat(16)}`;
  const fingerprint = half + half.slice(0, -1);
  assert.equal(
    fold(`mxtoken: go on if it is ${fingerprint} (see)`, 100),
    `mxtoken: go on if it is ${half}\n         ${half.slice(0, -1)} (see)`,
  );
  assert.match(fold(`mxtoken: go on if it is ${fingerprint}`, 120), new RegExp(`${fingerprint}$`));
});

test("loses nothing, whatever is said, and no line is longer than its words need", () => {
  const word = fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(fc.array(word), fc.integer({ min: 40, max: 200 }), (words, columns) => {
      const line = `mxtoken: ${words.map((one) => one.replaceAll(" ", "_")).join(" ")}`;
      const folded = fold(line, columns).split("\n");
      assert.equal(
        folded.map((part, index) => (index === 0 ? part : part.slice(9))).join(" "),
        line,
      );
      for (const part of folded) {
        assert.ok(part.length <= columns || !part.slice(9).includes(" "), part);
      }
    }),
  );
});
