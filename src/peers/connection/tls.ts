/**
 * TLS 1.3 as libp2p speaks it, run by Node on the TCP socket itself. libp2p's own encrypter feeds
 * TLS through JavaScript streams, which costs a third more of the processor; the bytes on the wire
 * are the same, and so are the certificates and how they are checked. What is no plain socket is
 * left to it.
 *
 * Once TLS has the socket nobody else may touch it. Whoever closes or resets the plain one has Node
 * free the TLS above at the end of the callback that runs, which may be one of OpenSSL's own: the
 * process ends by a segmentation fault. So libp2p's connection is given the sealed socket instead,
 * whose end closes the plain one first and frees TLS a turn of the loop later.
 */
import { Socket } from "node:net";
import { type TLSSocket, TLSSocket as ServerSocket, connect } from "node:tls";
import type {
  ConnectionEncrypter, MessageStream, SecureConnectionOptions, SecuredConnection,
} from "@libp2p/interface";
import type { TLSComponents } from "@libp2p/tls";
import { HiveError } from "../../base/errors.ts";
import { SocketStream } from "./socket-stream.ts";

export function socketTls(): (components: TLSComponents) => ConnectionEncrypter {
  return (components) => new SocketTls(components);
}

type Certificates = typeof import("@libp2p/tls/utils");
type Secured = SecuredConnection;
type Options = SecureConnectionOptions | undefined;
type Side = "client" | "server";

class SocketTls implements ConnectionEncrypter {
  readonly protocol = "/tls/1.0.0";
  readonly #components: TLSComponents;
  #otherwise: Promise<ConnectionEncrypter> | undefined;
  /** One for all: each takes 3 ms to make, and whoever connects has shown nothing yet. */
  #own: ReturnType<Certificates["generateCertificate"]> | undefined;

  constructor(components: TLSComponents) {
    this.#components = components;
  }

  async secureInbound(stream: MessageStream, options?: SecureConnectionOptions): Promise<Secured> {
    const socket = takeSocket(stream);
    if (socket === undefined) return (await this.#onStreams()).secureInbound(stream, options);
    return this.#secure(stream, { socket, side: "server" }, options);
  }

  async secureOutbound(stream: MessageStream, options?: SecureConnectionOptions): Promise<Secured> {
    const socket = takeSocket(stream);
    if (socket === undefined) return (await this.#onStreams()).secureOutbound(stream, options);
    return this.#secure(stream, { socket, side: "client" }, options);
  }

  #onStreams(): Promise<ConnectionEncrypter> {
    this.#otherwise ??= import("@libp2p/tls").then(({ tls }) => tls()(this.#components));
    return this.#otherwise;
  }

  async #secure(
    connection: MessageStream,
    end: { readonly socket: Socket; readonly side: Side },
    options: Options,
  ): Promise<Secured> {
    try {
      const secured = await this.#shakeHands(connection, end, options);
      const certificate = secured.getPeerCertificate().raw;
      if (certificate === undefined) throw new HiveError("Denied", "peers.tls", "no certificate");
      const log = connection.log.newScope("tls");
      const { verifyPeerCertificate } = await certificates();
      const remotePeer = await verifyPeerCertificate(certificate, options?.remotePeer, log);
      const streamMuxer = this.#muxers(options).get(secured.alpnProtocol as string);
      // It may have gone meanwhile, and would not say so again.
      if (connection.status !== "open") throw new HiveError("Unavailable", "peers.tls", "gone");
      const stream = new SocketStream(connection, secured);
      return { remotePeer, connection: stream, ...(streamMuxer && { streamMuxer }) };
    } catch (error) {
      connection.abort(error as Error);
      throw error;
    }
  }

  async #shakeHands(
    connection: MessageStream,
    { socket, side }: { readonly socket: Socket; readonly side: Side },
    options: Options,
  ): Promise<TLSSocket> {
    const { generateCertificate } = await certificates();
    const own = await (this.#own ??= generateCertificate(this.#components.privateKey));
    const names = [...this.#muxers(options).keys(), noMuxer];
    const terms = {
      ...own, minVersion: "TLSv1.3", maxVersion: "TLSv1.3", highWaterMark: unsentBytesMax,
      // Nobody signs for a peer but itself: its certificate is checked against its id below.
      rejectUnauthorized: false, ALPNProtocols: names,
    } as const;
    const ALPNCallback = ({ protocols }: { protocols: string[] }): string | undefined => {
      return protocols.find((name) => names.includes(name));
    };
    const secured = side === "client"
      ? connect({ ...terms, socket })
      : new ServerSocket(socket, { ...terms, ALPNCallback, isServer: true, requestCert: true });
    handOver(connection, secured);
    await shaken(secured, options?.signal);
    return secured;
  }

  #muxers(options: Options) {
    if (options?.skipStreamMuxerNegotiation === true) return new Map<string, never>();
    return this.#components.upgrader.getStreamMuxers();
  }
}

/** X.509 is a fifth of all that a node loads, and one without a connection needs none of it. */
function certificates(): Promise<Certificates> {
  return import("@libp2p/tls/utils");
}

/** What libp2p offers when the muxer is to be agreed on later. */
const noMuxer = "libp2p";

/** Written and not yet sealed: a few slices, so that sealing never waits for the next one. */
const unsentBytesMax = 256 * 1024;

/**
 * The socket below a fresh TCP connection, which then reads nothing of it any more; undefined when
 * there is none, or when bytes of the handshake have been read from it already.
 */
function takeSocket(connection: MessageStream): Socket | undefined {
  const socket = "socket" in connection ? connection.socket : undefined;
  if (!(socket instanceof Socket) || socket.destroyed) return undefined;
  if (connection.readBufferLength > 0) return undefined;
  // Before anything is awaited: what comes now stays in the socket, where TLS finds it.
  socket.pause();
  socket.removeAllListeners("data");
  return socket;
}

/** Whatever libp2p does to the connection from here on, it does to the sealed socket. */
function handOver(connection: MessageStream, secured: TLSSocket): void {
  // A sealed socket has no handle to reset.
  secured.resetAndDestroy = () => secured.destroy();
  Object.assign(connection, { socket: secured });
}

function shaken(secured: TLSSocket, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => void secured.destroy(signal?.reason);
    if (signal?.aborted === true) stop();
    signal?.addEventListener("abort", stop, { once: true });
    const over = (): void => {
      signal?.removeEventListener("abort", stop);
      secured.off("close", lost);
    };
    const lost = (): void => {
      over();
      reject(signal?.reason ?? new HiveError("Unavailable", "peers.tls", "handshake"));
    };
    secured.once("close", lost);
    secured.on("error", (error) => {
      over();
      reject(error);
    });
    secured.once("secure", () => {
      over();
      resolve();
    });
  });
}
