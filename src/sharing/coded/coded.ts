/**
 * What a coded device finds in the drive's ties that those with the words left there for it
 * (coded-ties.ts): the mandate by which holders take it for one of its person's, and the folders
 * that she may read. Who she is it knows by the mandate, be that over.
 */
import type { Clock } from "../../base/clock.ts";
import type { PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Log, describe } from "../../base/log.ts";
import type { DeviceCertificate } from "../../base/records.ts";
import type { Reading } from "../../crypt/records/readings.ts";
import { mandateKey, mandatesIn, readingsIn } from "../mandates/coded-ties.ts";
import type { InboxOffer } from "../taken/own-inboxes.ts";
import type { Tied } from "../ties/tied.ts";

const { offerAheadMsMax: clockMs } = limits.peers;

export interface CodedNeeds {
  readonly tied: Pick<Tied, "list" | "version">;
  readonly clock: Clock;
  readonly log: Log;
  /** This device. */
  readonly self: PeerId;
}

interface Found {
  readonly version: number;
  readonly mandate: DeviceCertificate | undefined;
  readonly offers: readonly InboxOffer[];
}

export class Coded {
  readonly #needs: CodedNeeds;
  #found: Found | undefined;

  constructor(needs: CodedNeeds) {
    this.#needs = needs;
  }

  /** The folders that its person may read. */
  offers(): readonly InboxOffer[] {
    return this.#look().offers;
  }

  /** By which this device acts for her; undefined while there is none that holds. */
  get mandate(): DeviceCertificate | undefined {
    const { mandate } = this.#look();
    return mandate !== undefined && holds(mandate, this.#needs.clock.now()) ? mandate : undefined;
  }

  /** Why nobody is asked for them just now. */
  get halt(): string | null {
    if (this.mandate !== undefined) return null;
    const { mandate } = this.#look();
    const since = mandate === undefined
      ? "has not been heard of yet" : `was heard of last at ${timeText(mandate.issuedAtMs)}`;
    return `a device with the drive's words is waited for, which ${since}`;
  }

  #look(): Found {
    const { tied, self, log } = this.#needs;
    if (this.#found?.version === tied.version) return this.#found;
    const bad = (key: string, why: unknown): void => {
      log.warn("sharing.coded-tie", { key, why: describe(why) });
    };
    const mandate = mandatesIn(tied, bad).get(mandateKey(self));
    const readings = mandate === undefined ? [] : readingsIn(tied, mandate.owner, bad).values();
    const offers = [...readings].slice(0, limits.sharing.takenMax).map(offerOf);
    this.#found = { version: tied.version, mandate, offers };
    return this.#found;
  }
}

function offerOf(reading: Reading): InboxOffer {
  const { owner, share, from, peers, person, key, name, isThroughGroup } = reading;
  const grant = { owner, share, from, peers };
  return { held: { grant, person, readerKey: key }, name, isThroughGroup };
}

/** A holder refuses the whole greeting for one that is out of its time by his own clock. */
function holds({ issuedAtMs, expiresAtMs }: DeviceCertificate, nowMs: number): boolean {
  return issuedAtMs <= nowMs && nowMs < expiresAtMs - clockMs;
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
