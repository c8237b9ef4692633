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

/**
 * V8 runs code that is damaged, so it is there twice: to compare takes no time, where a checksum of Node's takes
 * longer to load than a stored token to be shown.
 */
export function doubled(code: Buffer): Buffer {
  return Buffer.concat([code, code]);
}

/** @returns undefined where it is not what {@link doubled} has made */
export function undoubled(bytes: Buffer): Buffer | undefined {
  const half = bytes.length / 2;
  const code = bytes.subarray(0, half);
  return code.equals(bytes.subarray(half)) ? code : undefined;
}
