import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decodeText, TextPieces, textOf } from "../../src/world/text.ts";

const words = "access-token\r\nrefresh-token\r\n# Account: foo@example.com\r\n";

function bigEndian(text: string): Buffer {
  return Buffer.from(text, "utf16le").swap16();
}

function utf32(text: string, isLittle: boolean): Buffer {
  const bytes = Buffer.alloc(4 * [...text].length);
  for (const [index, character] of [...text].entries()) {
    const value = character.codePointAt(0) ?? 0;
    if (isLittle) bytes.writeUInt32LE(value, 4 * index);
    else bytes.writeUInt32BE(value, 4 * index);
  }
  return bytes;
}

describe("a text is read", () => {
  for (const [name, bytes, text] of [
    ["in UTF-8", Buffer.from(words), words],
    ["in UTF-8 with its mark", Buffer.from(`\uFEFF${words}`), words],
    ["in UTF-8 with its mark twice", Buffer.from(`\uFEFF\uFEFF${words}`), words],
    ["in UTF-16LE with its mark", Buffer.from(`\uFEFF${words}`, "utf16le"), words],
    ["in UTF-16BE with its mark", bigEndian(`\uFEFF${words}`), words],
    ["in UTF-16LE without its mark", Buffer.from(words, "utf16le"), words],
    ["in UTF-16BE without its mark", bigEndian(words), words],
    ["in any letters, in UTF-8", Buffer.from("# Jürgen, Ελένη, 山田\n"), "# Jürgen, Ελένη, 山田\n"],
    ["in any letters, in UTF-16", Buffer.from("\uFEFFΕλένη, 山田", "utf16le"), "Ελένη, 山田"],
    ["in Latin letters without a mark", Buffer.from("Jürgen", "utf16le"), "Jürgen"],
    ["of one letter", Buffer.from("a"), "a"],
    ["of nothing", Buffer.alloc(0), ""],
    ["of nothing but a mark", Buffer.from([0xff, 0xfe]), ""],
    ["as before, where bytes are wrong", Buffer.from([0x61, 0xff, 0x62]), "a\ufffdb"],
    ["that begins like DER", Buffer.from("0a0b0c0d-secret"), "0a0b0c0d-secret"],
    ["that begins like an archive", Buffer.from("PKBZhMZ7z%PD"), "PKBZhMZ7z%PD"],
  ] as const) {
    test(name, () => assert.deepEqual(decodeText(bytes), { is: "read", text }));
  }

  test("and never changed where it is decoded", () => {
    const bytes = bigEndian(`\uFEFF${words}`);
    const before = Buffer.from(bytes);
    decodeText(bytes);
    assert.deepEqual(bytes, before);
  });
});

describe("what is no text that can be read for sure is named", () => {
  const hex = (text: string) => Buffer.from(text.replaceAll(" ", "").padEnd(200, "0"), "hex");
  for (const [name, bytes, why, hint] of [
    [
      "UTF-32LE with its mark",
      utf32(`\uFEFF${words}`, true),
      /^is in UTF-32, and UTF-8/,
      /-t UTF-8/,
    ],
    ["UTF-32BE with its mark", utf32(`\uFEFF${words}`, false), /^is in UTF-32, and/, /Set-Content/],
    ["UTF-32LE", utf32(words, true), /^is in UTF-32, and/, /UTF-8/],
    ["UTF-32BE", utf32(words, false), /^is in UTF-32, and/, /UTF-8/],
    [
      "UTF-16 that is cut off",
      Buffer.from("\uFEFFabc", "utf16le").subarray(0, 7),
      /^is cut off in UTF-16/,
      /UTF-8/,
    ],
    [
      "UTF-16 in more letters, without its mark",
      Buffer.from("# 山田: a token file of his\n", "utf16le"),
      /without a byte-order mark/,
      /UTF-8/,
    ],
    [
      "what PowerShell's >> leaves",
      Buffer.concat([Buffer.from("foo@example.com\n"), Buffer.from(words, "utf16le")]),
      /^is partly in UTF-16/,
      /UTF-8/,
    ],
    ["zeros", Buffer.alloc(64), /^holds bytes that no text has/, undefined],
    [
      "a zero in a text",
      Buffer.from(`${words}\0${words}`),
      /^holds bytes that no text has/,
      undefined,
    ],
    ["PKCS#12", hex("3082 0a2f 020103 3082"), /^is a PKCS#12 file/, /openssl pkcs12/],
    ["PKCS#8", hex("3082 04bd 020100 300d"), /^is a private key in DER form/, /openssl pkey/],
    ["PKCS#1", hex("3082 04a4 020100 0282"), /^is a private key in DER form/, /openssl pkey/],
    ["a short key", hex("3081 87 020100 3013"), /^is a private key in DER form/, /openssl pkey/],
    ["a certificate", hex("3082 0310 3082 01f8"), /^is a certificate in DER form/, /openssl x509/],
    ["PKCS#7", hex("3082 0310 0609 2a86"), /^is PKCS#7 in DER form/, /openssl pkcs7/],
    ["gzip", hex("1f8b 0800"), /^is compressed by gzip/, undefined],
    ["ZIP", hex("504b 0304"), /^is a ZIP archive/, undefined],
    ["Java's", hex("feed feed 0000"), /^is a key store of Java/, undefined],
    ["a program", hex("7f45 4c46"), /^is a program/, undefined],
  ] as const) {
    test(name, () => {
      const found = decodeText(bytes);
      assert.equal(found.is, "noText");
      if (found.is !== "noText") return;
      assert.match(found.why, why);
      if (hint === undefined) assert.equal(found.hint, undefined);
      else assert.match(found.hint ?? "", hint);
    });
  }
});

test("for whoever looks himself there is always a text, empty only where there is nothing", () => {
  assert.equal(textOf(undefined), "");
  assert.equal(textOf(Buffer.alloc(0)), "");
  assert.equal(textOf(Buffer.from([0xff, 0xfe])), "\uFEFF");
  assert.equal(textOf(Buffer.from(words, "utf16le")), words);
  assert.equal(textOf(Buffer.from("a\0b")), "a\0b");
});

describe("a text that comes piece by piece", () => {
  for (const [name, bytes] of [
    ["UTF-8", Buffer.from("a-token, Ελένη\n")],
    ["UTF-8 with its mark", Buffer.from("\uFEFFa-token, Ελένη\n")],
    ["UTF-16LE with its mark", Buffer.from("\uFEFFa-token, Ελένη\n", "utf16le")],
    ["UTF-16BE with its mark", bigEndian("\uFEFFa-token, Ελένη\n")],
    ["UTF-16LE without its mark", Buffer.from("a-token, Ελένη\n", "utf16le")],
    ["UTF-16BE without its mark", bigEndian("a-token, Ελένη\n")],
  ] as const) {
    for (const size of [1, 2, 3, 1000]) {
      test(`${name}, ${size} at a time`, () => {
        const pieces = new TextPieces();
        let text = "";
        for (let at = 0; at < bytes.length; at += size) {
          text += pieces.decode(bytes.subarray(at, at + size));
        }
        assert.equal(text + pieces.end(), "a-token, Ελένη\n");
      });
    }
  }

  test("of one byte, of none, and of what is text already", () => {
    const one = new TextPieces();
    assert.equal(one.decode(Buffer.from("a")) + one.end(), "a");
    assert.equal(new TextPieces().end(), "");
    assert.equal(new TextPieces().decode("typed"), "typed");
  });
});
