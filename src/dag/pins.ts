/**
 * What is pinned on this machine, as bytes. The list is no part of the drive: it lies sealed in the
 * local store, and is not read by any other machine.
 *
 *   pins  varint pins | each: varint ino | u8 1 kept here, 0 left out though the folder above is
 *         kept | varint names, then the names that led there from the root, each varint length,
 *         name
 */
import { Reader, Writer } from "../base/bytes.ts";
import { type Ino, type Name, parseIno } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import { readName } from "./entries.ts";

export interface Pin {
  readonly ino: Ino;
  readonly isKept: boolean;
  /** Where it was when the list was saved: it may have moved since. */
  readonly path: readonly Name[];
}

export function encodePins(pins: readonly Pin[]): Buffer {
  const writer = new Writer(1024).varint(pins.length);
  for (const { ino, isKept, path } of pins) {
    writer.varint(ino).u8(isKept ? 1 : 0).varint(path.length);
    for (const name of path) writer.latin1(name);
  }
  return writer.finish();
}

export function parsePins(bytes: Uint8Array): readonly Pin[] {
  const reader = new Reader(bytes, "dag.pins");
  const count = reader.varint();
  if (count > limits.pins.countMax) throw reader.corrupt(`${count} pins`);
  const pins = Array.from({ length: count }, () => readPin(reader));
  reader.end();
  return pins;
}

function readPin(reader: Reader): Pin {
  const ino = parseIno(reader.varint());
  const kept = reader.u8();
  if (kept > 1) throw reader.corrupt(`a pin of kind ${kept}`);
  const names = reader.varint();
  if (names > limits.pins.depthMax) throw reader.corrupt(`a path of ${names} names`);
  return { ino, isKept: kept === 1, path: Array.from({ length: names }, () => readName(reader)) };
}
