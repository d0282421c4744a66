/**
 * What this node sees others do for it, until it stands in an admission. It listens to audits and
 * reads, and judges nothing; earning.ts does the sums.
 */
import type { KeyChange } from "../base/blocks.ts";
import type { Clock } from "../base/clock.ts";
import { Gate } from "../base/gate.ts";
import type { PeerId } from "../base/ids.ts";
import type { Proved, SampleProved, ServiceTally } from "../base/ledger.ts";
import { limits } from "../base/limits.ts";
import { type LedgerBooks, dropMarks, putMarks, putTally } from "./books.ts";
import { type Tally, countsOf, earned, earnedBySample, isOver, noTally, watched, without,
} from "./earning.ts";
import type { Counts } from "./entry.ts";

export class Tallies implements ServiceTally {
  readonly #books: LedgerBooks;
  readonly #clock: Clock;
  readonly #tallies = new Map<PeerId, Tally>();
  /** Those that memory knows more of than the disk. */
  readonly #changed = new Set<PeerId>();
  readonly #turn = new Gate({ seats: 1, queueMax: limits.transfer.changesQueueMax });
  #sweptTo: string | undefined;
  #sweptMs = -Infinity;

  constructor(needs: { readonly books: LedgerBooks; readonly clock: Clock }) {
    this.#books = needs.books;
    this.#clock = needs.clock;
  }

  async open(): Promise<void> {
    for await (const [peer, tally] of this.#books.tallies()) this.#tallies.set(peer, tally);
  }

  async proved(proved: Proved): Promise<void> {
    // One at a time: an audit and a verify of the same segment must not both earn the same hour.
    using _turn = await this.#turn.enter();
    const nowMs = this.#clock.now();
    const before = await this.#books.marks(proved.segment);
    const { kept, marks } = earned(before, proved, {
      nowMs, sampledAtMs: (peer) => this.of(peer).sampledAtMs,
    });
    const asked = [...new Set(proved.answers.map(({ peer }) => peer))];
    const changes = asked.map((peer): KeyChange => {
      const tally = watched(this.of(peer), kept.get(peer) ?? 0, nowMs);
      this.#tallies.set(peer, tally);
      return putTally(peer, tally);
    });
    await this.#books.batch([...changes, putMarks(proved.segment, marks)]);
  }

  async sampled(proved: SampleProved): Promise<void> {
    using _turn = await this.#turn.enter();
    const { peer } = proved;
    const tally = earnedBySample(this.of(peer), proved, this.#clock.now());
    this.#tallies.set(peer, tally);
    await this.#books.batch([putTally(peer, tally)]);
  }

  sent(peer: PeerId, bytes: number): void {
    const tally = this.of(peer);
    this.#change(peer, { ...tally, sent: tally.sent + bytes });
  }

  of(peer: PeerId): Tally {
    return this.#tallies.get(peer) ?? noTally;
  }

  peers(): readonly PeerId[] {
    return [...this.#tallies.keys()];
  }

  /** What may be admitted now; undefined when it fills no unit. */
  due(peer: PeerId): Counts | undefined {
    const counts = countsOf(this.of(peer));
    const isWorth = counts.kept > 0 || counts.sent > 0;
    return isWorth ? counts : undefined;
  }

  /** It stands in an admission, which is written in the same batch. */
  admitted(peer: PeerId, counts: Counts): KeyChange {
    const tally = without(this.of(peer), counts);
    this.#tallies.set(peer, tally);
    return putTally(peer, tally);
  }

  /** Writes down what only memory knows, and forgets marks of segments that are gone. */
  async tend(): Promise<void> {
    const changed = [...this.#changed];
    this.#changed.clear();
    const gone = await this.#gone();
    await this.#books.batch([...changed.map((peer) => putTally(peer, this.of(peer))), ...gone]);
  }

  #change(peer: PeerId, tally: Tally): void {
    this.#tallies.set(peer, tally);
    this.#changed.add(peer);
  }

  async #gone(): Promise<readonly KeyChange[]> {
    const nowMs = this.#clock.now();
    const isDue = this.#sweptTo !== undefined ||
      this.#clock.monotonicMs() - this.#sweptMs >= limits.ledger.intervalMsMax;
    if (!isDue) return [];
    this.#sweptMs = this.#clock.monotonicMs();
    const gone: KeyChange[] = [];
    let looked = 0;
    let last: string | undefined;
    for await (const [key, marks] of this.#books.allMarks(this.#sweptTo)) {
      if (looked++ === limits.ledger.sweepMax) break;
      last = key;
      if (isOver(marks, nowMs)) gone.push(dropMarks(key));
    }
    this.#sweptTo = looked > limits.ledger.sweepMax ? last : undefined;
    return gone;
  }
}
