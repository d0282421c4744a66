/**
 * What the members of this drive's groups did while none of its machines was there: their logs,
 * each checked entry by entry against the manifest that it goes on from. Groups is told, so that
 * shards are sought where they are now; to make it the owner's own is for agent/guard/adopt.ts.
 */
import { sameBytes } from "../../base/bytes.ts";
import { isFault } from "../../base/errors.ts";
import type { GuardNetwork } from "../../base/guard.ts";
import type { BaseId, GroupId } from "../../base/ids.ts";
import { type Log, describe } from "../../base/log.ts";
import type { PeerNetwork } from "../../base/network.ts";
import type { Manifest } from "../../base/records.ts";
import { type Standing, baseOf, forkOf, perjurersOf, standingOf } from "../../guard/log.ts";
import { decodeWord, encodeName } from "../../guard/messages.ts";
import type { Groups } from "./groups.ts";

export interface LogNeeds {
  readonly network: PeerNetwork & Partial<GuardNetwork>;
  readonly groups: Groups;
  readonly log: Log;
}

/** Any of these says that a peer was reached, if not what it knows. */
const silent = ["Unavailable", "TimedOut"] as const;

export class Logs {
  readonly #needs: LogNeeds;
  /** Of whose members somebody was reached when they were last asked. */
  readonly #asked = new Set<GroupId>();
  /** How long the log of a group was that its owner has looked at, and made nothing of. */
  readonly #judged = new Map<GroupId, { readonly base: BaseId; readonly length: number }>();

  constructor(needs: LogNeeds) {
    this.#needs = needs;
  }

  /** Asks the members of every group; `again` those of whom nobody was reached before. */
  async learn(signal: AbortSignal, how: { readonly again: boolean }): Promise<void> {
    const all = this.#needs.groups.all();
    const those = how.again ? all.filter(({ group }) => !this.#asked.has(group)) : all;
    // At once: members that are away cost a call's time each, and are mostly the same ones.
    await Promise.all(those.map(async (manifest) => {
      const longest = longestOf(this.#needs, await this.#ask(manifest, signal));
      if (longest !== undefined) this.#needs.groups.hear(longest);
    }));
  }

  /** Of every group somebody was reached. */
  get areAsked(): boolean {
    const { network, groups } = this.#needs;
    return network.guard === undefined || groups.all().every(({ group }) => this.#asked.has(group));
  }

  /**
   * What members agreed on while no machine of the drive was there is known, and was judged: a
   * manifest that is signed before that ends their log, and nobody finds what newcomers have.
   */
  isHeard(group: GroupId): boolean {
    const { network, groups } = this.#needs;
    const standing = groups.heard().find(({ manifest }) => manifest.group === group);
    const isOpen = standing !== undefined && !this.#isJudged(standing);
    return network.guard === undefined || (this.#asked.has(group) && !isOpen);
  }

  /** Nothing of this log is made the owner's own. */
  overrule({ manifest, log: { length } }: Standing): void {
    this.#judged.set(manifest.group, { base: baseOf(manifest), length });
  }

  #isJudged({ manifest, log }: Standing): boolean {
    const judged = this.#judged.get(manifest.group);
    return judged?.base === baseOf(manifest) && log.length <= judged.length;
  }

  async #ask(manifest: Manifest, signal: AbortSignal): Promise<readonly Standing[]> {
    const { network, groups, log } = this.#needs;
    const name = encodeName(manifest);
    const members = new Set([...manifest.peers, ...groups.seated(manifest).peers]);
    members.delete(network.self);
    let reached = 0;
    const told = await Promise.all([...members].map(async (peer) => {
      try {
        const answer = await network.guard?.(peer, "word", name, { signal });
        reached++;
        return answer === undefined ? undefined : await believed(groups, manifest, answer);
      } catch (error) {
        if (!isFault(error)) throw error;
        if (!isFault(error, ...silent)) reached++;
        log.debug("transfer.log.unheard", { peer, why: describe(error) });
        return undefined;
      }
    }));
    signal.throwIfAborted();
    if (reached > 0) this.#asked.add(manifest.group);
    else this.#asked.delete(manifest.group);
    return told.filter((standing) => standing !== undefined);
  }
}

/** Undefined for what goes on from another manifest than ours; a newer one is another device's. */
async function believed(
  groups: Groups, manifest: Manifest, answer: Uint8Array,
): Promise<Standing | undefined> {
  const word = decodeWord(answer);
  const { owner, group, bytes } = word.manifest;
  if (owner !== manifest.owner || group !== manifest.group) return undefined;
  await groups.adopt(word.manifest);
  return sameBytes(bytes, manifest.bytes) ? standingOf(manifest, word.log) : undefined;
}

/** Of two that contradict each other neither is taken, and who signed both is named. */
function longestOf({ log }: LogNeeds, told: readonly Standing[]): Standing | undefined {
  const longest = told.toSorted((a, b) => b.log.length - a.log.length)[0];
  if (longest === undefined) return undefined;
  for (const other of told) {
    const at = forkOf(longest.log, other.log);
    const [one, two] = at === undefined ? [] : [longest.log[at], other.log[at]];
    if (one === undefined || two === undefined) continue;
    const liars = perjurersOf(one, two).join(" ");
    log.warn("transfer.log.forked", { group: longest.manifest.group, liars });
    return undefined;
  }
  return longest;
}
