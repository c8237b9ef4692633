import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { keptSecret } from "../../src/account/client-secret.ts";
import { readClientCertificate, readServiceAccount } from "../../src/account/key-files.ts";
import { MxtokenError } from "../../src/errors.ts";
import { readAccountList } from "../../src/settings/account-list.ts";
import type { Settings } from "../../src/settings/settings.ts";
import { issueClientCertificate } from "../scene/client-certificates.ts";
import { type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";

// Files as people's programs write them: PowerShell's `>` and Set-Content, Notepad, Excel, iconv.

const encodings = [
  ["UTF-8 with a byte-order mark", (text: string) => Buffer.from(`\uFEFF${text}`)],
  [
    "UTF-16LE, as PowerShell's > writes it",
    (text: string) => Buffer.from(`\uFEFF${text}`, "utf16le"),
  ],
  ["UTF-16BE", (text: string) => Buffer.from(`\uFEFF${text}`, "utf16le").swap16()],
  ["UTF-16LE without a byte-order mark", (text: string) => Buffer.from(text, "utf16le")],
] as const;

/** With a mark, and every character four bytes. */
function utf32(text: string): Buffer {
  const wide = [0xfeff, ...[...text].map((character) => character.codePointAt(0) ?? 0)];
  return Buffer.from(new Uint32Array(wide).buffer);
}

let scene: Scene;
let file: string;
beforeEach(async () => {
  scene = await setScene();
  file = join(scene.directory, "file");
});
afterEach(() => scene.close());

/** The settings of an account with one of these options. */
function settingsWith(options: Partial<Settings>): Settings {
  return options as Settings;
}

async function failureOf(work: () => Promise<unknown>): Promise<MxtokenError> {
  const error = await work().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof MxtokenError);
  return error;
}

for (const [name, encode] of encodings) {
  describe(name, () => {
    test("a token file is read, and written anew in UTF-8", async () => {
      const former = scene.account.current;
      const text = tokenFileText("old-access", former).replaceAll("\n", "\r\n");
      scene.write(encode(text));
      const { status, stderr } = await scene.run();
      assert.equal(status, 0, stderr);
      assert.equal(scene.endpoint.requests.at(-1)?.get("refresh_token"), former);
      const written = readFileSync(scene.tokenFile);
      assert.match(written.toString("latin1"), /^[\x21-\x7e]+\n[\x21-\x7e]+\n# Line 1/);
      assert.deepEqual(scene.kept(), []);
    });

    test("a token file is shown as it is", async () => {
      scene.imap.login = () => "accept" as const;
      scene.write(
        encode(
          tokenFileText("old-access", scene.account.current, { Expires: "2026-11-21T12:00:00Z" }),
        ),
      );
      const { status, stdout, stderr } = await scene.run(["show", user, ...scene.options]);
      assert.equal(status, 0, stderr);
      assert.equal(stdout, "old-access\n");
    });

    test("a CA file", async () => {
      writeFileSync(scene.certificates.caFile, encode(scene.certificates.ca));
      scene.write(tokenFileText("old-access", scene.account.current));
      const { status, stderr } = await scene.run();
      assert.equal(status, 0, stderr);
      writeFileSync(scene.certificates.caFile, scene.certificates.ca);
    });

    test("a client secret, in a file and printed by a command", async () => {
      writeFileSync(file, encode("the secret~of 1.2\r\n"));
      const world = scene.world();
      const run = (command: string) => ({
        ...world,
        run: async () => {
          const { run: really } = await import("../../src/world/run.ts");
          return really({ shell: command }, new AbortController().signal);
        },
      });
      for (const [into, source] of [
        [world, { file, value: undefined, command: undefined }],
        [run(`cat '${file}'`), { file: undefined, value: undefined, command: `cat '${file}'` }],
      ] as const) {
        const secret = await keptSecret(into, source, undefined);
        assert.equal(secret?.reveal(), "the secret~of 1.2");
      }
    });

    test("a certificate and its key", async () => {
      const issued = await issueClientCertificate(scene.directory, "app");
      const key = join(scene.directory, "key");
      writeFileSync(file, encode(issued.certificate));
      writeFileSync(key, encode(issued.key));
      const world = { ...scene.world(), now: () => Date.now() };
      const settings = settingsWith({ clientCertificate: file, clientKey: key });
      const found = await readClientCertificate(world, settings);
      assert.equal(found?.thumbprint, issued.thumbprint);
    });

    test("the key of a service account", async () => {
      const { key } = await issueClientCertificate(scene.directory, "service");
      const account = { client_email: "a@b.example", client_id: "1", private_key: key };
      writeFileSync(file, encode(JSON.stringify({ type: "service_account", ...account })));
      const found = await readServiceAccount(scene.world(), file);
      assert.equal(found.email, "a@b.example");
    });

    test("a list of accounts", async () => {
      writeFileSync(file, encode("# all\r\nfoo@example.com --provider google\r\n"));
      const listed = await readAccountList(scene.world(), file);
      assert.deepEqual(
        listed.map(({ address, place }) => [address, place]),
        [["foo@example.com", `${file}:2`]],
      );
    });

    for (const size of [1, 7, 1000]) {
      test(`a token on standard input, ${size} bytes at a time`, async () => {
        const world = scene.world();
        const brought = scene.account.current;
        const bytes = encode(`${brought}\r\n`);
        for (let at = 0; at < bytes.length; at += size)
          world.stdin.write(bytes.subarray(at, at + size));
        const args = [user, "--refresh-token-stdin", ...scene.options];
        const { status, stderr } = await scene.run(args, world);
        assert.equal(status, 0, stderr);
        assert.equal(scene.endpoint.requests.at(-1)?.get("refresh_token"), brought);
      });
    }
  });
}

describe("UTF-32, which is named", () => {
  test("a token file is left alone", async () => {
    const bytes = utf32(tokenFileText("old-access", scene.account.current));
    scene.write(bytes);
    const { status, stderr } = await scene.run();
    assert.equal(status, 65);
    assert.match(stderr, /is no token file: it is in UTF-32, and UTF-8 is wanted/);
    assert.deepEqual(readFileSync(scene.tokenFile), bytes);
  });

  test("in every other place", async () => {
    writeFileSync(file, utf32("foo@example.com"));
    const world = scene.world();
    const source = { file, value: undefined, command: undefined };
    const failures = [
      ["configuration", () => keptSecret(world, source, undefined)],
      ["unreadable", () => readClientCertificate(world, settingsWith({ clientCertificate: file }))],
      ["unreadable", () => readServiceAccount(world, file)],
      ["unreadable", () => readAccountList(world, file)],
    ] as const;
    for (const [code, work] of failures) {
      const error = await failureOf(work);
      assert.equal(error.code, code);
      assert.match(error.message, /file is in UTF-32, and UTF-8 is wanted$/);
      assert.match(error.hint ?? "", /Set-Content -Encoding utf8/);
    }
    const options = [...scene.options];
    options[options.indexOf("--ca-file") + 1] = file;
    const { status, stderr } = await scene.run([user, ...options]);
    assert.equal(status, 65);
    assert.match(stderr, /--ca-file: \S+ is in UTF-32/);
  });

  test("on standard input", async () => {
    const world = scene.world();
    world.stdin.write(utf32("brought-refresh\n"));
    const { status, stderr } = await scene.run(
      [user, "--refresh-token-stdin", ...scene.options],
      world,
    );
    assert.equal(status, 64);
    assert.match(stderr, /no refresh token: it is in UTF-32, or no text/);
  });
});

describe("a file that is no text", () => {
  test("is named where PEM is wanted, with the way to it", async () => {
    const issued = await issueClientCertificate(scene.directory, "app");
    const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "ignore" });
    const der = ["-outform", "DER", "-out", file];
    for (const [make, what, hint] of [
      [
        () =>
          openssl("pkcs12", "-export", "-in", issued.bothFile, "-out", file, "-passout", "pass:x"),
        "a PKCS#12 file",
        /openssl pkcs12/,
      ],
      [
        () => openssl("x509", "-in", issued.certificateFile, ...der),
        "a certificate in DER form",
        /openssl x509 -inform DER/,
      ],
      [
        () => openssl("pkey", "-in", issued.keyFile, ...der),
        "a private key in DER form",
        /openssl pkey -inform DER/,
      ],
    ] as const) {
      make();
      const settings = settingsWith({ clientCertificate: file });
      const error = await failureOf(() => readClientCertificate(scene.world(), settings));
      assert.equal(error.code, "unreadable");
      assert.equal(error.message, `--client-certificate: ${file} is ${what}, and no text`);
      assert.match(error.hint ?? "", hint);
      const options = [...scene.options];
      options[options.indexOf("--ca-file") + 1] = file;
      const { status, stderr } = await scene.run([user, ...options]);
      assert.equal(status, 65);
      assert.ok(stderr.includes(`is ${what}, and no text`), stderr);
    }
  });

  test("is named where a secret is wanted, and a token file stays as it is", async () => {
    const packed = Buffer.from("1f8b0800000000000003cb48cdc9c9070086a6103605000000", "hex");
    writeFileSync(file, packed);
    const source = { file, value: undefined, command: undefined };
    const error = await failureOf(() => keptSecret(scene.world(), source, undefined));
    assert.match(error.message, /is compressed by gzip, and no text$/);
    scene.write(packed);
    const { status, stderr } = await scene.run();
    assert.equal(status, 65);
    assert.match(stderr, /is no token file: it is compressed by gzip/);
    assert.deepEqual(readFileSync(scene.tokenFile), packed);
  });
});

test("a comment that PowerShell's >> has added leaves a token file one", async () => {
  const text = Buffer.from(tokenFileText("old-access", scene.account.current));
  scene.write(Buffer.concat([text, Buffer.from("# mine\r\n", "utf16le")]));
  const { status, stderr } = await scene.run();
  assert.equal(status, 0, stderr);
});
