/**
 * What the members of this drive's groups did while none of its machines was there: their logs,
 * each checked entry by entry against the manifest that it goes on from. Groups is told, so that
 * shards are sought where they are now; to make it the owner's own is for agent/guard/adopt.ts.
 */
import { sameBytes } from "../../base/bytes.ts";
import { isFault } from "../../base/errors.ts";
import type { GuardNetwork } from "../../base/guard.ts";
import type { BaseId, GroupId, PeerId } from "../../base/ids.ts";
import { isOnline } from "../../base/known-peers.ts";
import { type Log, describe } from "../../base/log.ts";
import type { PeerNetwork } from "../../base/network.ts";
import type { Manifest } from "../../base/records.ts";
import { type Standing, baseOf, forkOf, perjurersOf, quorumOf, standingOf }
  from "../../guard/log.ts";
import { decodeWord, encodeName } from "../../guard/messages.ts";
import type { Groups } from "./groups.ts";

export interface LogNeeds {
  readonly network: PeerNetwork & Partial<GuardNetwork>;
  readonly groups: Pick<Groups, "all" | "seated" | "heard" | "hear" | "adopt">;
  readonly log: Log;
}

/** Whoever says any of these has nothing to tell; after all else nobody knows what it knows. */
const ignorant = ["NotFound", "Denied"] as const;

export class Logs {
  readonly #needs: LogNeeds;
  /** Groups of which enough members told what they know, when they were last asked. */
  readonly #told = new Set<GroupId>();
  /** How long the log of a group was that its owner has looked at, and made nothing of. */
  readonly #judged = new Map<GroupId, { readonly base: BaseId; readonly length: number }>();
  /** Who lost a seat by any log that was heard here: a newer manifest may give it back. */
  readonly #lost = new Map<GroupId, Set<PeerId>>();

  constructor(needs: LogNeeds) {
    this.#needs = needs;
  }

  /** Asks the members of every group; the dead need not tell. */
  async learn(dead: ReadonlySet<PeerId>, signal: AbortSignal): Promise<void> {
    // At once: members that are away cost a call's time each, and are mostly the same ones.
    await Promise.all(this.#needs.groups.all().map((manifest) => {
      return this.#ask(manifest, { peers: this.#membersOf(manifest), dead, signal });
    }));
  }

  /**
   * What members agreed on while no machine of the drive was there is known, and was judged: a
   * manifest that is signed before that ends their log, and nobody finds what newcomers have.
   */
  isHeard(group: GroupId): boolean {
    const standing = this.#heardOf(group);
    const isOpen = standing !== undefined && standing.log.length > this.#judgedOf(standing);
    return this.#needs.network.guard === undefined || (this.#told.has(group) && !isOpen);
  }

  /**
   * Whether a new manifest may end this log, and what was judged of it: whoever is there is asked
   * just before. For a minute without a line is enough for members to give a seat away, and a
   * machine that was not off does not know that it had none.
   */
  async mayEnd(standing: Standing, dead: ReadonlySet<PeerId>): Promise<boolean> {
    const { network } = this.#needs;
    if (network.guard === undefined) return true;
    const { manifest, log } = standing;
    const peers = this.#membersOf(manifest).filter((peer) => isOnline(network, peer));
    await this.#ask(manifest, { peers, dead });
    const length = this.#heardOf(manifest.group)?.log.length ?? 0;
    const known = Math.max(log.length, this.#judgedOf(standing));
    return this.#told.has(manifest.group) && length <= known;
  }

  /**
   * Whether this member has had its seat all the time, as far as this node remembers: not where too
   * few tell of the log, as one of the others may have given it away.
   */
  async isSeated(
    group: GroupId, peer: PeerId,
    { dead, signal }: { readonly dead: ReadonlySet<PeerId>; readonly signal: AbortSignal },
  ): Promise<boolean> {
    const { network, groups } = this.#needs;
    const ofGroup = () => groups.all().find((manifest) => manifest.group === group);
    const manifest = ofGroup();
    if (network.guard !== undefined && manifest !== undefined) {
      await this.#ask(manifest, { peers: this.#membersOf(manifest), dead, signal });
      if (!this.#told.has(group)) return false;
    }
    const isMember = ofGroup()?.peers.includes(peer) ?? false;
    return isMember && this.#lost.get(group)?.has(peer) !== true;
  }

  /** Nothing of this log is made the owner's own. */
  overrule({ manifest, log: { length } }: Standing): void {
    this.#judged.set(manifest.group, { base: baseOf(manifest), length });
  }

  #judgedOf({ manifest }: Standing): number {
    const judged = this.#judged.get(manifest.group);
    return judged?.base === baseOf(manifest) ? judged.length : 0;
  }

  #heardOf(group: GroupId): Standing | undefined {
    return this.#needs.groups.heard().find(({ manifest }) => manifest.group === group);
  }

  #membersOf(manifest: Manifest): readonly PeerId[] {
    const { network, groups } = this.#needs;
    const members = new Set([...manifest.peers, ...groups.seated(manifest).peers]);
    members.delete(network.self);
    return [...members];
  }

  async #ask(
    manifest: Manifest,
    { peers, dead, signal }: {
      readonly peers: readonly PeerId[]; readonly dead: ReadonlySet<PeerId>;
      readonly signal?: AbortSignal;
    },
  ): Promise<void> {
    const { groups, network, log } = this.#needs;
    const told = new Map<PeerId, Standing | undefined>([[network.self, undefined]]);
    await Promise.all(peers.map(async (peer) => {
      try {
        told.set(peer, await this.#askOne(manifest, peer, signal));
      } catch (error) {
        if (!isFault(error)) throw error;
        if (isFault(error, ...ignorant)) told.set(peer, undefined);
        log.debug("transfer.log.unheard", { peer, why: describe(error) });
      }
    }));
    signal?.throwIfAborted();
    const standings = [...told.values()].filter((standing) => standing !== undefined);
    this.#remember(manifest.group, standings);
    const longest = longestOf(this.#needs, standings);
    if (longest !== undefined) groups.hear(longest);
    const seats = groups.seated(manifest).peers;
    const silent = seats.filter((peer) => !told.has(peer) && !dead.has(peer));
    // Fewer than a majority cannot have agreed on anything that nobody else would tell of.
    if (silent.length < quorumOf(seats.length)) this.#told.add(manifest.group);
    else this.#told.delete(manifest.group);
  }

  #remember(group: GroupId, standings: readonly Standing[]): void {
    const lost = standings.flatMap(({ log }) => log.map(({ entry }) => entry.lost));
    if (lost.length === 0) return;
    this.#lost.set(group, new Set([...this.#lost.get(group) ?? [], ...lost]));
  }

  async #askOne(
    manifest: Manifest, peer: PeerId, signal: AbortSignal | undefined,
  ): Promise<Standing | undefined> {
    const { network, groups } = this.#needs;
    const answer = await network.guard?.(peer, "word", encodeName(manifest), { signal });
    return answer === undefined ? undefined : await believed(groups, manifest, answer);
  }
}

/** Undefined for what goes on from another manifest than ours; a newer one is another device's. */
async function believed(
  groups: LogNeeds["groups"], manifest: Manifest, answer: Uint8Array,
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
