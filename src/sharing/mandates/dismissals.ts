/**
 * Tells those who keep what others share with this person which of her devices act for her no more,
 * so that they need not wait for its mandate to be over (mandates.ts). Any device of hers that has
 * the words does, for as long as that would last; whoever keeps such folders and is of an older
 * version takes none of it, and waits. A Step.
 */
import type { Clock } from "../../base/clock.ts";
import type { OwnerId, PeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { DeviceCertificate } from "../../base/records.ts";
import type { ShareNetwork } from "../../base/sharing.ts";
import { encodeDismissal, isDismissal } from "../../crypt/devices/dismissals.ts";
import type { PersonKeys } from "../../crypt/records/grants.ts";
import { personIdOf } from "../records/person-keys.ts";
import { Telling } from "../telling/telling.ts";
import type { Tied } from "../ties/tied.ts";
import { mandatesIn } from "./coded-ties.ts";
import type { Readable } from "./mandates.ts";

const { dismissAgainMs, mandateMs } = limits.sharing;

export interface DismissalsNeeds {
  readonly tied: Pick<Tied, "list" | "version">;
  readonly person: PersonKeys;
  readonly clock: Clock;
  readonly log: Log;
  readonly network: ShareNetwork;
  readonly readable: () => readonly Readable[];
  /** Whoever keeps this owner's shards, as far as is known. */
  readonly keepersOf: (owner: OwnerId) => readonly PeerId[];
}

const nothing = { version: -1, ours: [] };

export class Dismissals {
  readonly #needs: DismissalsNeeds;
  /** As the ties have them. */
  #found: { readonly version: number; readonly ours: readonly DeviceCertificate[] } = nothing;
  /** By device and owner, and by when it was: who knows already, and until when that counts. */
  readonly #tellings = new Map<string, { readonly telling: Telling; readonly untilMs: number }>();

  constructor(needs: DismissalsNeeds) {
    this.#needs = needs;
  }

  async step(signal: AbortSignal): Promise<"busy" | "idle"> {
    const all = this.#all();
    if (all.length === 0) {
      this.#tellings.clear();
      return "idle";
    }
    const byOwner = new Map(this.#needs.readable().map((one) => [one.held.grant.owner, one]));
    for (const dismissal of all) {
      for (const folder of byOwner.values()) await this.#tell(dismissal, folder, signal);
    }
    return "idle";
  }

  async #tell(
    dismissal: DeviceCertificate, { held: { grant } }: Readable, signal: AbortSignal,
  ): Promise<void> {
    const { network, keepersOf } = this.#needs;
    const { owner, peers } = grant;
    const told = encodeDismissal({ owner, dismissal });
    const telling = this.#telling(`${dismissal.peer}/${dismissal.issuedAtMs}/${owner}`, told);
    await telling.tell([...new Set([...keepersOf(owner), ...peers])], (peer, bytes) => {
      return network.share(peer, "write", bytes, { signal });
    }, signal);
  }

  /** Whoever began anew has forgotten it: all are told again now and then. */
  #telling(name: string, told: Uint8Array): Telling {
    const nowMs = this.#needs.clock.monotonicMs();
    const known = this.#tellings.get(name);
    if (known !== undefined && nowMs < known.untilMs) return known.telling;
    const telling = new Telling(this.#needs);
    telling.begin(told);
    this.#tellings.set(name, { telling, untilMs: nowMs + dismissAgainMs });
    return telling;
  }

  /** Those that end something yet. */
  #all(): readonly DeviceCertificate[] {
    const { tied, person, clock } = this.#needs;
    if (this.#found.version !== tied.version) {
      const all = [...mandatesIn(tied, () => undefined).values()].filter(isDismissal);
      const ours = all.filter(({ owner }) => owner === personIdOf(person));
      this.#found = { version: tied.version, ours };
    }
    const nowMs = clock.now();
    return this.#found.ours.filter(({ issuedAtMs }) => nowMs - issuedAtMs < mandateMs);
  }
}
