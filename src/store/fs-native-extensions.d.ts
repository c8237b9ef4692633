// The package brings no types.
declare module "fs-native-extensions" {
  /** An exclusive lock on the open file: true when it was granted, false when another has it. */
  export function tryLock(fd: number): boolean;
  export function unlock(fd: number): void;
}
