import { MxtokenError } from "../errors.ts";
import { ofAccount, type Told } from "../events.ts";
import { type Host, type Stop, type Terminal, type World, withWorld } from "../world/world.ts";
import { type AccountPicture, type AccountToKeep, type KeepEvent, troubleOf } from "./events.ts";
import { Keeper, type Keeping } from "./keeper.ts";
import { EventCommand, ServiceManager } from "./notify.ts";
import { longestNap } from "./schedule.ts";
import { type Counts, countStates, StatusFile } from "./status-file.ts";

/** What the person wants of `mxtoken keep`. */
interface KeepRequest extends Keeping {
  /** reads which accounts, also again at SIGHUP; @throws MxtokenError */
  readAccounts(): Promise<readonly AccountToKeep[]>;
  readonly statusFile: string | undefined;
  /** command line to run for every event */
  readonly onEvent: string | undefined;
}

/** Who puts it into words, and shows it. */
export interface KeepReport {
  /** without the account's name */
  describe(event: KeepEvent): string;
  summary(counts: Counts): string;
  event(event: KeepEvent, picture: AccountPicture | undefined): void;
  detail(told: Told): void;
  /** what all of them are like now, where it is shown */
  show(pictures: () => readonly AccountPicture[]): void;
  /** tells what was kept back, to be told of many accounts at once */
  flush(): void;
  /** ms after which it wants to be shown again; undefined where nothing is */
  readonly interval: number | undefined;
}

/**
 * Holds token files fresh until the process is asked to end.
 *
 * @throws MxtokenError `signInNeeded` when at the beginning no account is alive, and what is wrong with
 * the accounts or the status file at the beginning; Interrupted
 */
export async function keep(world: World, request: KeepRequest, report: KeepReport): Promise<void> {
  await new KeepRun(world, request, report).run();
}

/** One `mxtoken keep`. */
class KeepRun {
  readonly #world: Host & Terminal & Stop;
  readonly #request: KeepRequest;
  readonly #report: KeepReport;
  readonly #keeper: Keeper;
  readonly #service: ServiceManager;
  readonly #statusFile: StatusFile | undefined;
  readonly #command: EventCommand | undefined;
  readonly #pool: ReturnType<World["httpPool"]>;
  readonly #over = new AbortController();
  #isStatusTold = false;
  #isToBeReadAgain = false;

  constructor(world: World, request: KeepRequest, report: KeepReport) {
    this.#world = world;
    this.#request = request;
    this.#report = report;
    this.#service = new ServiceManager(world);
    const { statusFile, onEvent } = request;
    this.#statusFile = statusFile === undefined ? undefined : new StatusFile(world, statusFile);
    const commandFailed = (reason: string) => this.#tell({ is: "commandFailed", reason });
    this.#command =
      onEvent === undefined ? undefined : new EventCommand(world, onEvent, commandFailed);
    this.#pool = world.httpPool();
    const pooled = withWorld(world, { http: this.#pool.http });
    this.#keeper = new Keeper(pooled, request, {
      event: (event, picture) => this.#tell(event, picture),
      detail: (told) => report.detail(told),
      tick: () => this.#tick(),
      longestNap: () => this.#longestNap(),
    });
  }

  async run(): Promise<void> {
    const { interrupted } = this.#world;
    await this.#keeper.keep(await this.#request.readAccounts());
    // A place that cannot be written is said now, and not in the middle of the night.
    await this.#writeFirstStatus();
    const release = this.#onHangUp();
    const onStop = () => {
      this.#service.stopping();
      this.#tell({ is: "stopping", inFlight: this.#keeper.inFlight });
      this.#over.abort();
    };
    interrupted.addEventListener("abort", onStop);
    if (interrupted.aborted) this.#over.abort();
    this.#tell({ is: "begun", accounts: this.#keeper.size });
    this.#service.ready();
    try {
      await this.#keeper.work(this.#over.signal);
      if (!interrupted.aborted) throw this.#nothingAlive();
      await this.#tick();
      interrupted.throwIfAborted();
    } finally {
      release();
      interrupted.removeEventListener("abort", onStop);
      this.#report.flush();
      await this.#statusFile?.write(this.#keeper.pictures(), false).catch(() => undefined);
      await this.#command?.finished();
      this.#service.stopping();
      this.#service.status(this.#report.summary(countStates(this.#keeper.pictures())), true);
      await this.#service.finished();
      await this.#pool.close();
    }
  }

  #nothingAlive(): MxtokenError {
    this.#tell({ is: "nothingAlive", accounts: this.#keeper.size });
    return new MxtokenError(
      "signInNeeded",
      "every account needs somebody: there is nothing to keep fresh",
    );
  }

  /**
   * It also comes when the terminal is closed, and then it means what it always means. Windows sends it
   * for nothing else, and ends the process 10 seconds later.
   */
  #onHangUp(): () => void {
    if (this.#world.platform === "win32") return () => undefined;
    return this.#world.onSignal("SIGHUP", () => {
      if (this.#world.isTerminalGone()) {
        this.#world.interrupt("SIGHUP");
        return;
      }
      this.#isToBeReadAgain = true;
      this.#request.engine.wake();
    });
  }

  async #tick(): Promise<void> {
    if (this.#isToBeReadAgain) await this.#readAgain();
    this.#service.alive();
    this.#report.show(() => this.#keeper.pictures());
    const isStatusDue = this.#statusFile?.wait === 0;
    if (isStatusDue || this.#service.isThere) {
      const pictures = this.#keeper.pictures();
      this.#service.status(this.#report.summary(countStates(pictures)));
      if (isStatusDue) await this.#writeStatus(pictures);
    }
    if (this.#keeper.isNothingAlive) this.#over.abort();
  }

  /** Whoever has to hear of it sooner than that wakes the keeper. */
  #longestNap(): number {
    const waits = [this.#report.interval, this.#statusFile?.wait, this.#service.interval];
    return Math.min(longestNap, ...waits.filter((wait) => wait !== undefined));
  }

  async #writeFirstStatus(): Promise<void> {
    try {
      await this.#statusFile?.write(this.#keeper.pictures(), true);
    } catch (error) {
      if (!(error instanceof MxtokenError)) throw error;
      throw error.with({ message: `--status-file: ${error.message}` });
    }
  }

  async #writeStatus(pictures: readonly AccountPicture[]): Promise<void> {
    const file = this.#statusFile;
    try {
      await file?.write(pictures, true);
      this.#isStatusTold = false;
    } catch (error) {
      if (!(error instanceof MxtokenError)) throw error;
      if (this.#isStatusTold) return;
      this.#isStatusTold = true;
      this.#tell({
        is: "statusNotWritten",
        path: file?.path ?? "",
        trouble: troubleOf(error, () => ""),
      });
    }
  }

  /** Accounts that are in the list again keep their state; those that were refused get a try. */
  async #readAgain(): Promise<void> {
    this.#isToBeReadAgain = false;
    let listed: readonly AccountToKeep[];
    try {
      listed = await this.#request.readAccounts();
    } catch (error) {
      if (!(error instanceof MxtokenError)) throw error;
      this.#tell({ is: "listNotRead", trouble: troubleOf(error, () => "") });
      return;
    }
    const { added, removed } = await this.#keeper.keep(listed);
    this.#tell({ is: "listRead", added, removed, accounts: this.#keeper.size });
    await this.#keeper.tryAgain();
  }

  /** @returns what is told, without the account's name */
  #tell(event: KeepEvent, picture?: AccountPicture): string {
    const message = this.#report.describe(event);
    const named = "label" in event ? ofAccount(event.label, message) : message;
    const commands = "trouble" in event ? event.trouble.commands : [];
    this.#report.event(event, picture);
    this.#statusFile?.changed();
    const { address } = picture ?? {};
    this.#command?.told({ is: event.is, account: address, message: named, command: commands[0] });
    return message;
  }
}
