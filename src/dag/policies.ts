/**
 * The names of the policies that folders of this drive go by, and their texts: the root record has
 * the names, and the link of a block with the texts, so whoever opens the root knows both. A slot
 * is a name's number from 1 on; it is never given to another name, since blocks and inodes tell it.
 *
 *   policies  varint names, after 0 nothing more | each: varint length, name
 *             | 0 or 1, link of the texts (chunks.ts)
 *             | u8 1 while blocks of some folder may still have another slot than theirs
 *   texts     varint texts | each: varint length, name | varint length, UTF-8 text
 */
import { Reader, Writer } from "../base/bytes.ts";
import type { PolicySlot } from "../base/blocks.ts";
import { limits } from "../base/limits.ts";
import { type ChunkLink, readLink, writeLink } from "./chunks.ts";

const { slotsMax, charsMax } = limits.policy;

export interface DrivePolicies {
  /** `names[0]` is that of slot 1. */
  readonly names: readonly string[];
  readonly texts: ChunkLink | undefined;
  readonly resealing: boolean;
}

export const noPolicies: DrivePolicies = { names: [], texts: undefined, resealing: false };

/** As the language has it: see hive-policy(5). */
const nameShape = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

export function isPolicyName(text: string): boolean {
  return nameShape.test(text);
}

export function writePolicies(writer: Writer, { names, texts, resealing }: DrivePolicies): void {
  writer.varint(names.length);
  if (names.length === 0) return;
  for (const name of names) writer.latin1(name);
  if (texts === undefined) writer.u8(0);
  else writeLink(writer.u8(1), texts);
  writer.u8(resealing ? 1 : 0);
}

export function readPolicies(reader: Reader): DrivePolicies {
  const names = readNames(reader);
  if (names.length === 0) return noPolicies;
  const texts = readFlag(reader) ? readLink(reader) : undefined;
  return { names, texts, resealing: readFlag(reader) };
}

export function encodeTexts(texts: ReadonlyMap<string, string>): Buffer {
  const writer = new Writer(1024).varint(texts.size);
  for (const [name, text] of texts) writer.latin1(name).bytes(Buffer.from(text, "utf8"));
  return writer.finish();
}

export function parseTexts(bytes: Uint8Array): ReadonlyMap<string, string> {
  const reader = new Reader(bytes, "dag.texts");
  const count = reader.varint();
  if (count > slotsMax) throw reader.corrupt(`${count} texts`);
  const texts = new Map<string, string>();
  for (let index = 0; index < count; index++) {
    const name = readName(reader);
    const text = reader.bytes();
    if (text.length > 4 * charsMax) throw reader.corrupt(`text of ${text.length} bytes`);
    texts.set(name, Buffer.from(text).toString("utf8"));
  }
  reader.end();
  return texts;
}

/** Undefined for a slot that no name has, the default's among them. */
export function nameOfSlot({ names }: DrivePolicies, slot: PolicySlot): string | undefined {
  return slot === 0 ? undefined : names[slot - 1];
}

/**
 * Of two policies that would govern the same: nobody knows which asks for more, so the name
 * decides, which is the same on all devices; any policy before the default.
 */
export function jointSlot(
  nameOf: (slot: PolicySlot) => string | undefined, one: PolicySlot, other: PolicySlot,
): PolicySlot {
  return (nameOf(other) ?? "") > (nameOf(one) ?? "") ? other : one;
}

function readNames(reader: Reader): readonly string[] {
  const count = reader.varint();
  if (count > slotsMax) throw reader.corrupt(`${count} policies`);
  const names = Array.from({ length: count }, () => readName(reader));
  if (new Set(names).size < count) throw reader.corrupt("a policy's name twice");
  return names;
}

function readName(reader: Reader): string {
  const name = reader.latin1();
  if (isPolicyName(name)) return name;
  throw reader.corrupt("a policy's name");
}

function readFlag(reader: Reader): boolean {
  const flag = reader.u8();
  if (flag <= 1) return flag === 1;
  throw reader.corrupt(`flag ${flag}`);
}
