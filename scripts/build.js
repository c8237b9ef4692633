// Builds dist/ of the current directory: the program as one bundle, with a chunk for each package that
// is loaded only when it is needed, before it what prints a stored token, and before that what looks
// at the version of Node. A bundle starts in half the time: Node reads a few files instead of a few
// hundred.
import { chmod, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { build } from "esbuild";

/**
 * Packages that take longer to evaluate than all the rest of a start, and which hardly any run calls:
 * one measures the words of a help text, one reads old Japanese mail, one is a logger.
 */
const lazily = {
  "string-width": (path) => `export default (...args) => require(${path}).default(...args);`,
  "encoding-japanese": (path) =>
    `module.exports = new Proxy({}, { get: (_, name) => require(${path})[name] });`,
  pino: (path) => `module.exports = (...args) => require(${path})(...args);`,
};

const whenCalled = "when-called";
const loadWhenCalled = {
  name: whenCalled,
  setup({ onLoad, onResolve, resolve: find }) {
    const isReal = {};
    onResolve({ filter: /./ }, async (found) => {
      if (!(found.path in lazily) || found.pluginData === isReal) return undefined;
      const { importer, kind, resolveDir } = found;
      const real = await find(found.path, { importer, kind, resolveDir, pluginData: isReal });
      // The bundle names it by this path, and has to be the same wherever it is built.
      const path = relative(process.cwd(), real.path);
      return { path, namespace: whenCalled, pluginData: found.path };
    });
    onLoad({ filter: /./, namespace: whenCalled }, ({ path, pluginData: name }) => ({
      resolveDir: dirname(resolve(path)),
      contents: lazily[name](JSON.stringify(`./${basename(path)}`)),
    }));
  },
};

/**
 * Node's own modules as plain values: an `import` of one has every member of it evaluated, and that of
 * node:crypto loads WebCrypto, which takes longer than a whole run of the program should.
 */
const builtinsAsValues = {
  name: "builtins-as-values",
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^node:/ }, ({ kind, path }) =>
      kind === "import-statement" ? { path, namespace: "builtin" } : undefined,
    );
    onLoad({ filter: /./, namespace: "builtin" }, ({ path }) => {
      const members = Object.keys(process.getBuiltinModule(path));
      const names = members.filter((name) => /^[a-z]\w*$/i.test(name) && name !== "default");
      const lines = names.map((name) => `const own_${name} = /* @__PURE__ */ member("${name}");`);
      const exported = names.map((name) => `own_${name} as ${name}`).join(", ");
      return {
        contents: [
          `const all = process.getBuiltinModule("${path}");`,
          "const member = (name) => all[name];",
          ...lines,
          `export { ${exported} };`,
          "export default all;",
        ].join("\n"),
      };
    });
  },
};

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

const { metafile } = await build({
  ...common,
  entryPoints: { program: "src/cli/main.ts", index: "src/index.ts" },
  splitting: true,
  format: "esm",
  outExtension: { ".js": ".mjs" },
  chunkNames: "chunks/[name]-[hash]",
  // A native addon finds its binary beside its own files.
  external: ["fs-native-extensions"],
  // CommonJS packages inside an ES module ask for Node's own modules by require(); to make a real one
  // takes a few milliseconds.
  banner: {
    js: 'const require = (name) => process.getBuiltinModule(name) ?? process.getBuiltinModule("node:module").createRequire(import.meta.url)(name);',
  },
  plugins: [loadWhenCalled, builtinsAsValues],
  metafile: true,
});

/** What is loaded on demand is the program's; nothing of it is needed to print a stored token. */
const leaveToProgram = {
  name: "leave-to-program",
  setup({ onResolve }) {
    onResolve({ filter: /./ }, ({ kind, path }) => {
      if (kind !== "dynamic-import") return undefined;
      return { path: path === "./main.ts" ? "./program.mjs" : path, external: true };
    });
  },
};

// Node takes 5 ms more to load an ES module.
await build({
  ...common,
  entryPoints: { quick: "src/cli/quick.ts" },
  format: "cjs",
  plugins: [leaveToProgram],
});
// Before a file runs, all of it is read: what an old Node cannot read stands in another one.
const requireNode = await readFile(new URL("require-node.js", import.meta.url), "utf8");
const begin = `#!/usr/bin/env node\n${requireNode}require("./quick.js");\n`;
await writeFile(join(outdir, "cli.js"), begin);
await writeFile(join(outdir, "package.json"), '{ "type": "commonjs" }\n');
await chmod(join(outdir, "cli.js"), 0o755);
await writeFile(join(outdir, "THIRD-PARTY-LICENSES.txt"), await licences(metafile));

/** The licence texts of every package that the bundle contains. */
async function licences(metafile) {
  const directories = new Set();
  for (const input of Object.keys(metafile.inputs)) {
    if (input.startsWith(`${whenCalled}:`)) continue;
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
