import type { Event } from "../events.ts";

/** What a person must answer or know. */
export const neverQuiet: ReadonlySet<Event["is"]> = new Set([
  "signIn",
  "deviceCode",
  "deviceCodeExpired",
  "otherAccount",
  "notRevoked",
  "nothingHere",
  "revokedByHand",
  "tokensBeside",
  "tokensKeptBeside",
  "tokenWanted",
  "answerRefused",
  "browserNotOpened",
  "noRefreshToken",
  "finishingRequest",
]);

/** What went another way than the person may think. */
export const warnings: ReadonlySet<Event["is"]> = new Set([
  "scopeNotDelegated",
  "clockDiffers",
  "scopesMissing",
  "shortLived",
  "rolesMissing",
  "notStored",
  "readableByEverybody",
  "keptUntilProven",
]);
