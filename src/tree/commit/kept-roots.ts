/**
 * The roots that a drive keeps of its past. A commit asks which are kept with the next root, and is
 * told which of the pages that it replaced nobody needs: those that were made since the newest root
 * that is kept. Whatever else such a root alone refers to goes when garbage is collected.
 *
 * Their list lies in one block. Where it is with peers only, as after a recovery, commits go on
 * without looking at it, and nothing is kept or let go until it is here.
 *
 * While the store is nearly full of what no peer has, the rule keeps nothing made in the last
 * hour: a user who deletes files for room waits for it, and the list itself would need some.
 */
import { HiveError, isFault } from "../../base/errors.ts";
import type { Cid } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { describe } from "../../base/log.ts";
import type { KeepRule, Reason } from "../../base/snapshots.ts";
import type { ChunkLink } from "../../dag/chunks.ts";
import { type KeptRoot, encodeKept, parseKept, placeMax } from "../../dag/kept.ts";
import type { RootRecord } from "../../dag/root.ts";
import { attempt } from "../attempt.ts";
import { isNearlyFull } from "../state/room.ts";
import type { State } from "../state/state.ts";
import { isKept } from "./keeping.ts";
import { allApart, besideOthers, secondOf } from "./places.ts";

const { countMax, youngMax, yieldingMs } = limits.snapshots;

interface Decided {
  readonly kept: readonly KeptRoot[];
  readonly link: ChunkLink | undefined;
  readonly asked: Asked | undefined;
}

interface Asked {
  readonly why: Reason;
}

export class KeptRoots {
  /** Undefined for whoever does not know the rule: what is kept stays, and no more is. */
  rule: KeepRule | undefined;
  readonly #state: State;
  /** Undefined until the list is here. */
  #kept: readonly KeptRoot[] | undefined;
  #link: ChunkLink | undefined;
  /** The newest committed root; undefined before a new drive's first. */
  #last: RootRecord | undefined;
  /** Its place in its second, as far as this process knows: places.ts sees to the rest. */
  #place = 0;
  /** It is to be kept, whatever the rule says. */
  #asked: Asked | undefined;
  /** Other reasons for roots, by their sequences. */
  readonly #marks = new Map<number, Reason>();
  /** Stays as long as nobody asks for another one, whatever the rule says. */
  #held: RootRecord | undefined;
  #holdsNext = false;
  /** Those that somebody works from: what they name stays, though they may be kept no more. */
  readonly #used = new Set<{ readonly root: RootRecord }>();
  /** The sequences of roots that are not to be kept any more. */
  readonly #refused = new Set<number>();
  #decided: Decided | undefined;
  /** Pages made for the commit under way, and since the newest root that is kept. */
  #made = new Set<Cid>();
  #young = new Set<Cid>();
  #loading: Promise<unknown> | undefined;
  readonly #listeners = new Set<(one: KeptRoot) => void>();

  constructor(state: State, root: RootRecord | undefined, rule: KeepRule | undefined) {
    this.#state = state;
    this.rule = rule;
    this.#last = root;
    this.#link = root?.kept;
    this.#kept = this.#link === undefined ? [] : undefined;
  }

  /** The newest root that the store has. */
  get last(): RootRecord | undefined {
    return this.#last;
  }

  /** All, the oldest first; Unavailable when the list is with peers and must not be fetched. */
  async all({ mayFetch }: { readonly mayFetch: boolean }): Promise<readonly KeptRoot[]> {
    const link = this.#link;
    if (this.#kept !== undefined || link === undefined) return this.#kept ?? [];
    if (!mayFetch && !this.#state.blocks.has(link.cid)) {
      throw new HiveError("Unavailable", "tree.kept", "the list is on peers");
    }
    const kept = allApart(parseKept(await attempt(() => this.#state.blocks.chunk(link))));
    if (this.#link === link) this.#kept = kept;
    return kept;
  }

  /** What holds the list itself. */
  blocks(): readonly Cid[] {
    return [this.#link, this.#decided?.link].flatMap((link) => link?.cid ?? []);
  }

  /** The newest committed root is kept by the next commit. */
  keepLast(why: Reason): void {
    this.#asked = { why };
  }

  /** From the next commit on this root is kept for another reason. */
  mark({ sequence }: RootRecord, why: Reason): void {
    this.#marks.set(sequence, why);
  }

  /** The root that the next commit takes the place of stays, instead of the one that stayed so. */
  hold(): void {
    this.#holdsNext = true;
  }

  /** The next commit keeps these no more. */
  refuse(roots: readonly RootRecord[]): void {
    for (const { sequence } of roots) this.#refused.add(sequence);
  }

  /** What this root names is not garbage as long as somebody uses it. */
  use(root: RootRecord): Disposable {
    const use = { root };
    this.#used.add(use);
    return { [Symbol.dispose]: () => void this.#used.delete(use) };
  }

  get used(): readonly RootRecord[] {
    return [...this.#used].map(({ root }) => root);
  }

  /** Is told each root that is kept from now on, or is not any more. */
  onChange(listener: (one: KeptRoot) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  made(cid: Cid): Cid {
    this.#made.add(cid);
    return cid;
  }

  /** What the root that is being written has to name: the list with what is kept from then on. */
  async next(nowMs: number): Promise<ChunkLink | undefined> {
    this.#decided = undefined;
    const before = await this.#here();
    if (before === undefined) return this.#link;
    const kept = this.#decide(before, nowMs);
    const isSame = kept.length === before.length && kept.every((one, at) => one === before[at]);
    if (isSame) return this.#link;
    this.#decided = await this.#written(kept);
    return this.#decided.link;
  }

  /** The store has this root. */
  committed(root: RootRecord): void {
    const isLastKept = this.#decided?.kept.some((one) => one.root === this.#last) ?? false;
    if (isLastKept) this.#young = this.#made;
    else for (const cid of this.#made) this.#young.add(cid);
    this.#made = new Set();
    this.#forgetOldest();
    const isSameSecond = this.#last !== undefined && secondOf(this.#last) === secondOf(root);
    this.#place = isSameSecond ? Math.min(this.#place + 1, placeMax) : 0;
    this.#last = root;
    if (this.#decided !== undefined) this.#settle(this.#decided);
    this.#decided = undefined;
  }

  /** True when no root that is kept or used has this page, which the newest has not. */
  lets(cid: Cid): boolean {
    return this.#used.size === 0 && this.#young.delete(cid);
  }

  /** Pages that are not known to be young any more wait for a census. */
  #forgetOldest(): void {
    for (const cid of this.#young) {
      if (this.#young.size <= youngMax) return;
      this.#young.delete(cid);
    }
  }

  #settle({ kept, link, asked }: Decided): void {
    const [before, old] = [this.#kept ?? [], this.#link];
    [this.#kept, this.#link] = [kept, link];
    if (this.#asked === asked) this.#asked = undefined;
    // What was asked for since waits for the next commit.
    for (const { root, why } of kept) {
      if (this.#marks.get(root.sequence) === why) this.#marks.delete(root.sequence);
    }
    const left = new Set(kept.map(({ root }) => root.sequence));
    for (const sequence of this.#refused) if (!left.has(sequence)) this.#refused.delete(sequence);
    if (old !== undefined && old.cid !== link?.cid) this.#state.blocks.discard(old.cid);
    const changed = [
      ...kept.filter((one) => !before.includes(one)),
      ...before.filter((one) => !kept.includes(one)),
    ];
    for (const one of changed) for (const listener of this.#listeners) listener(one);
  }

  /** Undefined when it would have to be fetched; then it is, for the commits to come. */
  async #here(): Promise<readonly KeptRoot[] | undefined> {
    try {
      return await this.all({ mayFetch: false });
    } catch (error) {
      if (!isFault(error, "Unavailable")) throw error;
      this.#loading ??= this.all({ mayFetch: true }).catch((cause: unknown) => {
        this.#state.needs.log.warn("tree.kept", { failed: describe(cause) });
      }).finally(() => (this.#loading = undefined));
      return undefined;
    }
  }

  #decide(before: readonly KeptRoot[], nowMs: number): readonly KeptRoot[] {
    if (this.#holdsNext) [this.#held, this.#holdsNext] = [this.#last, false];
    const last = this.#last;
    const news = last !== undefined && this.#isNews(last, before.at(-1)?.root)
      ? [besideOthers(before, this.#candidate(last, nowMs))] : [];
    const isFull = isNearlyFull(this.#state);
    const kept = [...before, ...news].map((one) => this.#marked(one)).filter(({ root, ...one }) => {
      if (this.#refused.has(root.sequence)) return false;
      if (one.why !== "rule" || root === this.#held) return true;
      // What was removed to make room must make some; older ones are with peers, as a rule.
      if (isFull && root.committedAtMs > nowMs - yieldingMs) return false;
      if (this.rule === undefined) return root !== this.#last;
      return isKept({ fromMs: root.committedAtMs, untilMs: one.untilMs }, nowMs, this.rule);
    });
    return kept.slice(-countMax);
  }

  /** What is as the newest that is kept is kept only if somebody asks for it. */
  #isNews(root: RootRecord, newest: RootRecord | undefined): boolean {
    const isAsked = this.#asked !== undefined || this.#marks.has(root.sequence);
    return isAsked || root === this.#held || newest === undefined || !isSameDrive(root, newest);
  }

  #candidate(root: RootRecord, untilMs: number): KeptRoot {
    return { root, untilMs, why: this.#asked?.why ?? "rule", place: this.#place };
  }

  #marked(one: KeptRoot): KeptRoot {
    const why = this.#marks.get(one.root.sequence) ?? one.why;
    return why === one.why ? one : { ...one, why };
  }

  /** Fewer of the oldest, where one block does not hold them all. */
  async #written(kept: readonly KeptRoot[]): Promise<Decided> {
    const bytes = encodeKept(kept);
    if (bytes.length > limits.tree.chunkBytes) return this.#written(kept.slice(1));
    const asked = this.#asked;
    if (kept.length === 0) return { kept, link: undefined, asked };
    const { link, arrival } = this.#state.blocks.putChunk(bytes, { slot: 0 });
    await arrival;
    return { kept, link, asked };
  }
}

/** Of two commits of one process: nothing was changed between them. */
function isSameDrive(one: RootRecord, other: RootRecord): boolean {
  const [a, b] = [one.directory, other.directory];
  return a.tree === b.tree && a.inode === b.inode && one.linked === other.linked;
}
