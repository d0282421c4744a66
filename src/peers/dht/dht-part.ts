/**
 * The DHT's part of a node: its records, and the guard over those who ask. Each message is counted
 * as a request of its peer, and whatever the answer stores is known to be of this peer.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Connection, StreamHandler } from "@libp2p/interface";
import type { ValidateFn } from "@libp2p/kad-dht";
import type { Clock } from "../../base/clock.ts";
import { HiveError } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { strangerOf } from "../answering/door.ts";
import { MessageCount } from "../answering/message-count.ts";
import type { Cost, Stranger } from "../answering/strangers.ts";
import type { DhtOptions } from "../libp2p/node.ts";
import { believe, selectRecord } from "./dht-records.ts";
import { DhtStore } from "./dht-store.ts";

/** False when this peer has had its share. */
export type Counts = (connection: Connection, cost: Cost) => boolean;

export function dhtPart(clock: Pick<Clock, "now">, counts: Counts): DhtOptions {
  // The DHT tells its store what to keep and not for whom; its answers run in the asker's name.
  const answering = new AsyncLocalStorage<Stranger>();
  const guard = (answer: StreamHandler): StreamHandler => (stream, connection) => {
    const messages = new MessageCount();
    const isTooMany = (cost: Cost): boolean => {
      const isLong = messages.longestBytes > limits.dht.messageBytesMax;
      if (counts(connection, cost) && !isLong) return false;
      stream.abort(new HiveError("Busy", "peers.dht", "too much at once"));
      return true;
    };
    if (isTooMany({ requests: 1, bytes: 0 })) return;
    const answered = answering.run(strangerOf(connection), () => answer(stream, connection));
    // After the answer's own listener: a stream hands its first bytes to whoever listens first.
    stream.addEventListener("message", ({ data }) => {
      isTooMany({ requests: messages.push(data), bytes: data.byteLength });
    });
    return answered;
  };
  const records = new DhtStore({ clock, stranger: () => answering.getStore() });
  const validate: ValidateFn = (key, value) => {
    believe(key, value, answering.getStore()?.peer);
  };
  return { records, validate, select: selectRecord, guard };
}
