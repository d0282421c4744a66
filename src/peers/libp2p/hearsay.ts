/**
 * How much of an answer the DHT takes. A peer that it asked may name as many others as go into
 * 4 MiB; libp2p would parse, remember and dial them all. An honest one names a handful.
 */
import type { PeerInfo, Stream } from "@libp2p/interface";
import type { QueryEvent } from "@libp2p/kad-dht";
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";

/** What is public of the part of libp2p's DHT that asks, and missing in the type of the whole. */
export interface Asker {
  sendRequest(...question: readonly unknown[]): AsyncGenerator<QueryEvent>;
  _writeReadMessage(stream: Stream, ...question: readonly unknown[]): Promise<unknown>;
  safeDispatchEvent(type: "peer", event: { readonly detail: PeerInfo }): boolean;
}

/** From now on an answer has its bounds: what is too long ends, and of many peers a few count. */
export function boundAnswers(asker: Asker): void {
  const ask = asker.sendRequest.bind(asker);
  const read = asker._writeReadMessage.bind(asker);
  const tell = asker.safeDispatchEvent.bind(asker);
  asker._writeReadMessage = (stream, ...question) => {
    endWhenLong(stream);
    return read(stream, ...question);
  };
  // It would tell of all whom an answer names before anybody can count them.
  asker.safeDispatchEvent = () => false;
  asker.sendRequest = async function* (...question) {
    for await (const event of ask(...question)) {
      const heard = event.name === "PEER_RESPONSE" ? fewOf(event) : event;
      if ("closer" in heard) for (const detail of heard.closer) tell("peer", { detail });
      yield heard;
    }
  };
}

function endWhenLong(stream: Stream): void {
  let leftBytes: number = limits.dht.answerBytesMax;
  stream.addEventListener("message", ({ data }) => {
    leftBytes -= data.byteLength;
    if (leftBytes < 0) stream.abort(new HiveError("Corrupt", "peers.dht", "too long an answer"));
  });
}

/** Nobody of ours provides anything by the DHT. */
function fewOf(answer: QueryEvent & { readonly name: "PEER_RESPONSE" }): typeof answer {
  const { answerPeersMax, answerAddressesMax } = limits.dht;
  const closer = answer.closer.slice(0, answerPeersMax).map(({ id, multiaddrs }) => {
    return { id, multiaddrs: multiaddrs.slice(0, answerAddressesMax) };
  });
  return { ...answer, closer, providers: [] };
}
