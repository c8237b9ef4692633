// node scripts/wait.js MINUTES: says when that is over, and waits for it.
// It looks at the clock again and again: on a machine that has slept, the time is over at once.
const [text = ""] = process.argv.slice(2);
const minutes = Number(text);
if (!/^\d+(\.\d+)?$/.test(text) || minutes <= 0 || minutes > 24 * 60) {
  console.error(`The interval ${JSON.stringify(text)} is not a number of minutes, like 30.`);
  process.exit(64);
}
const end = Date.now() + minutes * 60_000;
console.error(`The next turn is at ${new Date(end).toLocaleTimeString()}. Ctrl-C ends this.`);
const timer = setInterval(() => {
  if (Date.now() >= end) clearInterval(timer);
}, 200);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => process.exit(1));
}
