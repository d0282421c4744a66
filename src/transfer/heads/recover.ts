/**
 * A machine that has nothing but the drive's keys and one peer finds the newest head, opens it, and
 * takes over groups, catalog and segment records. It writes transfer's own books only; the root
 * record that it answers is for the cache to commit.
 */
import type { KeyValue } from "../../base/blocks.ts";
import { isFault } from "../../base/errors.ts";
import type { GroupId, PeerId } from "../../base/ids.ts";
import { type Log, describe } from "../../base/log.ts";
import type { Head, Manifest } from "../../base/records.ts";
import type { DriveKeys } from "../../crypt/drive/drive.ts";
import { parseManifest } from "../../crypt/records/records.ts";
import type { SegmentBooks } from "../books.ts";
import { type HeadPayload, type ToldStandIn, decodePayload } from "../catalog/catalog-page.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Doubt } from "../doubt.ts";
import type { Groups } from "../groups/groups.ts";
import type { LogNeeds } from "../groups/logs.ts";
import type { Records } from "../reads/records.ts";
import type { ShardReader } from "../reads/shards.ts";
import type { Roll } from "../roll.ts";
import { lastHead, takeOverHead } from "./publish.ts";
import { salvage } from "./salvage.ts";

export interface RecoverNeeds {
  readonly network: LogNeeds["network"];
  readonly books: KeyValue;
  readonly keys: DriveKeys;
  readonly log: Log;
  readonly groups: Groups;
  readonly catalog: Catalog;
  readonly segments: SegmentBooks;
  readonly records: Records;
  readonly reader: ShardReader;
  readonly roll: Pick<Roll, "heads" | "ask" | "isRemoved" | "refuseIfOut">;
  readonly doubt: Pick<Doubt, "end">;
  readonly devices: { tookOver(head: Head): Promise<void> };
}

/** What a drive was brought back to. */
export interface Recovered {
  readonly root: Uint8Array;
  readonly sequence: number;
  readonly publishedAtMs: number;
  /** Where it is not as new as that, since blocks waited for their policy. */
  readonly standIn: ToldStandIn | undefined;
}

/** The newest state; undefined when no peer knows a head of this drive. */
export async function recover(
  needs: RecoverNeeds, signal: AbortSignal,
): Promise<Recovered | undefined> {
  const newest = await findNewest(needs, signal);
  if (newest === undefined) return undefined;
  const { head, payload } = newest;
  await adoptCatalog(needs, payload, signal);
  await forgetUnnamed(needs);
  await takeOverHead(needs.books, head);
  await needs.doubt.end();
  // Of a root that stands in the whole is merged later.
  if (payload.standIn === undefined) await needs.devices.tookOver(head);
  const { sequence, publishedAtMs } = head;
  needs.log.info("transfer.recovered", { sequence });
  return { root: payload.root, sequence, publishedAtMs, standIn: payload.standIn };
}

/** Pages that nobody gives, though all that is known of segments was heard, are done without. */
async function adoptCatalog(
  needs: RecoverNeeds, { newest, runs }: HeadPayload, signal: AbortSignal,
): Promise<void> {
  const missed = await needs.catalog.adopt(newest, runs);
  await learnSegments(needs, signal);
  const lost = missed === 0 ? 0 : await needs.catalog.adopt(newest, runs);
  if (lost === 0) return;
  needs.log.error("transfer.recover.pages-lost", { lost });
  await salvage(needs, signal);
}

/**
 * Whoever happens to be known is asked first; then the members that the manifests name, each once:
 * they were given every head, and one honest answer of theirs is the newest there is. Until one of
 * them tells who was shut out, a manifest may be such a device's: others of its group count, too.
 */
async function findNewest(needs: RecoverNeeds, signal: AbortSignal): Promise<Opened | undefined> {
  const { network, groups, keys, roll } = needs;
  const asked = new Set<PeerId>();
  const resolving = [network.resolveHead(keys.owner, { signal })];
  const resolved = answered(await Promise.allSettled(resolving));
  // What another device made since is as good; what is older may be gone.
  const known = await lastHead(needs.books);
  const isOlder = (head: Head): boolean => {
    return known !== undefined && known.peer !== network.self && head.sequence < known.sequence;
  };
  let newest: Opened | undefined;
  let next = network.peers().map(({ offer }) => offer.peer);
  const named = new Set<PeerId>();
  const before = new Set(groups.all().map(({ group }) => group));
  do {
    for (const peer of next) asked.add(peer);
    // Who was shut out, and under which secrets the others go on.
    await roll.ask(next, signal);
    roll.refuseIfOut();
    await forgetOut(groups, before);
    const told = await ask(needs, next, signal);
    const found = told.flatMap(({ head, others = [] }) => [head, ...others]);
    const heads = [newest?.head, ...resolved, ...found].filter((head) => head !== undefined);
    newest = openNewest(needs, heads.filter((head) => !isOlder(head)));
    const listed = newest?.payload.manifests.map(parseManifest) ?? [];
    for (const manifest of [...listed, ...told.flatMap(({ manifests }) => manifests)]) {
      if (manifest.owner !== keys.owner || groups.isOut(manifest)) continue;
      for (const peer of manifest.peers) named.add(peer);
      await groups.adopt(manifest);
    }
    await freshen(needs, signal);
    // Seats may have gone to others since the owner was here.
    await groups.logs.learn(new Set(), signal);
    const members = (manifest: Manifest) => [...manifest.peers, ...groups.seated(manifest).peers];
    next = [...new Set([...named, ...groups.all().flatMap(members)])];
    next = next.filter((peer) => !asked.has(peer) && peer !== network.self);
  } while (next.length > 0);
  return newest;
}

/** What was heard here, and believed before it was known who was shut out. */
async function forgetOut(groups: Groups, before: ReadonlySet<GroupId>): Promise<void> {
  for (const manifest of groups.all()) {
    const { group } = manifest;
    if (groups.isOut(manifest) && !before.has(group)) await groups.forget(group);
  }
}

/**
 * A member may still tell of a segment that was given up, or accepted after the head was signed.
 * What no block of the head lies in is nobody's loss, and must not count as one.
 */
async function forgetUnnamed({ catalog, segments }: RecoverNeeds): Promise<void> {
  const named = new Set((await catalog.segments()).map(({ segment }) => segment));
  for (const { segment } of segments.all()) {
    if (!named.has(segment)) await segments.forget(segment);
  }
}

/** In pages first; what a member did not tell is asked for by name. */
async function learnSegments(needs: RecoverNeeds, signal: AbortSignal): Promise<void> {
  for (const manifest of needs.groups.all()) await needs.records.learn(manifest, signal);
  for (const entry of await needs.catalog.segments()) {
    try {
      await needs.records.get(entry, signal);
    } catch (error) {
      if (!isFault(error, "Unavailable", "NotFound")) throw error;
      needs.log.warn("transfer.recover.segment", { segment: entry.segment, why: describe(error) });
    }
  }
}

interface Told {
  readonly head?: Head | undefined;
  /** Of other devices: what is new in them is merged once the drive is mounted. */
  readonly others?: readonly Head[];
  readonly manifests: readonly Manifest[];
}

/** What these peers say of this drive; who does not answer is passed over. */
async function ask(
  { network, keys: { owner } }: RecoverNeeds, peers: readonly PeerId[], signal: AbortSignal,
): Promise<Told[]> {
  const asking = peers.map((peer) => network.records(peer, owner, { signal }));
  const told = answered(await Promise.allSettled(asking));
  signal.throwIfAborted();
  return told;
}

function answered<T>(results: readonly PromiseSettledResult<T>[]): T[] {
  return results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
}

interface Opened {
  readonly head: Head;
  readonly payload: HeadPayload;
}

/**
 * The highest sequence whose payload opens with our key; of this very device, if there is one: what
 * others published is merged later, and its own would not be.
 */
function openNewest(
  { keys, log, roll, network: { self } }: RecoverNeeds, heads: readonly Head[],
): Opened | undefined {
  const ours = heads.filter(({ owner, peer }) => owner === keys.owner && !roll.isRemoved(peer));
  const isOwn = ({ peer }: Head): number => Number(peer === self);
  for (const head of ours.sort((a, b) => isOwn(b) - isOwn(a) || b.sequence - a.sequence)) {
    try {
      return { head, payload: decodePayload(roll.heads.open(head.sealed)) };
    } catch (error) {
      if (!isFault(error)) throw error;
      log.warn("transfer.recover.bad", { sequence: head.sequence, why: describe(error) });
    }
  }
  return undefined;
}

/** A member may have been replaced since the head was published. */
async function freshen(
  { network, keys: { owner }, groups }: RecoverNeeds, signal: AbortSignal,
): Promise<void> {
  const known = groups.all().map(({ group }) => group);
  const resolving = known.map((group) => network.resolveManifest(owner, group, { signal }));
  for (const manifest of answered(await Promise.allSettled(resolving))) {
    if (manifest !== undefined && manifest.owner === owner) await groups.adopt(manifest);
  }
  signal.throwIfAborted();
}
