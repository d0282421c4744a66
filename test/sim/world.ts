/**
 * A world of peers that come, go and die, event by event: whose silences the product's judge
 * weighs, and whose groups (groups.ts) its placement and its planner keep. The same seed makes the
 * same world. The lives that peers lead are told in lives.ts, what comes of them in
 * closed-forms.ts.
 */
import { limits } from "../../src/base/limits.ts";
import { Calendar } from "./calendar.ts";
import { dayMs, usualLiving } from "./closed-forms.ts";
import { Dice } from "./dice.ts";
import { Groups, type GroupsPlan } from "./groups.ts";
import { Judge } from "./judge.ts";
import { type Kind, hourMs, leavesAtMs, lifeTimeMs, restOfLifeMs, returnsAtMs } from "./lives.ts";
import { Peers } from "./peers.ts";
import { type Places, makePlaces } from "./places.ts";
import { type Tally, noTally } from "./tally.ts";

export interface WorldPlan extends GroupsPlan {
  readonly seed: string;
  readonly peers: number;
  readonly kinds: readonly Kind[];
  /** An oracle knows the dead at once, and nobody else; the judge is the product's. */
  readonly verdict: "oracle" | "judge";
  /** From the need of a repair to its end. */
  readonly repair: { readonly kind: "exponential" | "steady"; readonly ms: number };
  /** How unequal the room is that peers give: the sigma of a lognormal share. */
  readonly shareSigma: number;
  /** So long an oracle judges, while the judge learns of everybody's absences. */
  readonly learnMs: number;
}

/** Peers of whom something is due in a day of the calendar. */
const peersOfDay = 128;
/** Before another try of a repair that wants something. */
const retryMs = hourMs;

export class World {
  readonly places: Places;
  readonly peers: Peers;
  readonly groups: Groups;
  tally: Tally = noTally();
  readonly #plan: WorldPlan;
  /** Numbers of peers, then the verdicts on them, then groups. */
  readonly #calendar: Calendar;
  /** Nobody where an oracle judges. */
  readonly #judge: Judge | undefined;
  readonly #dice: Dice;
  /** Of each place, how many hours its clocks are ahead. */
  readonly #shiftHours: Uint8Array;
  /** When each group's need of repair began. */
  readonly #needSinceMs: Float64Array;
  #nowMs = 0;
  #countedMs = 0;

  constructor(plan: WorldPlan) {
    const { peers: count, groups, shareSigma, class: { n } } = plan;
    const dice = new Dice(plan.seed);
    this.#plan = plan;
    this.#dice = dice.for("events");
    this.places = makePlaces(dice.for("earth"), { count, seats: groups * n, shareSigma });
    this.peers = new Peers(count);
    this.groups = new Groups({ peers: this.peers, places: this.places }, plan);
    this.#judge = plan.verdict === "judge" ? new Judge(this.peers.capacity) : undefined;
    this.#calendar = calendarFor(plan, this.peers.capacity);
    this.#needSinceMs = new Float64Array(groups);
    const clocks = dice.for("clocks");
    this.#shiftHours = Uint8Array.from({ length: count }, () => clocks.below(24));
    for (let place = 0; place < count; place++) this.#spawn(place, { isNew: false });
    this.#foundAll(dice.for("groups"));
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  run(untilMs: number): void {
    const { capacity } = this.peers;
    for (;;) {
      const next = this.#calendar.pop(untilMs);
      if (next === undefined) break;
      this.#nowMs = next.dueMs;
      this.tally.events++;
      const { thing } = next;
      if (thing < capacity) this.#turn(thing);
      else if (thing < 2 * capacity) this.#condemn(thing - capacity);
      else this.#repair(thing - 2 * capacity);
    }
    this.#nowMs = untilMs;
    this.tally.groupDays += (this.groups.count * (untilMs - this.#countedMs)) / dayMs;
    this.#countedMs = untilMs;
  }

  /** All that was counted so far is forgotten. */
  beginCounting(): void {
    this.tally = noTally();
    this.#countedMs = this.#nowMs;
  }

  /** These die now, all at once, and nobody takes their places. */
  strike(isStruck: (place: number) => boolean): void {
    for (let place = 0; place < this.places.count; place++) {
      const peer = this.peers.occupants[place] as number;
      if (this.peers.isAlive(peer) && isStruck(place)) this.#die(peer, { isFollowed: false });
    }
  }

  /** These are silent from now on and come back together, if they live so long. */
  hush(isStruck: (place: number) => boolean, lastsMs: number): void {
    for (let place = 0; place < this.places.count; place++) {
      const peer = this.peers.occupants[place] as number;
      const isThere = this.peers.isOnline(peer);
      if (isThere && isStruck(place)) this.#awayUntil(peer, this.#nowMs + lastsMs);
    }
  }

  #foundAll(dice: Dice): void {
    const living = pickerOf(usualLiving(this.#plan.class));
    for (let group = 0; group < this.groups.count; group++) {
      const count = this.#plan.isPatient ? living(dice.unit()) : this.#plan.class.n;
      this.groups.found(group, count);
    }
  }

  /** Somebody moves in: new, or met in the middle of life. */
  #spawn(place: number, { isNew }: { readonly isNew: boolean }): void {
    const dice = this.#dice;
    const kind = pickKind(this.#plan.kinds, dice);
    const { life } = this.#plan.kinds[kind] as Kind;
    const peer = this.peers.move(place, kind);
    this.groups.weigh(peer);
    const restMs = isNew ? lifeTimeMs(life, dice) : restOfLifeMs(life, dice);
    this.peers.diesAtMs[peer] = this.#nowMs + restMs;
    this.#judge?.meet(peer, this.#nowMs);
    this.#stay(peer);
  }

  /** A peer that is there leaves next, or comes back, or dies. */
  #turn(peer: number): void {
    if (this.#nowMs >= (this.peers.diesAtMs[peer] as number)) this.#die(peer, { isFollowed: true });
    else if (this.peers.isOnline(peer)) this.#leave(peer);
    else this.#comeBack(peer);
  }

  #stay(peer: number): void {
    const { shiftMs, way } = this.#habitsOf(peer);
    this.#until(peer, leavesAtMs(way, this.#nowMs, shiftMs, this.#dice));
  }

  #leave(peer: number): void {
    const { shiftMs, way } = this.#habitsOf(peer);
    this.#awayUntil(peer, returnsAtMs(way, this.#nowMs, shiftMs, this.#dice));
  }

  #awayUntil(peer: number, backMs: number): void {
    this.peers.setOnline(peer, false);
    this.peers.silentSinceMs[peer] = this.#nowMs;
    this.#until(peer, backMs);
    const isLast = backMs >= (this.peers.diesAtMs[peer] as number);
    this.#weigh(peer, isLast ? Infinity : backMs - this.#nowMs);
  }

  #comeBack(peer: number): void {
    this.peers.setOnline(peer, true);
    // A verdict of this very moment is not spoken.
    this.#calendar.set(this.peers.capacity + peer, Infinity);
    const absenceMs = this.#nowMs - (this.peers.silentSinceMs[peer] as number);
    this.#judge?.cameBack(peer, { absenceMs, nowMs: this.#nowMs });
    if (this.peers.isCondemned(peer)) {
      this.tally.condemnedInVain++;
      const isFresh = this.peers.isFresh(peer);
      this.peers.acquit(peer);
      this.groups.recount(peer, { fit: 1, hoped: isFresh ? 0 : 1 }, () => {});
    }
    this.#stay(peer);
  }

  #die(peer: number, { isFollowed }: { readonly isFollowed: boolean }): void {
    if (this.peers.isOnline(peer)) this.peers.silentSinceMs[peer] = this.#nowMs;
    const verdict = this.peers.capacity + peer;
    this.tally.deaths++;
    this.#calendar.set(peer, Infinity);
    this.peers.kill(peer);
    this.groups.lose(peer, (group) => this.#lose(group));
    if (isFollowed) this.#spawn(this.peers.placeOf[peer] as number, { isNew: true });
    if (this.groups.seats.countOf(peer) === 0) this.#release(peer);
    else if (this.#isOracle) this.#calendar.set(verdict, this.#nowMs);
    // Who was away has been judged by then, but for those who went before the judge came.
    else if (!this.peers.isCondemned(peer) && this.#calendar.dueMs(verdict) === Infinity) {
      this.#weigh(peer, Infinity);
    }
  }

  /** Whether, and when, a silence that begins now will be taken for a death. */
  #weigh(peer: number, lastsMs: number): void {
    if (this.#judge === undefined || this.#isOracle) return;
    const verdictMs = this.#judge.verdictMs(peer, { fromMs: this.#nowMs, lastsMs });
    this.#calendar.set(this.peers.capacity + peer, this.#nowMs + verdictMs);
  }

  /** At first, where its death is still fresh, and once more when it is so no longer. */
  #condemn(peer: number): void {
    const ripeMs = (this.peers.silentSinceMs[peer] as number) + limits.proofs.freshMs;
    const isFresh = !this.#isOracle && ripeMs > this.#nowMs;
    const isFirst = !this.peers.isCondemned(peer);
    this.tally.condemned += Number(isFirst);
    this.peers.condemn(peer, { isFresh });
    if (isFresh) this.#calendar.set(this.peers.capacity + peer, ripeMs);
    const more = { fit: isFirst ? -1 : 0, hoped: isFresh ? 0 : -1 };
    this.groups.recount(peer, more, (group) => this.#need(group));
  }

  #need(group: number): void {
    const thing = 2 * this.peers.capacity + group;
    if (this.#calendar.dueMs(thing) !== Infinity) return;
    const { kind, ms } = this.#plan.repair;
    this.#needSinceMs[group] = this.#nowMs;
    const delayMs = kind === "steady" ? ms : this.#dice.exponential(ms);
    this.#calendar.set(thing, this.#nowMs + delayMs);
  }

  #repair(group: number): void {
    const before = this.tally.repairs;
    const mended = this.groups.repair(group, this.tally, (peer) => this.#release(peer));
    if (this.tally.repairs > before) {
      this.tally.waitMs += this.#nowMs - (this.#needSinceMs[group] as number);
    }
    if (mended === "whole") return;
    this.#calendar.set(2 * this.peers.capacity + group, this.#nowMs + retryMs);
  }

  /** What cannot be brought back: a new one takes its place. */
  #lose(group: number): void {
    this.tally.losses++;
    this.#calendar.set(2 * this.peers.capacity + group, Infinity);
    const before = [...this.groups.seats.peersOf(group)];
    this.groups.found(group, this.#plan.class.n);
    for (const peer of before) {
      const isGone = peer >= 0 && !this.peers.isAlive(peer) && this.peers.isCondemned(peer);
      if (isGone && this.groups.seats.countOf(peer) === 0) this.#release(peer);
    }
  }

  #release(peer: number): void {
    this.#calendar.set(this.peers.capacity + peer, Infinity);
    this.peers.release(peer);
  }

  #until(peer: number, ms: number): void {
    this.#calendar.set(peer, Math.min(ms, this.peers.diesAtMs[peer] as number));
  }

  get #isOracle(): boolean {
    return this.#judge === undefined || this.#nowMs < this.#plan.learnMs;
  }

  #habitsOf(peer: number) {
    const { way } = this.#plan.kinds[this.peers.kindOf[peer] as number] as Kind;
    const hours = this.#shiftHours[this.peers.placeOf[peer] as number] as number;
    return { way, shiftMs: hours * hourMs };
  }
}

/** As long as most things wait, in days short enough that few of them are due in one. */
function calendarFor({ kinds, peers, groups }: WorldPlan, capacity: number): Calendar {
  const isCalm = kinds.every(({ way }) => way === "always");
  const horizonMs = isCalm ? 365 * dayMs : 2 * dayMs;
  return new Calendar(2 * capacity + groups, { days: Math.max(64, Math.ceil(peers / peersOfDay)), horizonMs });
}

function pickKind(kinds: readonly Kind[], dice: Dice): number {
  let point = dice.unit();
  const at = kinds.findIndex(({ share }) => (point -= share) < 0);
  return at < 0 ? kinds.length - 1 : at;
}

/** From a number between 0 and 1 to one of these, as often as they weigh. */
function pickerOf(weights: ReadonlyMap<number, number>): (unit: number) => number {
  const entries = [...weights];
  return (unit) => {
    let point = unit;
    const found = entries.find(([, weight]) => (point -= weight) < 0) ?? entries.at(-1);
    return (found as readonly [number, number])[0];
  };
}
