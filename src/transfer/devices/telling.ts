/**
 * Tells the drive's other devices, while they are connected, of each new root of this one at once:
 * they ask for the few blocks that they lack. Whoever is away hears of it by way of the peers. And
 * tells the tree whether anybody listens, since only then is it worth to commit at once.
 */
import type { RootMerger } from "../../base/blocks.ts";
import type { Clock } from "../../base/clock.ts";
import type { DeviceNetwork, OwnNews } from "../../base/devices.ts";
import { HiveError, isFault } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { onlineAmong } from "../../base/known-peers.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { PeerNetwork } from "../../base/network.ts";
import type { Step } from "../../base/step.ts";

const { answerMs, callMs, deafMsMax, deafMsMin } = limits.devices;

export interface TellingNeeds {
  readonly network: PeerNetwork & Partial<DeviceNetwork>;
  readonly clock: Clock;
  readonly log: Log;
  readonly merger?: RootMerger | undefined;
  /** The other devices that are known, be they there or not. */
  readonly devices: () => readonly PeerId[];
  readonly isFreeLine: (peer: PeerId) => boolean;
}

/** What one device was told, and how it went. */
interface Told {
  count: number;
  isUnderWay: boolean;
  failures: number;
  restsUntilMs: number;
}

export class Telling implements Step {
  readonly name = "telling";
  readonly #needs: TellingNeeds;
  readonly #told = new Map<PeerId, Told>();
  /** Those who were there when it was last looked. */
  #before: ReadonlySet<PeerId> = new Set();
  /** What the tree was told; before the first time it may have been told by an earlier node. */
  #isHeard: boolean | undefined;
  #callAtMs = 0;
  wake: () => void = () => undefined;

  constructor(needs: TellingNeeds) {
    this.#needs = needs;
  }

  /** The other devices that are connected. */
  there(): ReadonlySet<PeerId> {
    const { network, devices, isFreeLine } = this.#needs;
    const known = new Set(devices());
    const online = onlineAmong(network.peers());
    return new Set([...online].filter((peer) => known.has(peer) && isFreeLine(peer)));
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    const { merger, network } = this.#needs;
    if (merger === undefined || network.device === undefined) return "idle";
    const there = this.#met(this.there());
    const absent = this.#dueCalls(there);
    const listening = [...there].filter((peer) => (this.#told.get(peer)?.failures ?? 0) === 0);
    await this.#listen(merger, listening.length > 0);
    if (there.size + absent.length === 0) return "idle";
    const news = await merger.news();
    if (news === undefined) return "idle";
    // One that is slow to answer holds up nobody else.
    const behind = [...there, ...absent].filter((peer) => this.#isBehind(peer, news));
    for (const peer of behind) void this.#tell(peer, news, signal);
    return "idle";
  }

  async #listen(merger: RootMerger, isHeard: boolean): Promise<void> {
    if (isHeard === this.#isHeard) return;
    await merger.listened(isHeard);
    this.#isHeard = isHeard;
  }

  /** Whoever went and comes back is told anew; whoever did not answer has another chance. */
  #met(there: ReadonlySet<PeerId>): ReadonlySet<PeerId> {
    for (const peer of this.#before) if (!there.has(peer)) this.#told.delete(peer);
    for (const peer of there) {
      const isNew = !this.#before.has(peer);
      if (isNew && (this.#told.get(peer)?.failures ?? 0) > 0) this.#told.delete(peer);
    }
    this.#before = there;
    return there;
  }

  /** To tell one that is not connected is to call it. */
  #dueCalls(there: ReadonlySet<PeerId>): readonly PeerId[] {
    const { clock, devices, isFreeLine } = this.#needs;
    if (clock.monotonicMs() < this.#callAtMs) return [];
    this.#callAtMs = clock.monotonicMs() + callMs;
    return devices().filter((peer) => !there.has(peer) && isFreeLine(peer));
  }

  #isBehind(peer: PeerId, { count }: OwnNews): boolean {
    const told = this.#told.get(peer);
    if (told === undefined) return true;
    const isRested = told.restsUntilMs <= this.#needs.clock.monotonicMs();
    return told.count < count && isRested && !told.isUnderWay;
  }

  async #tell(peer: PeerId, { root, count }: OwnNews, signal: AbortSignal): Promise<void> {
    const untold: Told = { count: -1, isUnderWay: true, failures: 0, restsUntilMs: 0 };
    const told = this.#told.get(peer) ?? untold;
    this.#told.set(peer, told);
    told.isUnderWay = true;
    try {
      await this.#say(peer, root, signal);
      told.count = count;
      told.failures = 0;
    } catch (error) {
      if (!isFault(error) && !signal.aborted) throw error;
      const restMs = Math.min(deafMsMin * 2 ** told.failures++, deafMsMax);
      told.restsUntilMs = this.#needs.clock.monotonicMs() + restMs;
      this.#needs.log.debug("transfer.device.deaf", { peer, why: describe(error), restMs });
    } finally {
      told.isUnderWay = false;
    }
    // There may be newer ones by now.
    if (told.failures === 0) this.wake();
  }

  async #say(peer: PeerId, root: Uint8Array, signal: AbortSignal): Promise<void> {
    const { network, clock } = this.#needs;
    const over = new AbortController();
    const late = new HiveError("Unavailable", "transfer.tell", `${peer}: no answer in time`);
    using _timer = clock.after(answerMs, () => over.abort(late));
    const either = AbortSignal.any([signal, over.signal]);
    await network.device?.(peer, "root", root, { signal: either });
  }
}
