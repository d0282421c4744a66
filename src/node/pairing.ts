/**
 * Adding a device: the new one shows a code and waits for whoever knows it; one that has the
 * drive's seed looks among its peers for who shows the code that was typed, and gives it what it
 * needs. What they tell each other, and why it can be believed, is in crypt/devices/pairing.ts.
 */
import type { Clock } from "../base/clock.ts";
import type { AddedView, DeviceAct, DeviceHost, DeviceNetwork } from "../base/devices.ts";
import { HiveError, isFault } from "../base/errors.ts";
import type { OwnerId, PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";
import type { PeerNetwork, Requester } from "../base/network.ts";
import type { Random } from "../base/random.ts";
import { addedDevice, encodeAddedDevice, parseAddedDevice } from "../crypt/devices/added-device.ts";
import { type Pair, type PairingMessage, encodeAnswer, encodeBye, encodeGift, encodeHello, isProven,
  makeCode, openAnswer, parsePairing, readCode } from "../crypt/devices/pairing.ts";
import { driveKeysOf } from "../crypt/drive/drive.ts";

const { codeMs, codeTriesMax, newcomerMs, newcomerAskMs, byeMs } = limits.devices;
const none = Buffer.alloc(0);

/** Who has proved to know the code, and what it gave. */
interface Old {
  readonly peer: PeerId;
  readonly owner: OwnerId;
  device?: Uint8Array;
}

interface Self {
  readonly peer: PeerId;
  readonly name: string;
}

/** The new device's side. Its code is good for one drive, some minutes and a few tries. */
export class Newcomer implements DeviceHost {
  readonly code: string;
  readonly #key: Buffer;
  readonly #self: Self;
  readonly #clock: Clock;
  readonly #given = Promise.withResolvers<Uint8Array>();
  readonly #late: Disposable;
  #old: Old | undefined;
  #tries = 0;

  constructor(
    { clock, random }: { readonly clock: Clock; readonly random: Random }, self: Self,
  ) {
    this.#self = self;
    this.#clock = clock;
    const { text, key } = makeCode(self.peer, random);
    this.code = text;
    this.#key = key;
    const late = new HiveError("TimedOut", "device.add", "nobody confirmed the code");
    this.#late = clock.after(codeMs, () => this.#given.reject(late));
    // There may be nobody who waits for it any more.
    this.#given.promise.catch(() => undefined);
  }

  /** What this device was given; TimedOut when nobody came, Denied when too many guessed. */
  async given(): Promise<Uint8Array> {
    using _late = this.#late;
    return await this.#given.promise;
  }

  async device(
    { peer }: Requester, act: DeviceAct, payload: Uint8Array,
  ): Promise<Uint8Array> {
    if (act !== "pair") throw new HiveError("Unsupported", "node.device", act);
    const message = parsePairing(payload);
    if (message.kind === "hello") return this.#greet(peer, message);
    if (this.#old?.peer !== peer) throw denied("greet first");
    if (message.kind === "gift") this.#take(this.#old, message.device);
    else if (this.#old.device !== undefined) this.#given.resolve(this.#old.device);
    return none;
  }

  #greet(peer: PeerId, { owner, proof }: PairingMessage & { kind: "hello" }): Uint8Array {
    if (this.#tries >= codeTriesMax) throw denied("the code is used up");
    const { peer: newcomer, name } = this.#self;
    const pair: Pair = { newcomer, old: peer, owner };
    if (!isProven(this.#key, pair, proof)) {
      this.#tries++;
      if (this.#tries >= codeTriesMax) this.#given.reject(denied("too many wrong tries"));
      throw denied("not the code that is shown here");
    }
    // Of one use: nobody else is answered from here on.
    if (this.#old !== undefined && this.#old.peer !== peer) throw denied("the code was used");
    this.#old ??= { peer, owner };
    return encodeAnswer(this.#key, pair, name);
  }

  /** It is over when the other one knows, or is late to say so. */
  #take(old: Old, bytes: Uint8Array): void {
    const { certificate } = parseAddedDevice(bytes);
    const isOurs = certificate.peer === this.#self.peer && certificate.owner === old.owner;
    if (!isOurs) throw denied("a certificate for something else");
    old.device = bytes;
    this.#clock.after(byeMs, () => this.#given.resolve(bytes));
  }
}

export interface AdmittingNeeds {
  readonly network: Pick<PeerNetwork, "self" | "peers"> & DeviceNetwork;
  readonly clock: Clock;
  /** The drive's. */
  readonly seed: Uint8Array;
  /** Puts it into the drive's roll: before it has anything, so that it can be shut out again. */
  readonly enrol: (device: AddedView) => Promise<void>;
}

/** The old device's side: whoever shows this code has the drive from now on. */
export async function admitByCode(needs: AdmittingNeeds, typed: string): Promise<AddedView> {
  const { network, clock, seed, enrol } = needs;
  const { key, isOf } = readCode(typed);
  const newcomer = await findNewcomer(needs, isOf);
  const pair: Pair = { newcomer, old: network.self, owner: driveKeysOf(seed).owner };
  const ask = (message: Uint8Array) => network.device(newcomer, "pair", message);
  const name = openAnswer(key, pair, await ask(encodeHello(key, pair)));
  await enrol({ peer: newcomer, name });
  const device = addedDevice(seed, { peer: newcomer, name, nowMs: clock.now() });
  await ask(encodeGift(encodeAddedDevice(device)));
  // It has all that it needs; whether it hears that this is known is no matter.
  await ask(encodeBye()).catch(orFault);
  return { peer: newcomer, name };
}

/** It may have come just now, and be heard of a little later. */
async function findNewcomer(
  { network, clock }: AdmittingNeeds, isOf: (peer: PeerId) => boolean,
): Promise<PeerId> {
  const untilMs = clock.monotonicMs() + newcomerMs;
  for (;;) {
    const [found, more] = network.peers().map(({ offer }) => offer.peer).filter(isOf);
    if (more !== undefined) throw new HiveError("Denied", "device.confirm", "two show this code");
    if (found !== undefined) return found;
    if (clock.monotonicMs() >= untilMs) {
      throw new HiveError("NotFound", "device.confirm", "no peer that shows this code");
    }
    await clock.delay(newcomerAskMs);
  }
}

function orFault(error: unknown): void {
  if (!isFault(error)) throw error;
}

function denied(why: string): HiveError {
  return new HiveError("Denied", "device.add", why);
}
