import { readFile } from "node:fs/promises";
import { dirname } from "node:path";

// What esbuild is told by scripts/build.js of how modules are to be found.

/**
 * Packages that are large and hardly ever called: they measure the words of a help text, read the headers and
 * letters of mail, log, or go through a proxy that is none of ours. Each is a chunk of its own, which is loaded
 * when something of it is called. What stands for it meanwhile is written for the calls that are there.
 */
const whenCalled = {
  "string-width": (load) => `module.exports = (...args) => ${load}(...args);`,
  pino: (load) => `module.exports = (...args) => ${load}(...args);`,
  "encoding-japanese": (load) => `module.exports = ${membersOf(load)};`,
  "iconv-lite": (load) => `module.exports = ${membersOf(load)};`,
  libmime: (load) => `module.exports = ${membersOf(load)};`,
  socks: (load) => `exports.SocksClient = ${membersOf(`${load}.SocksClient`)};`,
  "@zone-eu/mailsplit": (load) => `exports.Headers = ${classOf(`${load}.Headers`)};`,
  "@zone-eu/mailsplit/lib/flowed-decoder.js": (load) => `module.exports = ${classOf(load)};`,
};

function membersOf(load) {
  return `new Proxy({}, { get: (_, name) => ${load}[name] })`;
}

function classOf(load) {
  return `new Proxy(class {}, { construct: (_, args) => new (${load})(...args) })`;
}

const chunkOf = (name) => name.replaceAll(/\W+/g, "-");

/** The entry points that these packages are. */
export const entriesWhenCalled = Object.fromEntries(
  Object.keys(whenCalled).map((name) => [
    `chunks/when-called-${chunkOf(name)}`,
    `when-called:${name}`,
  ]),
);

const isReal = {};
const entry = "when-called:";

export const loadWhenCalled = {
  name: "when-called",
  setup({ onLoad, onResolve, resolve }) {
    onResolve({ filter: /./ }, ({ kind, namespace, path, pluginData }) => {
      if (kind === "entry-point" && path.startsWith(entry)) {
        return { path: path.slice(entry.length), namespace: "entry" };
      }
      if (!(path in whenCalled) || pluginData === isReal) return undefined;
      if (namespace !== "entry") return { path, namespace: "when-called" };
      return resolve(path, { kind, resolveDir: process.cwd(), pluginData: isReal });
    });
    onResolve({ filter: /^\.\//, namespace: "when-called" }, ({ path }) => ({
      path,
      external: true,
    }));
    onLoad({ filter: /./, namespace: "entry" }, ({ path }) => ({
      contents: `import * as all from ${JSON.stringify(path)}; export default all.default ?? all;`,
    }));
    onLoad({ filter: /./, namespace: "when-called" }, ({ path }) => ({
      contents: whenCalled[path](`require("./when-called-${chunkOf(path)}.js").default`),
    }));
  },
};

/**
 * Node's own modules as plain values: an `import` of one has every member of it evaluated, and that of
 * node:crypto loads WebCrypto, which takes longer than a whole run of the program should.
 */
export const builtinsAsValues = {
  name: "builtins-as-values",
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /^node:/ }, ({ kind, path }) =>
      kind === "import-statement" ? { path, namespace: "builtin", sideEffects: false } : undefined,
    );
    onLoad({ filter: /./, namespace: "builtin" }, ({ path }) => {
      const members = Object.keys(process.getBuiltinModule(path));
      const names = members.filter((name) => /^[a-z]\w*$/i.test(name) && name !== "default");
      const lines = names.map((name) => `const own_${name} = /* @__PURE__ */ member("${name}");`);
      const exported = names.map((name) => `own_${name} as ${name}`).join(", ");
      return {
        contents: [
          `const all = /* @__PURE__ */ process.getBuiltinModule("${path}");`,
          "const member = (name) => all[name];",
          ...lines,
          `export { ${exported} };`,
          "export default all;",
        ].join("\n"),
      };
    });
  },
};

/** Of package.json, what the program tells. */
export const versionOnly = {
  name: "version-only",
  setup({ onLoad }) {
    onLoad({ filter: /\bpackage\.json$/ }, async ({ path }) => {
      if (dirname(path) !== process.cwd()) return undefined;
      const { version } = JSON.parse(await readFile(path, "utf8"));
      return { contents: JSON.stringify({ version }), loader: "json" };
    });
  },
};
