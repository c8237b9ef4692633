import { encode } from "uqr";
import type { Event } from "../events.ts";
import { count } from "./finding.ts";

type DeviceCodeEvent = Extract<Event, { is: "deviceCode" }>;

/** Modules of light around a QR code; the standard's four make it too large for a terminal. */
const quietZone = 2;

/** Bright white on black, whatever the terminal's own colours are: a camera needs it that way round. */
const colours = ["\u001b[97;40m", "\u001b[0m"] as const;

/**
 * How a person is asked to sign in on another device (RFC 8628 section 3.3), for standard error.
 *
 * @param columns of the terminal; undefined where there is none
 */
export function askByDevice(event: DeviceCodeEvent, columns: number | undefined): string[] {
  const { account, why, userCode, verificationUri, consentName, expiresIn } = event;
  return [
    `mxtoken: a sign-in is needed: ${why}`,
    `mxtoken: sign in as ${account} with any browser on any device, at this address:`,
    "",
    verificationUri,
    "",
    "mxtoken: and type this code there:",
    "",
    userCode,
    "",
    ...qrCode(event, columns),
    ...(consentName === undefined
      ? []
      : [`mxtoken: the page will say ${consentName}: mxtoken acts as that application`]),
    `mxtoken: type no code that somebody else has sent you; this one is good for ${count(Math.max(1, Math.round(expiresIn / 60)), "minute")}, and the sign-in is noticed here by itself:`,
  ];
}

function qrCode(
  { verificationUri, verificationUriComplete, qr }: DeviceCodeEvent,
  columns: number | undefined,
): string[] {
  if (qr === false) return [];
  const rows = qrRows(verificationUriComplete ?? verificationUri);
  const fits = columns !== undefined && (rows[0]?.length ?? 0) <= columns;
  if (qr === undefined && !fits) return [];
  const [on, off] = columns === undefined ? ["", ""] : colours;
  return [...rows.map((row) => `${on}${row}${off}`), ""];
}

/** Whether a line is a row of a QR code in its colours, and nothing else. */
export function isQrLine(line: string): boolean {
  const [on, off] = colours;
  const isColoured = line.startsWith(on) && line.endsWith(off);
  return isColoured && /^[ ▄▀█]+$/.test(line.slice(on.length, -off.length));
}

/** The code in half blocks, two rows of modules in one of text; a full block is light. */
function qrRows(text: string): string[] {
  const { data, size } = encode(text, { border: quietZone });
  const isDark = (row: number, column: number) => data[row]?.[column] === true;
  const rows: string[] = [];
  for (let row = 0; row < size; row += 2) {
    let line = "";
    for (let column = 0; column < size; column += 1) {
      const upper = isDark(row, column);
      // Below an odd last row there is nothing, which is shown as light.
      const lower = row + 1 < size && isDark(row + 1, column);
      line += upper ? (lower ? " " : "▄") : lower ? "▀" : "█";
    }
    rows.push(line);
  }
  return rows;
}
