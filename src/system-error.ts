import { constants } from "node:os";

// What a system says of files, as its errors tell it.

const systemReasons: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "permission denied",
  ENOENT: "it does not exist",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  ENOTDIR: "a part of the path is not a directory",
  EISDIR: "it is a directory",
  ELOOP: "it is a symbolic link",
  ENAMETOOLONG: "the name is too long",
  EPIPE: "nobody reads it any more",
  EMFILE: "this process has too many files open (EMFILE)",
  ENFILE: "this machine has too many files open (ENFILE)",
  ENOMEM: "there is not enough memory (ENOMEM)",
  EIO: "the disk cannot read or write it (EIO)",
  EAGAIN: "the system is short of something (EAGAIN)",
  ESTALE: "the network file system does not find it now (ESTALE)",
  ETIMEDOUT: "the network file system does not answer (ETIMEDOUT)",
  ENOLCK: "the file system has no lock to give (ENOLCK)",
  EOPNOTSUPP: "the file system cannot do that (EOPNOTSUPP)",
  ENOTSUP: "the file system cannot do that (ENOTSUP)",
  ENOSYS: "the system cannot do that (ENOSYS)",
  EUCLEAN: "the file system is damaged (EUCLEAN)",
  EROFS: "the file system is read-only",
};

/**
 * What a system says of a path itself, of what lies there and of who may use it (POSIX, open and read),
 * on which only somebody's doing has an effect.
 */
const ofThePath: ReadonlySet<string> = new Set([
  ...["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG", "EILSEQ", "EACCES", "EPERM", "EROFS"],
  ...["EISDIR", "ENXIO", "ENODEV", "EINVAL", "EOPNOTSUPP", "ENOTSUP", "EFBIG", "EOVERFLOW"],
]);

/**
 * Whether a file that could not be read now may be read later although nobody does anything about it:
 * the system was short of something, or the disk did not answer, and nothing is wrong with the path.
 */
export function mayBeReadLater(error: unknown): boolean {
  const code = systemCode(error);
  // Node's own codes, as for a path that is none, begin with ERR_.
  return code !== undefined && /^E[A-Z0-9]+$/.test(code) && !ofThePath.has(code);
}

/** Node has no name for some of them, and shows their number. */
const numbers = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** The code of a failed system call, like ENOENT. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") {
    return undefined;
  }
  const [, number] = /^Unknown system error -(\d+)$/.exec(error.code) ?? [];
  return (number === undefined ? undefined : numbers.get(Number(number))) ?? error.code;
}

/** Why a file could not be read or written, in words where there are some. */
export function systemReason(error: unknown): string {
  const code = systemCode(error) ?? "unknown reason";
  return systemReasons[code] ?? code;
}
