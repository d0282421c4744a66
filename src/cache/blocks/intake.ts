/**
 * The way of a block into the store: a frame at the end of the log, an entry in the catalog. It
 * decides nothing about room or durability.
 */
import type { PolicySlot } from "../../base/blocks.ts";
import { assert } from "../../base/errors.ts";
import type { Cid } from "../../base/ids.ts";
import type { BlockLog } from "../files/block-log.ts";
import { BlockEntry, marks } from "../files/entry.ts";
import type { Catalog } from "../index/catalog.ts";
import type { Report } from "../report.ts";

interface Needs {
  readonly catalog: Catalog;
  readonly log: BlockLog;
  readonly report: Report;
  /** So many bytes of the disk are taken. */
  readonly spend: (bytes: number) => void;
}

interface Manner {
  readonly dirty: boolean;
  readonly slot: PolicySlot;
  /** Told once the bytes are written, if nobody else was given them. */
  readonly freed?: (() => void) | undefined;
}

export class Intake {
  readonly #needs: Needs;

  constructor(needs: Needs) {
    this.#needs = needs;
  }

  add(cid: Cid, bytes: Uint8Array, { dirty, slot, freed }: Manner): void {
    const { catalog, log } = this.#needs;
    this.#count(bytes);
    const lengthBytes = bytes.length;
    const sequence = catalog.nextSequence();
    const known = { cid, lengthBytes, sequence, slot };
    const entry = new BlockEntry({ ...known, marks: dirty ? marks.dirty : 0 });
    const place = log.append(entry.frame, bytes, entry, freed);
    entry.bytes = bytes;
    catalog.add(entry, place.file, place.offsetBytes);
    catalog.change(entry);
  }

  /** A dirty block whose bytes were lost comes again: it keeps its place in the order. */
  mend(entry: BlockEntry, bytes: Uint8Array): void {
    const { catalog, log } = this.#needs;
    this.#count(bytes);
    assert(entry.lengthBytes === bytes.length, "one CID, one length");
    const place = log.append(entry.frame, bytes, entry);
    entry.marks &= ~(marks.broken | marks.unread);
    entry.bytes = bytes;
    catalog.move(entry, place.file, place.offsetBytes);
  }

  #count(bytes: Uint8Array): void {
    this.#needs.report.storedBytes += bytes.length;
    this.#needs.spend(bytes.length);
  }
}
