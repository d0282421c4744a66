/**
 * `/hive/range/1.0.0`: how far away a peer is, so that others can believe it, and what it measured
 * itself. One short stream over a connection that is there already and goes through no relay.
 *
 *   echo        {"nonce": 32 bytes}      ->  {"echo": 64 bytes}       see crypt/records/range.ts
 *   statements  {"about": [peer, ...]}   ->  {}, payload: a list of statements
 *
 * Frames are those of frame.ts. The shortest of several round trips counts. Whoever asks is asked
 * nothing in return; a stream has few messages and little time, and a peer few streams a minute.
 */
import { decode, encode } from "@ipld/dag-cbor";
import type { Connection, Stream } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import type { Clock } from "../../base/clock.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import { type PeerId, parsePeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { CallOptions } from "../../base/network.ts";
import type { PlaceBook, RangeNetwork } from "../../base/places.ts";
import type { Random } from "../../base/random.ts";
import type { RangeStatement } from "../../base/records.ts";
import type { PeerKeys } from "../../crypt/ciphers/peer-key.ts";
import { echoNonceBytes, isEcho, parseRange, signEcho, signRange }
  from "../../crypt/records/range.ts";
import { type Meter, Pipe } from "../asking/pipe.ts";
import type { Node } from "../libp2p/node.ts";
import type { Frame } from "../wire/frame.ts";
import { encodeList, parseList } from "../wire/message.ts";
import { addressSeen, isDirect } from "./seen.ts";

export const rangeProtocol = "/hive/range/1.0.0";

/**
 * A made-up world, for tests and simulations alone: real nodes at made-up addresses and distances.
 * It comes in by a constructor, and no configuration leads here.
 */
export interface MadeUpWorld {
  /** Where a peer is seen; without it, where its connection comes from. */
  addressOf?(peer: PeerId): string | undefined;
  /** How long an answer to this peer is held back. */
  delayMs(peer: PeerId): number;
  /** The local address that this node dials from: several in one process have each its own. */
  readonly dialsFrom?: string;
}

export interface RangingNeeds {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly meter: Meter;
  readonly keys: PeerKeys;
  readonly node: Node;
  readonly places: PlaceBook | undefined;
  readonly world: MadeUpWorld | undefined;
}

export class Ranging implements RangeNetwork {
  readonly #needs: RangingNeeds;
  readonly #country: string | undefined;
  /** Streams of each peer in this minute. */
  readonly #taken = new Map<PeerId, number>();
  #minute = 0;

  constructor(needs: RangingNeeds, options: { readonly country: string | undefined }) {
    this.#needs = needs;
    this.#country = options.country;
  }

  async start(): Promise<void> {
    await this.#needs.node.handle(rangeProtocol, (stream, from) => this.#serve(stream, from), {
      maxInboundStreams: 2,
      maxOutboundStreams: 2,
    });
  }

  /** A connection was opened: where its other end is. */
  opened(peer: PeerId, connection: Connection): void {
    const { places, world } = this.#needs;
    const address = world?.addressOf === undefined
      ? addressSeen(connection) : world.addressOf(peer);
    if (address !== undefined) places?.saw(peer, address);
  }

  async range(to: PeerId, options: CallOptions = {}): Promise<RangeStatement> {
    const { clock, random, keys } = this.#needs;
    await using asker = await this.#ask(to, options.signal);
    const trips: number[] = [];
    for (let trip = 0; trip < limits.peers.rangeTrips; trip++) {
      const nonce = random.bytes(echoNonceBytes);
      const startMs = clock.monotonicMs();
      const { head } = await asker.ask({ nonce });
      trips.push(clock.monotonicMs() - startMs);
      const echo = fieldsOf(head)["echo"];
      const isRight = echo instanceof Uint8Array &&
        isEcho({ nonce, verifier: keys.peer, target: to }, echo);
      if (!isRight) throw new HiveError("Corrupt", "peers.range", "echo");
    }
    const tripUs = Math.ceil(Math.min(...trips) * 1000);
    return signRange(keys, { target: to, atMs: clock.now(), tripUs, country: this.#country });
  }

  async statements(
    from: PeerId, targets: readonly PeerId[], options: CallOptions = {},
  ): Promise<readonly RangeStatement[]> {
    const about = targets.slice(0, limits.peers.rangeTargetsMax);
    await using asker = await this.#ask(from, options.signal);
    const { payload } = await asker.ask({ about });
    const found = parseList(payload, limits.peers.rangeTargetsMax).map(parseRange);
    const named = new Set(found.map(({ target }) => target));
    const isRight = named.size === found.length &&
      found.every(({ verifier, target }) => verifier === from && about.includes(target));
    if (isRight) return found;
    throw new HiveError("Corrupt", "peers.range", "statements that were not asked for");
  }

  async #ask(peer: PeerId, signal: AbortSignal | undefined): Promise<Asker> {
    const open = this.#needs.node.getConnections(peerIdFromString(peer));
    const connection = open.find((one) => one.status === "open" && isDirect(one));
    if (connection === undefined) throw new HiveError("Unavailable", "peers.range", peer);
    const timeout = AbortSignal.timeout(limits.peers.rangeTimeoutMs);
    const both = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
    try {
      const options = { signal: both, negotiateFully: false };
      const stream = await connection.newStream(rangeProtocol, options);
      return new Asker({ ...this.#needs, stream }, both);
    } catch (cause) {
      throw new HiveError("Unavailable", "peers.range", peer, { cause });
    }
  }

  #serve(stream: Stream, connection: Connection): void {
    const peer = parsePeerId(connection.remotePeer.toString());
    const { clock, log } = this.#needs;
    let left = limits.peers.rangeAsksMax;
    const pipe: Pipe = new Pipe({ ...this.#needs, stream }, {
      onFrame: (frame) => {
        if (left-- === 0) throw new HiveError("Corrupt", "peers.range", "too many messages");
        void this.#answer(peer, frame, pipe);
      },
      room: (_head, payloadBytes) => {
        if (payloadBytes === 0) return "own";
        throw new HiveError("Corrupt", "peers.range", `a question with ${payloadBytes} bytes`);
      },
      onNews: () => {},
      onEnd: (reason) => {
        over[Symbol.dispose]();
        if (reason.kind !== "Unavailable") log.debug("range.stream", { fault: describe(reason) });
      },
    });
    const over = clock.after(limits.peers.rangeTimeoutMs, () => {
      pipe.end(new HiveError("Unavailable", "peers.range", "its time is over"));
    });
    if (!this.#mayServe(peer)) pipe.end(new HiveError("Busy", "peers.range", peer));
  }

  /** So many streams a minute; a crowd of peers has one crowd's worth of entries. */
  #mayServe(peer: PeerId): boolean {
    const minute = Math.floor(this.#needs.clock.monotonicMs() / 60_000);
    if (minute !== this.#minute) this.#taken.clear();
    this.#minute = minute;
    const count = (this.#taken.get(peer) ?? 0) + 1;
    const isFull = this.#taken.size >= limits.peers.connectionsMax && count === 1;
    if (isFull || count > limits.peers.rangeStreamsPerMinuteMax) return false;
    this.#taken.set(peer, count);
    return true;
  }

  async #answer(peer: PeerId, frame: Frame, pipe: Pipe): Promise<void> {
    const { clock, keys, places, world } = this.#needs;
    try {
      const fields = fieldsOf(frame.head);
      const nonce = fields["nonce"];
      if (world !== undefined) await clock.delay(world.delayMs(peer));
      if (nonce instanceof Uint8Array) {
        return await pipe.send(encode({ echo: signEcho(keys, peer, nonce) }));
      }
      const targets = targetsIn(fields);
      const found = places?.statementsAbout(targets) ?? [];
      return await pipe.send(encode({}), encodeList(found.map(({ bytes }) => bytes)));
    } catch (cause) {
      if (!isFault(cause)) throw cause;
      pipe.end(new HiveError("Corrupt", "peers.range", peer, { cause }));
    }
  }
}

/** The asking end of one stream: one question at a time. */
class Asker implements AsyncDisposable {
  readonly #pipe: Pipe;
  readonly #signal: AbortSignal;
  #waiting: PromiseWithResolvers<Frame> | undefined;
  #ended: HiveError | undefined;

  constructor(needs: { clock: Clock; meter: Meter; stream: Stream }, signal: AbortSignal) {
    this.#signal = signal;
    this.#pipe = new Pipe(needs, {
      onFrame: (frame) => {
        if (this.#waiting === undefined) throw new HiveError("Corrupt", "peers.range", "unasked");
        this.#waiting.resolve(frame);
        this.#waiting = undefined;
      },
      onNews: () => {},
      onEnd: (reason) => {
        this.#ended = reason;
        this.#waiting?.reject(reason);
      },
    });
    signal.addEventListener("abort", this.#leave, { once: true });
  }

  async ask(question: object): Promise<Frame> {
    if (this.#ended !== undefined) throw this.#ended;
    const waiting = Promise.withResolvers<Frame>();
    this.#waiting = waiting;
    const [frame] = await Promise.all([waiting.promise, this.#pipe.send(encode(question))]);
    return frame;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener("abort", this.#leave);
    this.#pipe.end(new HiveError("Unavailable", "peers.range", "done"));
  }

  readonly #leave = (): void => {
    this.#pipe.end(new HiveError("TimedOut", "peers.range", "no answer"));
  };
}

function fieldsOf(head: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = decode(head);
    const isMap = typeof value === "object" && value !== null && !Array.isArray(value);
    if (isMap) return value as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw new HiveError("Corrupt", "peers.range", "cbor", { cause });
  }
  throw new HiveError("Corrupt", "peers.range", "no map");
}

function targetsIn(fields: Readonly<Record<string, unknown>>): readonly PeerId[] {
  const about = fields["about"];
  const isList = Array.isArray(about) && about.length <= limits.peers.rangeTargetsMax;
  if (!isList) throw new HiveError("Corrupt", "peers.range", "about");
  return [...new Set(about.map((text: unknown) => {
    if (typeof text === "string") return parsePeerId(text);
    throw new HiveError("Corrupt", "peers.range", "about");
  }))];
}
