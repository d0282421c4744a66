/**
 * The asking end of one stream: numbered requests, many under way at once, each answered exactly
 * once. An answer nobody asked for, a silence, or a broken frame ends the lane and fails what is
 * under way; the next call opens a new one.
 */
import type { Stream } from "@libp2p/interface";
import type { Clock } from "../../base/clock.ts";
import { HiveError, assert } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import type { ReadOptions } from "../../base/network.ts";
import type { Frame } from "../wire/frame.ts";
import { type Request, encodeRequest, parseAnswer } from "../wire/message.ts";
import { type Meter, Pipe } from "./pipe.ts";
import { SilenceAlarm } from "./silence.ts";

interface Call {
  readonly op: string;
  /** Where a payload of just this length goes. */
  readonly into: Buffer | undefined;
  readonly sinceMs: number;
  readonly resolve: (payload: Uint8Array) => void;
  readonly reject: (reason: unknown) => void;
}

export class Lane {
  readonly #clock: Clock;
  readonly #pipe: Pipe;
  readonly #calls = new Map<number, Call>();
  /** Called off here, still to be answered there. */
  readonly #calledOff = new Set<number>();
  readonly #alarm: SilenceAlarm;
  #lastId = 0;

  constructor(needs: { clock: Clock; stream: Stream; meter: Meter }) {
    this.#clock = needs.clock;
    this.#alarm = new SilenceAlarm(needs.clock, {
      timeoutMs: limits.peers.callTimeoutMs,
      isWaiting: () => this.#calls.size + this.#calledOff.size > 0,
      onSilence: () => this.end(new HiveError("TimedOut", "peers.lane", "silence")),
    });
    this.#pipe = new Pipe(needs, {
      onFrame: (frame) => this.#answered(frame),
      onNews: () => this.#news(),
      onEnd: (reason) => this.#end(reason),
      room: (head, payloadBytes) => this.#room(head, payloadBytes),
    });
  }

  get ended(): boolean {
    return this.#pipe.ended;
  }

  /** The answer's payload; the fault that the peer named; or why there was no answer. */
  call(request: Request, payload: Uint8Array, options: ReadOptions = {}): Promise<Uint8Array> {
    const { signal, into } = options;
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      if (this.ended) return reject(new HiveError("Unavailable", "peers.lane", "ended"));
      if (signal?.aborted === true) return reject(signal.reason);
      const callOff = () => this.#callOff(id, signal?.reason);
      const over = () => signal?.removeEventListener("abort", callOff);
      this.#calls.set(id, {
        op: request.op, into,
        sinceMs: this.#clock.monotonicMs(),
        resolve: (answer) => { over(); resolve(answer); },
        reject: (reason) => { over(); reject(reason); },
      });
      signal?.addEventListener("abort", callOff, { once: true });
      this.#alarm.expect();
      this.#pipe.send(encodeRequest(id, request), payload).catch((fault) => this.#fail(id, fault));
    });
  }

  end(reason: HiveError): void {
    this.#pipe.end(reason);
  }

  #answered(frame: Frame): void {
    const { id, outcome } = parseAnswer(frame.head);
    if (this.#calledOff.delete(id)) return;
    const call = this.#calls.get(id);
    if (call === undefined) throw new HiveError("Corrupt", "peers.lane", `answer ${id}`);
    this.#calls.delete(id);
    if (outcome.ok) call.resolve(frame.payload);
    else call.reject(new HiveError(outcome.kind, `peers.${call.op}`, "refused by the peer"));
  }

  #room(head: Buffer, payloadBytes: number): Buffer | "own" | "nowhere" {
    const { id } = parseAnswer(head);
    if (this.#calledOff.has(id)) return "nowhere";
    const into = this.#calls.get(id)?.into;
    return into?.length === payloadBytes ? into : "own";
  }

  #callOff(id: number, reason: unknown): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    this.#calls.delete(id);
    this.#calledOff.add(id);
    call.reject(reason);
    const cancel = encodeRequest(++this.#lastId, { op: "cancel", target: id });
    // Should this fail, the lane is over and with it the request.
    this.#pipe.send(cancel).catch((fault) => this.#fail(id, fault));
    if (this.#calledOff.size <= limits.peers.laneRequestsMax) return;
    this.end(new HiveError("TimedOut", "peers.lane", "called off and never answered"));
  }

  #fail(id: number, fault: unknown): void {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    this.#calledOff.delete(id);
    call?.reject(fault);
  }

  /** Any bytes are news for all calls of the lane, but none may last for ever. */
  #news(): void {
    this.#alarm.news();
    const oldest = this.#calls.values().next().value;
    if (oldest === undefined) return;
    const ageMs = this.#clock.monotonicMs() - oldest.sinceMs;
    if (ageMs > limits.peers.callTotalMs) {
      this.end(new HiveError("TimedOut", `peers.${oldest.op}`, "a call without end"));
    }
  }

  #end(reason: HiveError): void {
    this.#alarm[Symbol.dispose]();
    const failed = [...this.#calls.values()];
    this.#calls.clear();
    this.#calledOff.clear();
    for (const call of failed) call.reject(reason);
    assert(this.#calls.size === 0);
  }
}
