/**
 * What a merge calls things: the name of the copy that keeps the other version, and which of two
 * places a name has when both devices moved it alike and then made room for others. Pure.
 */
import type { Ino, Name } from "../../base/ids.ts";
import { nameBytesMax, parseName } from "../../base/ids.ts";
import type { Inode } from "../../dag/inodes.ts";
import { type Seen, deviceOf } from "../../dag/marks.ts";

export interface Place {
  readonly parent: Ino;
  readonly name: Name;
}

export function samePlace(one: Place, other: Place): boolean {
  return one.parent === other.parent && one.name === other.name;
}

export function hasPlace(places: readonly Place[], place: Place): boolean {
  return places.some((other) => samePlace(other, place));
}

/**
 * Of two places that one move led to: a merge only ever moves on to a folder of a smaller number,
 * and in it to a longer name, so whoever has merged more is right.
 */
export function settledPlace(one: Place, other: Place): Place {
  if (one.parent !== other.parent) return one.parent < other.parent ? one : other;
  if (one.name.length !== other.name.length) {
    return one.name.length > other.name.length ? one : other;
  }
  return one.name > other.name ? one : other;
}

export interface Author {
  readonly mark: number;
  readonly inode: Inode;
  /** For the names of devices. */
  readonly seen: Seen;
}

/**
 * `report (conflict, laptop, 2026-11-22).txt`; with `more` when there is one of that name, and
 * `again` when there is one of that, too.
 */
export function conflictName(
  name: Name, { mark, inode, seen }: Author,
  { more, again = 0 }: { readonly more: boolean; readonly again?: number },
): Name {
  const device = deviceOf(mark);
  const known = seen.get(device)?.name ?? "";
  const who = bytesOf(known === "" ? `device ${device}` : known).replaceAll("/", "-");
  const number = more ? `, ${mark.toString(36)}${again > 0 ? `-${again}` : ""}` : "";
  const told = `${who}, ${dateOf(inode)}${number}`;
  const dot = name.lastIndexOf(".");
  const hasExtension = dot > 0 && name.length - dot <= extensionBytesMax;
  const extension = hasExtension ? name.slice(dot) : "";
  const added = ` (conflict, ${told})${extension}`;
  return parseName(shortened(name.slice(0, name.length - extension.length), added) + added);
}

/** What comes after the last dot of a longer one is no extension. */
const extensionBytesMax = 16;

function dateOf({ mtime }: Inode): string {
  const moment = new Date(mtime.seconds * 1000);
  return Number.isNaN(moment.getTime()) ? "undated" : moment.toISOString().slice(0, 10);
}

function bytesOf(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

/** As much of it as there is room for, in whole characters of UTF-8. */
function shortened(stem: string, added: string): string {
  let end = Math.min(stem.length, nameBytesMax - added.length);
  if (end === stem.length) return stem;
  while (end > 0 && (stem.charCodeAt(end) & 0xc0) === 0x80) end--;
  return stem.slice(0, end);
}
