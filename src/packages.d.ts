// The package brings no types.
declare module "fs-native-extensions" {
  /** An exclusive lock on the open file: true when it was granted, false when another has it. */
  export function tryLock(fd: number): boolean;
  export function unlock(fd: number): void;
}

// From Node 22.5 on, and not in the types of Node 20.
declare module "node:sqlite" {
  export class DatabaseSync {
    /** @param options.timeout how long it waits for a lock, ms */
    constructor(path: string, options?: { timeout?: number });
    exec(statement: string): void;
    close(): void;
  }
}

// The parts of undici that send a request. Its index loads all the others as well, fetch, WebSocket and cache among
// them, which takes twice the time and the memory.

declare module "undici/lib/dispatcher/agent.js" {
  export { Agent as default } from "undici";
}

declare module "undici/lib/api/api-request.js" {
  import type { Dispatcher } from "undici";
  export default function request(
    this: Dispatcher,
    options: Dispatcher.RequestOptions,
  ): Promise<Dispatcher.ResponseData>;
}

declare module "undici/lib/core/connect.js" {
  export { buildConnector as default } from "undici";
}
