import type { RunScene, Side } from "./run-scene.ts";

/**
 * A program, in CommonJS, that reads the token files that `mxtoken run` names again and again, and logs
 * in with each token to the IMAP server at IMAP_PORT. It ends with 3 when its file `stop` is there, with
 * 1 at the first thing that is not as it should be, and ignores what IGNORED names.
 */
export const readerProgram = `
const { existsSync, readFileSync } = require("node:fs");
const { connect } = require("node:tls");
const { IMAP_PORT, CA_FILE, IGNORED = "" } = process.env;
for (const name of IGNORED.split(" ").filter(Boolean)) {
  process.on(name, () => console.error("ignored " + name));
}
const users = process.argv.slice(2);
const files = users.map((_user, index) => process.env["MXTOKEN_TOKEN_FILE_" + (index + 1)]);
const ca = readFileSync(CA_FILE);

function lineOne(file) {
  const text = readFileSync(file, "utf8");
  const [one, two] = text.split("\\n");
  const isWhole = /^(stored-\\w+|access-\\d+-[0-9a-f-]{36})$/.test(one) &&
    /^refresh-(0-\\w+|\\d+-[0-9a-f-]{36})$/.test(two) && text.endsWith("\\n");
  if (!isWhole) throw new Error("the file held " + JSON.stringify(text));
  return one;
}

function logIn(user, token) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "localhost", port: Number(IMAP_PORT), ca });
    const response = Buffer.from("user=" + user + "\\u0001auth=Bearer " + token + "\\u0001\\u0001");
    let text = "";
    socket.on("error", reject);
    socket.on("data", (chunk) => {
      text += chunk;
      if (/^\\* OK/.test(text)) {
        socket.write("a AUTHENTICATE XOAUTH2 " + response.toString("base64") + "\\r\\n");
        text = "";
      } else if (/^a OK/m.test(text)) {
        socket.end();
        resolve();
      } else if (/^[+]|^a NO/m.test(text)) {
        socket.destroy();
        reject(new Error(user + " was refused: " + text));
      }
    });
  });
}

async function main() {
  console.error("ready");
  for (;;) {
    for (let index = 0; index < users.length; index += 1) {
      let token = "";
      for (let count = 0; count < 20; count += 1) token = lineOne(files[index]);
      await logIn(users[index], token);
    }
    if (existsSync("stop")) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
main().then(() => process.exit(3), (error) => {
  console.log("failed: " + error.message);
  process.exit(1);
});
`;

/** What the IMAP server knows of the tokens. */
export interface Judge {
  /** resolves when the side's reader has logged in with so many different tokens */
  seen(side: Side, count: number): Promise<void>;
  /** resolves at the next login */
  next(): Promise<void>;
  /** tokens that were sent and are not, or no longer, good */
  readonly refused: string[];
}

/** Makes the IMAP server accept each token from when it is handed out until its end, by the real clock. */
export function judgeByLife(place: RunScene): Judge {
  const ends = new Map<string, number>();
  const used = new Map<string, Set<string>>();
  const watchers = new Set<() => void>();
  const refused: string[] = [];
  for (const side of place.sides) {
    ends.set(side.lines().accessToken, Date.now() + 3_600_000);
    const { answer } = side;
    side.answer = async (request) => {
      const answered = await answer(request);
      if (answered !== "drop" && typeof answered.body === "object") {
        const token: unknown = Reflect.get(answered.body, "access_token");
        ends.set(String(token), Date.now() + side.life * 1000);
      }
      return answered;
    };
  }
  let logins = 0;
  place.scene.imap.login = (token) => {
    const user = place.scene.imap.logins.at(-1)?.user ?? "";
    logins += 1;
    const isGood = (ends.get(token) ?? 0) > Date.now();
    if (isGood) used.set(user, (used.get(user) ?? new Set()).add(token));
    else refused.push(token);
    for (const watch of watchers) watch();
    return isGood ? "accept" : "refuse";
  };
  const until = (isThere: () => boolean) =>
    new Promise<void>((resolve) => {
      const watch = () => {
        if (!isThere()) return;
        watchers.delete(watch);
        resolve();
      };
      watchers.add(watch);
      watch();
    });
  return {
    refused,
    seen: (side, count) => until(() => (used.get(side.address)?.size ?? 0) >= count),
    next: () => {
      const before = logins;
      return until(() => logins > before);
    },
  };
}
