/**
 * A sealed socket as the message stream that libp2p's muxer writes to and reads from. A frame of
 * the muxer, its head and its bytes, goes out as one write.
 */
import type { TLSSocket } from "node:tls";
import type { AbortOptions, MessageStream } from "@libp2p/interface";
import { AbstractMessageStream, type SendResult } from "@libp2p/utils";

type Pieces = Parameters<AbstractMessageStream["sendData"]>[0];

export class SocketStream extends AbstractMessageStream {
  readonly #below: MessageStream;
  readonly #socket: TLSSocket;
  readonly #closed: Promise<void>;

  /** `below` is the connection that the sealed bytes go over, and is closed with this one. */
  constructor(below: MessageStream, socket: TLSSocket) {
    const { log, inactivityTimeout, maxReadBufferLength, direction } = below;
    super({ log, inactivityTimeout, maxReadBufferLength, direction });
    this.#below = below;
    this.#socket = socket;
    this.#closed = new Promise((resolve) => {
      if (socket.closed) return resolve();
      socket.once("close", () => resolve());
    });
    socket.on("data", (bytes: Buffer) => this.onData(bytes));
    socket.on("drain", () => this.safeDispatchEvent("drain"));
    socket.on("error", (error) => this.#lost(error));
    below.addEventListener("close", (event) => {
      if (event.error === undefined) return this.onTransportClosed();
      if (event.local === true) this.abort(event.error);
      else this.onRemoteReset();
    });
  }

  sendData(pieces: Pieces): SendResult {
    let canSendMore = true;
    // A frame's head would else be a record, a write and a packet of its own.
    this.#socket.cork();
    for (const piece of pieces) canSendMore = this.#socket.write(piece);
    this.#socket.uncork();
    return { sentBytes: pieces.byteLength, canSendMore };
  }

  sendPause(): void {
    this.#socket.pause();
  }

  sendResume(): void {
    this.#socket.resume();
  }

  /** The connection below has the same socket, and ends it. */
  sendReset(error: Error): void {
    this.#below.abort(error);
  }

  async close(options?: AbortOptions): Promise<void> {
    this.#socket.destroySoon();
    await this.#closed;
    await this.#below.close(options);
  }

  /** Of one that is being closed, what was still to be sent is nobody's loss. */
  #lost(error: Error): void {
    if (this.#below.status === "open") this.#below.abort(error);
  }
}
