import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, test } from "node:test";
import { generate } from "selfsigned";
import { temporaryDirectory } from "../scene/certificates.ts";
import { runProgram } from "../scene/program.ts";
import { asRoot, isRoot } from "../scene/root.ts";
import { runMain } from "../scene/scene.ts";
import { testWorld } from "../scene/world.ts";

const day = 24 * 3600 * 1000;

let home: string;
let certs: string;
let crt: string;
let key: string;
beforeEach(() => {
  home = temporaryDirectory();
  certs = join(home, "certs");
  crt = join(certs, "localhost.crt");
  key = join(certs, "localhost.key");
});

async function cert(more: readonly string[] = [], advance = 0) {
  const world = testWorld({ cwd: home });
  world.advance(advance);
  return runMain(["cert", "--home", home, ...more], world);
}

/** A certificate as somebody else would have made it. */
async function foreign(extensions: object[], notAfter?: Date): Promise<void> {
  const made = await generate([{ name: "commonName", value: "localhost" }], {
    keyType: "ec",
    curve: "P-256",
    algorithm: "sha256",
    notBeforeDate: new Date("2026-11-19T12:00:00Z"),
    notAfterDate: notAfter ?? new Date("2027-11-19T12:00:00Z"),
    extensions: extensions as never,
  });
  writeFileSync(crt, made.cert);
  writeFileSync(key, made.private);
}

const endEntity = { name: "basicConstraints", cA: false, critical: true };
const allNames = {
  name: "subjectAltName",
  altNames: [
    { type: 2, value: "localhost" },
    { type: 7, ip: "127.0.0.1" },
    { type: 7, ip: "::1" },
  ],
};

describe("the listener's certificate", () => {
  test("is made at the first need, for this machine's own names, and can sign nothing", async () => {
    const { status, stdout } = await cert();
    assert.equal(status, 0);
    const pem = readFileSync(crt, "utf8");
    const certificate = new X509Certificate(pem);
    assert.equal(
      certificate.subjectAltName,
      "DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1",
    );
    assert.equal(certificate.ca, false);
    assert.deepEqual(certificate.keyUsage, ["1.3.6.1.5.5.7.3.1"]);
    assert.equal(certificate.publicKey.asymmetricKeyDetails?.namedCurve, "prime256v1");
    // ecdsa-with-SHA256, as DER
    assert.ok(certificate.raw.includes(Buffer.from("06082a8648ce3d040302", "hex")));
    // keyUsage, critical: digitalSignature alone
    assert.ok(certificate.raw.includes(Buffer.from("0603551d0f0101ff040403020780", "hex")));
    const lifetime = Date.parse(certificate.validTo) - Date.parse(certificate.validFrom);
    assert.ok(lifetime > 365 * day && lifetime < 398 * day);
    const fingerprint = createHash("sha256").update(certificate.raw).digest("hex").toUpperCase();
    assert.ok(stdout.includes(fingerprint.replace(/..(?=.)/g, "$&:")), stdout);
    assert.equal(statSync(key).mode & 0o777, 0o600);
    assert.equal(statSync(certs).mode & 0o777, 0o700);
    assert.deepEqual(readdirSync(certs).sort(), [
      ".localhost.key.lock",
      "localhost.crt",
      "localhost.key",
    ]);
  });

  test("stays the same until 30 days before its end, then is renewed and that is told", async () => {
    await cert();
    const first = readFileSync(crt, "utf8");
    const later = await cert([], 359 * day);
    assert.equal(readFileSync(crt, "utf8"), first);
    assert.equal(later.stderr, "");
    const renewed = await cert([], 361 * day);
    assert.notEqual(readFileSync(crt, "utf8"), first);
    assert.match(renewed.stderr, /a new certificate for the listener: the old one ends soon/);
    assert.match(renewed.stderr, /told to trust the old one must be told again$/m);
  });

  test("--renew makes a new one, key and all", async () => {
    const made = await cert();
    assert.match(made.stderr, /made a certificate for the listener on this machine/);
    const before = [readFileSync(crt, "utf8"), readFileSync(key, "utf8")];
    const { status, stderr } = await cert(["--renew"]);
    assert.equal(status, 0);
    assert.match(stderr, /--renew asks for it/);
    assert.notEqual(readFileSync(crt, "utf8"), before[0]);
    assert.notEqual(readFileSync(key, "utf8"), before[1]);
    assert.equal(statSync(key).mode & 0o777, 0o600);
  });

  test("--json gives one document", async () => {
    const { stdout } = await cert(["--json"]);
    const document = JSON.parse(stdout) as Record<string, unknown>;
    assert.equal(document["ok"], true);
    assert.equal(document["certificate"], crt);
    assert.deepEqual(document["names"], ["localhost", "127.0.0.1", "::1"]);
    assert.ok(!stdout.includes("PRIVATE"));
  });

  for (const [why, spoil] of [
    ["the old one's key can be read by others", async () => chmodSync(key, 0o640)],
    ["the old one cannot be read", async () => writeFileSync(crt, "garbage")],
    ["the old one cannot be read", async () => writeFileSync(key, "")],
    [
      "the old one does not belong to its key",
      async () => {
        const pem = readFileSync(crt);
        await cert(["--renew"]);
        writeFileSync(crt, pem);
      },
    ],
    [
      "the old one can sign other certificates",
      () => foreign([{ ...endEntity, cA: true }, allNames]),
    ],
    [
      "the old one does not name localhost, 127.0.0.1 and ::1",
      () => foreign([endEntity, { ...allNames, altNames: allNames.altNames.slice(0, 2) }]),
    ],
    [
      "the old one has expired",
      () => foreign([endEntity, allNames], new Date("2026-11-20T11:59:59Z")),
    ],
  ] as const) {
    test(`is replaced when ${why}`, async () => {
      await cert();
      await spoil();
      const { status, stderr } = await cert();
      assert.equal(status, 0, stderr);
      assert.ok(stderr.includes(`made a new certificate for the listener: ${why}`), stderr);
      assert.equal(statSync(key).mode & 0o777, 0o600);
      const again = await cert();
      assert.equal(again.stderr, "");
    });
  }

  test("one that is missing beside its key is made anew", async () => {
    await cert();
    unlinkSync(crt);
    const { status, stderr } = await cert();
    assert.equal(status, 0);
    assert.match(stderr, /a new certificate for the listener: one half is missing/);
    const certificate = new X509Certificate(readFileSync(crt));
    assert.ok(certificate.checkPrivateKey(createPrivateKey(readFileSync(key))));
  });

  test("one that is not valid yet is replaced", async () => {
    await cert([], 10 * day);
    assert.match((await cert()).stderr, /the old one is not valid yet/);
  });

  test("a clock that is some hours behind does not matter", async () => {
    await cert([], day / 2);
    assert.equal((await cert()).stderr, "");
  });

  test("where others can write, no key is kept: 73", async () => {
    await cert();
    chmodSync(certs, 0o777);
    writeFileSync(crt, "garbage");
    const { status, stderr } = await cert();
    assert.equal(status, 73);
    assert.match(stderr, /can be written by others, so no key is kept there/);
  });

  test("a named pipe in the key's place is not waited for: 73", async () => {
    await cert();
    unlinkSync(key);
    execFileSync("mkfifo", [key]);
    assert.equal((await cert()).status, 73);
  });

  test("where one of the two cannot be replaced, both stay as they were", async () => {
    await cert();
    const before = readFileSync(key, "utf8");
    const elsewhere = join(home, "elsewhere.crt");
    writeFileSync(elsewhere, readFileSync(crt));
    unlinkSync(crt);
    symlinkSync(elsewhere, crt);
    const { status, stderr } = await cert(["--renew"]);
    assert.equal(status, 73);
    assert.match(stderr, /name the real file instead: .*elsewhere\.crt/);
    assert.equal(readFileSync(key, "utf8"), before);
  });

  test("another user's key is not used", async () => {
    await cert();
    const before = readFileSync(crt, "utf8");
    asRoot("chown", "4242", key);
    const { status, stderr } = await cert();
    assert.equal(status, 0, stderr);
    assert.match(stderr, isRoot ? /the old one's key is another user's/ : /cannot be read/);
    assert.notEqual(readFileSync(crt, "utf8"), before);
    assert.equal(statSync(key).uid, process.geteuid?.());
  });

  test("a symbolic link is not written through: 73", async () => {
    await cert();
    const elsewhere = join(home, "elsewhere");
    writeFileSync(elsewhere, "theirs");
    unlinkSync(key);
    symlinkSync(elsewhere, key);
    const { status, stderr } = await cert();
    assert.equal(status, 73);
    assert.match(stderr, /symbolic link/);
    assert.equal(readFileSync(elsewhere, "utf8"), "theirs");
  });

  test("a directory that cannot be: 73", async () => {
    writeFileSync(certs, "in the way");
    assert.equal((await cert()).status, 73);
  });

  test("of several processes that need one at once, all use the same", async () => {
    const runs = [1, 2, 3, 4].map(() =>
      runProgram(["cert", "--home", home, "--json"], { cwd: home }),
    );
    for (const run of runs) assert.equal((await run.ended).status, 0, run.written.stderr);
    const shown = new Set(runs.map((run) => run.written.stdout));
    assert.equal(shown.size, 1);
  });

  test("never comes from the current directory, unless --home says so", async () => {
    await cert();
    const world = testWorld({ cwd: home });
    const { stdout } = await runMain(["cert"], world);
    assert.ok(stdout.includes(join(world.dataDirectory ?? "", "certs", "localhost.crt")));
    assert.ok(existsSync(join(world.dataDirectory ?? "", "certs", "localhost.crt")));
    const here = await runMain(["cert", "--home", "."], testWorld({ cwd: home }));
    assert.ok(here.stdout.includes(`${crt}\n`));
  });

  test("paths with blanks are quoted in the commands", async () => {
    const { stdout } = await runMain(["cert", "--home", "my home"], testWorld({ cwd: home }));
    assert.ok(stdout.includes(`-i '${join(home, "my home", "certs", "localhost.crt")}'\n`));
  });

  for (const args of [["x"], ["foo@example.com"], ["--provider", "google"], ["--renew=yes"]]) {
    test(`cert ${args.join(" ")} is a usage error`, async () => {
      assert.equal((await cert(args)).status, 64);
    });
  }
});
