import { type Address, parseAddress } from "../address.ts";
import type { Flow } from "../catalog/provider-row.ts";
import { MxtokenError } from "../errors.ts";
import type { Protocol } from "../mail-server.ts";
import type { World } from "../world/world.ts";
import { flows } from "./flow.ts";
import {
  type Arguments,
  dnsServerOption,
  onlyArgument,
  protocolsOption,
  textOption,
} from "./options.ts";
import type { ClientSecretSource, Settings } from "./settings.ts";

/**
 * Reads the settings from the options, then from `MXTOKEN_*`, for whatever is a word or a number.
 *
 * @param warn tells what works and should not be done
 * @throws MxtokenError `usage`, `configuration`
 */
export function readSettings(
  args: Arguments,
  world: World,
  warn: (text: string) => void,
): Settings {
  return { address: onlyAddress(args), ...readSettingsOfMany(args, world, warn) };
}

/** As {@link readSettings}, for a command that is about more than one mailbox. */
export function readSettingsOfMany(
  args: Arguments,
  world: World,
  warn: (text: string) => void,
): Omit<Settings, "address"> {
  const value = (name: string) => textOption(args, world, name);
  const verify = verifyList(args, world);
  return {
    provider: value("provider"),
    app: application(args, world),
    tenant: value("tenant"),
    login: loginOption(value("login")),
    flow: flowNamed(args, world),
    access: accessList(args, world, verify),
    verify,
    authorizeUri: value("authorize-uri"),
    tokenUri: value("token-uri"),
    deviceUri: value("device-uri"),
    revokeUri: value("revoke-uri"),
    issuer: value("issuer"),
    redirectUri: value("redirect-uri"),
    scope: value("scope"),
    clientId: value("client-id"),
    clientSecret: clientSecret(args, world, warn),
    clientCertificate: value("client-certificate"),
    clientKey: value("client-key"),
    serviceAccountKey: value("service-account-key"),
    selectAccount: args["select-account"] === true,
    imapServer: value("imap-server"),
    smtpServer: value("smtp-server"),
    popServer: value("pop-server"),
    tokenFile: value("token-file"),
    group: value("group"),
    caFile: value("ca-file"),
    proxy: value("proxy"),
    dnsServer: dnsServerOption(args, world),
    home: value("home"),
  };
}

/** A key that is named on the command line says the flow; one in the environment is there for it. */
function flowNamed(args: Arguments, world: World): Flow | undefined {
  const flow = flowOption(textOption(args, world, "flow"));
  if (args["service-account-key"] === undefined) return flow;
  if (args["flow"] === undefined || flow === "service-account") return "service-account";
  throw new MxtokenError(
    "configuration",
    `--service-account-key and --flow ${flow} contradict each other`,
  );
}

function flowOption(text: string | undefined): Flow | undefined {
  if (text === undefined) return undefined;
  const flow = flows.find((name) => name === text.trim().toLowerCase());
  if (flow !== undefined) return flow;
  throw new MxtokenError("usage", `--flow: ${JSON.stringify(text)} is no flow`, {
    hint: `known are ${flows.join(", ")}`,
  });
}

function loginOption(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  try {
    return parseAddress(text).text;
  } catch (error) {
    if (!(error instanceof MxtokenError)) throw error;
    throw error.with({ message: `--login: ${error.message}` });
  }
}

/** What is to be proven; an empty list for `none`. */
function verifyList(args: Arguments, world: World): readonly Protocol[] {
  if (textOption(args, world, "verify")?.trim().toLowerCase() === "none") return [];
  return protocolsOption(args, world, "verify") ?? ["imap"];
}

/** What the token shall open: what is named, and whatever is to be proven or used with it. */
function accessList(
  args: Arguments,
  world: World,
  verify: readonly Protocol[],
): readonly Protocol[] {
  const named = protocolsOption(args, world, "access") ?? ["imap"];
  return [...new Set([...named, ...verify])];
}

function onlyAddress(args: Arguments): Address {
  const text = onlyArgument(args);
  if (text !== undefined) return parseAddress(text);
  throw new MxtokenError("usage", "no mailbox address was given", {
    hint: "for example: foo@example.com; see --help of the command",
  });
}

function application(args: Arguments, world: World): string | undefined {
  const named = textOption(args, world, "app");
  if (args["thunderbird"] !== true) return named;
  if (args["app"] !== undefined && named !== "thunderbird") {
    throw new MxtokenError(
      "configuration",
      `--thunderbird and --app ${named} contradict each other`,
    );
  }
  return "thunderbird";
}

function clientSecret(
  args: Arguments,
  world: World,
  warn: (text: string) => void,
): ClientSecretSource {
  const names = ["client-secret", "client-secret-file", "client-secret-command"] as const;
  const byOption = names.filter((name) => args[name] !== undefined);
  // An option replaces whatever the environment says, whichever kind of source it names.
  const used = byOption.length > 0 ? byOption : names;
  const values = used.map((name) => [name, textOption(args, world, name)] as const);
  const given = values.filter(([, value]) => value !== undefined);
  const isCertificateNamed = textOption(args, world, "client-certificate") !== undefined;
  if (isCertificateNamed && given.length > 0) {
    // As among the sources of the secret, an option replaces what the environment says.
    if (byOption.length === 0 && args["client-certificate"] !== undefined) return {};
    throw new MxtokenError(
      "configuration",
      `--client-certificate and --${given[0]?.[0]} contradict each other`,
    );
  }
  if (given.length > 1) {
    throw new MxtokenError(
      "configuration",
      `the client secret is given more than once: ${given.map(([name]) => name).join(", ")}`,
    );
  }
  if (byOption[0] === "client-secret") {
    warn(
      "--client-secret can be read by everybody on this machine; use MXTOKEN_CLIENT_SECRET, --client-secret-file or --client-secret-command",
    );
  }
  const [name, value] = given[0] ?? [];
  if (name === "client-secret") return { value };
  return name === "client-secret-file" ? { file: value } : { command: value };
}
