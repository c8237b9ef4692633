import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { judgeLines, readComment } from "../../src/store/token-file-kind.ts";

const kindOf = (text: string) => judgeLines(text.split("\n"));

const jwt = `eyJ${"a".repeat(40)}.eyJ${"b".repeat(40)}.${"c".repeat(40)}`;

describe("a token file", () => {
  for (const text of [
    "access\nrefresh\n",
    "access",
    "access\n\n",
    "access\r\nrefresh\r\n",
    "ya29.a0AfB_byC\n1//0gAbC-dEf\n",
    "EwBwA8l6BAAUO9chh8cJscQLmU+LSWpbnr0vmwwAAQ==\nM.C5_BL2.-CVr*9!x$\n",
    `${jwt}\n0.AXoAbcdef.AgABAAEAAADnfolhJpSnRYB1SVj-Hgd8\n`,
    "eyJhbGciOiJub25lIn0.e30.sig\n",
    "access.token.ABc\nrefresh.token.x1\n",
    "access\nrefresh\n# anything that a person has noted\n\n#\n",
    // Comments leave no doubt.
    "a:b;c\nmail.example.com\n# Provider: custom\n",
    "https://odd.example/token\n\n# Expires: 2026-11-20T19:02:11Z\n",
    "access\nrefresh\n# The first   line is the access  token\nand a note of mine\n",
    "\nrefresh\n# Account: foo@example.com\n",
  ]) {
    test(JSON.stringify(text.slice(0, 60)), () => {
      assert.deepEqual(kindOf(text), { is: "tokenFile" });
    });
  }
});

describe("no token file, and what it is instead", () => {
  for (const [text, why] of [
    ["foo@example.com\nbar@example.org\n", /line 1 is a mail address/],
    ["foo@localhost\n", /line 1 is a mail address/],
    ["imap.example.com\nsmtp.example.com\n", /line 1 is a host name/],
    ["EXAMPLE.COM\n", /line 1 is a host name/],
    ["mail.example.com.\n", /line 1 is a host name/],
    ["192.0.2.1\n192.0.2.2\n", /line 1 is a host name/],
    ["https://example.com/\n", /line 1 is an address on the web/],
    ["example.com/path\nexample.org\n", /line 1 is an address on the web/],
    ["access\nexample.org\n", /line 2 is a host name/],
    ["access\nbar@example.org\n", /line 2 is a mail address/],
    ["root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/:\n", /line 1 holds a :/],
    ["Return-Path: <foo@example.com>\nTo: bar\n\nHello\n", /line 1 has more than one word/],
    ["address,provider\nfoo@example.com,google\n", /line 1 holds a ,/],
    ["address;provider\n", /line 1 holds a ;/],
    ['{"access_token":"x"}\n', /line 1 holds a \{/],
    ["{\n", /line 1 holds a \{/],
    ["<html>\n", /line 1 holds a </],
    ["-----BEGIN PRIVATE KEY-----\nMIIE\n", /line 1 begins a key or a certificate/],
    ["\x7fELF\x02\x01\0\0\n", /bytes that no text has/],
    ["\ufffd\ufffdf\0o\0\n", /bytes that no text has/],
    ["zugänge\n", /characters that no token has/],
    ["one\ntwo\nthree\n", /line 3 is neither empty nor a comment/],
    ["one\ntwo\n\n\nfive\n", /line 5 is neither empty nor a comment/],
    ["\n", /line 1 is empty/],
    ["\nsecond\n", /line 1 is empty/],
    ["# a comment\nname = value\n", /line 1 has more than one word/],
    ["#!/bin/sh\nexec true\n", /line 2 has more than one word/],
    // What a mail program's configuration says of its accounts is not ours.
    ["defaults\nauth on\n# Account: work\naccount work\n", /line 2 has more than one word/],
  ] as const) {
    test(JSON.stringify(text.slice(0, 60)), () => {
      const kind = kindOf(text);
      assert.equal(kind.is, "other");
      assert.match("why" in kind ? kind.why : "", why);
    });
  }
});

describe("a token file that was damaged", () => {
  for (const text of [
    "Bearer access\nrefresh\n# Provider: google\n",
    "acc\0ess\nrefresh\n# Line 1 is the access token, line 2 the refresh token.\n",
    "access\ntwo words\n# Account: foo@example.com\n",
  ]) {
    test(JSON.stringify(text), () => assert.equal(kindOf(text).is, "damaged"));
  }
});

test("a comment is read as it stands, and in time however long it is", () => {
  assert.deepEqual(readComment("#Token endpoint:  https://x/ "), {
    title: "Token endpoint",
    value: "https://x/",
  });
  for (const line of ["# https://x", "Provider: x", "# Provider:", "# Provider:   ", "#: x"]) {
    assert.equal(readComment(line), undefined, line);
  }
  // Each of these would take minutes, were it looked at more than once for every character.
  const long = 2_000_000;
  for (const part of [" ", "a", "a ", ":", "# ", "\t", "a:"]) {
    for (const line of [
      `#${part.repeat(long)}`,
      `# Provider: ${part.repeat(long)}!`,
      part.repeat(long),
    ]) {
      readComment(line);
      judgeLines([line, line, line]);
    }
  }
});
