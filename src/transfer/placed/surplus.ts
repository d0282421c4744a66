/**
 * Shards that lie with somebody who has them for nothing any more: its seat was given to another
 * who has acknowledged the shard, or the whole segment lies elsewhere now. It keeps the list, on
 * disk, so that a crash forgets none of them, and tells holders to drop them when they are online.
 * It never asks for a drop that would cost a living shard. Keys of the KeyValue:
 *
 *   d/PEER/SEGMENT/INDEX  varint since when | varint era that its word is kept for (clearing.ts),
 *                         if any; INDEX is "all" for all that it has of a segment
 */
import type { KeyChange, KeyValue } from "../../base/blocks.ts";
import { transferKeys } from "../../base/book-keys.ts";
import { Reader, Writer } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { isFault } from "../../base/errors.ts";
import { type PeerId, type SegmentId, parsePeerId, parseSegmentId } from "../../base/ids.ts";
import { isOnline } from "../../base/known-peers.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { PeerNetwork } from "../../base/network.ts";
import { Rests } from "../../base/rests.ts";
import type { DriveKeys } from "../../crypt/drive/drive.ts";
import { signRelease } from "../../crypt/records/records.ts";
import { type SegmentBooks, memberOf } from "../books.ts";
import type { Doubt } from "../doubt.ts";
import type { Groups } from "../groups/groups.ts";
import type { Clearing } from "./clearing.ts";

export interface SurplusNeeds {
  readonly network: PeerNetwork;
  readonly books: KeyValue;
  readonly keys: DriveKeys;
  readonly clock: Clock;
  readonly log: Log;
  readonly segments: SegmentBooks;
  readonly groups: Groups;
  readonly clearing: Clearing;
  readonly doubt: Pick<Doubt, "isOn">;
}

export interface SurplusShard {
  readonly peer: PeerId;
  readonly segment: SegmentId;
  readonly index: number | "all";
  /** Of which its word is wanted that it is gone; 0 or absent for none. */
  readonly era?: number;
}

interface Entry extends SurplusShard {
  readonly key: string;
  readonly era: number;
  readonly sinceMs: number;
}

const prefix = transferKeys.surplusShard;

export class Surplus {
  readonly #needs: SurplusNeeds;
  readonly #counts = new Map<PeerId, number>();
  /** Who could not be told, and until when it is left alone. */
  readonly #resting: Rests<PeerId>;

  /** How far the list of a peer was gone through. */
  readonly #reached = new Map<PeerId, string>();

  constructor(needs: SurplusNeeds) {
    this.#needs = needs;
    this.#resting = new Rests(needs.clock, limits.agent);
  }

  async open(): Promise<void> {
    for await (const [key] of this.#needs.books.list(prefix)) this.#count(entryPeer(key), 1);
  }

  /** Shards that nobody has been told to drop yet. */
  get total(): number {
    return [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** To be written in the batch that makes it surplus. */
  changeFor(shard: SurplusShard): KeyChange {
    this.#count(shard.peer, 1);
    const writer = new Writer(16).varint(this.#nowMs);
    if (shard.era !== undefined && shard.era > 0) writer.varint(shard.era);
    return { type: "put", key: keyOf(shard), value: writer.finish() };
  }

  /** Tells some of those online; answers how many shards are settled. */
  async dropSome(signal: AbortSignal): Promise<number> {
    // A segment that the books have lost would look like one that was given up.
    if (this.#needs.doubt.isOn) return 0;
    const online = this.#needs.network.peers().filter((peer) => peer.online);
    const due = online.map(({ offer }) => offer.peer).filter((peer) => this.#isDue(peer));
    const chosen = due.slice(0, limits.transfer.dropsAtOnce);
    const dropped = await Promise.all(chosen.map((peer) => this.#dropAt(peer, signal)));
    signal.throwIfAborted();
    return dropped.reduce((sum, count) => sum + count, 0);
  }

  async #dropAt(peer: PeerId, signal: AbortSignal): Promise<number> {
    let dropped = 0;
    try {
      for (const entry of await this.#some(peer)) {
        signal.throwIfAborted();
        const more = await this.#drop(entry, signal);
        if (more === undefined) continue;
        await this.#needs.books.batch([{ type: "delete", key: entry.key }, ...more]);
        this.#count(peer, -1);
        dropped++;
      }
      // What could not be dropped yet is not asked for at every step.
      if (dropped === 0) this.#resting.begin(peer);
      else this.#resting.end(peer);
    } catch (error) {
      signal.throwIfAborted();
      if (!isFault(error)) throw error;
      this.#needs.log.debug("transfer.surplus.kept", { peer, why: describe(error) });
      this.#resting.begin(peer);
    }
    return dropped;
  }

  /** The next few, in turns: what cannot be dropped yet must not stand before the others. */
  async #some(peer: PeerId): Promise<readonly Entry[]> {
    const all = `${prefix}${peer}/`;
    const after = this.#reached.get(peer) ?? all;
    const found: Entry[] = [];
    for await (const [key, value] of this.#needs.books.list(all, { after })) {
      if (key <= after) continue;
      found.push(readEntry(key, value));
      if (found.length === limits.transfer.dropsPerPeer) break;
    }
    const last = found.at(-1);
    if (last !== undefined && found.length === limits.transfer.dropsPerPeer) {
      this.#reached.set(peer, last.key);
    } else this.#reached.delete(peer);
    // Told of twice, it is one entry all the same.
    if (found.length === 0 && after === all) this.#counts.delete(peer);
    return found;
  }

  /** Once it is settled, be it that there is nothing to tell: what to remember of it. */
  async #drop(entry: Entry, signal: AbortSignal): Promise<readonly KeyChange[] | undefined> {
    const { peer, segment, index, era } = entry;
    if (this.#isOver(entry)) return [];
    const { network, keys, segments, groups } = this.#needs;
    const releasedAtMs = this.#nowMs;
    const state = segments.get(segment);
    const manifest = state === undefined ? undefined : groups.get(state.group);
    if (index === "all" || state === undefined) {
      const release = signRelease(keys, { segment, releasedAtMs });
      const answer = await network.release(peer, release.bytes, { signal });
      return this.#needs.clearing.answered(era, peer, release, answer);
    }
    if (manifest === undefined) return undefined;
    const holder = state.holders[index];
    const isItsOwn = holder === peer || memberOf(state, index, manifest) === peer;
    if (isItsOwn) return [];
    // The new copy was lost again, or may be with its holder: this one may be all there is.
    if (holder === undefined || !isOnline(network, holder)) return undefined;
    await groups.tellOne(manifest, peer, signal);
    const only = { holder: peer, index, epoch: manifest.epoch };
    const release = signRelease(keys, { segment, releasedAtMs, only });
    await network.release(peer, release.bytes, { signal });
    return [];
  }

  /**
   * Nobody can be told any more, and by now it has dropped the shard by itself: but not one of a
   * whole segment, which it keeps for as long as it sits in the group.
   */
  #isOver({ peer, index, sinceMs }: Entry): boolean {
    const isOld = this.#nowMs - sinceMs > limits.vault.strayGraceMs;
    const isSeated = this.#needs.groups.all().some(({ peers }) => peers.includes(peer));
    return isOld && !(index === "all" && isSeated);
  }

  get #nowMs(): number {
    return this.#needs.clock.now();
  }

  #isDue(peer: PeerId): boolean {
    return (this.#counts.get(peer) ?? 0) > 0 && !this.#resting.has(peer);
  }

  #count(peer: PeerId, more: 1 | -1): void {
    const count = (this.#counts.get(peer) ?? 0) + more;
    if (count <= 0) this.#counts.delete(peer);
    else this.#counts.set(peer, count);
  }
}

function keyOf({ peer, segment, index }: SurplusShard): string {
  const last = index === "all" ? index : String(index).padStart(3, "0");
  return `${prefix}${peer}/${segment}/${last}`;
}

function entryPeer(key: string): PeerId {
  return parsePeerId(key.split("/")[1] ?? "");
}

function readEntry(key: string, value: Uint8Array): Entry {
  const [, , segment = "", index = ""] = key.split("/");
  const reader = new Reader(value, "transfer.surplus");
  const sinceMs = reader.varint();
  const era = reader.restBytes === 0 ? 0 : reader.varint();
  reader.end();
  return {
    key, peer: entryPeer(key), segment: parseSegmentId(segment),
    index: index === "all" ? index : Number(index), sinceMs, era,
  };
}
