/**
 * Who has said that it will keep its seats no longer, in which groups, and until when that holds.
 * It lives in memory alone: who gives notice says so again and again, and who falls silent has
 * taken it back. Each speaks for itself, over a connection that proved its key, so nobody can give
 * notice for another.
 */
import type { GroupId, PeerId } from "../base/ids.ts";
import { limits } from "../base/limits.ts";

export interface Notice {
  /** 0 takes the notice back; no more is read in it, as the giver's clock may be days off. */
  readonly untilMs: number;
  /** The groups whose seats are given up; undefined for all. */
  readonly groups: readonly GroupId[] | undefined;
}

interface Heard {
  readonly untilMs: number;
  readonly groups: ReadonlySet<GroupId> | undefined;
}

export class Notices {
  /** Of a clock that nobody sets. */
  readonly #nowMs: () => number;
  readonly #heard = new Map<PeerId, Heard>();
  readonly #listeners = new Set<() => void>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Calls for what was not known before. */
  onNews(listener: () => void): void {
    this.#listeners.add(listener);
  }

  hear(peer: PeerId, { untilMs, groups }: Notice): void {
    const wasKnown = this.#holding(peer) !== undefined;
    this.#heard.delete(peer);
    if (untilMs === 0) return;
    this.#forgetOld();
    // By our own clock: it is told again long before that, for as long as it is meant.
    const heldMs = this.#nowMs() + limits.leave.noticeHoldsMs;
    const named = groups === undefined ? undefined : new Set(groups);
    this.#heard.set(peer, { untilMs: heldMs, groups: named });
    if (!wasKnown) for (const listener of this.#listeners) listener();
  }

  /** Whether the peer gives up its seat in this group. */
  has(peer: PeerId, group: GroupId): boolean {
    const heard = this.#holding(peer);
    return heard !== undefined && (heard.groups?.has(group) ?? true);
  }

  /** All who give up anything: none of them should be given more. */
  peers(): ReadonlySet<PeerId> {
    return new Set([...this.#heard.keys()].filter((peer) => this.#holding(peer) !== undefined));
  }

  #holding(peer: PeerId): Heard | undefined {
    const heard = this.#heard.get(peer);
    return heard !== undefined && heard.untilMs > this.#nowMs() ? heard : undefined;
  }

  /** Keys cost nothing: whoever made up many of them pushes out the oldest, and no more. */
  #forgetOld(): void {
    for (const peer of this.#heard.keys()) if (!this.#holding(peer)) this.#heard.delete(peer);
    const [oldest] = this.#heard.keys();
    const isFull = this.#heard.size >= limits.leave.noticesMax;
    if (isFull && oldest !== undefined) this.#heard.delete(oldest);
  }
}
