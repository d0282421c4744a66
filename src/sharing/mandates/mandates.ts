/**
 * Leaves for coded devices what they need to read what this drive's person was given
 * (coded-ties.ts), where her keys are: a mandate for each, renewed when half of it is over, and
 * readings of the folders that she may read. Of whoever is no such device any more there is a
 * dismissal instead (dismissals.ts), until its last mandate is over by itself. A Step.
 *
 * Several devices with the words do so, and must not undo what another one did because they know
 * less: an inbox may have been read there and not here. So what follows from one stands with the
 * number of its record, and whoever has read only an earlier one leaves it alone. A name is the
 * first that was given: they may differ, and it is no matter.
 */
import { tieKeys } from "../../base/book-keys.ts";
import { asBuffer } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import type { AddedView } from "../../base/devices.ts";
import { isFault } from "../../base/errors.ts";
import type { OwnerId, PersonId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { DeviceCertificate } from "../../base/records.ts";
import { isDismissal, signDismissal } from "../../crypt/devices/dismissals.ts";
import { isFresh } from "../../crypt/records/certificates.ts";
import type { PersonKeys } from "../../crypt/records/grants.ts";
import { type Reading, signReading } from "../../crypt/records/readings.ts";
import { signDeviceCertificate } from "../../crypt/records/records.ts";
import type { Held } from "../records/opened.ts";
import { asSigner, personIdOf } from "../records/person-keys.ts";
import type { Tied } from "../ties/tied.ts";
import { mandateKey, mandatesIn, readingKey, readingsIn } from "./coded-ties.ts";

const { grantPeersMax, mandateMs, mandateRestMs } = limits.sharing;

/** A folder that this person may read. */
export interface Readable {
  readonly held: Pick<Held, "grant" | "readerKey">;
  readonly name: string;
  readonly isThroughGroup: boolean;
}

export interface MandatesNeeds {
  readonly tied: Pick<Tied, "list" | "put" | "version">;
  readonly person: PersonKeys;
  readonly clock: Clock;
  readonly log: Log;
  /** Those that were let in by a code; undefined while it is not known who was removed. */
  readonly coded: () => readonly AddedView[] | undefined;
  readonly readable: () => readonly Readable[];
  /** Of the newest record of this owner's inbox that is known; Infinity where there is none. */
  readonly inboxNumber: (owner: OwnerId) => number;
}

type Change = readonly [key: string, value: Buffer | undefined];

/** What stands in the ties now. */
interface Left {
  readonly version: number;
  readonly mandates: ReadonlyMap<string, DeviceCertificate>;
  readonly readings: ReadonlyMap<string, Reading>;
  /** Those that cannot be read, too. */
  readonly keys: readonly string[];
}

export class Mandates {
  readonly #needs: MandatesNeeds;
  readonly #person: PersonId;
  #left: Left | undefined;
  #nextAtMs = -Infinity;

  constructor(needs: MandatesNeeds) {
    this.#needs = needs;
    this.#person = personIdOf(needs.person);
  }

  async step(): Promise<"busy" | "idle"> {
    const { coded, clock, tied, log } = this.#needs;
    const devices = coded();
    if (devices === undefined || clock.monotonicMs() < this.#nextAtMs) return "idle";
    const changes = this.#changes(devices);
    if (changes.length === 0) return "idle";
    this.#nextAtMs = clock.monotonicMs() + mandateRestMs;
    try {
      await tied.put(changes);
    } catch (error) {
      if (!isFault(error)) throw error;
      log.warn("sharing.mandates", { why: describe(error) });
    }
    return "idle";
  }

  #changes(devices: readonly AddedView[]): readonly Change[] {
    const readable = devices.length === 0 ? [] : this.#needs.readable();
    const wanted = new Map<string, () => Buffer | undefined>([
      ...devices.map((device) => {
        return [mandateKey(device.peer), () => this.#mandateFor(device)] as const;
      }),
      ...readable.map((one) => {
        return [readingKey(one.held.grant), () => this.#readingOf(one)] as const;
      }),
    ]);
    const over = this.#known().keys.filter((key) => !wanted.has(key));
    const due = [...wanted].flatMap(([key, make]): readonly Change[] => {
      const value = make();
      return value === undefined ? [] : [[key, value]];
    });
    return [...over.flatMap((key) => this.#endOf(key, devices)), ...due];
  }

  /** Of a device that is none any more: a dismissal, for as long as its mandate may last. */
  #endOf(key: string, devices: readonly AddedView[]): readonly Change[] {
    const { mandates, readings } = this.#known();
    const mandate = mandates.get(key);
    if (mandate?.owner === this.#person) return this.#dismissalOf(key, mandate);
    const reading = readings.get(key);
    const mayEnd = reading === undefined || devices.length === 0 || this.#mayChange(reading);
    return mayEnd ? [[key, undefined]] : [];
  }

  #dismissalOf(key: string, mandate: DeviceCertificate): readonly Change[] {
    const { person, clock } = this.#needs;
    const nowMs = clock.now();
    if (isDismissal(mandate)) {
      return nowMs - mandate.issuedAtMs < mandateMs ? [] : [[key, undefined]];
    }
    const atMs = Math.max(nowMs, mandate.issuedAtMs);
    return [[key, asBuffer(signDismissal(asSigner(person), { ...mandate, atMs }).bytes)]];
  }

  /** Undefined while the one that it has is good. */
  #mandateFor({ peer, name }: AddedView): Buffer | undefined {
    const { person, clock } = this.#needs;
    const known = this.#known().mandates.get(mandateKey(peer));
    const nowMs = clock.now();
    const isGood = known !== undefined && known.owner === this.#person
      && isFresh(known, { nowMs, lifeMs: mandateMs });
    if (isGood) return undefined;
    const times = { issuedAtMs: nowMs, expiresAtMs: nowMs + mandateMs };
    return asBuffer(signDeviceCertificate(asSigner(person), { peer, name, ...times }).bytes);
  }

  /** Undefined while the one that is there is good, or another device's to say. */
  #readingOf({ held: { grant, readerKey }, name, isThroughGroup }: Readable): Buffer | undefined {
    const { person, inboxNumber } = this.#needs;
    const { owner, share, from } = grant;
    const known = this.#known().readings.get(readingKey(grant));
    const isSame = known !== undefined && known.from === from
      && asBuffer(known.key).equals(readerKey);
    if (isSame || (known !== undefined && !this.#mayChange(known))) return undefined;
    const number = inboxNumber(owner);
    return asBuffer(signReading(person, {
      person: this.#person, owner, share, from, isThroughGroup, key: readerKey,
      // As it may be written down: her user may have given it any.
      name: name.replace(/\p{Cc}/gu, "?"),
      peers: grant.peers.slice(0, grantPeersMax),
      inboxNumber: Number.isFinite(number) ? number : 0,
    }).bytes);
  }

  #mayChange({ owner, inboxNumber }: Reading): boolean {
    return inboxNumber <= this.#needs.inboxNumber(owner);
  }

  #known(): Left {
    const { tied } = this.#needs;
    if (this.#left?.version === tied.version) return this.#left;
    const ignored = (): void => undefined;
    this.#left = {
      version: tied.version,
      mandates: mandatesIn(tied, ignored),
      readings: readingsIn(tied, this.#person, ignored),
      keys: [tieKeys.mandate, tieKeys.reading].flatMap((prefix) => {
        return tied.list(prefix).map(([rest]) => prefix + rest);
      }),
    };
    return this.#left;
  }
}
