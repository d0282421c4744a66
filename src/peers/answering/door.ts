/**
 * Who comes in, and how far: connections are counted by address prefix before the handshake costs
 * us anything and by key after it, streams and requests by strangers.ts. The node asks; the rest of
 * the room sees only requests that were let through.
 */
import type { Connection, Stream } from "@libp2p/interface";
import type { Clock } from "../../base/clock.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import { type PeerId, parsePeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { Meter } from "../asking/pipe.ts";
import { prefixOf } from "../connection/prefix.ts";
import type { Request } from "../wire/message.ts";
import { PayloadRooms } from "./payload-rooms.ts";
import { serve } from "./serve.ts";
import { type Cost, type Stranger, Strangers } from "./strangers.ts";

export interface DoorNeeds {
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  /** Those that are open now. */
  readonly connections: () => readonly Connection[];
  readonly isFriend: (peer: PeerId) => boolean;
  readonly answer: (
    stranger: Stranger, request: Request, payload: Uint8Array,
  ) => Promise<Uint8Array>;
}

export class Door {
  readonly #needs: DoorNeeds;
  readonly #strangers: Strangers;
  /** By addresses, with their ports: whose handshake is under way, and since when. */
  readonly #pending = new Map<string, { readonly prefix: string; readonly sinceMs: number }>();
  /** Whoever knocks is compared with all who are here. */
  readonly #strangersOf = new WeakMap<Connection, Stranger>();
  readonly #rooms: PayloadRooms;

  constructor(needs: DoorNeeds) {
    this.#needs = needs;
    this.#strangers = new Strangers(needs);
    this.#rooms = new PayloadRooms(needs.clock);
  }

  /** Somebody connects: false when his part of the internet has had its share of this node. */
  knocks(address: string): boolean {
    const prefix = prefixOf(address);
    if (prefix === undefined) return true;
    const nowMs = this.#needs.clock.monotonicMs();
    for (const [one, { sinceMs }] of this.#pending) {
      // They stand in the order in which they came.
      if (nowMs - sinceMs <= 2 * limits.peers.dialTimeoutMs) break;
      this.#pending.delete(one);
    }
    const waiting = [...this.#pending.values()].filter((one) => one.prefix === prefix).length;
    const inside = this.#inbound().filter((one) => one.prefix === prefix).length;
    const { connectionsPerPrefixMax, handshakesPerPrefixMax } = limits.strangers;
    const fits = waiting < handshakesPerPrefixMax && waiting + inside < connectionsPerPrefixMax;
    if (fits) this.#pending.set(address, { prefix, sinceMs: nowMs });
    return fits;
  }

  /**
   * He has proven his key: false when he is here often enough, or was sent away for a flood, or
   * when what is left of all connections is for those who are known.
   */
  enters(peer: PeerId, address: string): boolean {
    this.#pending.delete(address);
    const here = this.#inbound().filter((one) => one.peer === peer).length;
    const stranger = { peer, prefix: prefixOf(address) };
    const { connectionsPerPeerMax, connectionsMax } = limits.strangers;
    const isRoom = this.#strangers.isKnown(stranger)
      || this.#needs.connections().length < connectionsMax;
    return isRoom && here < connectionsPerPeerMax && !this.#strangers.isFlooding(stranger);
  }

  /** A stream of our own protocol. */
  serve(stream: Stream, connection: Connection): void {
    const stranger = strangerOf(connection);
    if (!this.#strangers.begin(stranger)) {
      return stream.abort(new HiveError("Busy", "peers.door", "streams"));
    }
    stream.addEventListener("close", () => this.#strangers.end(stranger), { once: true });
    const { clock, log, meter } = this.#needs;
    serve({
      clock, log, stream, meter, rooms: this.#rooms,
      holding: this.#strangers.holding(stranger),
      handler: (request, payload) => this.#answer(stranger, connection, request, payload),
      onBroken: () => this.#refused(stranger, connection),
    });
  }

  /** Counts messages of another protocol; false when he has had his share. */
  counts(connection: Connection, { requests, bytes }: Cost): boolean {
    const stranger = strangerOf(connection);
    try {
      this.#strangers.admit(stranger, { requests: 0, bytes }, "stranger");
      // One by one: a thousand that come at once are not the last one that he may ask.
      for (let at = 0; at < requests; at++) {
        this.#strangers.admit(stranger, { requests: 1, bytes: 0 }, "stranger");
      }
      return true;
    } catch (error) {
      if (!isFault(error, "Busy")) throw error;
      this.#sendAway(stranger, connection);
      return false;
    }
  }

  async #answer(
    stranger: Stranger, connection: Connection, request: Request, payload: Uint8Array,
  ): Promise<Uint8Array> {
    try {
      const isWork = request.op === "prove" || request.op === "hello";
      const requests = isWork ? limits.strangers.workRequests : 1;
      this.#strangers.admit(stranger, { requests, bytes: payload.length });
      const answer = await this.#needs.answer(stranger, request, payload);
      if (isProofOfTrust(request)) this.#strangers.welcome(stranger);
      this.#strangers.charge(stranger, { requests: 0, bytes: answer.length });
      return answer;
    } catch (error) {
      if (isFault(error, "Busy")) this.#sendAway(stranger, connection);
      else this.#refused(stranger, connection);
      throw error;
    }
  }

  #refused(stranger: Stranger, connection: Connection): void {
    this.#strangers.charge(stranger, { requests: limits.strangers.refusalRequests, bytes: 0 });
    this.#sendAway(stranger, connection);
  }

  #sendAway(stranger: Stranger, connection: Connection): void {
    if (!this.#strangers.isFlooding(stranger) || connection.status !== "open") return;
    this.#needs.log.warn("peer.flood", { peer: stranger.peer, prefix: stranger.prefix ?? "here" });
    connection.abort(new HiveError("Busy", "peers.door", "a flood"));
  }

  #inbound(): readonly Stranger[] {
    const inbound = this.#needs.connections().filter((one) => one.direction === "inbound");
    return inbound.map((one) => {
      const stranger = this.#strangersOf.get(one) ?? strangerOf(one);
      this.#strangersOf.set(one, stranger);
      return stranger;
    });
  }
}

export function strangerOf(connection: Connection): Stranger {
  const peer = parsePeerId(connection.remotePeer.toString());
  return { peer, prefix: prefixOf(connection.remoteAddr.toString()) };
}

/**
 * What is done for nobody but owners and members, and devices of one's own drive. Whoever asks for
 * a roll where there is none, or brings one that he came by, has shown nothing.
 */
function isProofOfTrust(request: Request): boolean {
  const { op } = request;
  if (op === "device") return request.act === "root" || request.act === "block";
  return op === "store" || op === "read" || op === "prove";
}
