/**
 * One folder that is backed up for as long as this runs: a look at all of it, then, once changes
 * are heard, a second one for those that came before, and from then on a look wherever something
 * changes. From time to time all is looked at again, since a kernel may drop notices. When the
 * source is away or the copy cannot be written, it waits and forgets nothing.
 */
import { opendir } from "node:fs/promises";
import type { Clock } from "../base/clock.ts";
import { HiveError, codeOf, isFault } from "../base/errors.ts";
import { limits } from "../base/limits.ts";
import { type Log, describe } from "../base/log.ts";
import type { WatchStatus } from "../base/views/drive.ts";
import { Mirror, type MirrorReport } from "./mirror.ts";
import { type Notices, watchFolders } from "./notices.ts";
import { type Below, statOf, textOf } from "./places.ts";
import { ruleFiles } from "./rules.ts";
import { type Batch, Todo } from "./todo.ts";
import { openXattrs } from "./xattrs.ts";

const { againMs, retryMs } = limits.watch;

export interface WatchedFolderNeeds {
  readonly clock: Clock;
  readonly log: Log;
  /** The file systems that are never gone into: the drive's own. */
  readonly never: ReadonlySet<bigint>;
  readonly mayGive: boolean;
  readonly changed: () => void;
}

export interface WatchedFolderOptions {
  readonly source: string;
  readonly copy: string;
  readonly deletes: boolean;
}

/** How it goes, without what it was told. */
export type WatchProgress = Omit<WatchStatus, "directory" | "into" | "deletes">;

export class WatchedFolder {
  readonly #needs: WatchedFolderNeeds;
  readonly #options: WatchedFolderOptions;
  readonly #over = new AbortController();
  readonly #todo: Todo;
  readonly #mirror: Mirror;
  readonly #ended: Promise<void>;
  #notices: Notices | undefined;
  #status: WatchProgress = {
    state: "looking", looked: 0, copied: 0, copiedBytes: 0, removed: 0, skipped: 0, failed: 0,
    problem: null, waitingFor: null,
  };

  constructor(needs: WatchedFolderNeeds, options: WatchedFolderOptions) {
    this.#needs = needs;
    this.#options = options;
    this.#todo = new Todo(needs.clock);
    const { signal } = this.#over;
    const xattrs = openXattrs((name) => this.#add({ problem: `${name} cannot be kept` }));
    const owner = { mayGive: needs.mayGive };
    this.#mirror = new Mirror(
      options, { owner, xattrs, signal, never: needs.never }, this.#reportTo(),
    );
    this.#ended = this.#run();
  }

  get status(): WatchProgress {
    return this.#status;
  }

  /** Ends between two files, or in the middle of one, which leaves nothing behind. */
  async stop(): Promise<void> {
    this.#over.abort();
    await this.#ended;
  }

  async #run(): Promise<void> {
    const { signal } = this.#over;
    try {
      await this.#until(new Map([["", "below"]]));
      this.#listen();
      await this.#notices?.ready;
      this.#todo.add("", "below");
      while (!signal.aborted) {
        using _again = this.#needs.clock.after(againMs, () => this.#todo.add("", "below"));
        if (this.#todo.isEmpty) this.#add({ state: "watching" });
        await this.#until(await this.#todo.take(signal));
      }
    } catch (error) {
      if (signal.aborted) return;
      this.#needs.log.error("watch.ended", { why: namelessly(error) });
      this.#add({ state: "ended", problem: describe(error) });
    } finally {
      await this.#notices?.close();
    }
  }

  #listen(): void {
    const heard = (folder: Below, name: string | undefined): void => {
      const isRules = (ruleFiles as readonly (string | undefined)[]).includes(name);
      if (isRules) this.#todo.add(folder, "below");
      else if (name === undefined) this.#todo.add(folder, "all");
      else this.#todo.addName(folder, name);
    };
    let isDeaf = false;
    this.#notices = watchFolders(this.#options.source, {
      heard,
      failed: (why) => {
        // Where the kernel's room for watches is used up there is one of these for each folder.
        if (!isDeaf) this.#needs.log.warn("watch.notices", { why: namelessly(why) });
        isDeaf = true;
        this.#add({ problem: `not all of it can be watched: ${describe(why)}` });
      },
      isIgnored: (folder) => this.#mirror.ignoredFolders.has(folder),
    });
  }

  /** Until all of the batch is done, however long what stands in the way does. */
  async #until(batch: Batch): Promise<void> {
    const { signal } = this.#over;
    for (;;) {
      try {
        await this.#lookAt(batch);
        if (this.#status.waitingFor !== null) this.#add({ waitingFor: null });
        return;
      } catch (error) {
        signal.throwIfAborted();
        if (!isFault(error, "Unavailable", "NotFound", "NotPermitted", "Denied")) throw error;
        this.#needs.log.warn("watch.waits", { why: namelessly(error) });
        this.#add({ state: "waiting", waitingFor: error.subject });
        await this.#needs.clock.delay(retryMs, signal);
      }
    }
  }

  async #lookAt(batch: Batch): Promise<void> {
    await this.#checkSource();
    if (this.#status.state !== "watching") this.#add({ state: "looking" });
    for (const [folder, extent] of batch) await this.#mirror.look(folder, extent);
  }

  /** A disk that is not there, or its empty mount point, says nothing about what was deleted. */
  async #checkSource(): Promise<void> {
    const { source, copy, deletes } = this.#options;
    const stats = await statOf(Buffer.from(source));
    if (!stats?.isDirectory()) throw new HiveError("NotFound", "watch.source", "it is not there");
    if (!deletes || !(await isEmpty(source)) || (await isEmpty(copy))) return;
    throw new HiveError("NotPermitted", "watch.source", "it is empty, and its copy is not");
  }

  #add(change: Partial<WatchProgress>): void {
    this.#status = { ...this.#status, ...change };
    this.#needs.changed();
  }

  #reportTo(): MirrorReport {
    return {
      looked: () => this.#add({ looked: this.#status.looked + 1 }),
      copied: (bytes) => this.#add({
        copied: this.#status.copied + 1, copiedBytes: this.#status.copiedBytes + bytes,
      }),
      removed: () => this.#add({ removed: this.#status.removed + 1 }),
      skipped: () => this.#add({ skipped: this.#status.skipped + 1 }),
      failed: (path, why) => this.#add({
        failed: this.#status.failed + 1, problem: `${textOf(path)}: ${why}`,
      }),
    };
  }
}

/** For the log, which never holds a name. */
function namelessly(error: unknown): string {
  const cause = isFault(error) ? error.cause : error;
  const kind = isFault(error) ? `${error.kind} ` : "";
  return `${kind}${codeOf(cause) || (cause instanceof Error ? cause.name : "")}`.trim();
}

async function isEmpty(path: string): Promise<boolean> {
  try {
    const folder = await opendir(path);
    const first = await folder.read();
    await folder.close();
    return first === null;
  } catch {
    // What is not there has nothing to lose.
    return true;
  }
}
