/** A cache in a directory of its own, for tests; it goes away with the test. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BlockFetcher } from "../../src/base/blocks.ts";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { MiB } from "../../src/base/bytes.ts";
import { type Log, silentLog } from "../../src/base/log.ts";
import { type Cache, type CacheOptions, openCache } from "../../src/cache/cache.ts";

export interface TemporaryCache extends AsyncDisposable {
  readonly directory: string;
  readonly store: Cache;
  /** Closes it properly, runs what is given on the files, and opens it again. */
  readonly reopen: (between?: (directory: string) => unknown) => Promise<Cache>;
}

export interface TemporaryOptions extends Partial<CacheOptions> {
  readonly fetcher?: BlockFetcher;
  readonly clock?: Clock;
  readonly log?: Log;
}

export async function temporaryCache(options: TemporaryOptions = {}): Promise<TemporaryCache> {
  const directory = await mkdtemp(join(tmpdir(), "hive-cache-"));
  let store = await openIn(directory, options);
  return {
    directory,
    get store() {
      return store;
    },
    async reopen(between) {
      await store.close();
      await between?.(directory);
      store = await openIn(directory, options);
      return store;
    },
    async [Symbol.asyncDispose]() {
      await store.close();
      await rm(directory, { recursive: true });
    },
  };
}

export async function openIn(directory: string, options: TemporaryOptions = {}): Promise<Cache> {
  const { fetcher, clock = systemClock, log = silentLog, ...rest } = options;
  return openCache({ directory, clock, log, fetcher }, { limitBytes: 64 * MiB, ...rest });
}

/** Time that passes only when the test says so. */
export function handClock(): Clock & { readonly pass: (ms: number) => void } {
  let now = 0;
  const alarms = new Set<{ readonly atMs: number; readonly act: () => void }>();
  return {
    ...systemClock,
    monotonicMs: () => now,
    after(ms, act) {
      const alarm = { atMs: now + ms, act };
      alarms.add(alarm);
      return { [Symbol.dispose]: () => void alarms.delete(alarm) };
    },
    pass(ms) {
      now += ms;
      for (const alarm of [...alarms].filter(({ atMs }) => atMs <= now)) {
        alarms.delete(alarm);
        alarm.act();
      }
    },
  };
}
