/**
 * The stores of what is written in folders of others: each a cache of its own beside the drive's,
 * under the key of the right by which it is written, made when there is something to keep in it.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { systemClock as clock } from "../base/clock.ts";
import { HiveError } from "../base/errors.ts";
import type { OwnerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { NodeDuties } from "../base/node.ts";
import { type Cache, openCache } from "../cache/cache.ts";
import type { GuestStore } from "../shared/writable.ts";

/** Beside the drive's own store. */
export function guestStoreAt(cacheDirectory: string, writer: OwnerId): string {
  return join(cacheDirectory, "..", "guest", writer);
}

export class GuestStores {
  readonly #cacheDirectory: string;
  readonly #limitBytes: number;
  readonly #log: Log;
  readonly #open = new Map<OwnerId, Cache>();
  #node: Pick<NodeDuties, "fetch" | "wake"> | undefined;

  constructor(
    { cacheDirectory, cacheLimitBytes }: {
      readonly cacheDirectory: string; readonly cacheLimitBytes: number;
    },
    log: Log,
  ) {
    this.#cacheDirectory = cacheDirectory;
    const share = cacheLimitBytes / limits.sharing.guestStoreShare;
    this.#limitBytes = Math.max(share, limits.sharing.guestStoreBytesMin);
    this.#log = log;
  }

  /** From now on there is somebody to fetch from. */
  begin(node: Pick<NodeDuties, "fetch" | "wake">): void {
    this.#node = node;
  }

  /** Undefined while it is not open. */
  get(writer: OwnerId): Cache | undefined {
    return this.#open.get(writer);
  }

  has(writer: OwnerId): boolean {
    return existsSync(guestStoreAt(this.#cacheDirectory, writer));
  }

  async open(writer: OwnerId): Promise<GuestStore> {
    const node = this.#node;
    if (node === undefined) throw new HiveError("Busy", "drive.guest", "starting");
    const directory = guestStoreAt(this.#cacheDirectory, writer);
    const needs = { directory, clock, log: this.#log, fetcher: undefined };
    const cache = await openCache(needs, { limitBytes: this.#limitBytes });
    cache.setFetcher(node);
    const listening = cache.onDirty(() => void node.wake().catch(() => {}));
    this.#open.set(writer, cache);
    return {
      store: cache,
      close: async () => {
        this.#open.delete(writer);
        listening[Symbol.dispose]();
        await cache.close();
      },
    };
  }
}
