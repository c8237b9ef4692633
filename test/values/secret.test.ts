import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { blackOut, harmless, Secret } from "../../src/secret.ts";

const value = "very/secret+token==";
const secret = new Secret(value);

test("a secret shows itself nowhere", () => {
  const shown = [
    `${secret}`,
    JSON.stringify({ secret }),
    inspect({ secret }, { depth: 9, showHidden: true }),
    inspect([secret]),
    String(new Error("failed", { cause: secret }).cause),
    Object.values(secret).join(),
  ];
  for (const text of shown) assert.ok(!text.includes("very"), text);
  assert.equal(secret.reveal(), value);
});

test("a text from elsewhere is blacked out in every form that a secret takes on the way", () => {
  const forms = [
    value,
    encodeURIComponent(value),
    new URLSearchParams({ token: value }).toString(),
    Buffer.from(value).toString("base64"),
    Buffer.from(value).toString("base64url"),
  ];
  const text = blackOut(forms.join(" | "), [undefined, secret]);
  assert.ok(!text.includes("very"), text);
  assert.ok(!text.includes(Buffer.from(value).toString("base64").slice(0, 12)), text);
});

test("a short secret does not black out ordinary words", () => {
  assert.equal(blackOut("no access", [new Secret("no")]), "no access");
});

test("escape sequences, line breaks and direction marks lose their power", () => {
  assert.equal(
    harmless("\u001b]0;title\u0007red\r\n\u202etext\u2028end\u0085"),
    "]0;title red text end",
  );
});

test("a long text is cut between characters", () => {
  assert.equal(harmless("😀".repeat(10), 3), "😀😀😀…");
});
