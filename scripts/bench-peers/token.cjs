// token.cjs FILE [PORT]: what `mxtoken show` does to a token file, and with PORT its login too, step by step
// and with nothing around it: the least that Node takes for that. EXTRA_CA_FILE names a certificate authority
// beside Node's own. A script and no module: these are loaded in less time.
const fs = require("node:fs");
const { basename, dirname, join } = require("node:path");

const [path = "", port] = process.argv.slice(2);

function read() {
  return JSON.parse(fs.readFileSync(path, "utf8"));
}

function isFresh(tokens) {
  return tokens.expires_at * 1000 > Date.now();
}

function lock() {
  const binary = `prebuilds/${process.platform}-${process.arch}/fs-native-extensions.node`;
  const { tryLock } = require(`fs-native-extensions/${binary}`);
  const fd = fs.openSync(join(dirname(path), `.${basename(path)}.lock`), "a+", 0o600);
  // With another process at work this throws; the lock goes with the process.
  tryLock(fd, 0, 0, true);
}

/** Takes the room that the answer will need, before the refresh token may be spent. */
function reserve() {
  const fd = fs.openSync(`${path}.new`, "wx", 0o600);
  fs.writeSync(fd, Buffer.alloc(32 * 1024));
  fs.fsyncSync(fd);
  return fd;
}

function commit(fd, tokens) {
  const text = JSON.stringify(tokens);
  fs.writeSync(fd, text, 0);
  fs.ftruncateSync(fd, Buffer.byteLength(text));
  fs.fsyncSync(fd);
  fs.closeSync(fd);
  fs.renameSync(`${path}.new`, path);
  const directory = fs.openSync(dirname(path), "r");
  fs.fsyncSync(directory);
  fs.closeSync(directory);
}

let trusted;

/** The `ca` option would replace Node's authorities, whose list takes Node longer to read than all of this. */
function trust() {
  if (trusted === undefined) {
    trusted = require("node:tls").createSecureContext();
    trusted.context.addCACert(fs.readFileSync(process.env.EXTRA_CA_FILE));
  }
  return trusted;
}

function refresh({ token_uri, client_id, client_secret, refresh_token }) {
  const form = { grant_type: "refresh_token", client_id, client_secret, refresh_token };
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const options = {
    method: "POST",
    secureContext: trust(),
    headers,
    timeout: 60_000,
    agent: false,
  };
  return new Promise((resolve, reject) => {
    const request = require("node:https").request(token_uri, options, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk) => {
        text += chunk;
      });
      response.once("end", () => {
        if (response.statusCode === 200) resolve(JSON.parse(text));
        else reject(new Error(`${response.statusCode} ${text}`));
      });
    });
    request.once("error", reject).once("timeout", () => request.destroy(new Error("no answer")));
    request.end(String(new URLSearchParams(form)));
  });
}

async function fresh() {
  const stored = read();
  if (isFresh(stored)) return stored;
  lock();
  const old = read();
  if (isFresh(old)) return old;
  const fd = reserve();
  const answer = await refresh(old);
  const tokens = { ...old, ...answer, expires_at: Date.now() / 1000 + answer.expires_in };
  commit(fd, tokens);
  return tokens;
}

/** The commands of a proof by mxtoken. */
function logIn({ user, access_token }) {
  const response = Buffer.from(`user=${user}\x01auth=Bearer ${access_token}\x01\x01`);
  const commands = ["CAPABILITY", `AUTHENTICATE XOAUTH2 ${response.toString("base64")}`];
  commands.push('LIST "" ""', 'LIST "INBOX/" "*"', "EXAMINE INBOX", "LOGOUT");
  const socket = require("node:tls").connect({ host: "localhost", port, secureContext: trust() });
  return new Promise((resolve, reject) => {
    let text = "";
    socket.setEncoding("utf8").on("data", (chunk) => {
      text += chunk;
      // The greeting, or what ends the answer to a command.
      if (!/^(?:\* OK ready|a OK .*)\r\n$/m.test(text)) return;
      text = "";
      if (commands.length > 0) socket.write(`a ${commands.shift()}\r\n`);
      else resolve();
    });
    socket.once("error", reject).once("close", () => reject(new Error(`not accepted: ${text}`)));
    socket.setTimeout(60_000, () => socket.destroy());
  });
}

async function main() {
  const tokens = await fresh();
  console.log(tokens.access_token);
  if (port !== undefined) await logIn(tokens);
}

void main();
