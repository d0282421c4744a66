/**
 * `user.hive.pinned`: what the user wants to have on this machine, as an extended attribute that
 * any program may read, set and remove. "1" keeps a file or folder here, with all that is below it
 * now and later; "0" leaves out a part of what is. A pin belongs to the file, so it goes with it
 * wherever it is moved to; and to this machine, so it is in a list of the local store's and not in
 * the drive. What a pin does is the pinner's affair: see pinner.ts.
 */
import { HiveError, isFault } from "../../base/errors.ts";
import type { Ino, Name } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { PinStore } from "../../base/pins.ts";
import type { Random } from "../../base/random.ts";
import { type TreeKeys, openPins, sealPins } from "../../dag/keys.ts";
import { type Pin, encodePins, parsePins } from "../../dag/pins.ts";
import type { Node } from "./nodes.ts";

export const pinXattr = "user.hive.pinned";

export interface HeldPin {
  readonly isKept: boolean;
  path: readonly Name[];
  /** Held in memory, once it was found: where it is can be told at any time. */
  node: Node | undefined;
}

interface Needs {
  /** Undefined where nothing can be pinned. */
  readonly store: PinStore | undefined;
  readonly keys: TreeKeys;
  readonly random: Random;
  readonly log: Log;
}

export class Pins {
  readonly #needs: Needs;
  readonly #pins = new Map<Ino, HeldPin>();
  #saving: Promise<void> = Promise.resolve();
  /** Grows with each change of what is pinned. */
  changes = 0;

  constructor(needs: Needs) {
    this.#needs = needs;
    const sealed = needs.store?.list();
    if (sealed === undefined) return;
    for (const { ino, ...pin } of readPins(needs, sealed)) {
      this.#pins.set(ino, { ...pin, node: undefined });
    }
  }

  get size(): number {
    return this.#pins.size;
  }

  entries(): readonly (readonly [Ino, HeldPin])[] {
    return [...this.#pins];
  }

  own(ino: Ino): HeldPin | undefined {
    return this.#pins.get(ino);
  }

  /** By the nearest pin at or above it; false without any. */
  isKept(node: Node): boolean {
    return this.#nearest(node)?.isKept ?? false;
  }

  /** What a program is told of this file: its own pin, or the one that it goes by. */
  valueOf(node: Node): Buffer | undefined {
    const pin = this.#nearest(node);
    return pin === undefined ? undefined : Buffer.from(pin.isKept ? "1" : "0");
  }

  set(node: Node, { value, mode }: {
    readonly value: Uint8Array; readonly mode: "any" | "create" | "replace";
  }): Promise<void> {
    const text = Buffer.from(value).toString("latin1");
    if (text !== "0" && text !== "1") throw new HiveError("Invalid", "tree.pin", "not 0 or 1");
    const has = this.#pins.has(node.ino);
    if (has && mode === "create") throw new HiveError("Exists", "tree.pin", pinXattr);
    if (!has && mode === "replace") throw new HiveError("NoData", "tree.pin", pinXattr);
    if (!has && this.#pins.size >= limits.pins.countMax) {
      throw new HiveError("NoSpace", "tree.pin", `${limits.pins.countMax} pins`);
    }
    this.#put(node, text === "1");
    return this.save();
  }

  remove(ino: Ino): Promise<void> {
    const pin = this.#pins.get(ino);
    if (pin === undefined) throw new HiveError("NoData", "tree.pin", pinXattr);
    if (pin.node !== undefined) pin.node.pins--;
    this.#pins.delete(ino);
    this.changes++;
    return this.save();
  }

  /** It was found again, after a start. */
  hold(pin: HeldPin, node: Node): void {
    if (pin.node !== undefined) return;
    node.pins++;
    pin.node = node;
  }

  /** Durable when it resolves. */
  save(): Promise<void> {
    const { store, keys, random } = this.#needs;
    if (store === undefined) throw new HiveError("Unsupported", "tree.pin", pinXattr);
    const pins = [...this.#pins].map(([ino, { isKept, path }]) => ({ ino, isKept, path }));
    const sealed = pins.length === 0 ? undefined : sealPins(keys, encodePins(pins), random);
    const act = (): Promise<void> => store.save(sealed);
    const saved = this.#saving.then(act, act);
    // Whoever asked hears of a failure; whoever comes next writes all of it anyway.
    this.#saving = saved.catch(() => undefined);
    return saved;
  }

  #nearest(node: Node): HeldPin | undefined {
    const own = this.#pins.get(node.ino);
    if (own !== undefined || node.home.kind !== "entry") return own;
    return this.#nearest(node.home.parent);
  }

  #put(node: Node, isKept: boolean): void {
    if (this.#needs.store === undefined) throw new HiveError("Unsupported", "tree.pin", pinXattr);
    const known = this.#pins.get(node.ino);
    if (known?.node === undefined) node.pins++;
    this.#pins.set(node.ino, { isKept, path: known?.path ?? [], node });
    this.changes++;
  }
}

/** A list that cannot be read is no reason to go without the drive. */
function readPins({ keys, log }: Needs, sealed: Uint8Array): readonly Pin[] {
  try {
    return parsePins(openPins(keys, sealed));
  } catch (error) {
    if (!isFault(error, "Corrupt")) throw error;
    log.error("tree.pins-unreadable", { why: describe(error) });
    return [];
  }
}
