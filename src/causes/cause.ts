/** What a mail server speaks; it stands here because the room of mail servers is below. */
type Protocol = "imap" | "smtp" | "pop";

/** What is known of a failure, as plain data (JSON). Words in it are fit to be shown, and hold no secret. */
export interface Facts {
  /** who was asked: host or `host:port`, perhaps with the proxy on the way to it */
  readonly host?: string | undefined;
  /** which endpoint of an authorization server, in the words of RFC 6749 section 3 */
  readonly endpoint?: string | undefined;
  /** of the mail server */
  readonly protocol?: Protocol | undefined;
  /** where servers of this protocol usually begin with TLS at once */
  readonly port?: number | undefined;
  /** the proxy on the way to it, as `host:port` */
  readonly proxy?: string | undefined;
  /** the option or the variable that names the proxy */
  readonly setting?: string | undefined;
  /** how a proxy lets somebody log in (RFC 9110 section 11.1) */
  readonly schemes?: readonly string[] | undefined;
  /** of a SOCKS proxy (RFC 1928 sections 3 and 6) */
  readonly socksReply?: number | undefined;
  /** of HTTP */
  readonly status?: number | undefined;
  /** seconds that the server asks us to wait */
  readonly retryAfter?: number | undefined;
  /** a name of Node's, of OpenSSL's, of undici's or of a system call's */
  readonly code?: string | undefined;
  /** the server's own error code (RFC 6749 section 5.2, RFC 8628 section 3.5) */
  readonly oauthError?: string | undefined;
  /** the server's own words */
  readonly said?: string | undefined;
  /** address of the mailbox */
  readonly mailbox?: string | undefined;
  /** who logs in to it */
  readonly login?: string | undefined;
  /** characters of the access token */
  readonly tokenLength?: number | undefined;
  /** whose the token is */
  readonly owner?: string | undefined;
  /** the application's id */
  readonly client?: string | undefined;
  readonly tenant?: string | undefined;
  /** Object ID of the application among Microsoft's Enterprise applications */
  readonly servicePrincipal?: string | undefined;
  /** address of Google's service account */
  readonly serviceAccount?: string | undefined;
  readonly scopes?: readonly string[] | undefined;
  /** application permissions that the token lacks */
  readonly roles?: readonly string[] | undefined;
  /** what the token is for */
  readonly access?: readonly Protocol[] | undefined;
  /** the file that it is about */
  readonly path?: string | undefined;
  /** where it is instead */
  readonly elsewhere?: string | undefined;
  /** the option that leads there */
  readonly option?: string | undefined;
  /** the server has taken the token, and refuses what comes after it */
  readonly isLoggedIn?: boolean | undefined;
  /** nobody has said when the token ends, and it does not say so itself */
  readonly isEndUnknown?: boolean | undefined;
  /** as an authorization server's metadata name it */
  readonly namedIssuer?: string | undefined;
  /** nothing proves that the application, or whoever asks a proxy, is who it says */
  readonly isWithoutCredentials?: boolean | undefined;
  /** nobody knows whether what was asked for was done all the same */
  readonly isInDoubt?: boolean | undefined;
}

/** What facts must be like, all of it. */
export type Pattern = { readonly [Name in keyof Facts]: Facts[Name] | RegExp };

/** Who can do something about it. */
export type Who = "you" | "administrator" | "applicationOwner" | "provider" | "program";

/** What to do, as a half sentence; or a command line for it, ready to be copied. */
export type Step = string | { readonly command: string };

/** A known failure. */
export interface CauseRow {
  /** stable: scripts may see it */
  readonly id: string;
  /** what it is recognised by, any of them; where there is nothing, only by who has met it */
  readonly matches?: readonly Pattern[];
  /** what it must be recognised by, where that are not the patterns themselves */
  readonly examples?: readonly (Facts | string)[];
  readonly who: Who;
  /** in lower case, without a full stop */
  readonly cause: string | ((facts: Facts) => string);
  /** left out where one can only wait for others, or where the cause itself asks what to look at */
  readonly remedy?: string | ((facts: Facts) => readonly Step[]);
  /** where that is written */
  readonly source: string;
}
