/** ISO 8601 in UTC with whole seconds, rounded down: an expiry must not be shown later than it is. */
export function isoSeconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
