/**
 * Frames over one libp2p stream, both ways. Writing waits when the stream is full and hands large
 * payloads over in slices; reading stops while there is no room for a frame. A half frame that goes
 * no further, and a reader that takes nothing, end the stream; the connection lives on.
 */
import type { Stream } from "@libp2p/interface";
import type { Clock } from "../../base/clock.ts";
import { HiveError } from "../../base/errors.ts";
import { Gate } from "../../base/gate.ts";
import { limits } from "../../base/limits.ts";
import { passed } from "../../base/machine/collect.ts";
import { type Frame, FrameDecoder, type PayloadRoom, encodeFrameStart } from "../wire/frame.ts";
import { SilenceAlarm } from "./silence.ts";

export interface PipeEvents {
  readonly onFrame: (frame: Frame) => void;
  /** Bytes came or went: whoever waits for this peer may go on waiting. */
  readonly onNews: () => void;
  readonly onEnd: (reason: HiveError) => void;
  /** Where there is none yet, nothing more is read until `wake`. */
  readonly room?: PayloadRoom;
}

export interface Meter {
  sentBytes: number;
  receivedBytes: number;
}

export class Pipe {
  readonly #stream: Stream;
  readonly #events: PipeEvents;
  readonly #meter: Meter;
  readonly #decoder: FrameDecoder;
  readonly #writing = new Gate({ seats: 1, queueMax: limits.peers.seatQueueMax });
  readonly #reading: SilenceAlarm;
  readonly #drained: SilenceAlarm;
  /** When the frame began of which only a part is here. */
  #begunMs: number | undefined;
  readonly #clock: Clock;
  /** Whoever waits until the stream has room. */
  #onDrain: PromiseWithResolvers<void> | undefined;
  #ended = false;

  constructor(needs: { clock: Clock; stream: Stream; meter: Meter }, events: PipeEvents) {
    this.#stream = needs.stream;
    this.#clock = needs.clock;
    this.#meter = needs.meter;
    this.#events = events;
    this.#decoder = new FrameDecoder(events.room);
    const alarm = (isWaiting: () => boolean) => new SilenceAlarm(needs.clock, {
      timeoutMs: limits.peers.callTimeoutMs,
      isWaiting,
      onSilence: () => this.end(new HiveError("TimedOut", "peers.pipe", needs.stream.protocol)),
    });
    // Two alarms: who sends all the time and takes nothing must not pass for alive.
    this.#reading = alarm(() => !this.#decoder.waits && this.#decoder.unfinished);
    this.#drained = alarm(() => this.#onDrain !== undefined);
    this.#stream.addEventListener("message", (event) => this.#receive(event.data));
    this.#stream.addEventListener("drain", () => this.#onDrain?.resolve());
    this.#stream.addEventListener("remoteCloseWrite", () => this.end(gone()));
    this.#stream.addEventListener("close", (event) => this.end(gone(event.error)));
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Resolves when the connection has taken the last byte; rejects when the stream ends before. */
  async send(head: Uint8Array, payload: Uint8Array = none): Promise<void> {
    const fits = head.length <= limits.peers.headBytesMax &&
      payload.length <= limits.peers.payloadBytesMax;
    if (!fits) throw new HiveError("TooLarge", "peers.send", `${head.length}+${payload.length}`);
    const start = encodeFrameStart(head, payload.length);
    using _seat = await this.#writing.enter();
    if (payload.length <= limits.peers.leanBytesMax) {
      return this.#write(payload.length === 0 ? start : Buffer.concat([start, payload]));
    }
    const endMs = this.#clock.monotonicMs() + limits.peers.callTotalMs;
    await this.#write(start);
    for (let at = 0; at < payload.length; at += limits.peers.sliceBytes) {
      await this.#write(payload.subarray(at, at + limits.peers.sliceBytes));
      if (this.#clock.monotonicMs() > endMs) this.end(late("takes too slowly"));
    }
  }

  /** There may be room again. */
  wake(): void {
    if (this.#ended || !this.#decoder.waits) return;
    this.#deliver();
    if (!this.#decoder.waits && !this.#ended) this.#stream.resume();
  }

  end(reason: HiveError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#reading[Symbol.dispose]();
    this.#drained[Symbol.dispose]();
    this.#onDrain?.reject(reason);
    this.#stream.abort(reason);
    this.#events.onEnd(reason);
  }

  async #write(bytes: Uint8Array): Promise<void> {
    if (this.#ended) throw gone();
    this.#meter.sentBytes += bytes.length;
    try {
      this.#stream.send(bytes);
    } catch (cause) {
      throw gone(cause);
    }
    passed(bytes.length);
    while (this.#stream.writableNeedsDrain) await this.#drain();
  }

  // Not the stream's own onDrain: in libp2p 3.3 it waits for the first drain only, and answers at
  // once ever after, so that whatever is sent piles up in its buffer.
  async #drain(): Promise<void> {
    const drain = Promise.withResolvers<void>();
    this.#onDrain = drain;
    this.#drained.expect();
    try {
      await drain.promise;
    } finally {
      this.#onDrain = undefined;
    }
    this.#drained.news();
    this.#events.onNews();
  }

  #receive(data: Uint8Array | Iterable<Uint8Array>): void {
    if (this.#ended) return;
    for (const chunk of data instanceof Uint8Array ? [data] : data) {
      this.#meter.receivedBytes += chunk.length;
      this.#decoder.push(chunk);
      passed(chunk.length);
    }
    this.#reading.news();
    this.#events.onNews();
    if (!this.#decoder.waits) this.#deliver();
  }

  /** A byte now and then is news, but no frame takes for ever. */
  #awaitRest(): void {
    this.#reading.expect();
    const nowMs = this.#clock.monotonicMs();
    this.#begunMs ??= nowMs;
    if (nowMs - this.#begunMs > limits.peers.callTotalMs) this.end(late("a frame without end"));
  }

  #deliver(): void {
    try {
      for (let frame = this.#decoder.next(); frame !== undefined; frame = this.#decoder.next()) {
        this.#begunMs = undefined;
        this.#events.onFrame(frame);
        if (this.#ended) return;
      }
      if (this.#decoder.waits) this.#stream.pause();
      else if (this.#decoder.unfinished) this.#awaitRest();
    } catch (cause) {
      this.end(new HiveError("Corrupt", "peers.pipe", this.#stream.protocol, { cause }));
    }
  }
}

const none = Buffer.alloc(0);

function late(why: string): HiveError {
  return new HiveError("TimedOut", "peers.pipe", why);
}

function gone(cause?: unknown): HiveError {
  const options = cause === undefined ? {} : { cause };
  return new HiveError("Unavailable", "peers.pipe", "stream", options);
}
