/**
 * The loop between /dev/fuse and the operations: reads requests, has each served, writes the
 * answers, all on one thread. A request that the tree answers by a promise never holds up another.
 *
 * It owns the device from its constructor on and closes it when the kernel has let go of it.
 */
import type { Clock } from "../../base/clock.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import type { FileSystem } from "../../base/filesystem.ts";
import type { Handle, Ino, Name } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { Maybe } from "../../base/step.ts";
import type { FuseAddon } from "../addon.ts";
import type { MountNeeds } from "../driver.ts";
import { errno, errnoFor, errnoOf, isWorthLogging } from "../errno.ts";
import { Lookups } from "../operations/lookups.ts";
import type { Desk, Operation, Page, Parts } from "../operations/operation.ts";
import { opcodeNames, operations } from "../operations/operations.ts";
import { encodeTerms, termsFor } from "../protocol/negotiation.ts";
import { opcodes, replyHeadBytes, requestHeadBytes } from "../protocol/protocol.ts";
import { Reply } from "../protocol/reply.ts";
import type { Request } from "../protocol/request.ts";
import { Complaints } from "./complaints.ts";
import { wantsToEnd } from "./interrupts.ts";
import { Notices } from "./notices.ts";
import { Patience } from "./patience.ts";
import { SpareRequests } from "./spare-requests.ts";

/** An answer that the tree still owes. */
interface Waiting {
  readonly pid: number;
  readonly letsGo: boolean;
  readonly aborter: AbortController | undefined;
  gone: boolean;
}

const piecesMax = 64;

export class Session implements Desk {
  readonly tree: FileSystem;
  readonly handles = new Map<Handle, "file" | "directory">();
  readonly writers = new Map<Handle, Ino>();
  readonly defaultLists = new Map<Ino, boolean>();
  hasLongSetxattr = false;
  opensDirectories = false;
  readonly lookups: Lookups;
  readonly ready: Promise<void>;
  readonly ended: Promise<void>;
  readonly #addon: FuseAddon;
  readonly #log: Log;
  readonly #device: number;
  readonly #reply = new Reply(replyHeadBytes + 512);
  readonly #counts = new Float64Array(operations.length);
  readonly #waiting = new Map<number, Waiting>();
  readonly #clock: Clock;
  readonly #patience = new Patience();
  readonly #requests = new SpareRequests();
  readonly #pages: Page[] = [];
  readonly #isReady = Promise.withResolvers<void>();
  readonly #hasEnded = Promise.withResolvers<void>();
  readonly #complaints: Complaints;
  readonly #notices: Notices;
  #prunes: "yes" | "now" | "never" = "yes";
  #state: "new" | "ready" | "ended" = "new";
  #aborter: AbortController | undefined;
  #stopPoll: (() => void) | undefined;

  constructor(needs: MountNeeds & { readonly addon: FuseAddon }, device: number) {
    this.tree = needs.tree;
    this.#addon = needs.addon;
    this.#log = needs.log;
    this.#clock = needs.clock;
    const { filesKnownMax: knownMax, prunedMax: askedMax } = limits.mount;
    this.lookups = new Lookups({ knownMax: needs.filesKnownMax ?? knownMax, askedMax });
    this.#device = device;
    this.#notices = new Notices(needs.addon, device);
    this.#complaints = new Complaints(needs.log);
    this.ready = this.#isReady.promise;
    this.ended = this.#hasEnded.promise;
    this.#resume();
  }

  /** Requests so far, by opcode. */
  stats(): Readonly<Record<string, number>> {
    const counted = [...this.#counts.entries()].filter(([, count]) => count > 0);
    return Object.fromEntries(counted.map(([code, n]) => [opcodeNames[code] ?? `${code}`, n]));
  }

  /** Serves no more. Only for a mount that failed, or one that was detached and hangs. */
  close = (): void => this.#end("closed");

  // ---- what operations ask for

  signal(): AbortSignal {
    this.#aborter ??= new AbortController();
    return this.#aborter.signal;
  }

  takePage(): Page {
    const sizeBytes = replyHeadBytes + limits.mount.directoryBytesMax;
    const page = this.#pages.pop() ?? { reply: new Reply(sizeBytes), counted: [] };
    page.reply.begin();
    page.counted.length = 0;
    return page;
  }

  givePage(page: Page): void {
    if (this.#pages.length < limits.mount.requestsPerWakeMax) this.#pages.push(page);
  }

  settle(ino: Ino): Maybe<void> {
    // Invalidated pages are written first; nobody writes without one of these handles.
    return [...this.writers.values()].includes(ino) ? this.invalidateInode(ino) : undefined;
  }

  forgetAttributes(ino: Ino): Promise<void> {
    return this.#notices.forgetAttributes(ino);
  }

  forget(ino: Ino, lookups: number): void {
    this.lookups.forgot(ino, lookups);
    this.tree.forget(ino, lookups);
  }

  answer<T>(unique: number, value: T, parts: Parts<T>): void {
    const reply = this.#reply.begin();
    parts.encode(reply, value);
    const sent = this.#send(unique, 0);
    if (sent < 0) parts.undo?.(this, value);
    else for (const ino of parts.told?.(value) ?? []) this.lookups.told(ino);
    parts.done?.(this, value);
  }

  async later<T>(request: Request, value: Promise<T>, parts: Parts<T>): Promise<void> {
    const { unique, opcode } = request;
    const waiting: Waiting = {
      pid: request.pid, letsGo: parts.letsGo ?? false, aborter: this.#aborter, gone: false,
    };
    this.#aborter = undefined;
    this.#waiting.set(unique, waiting);
    try {
      const result = await value;
      if (waiting.gone) this.#takeBack(result, parts);
      else this.answer(unique, result, parts);
    } catch (error) {
      if (!waiting.gone) this.#refuse(unique, error, opcode, parts.errnoOf);
    } finally {
      this.#waiting.delete(unique);
    }
  }

  interrupt(unique: number): void {
    const waiting = this.#waiting.get(unique);
    if (waiting?.letsGo === true) void this.#letGo(unique, waiting);
  }

  // ---- notices, for changes that did not come through the kernel

  invalidateInode(ino: Ino): Promise<void> {
    this.defaultLists.delete(ino);
    return this.#notices.invalidateInode(ino);
  }

  invalidateEntry(parent: Ino, name: Name): Promise<void> {
    return this.#notices.invalidateEntry(parent, name);
  }

  /** Asks for the oldest of too many files. */
  async #prune(): Promise<void> {
    const inos = this.lookups.surplus();
    if (inos.length === 0) return;
    this.#prunes = "now";
    this.#prunes = await this.#notices.prune(inos) ? "yes" : "never";
    if (this.#prunes === "never") this.#log.info("mount.prunes-never", { known: inos.length });
  }

  // ---- the loop

  #resume(): void {
    this.#stopPoll ??= this.#addon.poll(this.#device, () => this.#readable());
  }

  #pause(): void {
    this.#stopPoll?.();
    this.#stopPoll = undefined;
  }

  #readable(): void {
    this.#patience.woke(this.#clock.monotonicMs());
    this.#drain();
    if (this.#prunes === "yes") void this.#prune();
    this.#patience.sleeps(this.#clock.monotonicMs());
  }

  #drain(): void {
    for (let served = 0; served < limits.mount.requestsPerWakeMax; served++) {
      const request = this.#requests.take();
      if (request === undefined) return this.#pause();
      // What the tree owes is finished by the loop, so then nothing is waited for here.
      const patienceUs = served > 0 && this.#waiting.size === 0 ? this.#patience.us : 0;
      const lengthBytes = this.#addon.read(this.#device, request.bytes, patienceUs);
      if (lengthBytes >= 0) this.#serve(request, lengthBytes);
      else return this.#readFailed(request, -lengthBytes);
      if (this.#state === "ended") return;
    }
  }

  #readFailed(request: Request, code: number): void {
    this.#giveRequest(request);
    if (code === errno.EAGAIN) return;
    this.#end(code === errno.ENODEV ? "unmounted" : `errno ${code}`);
  }

  #serve(request: Request, lengthBytes: number): void {
    const owed = this.#attempt(request, lengthBytes);
    void (owed?.then(() => this.#giveRequest(request)) ?? this.#giveRequest(request));
  }

  /** A promise when the request's bytes are still needed. */
  #attempt(request: Request, lengthBytes: number): Promise<void> | undefined {
    let operation: Operation | undefined;
    try {
      const { opcode } = request.load(lengthBytes);
      this.#counts[opcode] = (this.#counts[opcode] ?? 0) + 1;
      operation = this.#state === "ready" ? operations[opcode] : undefined;
      if (operation === undefined) return this.#serveOther(request);
      const owed = operation.serve(this, request);
      return operation.keepsRequest ? owed : undefined;
    } catch (error) {
      this.#refuseNow(request, lengthBytes, error, operation?.errnoOf);
      return undefined;
    }
  }

  /** The first request, and what we do not serve. */
  #serveOther(request: Request): undefined {
    const { opcode, unique } = request;
    if (opcode === opcodes.INIT) return this.#negotiate(request);
    // A file system without ioctls says so per call; of the rest the kernel asks only once.
    const code = opcode === opcodes.IOCTL ? errno.ENOTTY : errno.ENOSYS;
    this.#reply.begin();
    this.#send(unique, -code);
    return undefined;
  }

  #negotiate(request: Request): undefined {
    try {
      const terms = termsFor(request);
      encodeTerms(this.#reply.begin(), terms);
      this.hasLongSetxattr = terms.hasLongSetxattr;
      this.opensDirectories = terms.opensDirectories;
      this.#send(request.unique, 0);
      this.#state = "ready";
      this.#isReady.resolve();
    } catch (error) {
      this.#reply.begin();
      this.#send(request.unique, -errno.EPROTO);
      this.#isReady.reject(error);
    }
    return undefined;
  }

  #giveRequest(request: Request): void {
    this.#requests.give(request);
    if (this.#state !== "ended") this.#resume();
  }

  // ---- answers

  #send(unique: number, error: number): number {
    const reply = this.#reply;
    const pieces = reply.pieces;
    if (pieces === undefined || pieces.length === 0) {
      reply.seal(unique, error, 0);
      return this.#sent(this.#addon.write(this.#device, reply.bytes, reply.lengthBytes));
    }
    const few = pieces.length <= piecesMax ? pieces : [Buffer.concat(pieces)];
    const piecesBytes = few.reduce((sum, piece) => sum + piece.length, 0);
    reply.seal(unique, error, piecesBytes);
    return this.#sent(this.#addon.write(this.#device, reply.bytes, reply.lengthBytes, few));
  }

  #sent(result: number): number {
    // An interrupted request is gone, and so is everything after an unmount: both are usual.
    const odd = result < 0 && result !== -errno.ENOENT && result !== -errno.ENODEV;
    if (odd) {
      const fault = new HiveError("Invalid", "mount.answer", `errno ${-result}`);
      this.#complaints.hear("answer", fault);
    }
    return result;
  }

  #refuseNow(
    request: Request, lengthBytes: number, error: unknown, special: Parts<unknown>["errnoOf"],
  ): void {
    const { opcode } = request;
    const silent: readonly number[] = [opcodes.FORGET, opcodes.BATCH_FORGET, opcodes.INTERRUPT];
    const unanswerable = lengthBytes < requestHeadBytes || !request.hasUnique;
    if (unanswerable || silent.includes(opcode)) this.#complaints.hear("request", error);
    else this.#refuse(request.unique, error, opcode, special);
  }

  #refuse(
    unique: number, error: unknown, opcode: number, special: Parts<unknown>["errnoOf"],
  ): void {
    const own = isFault(error) ? special?.[error.kind] : undefined;
    if (isWorthLogging(error)) this.#complaints.hear(opcodeNames[opcode] ?? `${opcode}`, error);
    this.#reply.begin();
    this.#send(unique, -(own ?? errnoFor(error)));
  }

  #takeBack<T>(value: T, parts: Parts<T>): void {
    parts.undo?.(this, value);
    parts.done?.(this, value);
  }

  async #letGo(unique: number, waiting: Waiting): Promise<void> {
    const ends = await wantsToEnd(waiting.pid);
    if (!ends || this.#waiting.get(unique) !== waiting || waiting.gone) return;
    waiting.gone = true;
    waiting.aborter?.abort(new HiveError("Interrupted", "mount.interrupt", "caller"));
    this.#reply.begin();
    this.#send(unique, -errnoOf.Interrupted);
  }

  // ---- the end

  #end(why: string): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#pause();
    this.#isReady.reject(new HiveError("Unavailable", "mount.session", why));
    this.#isReady.promise.catch(() => {});
    for (const waiting of this.#waiting.values()) {
      waiting.gone = true;
      waiting.aborter?.abort(new HiveError("Interrupted", "mount.interrupt", why));
    }
    this.#notices.closeDevice();
    void this.#tidyUp();
  }

  /** Leaves nothing open in the tree, and everything that it acknowledged on stable storage. */
  async #tidyUp(): Promise<void> {
    try {
      for (const [handle, kind] of this.handles) {
        if (kind === "file") await this.tree.release(handle);
        else await this.tree.releasedir(handle);
      }
      this.handles.clear();
      this.writers.clear();
      await this.tree.syncAll();
    } catch (error) {
      this.#complaints.hear("unmount", error);
    } finally {
      this.#hasEnded.resolve();
    }
  }
}
