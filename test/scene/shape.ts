// How large the parts of the house are, by the TypeScript compiler's own parser.
import { readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import {
  isConstructorDeclaration,
  isSignatureDeclaration,
  isStringLiteral,
  type Node,
  type SignatureDeclaration,
  type SourceFile,
} from "typescript/unstable/ast";
import { API } from "typescript/unstable/sync";

/** What no file and no function of the house is larger than. */
export const limits = {
  files: 175,
  linesOfFile: 220,
  linesOfFunction: 60,
  parameters: 4,
  /** a file of fewer lines has more than one that imports it */
  linesOfShallowFile: 30,
} as const;

export interface FunctionShape {
  /** as an editor opens it: `room/file.ts:LINE name` */
  readonly place: string;
  /** from its first to its last, without its doc comment */
  readonly lines: number;
  readonly parameters: number;
}

export interface FileShape {
  /** from src/ on, with slashes */
  readonly path: string;
  readonly lines: number;
  readonly functions: readonly FunctionShape[];
  /** the files that import it, types and what loads later included */
  readonly importers: readonly string[];
}

/** Begin a program: nobody has to import them, and what they import late is a program as well. */
const entries: ReadonlySet<string> = new Set(["cli/main.ts", "cli/quick.ts"]);

/**
 * Every file of `src/`, by its path.
 *
 * @param root where `src/` is, and a `tsconfig.json` that names its files
 */
export function measureSource(
  root = fileURLToPath(new URL("../..", import.meta.url)),
): FileShape[] {
  const source = join(root, "src");
  const api = new API({ cwd: root });
  try {
    const project = api.updateSnapshot({ openProject: "tsconfig.json" }).getProjects()[0];
    const paths = readdirSync(source, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => name.replaceAll("\\", "/"))
      .sort();
    const files = paths.flatMap((path) => {
      const file = project?.program.getSourceFile(join(source, path));
      return file === undefined ? [] : [{ path, file, imports: importsOf(source, path, file) }];
    });
    if (files.length < paths.length) throw new Error("tsconfig.json does not name every file");
    return files.map(({ path, file }) => ({
      path,
      lines: file.getLineAndCharacterOfPosition(file.text.length).line,
      functions: functionsOf(path, file),
      importers: files.filter(({ imports }) => imports.has(path)).map((other) => other.path),
    }));
  } finally {
    api.close();
  }
}

/** What is kept to, in words, and every place of these files that does not, with its size. */
export function findBreaches(files: readonly FileShape[]): { rule: string; places: string[] }[] {
  const functions = files.flatMap((file) => file.functions);
  const bySize = <T>(found: readonly T[], size: (one: T) => number, place: (one: T) => string) =>
    found
      .toSorted((a, b) => size(b) - size(a))
      .map((one) => `${String(size(one)).padStart(5)}  ${place(one)}`);
  return [
    {
      rule: `at most ${limits.linesOfFile} lines a file`,
      places: bySize(
        files.filter(({ lines }) => lines > limits.linesOfFile),
        ({ lines }) => lines,
        ({ path }) => path,
      ),
    },
    {
      rule: `at most ${limits.linesOfFunction} lines a function`,
      places: bySize(
        functions.filter(({ lines }) => lines > limits.linesOfFunction),
        ({ lines }) => lines,
        ({ place }) => place,
      ),
    },
    {
      rule: `at most ${limits.parameters} parameters`,
      places: bySize(
        functions.filter(({ parameters }) => parameters > limits.parameters),
        ({ parameters }) => parameters,
        ({ place }) => place,
      ),
    },
    {
      rule: `no file of under ${limits.linesOfShallowFile} lines that only one other imports`,
      places: bySize(
        files.filter(isShallow),
        ({ lines }) => lines,
        ({ path, importers }) => `${path} (${importers.join()})`,
      ),
    },
  ];
}

function isShallow({ path, lines, importers }: FileShape): boolean {
  return lines < limits.linesOfShallowFile && importers.length === 1 && !entries.has(path);
}

/** The room that a file stands in; one that stands in none is a room of its own. */
export function roomOf(path: string): string {
  return path.split("/")[0] ?? path;
}

function functionsOf(path: string, file: SourceFile): FunctionShape[] {
  return nodesOf(file)
    .filter(isSignatureDeclaration)
    .map((node) => {
      const first = file.getLineAndCharacterOfPosition(node.getStart(file)).line;
      const last = file.getLineAndCharacterOfPosition(node.end).line;
      return {
        place: `${path}:${first + 1}${nameOf(node)}`,
        lines: last - first + 1,
        parameters: node.parameters.length,
      };
    });
}

/** With a blank before it; empty where nothing says it. */
function nameOf(node: SignatureDeclaration): string {
  if (isConstructorDeclaration(node)) return " constructor";
  for (const named of [node, node.parent]) {
    if (!("name" in named)) continue;
    const { name } = named;
    if (typeof name === "object" && name !== null && "text" in name) return ` ${name.text}`;
  }
  return "";
}

/** The paths of the files of src/ that a file imports, in whatever way. */
function importsOf(source: string, path: string, file: SourceFile): Set<string> {
  const here = dirname(join(source, path));
  const specifiers = file.imports.filter(isStringLiteral).map(({ text }) => text);
  return new Set(
    specifiers
      .filter((text) => text.startsWith("."))
      .map((text) => relative(source, join(here, text)).replaceAll("\\", "/")),
  );
}

function nodesOf(node: Node): Node[] {
  const found: Node[] = [];
  node.forEachChild((child) => {
    found.push(child, ...nodesOf(child));
  });
  return found;
}
