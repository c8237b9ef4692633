// node scripts/wait.js MINUTES [PARENT]: says when that is over, and waits for it. Ends before when
// it is not, or no longer, a child of the process PARENT.
// node scripts/wait.js --check MINUTES: only says what is wrong with it.
const [first = "", second = ""] = process.argv.slice(2);
const isCheck = first === "--check";
const text = isCheck ? second : first;
const minutes = Number(text);
if (!/^\d+(\.\d+)?$/.test(text) || minutes <= 0 || minutes > 24 * 60) {
  console.error(`The interval ${JSON.stringify(text)} is not a number of minutes, like 30.`);
  process.exit(64);
}
if (isCheck) {
  if (minutes > 55) {
    console.error(`A token lives about 60 minutes: with an interval of ${text}, none may be good.`);
  }
  process.exit(0);
}

const end = Date.now() + minutes * 60_000;
console.error(`The next turn is at ${new Date(end).toLocaleTimeString()}. Ctrl-C ends this.`);
// Looks at the clock again and again: on a machine that has slept, the time is over at once.
const timer = setInterval(() => {
  if (second !== "" && process.ppid !== Number(second)) process.exit(1);
  if (Date.now() >= end) clearInterval(timer);
}, 200);
