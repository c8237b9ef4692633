import type { Address } from "../address.ts";
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
  readonly authorizeUri?: string | undefined;
  readonly tokenUri?: string | undefined;
  readonly issuer?: string | undefined;
  readonly redirectUri?: string | undefined;
  readonly scope?: string | undefined;
  readonly clientId?: string | undefined;
  readonly clientSecret: ClientSecretSource;
  readonly imapServer?: string | undefined;
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

/** What the comments of a token file say it was made with. */
export interface Remembered {
  readonly provider?: string | undefined;
  readonly app?: string | undefined;
  readonly client?: string | undefined;
  readonly tenant?: string | undefined;
}
