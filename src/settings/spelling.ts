/**
 * oauth2_imap's ways to write an option: `--token_file` and `-token_file` are `--token-file`,
 * whatever stands behind `=`.
 */
export function withDashes(word: string): string {
  const [, name, value = ""] = /^--?([a-z][a-z0-9_-]+)(=.*)?$/is.exec(word) ?? [];
  return name === undefined ? word : `--${name.replaceAll("_", "-")}${value}`;
}
