/**
 * What comes about by itself with a folder that others may read: somebody's time is over, the
 * device that saw to it is gone, rights are lacking since two devices spoke at once. One device
 * does it for all, so that not each of them begins an era of the drive's keys.
 */
import type { Clock } from "../../base/clock.ts";
import type { Name, PeerId, PersonId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { GivenFolders } from "./given-folders.ts";
import { folderTie } from "./given-ties.ts";
import type { Giving } from "./giving.ts";
import type { Keepers } from "./keepers.ts";
import { type GivenWay, lost } from "./ways.ts";

const { deviceGoneMs } = limits.sharing;

export interface GivenTendingNeeds {
  readonly clock: Clock;
  readonly folders: GivenFolders;
  readonly keepers: Keepers;
  /** This device. */
  readonly self: PeerId;
  /** Is told of a folder that somebody could read and cannot any more, without being asked. */
  readonly expired: (path: readonly Name[], who: readonly PersonId[]) => Promise<void>;
}

export class GivenTending {
  readonly #needs: GivenTendingNeeds;

  constructor(needs: GivenTendingNeeds) {
    this.#needs = needs;
  }

  async tend(giving: Giving): Promise<void> {
    const { keepers, folders, self } = this.#needs;
    await this.#believe(giving);
    const { given } = giving;
    const isOurs = keepers.isOurs(given);
    if (!isOurs && keepers.isGone(given.keeper)) {
      return await folders.say([folderTie({ ...given, keeper: self })]);
    }
    // Should its keeper miss it, another one does it later.
    await this.#expire(giving, isOurs ? 0 : deviceGoneMs);
    if (isOurs) await folders.say(await folders.rightsOf([giving]));
  }

  /** Holders go by the time themselves; the secrets that he has are a device's to renew. */
  async #expire(giving: Giving, graceMs: number): Promise<void> {
    const { path, ways } = giving.given;
    const sinceMs = this.#needs.clock.now() - graceMs;
    const staying = ways.filter(({ expiresAtMs }) => expiresAtMs > sinceMs);
    const gone = await this.#narrow(giving, staying);
    if (gone.length > 0) await this.#needs.expired(path, gone);
  }

  /**
   * A device has shut somebody out, and is gone with what it said of that. Whom its record does not
   * name stays out, and this device goes on.
   */
  async #believe(giving: Giving): Promise<void> {
    const named = giving.lastWord;
    if (named === undefined) return;
    const { path, ways } = giving.given;
    const gone = await this.#narrow(giving, ways.filter((way) => {
      return giving.reachBy([way]).every(({ person }) => named.has(person));
    }));
    giving.overtake();
    if (gone.length > 0) await this.#needs.expired(path, gone);
  }

  /** Answers who could read it by the other ways. */
  async #narrow(giving: Giving, staying: readonly GivenWay[]): Promise<readonly PersonId[]> {
    const { ways } = giving.given;
    if (staying.length === ways.length) return [];
    const { folders } = this.#needs;
    const gone = lost(giving.reachBy(ways), giving.reachBy(staying));
    await folders.say(await folders.waysOf(giving, staying));
    return gone;
  }
}
