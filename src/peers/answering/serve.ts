/**
 * Answers the requests of one stream that a peer opened: each exactly once, in any order, at most
 * `laneRequestsMax` at a time and never more bytes than the allowance lets it. What a request and
 * its answer may weigh is taken from there when its head is here, before its payload has a room.
 * Until there is some nothing more is read from the peer, so a flood waits in the sender's memory,
 * not in ours; and if that takes long, the peer is told Busy, and comes back later.
 */
import type { Stream } from "@libp2p/interface";
import { KiB } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { HiveError, assert } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import { type Meter, Pipe } from "../asking/pipe.ts";
import type { Frame, PayloadRoom } from "../wire/frame.ts";
import { type Request, encodeAnswer, parseRequest, refusalOf } from "../wire/message.ts";
import type { JointHolding } from "../connection/holding.ts";
import type { PayloadRooms } from "./payload-rooms.ts";

/** Carries out one request; its result is the answer's payload. */
export type Handler = (request: Request, payload: Uint8Array) => Promise<Uint8Array>;

export interface ServeNeeds {
  readonly clock: Clock;
  readonly log: Log;
  readonly stream: Stream;
  readonly meter: Meter;
  /** The allowance, of which the stream has its own part, and shares the rest with others. */
  readonly holding: () => JointHolding;
  /** For payloads: a handler holds none of them longer than its work lasts. */
  readonly rooms: PayloadRooms;
  readonly handler: Handler;
  /** What came is no request, or no more of it came. */
  readonly onBroken: () => void;
}

export function serve(needs: ServeNeeds): Serving {
  return new Serving(needs);
}

/** A request whose payload is on its way. */
interface Coming {
  readonly id: number;
  readonly request: Request;
  /** Taken from the allowance; undefined for one that takes nothing back, or is told Busy. */
  readonly held: Held | undefined;
}

interface Held {
  readonly holding: JointHolding;
  readonly bytes: number;
}

class Serving {
  readonly #needs: ServeNeeds;
  readonly #pipe: Pipe;
  /** Requests under way, and how each is told that its asker waits no more. */
  readonly #running = new Map<number, () => void>();
  readonly #wake = () => this.#pipe.wake();
  #coming: Coming | undefined;
  /** Until when one waits for the allowance. */
  #patience: Disposable | undefined;
  #isLate = false;
  #taken = 0;
  /** Requests that came, less those that were called off: each may be once. */
  #callableOff = 0;

  constructor(needs: ServeNeeds) {
    this.#needs = needs;
    this.#pipe = new Pipe(needs, {
      onFrame: (frame) => this.#take(frame),
      onNews: () => {},
      onEnd: (reason) => this.#end(reason),
      room: (head, payloadBytes) => this.#roomFor(head, payloadBytes),
    });
  }

  #end(reason: HiveError): void {
    this.#patience?.[Symbol.dispose]();
    for (const cancel of this.#running.values()) cancel();
    this.#give(this.#coming?.held);
    this.#coming = undefined;
    if (reason.kind === "Unavailable") return;
    this.#needs.log.warn("peer.stream", { fault: describe(reason) });
    this.#needs.onBroken();
  }

  /** What is no request ends the stream. */
  #roomFor(head: Buffer, payloadBytes: number): ReturnType<PayloadRoom> {
    const { id, request } = parseRequest(head);
    if (this.#running.has(id)) throw new HiveError("Corrupt", "peers.serve", `id ${id} twice`);
    const isCancel = request.op === "cancel";
    const bytes = head.length + payloadBytes + answerBytesMax(request);
    const held = isCancel ? undefined : this.#hold(bytes);
    if (held === undefined && !isCancel && !this.#isLate) return this.#wait();
    this.#patience?.[Symbol.dispose]();
    this.#patience = undefined;
    this.#isLate = false;
    this.#coming = { id, request, held };
    if (held === undefined) return "nowhere";
    return this.#needs.rooms.take(payloadBytes) ?? "own";
  }

  #wait(): "later" {
    this.#needs.holding().onRoom(this.#wake);
    this.#patience ??= this.#needs.clock.after(limits.peers.roomWaitMs, () => {
      this.#isLate = true;
      this.#wake();
    });
    return "later";
  }

  #take({ payload }: Frame): void {
    const coming = this.#coming;
    assert(coming !== undefined, "a payload has its head");
    this.#coming = undefined;
    const { id, request, held } = coming;
    if (request.op === "cancel") return this.#callOff(request.target);
    this.#callableOff++;
    if (held === undefined) return void this.#refuse(id, busy());
    const work = this.#needs.handler(request, payload);
    // Cancelled or not, the work holds its bytes until it is done.
    void Promise.allSettled([work, this.#answer(id, work)]).then(() => {
      this.#needs.rooms.give(payload);
      this.#give(held);
    });
  }

  /** It is counted as no request, so there are no more of them than of these. */
  #callOff(id: number): void {
    if (this.#callableOff-- === 0) throw new HiveError("Corrupt", "peers.serve", "unasked");
    this.#running.get(id)?.();
  }

  async #answer(id: number, work: Promise<Uint8Array>): Promise<void> {
    const cancelled = new Promise<never>((_resolve, reject) => {
      this.#running.set(id, () => reject(new HiveError("Interrupted", "peers.serve", "cancel")));
    });
    try {
      const answer = await Promise.race([work, cancelled]);
      await this.#pipe.send(encodeAnswer(id, { ok: true }), answer);
    } catch (error) {
      await this.#refuse(id, error);
    } finally {
      this.#running.delete(id);
    }
  }

  async #refuse(id: number, error: unknown): Promise<void> {
    if (this.#pipe.ended) return;
    const kind = refusalOf(error);
    if (kind === "Unavailable") {
      this.#needs.log.warn("peer.request", { fault: describe(error) });
    }
    try {
      await this.#pipe.send(encodeAnswer(id, { ok: false, kind }));
    } catch (late) {
      this.#needs.log.debug("peer.gone", { fault: describe(late) });
    }
  }

  #hold(bytes: number): Held | undefined {
    const holding = this.#needs.holding();
    const isRoom = this.#taken < limits.peers.laneRequestsMax && holding.take(bytes);
    if (!isRoom) return undefined;
    this.#taken++;
    return { holding, bytes };
  }

  #give(held: Held | undefined): void {
    if (held === undefined) return;
    this.#taken--;
    held.holding.give(held.bytes);
  }
}

function busy(): HiveError {
  return new HiveError("Busy", "peers.serve", "no room");
}

/** What an answer may weigh, before it is there. */
function answerBytesMax(request: Request): number {
  switch (request.op) {
    case "read": return request.length;
    // A holder reads the whole shard for a proof, and up to 3 KiB for a segment's record.
    case "prove": return limits.peers.payloadBytesMax;
    case "segments": return request.limit * 3 * KiB;
    // A log of the widest group, when it is long.
    case "guard": return request.act === "word" ? limits.peers.payloadBytesMax : smallBytes;
    case "records": case "offers": return listBytes;
    case "share": return limits.records.recordBytesMax;
    case "device": return deviceBytesMax[request.act];
    case "settle": return limits.ledger.messageBytesMax;
    default: return smallBytes;
  }
}

const listBytes = 256 * KiB;
const smallBytes = 4 * KiB;
const deviceBytesMax = {
  pair: smallBytes, roll: smallBytes, root: smallBytes,
  askRoll: limits.records.recordBytesMax, block: limits.dag.blockBytesMax,
};
