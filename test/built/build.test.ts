import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { runInNewContext } from "node:vm";
import { transform } from "esbuild";
import { temporaryDirectory } from "../scene/certificates.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const builder = join(root, "scripts/build.js");

/** Packages for those who work on this, and large. */
const notInBundle = ["@biomejs", "@esbuild", "@typescript", "playwright-core", "typescript"];

test("the bundle is the same from whatever directory it is built in", () => {
  const directory = temporaryDirectory();
  const one = join(directory, "one");
  const other = join(directory, "elsewhere, deeper", "other");
  copyProject(one);
  const built = build(one);
  mkdirSync(dirname(other));
  renameSync(one, other);
  const builtElsewhere = build(other);
  assert.ok(built.size > 10, `${built.size} files`);
  assert.deepEqual([...builtElsewhere.keys()], [...built.keys()]);
  for (const [name, text] of built) {
    assert.ok(text === builtElsewhere.get(name), name);
    assert.ok(!text.includes(directory), name);
  }
});

function copyProject(to: string): void {
  mkdirSync(to);
  for (const name of ["package.json", "scripts", "src", "node_modules"]) {
    const filter = (path: string) =>
      !notInBundle.some((one) => path === join(root, "node_modules", one));
    cpSync(join(root, name), join(to, name), { recursive: true, filter });
  }
}

/** @returns the text of every file, by its name; V8's code is of the machine, and no text */
function build(directory: string): Map<string, string> {
  execFileSync(process.execPath, [builder], { cwd: directory });
  const dist = join(directory, "dist");
  const files = readdirSync(dist, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !relative(dist, path).startsWith("code-cache"))
    .sort();
  return new Map(files.map((path) => [relative(dist, path), readFileSync(path, "utf8")]));
}

describe("where Node is too old", () => {
  const lacking = [
    ...["0.10.48", "4.9.1", "6.17.1", "8.17.0", "10.24.1", "12.22.12", "14.21.3", "16.20.2"],
    ...["18.20.8", "19.9.0", "20.0.0", "20.10.0", "20.15.1", "21.7.3", "22.0.0", "22.2.0"],
  ];
  // These have it, and are too old all the same.
  const old = ["20.16.0", "20.18.3"];
  const enough = ["20.19.0", "20.20.2", "22.3.0", "22.12.0", "23.0.0", "24.1.0", "100.0.0"];

  for (const version of [...lacking, ...old]) {
    for (const file of ["dist/cli.js", "scripts/require-node.js"]) {
      test(`${version}, ${file}: a sentence, and 78`, () => {
        const { said, status, required } = begin(file, version, !lacking.includes(version));
        assert.equal(status, 78);
        assert.equal(said.length, 1);
        assert.match(
          said[0] ?? "",
          /^mxtoken: Node 20\.19 or newer is needed \(.*\), and this is /,
        );
        assert.ok(said[0]?.includes(` ${version}: `));
        assert.deepEqual(required, []);
      });
    }
  }

  for (const version of enough) {
    test(`${version} is new enough`, () => {
      const begun = begin("dist/cli.js", version, true);
      assert.deepEqual(begun, { said: [], status: undefined, required: ["./load.js"] });
    });
  }

  test("what says so is understood by every Node", async () => {
    const text = readFileSync(join(root, "dist/cli.js"), "utf8");
    const [asWritten, forOld] = await Promise.all(
      ["esnext", "es2015"].map(async (target) => (await transform(text, { target })).code),
    );
    assert.ok(forOld === asWritten, "written with what is newer");
    // A comma there, where formatters like one, is from 2017.
    assert.doesNotMatch(text, /,\s*\)/);
    assert.doesNotMatch(text, /\bimport\b|node:/);
  });

  test("the package asks for the same versions", () => {
    const { engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    assert.deepEqual(engines, { node: "^20.19.0 || >=22.3.0" });
  });
});

/** Begins as a Node of this version would. */
function begin(file: string, version: string, hasBuiltinModules: boolean) {
  const said: string[] = [];
  const required: string[] = [];
  let status: number | undefined;
  const ended = new Error("ended");
  try {
    runInNewContext(readFileSync(join(root, file.replaceAll("/", sep)), "utf8"), {
      console: { error: (line: string) => said.push(line) },
      require: (name: string) => required.push(name),
      process: {
        versions: { node: version },
        ...(hasBuiltinModules ? { getBuiltinModule: () => undefined } : {}),
        exit(code: number) {
          status = code;
          throw ended;
        },
      },
    });
  } catch (error) {
    if (error !== ended) throw error;
  }
  return { said, status, required };
}
