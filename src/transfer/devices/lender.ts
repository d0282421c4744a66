/**
 * Blocks on their way between two devices of one drive, straight, before peers have them. What is
 * lent here counts as kept by nobody: the one who takes it over has it as dirty as its own, and
 * whatever of it has no place with peers when its maker had his time goes up from here as well.
 */
import type { RoundOptions, UploadRound, UploadSource } from "../../base/blocks.ts";
import type { Clock } from "../../base/clock.ts";
import type { DeviceNetwork, BlockLender, LoanOptions } from "../../base/devices.ts";
import { HiveError } from "../../base/errors.ts";
import { type Cid, type PeerId, cidBytes, cidOf, parseCidBytes } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { CatalogEntry } from "../catalog/catalog-page.ts";

const { answerMs, lentKnownMax, lentRestMs } = limits.devices;

export interface DeviceLenderNeeds {
  readonly network: Partial<DeviceNetwork>;
  readonly clock: Clock;
  readonly source: UploadSource;
  readonly find: (cid: Cid) => Promise<CatalogEntry | undefined>;
  /** A block that has a place, from the peers. */
  readonly fetch: (cid: Cid) => Promise<Uint8Array>;
}

export class DeviceLender implements BlockLender {
  readonly #needs: DeviceLenderNeeds;
  /** Taken over a moment ago, and not known to have a place; since when. */
  readonly #open = new Map<Cid, number>();

  constructor(needs: DeviceLenderNeeds) {
    this.#needs = needs;
  }

  async unplaced(cids: readonly Cid[]): Promise<readonly Cid[]> {
    const without: Cid[] = [];
    const { lookupsAtOnce } = limits.transfer;
    for (let from = 0; from < cids.length; from += lookupsAtOnce) {
      const some = cids.slice(from, from + lookupsAtOnce);
      const places = await Promise.all(some.map((cid) => this.#needs.find(cid)));
      without.push(...some.filter((_, at) => places[at] === undefined));
    }
    return without;
  }

  async borrow(cid: Cid, { from, isKept }: LoanOptions): Promise<Uint8Array> {
    if (await this.#needs.find(cid) !== undefined) return await this.#needs.fetch(cid);
    const bytes = await this.#ask(cid, from);
    if (cidOf(bytes) !== cid) throw new HiveError("Corrupt", "transfer.borrow", cid);
    if (isKept) this.#opened(cid);
    return bytes;
  }

  /** What another device asks for: only what is on this machine. */
  async lend(cid: Uint8Array): Promise<Uint8Array> {
    return await this.#needs.source.read(parseCidBytes(cid));
  }

  /** True while another device may be about to place what both have. */
  async areOpen(): Promise<boolean> {
    const endMs = this.#needs.clock.monotonicMs() - lentRestMs;
    for (const [cid, sinceMs] of this.#open) {
      if (sinceMs < endMs || await this.#needs.find(cid) !== undefined) this.#open.delete(cid);
      else return true;
    }
    return false;
  }

  async #ask(cid: Cid, from: PeerId): Promise<Uint8Array> {
    const { network, clock } = this.#needs;
    if (network.device === undefined) throw new HiveError("Unavailable", "transfer.borrow", cid);
    const over = new AbortController();
    const late = new HiveError("Unavailable", "transfer.borrow", `${cid}: no answer in time`);
    using _timer = clock.after(answerMs, () => over.abort(late));
    return await network.device(from, "block", cidBytes(cid), { signal: over.signal });
  }

  #opened(cid: Cid): void {
    this.#open.set(cid, this.#needs.clock.monotonicMs());
    const [oldest] = this.#open.keys();
    if (this.#open.size > lentKnownMax && oldest !== undefined) this.#open.delete(oldest);
  }
}

/** A source from which patient rounds wait for those who made what was lent. */
export function afterLoans(
  source: UploadSource, lender: Pick<DeviceLender, "areOpen">,
): UploadSource {
  return {
    async beginRound(options: RoundOptions = {}): Promise<UploadRound | undefined> {
      if (options.patient === true && await lender.areOpen()) return undefined;
      return await source.beginRound(options);
    },
    read: (cid, into) => source.read(cid, into),
    placed: (cids) => source.placed(cids),
    endRound: (root) => source.endRound(root),
    lost: (cids) => source.lost(cids),
  };
}
