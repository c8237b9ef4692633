import type { Address } from "../address.ts";
import type { Flow } from "../catalog/provider-row.ts";
import type { Protocol } from "../mail-server.ts";
import type { Resolver } from "./resolvers.ts";

/**
 * What the person gave, by option or by `MXTOKEN_*` environment, checked for its form only and
 * not yet completed from the catalogue.
 */
export interface Settings {
  readonly address: Address;
  readonly provider?: string | undefined;
  readonly app?: string | undefined;
  readonly tenant?: string | undefined;
  readonly login?: string | undefined;
  /** undefined: as the token file was made, else by a code */
  readonly flow?: Flow | undefined;
  /** what the token shall open; at least one */
  readonly access: readonly Protocol[];
  /** what proves it; empty: nothing does */
  readonly verify: readonly Protocol[];
  readonly authorizeUri?: string | undefined;
  readonly tokenUri?: string | undefined;
  readonly deviceUri?: string | undefined;
  readonly revokeUri?: string | undefined;
  readonly issuer?: string | undefined;
  readonly redirectUri?: string | undefined;
  readonly scope?: string | undefined;
  readonly clientId?: string | undefined;
  readonly clientSecret: ClientSecretSource;
  readonly clientCertificate?: string | undefined;
  readonly clientKey?: string | undefined;
  readonly serviceAccountKey?: string | undefined;
  /** let the person choose the account, whoever is signed in */
  readonly selectAccount?: boolean;
  readonly imapServer?: string | undefined;
  readonly smtpServer?: string | undefined;
  readonly popServer?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly group?: string | undefined;
  readonly caFile?: string | undefined;
  readonly proxy?: string | undefined;
  readonly dnsServer?: Resolver | undefined;
  readonly home?: string | undefined;
}

/** Where the client secret comes from; at most one of them is set. */
export interface ClientSecretSource {
  readonly value?: string | undefined;
  readonly file?: string | undefined;
  readonly command?: string | undefined;
}
