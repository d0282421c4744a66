/**
 * What the user wants to have on this machine stays here, though peers have it too. Whether a block
 * is such a one only the tree knows, and it tells by and by; so whoever is in doubt is kept: all
 * that was here at the start, and what is put, until a judgement has seen it. A judgement never
 * takes back what came after the commit that it goes by.
 */
import { open, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { unknownSlot } from "../../base/blocks.ts";
import { CidFilter } from "../../base/cid-filter.ts";
import { HiveError, codeOf } from "../../base/errors.ts";
import type { Cid } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { PinJudgement, PinRoom, PinStore } from "../../base/pins.ts";
import type { Reading } from "../blocks/reading.ts";
import type { Rounds } from "../commits/rounds.ts";
import { diskFault, notOfIndex } from "../disk/faults.ts";
import { syncDirectory } from "../disk/pieces.ts";
import { type BlockEntry, marks } from "../files/entry.ts";
import { headerBytes } from "../files/frame.ts";
import type { Catalog } from "../index/catalog.ts";
import type { Cleaner } from "./cleaner.ts";

interface Needs {
  readonly directory: string;
  readonly catalog: Catalog;
  readonly cleaner: Cleaner;
  readonly reading: Reading;
  readonly rounds: Rounds;
  /** Keeps what was fetched, if there is room for it. */
  readonly keep: (cid: Cid, bytes: Uint8Array) => void;
}

/** The list that was saved last; undefined when nothing is pinned. */
export async function readPins(directory: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(fileIn(directory));
  } catch (cause) {
    if (codeOf(cause) === "ENOENT") return undefined;
    throw notOfIndex(cause, "cache.open", fileIn(directory));
  }
}

export class Retention implements PinStore {
  readonly #needs: Needs;
  #list: Uint8Array | undefined;
  #judgement: Judgement | undefined;

  constructor(needs: Needs, list: Uint8Array | undefined) {
    this.#needs = needs;
    this.#list = list;
    if (list === undefined) return;
    for (const entry of needs.catalog.values()) needs.catalog.setRetained(entry, true);
    needs.catalog.retainsNew = true;
  }

  list(): Uint8Array | undefined {
    return this.#list;
  }

  async save(list: Uint8Array | undefined): Promise<void> {
    await replace(fileIn(this.#needs.directory), list);
    this.#list = list;
    this.#needs.catalog.retainsNew = list !== undefined;
  }

  judge(): PinJudgement {
    this.#judgement = new Judgement(this.#needs);
    return this.#judgement;
  }

  /** Somebody put a block that is here already. */
  putAgain(entry: BlockEntry): void {
    const { catalog } = this.#needs;
    if (!catalog.retainsNew) return;
    catalog.setRetained(entry, true);
    this.#judgement?.keep(entry.cid);
  }

  async bring(cid: Cid, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    const { catalog, cleaner, reading, keep } = this.#needs;
    if (catalog.get(cid) === undefined) {
      const { pinnedBytes, pinnedBytesMax } = this.room();
      const isFull = pinnedBytes + limits.dag.blockBytesMax > pinnedBytesMax;
      if (isFull) throw new HiveError("NoSpace", "cache.bring", "pins have all their room");
      const bytes = await reading.get(cid, { signal });
      await cleaner.makeRoomFor(bytes.length + headerBytes);
      keep(cid, bytes);
    }
    const entry = catalog.get(cid);
    if (entry === undefined) throw new HiveError("NoSpace", "cache.bring", "nothing else can go");
    catalog.setRetained(entry, true);
    // It may have come after the one under way passed by.
    this.#judgement?.keep(cid);
  }

  room(): PinRoom {
    const { catalog, cleaner } = this.#needs;
    const pinnedBytesMax = Math.floor(cleaner.limitBytes * limits.pins.shareMax);
    return { pinnedBytes: catalog.retainedBytes, pinnedBytesMax };
  }
}

class Judgement implements PinJudgement {
  readonly #needs: Needs;
  readonly #named: CidFilter;
  /** What was put later may be linked by what no commit has yet. */
  readonly #through: number;

  constructor(needs: Needs) {
    this.#needs = needs;
    this.#named = CidFilter.for(needs.catalog.count);
    this.#through = needs.rounds.committed?.blockSequence ?? 0;
  }

  keep(cid: Cid): void {
    this.#named.add(cid);
    const entry = this.#needs.catalog.get(cid);
    if (entry !== undefined) this.#needs.catalog.setRetained(entry, true);
  }

  async finish(): Promise<void> {
    const { catalog } = this.#needs;
    let seen = 0;
    for (const entry of catalog.values()) {
      if (entry.is(marks.retained) && this.#isJudged(entry)) catalog.setRetained(entry, false);
      if (++seen % limits.pins.judgedPerTurn === 0) await setImmediate();
    }
  }

  /** True when it may leave. What was fetched was linked before, by what the walk has seen. */
  #isJudged({ cid, sequence, slot }: BlockEntry): boolean {
    const isSeen = sequence <= this.#through || slot === unknownSlot;
    return isSeen && !this.#named.has(cid);
  }
}

/** A crash leaves the old list or the new one. */
async function replace(file: string, list: Uint8Array | undefined): Promise<void> {
  try {
    if (list === undefined) await rm(file, { force: true });
    else await write(file, list);
    await syncDirectory(dirname(file));
  } catch (cause) {
    throw diskFault(cause, "cache.pins", file);
  }
}

async function write(file: string, list: Uint8Array): Promise<void> {
  const fresh = await open(`${file}.new`, "w", 0o600);
  try {
    await fresh.writeFile(list);
    await fresh.datasync();
  } finally {
    await fresh.close();
  }
  await rename(`${file}.new`, file);
}

function fileIn(directory: string): string {
  return join(directory, "pins");
}
