/**
 * In the daemon: the list of folders that are backed up, and the process that does it. One that
 * ends by itself is started again; what it had not copied it finds again by looking.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { systemClock } from "../../base/clock.ts";
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { WatchStatus } from "../../base/views/drive.ts";
import { type Watch, readWatches, withWatch, writeWatches } from "../home/watches.ts";
import type { WatchOrder } from "./watch-process.ts";

export class WatchKeeper {
  readonly #file: string;
  readonly #mount: string;
  readonly #log: Log;
  #watches: readonly Watch[];
  #statuses: readonly WatchStatus[] = [];
  readonly #listeners = new Set<() => void>();
  #child: ChildProcess | undefined;
  #restart: Disposable | undefined;
  #isOpen = false;

  constructor(file: string, { mount, log }: { readonly mount: string; readonly log: Log }) {
    this.#file = file;
    this.#mount = mount;
    this.#log = log;
    this.#watches = readOrTell(file, log);
  }

  begin(): void {
    this.#isOpen = true;
    this.#order();
  }

  add(watch: Watch): void {
    this.#set(withWatch(this.#watches, watch));
  }

  remove(directory: string): void {
    const rest = this.#watches.filter((one) => one.directory !== directory);
    if (rest.length === this.#watches.length) throw new HiveError("NotFound", "watch", directory);
    this.#set(rest);
  }

  statuses(): readonly WatchStatus[] {
    return this.#watches.map((watch) => this.#statusOf(watch));
  }

  /** Until all of the folder was looked at, or something stands in the way. */
  async looked(directory: string, told: (status: WatchStatus) => void): Promise<WatchStatus> {
    for (;;) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#listeners.add(resolve);
      await promise;
      this.#listeners.delete(resolve);
      const watch = this.#watches.find((one) => one.directory === directory);
      if (watch === undefined) throw new HiveError("NotFound", "watch", directory);
      const status = this.#statusOf(watch);
      if (status.state !== "looking") return status;
      told(status);
    }
  }

  /** The mount may end: nothing of ours is open there any more. It may begin again. */
  async close(): Promise<void> {
    this.#isOpen = false;
    this.#restart?.[Symbol.dispose]();
    const child = this.#child;
    if (child === undefined) return;
    const ended = new Promise<void>((resolve) => void child.once("exit", () => resolve()));
    using _late = systemClock.after(limits.watch.endMs, () => child.kill("SIGKILL"));
    if (child.connected) child.disconnect();
    await ended;
  }

  #set(watches: readonly Watch[]): void {
    writeWatches(this.#file, watches);
    this.#watches = watches;
    this.#order();
  }

  #statusOf(watch: Watch): WatchStatus {
    const found = this.#statuses.find((one) => one.directory === watch.directory);
    if (found !== undefined && found.into === watch.into) return found;
    return {
      ...watch, state: "looking", looked: 0, copied: 0, copiedBytes: 0, removed: 0, skipped: 0,
      failed: 0, problem: null, waitingFor: null,
    };
  }

  #order(): void {
    if (!this.#isOpen) return;
    if (this.#child === undefined && this.#watches.length === 0) return;
    this.#child ??= this.#start();
    const order: WatchOrder = { mount: this.#mount, watches: this.#watches };
    if (this.#child.connected) this.#child.send(order);
  }

  #start(): ChildProcess {
    const child = spawn(process.execPath, [process.argv[1] as string, "watch", "--run"], {
      cwd: "/", stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    child.on("message", (statuses) => {
      this.#statuses = statuses as readonly WatchStatus[];
      this.#tell();
    });
    child.on("error", (error) => this.#log.error("watch.process", { why: error.message }));
    child.once("exit", (code) => this.#ended(code));
    return child;
  }

  #ended(code: number | null): void {
    this.#child = undefined;
    const problem = `the process that copies ended with ${code ?? "a signal"}; it is started again`;
    this.#statuses = this.statuses().map((one) => ({ ...one, state: "ended", problem }));
    this.#tell();
    if (!this.#isOpen) return;
    this.#log.error("watch.process-ended", { code: code ?? "a signal" });
    this.#restart = systemClock.after(limits.watch.restartMs, () => this.#order());
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

/** A list that cannot be read is no reason to go without the drive. */
function readOrTell(file: string, log: Log): readonly Watch[] {
  try {
    return readWatches(file);
  } catch (error) {
    log.error("watch.unread", { why: describe(error) });
    return [];
  }
}
