type Environment = Readonly<Record<string, string | undefined>>;

/** Options that are secrets, also as a person on Windows may write them. */
const secretName = /^MXTOKEN_.*(?:SECRET|PASSPHRASE)/i;

/** The variables that hold a secret of this program, or say where it is kept. */
export function secretsIn(env: Environment): Record<string, string> {
  const named = Object.entries(env).filter(([name]) => secretName.test(name));
  return Object.fromEntries(
    named.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

/** What a child process inherits: all but the secrets. */
export function withoutSecrets(env: Environment): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !secretName.test(name)));
}

/** An environment whose secrets this process alone can see. */
export interface KeptEnvironment {
  /** with the secrets, whether they are hidden or not */
  readonly env: Environment;
  /**
   * Takes the secrets out of what child processes inherit, also where a package starts them, as the one
   * that opens the browser. To be called before the first one, by whoever owns the process.
   */
  hideSecrets(): void;
}

/** @param inherited `process.env`, of which Windows finds a name however it is written */
export function keepSecrets(inherited: NodeJS.ProcessEnv): KeptEnvironment {
  const secrets = secretsIn(inherited);
  return {
    env: Object.assign(Object.create(inherited) as Environment, secrets),
    hideSecrets() {
      for (const name of Object.keys(secrets)) delete inherited[name];
    },
  };
}
