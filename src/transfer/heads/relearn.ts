/**
 * What damaged books have lost is learned again from what this device's last head names: the runs
 * of the catalog, page by page, and the segments that their blocks lie in. A place that is known
 * stays; only what has none is given one. When all was looked through, the books are as good as
 * before. A page that nobody gives keeps them in doubt, and only `recover` does without it.
 */
import type { Clock } from "../../base/clock.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import type { Cid, GroupId, PeerId, SegmentId } from "../../base/ids.ts";
import { isOnline } from "../../base/known-peers.ts";
import { limits } from "../../base/limits.ts";
import { describe } from "../../base/log.ts";
import type { PeerNetwork } from "../../base/network.ts";
import type { Head, Manifest } from "../../base/records.ts";
import type { Step } from "../../base/step.ts";
import type { DriveKeys } from "../../crypt/drive/drive.ts";
import type { SegmentBooks } from "../books.ts";
import type { CatalogEntry } from "../catalog/catalog-page.ts";
import type { Records } from "../reads/records.ts";
import type { Roll } from "../roll.ts";
import { lastHead, sequences, takeOverHead } from "./publish.ts";
import type { Recovered } from "./recover.ts";
import { type RestoreNeeds, restoreHead } from "./restore.ts";

type OwnerRecords = Awaited<ReturnType<PeerNetwork["records"]>>;

interface Told {
  readonly heads: readonly Head[];
  /** Whoever was asked has answered. */
  readonly areAll: boolean;
  /** So many of each group that a head which it took would be among these. */
  readonly areEnough: boolean;
}

export interface RelearningNeeds extends RestoreNeeds {
  readonly roll: Pick<Roll, "heads" | "ask">;
  readonly network: PeerNetwork;
  readonly keys: DriveKeys;
  readonly clock: Clock;
  readonly segments: SegmentBooks;
  readonly records: Records;
  readonly recount?: (() => Promise<void>) | undefined;
  /** Undefined when no peer knows a head of this drive; the doubt is not ended by it. */
  readonly recover: (signal: AbortSignal) => Promise<Recovered | undefined>;
}

export class Relearning implements Step {
  readonly name = "relearn";
  readonly #needs: RelearningNeeds;
  #isHeadKnown = false;
  /** Runs that were gone through in this life, and how far the next one was. */
  readonly #seen = new Set<Cid>();
  #page = 0;
  /** Segments that none of those who would have them knows. */
  readonly #gone = new Set<SegmentId>();
  /** As members told them, of groups that the books may have lost. */
  readonly #manifests = new Map<GroupId, Manifest>();
  #restsUntilMs = -Infinity;

  constructor(needs: RelearningNeeds) {
    this.#needs = needs;
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    const { doubt, clock, log } = this.#needs;
    if (!doubt.isOn || clock.monotonicMs() < this.#restsUntilMs) return "idle";
    try {
      return await this.#next(signal);
    } catch (error) {
      signal.throwIfAborted();
      if (!isFault(error)) throw error;
      const isOwn = error.op === unsureOp;
      doubt.waitsFor = isOwn ? error.subject : `nobody gives a part of it (${describe(error)})`;
      log.debug("transfer.relearn.waits", { why: doubt.waitsFor });
      this.#restsUntilMs = clock.monotonicMs() + limits.agent.restMsMin;
      return "idle";
    }
  }

  async #next(signal: AbortSignal): Promise<"busy" | "idle"> {
    const { catalog, doubt, log } = this.#needs;
    if (doubt.isGivenUp) return await this.#recover(signal);
    if (!this.#isHeadKnown) await this.#learnHead(signal);
    this.#isHeadKnown = true;
    const isThere = (place: CatalogEntry): Promise<boolean> => this.#isThere(place, signal);
    // Of two places for one block that of the newer run is right.
    const run = (await catalog.runs()).findLast(({ place }) => !this.#seen.has(place.cid));
    if (run !== undefined) {
      if (await catalog.relearn(run, this.#page++, isThere)) return "busy";
      this.#seen.add(run.place.cid);
      this.#page = 0;
      return "busy";
    }
    for (const place of await catalog.segments()) await isThere(place);
    await this.#placeNamed();
    await this.#needs.recount?.();
    await doubt.end();
    log.info("transfer.relearned", { runs: this.#seen.size });
    return "busy";
  }

  /** As a machine does that has nothing but the keys: what nobody gives is done without. */
  async #recover(signal: AbortSignal): Promise<"busy"> {
    const { books, doubt, recount, recover } = this.#needs;
    const found = await recover(signal);
    const { published } = await sequences(books);
    const isMissing = found === undefined && published > 0;
    if (isMissing) throw unsure("Unavailable", "nobody has any head");
    await recount?.();
    await doubt.end();
    return "busy";
  }

  /** Of a head that was lost here, members have the newest. */
  async #learnHead(signal: AbortSignal): Promise<void> {
    const { books, doubt } = this.#needs;
    const own = await lastHead(books);
    const { last, published } = await sequences(books);
    const { heads, areAll, areEnough } = await this.#told(signal);
    const known = own === undefined ? heads : [...heads, own];
    const [newest] = known.toSorted((a, b) => b.sequence - a.sequence);
    const sequence = newest?.sequence ?? 0;
    // It may be of a machine that goes on with this device: as where a head is refused.
    const isOthers = own !== undefined && sequence > (doubt.mayTell ? own.sequence : last);
    if (isOthers) throw unsure("Stale", `newer head ${sequence}`);
    if (doubt.mayTell) return;
    // Of books that were begun anew, no more is known than that there was one.
    const isSure = published > 1 || areEnough;
    const isLast = newest === undefined ? areAll && published === 0 : sequence >= published;
    if (!isLast || !isSure) throw unsure("Unavailable", "no member that answers has the last head");
    if (newest === undefined) return doubt.restored();
    await takeOverHead(books, newest);
    await restoreHead(this.#needs, newest);
  }

  /** This device's own, by whoever should have them. */
  async #told(signal: AbortSignal): Promise<Told> {
    const { network, keys: { owner }, groups } = this.#needs;
    const members = groups.all().flatMap((manifest) => groups.seated(manifest).peers);
    const known = network.peers().map(({ offer }) => offer.peer);
    const asked = new Set<PeerId>();
    const told = new Map<PeerId, OwnerRecords>();
    let next = members.length === 0 ? known : members;
    while (next.length > 0) {
      for (const peer of next) asked.add(peer);
      for (const [peer, records] of await this.#answers(next, signal)) told.set(peer, records);
      const others = [...this.#manifests.values()].flatMap(({ peers }) => peers);
      next = others.filter((peer) => !asked.has(peer) && peer !== network.self);
    }
    if (told.size === 0) throw unsure("Unavailable", "no member answers");
    const heads = [...told.values()].flatMap(({ head, others = [] }) => [head, ...others])
      .filter((head) => head !== undefined)
      .filter((head) => head.owner === owner && head.peer === network.self);
    const areEnough = [...this.#manifests.values()].every(({ peers, class: { n, r } }) => {
      return peers.filter((peer) => told.has(peer)).length > n - r;
    });
    return { heads, areAll: told.size === asked.size, areEnough };
  }

  /** Of those who do answer; and under which secrets the drive's heads are sealed now. */
  async #answers(
    peers: readonly PeerId[], signal: AbortSignal,
  ): Promise<ReadonlyMap<PeerId, OwnerRecords>> {
    const { network, roll, keys: { owner } } = this.#needs;
    await roll.ask(peers, signal);
    const told = new Map<PeerId, OwnerRecords>();
    await Promise.allSettled([...new Set(peers)].map(async (peer) => {
      told.set(peer, await network.records(peer, owner, { signal }));
    }));
    signal.throwIfAborted();
    for (const manifest of [...told.values()].flatMap(({ manifests }) => manifests)) {
      if (manifest.owner === owner) this.#manifests.set(manifest.group, manifest);
    }
    return told;
  }

  /** Whether its segment is in the books, or can be put there; Unavailable while that is unsure. */
  async #isThere(place: CatalogEntry, signal: AbortSignal): Promise<boolean> {
    const { segments, records, groups, network } = this.#needs;
    const { segment, group } = place;
    if (segments.get(segment) !== undefined) return true;
    const told = this.#manifests.get(group);
    if (groups.get(group) === undefined && told !== undefined) await groups.adopt(told);
    const manifest = groups.get(group);
    if (this.#gone.has(segment) || manifest === undefined) return false;
    try {
      await records.get(place, signal);
      return true;
    } catch (error) {
      if (!isFault(error, "Unavailable", "NotFound")) throw error;
      // It was given back, and runs name it until they are merged: unless who has it is away.
      const members = groups.seated(manifest).peers;
      if (!members.every((peer) => isOnline(network, peer))) throw error;
      this.#gone.add(segment);
      return false;
    }
  }

  /** A segment that some block lies in is no half-placed one, though the books say so again. */
  async #placeNamed(): Promise<void> {
    const { catalog, segments } = this.#needs;
    for (const { segment } of await catalog.segments()) {
      const state = segments.get(segment);
      if (state === undefined || state.placed) continue;
      const record = await segments.record(segment);
      if (record !== undefined) await segments.write({ ...state, placed: true }, { record });
    }
  }
}

const unsureOp = "transfer.relearn";

function unsure(kind: "Stale" | "Unavailable", why: string): HiveError {
  return new HiveError(kind, unsureOp, why);
}
