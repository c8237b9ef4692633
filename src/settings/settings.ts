import type { Flow } from "../catalog/provider-row.ts";
import { MxtokenError } from "../errors.ts";
import type { Protocol } from "../mail-server.ts";
import { type Address, parseAddress } from "../mailbox.ts";
import type { Given } from "./given.ts";
import { type AccountOptionName, accountRows } from "./option-rows.ts";
import { parseDnsServer, type Resolver } from "./servers.ts";

/** Options that are more than text, or that several options say together. */
const readApart = [
  "app",
  "thunderbird",
  "login",
  "flow",
  "access",
  "verify",
  "client-secret",
  "client-secret-file",
  "client-secret-command",
  "dns-server",
] as const satisfies readonly AccountOptionName[];

/** The options that are settings as they stand. */
export type PlainName = Exclude<AccountOptionName, (typeof readApart)[number]>;

const plainRows = accountRows.filter(({ name }) => !readApart.some((each) => each === name));

type CamelCase<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name;

/** `token-uri` is `tokenUri`. */
type PlainSettings = {
  readonly [Name in PlainName as CamelCase<Name>]?: string | undefined;
};

/**
 * What the person gave, by option or by `MXTOKEN_*` environment, checked for its form only and
 * not yet completed from the catalogue: every option of an account by its name in camel case, as
 * far as it is text.
 */
export interface Settings extends PlainSettings {
  readonly address: Address;
  readonly app?: string | undefined;
  readonly login?: string | undefined;
  /** undefined: as the token file was made, else by a code */
  readonly flow?: Flow | undefined;
  /** what the token shall open; at least one */
  readonly access: readonly Protocol[];
  /** what proves it; empty: nothing does */
  readonly verify: readonly Protocol[];
  readonly clientSecret: ClientSecretSource;
  /** let the person choose the account, whoever is signed in */
  readonly selectAccount?: boolean;
  readonly dnsServer?: Resolver | undefined;
}

/** Where the client secret comes from; at most one of them is set. */
export interface ClientSecretSource {
  readonly value?: string | undefined;
  readonly file?: string | undefined;
  readonly command?: string | undefined;
}

/**
 * The settings for the one mailbox that is named.
 *
 * @param warn tells what works and should not be done
 * @throws MxtokenError `usage`, `configuration`
 */
export function resolveSettings(given: Given, warn: (text: string) => void): Settings {
  const text = given.onlyWord();
  if (text === undefined) {
    throw new MxtokenError("usage", "no mailbox address was given", {
      hint: "for example: foo@example.com; see --help of the command",
    });
  }
  return { address: parseAddress(text), ...resolveCommonSettings(given, warn) };
}

/** As {@link resolveSettings}, for a command that is about more than one mailbox. */
export function resolveCommonSettings(
  given: Given,
  warn: (text: string) => void,
): Omit<Settings, "address"> {
  const plain: PlainSettings = Object.fromEntries(
    plainRows.map((row) => [camelCase(row.name), given.valueOf(row)]),
  );
  const verify = verifyList(given);
  return {
    ...plain,
    app: application(given),
    login: loginOf(given),
    flow: flowNamed(given),
    // Whatever is to be proven is opened as well.
    access: [...new Set([...(given.protocols("access") ?? ["imap"]), ...verify])],
    verify,
    clientSecret: clientSecret(given, warn),
    selectAccount: given.flag("select-account"),
    dnsServer: dnsServerOf(given),
  };
}

/** The setting that an option makes. */
export function settingOf(settings: PlainSettings, name: PlainName): string | undefined {
  const byName: Readonly<Record<string, string | undefined>> = settings;
  return byName[camelCase(name)];
}

export function camelCase(name: string): string {
  return name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** @throws MxtokenError `usage` */
export function dnsServerOf(given: Given): Resolver | undefined {
  const text = given.text("dns-server");
  return text === undefined ? undefined : parseDnsServer(text);
}

/** A key that is named on the command line says the flow; one in the environment is there for it. */
function flowNamed(given: Given): Flow | undefined {
  const flow = given.word("flow");
  if (!given.isOption("service-account-key")) return flow;
  if (!given.isOption("flow") || flow === "service-account") return "service-account";
  throw new MxtokenError(
    "configuration",
    `--service-account-key and --flow ${flow} contradict each other`,
  );
}

function loginOf(given: Given): string | undefined {
  const text = given.text("login");
  if (text === undefined) return undefined;
  try {
    return parseAddress(text).text;
  } catch (error) {
    if (!(error instanceof MxtokenError)) throw error;
    throw error.with({ message: `--login: ${error.message}` });
  }
}

/** What is to be proven; an empty list for `none`. */
function verifyList(given: Given): readonly Protocol[] {
  if (given.text("verify")?.trim().toLowerCase() === "none") return [];
  return given.protocols("verify") ?? ["imap"];
}

function application(given: Given): string | undefined {
  const named = given.text("app");
  if (!given.flag("thunderbird")) return named;
  if (given.isOption("app") && named !== "thunderbird") {
    throw new MxtokenError(
      "configuration",
      `--thunderbird and --app ${named} contradict each other`,
    );
  }
  return "thunderbird";
}

function clientSecret(given: Given, warn: (text: string) => void): ClientSecretSource {
  const names = ["client-secret", "client-secret-file", "client-secret-command"] as const;
  const byOption = names.filter((name) => given.isOption(name));
  // An option replaces whatever the environment says, whichever kind of source it names.
  const used = byOption.length > 0 ? byOption : names;
  const values = used.map((name) => [name, given.text(name)] as const);
  const found = values.filter(([, value]) => value !== undefined);
  const isCertificateNamed = given.text("client-certificate") !== undefined;
  if (isCertificateNamed && found.length > 0) {
    // As among the sources of the secret, an option replaces what the environment says.
    if (byOption.length === 0 && given.isOption("client-certificate")) return {};
    throw new MxtokenError(
      "configuration",
      `--client-certificate and --${found[0]?.[0]} contradict each other`,
    );
  }
  if (found.length > 1) {
    throw new MxtokenError(
      "configuration",
      `the client secret is given more than once: ${found.map(([name]) => name).join(", ")}`,
    );
  }
  if (byOption[0] === "client-secret") {
    warn(
      "--client-secret can be read by everybody on this machine; use MXTOKEN_CLIENT_SECRET, --client-secret-file or --client-secret-command",
    );
  }
  const [name, value] = found[0] ?? [];
  if (name === "client-secret") return { value };
  return name === "client-secret-file" ? { file: value } : { command: value };
}
