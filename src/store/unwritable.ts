import { MxtokenError } from "../errors.ts";

const reasons: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
  ENOTDIR: "a part of the path is not a directory",
  EISDIR: "it is a directory",
  ELOOP: "it is a symbolic link",
  ENAMETOOLONG: "the name is too long",
};

/** A failed write as the error that the person sees, with the place and the reason. */
export function unwritable(path: string, error: unknown): MxtokenError {
  if (error instanceof MxtokenError) return error;
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
  const reason = reasons[code] ?? code;
  return new MxtokenError("unwritable", `cannot write ${path}: ${reason}`, { cause: error });
}
