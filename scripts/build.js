// Builds dist/ of the current directory: the program as one bundle, with a chunk for each package that
// is loaded only when it is needed, before it what prints a stored token, and before that what looks
// at the version of Node. A bundle starts in half the time: Node reads a few files instead of a few
// hundred. All of it is CommonJS, which V8 can be given as it has compiled it before (scripts/built/load.ts).
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { build, transform } from "esbuild";
import {
  builtinsAsValues,
  entriesWhenCalled,
  loadWhenCalled,
  versionOnly,
} from "./bundle-plugins.js";

const outdir = "dist";
await rm(outdir, { recursive: true, force: true });

const common = {
  outdir,
  bundle: true,
  platform: "node",
  target: "node20.19",
  minifyWhitespace: true,
  legalComments: "none",
  logLevel: "warning",
};

// esbuild splits ES modules only.
const { metafile, outputFiles } = await build({
  ...common,
  entryPoints: { program: "src/cli/main.ts", index: "src/index.ts", ...entriesWhenCalled },
  splitting: true,
  format: "esm",
  chunkNames: "chunks/[name]-[hash]",
  // A native addon finds its binary beside its own files.
  external: ["fs-native-extensions"],
  plugins: [loadWhenCalled, builtinsAsValues, versionOnly],
  metafile: true,
  write: false,
});
for (const { path, text } of outputFiles) {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, await toCommonJs(text));
}

/** What is loaded on demand is the program's; nothing of it is needed to print a stored token. */
const leaveToProgram = {
  name: "leave-to-program",
  setup({ onResolve }) {
    onResolve({ filter: /./ }, ({ kind, path }) => {
      if (kind !== "dynamic-import") return undefined;
      return { path: path === "./main.ts" ? "./program.js" : path, external: true };
    });
  },
};

await build({
  ...common,
  entryPoints: { quick: "src/cli/quick.ts" },
  format: "cjs",
  supported: { "dynamic-import": false },
  plugins: [leaveToProgram, builtinsAsValues, versionOnly],
});
// Whatever V8 has compiled before is of these files as they are now, and of no others.
const loaded = ["quick.js", ...outputFiles.map(({ path }) => relative(outdir, path))].sort();
const hash = createHash("sha256");
for (const name of loaded) hash.update(await readFile(join(outdir, name)));
await build({
  ...common,
  entryPoints: {
    load: "scripts/built/load.ts",
    "make-code-cache": "scripts/built/make-code-cache.ts",
  },
  format: "cjs",
  define: { buildId: JSON.stringify(hash.digest("hex").slice(0, 16)) },
  plugins: [builtinsAsValues],
});
// Before a file runs, all of it is read: what an old Node cannot read stands in another one.
const requireNode = await readFile(new URL("require-node.js", import.meta.url), "utf8");
const begin = `#!/usr/bin/env node\n${requireNode}require("./load.js");\n`;
await writeFile(join(outdir, "cli.js"), begin);
await writeFile(join(outdir, "package.json"), '{ "type": "commonjs" }\n');
await chmod(join(outdir, "cli.js"), 0o755);
execFileSync(process.execPath, [join(outdir, "make-code-cache.js")], { stdio: "inherit" });
await writeFile(join(outdir, "THIRD-PARTY-LICENSES.txt"), await licences(metafile));

/** Names in one ES module what it is in CommonJS. */
async function toCommonJs(text) {
  const { code } = await transform(text, {
    format: "cjs",
    platform: "node",
    target: common.target,
    minifyWhitespace: true,
    // An import() becomes a require() by a promise.
    supported: { "dynamic-import": false },
    define: { "import.meta.url": "fileUrl" },
    // A package's import.meta.resolve() is for those who name files in their configuration.
    logOverride: { "empty-import-meta": "silent" },
  });
  if (!code.includes("fileUrl")) return code;
  return `const fileUrl=require("node:url").pathToFileURL(__filename).href;${code}`;
}

/** The licence texts of every package that the bundle contains. */
async function licences(metafile) {
  const directories = new Set();
  for (const input of Object.keys(metafile.inputs)) {
    const match = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input);
    if (match) directories.add(match[0]);
  }
  const sections = [];
  for (const directory of [...directories].sort()) {
    const { name, version, license } = JSON.parse(
      await readFile(join(directory, "package.json"), "utf8"),
    );
    const files = (await readdir(directory)).filter((file) => /^(licen[cs]e|notice)/i.test(file));
    const texts = await Promise.all(files.map((file) => readFile(join(directory, file), "utf8")));
    sections.push([`${name} ${version} (${license})`, ...texts].join("\n\n"));
  }
  return `${sections.join(`\n\n${"-".repeat(72)}\n\n`)}\n`;
}
