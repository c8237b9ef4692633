import assert from "node:assert/strict";
import { test } from "node:test";
import { browserCommands } from "../../src/world/run.ts";

const url = "https://login.example.test/authorize?a=$&&b=%s";

for (const [browsers, wanted] of [
  ["", []],
  [" ", []],
  ["firefox", [["firefox", url]]],
  ["firefox -P mail", [["firefox", "-P", "mail", url]]],
  ["firefox %s -P mail", [["firefox", url, "-P", "mail"]]],
  ["chromium --app=%s", [["chromium", `--app=${url}`]]],
  [
    "first:second %s",
    [
      ["first", url],
      ["second", url],
    ],
  ],
  [":first::", [["first", url]]],
  ['"/opt/My Browser/run" %s', [["/opt/My Browser/run", url]]],
  ["'/opt/My Browser/run'", [["/opt/My Browser/run", url]]],
  ["sh -c 'x; y'", [["sh", "-c", "x; y", url]]],
  ["print 100%% %s", [["print", "100%", url]]],
] as const) {
  test(`BROWSER=${JSON.stringify(browsers)}`, () => {
    assert.deepEqual(browserCommands(browsers, url), wanted);
  });
}
