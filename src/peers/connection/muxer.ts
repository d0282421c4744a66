/**
 * Streams that share a connection, as yamux has them. Libp2p's own muxer speaks the same and is
 * understood, but it answers each frame of data with one of its own, and as Hive sends no pings its
 * windows never grow: a peer 50 ms away got 3 MB/s. Who opens a stream, what it carries and how it
 * ends is as libp2p has it.
 */
import { TooManyOutboundProtocolStreamsError } from "@libp2p/interface";
import type {
  AbortOptions, MessageStream, StreamMuxerFactory, StreamMuxerOptions,
} from "@libp2p/interface";
import { AbstractStreamMuxer } from "@libp2p/utils";
import { Bucket, type BucketRate } from "../../base/bucket.ts";
import type { Clock } from "../../base/clock.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import { Holding, JointHolding } from "./holding.ts";
import { MuxDecoder, type MuxHead, encodeMuxHead, muxFlags, muxTypes } from "./mux-frame.ts";
import { MuxedStream } from "./muxed-stream.ts";

type Bytes = Parameters<MessageStream["send"]>[0];
type Pieces = Exclude<Bytes, Uint8Array>;

export interface MuxerOptions extends StreamMuxerOptions {
  readonly clock: Pick<Clock, "monotonicMs">;
  /** Of each direction. */
  readonly streamsMax: number;
  /** Streams that the other end may open: one that it ends at once cost us its beginning. */
  readonly openings: BucketRate;
  /** Words without payload that wait while the other end takes nothing. */
  readonly untakenMax: number;
  readonly windowBytesMax: number;
  /** What the windows of all connections may have beyond their first 256 KiB. */
  readonly growthBytesMax: number;
  /** Payload of one frame: what others wait for at most. */
  readonly frameBytesMax: number;
}

const protocol = "/yamux/1.0.0";

export function muxer(options: MuxerOptions): () => StreamMuxerFactory {
  const all = new Holding(options.growthBytesMax);
  return () => ({
    protocol,
    createStreamMuxer: (below) => {
      const growth = new JointHolding([new Holding(options.growthBytesMax), all]);
      return new Muxer(below, { ...options, growth });
    },
  });
}

class Muxer extends AbstractStreamMuxer<MuxedStream> {
  readonly #options: MuxerOptions & { readonly growth: JointHolding };
  readonly #isDialler: boolean;
  readonly #decoder: MuxDecoder;
  readonly #byNumber = new Map<number, MuxedStream>();
  /** Whose frame is coming; undefined of one that is no more. */
  #current: MuxedStream | undefined;
  /** Those for which something came that they were not given yet. */
  readonly #due = new Set<MuxedStream>();
  readonly #openings: Bucket;
  #untaken = 0;
  #nextNumber: number;

  constructor(below: MessageStream, options: MuxerOptions & { readonly growth: JointHolding }) {
    super(below, { ...options, protocol, name: "mux" });
    this.#options = options;
    this.#isDialler = below.direction === "outbound";
    this.#nextNumber = this.#isDialler ? 1 : 2;
    this.#openings = new Bucket(options.openings, options.clock.monotonicMs());
    below.addEventListener("drain", () => { this.#untaken = 0; });
    this.#decoder = new MuxDecoder({
      begins: (head) => this.#begin(head),
      brings: (piece) => this.#bring(piece),
      ends: ({ flags }) => this.#end(flags),
    });
  }

  onData(bytes: Bytes): void {
    for (const chunk of bytes instanceof Uint8Array ? [bytes] : bytes) this.#decoder.push(chunk);
    for (const stream of this.#due) stream.deliver();
    this.#due.clear();
  }

  onCreateStream(): MuxedStream {
    if (this.#count("outbound") >= this.#options.streamsMax) {
      throw new TooManyOutboundProtocolStreamsError("streams of a connection");
    }
    const number = this.#nextNumber;
    this.#nextNumber += 2;
    return this.#newStream(number, "outbound");
  }

  override async close(options?: AbortOptions): Promise<void> {
    if (this.status !== "open") return;
    await super.close(options);
    this.#leave(leavings.done);
  }

  override abort(error: Error): void {
    if (this.status !== "open") return;
    super.abort(error);
    this.#leave(isFault(error, "Corrupt") ? leavings.wrong : leavings.failed);
  }

  #begin(head: MuxHead): void {
    const { type, flags, stream: number, length } = head;
    const isOfStream = type === muxTypes.data || type === muxTypes.window;
    if (isOfStream !== (number > 0)) throw corrupt(`type ${type} of ${number}`);
    if (!isOfStream) return this.#hear(head);
    if ((flags & muxFlags.open) !== 0) this.#accept(number);
    this.#current = this.#byNumber.get(number);
    if (type === muxTypes.data) this.#current?.expects(length);
    else this.#current?.widen(length);
  }

  #bring(piece: Uint8Array): void {
    if (this.#current === undefined) return;
    this.#current.brings(piece);
    this.#due.add(this.#current);
  }

  #end(flags: number): void {
    const stream = this.#current;
    this.#current = undefined;
    if (stream === undefined || (flags & (muxFlags.end | muxFlags.reset)) === 0) return;
    // Not once more when it is over: what its reader gives back would be refused then.
    this.#due.delete(stream);
    stream.deliver();
    if ((flags & muxFlags.end) !== 0) stream.onRemoteCloseWrite();
    if ((flags & muxFlags.reset) !== 0) stream.onRemoteReset();
  }

  /** What the other end says of the connection. */
  #hear({ type, flags, length }: MuxHead): void {
    if (type === muxTypes.goAway) {
      if (length === leavings.done) return this.onTransportClosed();
      return this.abort(new HiveError("Unavailable", "peers.mux", `left: ${length}`));
    }
    // None was sent from here, so none can be answered.
    if (flags !== muxFlags.open) throw corrupt("ping");
    this.#frame(0, { type: muxTypes.ping, flags: muxFlags.accept, length });
  }

  #accept(number: number): void {
    const isTheirs = (number % 2 === 0) === this.#isDialler;
    if (!isTheirs) throw corrupt(`stream ${number}`);
    if (this.#byNumber.has(number)) return;
    if (this.#mayAccept()) return this.onRemoteStream(this.#newStream(number, "inbound"));
    this.#frame(number, { type: muxTypes.window, flags: muxFlags.reset, length: 0 });
  }

  #mayAccept(): boolean {
    const { clock, streamsMax } = this.#options;
    if (this.status !== "open" || this.#count("inbound") >= streamsMax) return false;
    const nowMs = clock.monotonicMs();
    if (this.#openings.left(nowMs) < 1) return false;
    this.#openings.spend(1, nowMs);
    return true;
  }

  #newStream(number: number, direction: "inbound" | "outbound"): MuxedStream {
    const stream = new MuxedStream({
      ...this.streamOptions, direction, id: String(number),
      log: this.log.newScope(`${direction}:${number}`),
      maxMessageSize: this.#options.frameBytesMax,
      maxReadBufferLength: 2 * this.#options.windowBytesMax,
      windowBytesMax: this.#options.windowBytesMax,
      growth: this.#options.growth,
      frame: (frame, payload) => this.#frame(number, frame, payload),
    });
    this.#byNumber.set(number, stream);
    stream.addEventListener("close", () => {
      this.#byNumber.delete(number);
      stream.shrink();
    }, { once: true });
    return stream;
  }

  #count(direction: "inbound" | "outbound"): number {
    return this.streams.filter((stream) => stream.direction === direction).length;
  }

  #frame(stream: number, frame: Omit<MuxHead, "stream">, payload?: Pieces): boolean {
    const head = encodeMuxHead({ ...frame, stream });
    payload?.prepend(head);
    const isRoom = this.send(payload ?? head);
    if (!isRoom && payload === undefined) this.#waits();
    return isRoom;
  }

  /** Streams wait until there is room; words do not, which answer what the other end says. */
  #waits(): void {
    this.#untaken++;
    if (this.#untaken <= this.#options.untakenMax) return;
    this.maConn.abort(new HiveError("Busy", "peers.mux", "asks and takes no answers"));
  }

  #leave(length: number): void {
    if (this.maConn.status !== "open") return;
    this.#frame(0, { type: muxTypes.goAway, flags: 0, length });
  }
}

/** Why an end leaves. */
const leavings = { done: 0, wrong: 1, failed: 2 } as const;

function corrupt(what: string): HiveError {
  return new HiveError("Corrupt", "peers.mux", what);
}
