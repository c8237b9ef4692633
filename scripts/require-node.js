// Where Node is too old, this says so in a sentence instead of failing somewhere in the middle. The built
// program begins with it: every Node has to understand it, as a script and as a module.
((version) => {
  const numbers = version.split(".").map(Number);
  const isOld = numbers[0] < 20 || (numbers[0] === 20 && numbers[1] < 19);
  // Not in 21, nor in 22 before 22.3.
  if (!isOld && process.getBuiltinModule) return;
  const needed = "Node 20.19 or newer is needed (no 21, and of 22 at least 22.3)";
  console.error(`mxtoken: ${needed}, and this is ${version}: a newer one is at https://nodejs.org`);
  // EX_CONFIG, as everywhere in mxtoken.
  process.exit(78);
})(process.versions.node);
