/**
 * Who shall sit in a group: which class there are households for, who is drawn, and who takes the
 * seat of somebody lost. It asks placement with what is known of peers now, and has patience while
 * they arrive. It signs and keeps nothing; groups.ts does.
 */
import type { Clock } from "../../base/clock.ts";
import { type GroupId, type PeerId, parseGroupId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import type { Log } from "../../base/log.ts";
import type { KnownPeer, PeerNetwork } from "../../base/network.ts";
import type { Random } from "../../base/random.ts";
import { type ErasureClass, type Manifest, erasureClasses } from "../../base/records.ts";
import { classNamed, isOfPolicy, largestFor, nextClass } from "../../placement/draws/classes.ts";
import { type Manner, drawGroup, replaceMembers } from "../../placement/draws/group.ts";
import { seenBy } from "../../placement/judging/eligible.ts";
import { factsKnown } from "../../placement/judging/facts.ts";
import { allows } from "../../placement/judging/judge.ts";
import type { Policy } from "../../placement/language/policy.ts";
import { explain } from "../../placement/telling/explain.ts";
import { choiceOf } from "./law.ts";
import type { TooFew } from "./waiting.ts";

export interface DrawingNeeds {
  readonly network: Pick<PeerNetwork, "peers">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** A name, and the policy that is in force under it. */
export interface Slot {
  readonly name: string;
  readonly policy: Policy;
}

export interface Drawn {
  readonly group: GroupId;
  readonly class: ErasureClass;
  readonly peers: readonly PeerId[];
}

/** Whose seats are to be given away, and to whom not. */
export interface Losses {
  readonly policy: Policy;
  readonly lost: readonly PeerId[];
  readonly unfit: ReadonlySet<PeerId>;
  readonly manner: Pick<Manner, "isAsWide">;
}

export class Drawing {
  readonly #needs: DrawingNeeds;
  readonly #settleMs: number;
  /** By name: the class that there were households for when last asked, and since when. */
  readonly #wanted = new Map<string, { readonly class: string; readonly sinceMs: number }>();

  constructor(needs: DrawingNeeds, options: { readonly settleMs: number }) {
    this.#needs = needs;
    this.#settleMs = options.settleMs;
  }

  /** Of those online whom the rules of the policy let in. */
  households(policy: Policy): number {
    const online = this.#online();
    const choice = { policy, factsOf: factsKnown(online) };
    const allowed = online.filter(({ offer }) => {
      const seen = seenBy(choice, offer);
      return policy.rules.every((rule) => allows(rule, seen));
    });
    return new Set(allowed.map(({ offer }) => choice.factsOf(offer).household)).size;
  }

  /** So many of the members that what is stored now reaches enough of them. */
  isReached(manifest: Manifest): boolean {
    const online = new Set(this.#online().map(({ offer }) => offer.peer));
    return manifest.peers.filter((peer) => online.has(peer)).length >= manifest.class.r;
  }

  /** The class to draw next where the best group is of this one. */
  wantedClass(policy: Policy, current: ErasureClass | undefined): ErasureClass | undefined {
    const isNamed = policy.class !== "auto";
    const wanted = isNamed
      ? classNamed(policy.class)
      : nextClass(current, this.households(policy), largestFor(policy));
    return wanted !== undefined && isOfPolicy(wanted, policy) ? wanted : undefined;
  }

  /**
   * Peers are still arriving when a node has just started: a group drawn from the first of them
   * would be of too small a class. To go below a class that is in use takes far longer patience.
   */
  isSettled(name: string, wanted: ErasureClass, { isLess }: { readonly isLess: boolean }): boolean {
    const nowMs = this.#needs.clock.monotonicMs();
    let since = this.#wanted.get(name);
    if (since?.class !== wanted.name) since = { class: wanted.name, sinceMs: nowMs };
    this.#wanted.set(name, since);
    const patienceMs = isLess ? this.#settleMs * limits.transfer.settleFactor : this.#settleMs;
    return nowMs - since.sinceMs >= patienceMs;
  }

  /** The largest class there are households for, then smaller ones, down to what we have. */
  draw(
    policy: Policy, { wanted, above }: { readonly wanted: ErasureClass; readonly above: number },
  ): Drawn | undefined {
    // A class that the policy names, and what it asks of one, is never relaxed.
    const allowed = erasureClasses.filter((one) => isOfPolicy(one, policy));
    const classes = allowed.filter(({ n }) => n <= wanted.n && n > above).reverse();
    for (const erasureClass of classes) {
      const group = parseGroupId(this.#needs.random.bytes(16).toString("hex"));
      const choice = this.#choiceOf(policy, this.#online());
      const drawn = drawGroup({ ...choice, class: erasureClass, seed: group, isWide: true });
      if (drawn.state === "impossible") continue;
      this.#needs.log.info("transfer.group.drawn", { group, class: erasureClass.name });
      return { group, class: erasureClass, peers: drawn.peers };
    }
    return undefined;
  }

  /** Why nothing can be drawn. */
  tooFew(policy: Policy, { n: needed, name }: ErasureClass = leastClass(policy)): TooFew {
    const { clauses, classes } = explain(this.#choiceOf(policy, this.#online()));
    const bounds = classes.find((one) => one.class === name)?.bounds ?? [];
    const lacking = bounds.filter((bound) => bound.left < bound.needed);
    return { needed, have: this.households(policy), clauses, bounds: lacking };
  }

  /** The members of the next epoch: whoever was lost stays where nobody can take the seat. */
  substituted(wish: Manifest, { policy, lost, unfit, manner }: Losses): readonly PeerId[] {
    const known = this.#needs.network.peers().filter(({ offer: { peer }, online }) => {
      return wish.peers.includes(peer) || (online && !unfit.has(peer) && !lost.includes(peer));
    });
    const choice = this.#choiceOf(policy, known);
    // A new seed each epoch: who refused the seat once need not be drawn for ever.
    const seed = `${wish.group}/${wish.epoch}`;
    return replaceMembers({ ...choice, ...manner, manifest: wish, lost, seed, isWide: true });
  }

  #choiceOf(policy: Policy, known: readonly KnownPeer[]) {
    return { policy, ...choiceOf(known), nowMs: this.#needs.clock.now() };
  }

  #online(): readonly KnownPeer[] {
    return this.#needs.network.peers().filter(({ online }) => online);
  }
}

function leastClass(policy: Policy): ErasureClass {
  const allowed = erasureClasses.filter((one) => isOfPolicy(one, policy));
  // Of a policy that no class satisfies, the largest says most truly how far off it is.
  return (allowed[0] ?? erasureClasses.at(-1)) as ErasureClass;
}
