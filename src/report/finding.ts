import type { Finding } from "../mail-server.ts";
import { showEndpoint } from "../settings/endpoint.ts";

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
