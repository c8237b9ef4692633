import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, normalize, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

/** The rooms in their order: a file imports only from rooms above its own. */
const rooms = [
  { name: "secret.ts", packages: [] },
  { name: "causes", packages: [] },
  { name: "mail-server.ts", packages: [] },
  { name: "errors.ts", packages: [] },
  { name: "system-error.ts", packages: [] },
  { name: "proxy.ts", packages: [] },
  { name: "mailbox.ts", packages: [] },
  { name: "token.ts", packages: [] },
  { name: "events.ts", packages: [] },
  { name: "world", packages: ["undici", "open"] },
  { name: "catalog", packages: [] },
  { name: "settings", packages: [] },
  { name: "discover", packages: ["dns2"] },
  { name: "oauth", packages: ["oauth4webapi", "jose"] },
  { name: "proof", packages: ["imapflow", "nodemailer"] },
  { name: "store", packages: ["fs-native-extensions"] },
  { name: "account", packages: [] },
  { name: "life", packages: [] },
  { name: "programs", packages: [] },
  { name: "sign-in", packages: ["selfsigned"] },
  { name: "tasks", packages: [] },
  { name: "keep", packages: [] },
  { name: "run", packages: [] },
  { name: "report", packages: ["uqr", "string-width"] },
  { name: "cli", packages: ["yargs"] },
  { name: "index.ts", packages: [] },
] as const;

/** Loaded when they are first needed: these cost more than a start of the program. */
const lazyPackages = new Set([
  "undici",
  "open",
  "dns2",
  "selfsigned",
  "imapflow",
  "nodemailer",
  "jose",
  "fs-native-extensions",
]);

const source = fileURLToPath(new URL("../../src", import.meta.url));
const files = readdirSync(source, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts") && !path.endsWith(".d.ts"))
  .map((path) => path.replaceAll("\\", "/"));

function roomOf(path: string): number {
  return rooms.findIndex(({ name }) => path === name || path.startsWith(`${name}/`));
}

/** The import statements of a file, types included. */
function importsOf(path: string): { specifier: string; isLazy: boolean; isType: boolean }[] {
  const text = readFileSync(join(source, path), "utf8");
  const found = [
    ...text.matchAll(/^(?:import|export)\s(type\s)?[^;]*?from\s+"([^"]+)"/gm),
    ...text.matchAll(/^import\s+()"([^"]+)"/gm),
  ].map((match) => ({
    specifier: match[2] ?? "",
    isLazy: false,
    isType: match[1] !== undefined && match[1] !== "",
  }));
  const lazy = [...text.matchAll(/import\("([^"]+)"\)/g)].map((match) => ({
    specifier: match[1] ?? "",
    isLazy: true,
    isType: false,
  }));
  return [...found, ...lazy];
}

function target(path: string, specifier: string): string {
  return relative(source, normalize(join(source, dirname(path), specifier))).replaceAll("\\", "/");
}

test("the test finds what it looks at", () => {
  assert.ok(files.length > 20);
  assert.ok(files.reduce((sum, path) => sum + importsOf(path).length, 0) > 80);
});

for (const path of files) {
  test(`${path} stands in a room and imports only from above`, () => {
    const room = roomOf(path);
    assert.notEqual(room, -1, `${path} stands in no room`);
    for (const { specifier, isLazy, isType } of importsOf(path)) {
      if (specifier.startsWith("node:")) {
        const isNewer = specifier === "node:sqlite";
        assert.ok(isNewer || builtinModules.includes(specifier.slice(5)), specifier);
      } else if (specifier.startsWith(".")) {
        const imported = target(path, specifier);
        if (imported === "../package.json") continue;
        assert.ok(roomOf(imported) !== -1, `${path} imports ${imported}`);
        assert.ok(roomOf(imported) <= room, `${path} imports from below: ${imported}`);
      } else {
        const owned: readonly string[] = rooms[room]?.packages ?? [];
        const [name = ""] = specifier.split("/");
        assert.ok(owned.includes(name), `${path} does not own ${name}`);
        if (lazyPackages.has(name)) assert.ok(isLazy || isType, `${specifier} must load lazily`);
      }
    }
  });

  test(`${path} leaves the outside world to world/`, () => {
    if (path.startsWith("world/") || path === "cli/quick.ts") return;
    const text = readFileSync(join(source, path), "utf8").replaceAll(/^import\s[^;]*;$/gm, "");
    const outside =
      /\bprocess\.|\bDate\.now\(|new Date\(\)|\bset(?:Timeout|Interval)\(|(?<![.\w])fetch\(|\bconsole\./;
    assert.doesNotMatch(text, outside);
  });
}

test("nobody outside store/ knows how tokens come to the disk", () => {
  const hidden = [
    "lock",
    "disk",
    "rights",
    "reservation",
    "restore",
    "kept-tokens",
    "open-token-file",
  ];
  for (const path of files.filter((file) => !file.startsWith("store/"))) {
    const imported = importsOf(path).map(({ specifier }) => target(path, specifier));
    for (const name of hidden)
      assert.ok(!imported.includes(`store/${name}.ts`), `${path}: ${name}`);
  }
});

test("every connection is made in one way", () => {
  // A resolver is an address, and the wait for it ends by itself.
  const connecting = ["world/connecting.ts", "discover/look-up-mx.ts"];
  for (const path of files) {
    const text = readFileSync(join(source, path), "utf8");
    const imports = [...text.matchAll(/^import \{([^}]*)\} from "node:(?:net|tls)"/gm)];
    const isConnecting = imports.some(([, names = ""]) => /\bconnect|createConnection/.test(names));
    assert.equal(isConnecting, connecting.includes(path), path);
  }
});

test("there is no import cycle", () => {
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    assert.ok(!trail.includes(path), `cycle: ${[...trail, path].join(" → ")}`);
    if (done.has(path)) return;
    for (const { specifier } of importsOf(path)) {
      if (!specifier.startsWith(".") || specifier.endsWith(".json")) continue;
      visit(target(path, specifier), [...trail, path]);
    }
    done.add(path);
  };
  for (const path of files) visit(path, []);
});

test("secrets leave their type only where they are sent, stored or compared", () => {
  const doors = new Set([
    "secret.ts",
    "oauth/client-authentication.ts",
    "oauth/device.ts",
    "oauth/grants.ts",
    "oauth/jwt-bearer.ts",
    "proof/identity.ts",
    // a private key is made use of, and stored
    "sign-in/certificate.ts",
    "sign-in/loopback-server.ts",
    "world/socks.ts",
    "world/tunnel.ts",
    "proof/imap-client.ts",
    "proof/sasl.ts",
    "store/token-file.ts",
    "store/kept-tokens.ts",
    // what programs are shown
    "index.ts",
    "programs/token-formats.ts",
    "store/certificate-files.ts",
  ]);
  for (const path of files) {
    const text = readFileSync(join(source, path), "utf8");
    if (text.includes(".reveal()")) assert.ok(doors.has(path), `${path} reveals a secret`);
  }
});
