import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryDirectory } from "../scene/certificates.ts";
import { programPath, runCommand } from "../scene/program.ts";
import { type Scene, setScene, tokenFileText, user } from "../scene/scene.ts";

const dist = dirname(programPath);
const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
const directory = temporaryDirectory();
let scene: Scene;

before(async () => {
  scene = await setScene();
});

beforeEach(() => {
  scene.write(tokenFileText("stored-access", scene.account.current, { Expires: inAnHour }));
});

after(() => scene.close());

/** Has the program tell on standard error, for each of its files, whether V8 took the code that was kept. */
const teller = join(directory, "tell.cjs");
writeFileSync(
  teller,
  `const vm = require("node:vm");
  vm.Script = class extends vm.Script {
    constructor(text, options) {
      super(text, options);
      const name = options.filename.split(/[\\\\/]/).at(-1);
      process.stderr.write("code " + name + " " + (options.cachedData && !this.cachedDataRejected) + "\\n");
    }
  };`,
);

async function toldBy(args: readonly string[], program = programPath) {
  const words = ["--require", teller, program, ...args];
  const run = runCommand(process.execPath, words, { cwd: scene.directory });
  const { status } = await run.ended;
  const { stderr } = run.written;
  const told = stderr.matchAll(/^code (\S+) (\S+)$/gm);
  return { status, stderr, files: new Map([...told].map(([, name, isTaken]) => [name, isTaken])) };
}

const ways: [string, () => readonly string[], readonly RegExp[]][] = [
  ["--version", () => ["--version"], [/^quick\.js$/]],
  ["a stored token", () => ["show", user, "--home", scene.directory], [/^quick\.js$/]],
  [
    "help",
    () => ["--help"],
    [/^quick\.js$/, /^program\.js$/, /^command-line-/, /^when-called-string-width/],
  ],
  [
    "a refresh",
    () => ["show", user, "--nocache", ...scene.options],
    [/^quick\.js$/, /^program\.js$/, /^http-/, /^open-token-file-/],
  ],
  [
    "a refresh and a login",
    () => [user, "--quiet", ...scene.options],
    [/^quick\.js$/, /^program\.js$/, /^http-/, /^open-token-file-/, /^imap-flow-/],
  ],
];

describe("what was compiled when the program was built is not compiled again", () => {
  for (const [name, args, expected] of ways) {
    test(name, async () => {
      const { files, status, stderr } = await toldBy(args());
      assert.equal(status, 0, stderr);
      const others = [...files].filter(([, isTaken]) => isTaken !== "true");
      assert.deepEqual(others, []);
      for (const pattern of expected) {
        assert.ok(
          [...files.keys()].some((file) => pattern.test(file ?? "")),
          `${pattern}`,
        );
      }
    });
  }
});

describe("where nothing useful was kept, everything works all the same", () => {
  /** The built program somewhere else. */
  function copied(name: string, change: (directory: string) => void): string {
    const to = join(directory, name, "dist");
    cpSync(dist, to, { recursive: true });
    symlinkSync(join(dirname(dist), "node_modules"), join(to, "node_modules"));
    change(join(to, "code-cache"));
    return join(to, "cli.js");
  }

  const at = ({ length }: Buffer, part: number) => Math.floor(length / part);

  const twice = (code: Buffer) => Buffer.concat([code, code]);

  const overwritten = (text: (former: Buffer) => Buffer) => (cache: string) => {
    for (const entry of readdirSync(cache, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      if (entry.isFile()) writeFileSync(path, text(readFileSync(path)));
    }
  };
  const changes: [string, (cache: string) => void][] = [
    ["none", (cache) => rmSync(cache, { recursive: true })],
    ["empty", overwritten(() => Buffer.alloc(0))],
    ["rubbish", overwritten((former) => Buffer.alloc(former.length, "rubbish "))],
    ["half of it", overwritten((former) => former.subarray(0, at(former, 2)))],
    ["a hole in it", overwritten((former) => former.fill(0, at(former, 4), at(former, 3)))],
    ["a bit of it", overwritten((former) => former.fill(255, at(former, 4), at(former, 4) + 1))],
    // V8's first words are of its version and its flags.
    [
      "another V8's",
      overwritten((former) => twice(former.subarray(0, at(former, 2)).fill(1, 0, 16))),
    ],
  ];
  for (const [name, change] of changes) {
    const program = copied(name, change);
    for (const [way, args] of ways) {
      test(`${name}: ${way}`, async () => {
        const { files, status, stderr } = await toldBy(args(), program);
        assert.equal(status, 0, stderr);
        assert.ok(files.size > 0);
        assert.deepEqual(
          [...files.values()].filter((isTaken) => isTaken === "true"),
          [],
        );
      });
    }
  }

  test("what another build has kept is not looked at", async () => {
    const program = copied("other", (cache) => {
      const [id = ""] = readdirSync(cache);
      cpSync(join(cache, id), join(cache, "0".repeat(id.length)), { recursive: true });
      rmSync(join(cache, id), { recursive: true });
    });
    const { files } = await toldBy(["--version"], program);
    assert.deepEqual([...files], [["quick.js", "undefined"]]);
  });
});

describe("a package that is loaded when it is called", () => {
  const require = createRequire(import.meta.url);
  const chunks = join(fileURLToPath(new URL("../../dist/chunks", import.meta.url)));
  const used: Record<string, (module: never) => unknown> = {
    "string-width": (width: (text: string) => number) => width("日本") === 4,
    pino: (pino: (options: object) => { info: unknown }) =>
      typeof pino({ enabled: false }).info === "function",
    "encoding-japanese": (encoding: { convert: unknown }) => typeof encoding.convert === "function",
    "iconv-lite": (iconv: { encode(text: string, name: string): Buffer }) =>
      iconv.encode("Entwürfe", "utf-7-imap").toString() === "Entw&APw-rfe",
    libmime: (mime: { decodeWords(text: string): string }) =>
      mime.decodeWords("=?iso-8859-1?Q?Entw=FCrfe?=") === "Entwürfe",
    socks: (socks: { SocksClient: { createConnection: unknown } }) =>
      typeof socks.SocksClient.createConnection === "function",
    "-zone-eu-mailsplit": (split: {
      Headers: new (text: Buffer) => { getFirst(name: string): string };
    }) => new split.Headers(Buffer.from("Subject: one\r\n\r\n")).getFirst("subject") === "one",
    "-zone-eu-mailsplit-lib-flowed-decoder-js": (Decoder: new () => { write: unknown }) =>
      typeof new Decoder().write === "function",
  };

  test("all of them are there", () => {
    const names = readdirSync(chunks).flatMap(
      (file) => /^when-called-(.*)\.js$/.exec(file)?.[1] ?? [],
    );
    assert.deepEqual(names.toSorted(), Object.keys(used).toSorted());
  });

  for (const [name, works] of Object.entries(used)) {
    test(`${name} does what it is for`, () => {
      const { default: module } = require(join(chunks, `when-called-${name}.js`));
      assert.ok(works(module as never));
    });
  }
});
