// Says so in a sentence where Node is too old, instead of failing somewhere in the middle.
const needed = [20, 19];
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < needed[0] || (major === needed[0] && minor < needed[1])) {
  console.error(
    `Node ${needed.join(".")} or newer is needed; this is ${process.versions.node}. A newer one is at https://nodejs.org.`,
  );
  process.exit(1);
}
