/**
 * Publishes the head: what a machine that has nothing but the drive's keys needs to find all the
 * rest. It is on enough members before the round counts as published; the DHT is a second way to
 * the same record and may fail.
 */
import type { KeyValue } from "../../base/blocks.ts";
import { transferKeys } from "../../base/book-keys.ts";
import { Reader, Writer, asBuffer } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { HiveError, assert, isFault } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { PeerNetwork } from "../../base/network.ts";
import type { Random } from "../../base/random.ts";
import type { Head, Manifest } from "../../base/records.ts";
import type { DriveKeys } from "../../crypt/drive/drive.ts";
import { parseHead, signHead } from "../../crypt/records/records.ts";
import { type HeadPayload, decodePayload, encodePayload } from "../catalog/catalog-page.ts";
import type { Catalog } from "../catalog/catalog.ts";
import type { Doubt } from "../doubt.ts";
import type { Groups } from "../groups/groups.ts";
import type { Roll } from "../roll.ts";

export interface PublishNeeds {
  readonly network: PeerNetwork;
  readonly books: KeyValue;
  readonly keys: DriveKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly groups: Groups;
  readonly catalog: Catalog;
  readonly announcer: Announcer;
  readonly doubt: Pick<Doubt, "mayTell">;
  /** What heads are sealed with now, and who was shut out. */
  readonly roll: Pick<Roll, "heads" | "askSoon">;
  /** Called when enough members have a new head. */
  readonly onPublished?: () => void;
  /** This drive's other devices, which hear of a head at once. */
  readonly devices?: { peers(): readonly PeerId[] };
}

/** A head is wanted though there is no new root: what the last one names lies elsewhere now. */
export class Renewal {
  #isWanted = false;

  get isWanted(): boolean {
    return this.#isWanted;
  }

  want(): void {
    this.#isWanted = true;
  }

  done(): void {
    this.#isWanted = false;
  }
}

/** Where a head of this drive is kept that is newer than what these books say. */
const newerKey = transferKeys.newerHead;

/** Puts heads into the DHT, one at a time and the newest only: a round does not wait for it. */
export class Announcer {
  readonly #network: PeerNetwork;
  readonly #log: Log;
  #next: Head | undefined;
  #isBusy = false;

  constructor(needs: { readonly network: PeerNetwork; readonly log: Log }) {
    this.#network = needs.network;
    this.#log = needs.log;
  }

  announce(head: Head): void {
    this.#next = head;
    if (!this.#isBusy) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isBusy = true;
    while (this.#next !== undefined) {
      const head = this.#next;
      this.#next = undefined;
      try {
        await this.#network.publish(head);
      } catch (error) {
        this.#log.debug("transfer.head.unannounced", { why: describe(error) });
      }
    }
    this.#isBusy = false;
  }
}

/** A root for a head, and what it lacks where it stands in for a newer one. */
export type ToldRoot = Pick<HeadPayload, "root" | "standIn">;

/**
 * Signs and sends a head for this root. Unavailable when too few members took it; Stale when that
 * is because they have a newer one: another machine goes on with this drive, or our books are old.
 */
export async function publishHead(
  needs: PublishNeeds, told: ToldRoot, signal: AbortSignal,
): Promise<void> {
  await refuseIfBehind(needs.books);
  assert(needs.doubt.mayTell, "a head names what the last one did");
  const sequence = await nextSequence(needs.books);
  const sealed = needs.roll.heads.seal(await payloadOf(needs, told), needs.random);
  const publishedAtMs = needs.clock.now();
  const head = signHead(needs.keys, {
    peer: needs.network.self, sequence, publishedAtMs, sealed,
  });
  await needs.books.put(transferKeys.ownHead, head.bytes);
  await sendHead(needs, head, signal);
  await needs.books.put(transferKeys.toldSequence, new Writer(8).varint(sequence).finish());
  needs.onPublished?.();
}

/** What the newest head says that enough members took; undefined when that is not the last one. */
export async function published(
  { books, roll }: Pick<PublishNeeds, "books" | "roll">,
): Promise<Published | undefined> {
  const bytes = await books.get(transferKeys.ownHead);
  if (bytes === undefined) return undefined;
  const { sequence, sealed } = parseHead(bytes);
  const isTaken = (await sequences(books)).published === sequence;
  return isTaken ? { sequence, ...decodePayload(roll.heads.open(sealed)) } : undefined;
}

export interface Published extends HeadPayload {
  readonly sequence: number;
}

/** This device's own; undefined before the first. */
export async function lastHead(books: KeyValue): Promise<Head | undefined> {
  const bytes = await books.get(transferKeys.ownHead);
  return bytes && parseHead(bytes);
}

/** The root that the last head is for; undefined before the first. */
export async function lastTold(
  { books, roll }: Pick<PublishNeeds, "books" | "roll">,
): Promise<(ToldRoot & Pick<Head, "peer">) | undefined> {
  const head = await lastHead(books);
  if (head === undefined) return undefined;
  const { root, standIn } = decodePayload(roll.heads.open(head.sealed));
  return { peer: head.peer, root, standIn };
}

/** Of the last head that was signed, and of the last that enough members took. */
export async function sequences(
  books: KeyValue,
): Promise<{ readonly last: number; readonly published: number }> {
  const value = await books.get(transferKeys.toldSequence);
  const published = value === undefined ? 0 : new Reader(value, "head.told").varint();
  return { last: await lastSequence(books), published };
}

/** In books that know of none: one was published all the same, and members have it. */
export async function presumeHead(books: KeyValue): Promise<void> {
  await books.put(transferKeys.toldSequence, new Writer(8).varint(1).finish());
}

/** Sends the last head again: for members who were away. */
export async function republishHead(needs: PublishNeeds, signal: AbortSignal): Promise<void> {
  const bytes = await needs.books.get(transferKeys.ownHead);
  if (bytes === undefined || await needs.books.get(newerKey) !== undefined) return;
  await sendHead(needs, parseHead(bytes), signal);
}

async function sendHead(needs: PublishNeeds, head: Head, signal: AbortSignal): Promise<void> {
  const groups = needs.groups.all();
  const members = new Set(groups.flatMap(({ peers }) => peers));
  const took = new Set<PeerId>();
  const ahead: PeerId[] = [];
  await Promise.all([...members].map(async (peer) => {
    try {
      await needs.network.putRecord(peer, head, { signal });
      took.add(peer);
    } catch (error) {
      if (isFault(error, "Stale")) ahead.push(peer);
      // It may know that this device was shut out.
      if (isFault(error, "Denied")) needs.roll.askSoon();
      needs.log.debug("transfer.head.missed", { peer, why: describe(error) });
    }
  }));
  signal.throwIfAborted();
  tellDevices(needs, head, took);
  const enough = groups.some(({ peers, class: { r } }) => {
    return peers.filter((peer) => took.has(peer)).length >= r;
  });
  if (members.size === 0 || enough) return needs.announcer.announce(head);
  for (const peer of ahead.slice(0, limits.transfer.askedAheadMax)) {
    await learnNewer(needs, { peer, head }, signal);
  }
  await refuseIfBehind(needs.books);
  const subject = `head on ${took.size} of ${members.size} members`;
  throw new HiveError("Unavailable", "transfer.publish", subject);
}

/** Whoever is away asks a member later. */
function tellDevices(
  { devices, network, log }: PublishNeeds, head: Head, took: ReadonlySet<PeerId>,
): void {
  for (const peer of devices?.peers() ?? []) {
    if (took.has(peer)) continue;
    network.putRecord(peer, head, {}).catch((error: unknown) => {
      log.debug("transfer.device.missed", { peer, why: describe(error) });
    });
  }
}

/**
 * Numbers grow with every try: a device that fell behind would overtake the newer head in the end,
 * and with it all that was written there. So it stops at the proof, until it is recovered anew.
 */
async function refuseIfBehind(books: KeyValue): Promise<void> {
  const newer = await books.get(newerKey);
  if (newer === undefined) return;
  const { sequence, peer } = parseHead(newer);
  throw new HiveError("Stale", "transfer.publish", `newer head ${sequence} by ${peer}`);
}

/** Keeps the head that a member prefers to ours, if it has one: the owner's signature is proof. */
async function learnNewer(
  { network, books, log }: PublishNeeds,
  { peer, head }: { readonly peer: PeerId; readonly head: Head },
  signal: AbortSignal,
): Promise<void> {
  try {
    const told = await network.records(peer, head.owner, { signal });
    // Other devices publish under numbers of their own.
    const theirs = [told.head, ...told.others ?? []].find((one) => one?.peer === network.self);
    if (theirs === undefined || theirs.sequence < head.sequence) return;
    const isSame = asBuffer(theirs.bytes).equals(head.bytes);
    // A round may have published the next one while this was sent again.
    const isSince = theirs.peer === network.self && theirs.sequence > head.sequence
      && theirs.sequence <= await lastSequence(books);
    if (!isSame && !isSince) await books.put(newerKey, theirs.bytes);
  } catch (error) {
    if (!isFault(error)) throw error;
    log.debug("transfer.head.newer", { peer, why: describe(error) });
  }
}

async function payloadOf(needs: PublishNeeds, told: ToldRoot): Promise<Uint8Array> {
  const newest = await needs.catalog.newest();
  const runs = await needs.catalog.runs();
  const bare = { ...told, newest, runs };
  const room = limits.records.headSealedBytesMax - 256
    - encodePayload({ ...bare, manifests: [] }).length;
  return encodePayload({ ...bare, manifests: fitting(needs.groups.all(), room) });
}

/** The largest groups first: any one member of one of them knows the manifests of all. */
function fitting(manifests: readonly Manifest[], roomBytes: number): Uint8Array[] {
  const chosen: Uint8Array[] = [];
  let left = roomBytes;
  for (const { bytes } of [...manifests].sort((a, b) => b.class.n - a.class.n)) {
    if (bytes.length + 4 > left) continue;
    left -= bytes.length + 4;
    chosen.push(bytes);
  }
  return chosen;
}

/** Grows by one before each use and is never used twice, whatever crashes in between. */
async function nextSequence(books: KeyValue): Promise<number> {
  const sequence = (await lastSequence(books)) + 1;
  await keepSequence(books, sequence);
  return sequence;
}

async function lastSequence(books: KeyValue): Promise<number> {
  const value = await books.get(transferKeys.headSequence);
  return value === undefined ? 0 : new Reader(value, "head.sequence").varint();
}

async function keepSequence(books: KeyValue, sequence: number): Promise<void> {
  await books.put(transferKeys.headSequence, new Writer(8).varint(sequence).finish());
}

/** These books say what this head says: nothing is newer but what few members may have taken. */
export async function takeOverHead(books: KeyValue, head: Head): Promise<void> {
  const sequence = Math.max(head.sequence, await lastSequence(books));
  const value = new Writer(8).varint(sequence).finish();
  await books.batch([
    { type: "put", key: transferKeys.headSequence, value },
    { type: "put", key: transferKeys.ownHead, value: head.bytes },
    { type: "delete", key: newerKey },
  ]);
}
