/**
 * Answers the requests of one stream that a peer opened: each exactly once, in any order, at most
 * `laneRequestsMax` at a time and never more bytes than its own and the common allowance. Over
 * them nothing more is read from the peer, so a flood waits in the sender's memory, not in ours.
 */
import type { Stream } from "@libp2p/interface";
import { KiB } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import { type Meter, Pipe } from "../asking/pipe.ts";
import type { Frame } from "../wire/frame.ts";
import { type Request, encodeAnswer, parseRequest, refusalOf } from "../wire/message.ts";
import { Holding, type JointHolding } from "./holding.ts";
import type { PayloadRooms } from "./payload-rooms.ts";

/** Carries out one request; its result is the answer's payload. */
export type Handler = (request: Request, payload: Uint8Array) => Promise<Uint8Array>;

export interface ServeNeeds {
  readonly clock: Clock;
  readonly log: Log;
  readonly stream: Stream;
  readonly meter: Meter;
  /** The allowance that this stream shares with others. */
  readonly holding: JointHolding;
  /** For payloads: a handler holds none of them longer than its work lasts. */
  readonly rooms: PayloadRooms;
  readonly handler: Handler;
  /** What came is no request, or no more of it came. */
  readonly onBroken: () => void;
}

export function serve(needs: ServeNeeds): Serving {
  return new Serving(needs);
}

class Serving {
  readonly #needs: ServeNeeds;
  readonly #pipe: Pipe;
  readonly #own = new Holding(limits.peers.laneHeldBytesMax);
  /** Requests under way, and how each is told that its asker waits no more. */
  readonly #running = new Map<number, () => void>();
  readonly #wake = () => this.#pipe.wake();
  #taken = 0;
  /** Requests that came, less those that were called off: each may be once. */
  #callableOff = 0;

  constructor(needs: ServeNeeds) {
    this.#needs = needs;
    this.#pipe = new Pipe(needs, {
      onFrame: (frame) => this.#take(frame),
      onNews: () => {},
      onEnd: (reason) => this.#end(reason),
      room: (_head, payloadBytes) => needs.rooms.take(payloadBytes),
    });
  }

  #end(reason: HiveError): void {
    for (const cancel of this.#running.values()) cancel();
    if (reason.kind === "Unavailable") return;
    this.#needs.log.warn("peer.stream", { fault: describe(reason) });
    this.#needs.onBroken();
  }

  /** False when this request has to wait; a frame that is no request ends the stream. */
  #take(frame: Frame): boolean {
    const { id, request } = parseRequest(frame.head);
    if (request.op === "cancel") return this.#callOff(request.target);
    if (this.#running.has(id)) throw new HiveError("Corrupt", "peers.serve", `id ${id} twice`);
    const bytes = frame.payload.length + answerBytesMax(request);
    if (!this.#hold(bytes)) return false;
    this.#taken++;
    this.#callableOff++;
    const work = this.#needs.handler(request, frame.payload);
    // Cancelled or not, the work holds its bytes until it is done.
    void Promise.allSettled([work, this.#answer(id, work)]).then(() => {
      this.#needs.rooms.give(frame.payload);
      this.#give(bytes);
    });
    return true;
  }

  /** It is counted as no request, so there are no more of them than of these. */
  #callOff(id: number): true {
    if (this.#callableOff-- === 0) throw new HiveError("Corrupt", "peers.serve", "unasked");
    this.#running.get(id)?.();
    return true;
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

  #hold(bytes: number): boolean {
    const { holding } = this.#needs;
    if (this.#taken >= limits.peers.laneRequestsMax || !this.#own.take(bytes)) {
      this.#own.onRoom(this.#wake);
      return false;
    }
    if (holding.take(bytes)) return true;
    holding.onRoom(this.#wake);
    this.#own.give(bytes);
    return false;
  }

  #give(bytes: number): void {
    this.#taken--;
    this.#needs.holding.give(bytes);
    this.#own.give(bytes);
  }
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
