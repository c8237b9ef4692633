declare const buildId: string;

/** The program's files are in here, and this file with them. */
export const root = __dirname;

/** Named by what this build contains: V8 would take code of another text that is as long. */
export const directoryOfCode = `${root}/code-cache/${buildId}`;

/**
 * Where V8's code for one of the program's files is.
 *
 * @param name from the program's directory, with slashes
 */
export function codeFileOf(name: string): string {
  return `${directoryOfCode}/${name.replaceAll("/", "-")}.bin`;
}
