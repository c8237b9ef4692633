import type { Finding } from "../finding.ts";
import { isoSeconds } from "../time.ts";
import type { Proof } from "./proof.ts";

/** The comment about a proof; one that did not come about is called unverified. */
export function verifiedNote({ findings }: Proof, now: number): string {
  const servers = (wanted: Finding["result"]) =>
    findings
      .filter(({ result }) => result === wanted)
      .map(({ probe, host, port }) => `${probe.toUpperCase()} at ${host}:${port}`)
      .join(", ");
  const time = isoSeconds(now);
  const others = [
    [servers("refused"), "refused it"],
    [servers("unreachable"), "was not reachable"],
  ].flatMap(([where, what]) => (where === "" ? [] : [`${where} ${what}`]));
  const accepted = servers("accepted");
  if (accepted !== "") return [`${time} by ${accepted}`, ...others].join("; ");
  const why = findings.length === 0 ? "no proof was wanted" : others.join("; ");
  return `no, unverified: ${why} at ${time}`;
}

/** The comment about a token that is not proven yet. */
export function unprovenNote(now: number): string {
  return `no, unverified: not tried yet at ${isoSeconds(now)}`;
}
