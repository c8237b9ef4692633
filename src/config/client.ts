import type { ApplicationRow, ProviderRow } from "../catalog/providers.ts";
import { MxtokenError } from "../errors.ts";
import { Secret } from "../secret.ts";
import { proxyOf } from "../world/http.ts";
import type { World } from "../world/world.ts";
import { readClientSecret } from "./client-secret.ts";
import type { Remembered, Settings } from "./settings.ts";

/** The OAuth client (RFC 6749 section 2) that asks for the token, and whom it asks. */
export interface OAuthClient {
  /** name of the application's row, or `own` where the person gave a client id */
  readonly app: string;
  readonly id: string;
  readonly secret: Secret | undefined;
  /** exactly as registered at the provider */
  readonly redirectUri: string;
  readonly authorizationEndpoint: string;
  readonly tokenEndpoint: string;
  /** whether the person named the token endpoint, instead of the provider's row */
  readonly isTokenEndpointNamed: boolean;
  /** what `iss` (RFC 9207) must be; undefined: its origin is compared with the endpoint's */
  readonly issuer: string | undefined;
  /** space-separated */
  readonly scope: string;
  /** whether the token endpoint wants the scope repeated when a token is refreshed */
  readonly scopeOnRefresh: boolean;
  readonly authorizationParameters: Readonly<Record<string, string>>;
  readonly loginHint: string;
  readonly tenant: string | undefined;
  /** the name on the provider's consent page, where it is not the person's own application */
  readonly consentName: string | undefined;
}

const ownApplication = "own";
const defaultApplication = "thunderbird";

/**
 * Completes the OAuth client: options first, then what the token file was made with, then the
 * application's row.
 *
 * @throws MxtokenError `usage` or `configuration`
 */
export async function resolveClient(
  world: World,
  settings: Settings,
  row: ProviderRow | undefined,
  remembered: Remembered,
): Promise<OAuthClient> {
  // Before a person is troubled: every request will need it.
  proxyOf(world.env);
  const { name, application } = resolveApplication(settings, row, remembered);
  // A file's client id stands for the application that was not named.
  const former = settings.app === undefined ? remembered.client : undefined;
  const id = settings.clientId ?? former ?? application?.clientId;
  if (id === undefined) throw missing("a client id", "client-id");
  const isRowsOwn = application !== undefined && id === application.clientId;
  const registered = isRowsOwn ? { name, application } : undefined;
  const tenant = resolveTenant(settings, row, remembered);
  return {
    app: isRowsOwn ? name : ownApplication,
    id,
    secret: await resolveSecret(world, settings, registered),
    redirectUri: checkRedirectUri(
      settings.redirectUri ?? application?.redirectUri ?? "http://localhost",
    ),
    authorizationEndpoint: endpointOf(
      "authorize-uri",
      settings.authorizeUri,
      row?.authorizationEndpoint,
      tenant,
    ),
    tokenEndpoint: endpointOf("token-uri", settings.tokenUri, row?.tokenEndpoint, tenant),
    isTokenEndpointNamed: settings.tokenUri !== undefined,
    issuer: resolveIssuer(settings, row),
    scope: settings.scope ?? scopeOf(row),
    // Like the issuer, this speaks for the row's own server only.
    scopeOnRefresh: settings.tokenUri === undefined && (row?.scopeOnRefresh ?? false),
    authorizationParameters: row?.authorizationParameters ?? {},
    loginHint: settings.login ?? settings.address.text,
    tenant,
    consentName: isRowsOwn ? application.consentName : undefined,
  };
}

/**
 * The person's own secret, or the one that the application's publisher shows to everybody.
 *
 * @param registered the application of the catalogue, where its client id is the one in use
 */
async function resolveSecret(
  world: World,
  settings: Settings,
  registered: { name: string; application: ApplicationRow } | undefined,
): Promise<Secret | undefined> {
  const given = await readClientSecret(world, settings.clientSecret);
  if (registered === undefined) return given;
  const { name, application } = registered;
  if (given === undefined && application.needsOwnSecret) {
    throw new MxtokenError(
      "configuration",
      `the application ${name} has a client secret, which is its author's and not ours to ship`,
      {
        hint: "give it by MXTOKEN_CLIENT_SECRET, --client-secret-file or --client-secret-command, or use --app thunderbird",
      },
    );
  }
  if (given !== undefined && !application.needsOwnSecret && settings.tokenUri === undefined) {
    throw new MxtokenError(
      "configuration",
      `a client secret is given, but ${name} is not an application of yours`,
      { hint: "pass --client-id too, or take the secret out of the options and the environment" },
    );
  }
  const published = application.publishedClientSecret;
  return given ?? (published === undefined ? undefined : new Secret(published));
}

function resolveApplication(
  settings: Settings,
  row: ProviderRow | undefined,
  remembered: Remembered,
): { name: string; application: ApplicationRow | undefined } {
  const known: Readonly<Record<string, ApplicationRow>> = row?.applications ?? {};
  const named = settings.app?.toLowerCase();
  if (named !== undefined) {
    if (Object.hasOwn(known, named)) return { name: named, application: known[named] };
    const where =
      row === undefined ? "for a provider that is given by its values" : `at ${row.name}`;
    throw new MxtokenError(
      "configuration",
      `no application ${JSON.stringify(named)} is known ${where}`,
      {
        hint: `known are ${Object.keys(known).join(", ") || "none"}; for one of your own pass --client-id and its secret`,
      },
    );
  }
  const former = remembered.app ?? defaultApplication;
  const name = Object.hasOwn(known, former) ? former : defaultApplication;
  return { name, application: known[name] };
}

function resolveTenant(
  settings: Settings,
  row: ProviderRow | undefined,
  remembered: Remembered,
): string | undefined {
  if (row?.defaultTenant === undefined) {
    if (settings.tenant === undefined) return undefined;
    throw new MxtokenError(
      "configuration",
      `--tenant: ${row?.name ?? "this provider"} has no tenants, only Microsoft does`,
    );
  }
  const tenant = settings.tenant ?? remembered.tenant ?? row.defaultTenant;
  if (!/^[A-Za-z0-9][A-Za-z0-9.-]*$/.test(tenant)) {
    throw new MxtokenError("usage", `--tenant: ${JSON.stringify(tenant)} is not a tenant`, {
      hint: "a tenant is an id like 72f988bf-…, a domain like contoso.com, or common, organizations or consumers",
    });
  }
  return tenant;
}

function endpointOf(
  option: string,
  given: string | undefined,
  fromRow: string | undefined,
  tenant: string | undefined,
): string {
  const template = given ?? fromRow;
  if (template === undefined) throw missing("an endpoint", option);
  const text = template.replaceAll("{tenant}", tenant ?? "{tenant}");
  if (!URL.canParse(text)) {
    throw new MxtokenError("usage", `--${option}: ${JSON.stringify(text)} is not an address`);
  }
  const url = new URL(text);
  if (url.username !== "" || url.password !== "") {
    // The text is not shown: it holds a password.
    throw new MxtokenError("usage", `--${option}: there must be no user and no password in it`);
  }
  // RFC 6749 section 3.1 and 3.2: TLS is required, and there is no fragment.
  if (url.protocol !== "https:" || url.hash !== "") {
    throw new MxtokenError(
      "usage",
      `--${option}: ${JSON.stringify(text)} must begin with https:// and have no fragment`,
    );
  }
  return text;
}

function checkRedirectUri(text: string): string {
  if (!/^[\x21-\x7e]+$/.test(text) || !URL.canParse(text) || text.includes("#")) {
    throw new MxtokenError(
      "usage",
      `--redirect-uri: ${JSON.stringify(text)} is not a redirect URI`,
      {
        hint: "give it exactly as it is registered, for example https://localhost",
      },
    );
  }
  return text;
}

/** Overriding an endpoint drops the row's issuer: it speaks for the row's own server only. */
function resolveIssuer(settings: Settings, row: ProviderRow | undefined): string | undefined {
  if (settings.issuer !== undefined) {
    if (URL.canParse(settings.issuer) && new URL(settings.issuer).protocol === "https:") {
      return settings.issuer;
    }
    throw new MxtokenError(
      "usage",
      `--issuer: ${JSON.stringify(settings.issuer)} must begin with https://`,
    );
  }
  const overridden = settings.authorizeUri !== undefined || settings.tokenUri !== undefined;
  return overridden ? undefined : row?.issuer;
}

function scopeOf(row: ProviderRow | undefined): string {
  if (row === undefined) throw missing("a scope", "scope");
  return [row.scopes.imap, ...row.extraScopes].join(" ");
}

function missing(what: string, option: string): MxtokenError {
  return new MxtokenError("configuration", `${what} is needed: pass --${option}`);
}
