/**
 * What the kernel is told without having asked: that something changed behind its back, or that it
 * knows too many files. Each is written off this thread, as the kernel may have us answer a request
 * before it takes the notice; so the device is closed here, once the last one is out.
 */
import { closeSync, write as writeFile } from "node:fs";
import { promisify } from "node:util";
import { codeOf } from "../base/errors.ts";
import type { Ino, Name } from "../base/ids.ts";
import { notices, replyHeadBytes } from "./protocol.ts";
import { Reply } from "./reply.ts";

const writeAsync = promisify(writeFile);

export class Notices {
  readonly #device: number;
  #underWay = 0;
  #state: "open" | "closing" = "open";

  constructor(device: number) {
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
    await this.#send(reply, name.length + 1);
  }

  /** Asks for these files back. False where the kernel (before 6.18) knows no such notice. */
  async prune(inos: readonly Ino[]): Promise<boolean> {
    const reply = new Reply(replyHeadBytes + 16 + 8 * inos.length).prune(inos);
    reply.seal(0, notices.prune, 0);
    return (await this.#send(reply)) !== "EINVAL";
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
    await this.#send(reply);
  }

  /** The code of what went wrong, such as ENOENT: the kernel knew nothing of it. */
  async #send(reply: Reply, moreBytes = 0): Promise<string | undefined> {
    if (this.#state === "closing") return undefined;
    this.#underWay++;
    try {
      await writeAsync(this.#device, reply.bytes, 0, reply.lengthBytes + moreBytes);
      return undefined;
    } catch (error) {
      return codeOf(error) || "unknown";
    } finally {
      this.#underWay--;
      this.#closeWhenIdle();
    }
  }
}
