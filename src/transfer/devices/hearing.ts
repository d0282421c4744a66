/**
 * What other devices of the drive tell directly: their newest roots, merged one after another. Only
 * who shows the drive's certificate is heard; of each device the newest root alone is remembered,
 * and what cannot be merged is left to its head, which comes by way of the peers.
 */
import type { RootMerger } from "../../base/blocks.ts";
import { asBuffer } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import type { DeviceAct, DeviceHost } from "../../base/devices.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import type { OwnerId, PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { Requester } from "../../base/network.ts";
import type { Step } from "../../base/step.ts";
import type { DeviceLender } from "./lender.ts";

const { countMax, newsRetryMs, newsTriesMax } = limits.devices;

export interface HearingNeeds {
  readonly owner: OwnerId;
  readonly clock: Clock;
  readonly log: Log;
  readonly lender: DeviceLender;
  readonly merger?: RootMerger | undefined;
  /** Whether bulk to and from this device is free of limits. */
  readonly isFreeLine: (peer: PeerId) => boolean;
  readonly isRemoved: (peer: PeerId) => boolean;
}

interface Heard {
  readonly root: Buffer;
  tries: number;
  atMs: number;
}

const none = Buffer.alloc(0);

export class Hearing implements Step, DeviceHost {
  readonly name = "hearing";
  readonly #needs: HearingNeeds;
  /** Newest roots that wait for their turn. */
  readonly #heard = new Map<PeerId, Heard>();
  /** The last of each that was merged, or given up. */
  readonly #done = new Map<PeerId, Buffer>();
  wake: () => void = () => undefined;

  constructor(needs: HearingNeeds) {
    this.#needs = needs;
  }

  /** Those who told something since this node began. */
  peers(): readonly PeerId[] {
    return [...new Set([...this.#heard.keys(), ...this.#done.keys()])];
  }

  async device(from: Requester, act: DeviceAct, payload: Uint8Array): Promise<Uint8Array> {
    const { owner, isFreeLine, lender } = this.#needs;
    const { peer } = from;
    if (act === "pair") throw new HiveError("Unsupported", "transfer.device", act);
    if (!from.owners.includes(owner)) throw new HiveError("Denied", "transfer.device", peer);
    if (!isFreeLine(peer)) throw new HiveError("Busy", "transfer.device", "the line is limited");
    if (act === "block") return await lender.lend(payload);
    this.#hear(peer, asBuffer(payload));
    return none;
  }

  #hear(peer: PeerId, payload: Buffer): void {
    if (payload.length > limits.dag.rootBytesMax) {
      throw new HiveError("TooLarge", "transfer.device", `${payload.length} bytes`);
    }
    if (this.#done.get(peer)?.equals(payload) === true) return;
    const isKnown = this.#heard.has(peer) || this.#done.has(peer);
    if (!isKnown && this.peers().length >= countMax) {
      throw new HiveError("Busy", "transfer.device", `${countMax} devices`);
    }
    // The payload's memory is the stream's.
    this.#heard.set(peer, { root: Buffer.from(payload), tries: 0, atMs: 0 });
    this.wake();
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    const { clock, merger } = this.#needs;
    const nowMs = clock.monotonicMs();
    this.#forgetRemoved();
    const next = [...this.#heard].find(([, { atMs }]) => atMs <= nowMs);
    if (next === undefined || merger === undefined) return "idle";
    const [peer, heard] = next;
    try {
      await merger.merge(heard.root, peer);
      this.#end(peer, heard);
      this.#needs.log.debug("transfer.news.merged", { peer });
    } catch (error) {
      signal.throwIfAborted();
      if (!isFault(error)) throw error;
      this.#needs.log.debug("transfer.news.later", { peer, why: describe(error) });
      this.#again(peer, heard, error);
    }
    return "busy";
  }

  /** What was told, and not merged by the time that its device was shut out, is not. */
  #forgetRemoved(): void {
    for (const peer of this.#heard.keys()) {
      if (this.#needs.isRemoved(peer)) this.#heard.delete(peer);
    }
  }

  /** What it names may be gone there by now: then a newer root is on its way. */
  #again(peer: PeerId, heard: Heard, { kind }: HiveError): void {
    const isHopeless = kind === "TooLarge" || kind === "Unsupported" || kind === "Corrupt";
    heard.tries++;
    heard.atMs = this.#needs.clock.monotonicMs() + newsRetryMs * heard.tries;
    if (isHopeless || heard.tries >= newsTriesMax) this.#end(peer, heard);
  }

  #end(peer: PeerId, heard: Heard): void {
    if (this.#heard.get(peer) === heard) this.#heard.delete(peer);
    this.#done.set(peer, heard.root);
  }
}
