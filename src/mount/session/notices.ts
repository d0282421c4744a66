/**
 * What the kernel is told without having asked: that something changed behind its back, or that it
 * knows too many files. Each is written off this thread, as the kernel may have us answer a request
 * before it takes the notice; so the device is closed here, once the last one is out.
 */
import { closeSync } from "node:fs";
import { Gate } from "../../base/gate.ts";
import type { Ino, Name } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { FuseAddon } from "../addon.ts";
import { errno } from "../errno.ts";
import { notices, replyHeadBytes } from "../protocol/protocol.ts";
import { Reply } from "../protocol/reply.ts";

/**
 * What a notice has to wait for: nothing, whoever reads or writes the file's pages, or whoever
 * changes the directory. An answer to one of these may wait for a notice of a kind before its own,
 * so each kind has its own seats.
 */
type Kind = "attributes" | "pages" | "names";

export class Notices {
  readonly #addon: Pick<FuseAddon, "notify">;
  readonly #device: number;
  readonly #gates = { attributes: newGate(), pages: newGate(), names: newGate() } satisfies
    Record<Kind, Gate>;
  #underWay = 0;
  #state: "open" | "closing" = "open";

  constructor(addon: Pick<FuseAddon, "notify">, device: number) {
    this.#addon = addon;
    this.#device = device;
  }

  /** Forgets attributes and, from the beginning on, cached pages. Never rejects. */
  invalidateInode(ino: Ino): Promise<void> {
    return this.#invalidate(ino, 0);
  }

  /** Touches no page, so it may go out while the kernel awaits an answer about this very file. */
  forgetAttributes(ino: Ino): Promise<void> {
    return this.#invalidate(ino, -1);
  }

  /** Forgets what a name leads to, or that it leads nowhere. Never rejects. */
  async invalidateEntry(parent: Ino, name: Name): Promise<void> {
    const padded = (name.length + 1 + 7) & ~7;
    const reply = new Reply(replyHeadBytes + 16 + padded);
    reply.u64(parent).u32(name.length).u32(0);
    reply.bytes.fill(0, reply.lengthBytes);
    reply.bytes.write(name, reply.lengthBytes, "latin1");
    reply.seal(0, notices.invalidateEntry, name.length + 1);
    await this.#send("names", reply, name.length + 1);
  }

  /** Asks for these files back. False where the kernel (before 6.18) knows no such notice. */
  async prune(inos: readonly Ino[]): Promise<boolean> {
    const reply = new Reply(replyHeadBytes + 16 + 8 * inos.length).prune(inos);
    reply.seal(0, notices.prune, 0);
    return (await this.#send("pages", reply)) !== -errno.EINVAL;
  }

  /** Sends no more, and closes the device when nothing is under way. */
  closeDevice(): void {
    this.#state = "closing";
    this.#closeWhenIdle();
  }

  #closeWhenIdle(): void {
    if (this.#state === "closing" && this.#underWay === 0) closeSync(this.#device);
  }

  /** From an offset below zero on: no pages. */
  async #invalidate(ino: Ino, offsetBytes: number): Promise<void> {
    const reply = new Reply(replyHeadBytes + 24);
    reply.u64(ino).u64(offsetBytes).u64(0).seal(0, notices.invalidateInode, 0);
    await this.#send(offsetBytes < 0 ? "attributes" : "pages", reply);
  }

  /** Minus the errno where it failed, such as ENOENT: the kernel knew nothing of it. */
  async #send(kind: Kind, reply: Reply, moreBytes = 0): Promise<number> {
    using _seat = await this.#gates[kind].enter();
    if (this.#state === "closing") return -errno.ENODEV;
    this.#underWay++;
    try {
      return await this.#addon.notify(this.#device, reply.bytes, reply.lengthBytes + moreBytes);
    } finally {
      this.#underWay--;
      this.#closeWhenIdle();
    }
  }
}

/** Who tells of many files awaits them all, and tells of no more meanwhile. */
function newGate(): Gate {
  return new Gate({ seats: limits.mount.noticesAtOnce, queueMax: Infinity });
}
