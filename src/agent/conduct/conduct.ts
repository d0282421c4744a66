/**
 * What is remembered of every holder, and what follows from it: alive, away, dead, or a liar. It
 * keeps the histories in the agent's books under `h/PEER`, and under `x/looked` when it last looked
 * at the members; how they are judged is for proofs.
 */
import type { KeyChange, KeyValue } from "../../base/blocks.ts";
import { agentKeys } from "../../base/book-keys.ts";
import { Reader, Writer } from "../../base/bytes.ts";
import type { Clock } from "../../base/clock.ts";
import { type PeerId, parsePeerId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { type Silence, frozenOf } from "../../proofs/cohort.ts";
import type { History, Liveness, Outcome, Score } from "../../proofs/score.ts";
import type { Observation as Observed } from "../../proofs/score.ts";
import { assess, excuse, isFresh, isTardy, noHistory, outcomes } from "../../proofs/score.ts";
import { remember, scoreOf, silentSinceMs } from "../../proofs/score.ts";
import type { Observation } from "../../transfer/witness.ts";
import { excusedMs } from "./looking.ts";
import { Steady } from "./steady.ts";

export interface PeerConduct {
  readonly peer: PeerId;
  readonly liveness: Liveness;
  readonly score: Score;
  /** It has not given a whole shard for days, whatever it proves. */
  readonly isRefusing: boolean;
  /** For days it has proven nothing in time. */
  readonly isTardy: boolean;
  /** Since when it is watched, as far as is remembered, and when it last answered. */
  readonly sinceMs: number | undefined;
  readonly answeredAtMs: number | undefined;
  /** The lengths of the last absences that it came back from. */
  readonly absencesMs: readonly number[];
  /** Dead by a silence that is still short: it is waited for where enough others are left. */
  readonly isFresh: boolean;
  /** It fell silent with others of its network: nobody is dead by that. */
  readonly isFrozen: boolean;
}

export interface ConductNeeds {
  readonly books: KeyValue;
  readonly clock: Clock;
  /** What peers share with others that might fall silent with them. */
  readonly domains?: () => ReadonlyMap<PeerId, readonly string[]>;
}

const version = 3;
const lookedKey = agentKeys.looked;

export class Conduct {
  readonly #books: KeyValue;
  readonly #clock: Clock;
  readonly #steady: Steady;
  readonly #deadAfterMs: number;
  /** In the order in which they were last heard of. */
  readonly #histories = new Map<PeerId, History>();
  readonly #changed = new Set<PeerId>();
  readonly #refusing = new Set<PeerId>();
  readonly #domains: ConductNeeds["domains"];
  /** Those who fell silent together: nobody is dead by that. */
  #frozen: ReadonlySet<PeerId> = new Set();
  #tardy: ReadonlySet<PeerId> = new Set();
  #lagging: ReadonlySet<PeerId> = new Set();
  #lookedAtMs: number | undefined;
  #savedLookMs = -Infinity;

  constructor(needs: ConductNeeds, options: { readonly deadAfterMs: number }) {
    this.#books = needs.books;
    this.#clock = needs.clock;
    this.#steady = new Steady(needs.clock);
    this.#domains = needs.domains;
    this.#deadAfterMs = options.deadAfterMs;
  }

  async open(): Promise<void> {
    for await (const [key, value] of this.#books.list(agentKeys.history)) {
      this.#histories.set(parsePeerId(key.slice(agentKeys.history.length)), decode(value));
    }
    const looked = await this.#books.get(lookedKey);
    if (looked === undefined) return;
    this.#lookedAtMs = new Reader(looked, "agent.looked").varint();
    this.#steady.was(this.#lookedAtMs);
  }

  /** Whether what has this stamp of ours is surely younger than that, whoever set the clock. */
  isYounger(stampMs: number, thanMs: number): boolean {
    return this.#steady.isYounger(stampMs, thanMs);
  }

  /** Called often: time in which we did not look, or saw nobody, is not held against anybody. */
  look(members: Iterable<PeerId>, isOnline: (peer: PeerId) => boolean): void {
    const nowMs = this.#clock.now();
    const living = [...members].filter((peer) => this.liveness(peer) !== "dead");
    const there = living.filter((peer) => isOnline(peer) && !this.#isSilent(peer));
    const seen = { members: living.length, present: there.length };
    const ms = excusedMs({ lastMs: this.#lookedAtMs ?? nowMs, nowMs, ...seen });
    this.#steady.look();
    this.#lookedAtMs = nowMs;
    if (ms !== 0) this.#excuse(ms, nowMs);
    this.#frozen = frozenOf(this.#silences(), nowMs);
    this.#tardy = this.#tardyAt(nowMs);
  }

  /** Where half of all are late for days, it is our own line. */
  #tardyAt(nowMs: number): ReadonlySet<PeerId> {
    const found = [...this.#histories].filter(([, history]) => isTardy(history, nowMs));
    const isOurs = 2 * found.length >= this.#histories.size;
    return new Set(isOurs ? [] : found.map(([peer]) => peer));
  }

  #excuse(ms: number, nowMs: number): void {
    for (const [peer, history] of this.#histories) {
      this.#histories.set(peer, excuse(history, ms, nowMs));
      this.#changed.add(peer);
    }
  }

  #silences(): readonly Silence[] {
    const domains = this.#domains?.() ?? new Map<PeerId, readonly string[]>();
    return [...this.#histories].map(([peer, history]) => {
      const sinceMs = this.#isSilent(peer) ? silentSinceMs(history, Infinity) : undefined;
      return { peer, sinceMs, domains: domains.get(peer) ?? [] };
    });
  }

  /**
   * A refusal says nothing of liveness that a proof would not say better; and a read that another
   * peer answered first is late without being an answer. Neither is counted.
   */
  saw({ peer, verdict, act }: Observation): void {
    if (verdict === "refused" || (verdict === "late" && act !== "prove")) return;
    const history = this.#histories.get(peer) ?? noHistory;
    const last = history.recent.at(-1);
    const atMs = this.#clock.now();
    const news = act === "prove" || verdict === "wrong" || last?.outcome !== verdict
      || atMs - last.atMs >= limits.agent.observationMsMin;
    if (!news) return;
    this.#note(peer, { atMs, outcome: verdict }, { isProof: act === "prove" });
  }

  /** It is connected again: a sign of life, if not of its shards. Nobody else may ask it more. */
  cameBack(peer: PeerId): void {
    if (this.liveness(peer) !== "dead") return;
    this.#note(peer, { atMs: this.#clock.now(), outcome: "late" }, { isProof: false });
  }

  /**
   * A clock that was set back takes what is remembered along before anything new is: else the next
   * look would move what was seen just now as far into the past, and take a hiccup for a death.
   */
  #followClock(nowMs: number): void {
    const passedMs = nowMs - (this.#lookedAtMs ?? nowMs);
    if (passedMs >= 0) return;
    this.#excuse(passedMs, nowMs);
    this.#lookedAtMs = nowMs;
  }

  /** Proofs alone have deadlines: whatever else it says or gives is neither late nor in time. */
  #note(peer: PeerId, observation: Observed, { isProof }: { readonly isProof: boolean }): void {
    this.#steady.look();
    this.#followClock(observation.atMs);
    const before = this.#histories.get(peer) ?? noHistory;
    const after = remember(before, observation);
    const { lateness } = isProof ? after : before;
    this.#histories.delete(peer);
    this.#histories.set(peer, { ...after, lateness });
    this.#changed.add(peer);
  }

  /** Writes down what is new. */
  async save(): Promise<void> {
    const gone = this.#makeRoom();
    const lookedAtMs = this.#lookedAtMs ?? 0;
    const isOld = Math.abs(lookedAtMs - this.#savedLookMs) >= limits.agent.observationMsMin;
    const changed = [...this.#changed];
    if (changed.length + gone.length === 0 && !isOld) return;
    this.#changed.clear();
    this.#savedLookMs = lookedAtMs;
    // With the histories: what was excused once must not be excused again, nor forgotten.
    const looked = new Writer(8).varint(lookedAtMs).finish();
    const histories = changed.map((peer): KeyChange => {
      const value = encode(this.#histories.get(peer) ?? noHistory);
      return { type: "put", key: agentKeys.history + peer, value };
    });
    const forgotten = gone.map((peer): KeyChange => {
      return { type: "delete", key: agentKeys.history + peer };
    });
    const look: KeyChange = { type: "put", key: lookedKey, value: looked };
    await this.#books.batch([...histories, ...forgotten, look]);
  }

  /** Fellows cost nothing to make up: who was not heard of for longest makes room for others. */
  #makeRoom(): readonly PeerId[] {
    const surplus = this.#histories.size - limits.agent.historiesMax;
    if (surplus <= 0) return [];
    const gone = [...this.#histories.keys()].slice(0, surplus);
    for (const peer of gone) {
      this.#histories.delete(peer);
      this.#changed.delete(peer);
    }
    return gone;
  }

  #isSilent(peer: PeerId): boolean {
    return this.#histories.get(peer)?.recent.at(-1)?.outcome === "offline";
  }

  /** Away by default for a peer that was never asked. */
  liveness(peer: PeerId): Liveness {
    const options = { deadAfterMs: this.#deadAfterMs };
    const history = this.#histories.get(peer) ?? noHistory;
    const liveness = assess(history, this.#judgedMs(), options);
    return liveness === "dead" && this.#frozen.has(peer) ? "away" : liveness;
  }

  /** Since the last look it is not known whose the silence was: nobody is dead by it yet. */
  #judgedMs(): number {
    return Math.min(this.#clock.now(), this.#lookedAtMs ?? Infinity);
  }

  /** It proves what it keeps and gives none of it back, or does so no more. */
  refuses(peer: PeerId, isRefusing: boolean): void {
    if (isRefusing) this.#refusing.add(peer);
    else this.#refusing.delete(peer);
  }

  /** Who has what it proves fetched from others, as far as races tell. */
  lags(peers: ReadonlySet<PeerId>): void {
    this.#lagging = peers;
  }

  /** One that must not keep its seat: silent too long, wrong too often, a refuser, or ever late. */
  isUnfit(peer: PeerId): boolean {
    return this.#isFaulty(peer) || this.liveness(peer) === "dead";
  }

  /** Unfit by a silence alone that is still short: waited for where enough others are left. */
  isFresh(peer: PeerId): boolean {
    if (this.#isFaulty(peer) || this.liveness(peer) !== "dead") return false;
    const history = this.#histories.get(peer) ?? noHistory;
    return isFresh(history, this.#judgedMs(), { deadAfterMs: this.#deadAfterMs });
  }

  #isFaulty(peer: PeerId): boolean {
    if (this.#refusing.has(peer) || this.#isTardy(peer)) return true;
    const history = this.#histories.get(peer) ?? noHistory;
    return scoreOf(history).wrong >= limits.agent.wrongsMax;
  }

  #isTardy(peer: PeerId): boolean {
    return this.#tardy.has(peer) || this.#lagging.has(peer);
  }

  /** All that are unfit now, for who asks about many shards. */
  unfit(): ReadonlySet<PeerId> {
    const known = [...this.#histories.keys(), ...this.#refusing, ...this.#lagging];
    return new Set(known.filter((peer) => this.isUnfit(peer)));
  }

  dead(): ReadonlySet<PeerId> {
    return new Set([...this.#histories.keys()].filter((peer) => this.liveness(peer) === "dead"));
  }

  all(): PeerConduct[] {
    return [...this.#histories].map(([peer, history]) => {
      const flaws = { isRefusing: this.#refusing.has(peer), isTardy: this.#isTardy(peer) };
      const { sinceMs, answeredAtMs, absencesMs } = history;
      const waited = { isFresh: this.isFresh(peer), isFrozen: this.#frozen.has(peer) };
      const told = { sinceMs, answeredAtMs, absencesMs, ...waited };
      return { peer, liveness: this.liveness(peer), score: scoreOf(history), ...flaws, ...told };
    });
  }
}

function encode(history: History): Uint8Array {
  const writer = new Writer(64 + (history.recent.length + history.absencesMs.length) * 9);
  writer.u8(version).varint(history.sinceMs ?? 0).varint(history.answeredAtMs ?? 0);
  writer.varint(history.recent.length);
  for (const { atMs, outcome } of history.recent) {
    writer.varint(atMs).u8(outcomes.indexOf(outcome));
  }
  writer.varint(history.absencesMs.length);
  for (const ms of history.absencesMs) writer.varint(ms);
  writer.varint(history.lateness?.count ?? 0).varint(history.lateness?.countedAtMs ?? 0);
  return writer.finish();
}

/** Version 1 knew no absences, and 2 no lateness. */
function decode(value: Uint8Array): History {
  const reader = new Reader(value, "agent.history");
  const told = reader.u8();
  if (told < 1 || told > version) throw reader.corrupt("version");
  const [sinceMs, answeredAtMs] = [reader.varint(), reader.varint()];
  const recent = Array.from({ length: countIn(reader, limits.proofs.historyMax) }, () => {
    return { atMs: reader.varint(), outcome: outcomeIn(reader) };
  });
  const absences = told === 1 ? 0 : countIn(reader, limits.proofs.absencesMax);
  const absencesMs = Array.from({ length: absences }, () => reader.varint());
  const [count, countedAtMs] = told < 3 ? [0, 0] : [reader.varint(), reader.varint()];
  reader.end();
  return {
    recent, absencesMs, sinceMs: sinceMs === 0 ? undefined : sinceMs,
    lateness: count === 0 ? undefined : { count, countedAtMs },
    answeredAtMs: answeredAtMs === 0 ? undefined : answeredAtMs,
  };
}

function countIn(reader: Reader, max: number): number {
  const count = reader.varint();
  if (count > max) throw reader.corrupt("too long");
  return count;
}

function outcomeIn(reader: Reader): Outcome {
  const outcome = outcomes[reader.u8()];
  if (outcome === undefined) throw reader.corrupt("outcome");
  return outcome;
}
