import { closeSync, openSync, readSync } from "node:fs";
import { Script } from "node:vm";
import { codeFileOf, root, undoubled } from "./code-cache.ts";

// Loads the files of the built program in place of Node's own loader, each with what V8 made of it when the
// program was built or installed (`make-code-cache.ts`): to compile takes longer than most of what the program
// does. V8 looks at its own version, its flags and how long the text is, and not where the code comes from. So
// it is taken from the program's own directory only, where whoever can write could as well change the program,
// and from a place that is named by what this build contains.

type Wrapper = (
  exports: unknown,
  require: NodeJS.Require,
  module: { exports: unknown },
  path: string,
  directory: string,
) => void;

const ofNode = require;
const modules = new Map<string, { exports: unknown }>();

/** One for all files: a file and its code, both read by themselves, would each be in memory twice. */
let scratch = Buffer.allocUnsafeSlow(1024 * 1024);

/**
 * One of the program's files.
 *
 * @param name from the program's directory, with slashes
 */
function load(name: string): unknown {
  const known = modules.get(name);
  if (known !== undefined) return known.exports;
  const module = { exports: {} };
  modules.set(name, module);
  const path = `${root}/${name}`;
  const script = new Script(wrapped(path), { filename: path, cachedData: codeOf(name) });
  const wrapper: Wrapper = script.runInThisContext();
  // The files are in two directories, and name each other some hundred times: node:path takes longer.
  const directory = name.slice(0, name.lastIndexOf("/") + 1);
  const own = (wanted: string) =>
    wanted.startsWith("./") ? load(directory + wanted.slice("./".length)) : ofNode(wanted);
  wrapper(module.exports, Object.assign(own, ofNode), module, path, `${root}/${directory}`);
  return module.exports;
}

/** As Node wraps a file: its first line stays the first one. */
function wrapped(path: string): string {
  const begin = scratch.write("(function(exports,require,module,__filename,__dirname){");
  const end = read(path, begin);
  return scratch.toString("utf8", 0, end + scratch.write("\n})", end));
}

/** @returns undefined where there is none, or it is damaged, and V8 compiles the file */
function codeOf(name: string): Buffer | undefined {
  try {
    const end = read(codeFileOf(name), 0);
    return undoubled(scratch.subarray(0, end));
  } catch {
    return undefined;
  }
}

/** @returns where the file ends */
function read(path: string, begin: number): number {
  const file = openSync(path, "r");
  try {
    for (let end = begin; ; ) {
      const count = readSync(file, scratch, end, scratch.length - end - 1024, null);
      if (count === 0) return end;
      end += count;
      if (end + 1024 >= scratch.length) scratch = Buffer.concat([scratch], 2 * scratch.length);
    }
  } finally {
    closeSync(file);
  }
}

load("quick.js");
