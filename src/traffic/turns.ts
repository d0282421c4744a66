/**
 * Who goes next over a line of so many bytes a second. Pure: it is told the time, waits for nobody,
 * and never learns what is sent.
 *
 * Each urgency has a bucket that everything at least as urgent is paid from. So a program never
 * waits for what repair has sent, while repair waits for what programs have read; and all together
 * keep to the rate. A call goes when its bucket holds its bytes, or is full if they are more: over
 * any time the line carries what its rate allows, and one call. Among calls in the background the
 * one goes next whose party has had the fewest bytes (start-time fair queueing).
 */
import { HiveError, assert } from "../base/errors.ts";
import { Bucket } from "../base/bucket.ts";
import { limits } from "../base/limits.ts";
import { type Urgency, urgencies } from "../base/traffic.ts";

/** How far the tap is open. */
export interface Gauge {
  /** Undefined: as fast as it goes. */
  readonly perSecond: number | undefined;
  /** False: nothing goes that nobody waits for. */
  readonly isOpen: boolean;
}

export interface Wanted {
  readonly bytes: number;
  readonly urgency: Urgency;
  /** On whose behalf: a peer, or this node's own work. */
  readonly party: string;
}

interface Waiting<W> {
  readonly wanted: W;
  /** When its party's earlier bytes would be over, were all parties served at once. */
  readonly start: number;
}

const background = urgencies.length - 1;

export class Turns<W extends Wanted> {
  #gauge: Gauge = { perSecond: undefined, isOpen: true };
  #buckets: readonly Bucket[] = [];
  readonly #waiting: readonly Waiting<W>[][] = urgencies.map(() => []);
  /** Of parties that wait: where their next bytes begin. */
  readonly #ends = new Map<string, number>();
  #now = 0;

  get count(): number {
    return this.#waiting.reduce((sum, queue) => sum + queue.length, 0);
  }

  get gauge(): Gauge {
    return this.#gauge;
  }

  turn(gauge: Gauge, nowMs: number): void {
    const { perSecond } = gauge;
    assert(perSecond === undefined || perSecond > 0);
    if (perSecond === this.#gauge.perSecond) {
      this.#gauge = gauge;
      return;
    }
    const rate = perSecond === undefined ? undefined : rateOf(perSecond);
    // Whoever was not limited owes nothing.
    const isNew = this.#gauge.perSecond === undefined;
    if (rate !== undefined && isNew) this.#buckets = urgencies.map(() => new Bucket(rate, nowMs));
    else if (rate !== undefined) for (const bucket of this.#buckets) bucket.turn(rate, nowMs);
    this.#gauge = gauge;
  }

  /** Waits from now on; Busy when too many do. */
  add(wanted: W): void {
    if (this.count >= limits.traffic.waitingMax) throw new HiveError("Busy", "traffic", "queue");
    const start = Math.max(this.#now, this.#ends.get(wanted.party) ?? 0);
    const rank = rankOf(wanted);
    if (rank === background) this.#ends.set(wanted.party, start + wanted.bytes);
    this.#waiting[rank]?.push({ wanted, start });
  }

  /** It does not want to go any more. */
  remove(wanted: W): void {
    for (const queue of this.#waiting) {
      const at = queue.findIndex((one) => one.wanted === wanted);
      if (at >= 0) queue.splice(at, 1);
    }
    this.#rest();
  }

  /** Takes out and pays for the next one that may go; undefined when all have to wait. */
  next(nowMs: number): W | undefined {
    const found = this.#first();
    if (found === undefined || this.#waitMs(found.wanted, nowMs) > 0) return undefined;
    this.#now = Math.max(this.#now, found.start);
    this.spend(found.wanted, nowMs);
    this.remove(found.wanted);
    return found.wanted;
  }

  /** How long until somebody may go; Infinity while nobody may, whatever time passes. */
  waitMs(nowMs: number): number {
    const found = this.#first();
    return found === undefined ? Infinity : this.#waitMs(found.wanted, nowMs);
  }

  /** Pays for what does not wait, or goes before its turn. */
  spend({ bytes, urgency }: Pick<W, "bytes" | "urgency">, nowMs: number): void {
    if (this.#gauge.perSecond === undefined) return;
    for (const bucket of this.#buckets.slice(urgencies.indexOf(urgency))) {
      bucket.spend(bytes, nowMs);
    }
  }

  /** Nobody passes whoever is more urgent, even if he wants less. */
  #first(): Waiting<W> | undefined {
    const rank = this.#waiting.findIndex((queue) => queue.length > 0);
    if (rank === background && !this.#gauge.isOpen) return undefined;
    const queue = this.#waiting[rank] ?? [];
    if (rank < background) return queue[0];
    return queue.reduce<Waiting<W> | undefined>((best, one) => {
      return best === undefined || one.start < best.start ? one : best;
    }, undefined);
  }

  #waitMs(wanted: W, nowMs: number): number {
    const { perSecond } = this.#gauge;
    if (perSecond === undefined) return 0;
    const left = this.#buckets[rankOf(wanted)]?.left(nowMs) ?? 0;
    const lacking = Math.min(wanted.bytes, rateOf(perSecond).burst) - left;
    // What is less than a byte is the arithmetic's, and no timer is so fine.
    return lacking < 1 ? 0 : lacking / perSecond * 1000;
  }

  /** With nobody waiting, nobody is ahead of others. */
  #rest(): void {
    if (this.#waiting[background]?.length === 0) this.#ends.clear();
  }
}

function rankOf({ urgency }: Wanted): number {
  return urgencies.indexOf(urgency);
}

function rateOf(perSecond: number) {
  return { perSecond, burst: perSecond * limits.traffic.burstMs / 1000 };
}
