/**
 * A little drive for crash tests: numbered blocks whose bytes follow from their number, a root
 * that lists the live ones, and journal records that say which came and which went. Whoever has
 * the root and the records knows what must be in the cache.
 */
import type { DriveStore, PolicySlot } from "../../src/base/blocks.ts";
import { type Cid, cidOf } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import { seededRandom } from "../../src/base/random.ts";

export interface ModelRecord {
  readonly number: number;
  readonly put: readonly number[];
  readonly drop: readonly number[];
}

interface ModelRoot {
  readonly number: number;
  readonly live: readonly number[];
}

export interface Model {
  /** Number of the newest record that is in here. */
  number: number;
  readonly live: Set<number>;
}

export function blockOf(id: number): { readonly cid: Cid; readonly bytes: Buffer } {
  const random = seededRandom(`model/${id}`);
  const lengthBytes = random.below(4) === 0 ? 60_000 + random.below(60_000) : random.below(6000) + 1;
  const bytes = Buffer.alloc(lengthBytes, random.bytes(64));
  return { cid: cidOf(bytes), bytes };
}

/** Each block's policy follows from its number, too. */
export function slotOf(id: number): PolicySlot {
  return id % (limits.policy.slotsMax + 1);
}

export function apply(model: Model, record: ModelRecord): void {
  if (record.number !== model.number + 1) {
    throw new Error(`record ${record.number} follows ${model.number}`);
  }
  model.number = record.number;
  for (const id of record.drop) model.live.delete(id);
  for (const id of record.put) model.live.add(id);
}

export function encodeRoot(model: Model): Buffer {
  const root: ModelRoot = { number: model.number, live: [...model.live] };
  return Buffer.from(JSON.stringify(root));
}

/** A little larger than what it says: journal files fill up, and are written over. */
export function encodeRecord(record: ModelRecord): Buffer {
  const padBytes = seededRandom(`record/${record.number}`).below(40_000);
  return Buffer.from(JSON.stringify(record).padEnd(padBytes));
}

/** What a store says after a start. Throws when its records do not follow on each other. */
export async function readModel(store: DriveStore): Promise<Model> {
  const stored = store.root();
  const root: ModelRoot = stored === undefined
    ? { number: 0, live: [] }
    : JSON.parse(Buffer.from(stored).toString());
  const model: Model = { number: root.number, live: new Set(root.live) };
  for await (const record of store.replay()) apply(model, JSON.parse(Buffer.from(record).toString()));
  return model;
}
