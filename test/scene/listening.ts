import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Addresses and ports on which a process of this machine listens, as `/proc` says. */
export function listening(pid: number): string[] {
  const sockets = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${name}`))?.[1] ?? [];
      } catch {
        // Closed meanwhile.
        return [];
      }
    }),
  );
  const tables = ["tcp", "tcp6"].map((name) => readFileSync(`/proc/${pid}/net/${name}`, "utf8"));
  return listeningIn(tables.join("\n"), (inode) => sockets.has(inode));
}

const listenState = "0A";

/** The same, read from the text of `/proc/net/tcp` and `/proc/net/tcp6`. */
export function listeningIn(
  tables: string,
  isWanted: (inode: string) => boolean = () => true,
): string[] {
  return tables
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === listenState && isWanted(fields[9] ?? ""))
    .map((fields) => {
      const [address = "", port = ""] = (fields[1] ?? "").split(":");
      return `${addresses[address] ?? address} ${Number.parseInt(port, 16)}`;
    });
}

const addresses: Readonly<Record<string, string>> = {
  "0100007F": "127.0.0.1",
  "00000000000000000000000001000000": "::1",
};
