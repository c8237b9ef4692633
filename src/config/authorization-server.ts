import type { ProviderRow } from "../catalog/provider-row.ts";
import { MxtokenError } from "../errors.ts";
import type { Remembered, Settings } from "./settings.ts";

/**
 * The Microsoft tenant: named, or the one that the token file was made with, or the row's.
 *
 * @throws MxtokenError `usage`, `configuration`
 */
export function resolveTenant(
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

/**
 * An endpoint of the authorization server, by option or from the provider's row.
 *
 * @param option the option's name, for the error
 * @throws MxtokenError `usage`, `configuration`
 */
export function endpointOf(
  option: string,
  given: string | undefined,
  fromRow: string | undefined,
  tenant: string | undefined,
): string {
  const template = given ?? fromRow;
  if (template === undefined) {
    throw new MxtokenError("configuration", `an endpoint is needed: pass --${option}`);
  }
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

/** @throws MxtokenError `usage` */
export function checkRedirectUri(text: string): string {
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

/**
 * What `iss` must be. Overriding an endpoint drops the row's issuer: it speaks for the row's own
 * server only.
 *
 * @throws MxtokenError `usage`
 */
export function resolveIssuer(
  settings: Settings,
  row: ProviderRow | undefined,
): string | undefined {
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
