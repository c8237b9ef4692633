/** `inspect.custom` of `node:util`, which takes its time to load. */
const inspectCustom = Symbol.for("nodejs.util.inspect.custom");

const shown = "[secret]";

/**
 * A token, authorization code, PKCE verifier or client secret. However it is printed, logged,
 * interpolated or serialised, it reads `[secret]`; {@link Secret.reveal} is the only door out.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself, for the one place that sends or stores it. */
  reveal(): string {
    return this.#value;
  }

  /** How many characters it has. */
  get length(): number {
    return this.#value.length;
  }

  /** Whether both hold the same value. */
  equals(other: Secret | undefined): boolean {
    return other !== undefined && this.#value === other.#value;
  }

  /** Whether it begins with one of these. */
  startsWithAny(prefixes: readonly string[]): boolean {
    return prefixes.some((prefix) => this.#value.startsWith(prefix));
  }

  toString(): string {
    return shown;
  }

  toJSON(): string {
    return shown;
  }

  [inspectCustom](): string {
    return shown;
  }
}

/**
 * Replaces every given secret in a text that came from elsewhere (a server's words, a protocol
 * line), also where it stands percent-encoded, form-encoded or in base64, and pieces of it: a server
 * may quote what it has cut off.
 */
export function blackOut(text: string, secrets: readonly (Secret | undefined)[]): string {
  const forms = secrets.flatMap((secret) => {
    const value = secret?.reveal() ?? "";
    // Shorter values would also black out ordinary words.
    return value.length < 6 ? [] : [...formsOf(value)];
  });
  let result = text;
  for (const form of forms) result = result.replaceAll(form, shown);
  return result.replace(/[\w+/~-]{16,}=*/g, (run) =>
    forms.some((form) => form.includes(run)) ? shown : run,
  );
}

function formsOf(value: string): Set<string> {
  return new Set([
    value,
    encodeURIComponent(value),
    new URLSearchParams([["", value]]).toString().slice(1),
    Buffer.from(value).toString("base64"),
    Buffer.from(value).toString("base64url"),
  ]);
}

/**
 * Makes a text from elsewhere fit for a terminal and a single line: escape sequences and control
 * characters lose their power, runs of blanks become one, and it ends after `limit` characters.
 */
export function harmless(text: string, limit = 600): string {
  // Nearly all are, and there is nothing to be made of them.
  if (text.length <= limit && !/[^ -~]| {2}|^ | $/.test(text)) return text;
  const line = text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ")
    .replace(/ {2,}/g, " ")
    .trim();
  const characters = [...line];
  return characters.length <= limit ? line : `${characters.slice(0, limit).join("")}…`;
}
