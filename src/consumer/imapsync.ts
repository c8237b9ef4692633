import { type Mailbox, serverOf } from "../config/mailbox.ts";
import { quoteForCmd, quoteForShell } from "./quote.ts";

/**
 * The options by which imapsync opens this mailbox with the token file, ready to be pasted.
 *
 * `--password` must be given and is not used; TLS is unverified in imapsync unless told otherwise;
 * the path is absolute because imapsync may change its directory.
 *
 * @param side 1 for the mailbox that is copied from, 2 for the one that is copied to
 */
export function imapsyncOptions(
  mailbox: Mailbox,
  tokenFile: string,
  side: 1 | 2,
  platform: NodeJS.Platform,
): string {
  const { host, port, tls } = serverOf(mailbox, "imap");
  const quote = platform === "win32" ? quoteForCmd : quoteForShell;
  const usualPort = tls === "implicit" ? 993 : 143;
  return [
    `--host${side} ${quote(host)}`,
    ...(port === usualPort ? [] : [`--port${side} ${port}`]),
    tls === "implicit" ? `--ssl${side}` : `--tls${side}`,
    `--user${side} ${quote(mailbox.address.text)}`,
    `--password${side} x`,
    `--oauthaccesstoken${side} ${quote(tokenFile)}`,
    `--sslargs${side} SSL_verify_mode=1`,
    ...(mailbox.caFile === undefined
      ? []
      : [`--sslargs${side} ${quote(`SSL_ca_file=${mailbox.caFile}`)}`]),
  ].join(" ");
}
