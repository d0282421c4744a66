/**
 * The asking end towards one peer: a control lane for what is small, a bulk lane for shards, so
 * that a question never waits behind many MiB. Lanes open when first needed; a greeting that says
 * whom we may act for goes before all else. Seats bound what is under way at the peer.
 */
import type { Connection, Stream } from "@libp2p/interface";
import type { Clock } from "../../base/clock.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import { Gate } from "../../base/gate.ts";
import { limits } from "../../base/limits.ts";
import type { ReadOptions } from "../../base/network.ts";
import type { Request } from "../wire/message.ts";
import { Lane } from "./lane.ts";
import type { Meter } from "./pipe.ts";

export const shardProtocol = "/hive/shard/1.0.0";

export interface LinkNeeds {
  readonly clock: Clock;
  readonly meter: Meter;
  /** An open connection to the peer, dialled if need be. */
  readonly connect: (signal: AbortSignal | undefined) => Promise<Connection>;
  /** What the greeting says now; a change of `version` has it said again. */
  readonly greeting: () => { readonly version: string; readonly payload: Uint8Array };
  readonly onGreeted: (answer: Uint8Array) => void;
  readonly onRoundTrip: (ms: number) => void;
}

type LaneName = "control" | "bulk";

export class Link {
  readonly #needs: LinkNeeds;
  readonly #lanes = new Map<LaneName, Promise<Lane>>();
  readonly #gates = {
    control: gate(limits.peers.controlSeats),
    bulk: gate(limits.peers.bulkSeats),
  };
  #said: { version: string; lane: Lane; done: Promise<void> } | undefined;

  constructor(needs: LinkNeeds) {
    this.#needs = needs;
  }

  /** Requests that have a seat now. */
  get underway(): number {
    return this.#gates.control.taken + this.#gates.bulk.taken;
  }

  async call(
    request: Request, payload: Uint8Array, options: ReadOptions = {},
  ): Promise<Uint8Array> {
    const { signal } = options;
    const name = laneOf(request, payload);
    try {
      using _seat = await this.#gates[name].enter(signal);
      const lane = await abortable(this.#lane(name, signal), signal);
      return await lane.call(request, payload, options);
    } catch (cause) {
      throw asFault(cause, `peers.${request.op}`, signal);
    }
  }

  /** One round trip, timed. */
  async ping(signal?: AbortSignal): Promise<void> {
    const startMs = this.#needs.clock.monotonicMs();
    await this.call({ op: "ping" }, none, { signal });
    this.#needs.onRoundTrip(this.#needs.clock.monotonicMs() - startMs);
  }

  async greet(signal?: AbortSignal): Promise<void> {
    try {
      await this.#lane("control", signal);
    } catch (cause) {
      throw asFault(cause, "peers.hello", signal);
    }
  }

  async close(): Promise<void> {
    const lanes = await Promise.allSettled(this.#lanes.values());
    this.#lanes.clear();
    for (const lane of lanes) {
      if (lane.status === "rejected") continue;
      lane.value.end(new HiveError("Unavailable", "peers.link", "closed"));
    }
  }

  /** Any lane stands behind a greeted control lane: the peer knows us by what that one said. */
  async #lane(name: LaneName, signal: AbortSignal | undefined): Promise<Lane> {
    const control = await this.#open("control", signal);
    await this.#greet(control);
    return name === "control" ? control : this.#open(name, signal);
  }

  async #open(name: LaneName, signal: AbortSignal | undefined): Promise<Lane> {
    const known = this.#lanes.get(name);
    if (known !== undefined) {
      const lane = await known.catch(() => undefined);
      if (lane?.ended === false) return lane;
      // Whoever looked first has replaced it by now: then theirs is ours too.
      if (this.#lanes.get(name) !== known) return this.#open(name, signal);
    }
    const opening = this.#newLane(signal);
    this.#lanes.set(name, opening);
    return opening;
  }

  async #newLane(signal: AbortSignal | undefined): Promise<Lane> {
    const connection = await this.#needs.connect(signal);
    return new Lane({ ...this.#needs, stream: await newStream(connection) });
  }

  /** Once for a lane and a greeting; those who come meanwhile wait for the same one. */
  async #greet(lane: Lane): Promise<void> {
    const { version, payload } = this.#needs.greeting();
    if (this.#said?.version !== version || this.#said.lane !== lane) {
      this.#said = { version, lane, done: this.#say(lane, payload) };
    }
    const said = this.#said;
    try {
      await said.done;
    } catch (cause) {
      if (this.#said === said) this.#said = undefined;
      throw cause;
    }
  }

  async #say(lane: Lane, payload: Uint8Array): Promise<void> {
    const startMs = this.#needs.clock.monotonicMs();
    const answer = await lane.call({ op: "hello" }, payload);
    this.#needs.onRoundTrip(this.#needs.clock.monotonicMs() - startMs);
    this.#needs.onGreeted(answer);
  }
}

const none = Buffer.alloc(0);

function gate(seats: number): Gate {
  return new Gate({ seats, queueMax: limits.peers.seatQueueMax });
}

function laneOf(request: Request, payload: Uint8Array): LaneName {
  const small = payload.length + bulkIn(request) <= limits.peers.controlBytesMax;
  return small ? "control" : "bulk";
}

/** What of the answer is bulk. */
function bulkIn(request: Request): number {
  if (request.op === "read") return request.length;
  return request.op === "device" && request.act === "block" ? limits.dag.blockBytesMax : 0;
}

function newStream(connection: Connection): Promise<Stream> {
  const signal = AbortSignal.timeout(limits.peers.dialTimeoutMs);
  const how = { signal, negotiateFully: false, runOnLimitedConnection: true };
  return connection.newStream(shardProtocol, how);
}

function asFault(cause: unknown, op: string, signal: AbortSignal | undefined): unknown {
  // Whatever the stream made of it: the caller hears his own reason.
  if (signal?.aborted === true) return signal.reason;
  if (isFault(cause)) return cause;
  return new HiveError("Unavailable", op, "peer", { cause });
}

/** The work goes on for others who share it; this caller leaves when its signal says so. */
function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
  });
}
