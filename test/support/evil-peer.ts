/** A real libp2p node that speaks our protocol with its own bytes, as a test tells it to. */
import type { Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import type { PeerId } from "../../src/base/ids.ts";
import type { PeerKeys } from "../../src/crypt/ciphers/peer-key.ts";
import { shardProtocol } from "../../src/peers/asking/link.ts";
import type { Node } from "../../src/peers/libp2p/node.ts";
import { FrameDecoder, encodeFrameStart } from "../../src/peers/wire/frame.ts";
import { encodeAnswer, encodeList, parseRequest } from "../../src/peers/wire/message.ts";
import { openBareNode } from "./bare-node.ts";

export class EvilPeer implements AsyncDisposable {
  readonly node: Node;
  readonly keys: PeerKeys;
  readonly self: PeerId;
  readonly address: string;

  constructor(node: Node, keys: PeerKeys) {
    this.node = node;
    this.keys = keys;
    this.self = keys.peer;
    this.address = node.getMultiaddrs()[0]!.toString();
  }

  /** Answers greetings as it must, and anything else as the test says. */
  static async open(answer?: (id: number, stream: Stream) => void): Promise<EvilPeer> {
    const { node, keys } = await openBareNode();
    if (answer !== undefined) await node.handle(shardProtocol, (stream) => listen(stream, answer));
    return new EvilPeer(node, keys);
  }

  async dial(address: string): Promise<Stream> {
    const connection = await this.node.dial(multiaddr(address));
    return connection.newStream(shardProtocol);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.node.stop();
  }
}

function listen(stream: Stream, answer: (id: number, stream: Stream) => void): void {
  const decoder = new FrameDecoder();
  stream.addEventListener("message", ({ data }) => {
    for (const chunk of data instanceof Uint8Array ? [data] : data) decoder.push(chunk);
    for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
      const { id, request } = parseRequest(frame.head);
      const greeting = request.op === "hello" || request.op === "offers";
      if (greeting) send(stream, encodeAnswer(id, { ok: true }), encodeList([]));
      else answer(id, stream);
    }
  });
}

export function send(stream: Stream, head: Uint8Array, payload: Uint8Array = Buffer.alloc(0)): void {
  if (stream.status !== "open") return;
  stream.send(Buffer.concat([encodeFrameStart(head, payload.length), payload]));
}
