/**
 * One of the streams that share a connection. How much may be under way towards this end is its
 * window: 256 KiB at first, as yamux has it, and twice as much each time that half of it was read,
 * up to a limit, and as far as all windows of this node may grow. More is granted only then, not
 * for every frame, and never while the reader rests.
 */
import { AbstractStream, type AbstractStreamInit, type SendResult } from "@libp2p/utils";
import { KiB } from "../../base/bytes.ts";
import { HiveError } from "../../base/errors.ts";
import type { JointHolding } from "./holding.ts";
import { muxFlags, muxTypes } from "./mux-frame.ts";

type Pieces = Parameters<AbstractStream["sendData"]>[0];

export interface StreamFrame {
  readonly type: number;
  readonly flags: number;
  readonly length: number;
}

export interface MuxedStreamInit extends AbstractStreamInit {
  /** What may be under way towards this end, at most. */
  readonly windowBytesMax: number;
  /** What this window and others may have beyond their first. */
  readonly growth: JointHolding;
  /** Sends a frame of this stream; false when the connection is full. */
  readonly frame: (frame: StreamFrame, payload?: Pieces) => boolean;
}

/** So many of any size; more of them are to be of a KiB at least. */
const piecesMin = 256;

/** Before either end has said anything about it; the protocol has it so. */
const firstWindowBytes = 256 * KiB;

export class MuxedStream extends AbstractStream {
  readonly #frame: MuxedStreamInit["frame"];
  readonly #windowBytesMax: number;
  readonly #growth: JointHolding;
  #windowBytes = firstWindowBytes;
  /** What the other end may send without hearing from this one. */
  #grantedBytes = firstWindowBytes;
  #maySendBytes = firstWindowBytes;
  /** Of what is unread, at most. */
  #pieces = 0;
  /** Goes with the first frame: that this end opened the stream, or took it. */
  #greeting: number;

  constructor(init: MuxedStreamInit) {
    super(init);
    this.#frame = init.frame;
    this.#windowBytesMax = init.windowBytesMax;
    this.#growth = init.growth;
    this.#greeting = init.direction === "outbound" ? muxFlags.open : muxFlags.accept;
  }

  sendData(pieces: Pieces): SendResult {
    const sentBytes = Math.min(pieces.byteLength, this.#maySendBytes);
    if (sentBytes === 0) return { sentBytes, canSendMore: false };
    this.#maySendBytes -= sentBytes;
    const frame = { type: muxTypes.data, flags: this.#greet(), length: sentBytes };
    const isRoom = this.#frame(frame, pieces.sublist(0, sentBytes));
    return { sentBytes, canSendMore: isRoom && sentBytes === pieces.byteLength };
  }

  /** To be called once, when the stream is over. */
  shrink(): void {
    this.#growth.give(this.#windowBytes - firstWindowBytes);
  }

  /** The other end has room for more. */
  widen(bytes: number): void {
    this.#maySendBytes += bytes;
    if (this.writeBuffer.byteLength > 0) this.safeDispatchEvent("drain");
  }

  /** So many bytes are coming: Corrupt when they are more than was granted. */
  expects(bytes: number): void {
    if (bytes > this.#grantedBytes) throw new HiveError("Corrupt", "peers.mux", "window");
    this.#grantedBytes -= bytes;
  }

  /** Keeps them until `deliver`. */
  brings(piece: Uint8Array): void {
    this.readBuffer.append(piece);
    this.#pieces++;
    if (this.#pieces > piecesMin + this.readBuffer.byteLength / KiB) this.#join();
  }

  deliver(): void {
    this.dispatchReadBuffer();
  }

  /** A byte that comes by itself weighs 140, and whoever takes a million of them takes minutes. */
  #join(): void {
    const whole = this.readBuffer.slice();
    this.readBuffer.consume(whole.length);
    this.readBuffer.append(whole);
    this.#pieces = 1;
  }

  sendReset(): void {
    this.#frame({ type: muxTypes.window, flags: muxFlags.reset, length: 0 });
  }

  async sendCloseWrite(): Promise<void> {
    this.#frame({ type: muxTypes.window, flags: this.#greet() | muxFlags.end, length: 0 });
  }

  /** There is no such word in yamux: what still comes is passed over. */
  async sendCloseRead(): Promise<void> {}

  /** The window is not widened meanwhile, and then the other end waits. */
  sendPause(): void {}

  sendResume(): void {
    this.#grant();
  }

  protected override dispatchReadBuffer(): void {
    super.dispatchReadBuffer();
    if (this.readBuffer.byteLength === 0) this.#pieces = 0;
    this.#grant();
  }

  #grant(): void {
    const isRead = this.readBuffer.byteLength === 0 && this.readStatus !== "paused";
    const isOver = this.remoteWriteStatus === "closed" || this.status !== "open";
    if (!isRead || isOver || 2 * this.#grantedBytes > this.#windowBytes) return;
    const wideBytes = Math.min(2 * this.#windowBytes, this.#windowBytesMax);
    if (this.#growth.take(wideBytes - this.#windowBytes)) this.#windowBytes = wideBytes;
    const length = this.#windowBytes - this.#grantedBytes;
    this.#grantedBytes = this.#windowBytes;
    this.#frame({ type: muxTypes.window, flags: this.#greet(), length });
  }

  #greet(): number {
    const greeting = this.#greeting;
    this.#greeting = 0;
    return greeting;
  }
}
