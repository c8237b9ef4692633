import type { Counts } from "../keep/status-file.ts";
import type { Finding } from "../mail-server.ts";
import { showEndpoint } from "../settings/endpoint.ts";
import { isoSeconds } from "../token.ts";

/** A login as data, without what an explanation was made of. */
export function findingDocument(finding: Finding): object {
  return { ...finding, causeId: undefined, facts: undefined };
}

/** A login in one sentence without a full stop. */
export function showFinding(finding: Finding): string {
  if (finding.result !== "accepted") return finding.reason;
  const { probe, user, mechanism } = finding;
  const login = `proven by ${probe.toUpperCase()} login to ${showEndpoint(finding)} as ${user} with ${mechanism}`;
  switch (finding.probe) {
    case "imap":
      return `${login}: ${count(finding.folders, "folder")}, ${count(finding.messages, "message")} in INBOX`;
    case "pop":
      return `${login}: ${count(finding.messages, "message")}`;
    case "smtp":
      return `${login}; nothing was sent`;
  }
}

export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** A length of time for people, in the unit that is enough. */
export function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 100) return count(seconds, "second");
  const minutes = Math.round(seconds / 60);
  if (minutes < 100) return count(minutes, "minute");
  const hours = Math.round(minutes / 60);
  return hours < 48 ? count(hours, "hour") : count(Math.round(hours / 24), "day");
}

/** When an access token ends, in one sentence; times are ms since 1970. */
export function expiry(expiresAt: number | undefined, now: number): string {
  if (expiresAt === undefined) return "the server did not say when the access token expires";
  const minutes = Math.round((expiresAt - now) / 60_000);
  return `the access token expires at ${isoSeconds(expiresAt)}, in ${count(minutes, "minute")}`;
}

/** All accounts of `mxtoken keep` in a line. */
export function summary({ fresh, ...others }: Counts): string {
  const rest = Object.entries(others).flatMap(([state, number]) =>
    number === 0 ? [] : [`${number} ${state}`],
  );
  return [`${fresh} fresh`, ...rest].join(", ");
}

/** A time as data has it, where there is one. */
export function timeOf(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : isoSeconds(ms);
}
