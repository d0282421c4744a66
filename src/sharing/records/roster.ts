/**
 * On which devices somebody writes a folder of another's by one right: pure. The one that took the
 * right up is not among them. Any of them may say who came and who went, and is joined with what
 * others said: of one device the later word counts, of one time that it went. So whoever joins the
 * same words comes to the same, in whatever order. It stands sealed in a record of its own with
 * the owner's holders, and what the owner admitted of it in his ties; so its form is frozen
 * (test/vectors).
 *
 *   roster = u8 version 1 | varint devices, by key | each: its node's key (32)
 *            | varint time of the word, ms | u8 1 it came, 0 it went
 */
import { KiB, Reader, Writer } from "../../base/bytes.ts";
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { publicKeyBytes } from "../../crypt/ciphers/ed25519.ts";
import { peerOfPublicKey, publicKeyOfPeer } from "../../crypt/ciphers/peer-key.ts";

export interface RosterWord {
  readonly atMs: number;
  readonly isIn: boolean;
}

export type Roster = ReadonlyMap<PeerId, RosterWord>;

export const noRoster: Roster = new Map();

const { devicesMax, rosterMax } = limits.writers;
const { timeMsMax } = limits.records;
const version = 1;
/** The right itself is one device's. */
export const furtherMax = devicesMax - 1;

export function devicesIn(roster: Roster): readonly PeerId[] {
  return [...roster].filter(([, { isIn }]) => isIn).map(([peer]) => peer);
}

export function joinRosters(one: Roster, other: Roster): Roster {
  const joined = new Map(one);
  for (const [peer, word] of other) {
    if (isLater(word, joined.get(peer))) joined.set(peer, word);
  }
  return shortened(joined);
}

/**
 * What the owner takes of what was said: there is room for so many at once, first come, and none
 * comes that may not. Of one that he never admitted he need not know that it went.
 */
export function admit(
  known: Roster, told: Roster, mayCome: (peer: PeerId) => boolean,
): Roster {
  const next = new Map(known);
  for (const [peer, word] of [...told].sort(([, a], [, b]) => a.atMs - b.atMs)) {
    const before = next.get(peer);
    if (!isLater(word, before)) continue;
    const comes = word.isIn && before?.isIn !== true;
    const isFull = comes && devicesIn(next).length >= furtherMax;
    const isNew = before === undefined && (!word.isIn || !mayCome(peer));
    if (!isFull && !isNew) next.set(peer, word);
  }
  return shortened(next);
}

export function encodeRoster(roster: Roster): Buffer {
  const writer = new Writer(KiB).u8(version).varint(roster.size);
  const keyed = [...roster].map(([peer, word]) => ({ key: publicKeyOfPeer(peer), word }));
  for (const { key, word: { atMs, isIn } } of keyed.sort((a, b) => a.key.compare(b.key))) {
    writer.raw(key).varint(atMs).u8(isIn ? 1 : 0);
  }
  return writer.finish();
}

export function decodeRoster(bytes: Uint8Array): Roster {
  const reader = new Reader(bytes, "share.roster");
  const roster = readRoster(reader);
  reader.end();
  return roster;
}

export function readRoster(reader: Reader): Roster {
  if (reader.u8() !== version) throw reader.corrupt("version");
  const count = reader.varint();
  if (count > rosterMax) throw reader.corrupt(`${count} devices`);
  const roster = new Map<PeerId, RosterWord>();
  let before: Buffer | undefined;
  for (let index = 0; index < count; index++) {
    const key = Buffer.from(reader.raw(publicKeyBytes));
    const [atMs, flag] = [reader.varint(), reader.u8()];
    const isNext = before === undefined || before.compare(key) < 0;
    if (!isNext || atMs > timeMsMax || flag > 1) throw reader.corrupt("device");
    roster.set(peerOfPublicKey(key), { atMs, isIn: flag === 1 });
    before = key;
  }
  return roster;
}

function isLater(word: RosterWord, known: RosterWord | undefined): boolean {
  if (known === undefined || word.atMs !== known.atMs) return word.atMs > (known?.atMs ?? -1);
  return known.isIn && !word.isIn;
}

/** Those that write, and of those that went the last: a longer list nobody would take. */
function shortened(roster: Roster): Roster {
  if (roster.size <= rosterMax) return roster;
  const inOrder = [...roster].sort(([, a], [, b]) => Number(b.isIn) - Number(a.isIn)
    || b.atMs - a.atMs);
  return new Map(inOrder.slice(0, rosterMax));
}
