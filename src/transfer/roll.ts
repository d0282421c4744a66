/**
 * The drive's roll as this device knows it: which devices were added, which were shut out, and
 * what the epoch's secret is. It takes in every newer one, tells holders and devices of it, and
 * asks holders now and then whether there is one; where the drive's seed is, it makes the next. It
 * is a Step. Keys of the KeyValue:
 *
 *   x/roll     the newest roll
 *   x/renewed  varint: nothing is written under secrets of an earlier epoch any more
 */
import type { KeyValue } from "../base/blocks.ts";
import { transferKeys } from "../base/book-keys.ts";
import { type Brake, noBrake } from "../base/brake.ts";
import { Reader, Writer } from "../base/bytes.ts";
import type { Clock } from "../base/clock.ts";
import { type DeviceNetwork, type DeviceRoll, type EpochView, removedText }
  from "../base/devices.ts";
import { HiveError, isFault } from "../base/errors.ts";
import { Gate } from "../base/gate.ts";
import type { PeerId } from "../base/ids.ts";
import { onlineAmong } from "../base/known-peers.ts";
import { limits } from "../base/limits.ts";
import { type Log, describe } from "../base/log.ts";
import type { PeerNetwork } from "../base/network.ts";
import { type Random, shuffled } from "../base/random.ts";
import type { Step } from "../base/step.ts";
import { encodeRollAsk, hashOfRoll, isPreferred, parseRoll } from "../crypt/drive/device-roll.ts";
import type { DriveKeys } from "../crypt/drive/drive.ts";
import { treeSecretOf } from "../crypt/drive/epochs.ts";
import { HeadKeys } from "../crypt/drive/head-keys.ts";

const { rollAskMs, rollAskedMax, rollTellMs, removedMax, countMax } = limits.devices;

export interface RollNeeds {
  readonly network: Pick<PeerNetwork, "self" | "peers"> & Partial<DeviceNetwork>;
  readonly books: KeyValue;
  readonly keys: DriveKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Whoever sits in one of the drive's groups. */
  readonly members: () => readonly PeerId[];
  /** Is told of a new epoch, and begins to write by it before this resolves. */
  readonly onEpoch?: (() => Promise<void>) | undefined;
}

/** What a roll says of devices, for whoever makes the next one. */
type Entries = Pick<DeviceRoll, "added" | "removed">;

export class Roll implements Step {
  readonly name = "roll";
  readonly heads: HeadKeys;
  readonly #needs: RollNeeds;
  readonly #changes = new Gate({ seats: 1, queueMax: 64 });
  #roll: DeviceRoll | undefined;
  #secret: Buffer | undefined;
  #renewed = 0;
  #isHeard = false;
  /** Who has this very roll, and when the others are told again. */
  readonly #told = new Set<PeerId>();
  #tellAtMs = -Infinity;
  #askAtMs = -Infinity;

  constructor(needs: RollNeeds) {
    this.#needs = needs;
    this.heads = new HeadKeys(needs.keys.headKey);
  }

  async open(): Promise<void> {
    const { books } = this.#needs;
    const renewed = await books.get(transferKeys.renewedEpoch);
    this.#renewed = renewed === undefined ? 0 : new Reader(renewed, "transfer.roll").varint();
    const bytes = await books.get(transferKeys.roll);
    if (bytes !== undefined) this.#use(parseRoll(bytes));
  }

  get current(): DeviceRoll | undefined {
    return this.#roll;
  }

  /** In this life somebody who keeps it said whether there is a newer one. */
  get isHeard(): boolean {
    return this.#isHeard || this.#needs.members().length === 0;
  }

  get epoch(): number {
    return this.#roll?.removed.length ?? 0;
  }

  isRemoved(peer: PeerId): boolean {
    return this.#roll?.removed.some((one) => one.peer === peer) === true;
  }

  /** How many of those who should have the newest roll have it. */
  get told(): { readonly told: number; readonly holders: number } {
    const members = this.#needs.members();
    return { told: members.filter((peer) => this.#told.has(peer)).length, holders: members.length };
  }

  view(): EpochView {
    const secret = this.#secret;
    const own = this.#roll?.removed.find(({ peer }) => peer === this.#needs.network.self);
    const treeSecret = secret === undefined || this.epoch === 0 ? null : treeSecretOf(secret);
    const isRenewed = treeSecret === null || this.#renewed >= this.epoch;
    return { epoch: this.epoch, treeSecret, isRenewed, removedAtMs: own?.atMs ?? null };
  }

  async renewed(epoch: number): Promise<void> {
    await this.#needs.books.put(transferKeys.renewedEpoch, new Writer(8).varint(epoch).finish());
    this.#renewed = epoch;
  }

  /** Denied on a device that was shut out: nothing of it is taken any more. */
  refuseIfOut(): void {
    const { removedAtMs } = this.view();
    if (removedAtMs === null) return;
    throw new HiveError("Denied", "device.removed", removedText(removedAtMs));
  }

  /** Holds back for good what holders would refuse. */
  brakeOver(brake: Brake): Brake {
    const over = new AbortController();
    const isOut = (): boolean => this.view().removedAtMs !== null;
    return {
      get isOn() { return isOut() || brake.isOn; },
      get why() { return isOut() ? "nobody: this device was removed" : brake.why; },
      get signal() { return brake === noBrake ? over.signal : brake.signal; },
    };
  }

  /** Takes in a newer one; false when it is of another drive, or no newer. */
  async hear(roll: DeviceRoll): Promise<boolean> {
    if (roll.owner !== this.#needs.keys.owner) return false;
    using _turn = await this.#changes.enter();
    const known = this.#roll;
    const isNewer = known === undefined || isPreferred(roll, known);
    if (isNewer) await this.#keep(roll);
    await this.#join(isNewer ? known : roll);
    return isNewer;
  }

  /** One more, or under another name; the drive's seed is here. */
  async add(device: { readonly peer: PeerId; readonly name: string }): Promise<void> {
    await this.#change(({ added, removed }) => {
      const others = added.filter(({ peer }) => peer !== device.peer);
      if (others.length >= countMax) {
        throw new HiveError("Quota", "device.add", `${countMax} devices`);
      }
      return { added: [...others, { ...device, sealed: none }], removed };
    });
  }

  /** Shuts one out, from this moment on; says whether it had been added, or has the words. */
  async remove(peer: PeerId): Promise<{ readonly hadWords: boolean }> {
    const hadWords = this.#roll?.added.every((one) => one.peer !== peer) !== false;
    if (this.isRemoved(peer)) return { hadWords };
    await this.#change(({ added, removed }) => {
      if (removed.length >= removedMax) throw new HiveError("Quota", "device.remove", peer);
      const left = added.filter((one) => one.peer !== peer);
      return { added: left, removed: [...removed, { peer, atMs: this.#needs.clock.now() }] };
    });
    return { hadWords };
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    const { clock, network, random, members } = this.#needs;
    if (clock.monotonicMs() >= this.#askAtMs) {
      this.#askAtMs = clock.monotonicMs() + rollAskMs;
      const online = onlineAmong(network.peers());
      const some = shuffled(members().filter((peer) => online.has(peer)), random);
      await this.ask(some.slice(0, rollAskedMax), signal);
    }
    if (clock.monotonicMs() >= this.#tellAtMs) await this.tell(signal);
    return "idle";
  }

  /** There may be a newer one: somebody refused us, or what he says cannot be opened. */
  askSoon(): void {
    const soonMs = this.#needs.clock.monotonicMs() + limits.devices.askMs;
    this.#askAtMs = Math.min(this.#askAtMs, soonMs);
  }

  async ask(peers: readonly PeerId[], signal: AbortSignal): Promise<void> {
    const { network, keys: { owner } } = this.#needs;
    const question = encodeRollAsk({ owner, known: hashOfRoll(this.#roll) });
    await Promise.all(peers.map((peer) => this.#quietly(peer, signal, async () => {
      const answer = await network.device?.(peer, "askRoll", question, { signal });
      if (answer === undefined) return;
      if (answer.length > 0) await this.hear(parseRoll(answer));
      this.#isHeard = true;
    })));
    signal.throwIfAborted();
  }

  /** All who do not have it yet and can be reached. */
  async tell(signal: AbortSignal): Promise<void> {
    const { network, clock, members } = this.#needs;
    const roll = this.#roll;
    if (roll === undefined) return;
    this.#tellAtMs = clock.monotonicMs() + rollTellMs;
    const devices = roll.added.map(({ peer }) => peer);
    const whom = new Set([...members(), ...devices]);
    const untold = [...whom].filter((peer) => peer !== network.self && !this.#told.has(peer));
    await Promise.all(untold.map((peer) => this.#quietly(peer, signal, async () => {
      await network.device?.(peer, "roll", roll.bytes, { signal });
      // Whoever has a newer one does not take it.
      this.#isHeard = true;
      if (this.#roll === roll) this.#told.add(peer);
    })));
  }

  async #quietly(peer: PeerId, signal: AbortSignal, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!isFault(error) && !signal.aborted) throw error;
      // Whoever has a newer one says so.
      if (isFault(error, "Stale")) this.#askAtMs = -Infinity;
      this.#needs.log.debug("transfer.roll.missed", { peer, why: describe(error) });
    }
  }

  /** Two devices may make one at once: whoever has the seed puts back what the other left out. */
  async #join(other: DeviceRoll | undefined): Promise<void> {
    const ours = this.#roll;
    const mayJoin = this.#needs.keys.signRoll !== undefined;
    if (ours === undefined || other === undefined || !mayJoin) return;
    const removed = joined(ours.removed, other.removed);
    const isOut = (peer: PeerId): boolean => removed.some((one) => one.peer === peer);
    const added = joined(ours.added, other.added).filter(({ peer }) => !isOut(peer));
    const isAll = removed.length === ours.removed.length && added.length === ours.added.length;
    if (!isAll) await this.#sign({ added, removed });
  }

  async #change(act: (entries: Entries) => Entries): Promise<void> {
    using _turn = await this.#changes.enter();
    await this.#sign(act(this.#roll ?? { added: [], removed: [] }));
  }

  async #sign(entries: Entries): Promise<void> {
    const { keys, random, clock } = this.#needs;
    if (keys.signRoll === undefined) {
      const why = "this device has not the drive's words: ask one that has them";
      throw new HiveError("Denied", "device.roll", why);
    }
    const sequence = (this.#roll?.sequence ?? 0) + 1;
    await this.#keep(keys.signRoll({ ...entries, sequence, signedAtMs: clock.now() }, random));
  }

  async #keep(roll: DeviceRoll): Promise<void> {
    const { books, log, onEpoch } = this.#needs;
    const { sequence } = roll;
    const before = this.epoch;
    await books.put(transferKeys.roll, roll.bytes);
    this.#use(roll);
    log.info("transfer.roll", { sequence, epoch: this.epoch });
    if (this.epoch !== before) await onEpoch?.();
  }

  #use(roll: DeviceRoll): void {
    this.#roll = roll;
    this.#told.clear();
    this.#tellAtMs = -Infinity;
    const secret = this.#needs.keys.secretIn(roll);
    this.#secret = secret ?? this.#secret;
    if (secret !== undefined) this.heads.know(secret, this.epoch);
  }
}

/** Each peer once, as the first says. */
function joined<T extends { readonly peer: PeerId }>(
  ours: readonly T[], others: readonly T[],
): T[] {
  const here = new Set(ours.map(({ peer }) => peer));
  return [...ours, ...others.filter(({ peer }) => !here.has(peer))];
}

const none = Buffer.alloc(0);
